//! The log: every line is what its format promises, names its event, and stays readable whatever strangers send.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use rig::{Daemon, Rig, VOTIVE};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The daemon with `--log json`.
fn in_json() -> Command {
    through_sh("exec \"$0\" \"$@\" --log json")
}

/// The daemon by a script that ends in running it.
fn through_sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, VOTIVE]);
    command
}

/// Every line of a log as an object, with what each line of the log has.
fn objects(log: &str) -> Vec<Value> {
    let read = |line| -> Value {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why} in {line}"));
        for key in ["timestamp", "level", "message"] {
            assert!(object[key].is_string(), "no {key} in {line}");
        }
        assert_eq!(line.matches("\"event\":").count(), usize::from(!object["span"].is_null()), "{line}");
        object
    };
    log.lines().map(read).collect()
}

/// The messages of those about one event, in their order.
fn about<'o>(objects: &'o [Value], event: &str) -> Vec<&'o str> {
    let of = |object: &&Value| object["span"]["event"] == event;
    objects.iter().filter(of).map(|object| object["message"].as_str().unwrap()).collect()
}

/// Whether these come in this order, perhaps with others between them.
fn in_order(messages: &[&str], expected: &[&str]) -> bool {
    let mut messages = messages.iter();
    expected.iter().all(|expected| messages.any(|message| message == expected))
}

const STEPS: [&str; 7] = [
    "a delivery has arrived, and its signature is good",
    "asked the API",
    "vote",
    "recorded",
    "the command ran",
    "recorded",
    "granted",
];

#[tokio::test]
async fn a_vote_can_be_followed_by_its_id_from_its_arrival_to_its_last_commit_in_text() {
    let mut rig = Rig::new().await;
    rig.start_as(through_sh("RUST_LOG=votive=trace exec \"$0\" \"$@\"")).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let (_, log) = rig.stop().await;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("event=e-1")).collect();
    let place = |text: &str| {
        let found = lines.iter().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no line about e-1 says {text}:\n{log}"))
    };
    assert!(lines.iter().all(|line| line.matches("e-1").count() == 1), "{lines:#?}");
    let places =
        ["has arrived", "asked the API", "vote player=Steve", "the command ran", "granted player=Steve"];
    let places = places.map(place);
    assert!(place("asked the game") < place("granted"), "{lines:#?}");
    assert!(places.is_sorted(), "{lines:#?}");
    assert!(lines[..place("granted")].last().unwrap().contains("recorded revision="), "{lines:#?}");
    assert!(lines.last().unwrap().contains("delivery answered status=204"), "{lines:#?}");
}

#[tokio::test]
async fn every_line_is_an_object_that_names_the_right_event_however_many_votes_there_are_at_once() {
    const VOTES: usize = 40;
    let mut rig = Rig::new().await;
    // No announcement: a game says nothing to one, which takes its time.
    let gift = "\n  gift:\n    commands: ['give {player} minecraft:diamond 1']\n";
    rig.configure("webhook:\n  answer_within: 30s", "    pace: 1000/s", gift);
    rig.start_as(in_json()).await;
    let mut deliveries = JoinSet::new();
    for number in 0..VOTES {
        let player = format!("P{number}");
        rig.game.join(&player);
        deliveries.spawn(rig.delivering(&rig.vote(&format!("e-{number}"), &player)));
    }
    while let Some(answered) = deliveries.join_next().await {
        assert_eq!(answered.unwrap().status, Some(204));
    }
    let (_, log) = rig.stop().await;
    let objects = objects(&log);
    for number in 0..VOTES {
        let messages = about(&objects, &format!("e-{number}"));
        assert!(in_order(&messages, &STEPS), "{messages:#?}");
    }
    let mut named = 0;
    for object in &objects {
        if let Some(player) = object["player"].as_str() {
            assert_eq!(object["span"]["event"], player.replace('P', "e-"), "{object}");
            named += 1;
        }
    }
    assert!(named >= 3 * VOTES, "only {named} lines name a player");
}

#[tokio::test]
async fn every_line_is_an_object_also_where_all_kinds_of_things_are_wrong() {
    let mut rig = Rig::new().await;
    // An inline token is warned about.
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let odd = yaml.replace("signing_token_file: token", "signing_token: signing-token-of-the-tests");
    std::fs::write(rig.path("rewards.yaml"), &odd).unwrap();
    rig.start_as(in_json()).await;
    for (number, nickname) in ["@a\"}\n{", "\u{1b}[31m\u{202e}", "Стив", "x\\\"", ""].iter().enumerate() {
        assert_eq!(rig.deliver_vote(&format!("odd-{number}"), nickname).await, 422);
    }
    let forged = rig.vote("e-9", "Steve").with_signature(json!("no\n\"such\" signature"));
    assert_eq!(rig.deliver(&forged).await.status, Some(401));
    std::fs::write(rig.path("rewards.yaml"), odd.replace("    id: 1", "    id: 1\n    colour: \"r\u{e9}d\""))
        .unwrap();
    rig.daemon().signal("HUP");
    rig.daemon().log_line("nothing has changed").await;
    std::fs::write(rig.path("rewards.yaml"), &odd).unwrap();
    rig.daemon().signal("HUP");
    rig.daemon().log_line("reloaded ").await;
    let (_, log) = rig.stop().await;
    let objects = objects(&log);
    let said = |level: &str, text: &str| {
        objects
            .iter()
            .filter(|object| object["level"] == level && object["message"].as_str().unwrap().contains(text))
            .count()
    };
    assert_eq!(said("WARN", "gamemonitoring.signing_token: "), 3, "at the start and at both reloads:\n{log}");
    assert_eq!(said("ERROR", "colour"), 1, "{log}");
    assert_eq!(said("ERROR", "1 error: nothing has changed"), 1, "{log}");
    assert_eq!(said("INFO", "reloaded "), 1, "{log}");
    assert_eq!(said("WARN", "a delivery was refused: "), 1, "{log}");
    assert_eq!(said("WARN", "refused: "), 6, "{log}");
}

