//! What is told to whom when: pure, given what happens and the time. A target is told once it has been quiet for a
//! moment, and not more often than its owner wants; what happens meanwhile is gathered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Announcements, Gathered, Line, Message};
use super::{Happening, Target};
use crate::config::{About, Config};
use crate::domain::outline::span;

/// How long the first happening of a message waits for others to join it.
const GATHER: Duration = Duration::from_secs(2);
/// A channel of announcements gets at most one message in this time (Discord takes 30 a minute).
const ANNOUNCE_EVERY: Duration = Duration::from_secs(10);
/// So many deliveries that the platform did not sign, within this time, are told.
const FORGED: usize = 20;
const FORGED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// All that was not told yet, and what is known of the state of things.
#[derive(Debug)]
pub(super) struct Gathering {
    about: BTreeSet<About>,
    server_down_for: Duration,
    queue_older_than: Duration,
    every: Duration,
    outboxes: Vec<Outbox>,
    /// By the address, which two servers of the file may share.
    down: BTreeMap<String, Down>,
    /// The last of them, at most [`FORGED`].
    forged: VecDeque<Instant>,
    /// How many there were since they were last told.
    forged_untold: u64,
    forged_told: Option<Instant>,
    queue_told: Option<Instant>,
}

/// One target, and what waits to be told to it.
#[derive(Debug)]
struct Outbox {
    target: Arc<Target>,
    pending: Pending,
    /// When the oldest of that began to wait.
    since: Option<Instant>,
    /// When it was last told.
    told: Option<Instant>,
    /// Whether a message is on its way.
    busy: bool,
    /// Whether the last message could not be told.
    failing: bool,
}

#[derive(Debug)]
enum Pending {
    Owner(Gathered),
    Votes(Announcements),
}

#[derive(Debug)]
struct Down {
    name: String,
    why: String,
    since: Instant,
    told: bool,
}

/// A vote that waits for something that should come by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Oldest {
    /// Which one it is and what it waits for, in words.
    pub(super) what: String,
    /// For how long.
    pub(super) age: Duration,
    /// How many wait, with it.
    pub(super) waiting: u64,
}

impl Pending {
    fn of(target: &Target) -> Pending {
        if target.announces {
            Pending::Votes(Announcements::default())
        } else {
            Pending::Owner(Gathered::default())
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Pending::Owner(gathered) => gathered.is_empty(),
            Pending::Votes(votes) => votes.is_empty(),
        }
    }

    fn take(&mut self) -> Message {
        match self {
            Pending::Owner(gathered) => gathered.take(),
            Pending::Votes(votes) => votes.take(),
        }
    }
}

impl Outbox {
    /// When its message is due, if it has one to give and none is on its way.
    fn due_at(&self, every: Duration) -> Option<Instant> {
        let since = self.since.filter(|_| !self.busy && !self.pending.is_empty())?;
        let every = if self.target.announces { ANNOUNCE_EVERY } else { every };
        let again = self.told.map_or(since, |told| told + every);
        Some((since + GATHER).max(again))
    }

    fn take(&mut self, now: Instant) -> (Arc<Target>, Message) {
        self.since = None;
        self.told = Some(now);
        self.busy = true;
        (Arc::clone(&self.target), self.pending.take())
    }
}

impl Gathering {
    /// Nothing has happened yet.
    pub(super) fn new(config: &Config) -> Self {
        let mut gathering = Gathering {
            about: BTreeSet::new(),
            server_down_for: Duration::ZERO,
            queue_older_than: Duration::ZERO,
            every: Duration::ZERO,
            outboxes: Vec::new(),
            down: BTreeMap::new(),
            forged: VecDeque::new(),
            forged_untold: 0,
            forged_told: None,
            queue_told: None,
        };
        gathering.reconfigure(config);
        gathering
    }

