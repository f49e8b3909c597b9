//! Every rule and every placeholder, from the platform through the real daemon into the game: each event is delivered
//! several times, and the daemon is killed again and again on the way.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rig::Rig;
use tokio::task::JoinSet;
use votive::sim::platform::{ApiAnswer, Delivery, vote_body};

/// When each vote was made, in Moscow; in the order in which they are delivered. The first is a Thursday.
const VOTES: [(&str, &str, u64, &str); 14] = [
    ("v1", "Steve", SURVIVAL, "2020-10-01T12:00"),
    ("v2", "Steve", SURVIVAL, "2020-10-02T23:30"),
    ("v3", "Steve", SURVIVAL, "2020-10-03T00:10"),
    ("v4", "Steve", SURVIVAL, "2020-10-04T18:00"),
    ("a1", "Alex", SURVIVAL, "2020-10-04T12:00"),
    ("v5", "STEVE", SURVIVAL, "2020-10-04T21:59"),
    ("v6", "Steve", SURVIVAL, "2020-10-05T22:00"),
    ("s1", "Steve", SKYBLOCK, "2020-10-05T13:00"),
    ("v7", "Steve", SURVIVAL, "2020-10-06T12:00"),
    ("v8", "Steve", SURVIVAL, "2020-10-07T12:00"),
    ("v9", "Steve", SURVIVAL, "2020-10-09T12:00"),
    ("v10", "Steve", SURVIVAL, "2020-10-10T19:00"),
    ("v11", "Steve", SURVIVAL, "2020-10-11T12:00"),
    ("v12", "Steve", SURVIVAL, "2020-11-01T12:00"),
];
const SURVIVAL: u64 = 1;
const SKYBLOCK: u64 = 2;

/// A reward's name, its rules, and the votes that earn it.
const RULES: [(&str, &str, &str); 22] = [
    ("any", "", "v1 v2 v3 v4 a1 v5 v6 v7 v8 v9 v10 v11 v12"),
    ("first", "first_vote: true", "v1 a1"),
    ("every-4", "every_votes: 4", "v4 v8 v12"),
    ("milestones", "milestones: [3, 10]", "v3 v10"),
    ("streak-3", "streak_days: 3", "v3 v11"),
    ("streak-7", "streak_days: 7", "v8"),
    ("every-streak-3", "every_streak_days: 3", "v3 v7 v11"),
    ("weekend", "days: [saturday, sunday]", "v3 v4 a1 v5 v10 v11 v12"),
    ("evening", "between: 18:00-22:00", "v4 v5 v10"),
    ("night", "between: 23:00-01:00", "v2 v3"),
    ("two-days", "from: 2020-10-04\n    until: 2020-10-05", "v4 a1 v5 v6"),
    ("until-a-minute", "until: 2020-10-04T21:59", "v1 v2 v3 v4 a1"),
    ("daily", "limit: 1/day", "v1 v2 v3 v4 a1 v6 v7 v8 v9 v10 v11 v12"),
    ("weekly", "limit: 2/week", "v1 v2 a1 v6 v7 v12"),
    ("monthly", "limit: 3/month", "v1 v2 v3 a1 v12"),
    ("twice", "limit: 2/total", "v1 v2 a1"),
    ("alex", "players: [ALEX]", "a1"),
    ("not-steve", "except_players: [steve]", "a1"),
    ("young", "max_age: 24h", ""),
    ("chance-30", "chance: 30%", "CHANCE"),
    // All have to hold.
    ("both", "days: sunday\n    every_votes: 4\n    limit: 1/month", "v4 v12"),
    ("network-7", "counts: network\n    every_votes: 7", "s1"),
];

