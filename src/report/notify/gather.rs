//! What is told to whom when: pure, given what happens and the time. A target is told once it has been quiet for a
//! moment, and not more often than its owner wants; what happens meanwhile is gathered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Announcements, Gathered, Line, Message};
use super::{Happening, Target};
use crate::config::{About, Config};
use crate::text::counted;

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
            Happening::ServerBack { address } => {
                if let Some(down) = self.down.remove(&address).filter(|down| down.told) {
                    let what = format!("{} is back after {}", down.name, spoken(now - down.since));
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
                spoken(FORGED_WITHIN),
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
                spoken(age)
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
                    spoken(now - down.since),
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

/// A time as people say it.
fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => counted(seconds, "second"),
        120..7_200 => counted(seconds / 60, "minute"),
        7_200..172_800 => counted(seconds / 3_600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Announce, Gamemonitoring, Hook, Notify, Secret, Webhook};
    use crate::domain::calendar::Calendar;
    use crate::domain::template::Template;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn hook(key: &str) -> Hook {
        Hook { key: key.to_owned(), url: Secret::new(format!("https://a/{key}")) }
    }

    /// Two targets that are told what needs the owner, and one that is told of votes.
    fn notify() -> Notify {
        Notify {
            discord: vec![hook("one"), hook("two")],
            announce: Some(Announce {
                hooks: vec![hook("votes")],
                text: Template::parse("", &BTreeSet::new()).0,
            }),
            ..Notify::default()
        }
    }

    fn config(notify: Notify) -> Config {
        let server = crate::config::GameServer {
            name: "survival".to_owned(),
            ids: vec![1],
            counted_as: crate::domain::vote::ServerRef::Id(1),
            values: BTreeMap::new(),
            rcon: "a:1".to_owned(),
            password: Secret::new(""),
            password_source: String::new(),
            rewards: Vec::new(),
            in_doubt: Default::default(),
            receipts: Default::default(),
            receipts_keep: Duration::ZERO,
            replies: Default::default(),
            pace: 1,
            timeouts: Default::default(),
        };
        Config {
            state_dir: "".into(),
            gamemonitoring: Gamemonitoring {
                api_url: "http://a".parse().unwrap(),
                signing_tokens: Vec::new(),
            },
            webhook: Webhook {
                listen: ([127, 0, 0, 1], 1).into(),
                path: String::new(),
                acknowledge: Default::default(),
                answer_within: Duration::ZERO,
            },
            players: crate::config::Players { bedrock_prefix: None, poll_every: Duration::ZERO },
            calendar: Calendar { time_zone: jiff::tz::TimeZone::UTC, grace: 0 },
            servers: vec![server],
            notify,
        }
    }

    fn refused(which: &str) -> Happening {
        let (what, which) = ("refused".to_owned(), which.to_owned());
        Happening::Told(Line { about: About::Refused, what, which })
    }

    fn down(why: &str) -> Happening {
        Happening::ServerDown { address: "a:1".to_owned(), name: "survival".to_owned(), why: why.to_owned() }
    }

    fn back() -> Happening {
        Happening::ServerBack { address: "a:1".to_owned() }
    }

    /// A gathering and the time of its test.
    struct Test {
        gathering: Gathering,
        begun: Instant,
    }

    impl Test {
        fn new(notify: Notify) -> Test {
            Test { gathering: Gathering::new(&config(notify)), begun: Instant::now() }
        }

        fn hear(&mut self, at: Duration, happening: Happening) {
            self.gathering.hear(happening, self.begun + at);
        }

        /// What is due then, each message delivered at once.
        fn due(&mut self, at: Duration) -> Vec<(String, String)> {
            let now = self.begun + at;
            let due = self.gathering.due(now);
            for (target, message) in &due {
                self.gathering.ended(target, true, message.tells, now);
            }
            due.into_iter().map(|(target, message)| (target.name.clone(), message.text)).collect()
        }

        fn wakes_at(&self) -> Option<Duration> {
            self.gathering.wake_at().map(|at| at - self.begun)
        }
    }

    fn both(text: &str) -> Vec<(String, String)> {
        ["one", "two"].map(|name| (name.to_owned(), text.to_owned())).into()
    }

    #[test]
    fn a_target_is_told_after_a_moment_and_then_at_most_once_a_minute() {
        let mut test = Test::new(notify());
        assert_eq!(test.wakes_at(), None);
        test.hear(SECOND, refused("e-1"));
        test.hear(2 * SECOND, refused("e-2"));
        assert_eq!(test.wakes_at(), Some(3 * SECOND));
        assert_eq!(test.due(2 * SECOND), []);
        assert_eq!(test.due(3 * SECOND), both("refused (2 times; the first: e-1)"));
        assert_eq!(test.wakes_at(), None);
        test.hear(4 * SECOND, refused("e-3"));
        assert_eq!(test.wakes_at(), Some(63 * SECOND));
        test.hear(62 * SECOND, refused("e-4"));
        assert_eq!(test.due(62 * SECOND), []);
        assert_eq!(test.due(63 * SECOND), both("refused (2 times; the first: e-3)"));
        test.hear(200 * SECOND, refused("e-5"));
        assert_eq!(test.wakes_at(), Some(202 * SECOND));
    }

    #[test]
    fn what_comes_while_a_message_is_on_its_way_waits_for_its_end_and_who_was_told_is_not_held_up() {
        let mut test = Test::new(notify());
        let at = |seconds: u64| test.begun + Duration::from_secs(seconds);
        let (two, ten, hundred) = (at(2), at(10), at(100));
        test.hear(Duration::ZERO, refused("e-1"));
        let due = test.gathering.due(two);
        assert_eq!(due.len(), 2);
        assert!(!test.gathering.ended(&due[1].0, true, 1, two), "nothing has changed");
        test.hear(10 * SECOND, refused("e-2"));
        assert_eq!(test.wakes_at(), Some(62 * SECOND));
        let second = test.gathering.due(hundred);
        assert_eq!(second.iter().map(|(target, _)| target.name.as_str()).collect::<Vec<_>>(), ["two"]);
        assert!(test.gathering.ended(&due[0].0, false, due[0].1.tells, hundred), "it fails now");
        assert!(!test.gathering.ended(&due[0].0, false, 0, hundred), "and still");
        assert_eq!(test.wakes_at(), Some(160 * SECOND));
        let third = test.gathering.due(hundred + MINUTE);
        assert_eq!(
            third[0].1.text,
            "refused (e-2)\n1 earlier happening could not be told; the log has each."
        );
        assert!(test.gathering.ended(&third[0].0, true, 1, ten), "it is told again");
    }

    #[test]
    fn a_server_is_told_once_it_has_been_down_for_long_and_only_then_that_it_is_back() {
        let mut test = Test::new(notify());
        test.hear(Duration::ZERO, down("is away"));
        test.hear(SECOND, down("refuses the password"));
        test.hear(9 * MINUTE, back());
        assert_eq!(test.wakes_at(), None);
        test.hear(10 * MINUTE, down("is away"));
        test.hear(15 * MINUTE, down("refuses the password"));
        assert_eq!(test.wakes_at(), Some(20 * MINUTE));
        assert_eq!(test.due(20 * MINUTE - SECOND), []);
        assert_eq!(test.due(20 * MINUTE), []);
        assert_eq!(
            test.due(20 * MINUTE + GATHER),
            both(
                "survival has been down for 10 minutes: it refuses the password. Its rewards wait and are issued when it is back"
            )
        );
        test.hear(40 * MINUTE, down("is away again"));
        assert_eq!(test.wakes_at(), None, "it is told once");
        test.hear(75 * MINUTE, back());
        assert_eq!(test.due(80 * MINUTE), both("survival is back after 65 minutes"));
        test.hear(81 * MINUTE, back());
        assert_eq!(test.wakes_at(), None);
    }

    #[test]
    fn a_server_that_is_gone_from_the_file_is_forgotten() {
        let mut test = Test::new(notify());
        test.hear(Duration::ZERO, down("is away"));
        let mut without = config(notify());
        without.servers.clear();
        test.gathering.reconfigure(&without);
        assert_eq!(test.wakes_at(), None);
        test.hear(SECOND, down("is away"));
        let mut renamed = config(notify());
        renamed.servers[0].name = "creative".to_owned();
        test.gathering.reconfigure(&renamed);
        assert_eq!(test.due(11 * MINUTE), []);
        assert!(test.due(12 * MINUTE)[0].1.starts_with("creative has been down for"));
    }

    #[test]
    fn forged_deliveries_are_told_when_they_are_many_within_a_while() {
        let mut test = Test::new(notify());
        for minute in 0..60 {
            test.hear(minute * MINUTE, Happening::Forged);
        }
        assert_eq!(test.wakes_at(), None, "they were few at a time");
        for number in 0..1019 {
            test.hear(80 * MINUTE + number * Duration::from_millis(1), Happening::Forged);
        }
        let told = test.due(81 * MINUTE);
        assert!(
            told[0].1.starts_with(
                "80 deliveries were not signed by the platform, the last 20 of them within 10 minutes."
            ),
            "{told:?}"
        );
        assert_eq!(test.wakes_at(), None);
        test.hear(91 * MINUTE, Happening::Forged);
        assert_eq!(test.wakes_at(), None, "one more is not many");
        for _ in 0..19 {
            test.hear(92 * MINUTE, Happening::Forged);
        }
        let told = test.due(93 * MINUTE);
        assert!(told[0].1.starts_with("1019 deliveries"), "{told:?}");
    }

    #[test]
    fn a_queue_is_told_when_it_is_old_and_again_after_as_long() {
        let mut test = Test::new(notify());
        let oldest = |minutes: u32| {
            Some(Oldest { what: "e-1 waits for survival".to_owned(), age: minutes * MINUTE, waiting: 3 })
        };
        let mut told = Vec::new();
        for minute in 0..200 {
            let at = test.begun + minute * MINUTE;
            test.gathering.queue_is(oldest(minute), at);
            told.extend(
                test.due(minute * MINUTE + GATHER).into_iter().map(|(name, text)| (minute, name, text)),
            );
        }
        let minutes: Vec<u32> = told.iter().map(|(minute, ..)| *minute).collect();
        assert_eq!(minutes, [60, 60, 120, 120, 180, 180]);
        assert_eq!(
            told[0].2,
            "A vote has waited for 60 minutes: e-1 waits for survival. 3 in all wait for more than their players"
        );
    }

    #[test]
    fn only_what_the_owner_wants_to_hear_is_told_and_only_to_whom_it_concerns() {
        let mut test = Test::new(Notify { about: [About::Queue].into(), ..notify() });
        assert!(test.gathering.tells_of(About::Queue) && !test.gathering.tells_of(About::Refused));
        test.hear(Duration::ZERO, refused("e-1"));
        assert_eq!(test.wakes_at(), None);
        let voted =
            |text: &str| Happening::Voted { text: text.to_owned(), planned_at: jiff::Timestamp::UNIX_EPOCH };
        test.hear(Duration::ZERO, voted("Steve voted"));
        test.hear(SECOND, voted("Alex voted"));
        let votes = |text: &str| vec![("votes".to_owned(), text.to_owned())];
        assert_eq!(test.due(2 * SECOND), votes("Steve voted\nAlex voted"));
        test.hear(3 * SECOND, voted("Max voted"));
        assert_eq!(test.wakes_at(), Some(12 * SECOND));
        test.gathering.miss(0, 4, test.begun + 4 * SECOND);
        assert_eq!(test.due(12 * SECOND), votes("Max voted\n… and 4 more votes."));
        let none = Test::new(Notify::default());
        assert!(!none.gathering.tells_of(About::Queue), "there is nobody to tell");
    }

    #[test]
    fn another_configuration_keeps_what_waits_for_those_who_are_still_in_it() {
        let mut test = Test::new(notify());
        test.hear(Duration::ZERO, refused("e-1"));
        let before: Vec<Arc<Target>> =
            test.gathering.outboxes.iter().map(|outbox| Arc::clone(&outbox.target)).collect();
        let other = Notify { discord: vec![hook("three"), hook("two")], announce: None, ..notify() };
        test.gathering.reconfigure(&config(other));
        assert_eq!(
            before.iter().map(|target| test.gathering.has(target)).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert!(!test.gathering.ended(&before[0], false, 1, test.begun), "it concerns nobody");
        assert_eq!(test.due(2 * SECOND), vec![("two".to_owned(), "refused (e-1)".to_owned())]);
    }

    #[test]
    fn what_is_left_is_said_at_once_but_not_to_those_who_are_being_told() {
        let mut test = Test::new(notify());
        test.hear(Duration::ZERO, refused("e-1"));
        let due = test.gathering.due(test.begun + GATHER);
        test.gathering.ended(&due[0].0, true, 1, test.begun + GATHER);
        test.hear(3 * SECOND, refused("e-2"));
        let rest = test.gathering.rest(test.begun + 3 * SECOND);
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].0.name.as_str(), rest[0].1.text.as_str()), ("one", "refused (e-2)"));
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(
            [1, 119, 120, 7_199, 7_200, 172_800].map(said),
            ["1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "2 days"]
        );
    }
}
