//! What is told when, without waiting for it.

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
pub(in crate::report::notify) fn notify() -> Notify {
    Notify {
        discord: vec![hook("one"), hook("two")],
        announce: Some(Announce {
            hooks: vec![hook("votes")],
            text: Template::parse("", &BTreeSet::new()).0,
        }),
        ..Notify::default()
    }
}

/// A configuration with the game server survival, whose id is 1.
pub(in crate::report::notify) fn config(notify: Notify) -> Config {
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
        gamemonitoring: Gamemonitoring { api_url: "http://a".parse().unwrap(), signing_tokens: Vec::new() },
        webhook: Webhook {
            listen: ([127, 0, 0, 1], 1).into(),
            path: String::new(),
            public_url: None,
            acknowledge: Default::default(),
            answer_within: Duration::ZERO,
        },
        metrics: Default::default(),
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
fn a_server_that_nothing_waits_for_is_not_told_unless_it_was_told_before() {
    let mut test = Test::new(notify());
    let unneeded = || Happening::ServerUnneeded { address: "a:1".to_owned() };
    test.hear(Duration::ZERO, down("is away"));
    test.hear(9 * MINUTE, unneeded());
    assert_eq!(test.wakes_at(), None);
    test.hear(11 * MINUTE, down("is away"));
    assert_eq!(test.wakes_at(), Some(21 * MINUTE), "it counts from when it was needed again");
    assert_eq!(test.due(21 * MINUTE), []);
    assert_eq!(test.due(21 * MINUTE + GATHER).len(), 2);
    test.hear(30 * MINUTE, unneeded());
    test.hear(41 * MINUTE, back());
    assert_eq!(test.due(41 * MINUTE + GATHER), both("survival is back after 30 minutes"));
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
    assert_eq!(third[0].1.text, "refused (e-2)\n1 earlier happening could not be told; the log has each.");
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
        told.extend(test.due(minute * MINUTE + GATHER).into_iter().map(|(name, text)| (minute, name, text)));
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