/// What has its own commands: a command of the game, as it runs.
const COMMANDS: [(&str, &str); 4] = [
    (
        "of-milestones",
        "milestones:\n      5:\n        - run: 'scoreboard players add five:{vote_id} marks 1'\n          require_online: false\n      9:\n        - run: 'scoreboard players add nine:{vote_id}:{votes_to_next} marks 1'\n          require_online: false",
    ),
    (
        "box",
        "one_of:\n      - weight: 3\n        commands:\n          - run: 'scoreboard players add common:{vote_id} marks 1'\n            require_online: false\n      - run: 'scoreboard players add rare:{vote_id} marks 1'\n        require_online: false",
    ),
    (
        "all",
        "players: [steve]\n    commands:\n      - run: 'scoreboard players add {player}/{server}/{server_id}/{vote_id}/{user_id}/{votes}/{votes_today}/{votes_month}/{streak}/{votes_to_next}/{date}/{time}/{reward}/{mark}/%player% marks 1'\n        require_online: false",
    ),
    (
        "network",
        "counts: network\n    commands:\n      - run: 'scoreboard players add network:{vote_id}:{votes}:{votes_today}:{streak}:{mark} marks 1'\n        require_online: false",
    ),
];

/// What the rewards of [`COMMANDS`] issue, as far as it is not the same with every vote.
const ISSUED: [&str; 8] = [
    "five:v5",
    "nine:v9:0",
    "STEVE/survival/1/v5/42/5/2/5/4/2/2020-10-04/21:59/all/here/STEVE",
    "Steve/survival/1/v12/42/12/1/1/1/1/2020-11-01/12:00/all/here/Steve",
    "network:v1:1:1:1:here",
    "network:s1:7:2:5:all",
    "network:a1:1:1:1:here",
    "network:v12:13:1:1:here",
];
/// Drawn from these events by another program, with SHA-256.
const CHANCE: &str = "v1 v12";
const COMMON: &str = "v1 v5 v6 v7 v8 v12 a1";
const RARE: &str = "v2 v3 v4 v9 v10 v11";

fn configure(rig: &Rig) {
    let mut rewards = String::new();
    for (name, rules, _) in RULES {
        rewards += &format!(
            "  {name}:\n    {rules}\n    commands:\n      - run: 'scoreboard players add {{reward}}:{{vote_id}} marks 1'\n        require_online: false\n"
        );
    }
    for (name, body) in COMMANDS {
        rewards += &format!("  {name}:\n    {body}\n");
    }
    let skyblock = format!(
        "    pace: 1000/s
    receipts: auto
    values:
      mark: here
  skyblock:
    id: {SKYBLOCK}
    rcon: {}
    password_file: password
    pace: 1000/s
    receipts: auto
    rewards: [network-7, network]",
        rig.game.address()
    );
    rig.configure("calendar:\n  time_zone: Europe/Moscow\nvalues:\n  mark: all", &skyblock, &rewards);
}

fn vote(rig: &Rig, (id, player, server, made): (&str, &str, u64, &str)) -> Delivery {
    let made: DateTime = made.parse().unwrap();
    let made = TimeZone::get("Europe/Moscow").unwrap().to_timestamp(made).unwrap();
    let mut body = vote_body(id, player, server);
    body["response"]["created_at"] = made.as_second().into();
    rig.platform.answer(id, ApiAnswer::json(&body));
    rig.platform.delivery("server.vote", id)
}

/// Delivers until the vote is granted.
async fn grant(rig: &Rig, delivery: &Delivery) {
    for _ in 0..20 {
        match rig.deliver(delivery).await.status.unwrap() {
            204 => return,
            503 | 504 => {}
            other => panic!("{other}"),
        }
    }
    panic!("never granted:\n{}", rig.daemon().log());
}

/// What came of the rewards in the game, each with how often.
fn issued(rig: &Rig) -> BTreeMap<String, usize> {
    let mut issued = BTreeMap::new();
    for effect in rig.game.record().took_effect("scoreboard players add") {
        let mark = effect.trim_start_matches("scoreboard players add ").trim_end_matches(" marks 1");
        *issued.entry(mark.to_owned()).or_default() += 1;
    }
    issued
}

