//! Tells the owner what needs a person, and a channel who has voted. Never in the way of a reward: whoever reports puts
//! a happening into a bounded queue and goes on.
//!
//! [`gather`] decides what is told to whom when, [`message`] and [`words`] say it, [`send`] does it.

mod gather;
mod message;
mod send;
pub(super) mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Report;
use crate::config::{About, Config, Live, Notify, Secret};
use crate::dispatch::servers::Servers;
use crate::ledger::{self, Ledger};
use crate::surroundings::Clock;
use gather::{Gathering, Oldest};
use message::Message;
use send::Carrier;
use words::Queue;

pub(super) use message::Line;

/// Happenings that may wait to be heard; of more, only the number is known. Whoever reports lets others take their turn
/// before so many are there, except at a start.
const QUEUE: usize = 1024;
/// How often the ledger is asked for the oldest open grant.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// How long the last messages may take at a shutdown.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A vote that was planned longer ago is not announced: it is one that was tried again.
const NEWS: Duration = Duration::from_secs(60);
/// What `votive test-notify` has told.
const TEST: &str = "This is a test of Votive. Somebody has run: votive test-notify";

/// Something that an owner or a channel is told.
#[derive(Debug)]
pub(super) enum Happening {
    /// As it stands.
    Told(Line),
    /// A vote that is to be announced.
    Voted {
        /// In the owner's words.
        text: String,
        /// When the vote was planned first.
        planned_at: Timestamp,
    },
    /// A game server cannot be used.
    ServerDown {
        /// Which one.
        address: String,
        /// Its name.
        name: String,
        /// The rest of a sentence about it.
        why: String,
    },
    /// It is down, and nothing waits for it any more.
    ServerUnneeded {
        /// Which one.
        address: String,
    },
    /// It can be used again.
    ServerBack {
        /// Which one.
        address: String,
    },
    /// A delivery was not signed.
    Forged,
}

/// Somebody who is told.
#[derive(Debug, PartialEq)]
struct Target {
    /// What stands for it in the log: the path of its key.
    name: String,
    way: Way,
    /// Whether it is told of votes, instead of what needs the owner.
    announces: bool,
}

#[derive(Debug, PartialEq)]
enum Way {
    Webhook(Secret),
    Command(Vec<String>),
}

impl Target {
    /// Everybody whom a configuration names.
    fn all(notify: &Notify) -> impl Iterator<Item = Target> {
        let hooks = notify.discord.iter().map(|hook| (hook, false));
        let announced = notify.announce.iter().flat_map(|announce| &announce.hooks).map(|hook| (hook, true));
        let command = notify.command.iter().map(|words| Target {
            name: "notify.command".to_owned(),
            way: Way::Command(words.clone()),
            announces: false,
        });
        let hooks = hooks.chain(announced).map(|(hook, announces)| Target {
            name: hook.key.clone(),
            way: Way::Webhook(hook.url.clone()),
            announces,
        });
        hooks.chain(command)
    }
}

/// Whom a [`Report`] tells. Clones share one queue.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    queue: mpsc::Sender<Happening>,
    missed: Arc<Missed>,
    turn: Arc<Mutex<()>>,
}

/// What found no place in the queue.
#[derive(Debug, Default)]
struct Missed {
    happenings: AtomicU64,
    votes: AtomicU64,
}

/// The other end: to be run.
#[derive(Debug)]
pub(crate) struct Notifications {
    queue: mpsc::Receiver<Happening>,
    missed: Arc<Missed>,
    turn: Arc<Mutex<()>>,
}

/// A notifier, and what does the telling.
pub(crate) fn notifier() -> (Notifier, Notifications) {
    let (sender, queue) = mpsc::channel(QUEUE);
    let (missed, turn) = (Arc::<Missed>::default(), Arc::<Mutex<()>>::default());
    let notifier = Notifier { queue: sender, missed: Arc::clone(&missed), turn: Arc::clone(&turn) };
    (notifier, Notifications { queue, missed, turn })
}

