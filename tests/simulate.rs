//! What `votive simulate` says is what the daemon does.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use jiff::{SignedDuration, Timestamp};
use rig::Rig;
use serde_json::Value;
use tempfile::TempDir;
use votive::sim::platform::{ApiAnswer, vote_body};

/// Every rule and every placeholder but `max_age`, in both scopes.
const EVERY_RULE: &str = r#"
  plain:
    commands:
      - 'give {player} minecraft:diamond 3'
      - run: 'title {player} actionbar "{prefix} {player} {server} {server_id} {vote_id} {user_id} {date} {time} {reward} {{votes}}"'
        require_online: false
        optional: true
      - run: 'title {player} actionbar "{votes} {votes_today} {votes_month} {streak} {votes_to_next} {here}"'
        require_online: false
  everywhere:
    counts: network
    commands:
      - run: 'title {player} actionbar "network {votes} {votes_today} {votes_month} {streak} {votes_to_next}"'
        require_online: false
  lucky:
    chance: 12.5%
    commands: ['give {player} minecraft:emerald 1']
  seldom:
    chance: 1.2345%
    counts: network
    commands: ['xp add {player} 1001 points']
  drawn:
    one_of:
      - weight: 3
        commands: ['give {player} minecraft:bread 1', 'xp add {player} 1 points']
      - 'xp add {player} 1002 points'
      - weight: 5
        commands:
          - run: 'title {player} actionbar "{player} drew nothing"'
            require_online: false
  first:
    first_vote: true
    commands: ['xp add {player} 100 points']
  fifth:
    every_votes: 5
    commands: ['xp add {player} {votes} points']
  sixth:
    every_votes: 6
    chance: 50%
    counts: network
    commands: ['xp add {player} 6 points']
  round:
    milestones:
      10: ['xp add {player} 1003 points']
      50: ['give {player} minecraft:gold_ingot {votes_to_next}', {run: 'title {player} actionbar "{player} has 50"', require_online: false}]
      500: ['xp add {player} 1004 points']
  rounds:
    milestones: [20, 60, 100]
    commands: ['xp add {player} {votes_to_next} points']
  streak:
    streak_days: 3
    commands: ['give {player} minecraft:cookie {streak}']
  streaks:
    every_streak_days: 2
    counts: network
    commands: ['give {player} minecraft:emerald {streak}']
  weekend:
    days: [saturday, sunday]
    commands: ['xp add {player} 1005 points']
  monday:
    days: monday
    between: 22:00-06:00
    commands: ['xp add {player} 1006 points']
  evening:
    between: 18:00-22:00
    commands: ['xp add {player} 1007 points']
  season:
    from: FROM
    until: UNTIL
    commands: ['xp add {player} 1008 points']
  daily:
    limit: 2/day
    commands: ['xp add {player} 1009 points']
  weekly:
    limit: 3/week
    counts: network
    commands: ['xp add {player} 1010 points']
  monthly:
    limit: 5/month
    chance: 80%
    commands: ['xp add {player} 1011 points']
  few:
    limit: 7/total
    days: [tuesday, friday]
    commands: ['xp add {player} 1012 points']
  mine:
    players: [Alex, STEVE]
    commands: ['xp add {player} 2 levels']
  others:
    except_players: [steve]
    commands: ['xp add {player} 3 levels']
"#;

const SERVER: &str = "    pace: 1000/s\n    values: {here: 'on {survival}'}\n";

/// How many votes are compared: `VOTES=10000 cargo test --locked --test simulate` takes some minutes.
fn votes() -> u32 {
    std::env::var("VOTES").map_or(300, |votes| votes.parse().unwrap())
}