#[tokio::test]
async fn each_rule_counts_each_vote_once_whatever_is_delivered_or_killed() {
    let mut rig = Rig::new().await;
    rig.game.console_command("scoreboard objectives add marks dummy");
    configure(&rig);
    rig.start().await;
    let random = &mut fastrand::Rng::with_seed(1);
    for (number, known) in VOTES.into_iter().enumerate() {
        let delivery = vote(&rig, known);
        let before = rig.game.record().received;
        let mut together: JoinSet<_> = (0..3).map(|_| rig.delivering(&delivery)).collect();
        if number % 2 == 1 {
            // Some earn fewer commands than that.
            let enough = before + random.usize(1..20);
            let all_done = async { while together.join_next().await.is_some() {} };
            tokio::select! {
                _ = rig.until(|record| record.received >= enough) => {}
                () = all_done => {}
            }
            rig.kill().await;
            rig.start().await;
        }
        together.join_all().await;
        grant(&rig, &delivery).await;
    }
    for known in VOTES {
        grant(&rig, &vote(&rig, known)).await;
    }

    let mut expected: BTreeSet<String> = ISSUED.map(str::to_owned).into();
    let of = |name: &str, votes: &str| -> Vec<String> {
        votes.split_whitespace().map(|vote| format!("{name}:{vote}")).collect()
    };
    for (name, _, votes) in RULES {
        expected.extend(of(name, if votes == "CHANCE" { CHANCE } else { votes }));
    }
    expected.extend(of("common", COMMON));
    expected.extend(of("rare", RARE));
    let issued = issued(&rig);
    let twice: Vec<_> = issued.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // Of the rewards that every vote earns, a few are looked at.
    let every_vote = |mark: &&String| mark.starts_with("network:v") || mark.starts_with("Steve/");
    let missing: Vec<_> = expected.iter().filter(|mark| !issued.contains_key(*mark)).collect();
    let wrong: Vec<_> = issued.keys().filter(|mark| !expected.contains(*mark) && !every_vote(mark)).collect();
    assert!(missing.is_empty() && wrong.is_empty(), "missing: {missing:?}, not expected: {wrong:?}");
    assert_eq!(
        issued.keys().filter(every_vote).count() + 1,
        24,
        "one of each for every vote of Steve on survival"
    );
}

/// A vote that is made now earns what old ones do not; and a local test vote counts like any other.
#[tokio::test]
async fn a_young_vote_and_a_test_vote() {
    let mut rig = Rig::new().await;
    rig.game.console_command("scoreboard objectives add marks dummy");
    configure(&rig);
    rig.start().await;
    let old = vote(&rig, ("old", "Alex", SURVIVAL, "2020-10-01T12:00"));
    grant(&rig, &old).await;
    let test = rig.votive(&["test-vote", "--player", "Alex", "--server", "survival"]).await;
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
    let mut body = vote_body("new", "Alex", SURVIVAL);
    body["response"]["created_at"] = jiff::Timestamp::now().as_second().into();
    rig.platform.answer("new", ApiAnswer::json(&body));
    grant(&rig, &rig.platform.delivery("server.vote", "new")).await;
    let issued = issued(&rig);
    assert!(issued.contains_key("young:new") && !issued.contains_key("young:old"));
    assert!(issued.contains_key("milestones:new"), "it is the third vote: {issued:?}");
}

/// Votes of one player that arrive at one moment, on two servers, are all different ones.
#[tokio::test]
async fn votes_of_one_moment_are_not_both_the_tenth() {
    let mut rig = Rig::new().await;
    rig.game.console_command("scoreboard objectives add marks dummy");
    configure(&rig);
    rig.start().await;
    let votes: Vec<Delivery> = (1..=20)
        .map(|n| {
            vote(
                &rig,
                (&format!("m{n}"), "Steve", if n % 2 == 0 { SKYBLOCK } else { SURVIVAL }, "2020-10-01T12:00"),
            )
        })
        .collect();
    votes.iter().map(|vote| rig.delivering(vote)).collect::<JoinSet<_>>().join_all().await;
    for vote in &votes {
        grant(&rig, vote).await;
    }
    let issued = issued(&rig);
    let numbers: BTreeSet<u32> = (issued.keys())
        .filter_map(|mark| mark.strip_prefix("network:")?.split(':').nth(1)?.parse().ok())
        .collect();
    assert_eq!(numbers, (1..=20).collect());
    let count = |prefix: &str| issued.keys().filter(|mark| mark.starts_with(prefix)).count();
    assert_eq!((count("network-7:"), count("every-4:"), count("milestones:"), count("first:")), (2, 2, 2, 1));
    assert!(issued.values().all(|times| *times == 1));
}