    /// Another configuration holds. A target that is in it still keeps what waits for it; what waits for others, and
    /// servers that are gone, are forgotten.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        let notify = &config.notify;
        self.about = notify.about.clone();
        (self.server_down_for, self.queue_older_than) = (notify.server_down_for, notify.queue_older_than);
        self.every = notify.every;
        let mut before = std::mem::take(&mut self.outboxes);
        for target in Target::all(notify) {
            let known = before.iter().position(|outbox| *outbox.target == target);
            self.outboxes.push(match known {
                Some(index) => before.swap_remove(index),
                None => Outbox {
                    pending: Pending::of(&target),
                    target: Arc::new(target),
                    since: None,
                    told: None,
                    busy: false,
                    failing: false,
                },
            });
        }
        self.down.retain(|address, down| {
            let named = config.servers.iter().find(|server| server.rcon == *address);
            named.is_some_and(|server| {
                down.name.clone_from(&server.name);
                true
            })
        });
    }

    /// Whether somebody is to be told of this.
    pub(super) fn tells_of(&self, about: About) -> bool {
        self.about.contains(&about) && self.outboxes.iter().any(|outbox| !outbox.target.announces)
    }

    /// Whether a target is still one.
    pub(super) fn has(&self, target: &Arc<Target>) -> bool {
        self.outboxes.iter().any(|outbox| Arc::ptr_eq(&outbox.target, target))
    }

    /// Something happened.
    pub(super) fn hear(&mut self, happening: Happening, now: Instant) {
        match happening {
            Happening::Told(line) => self.tell(&line, now),
            Happening::Voted { text, .. } => {
                for outbox in &mut self.outboxes {
                    if let Pending::Votes(votes) = &mut outbox.pending {
                        votes.add(text.clone());
                        outbox.since.get_or_insert(now);
                    }
                }
            }
            Happening::ServerDown { address, name, why } => {
                let down = self.down.entry(address).or_insert_with(|| Down {
                    name,
                    why: String::new(),
                    since: now,
                    told: false,
                });
                down.why = why;
            }
            // Of one that the owner was told of, it is told when it is back.
            Happening::ServerUnneeded { address } => {
                self.down.retain(|other, down| *other != address || down.told);
            }
            Happening::ServerBack { address } => {
                if let Some(down) = self.down.remove(&address).filter(|down| down.told) {
                    let what = format!("{} is back after {}", down.name, span(now - down.since));
                    self.tell(&Line { about: About::ServerDown, what, which: String::new() }, now);
                }
            }
            Happening::Forged => self.forged(now),
        }
    }

    fn forged(&mut self, now: Instant) {
        self.forged_untold += 1;
        if self.forged.len() == FORGED {
            self.forged.pop_front();
        }
        self.forged.push_back(now);
        let many = self.forged.len() == FORGED && now - self.forged[0] <= FORGED_WITHIN;
        if many && self.forged_told.is_none_or(|told| now - told >= FORGED_WITHIN) {
            self.forged_told = Some(now);
            let count = std::mem::take(&mut self.forged_untold);
            let what = format!(
                "{count} deliveries were not signed by the platform, the last {FORGED} of them within {}. Somebody forges them, or Votive's signing token is not the one in the project's settings",
                span(FORGED_WITHIN),
            );
            self.tell(&Line { about: About::Forged, what, which: String::new() }, now);
        }
    }

    /// The oldest vote that waits, if any does.
    pub(super) fn queue_is(&mut self, oldest: Option<Oldest>, now: Instant) {
        let Some(Oldest { what, age, waiting }) = oldest.filter(|oldest| oldest.age >= self.queue_older_than)
        else {
            return;
        };
        if self.queue_told.is_none_or(|told| now - told >= self.queue_older_than) {
            self.queue_told = Some(now);
            let what = format!(
                "A vote has waited for {}: {what}. {waiting} in all wait for more than their players",
                span(age)
            );
            self.tell(&Line { about: About::Queue, what, which: String::new() }, now);
        }
    }

    /// So many happenings came too fast to be heard, and so many votes to be announced.
    pub(super) fn miss(&mut self, happenings: u64, announced: u64, now: Instant) {
        for outbox in &mut self.outboxes {
            match &mut outbox.pending {
                Pending::Owner(gathered) if happenings > 0 => gathered.miss(happenings),
                Pending::Votes(votes) if announced > 0 => votes.miss(announced),
                _ => continue,
            }
            outbox.since.get_or_insert(now);
        }
    }

    fn tell(&mut self, line: &Line, now: Instant) {
        if !self.about.contains(&line.about) {
            return;
        }
        for outbox in &mut self.outboxes {
            if let Pending::Owner(gathered) = &mut outbox.pending {
                gathered.add(line.clone());
                outbox.since.get_or_insert(now);
            }
        }
    }

    /// When something is due by itself, if anything is.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let messages = self.outboxes.iter().filter_map(|outbox| outbox.due_at(self.every));
        let untold = self.down.values().filter(|down| !down.told);
        messages.chain(untold.map(|down| down.since + self.server_down_for)).min()
    }

    /// The messages that are due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(Arc<Target>, Message)> {
        let mut lines = Vec::new();
        for down in self.down.values_mut().filter(|down| !down.told) {
            if now - down.since >= self.server_down_for {
                down.told = true;
                let what = format!(
                    "{} has been down for {}: it {}. Its rewards wait and are issued when it is back",
                    down.name,
                    span(now - down.since),
                    down.why
                );
                lines.push(Line { about: About::ServerDown, what, which: String::new() });
            }
        }
        for line in lines {
            self.tell(&line, now);
        }
        let every = self.every;
        let due = self.outboxes.iter_mut().filter(|outbox| outbox.due_at(every).is_some_and(|at| at <= now));
        due.map(|outbox| outbox.take(now)).collect()
    }

    /// Everything that waits, due or not: there will be no other time.
    pub(super) fn rest(&mut self, now: Instant) -> Vec<(Arc<Target>, Message)> {
        let waiting = self.outboxes.iter_mut().filter(|outbox| !outbox.busy && !outbox.pending.is_empty());
        waiting.map(|outbox| outbox.take(now)).collect()
    }

    /// A message of so many happenings was told, or given up. Gives whether that is otherwise than the last time.
    pub(super) fn ended(&mut self, target: &Arc<Target>, told: bool, tells: u64, now: Instant) -> bool {
        let Some(outbox) = self.outboxes.iter_mut().find(|outbox| Arc::ptr_eq(&outbox.target, target)) else {
            return false;
        };
        outbox.busy = false;
        outbox.told = Some(now);
        if let (false, Pending::Owner(gathered)) = (told, &mut outbox.pending) {
            gathered.give_up(tells);
        }
        let changed = outbox.failing == told;
        outbox.failing = !told;
        changed
    }
}

#[cfg(test)]
pub(super) mod tests;