/// Everything but the season is the same in all of them. The ledger is in memory where that can be: this is not about
/// what a disk keeps, and a slow one would take most of the time.
fn configure(rig: &Rig, grace: &str, season: [&str; 2], more: &str) -> TempDir {
    let top = format!(
        "calendar: {{time_zone: Europe/Moscow, grace: {grace}}}\nvalues: {{prefix: '[Votes]', here: everywhere}}\n"
    );
    let rewards = EVERY_RULE.replace("FROM", season[0]).replace("UNTIL", season[1]);
    rig.configure(&top, SERVER, &format!("{rewards}{more}"));
    let ledger = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let yaml = fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let state_dir = format!("state_dir: {}\n", ledger.path().display());
    fs::write(rig.path("rewards.yaml"), yaml.replace("state_dir: state\n", &state_dir)).unwrap();
    ledger
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn simulated(rig: &Rig, args: &[&str]) -> Vec<Value> {
    let always = ["simulate", "--player", "Steve", "--server", "survival", "--format", "json"];
    lines(&rig.votive(&[&always[..], args].concat()).await)
}

/// Delivers the events of the simulation to a daemon, one after the other, with the same times, and compares all that
/// it sends.
async fn agree(rig: &mut Rig, votes: &[Value]) {
    rig.start().await;
    let mut expected = Vec::new();
    for vote in votes {
        let id = vote["event_id"].as_str().unwrap();
        let mut body = vote_body(id, "Steve", 1);
        body["response"]["created_at"] = vote["created_at"].clone();
        body["response"]["user"] = Value::Null;
        rig.platform.answer(id, ApiAnswer::json(&body));
        let answered = rig.deliver(&rig.platform.delivery("server.vote", id)).await;
        assert_eq!(answered.status, Some(204), "{id}: {}", answered.body);
        let commands = vote["rewards"].as_array().unwrap().iter();
        let commands = commands.flat_map(|reward| reward["commands"].as_array().unwrap());
        // What needs nobody online goes first.
        let (at_once, online): (Vec<&Value>, Vec<&Value>) =
            commands.partition(|command| command.as_str().unwrap().starts_with("title "));
        expected.extend(at_once.into_iter().chain(online).map(|command| command.as_str().unwrap()));
    }
    let record = rig.game.record();
    let sent = record.console.iter().map(|executed| executed.command.as_str());
    let sent: Vec<&str> = sent.filter(|command| !matches!(*command, "list" | "minecraft:list")).collect();
    for (number, (sent, expected)) in sent.iter().zip(&expected).enumerate() {
        assert_eq!(sent, expected, "command {number}");
    }
    assert_eq!(sent.len(), expected.len());
    println!("{} votes, {} commands", votes.len(), sent.len());
    rig.stop().await;
}

/// Which rewards came, and which did not.
fn verdicts(votes: &[Value]) -> BTreeSet<(String, bool)> {
    let rewards = votes.iter().flat_map(|vote| vote["rewards"].as_array().unwrap());
    let verdict =
        |reward: &Value| (reward["name"].as_str().unwrap().to_owned(), reward["applies"].as_bool().unwrap());
    rewards.map(verdict).collect()
}

#[tokio::test]
async fn the_daemon_sends_what_was_simulated_command_by_command() {
    // Streaks that break, and years of dates.
    let mut rig = Rig::new().await;
    let _ledger = configure(&rig, "0d", ["1990-01-20", "1990-03-01T12:30"], "");
    let half = (votes() / 2).to_string();
    let apart = simulated(&rig, &["--votes", &half, "--at", "1990-01-01T00:30", "--every", "31h"]).await;
    agree(&mut rig, &apart).await;

    // Many votes a day, on top of those that were imported, and not too old when they are delivered.
    let mut rig = Rig::new().await;
    let begin = Timestamp::now() - SignedDuration::from_hours(360 * 24);
    let zone = jiff::tz::TimeZone::get("Europe/Moscow").unwrap();
    let begin = zone.to_datetime(begin).date();
    let season =
        [3, 9].map(|days| begin.checked_add(SignedDuration::from_hours(days * 24)).unwrap().to_string());
    let fresh = "  fresh:\n    max_age: 365d\n    commands: ['xp add {player} 1013 points']\n";
    let _ledger = configure(&rig, "1d", [&season[0], &season[1]], fresh);
    let before = begin.yesterday().unwrap();
    fs::write(rig.path("votes.csv"), format!("player,total,streak,last_vote\nsteve,41,2,{before}\n"))
        .unwrap();
    let table = rig.path("votes.csv");
    assert!(rig.votive(&["import", table.to_str().unwrap(), "--apply"]).await.status.success());
    let at = format!("{begin}T00:15");
    let args = ["--votes", &half, "--at", &at, "--every", "90m", "--total", "41", "--streak", "2"];
    let dense = simulated(&rig, &args).await;
    agree(&mut rig, &dense).await;

    let seen: BTreeSet<_> = verdicts(&apart).union(&verdicts(&dense)).cloned().collect();
    let always = ["plain", "everywhere", "drawn", "mine", "fresh"];
    for (name, applies) in &seen {
        let other = seen.contains(&(name.clone(), !applies));
        let constant = always.contains(&name.as_str()) || name == "others";
        assert!(other != constant, "{name} came with all votes, or with none");
    }
    assert_eq!(seen.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 23);
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

#[tokio::test]
async fn a_few_votes_are_shown_with_every_command_and_reason() {
    let rig = Rig::new().await;
    rig.configure(
        "",
        "",
        "  daily:\n    commands: ['give {player} minecraft:diamond 3', {run: 'say hi', require_online: false}]\n  second:\n    every_votes: 2\n    commands: ['xp add {player} {votes} points']\n",
    );
    let args = ["simulate", "--player", "Steve", "--server", "survival", "--votes", "2"];
    let output = rig.votive(&[&args[..], &["--at", "2026-12-24T19:00"]].concat()).await;
    assert_eq!(
        std::str::from_utf8(&output.stdout).unwrap(),
        "vote 1 of Steve, made at 2026-12-24 19:00, as event simulate-1
  for this server it is vote 1, on day 1 of a streak
  daily: yes, every vote for this server earns it
    at once      say hi
    when online  give Steve minecraft:diamond 3
  second: no, it is vote 1 of the player; vote 2 earns it
vote 2 of Steve, made at 2026-12-25 07:00, as event simulate-2
  for this server it is vote 2, on day 2 of a streak
  daily: yes, every vote for this server earns it
    at once      say hi
    when online  give Steve minecraft:diamond 3
  second: yes, it is vote 2 of the player, and every 2 votes earn it
    when online  xp add Steve 2 points
"
    );
    assert!(!rig.path("state").exists(), "a simulation has no ledger");
}

#[tokio::test]
async fn of_many_votes_the_sums_are_shown() {
    let rig = Rig::new().await;
    rig.configure(
        "",
        "",
        "  daily:\n    commands: ['give {player} a 1', 'give {player} b 1']\n  tenth:\n    every_votes: 10\n    commands: ['xp add {player} 1 points']\n  far:\n    milestones: [5000]\n    commands: ['xp add {player} 1 points']\n",
    );
    let args = ["simulate", "--player", "Steve", "--server", "survival", "--votes", "95"];
    let output = rig.votive(&[&args[..], &["--at", "2026-12-24T19:00", "--every", "1d"]].concat()).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    let begin = "95 votes for survival, from 2026-12-24 19:00 to 2027-03-28 19:00 (UTC)
  daily       95 of them, first with vote 1; 190 commands
  tenth        9 of them, first with vote 10; 9 commands
  far      never; of the last vote: it is vote 95 of the player; the next milestone is vote 5000
";
    assert!(shown.starts_with(begin), "{shown}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_shown_as_refused() {
    let rig = Rig::new().await;
    let long = "x".repeat(1300);
    rig.configure(
        "",
        "    receipts: always\n",
        &format!("  daily:\n    commands: ['tellraw {{player}} \"{long}\"']\n"),
    );
    let vote = &simulated(&rig, &[]).await[0];
    let reward = &vote["rewards"][0];
    assert_eq!((&reward["applies"], &reward["commands"]), (&true.into(), &Value::Array(Vec::new())));
    assert!(reward["refused"].as_str().unwrap().contains("too long to leave a receipt"), "{reward}");
    let output = rig.votive(&["simulate", "--player", "Steve", "--server", "survival"]).await;
    assert!(text(&output).contains("    REFUSED: The reward daily cannot be sent"), "{}", text(&output));
}

#[tokio::test]
async fn it_needs_no_secrets_and_says_what_it_was_given_wrongly() {
    let rig = Rig::new().await;
    fs::remove_dir_all(rig.path("secrets")).unwrap();
    let simulate = async |args: &[&str]| {
        let output = rig.votive(&[&["simulate"], args].concat()).await;
        (output.status.code().unwrap(), text(&output))
    };
    let good = ["--player", "Steve", "--server", "survival"];
    assert_eq!(simulate(&good).await.0, 0);
    for (args, said) in [
        (["--player", "Steve", "--server", "creative"], "no server \"creative\"; it has: survival"),
        (
            ["--player", "St eve", "--server", "survival"],
            "the nickname has characters that no Minecraft name has",
        ),
    ] {
        let (code, told) = simulate(&args).await;
        assert!(code == 1 && told.contains(said), "{code}: {told}");
    }
    for (option, value, said) in [
        ("--every", "12", "write a whole number with s, m, h or d"),
        ("--every", "1500ms", "write a whole number with s, m, h or d"),
        ("--votes", "0", "0 is not in"),
        ("--at", "tomorrow", "--at"),
    ] {
        let (code, told) = simulate(&[&good[..], &[option, value]].concat()).await;
        assert!(code == 2 && told.contains(said), "{code}: {told}");
    }
    for (more, said) in [
        (["--every", "365d", "--votes", "9999"], "after the year 9999"),
        (["--streak", "4000000000", "--total", "1"], "no calendar goes back that far"),
    ] {
        let (code, told) = simulate(&[&good[..], &more].concat()).await;
        assert!(code == 1 && told.contains(said), "{code}: {told}");
    }
    rig.configure("", "", "  daily:\n    comands: []\n");
    let (code, told) = simulate(&good).await;
    assert!(code == 78 && told.contains("did you mean `commands`?"), "{code}: {told}");
}