impl Notifier {
    /// Hands a happening on. Never waits.
    pub(super) fn hear(&self, happening: Happening) {
        if let Err(mpsc::error::TrySendError::Full(happening)) = self.queue.try_send(happening) {
            let missed = match happening {
                Happening::Voted { .. } => &self.missed.votes,
                _ => &self.missed.happenings,
            };
            missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells everybody a test, once and at once. Gives what became of it for each.
    pub(super) async fn test(&self, notify: &Notify) -> Vec<(String, Result<(), String>)> {
        let targets: Vec<Target> = Target::all(notify).collect();
        let carrier = Carrier::new(&targets, Arc::clone(&self.turn));
        let message =
            Message { about: Vec::new(), text: TEST.to_owned(), markdown: message::escaped(TEST), tells: 0 };
        let mut told = JoinSet::new();
        for (place, target) in targets.into_iter().enumerate() {
            let (carrier, message) = (carrier.clone(), message.clone());
            told.spawn(async move {
                let told = carrier.tell(&target, &message).await.map_err(|failure| failure.why);
                (place, target.name, told)
            });
        }
        let mut told = told.join_all().await;
        told.sort_by_key(|(place, ..)| *place);
        told.into_iter().map(|(_, name, told)| (name, told)).collect()
    }
}

/// A message on its way: to whom, how many happenings it tells, and what became of it.
type Sent = (Arc<Target>, u64, Result<(), String>);

/// What a running notifier works with.
struct Running {
    gathering: Gathering,
    carrier: Carrier,
    sends: JoinSet<Sent>,
    /// To end what is on its way to a target that is none any more.
    under_way: Vec<(Arc<Target>, AbortHandle)>,
    report: Report,
}

impl Notifications {
    /// Tells what it hears, until `ended`; then says what is left, within 2 s.
    pub(crate) async fn run(
        mut self,
        mut config: Live,
        ledger: Ledger,
        servers: Servers,
        clock: Clock,
        report: Report,
        ended: CancellationToken,
    ) {
        let mut now = config.now();
        let mut running = Running {
            gathering: Gathering::new(&now),
            carrier: self.carrier(&now),
            sends: JoinSet::new(),
            under_way: Vec::new(),
            report,
        };
        let mut checks: JoinSet<Option<Oldest>> = JoinSet::new();
        let mut ticks = interval(CHECK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            running.send_due();
            let wake = running.gathering.wake_at();
            let asks = checks.is_empty() && running.gathering.tells_of(About::Queue);
            tokio::select! {
                () = ended.cancelled() => break,
                () = config.changed() => {
                    config.take_note();
                    now = config.now();
                    running.reconfigure(&now, self.carrier(&now));
                }
                Some(happening) = self.queue.recv() => self.hear(happening, &mut running.gathering, &clock),
                Some(sent) = running.sends.join_next() => {
                    // One that was ended concerns nobody any more.
                    if let Ok(sent) = sent {
                        running.ended(sent);
                    }
                }
                _ = ticks.tick(), if asks => {
                    checks.spawn(check(ledger.clone(), Arc::clone(&now), servers.clone(), clock.now()));
                }
                Some(oldest) = checks.join_next() => {
                    running.gathering.queue_is(oldest.ok().flatten(), Instant::now());
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
        while let Ok(happening) = self.queue.try_recv() {
            self.hear(happening, &mut running.gathering, &clock);
        }
        drop(timeout(LAST_WORDS, running.last_words()).await);
    }

    fn carrier(&self, config: &Config) -> Carrier {
        let targets: Vec<Target> = Target::all(&config.notify).collect();
        Carrier::new(&targets, Arc::clone(&self.turn))
    }

    fn hear(&self, happening: Happening, gathering: &mut Gathering, clock: &Clock) {
        let now = Instant::now();
        let missed = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        gathering.miss(missed(&self.missed.happenings), missed(&self.missed.votes), now);
        match happening {
            Happening::Voted { planned_at, .. } if !is_news(planned_at, clock.now()) => {}
            happening => gathering.hear(happening, now),
        }
    }
}

fn is_news(planned_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(planned_at).unsigned_abs() <= NEWS
}

/// Asks the ledger for the oldest vote that waits, where that is in nobody's way.
async fn check(ledger: Ledger, config: Arc<Config>, servers: Servers, now: Timestamp) -> Option<Oldest> {
    let read = move || {
        let mut queue = Queue::default();
        ledger.each_open(|record| {
            queue.add(&record.grant, &config, |server| servers.hindrance(server), now);
        })?;
        Ok(queue.oldest())
    };
    // A ledger that fails ends the daemon, and the log says so.
    ledger::reading(read).await.ok()?
}

impl Running {
    fn reconfigure(&mut self, config: &Config, carrier: Carrier) {
        self.gathering.reconfigure(config);
        self.carrier = carrier;
        for (target, send) in &self.under_way {
            if !self.gathering.has(target) {
                send.abort();
            }
        }
        self.under_way.retain(|(target, _)| self.gathering.has(target));
    }

    fn send_due(&mut self) {
        for (target, message) in self.gathering.due(Instant::now()) {
            let (carrier, to) = (self.carrier.clone(), Arc::clone(&target));
            let send = self.sends.spawn(async move {
                let told = send::insist(|| carrier.tell(&to, &message)).await;
                (to, message.tells, told)
            });
            self.under_way.push((target, send));
        }
    }

    fn ended(&mut self, (target, tells, told): Sent) {
        self.under_way.retain(|(other, _)| !Arc::ptr_eq(other, &target));
        let changed = self.gathering.ended(&target, told.is_ok(), tells, Instant::now());
        self.report.notification(&target.name, &told, changed);
    }

    /// One attempt for everything that is left.
    async fn last_words(&mut self) {
        for (target, message) in self.gathering.rest(Instant::now()) {
            let carrier = self.carrier.clone();
            self.sends.spawn(async move {
                let told = carrier.tell(&target, &message).await.map_err(|failure| failure.why);
                (target, message.tells, told)
            });
        }
        while let Some(sent) = self.sends.join_next().await {
            if let Ok(sent) = sent {
                self.ended(sent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: usize) -> Happening {
        let what = format!("refused {number}");
        Happening::Told(Line { about: About::Refused, what, which: String::new() })
    }

    fn voted(planned_at: Timestamp) -> Happening {
        Happening::Voted { text: "Steve voted".to_owned(), planned_at }
    }

    /// Whoever reports never waits, and what has no room is a number.
    #[test]
    fn a_queue_that_nobody_reads_is_bounded_and_what_it_cannot_take_is_counted() {
        let (notifier, mut notifications) = notifier();
        for number in 0..QUEUE + 5 {
            notifier.hear(refused(number));
        }
        for _ in 0..3 {
            notifier.hear(voted(Timestamp::UNIX_EPOCH));
        }
        let mut gathering = Gathering::new(&gather::tests::config(gather::tests::notify()));
        let clock = Clock::new(|| Timestamp::UNIX_EPOCH);
        let mut heard = 0;
        while let Ok(happening) = notifications.queue.try_recv() {
            notifications.hear(happening, &mut gathering, &clock);
            heard += 1;
        }
        assert_eq!(heard, QUEUE);
        let told = gathering.rest(Instant::now());
        let texts: Vec<&str> = told.iter().map(|(_, message)| message.text.as_str()).collect();
        assert!(texts[0].starts_with("refused 0\nrefused 1\n"), "{}", texts[0]);
        assert!(texts[0].contains("\n5 happenings came too fast to be noted here"), "{}", texts[0]);
        assert_eq!(texts[2], "… and 3 more votes.");
    }

    #[test]
    fn a_vote_is_news_for_a_minute_also_where_the_clock_went_back_a_little() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let news = [-61, -60, 0, 60, 61].map(|second| is_news(at(0), at(second)));
        assert_eq!(news, [false, true, true, true, false]);
    }
}