#[tokio::test]
async fn a_start_that_fails_says_so_in_the_log_as_well() {
    let rig = Rig::running().await;
    let second = Daemon::spawn(in_json(), &rig.path("rewards.yaml"));
    let (status, log) = second.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    let last = objects(&log).pop().unwrap();
    assert_eq!(last["level"], "ERROR", "{log}");
    assert!(last["message"].as_str().unwrap().contains("another Votive"), "{log}");

    std::fs::write(rig.path("rewards.yaml"), "servers: 7\n").unwrap();
    let (status, log) = Daemon::spawn(in_json(), &rig.path("rewards.yaml")).ended().await;
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(objects(&log).iter().filter(|object| object["level"] == "ERROR").count() >= 2, "{log}");

    std::fs::remove_file(rig.path("rewards.yaml")).unwrap();
    let (status, log) = Daemon::spawn(in_json(), &rig.path("rewards.yaml")).ended().await;
    assert_eq!((status.code(), objects(&log).len()), (Some(78), 2), "{log}");
}

#[tokio::test]
async fn ten_thousand_forged_deliveries_fill_a_handful_of_lines() {
    const FORGED: usize = 10_000;
    let mut rig = Rig::new().await;
    rig.start_as(through_sh("RUST_LOG=info exec \"$0\" \"$@\"")).await;
    let forged = rig.vote("e-1", "Steve").with_signature(json!("0".repeat(64)));
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let (platform, url, forged) = (rig.platform.clone(), rig.daemon().url.clone(), forged.clone());
        clients.spawn(async move {
            for _ in 0..FORGED / 20 {
                assert_eq!(platform.deliver(&url, &forged).await.status, Some(401));
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let (_, log) = rig.stop().await;
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("refused")).collect();
    let more = |line: &&&str| line.contains(" more deliver");
    // Each minute that it takes may have five of their own and one about the others.
    assert!(refused.len() < 30, "{} lines:\n{log}", refused.len());
    let own = refused.iter().filter(|line| line.contains("a delivery was refused: The signature")).count();
    let summed: usize = refused
        .iter()
        .filter(more)
        .map(|line| {
            assert!(line.contains("with a wrong signature"), "{line}");
            let before = line.split(" more deliver").next().unwrap();
            before.rsplit(' ').next().unwrap().replace(',', "").parse::<usize>().unwrap()
        })
        .sum();
    assert_eq!(own + summed, FORGED, "{log}");
}

/// A daemon whose stderr is a file, which `JOURNAL_STREAM` names; gives what it has written when it has ended.
async fn into_a_journal(rig: &mut Rig, arguments: &str) -> String {
    let path = rig.path("journal");
    let file = File::create(&path).unwrap();
    let metadata = file.metadata().unwrap();
    let mut command = Command::new(VOTIVE);
    command.args(["run", "--config"]).arg(rig.path("rewards.yaml")).args(arguments.split_whitespace());
    command.env_clear().env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
    command.stderr(Stdio::from(file));
    let output = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
    assert_eq!(output.code(), Some(78));
    std::fs::read_to_string(&path).unwrap()
}

#[tokio::test]
async fn under_journald_every_line_begins_with_its_priority_and_has_no_time_of_its_own() {
    let mut rig = Rig::new().await;
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let odd =
        yaml.replace("signing_token_file: token", "signing_token: signing-token-of-the-tests\n  colour: red");
    std::fs::write(rig.path("rewards.yaml"), odd).unwrap();
    let log = into_a_journal(&mut rig, "").await;
    let with = |priority: &str, text: &str| {
        log.lines().any(|line| line.starts_with(priority) && line.contains(text))
    };
    assert!(with("<6> INFO reading ", "rewards.yaml"), "{log}");
    assert!(with("<4> WARN ", "gamemonitoring.signing_token: "), "{log}");
    assert!(with("<3>ERROR ", "colour"), "{log}");
    assert!(with("<3>    help: ", ""), "{log}");
    assert!(log.lines().all(|line| line.starts_with('<') && line.as_bytes()[2] == b'>'), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");

    let log = into_a_journal(&mut rig, "--log json").await;
    let plain: Vec<&str> =
        log.lines().map(|line| line.strip_prefix(['<']).unwrap().get(2..).unwrap()).collect();
    assert!(objects(&plain.join("\n")).len() >= 3, "{log}");
}

#[tokio::test]
async fn a_variable_that_names_the_stream_of_another_adds_nothing() {
    let mut rig = Rig::new().await;
    rig.start_as(through_sh("JOURNAL_STREAM=1:1 exec \"$0\" \"$@\"")).await;
    let (_, log) = rig.stop().await;
    assert!(!log.is_empty() && log.lines().all(|line| !line.starts_with('<')), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20")), "each has its time:\n{log}");
}
