//! What `votive explain` tells, on the real binary: one golden file in `tests/explain` for each story, which an owner has
//! to understand, and the same in JSON.
//!
//! `UPDATE_GOLDEN=1 cargo test --test explain` writes the files anew; read the difference before it is kept.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use regex::Regex;
use rig::{DAILY, Rig, VOTIVE};
use serde_json::{Value, json};
use votive::domain::story::{Explained, Story};
use votive::sim::game::Habit;
use votive::sim::platform::{ApiAnswer, vote_body};

const TWO: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 3'
      - 'give {player} minecraft:emerald 1'
";

/// Asks, in the time zone that the golden files are written in.
async fn ask(rig: &Rig, asked: &str, format: &str) -> Output {
    let mut command = Command::new(VOTIVE);
    command.env_clear().env("TZ", "UTC").args(["explain", asked, "--format", format]);
    command.args(["--config".as_ref(), rig.path("rewards.yaml").as_os_str()]);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A text without what differs from run to run.
fn normal(text: &str) -> String {
    let parts = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<- - - time - - - >"),
        (r"--(since|until) [0-9T:.Z-]+", "--$1 <time>"),
        (r"[0-9]+ seconds? ago", "<span> ago"),
        (r"\b(test|replay)-[0-9a-f]{16}\b", "$1-<id>"),
        (r"\b(root|the user \d+)\b", "<user>"),
        (r"\b(Root|The user \d+)\b", "<User>"),
    ];
    parts.iter().fold(text.to_owned(), |text, (pattern, with)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    })
}

/// What is told about `asked` is what the golden file of this name says; in JSON there is the same, and the newest vote
/// stands as `state` says.
async fn told(rig: &Rig, name: &str, asked: &str, state: &str) -> Explained {
    let (text, json) = (ask(rig, asked, "text").await, ask(rig, asked, "json").await);
    let output = normal(&String::from_utf8(text.stdout).unwrap());
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &output).unwrap();
    } else {
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(expected == output, "other than in {name}.txt:\n{output}\nexpected:\n{expected}");
    }
    let explained: Explained = serde_json::from_slice(&json.stdout).unwrap();
    let code = if explained.stories.is_empty() { 1 } else { 0 };
    assert_eq!([text.status.code(), json.status.code()], [Some(code); 2]);
    let newest = serde_json::to_value(explained.stories.last()).unwrap();
    assert_eq!(newest["state"].as_str().unwrap_or(""), state, "{newest:#}");
    all_is_shown(&output, &explained);
    explained
}

/// What the JSON says stands in the text as well, wherever that breaks its lines.
fn all_is_shown(output: &str, explained: &Explained) {
    let words = |text: &str| normal(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let output = words(output);
    let shown = |text: &str| assert!(output.contains(&words(text)), "not shown: {text}\n{output}");
    explained.notes.iter().for_each(|note| shown(note));
    for story in &explained.stories {
        for text in [&story.event_id, &story.summary] {
            shown(text);
        }
        story.timeline.iter().for_each(|moment| shown(&moment.text));
        story.verdicts.iter().for_each(|verdict| shown(&format!("{} {}", verdict.reward, verdict.reason)));
        for command in &story.commands {
            shown(&format!("{} {} {}", command.number, command.reward, command.command));
            shown(&command.told);
        }
        story.awaited.iter().chain(&story.next).for_each(|text| shown(text));
        assert!(story.timeline.is_sorted_by_key(|moment| moment.time));
        assert!(!story.next.is_empty());
    }
}

fn only(explained: &Explained) -> &Story {
    assert_eq!(explained.stories.len(), 1);
    &explained.stories[0]
}

async fn running(server: &str, rewards: &str) -> Rig {
    let mut rig = Rig::new().await;
    rig.configure("", server, rewards);
    rig.start().await;
    rig
}

/// Delivers it, to be answered so.
async fn delivered(rig: &Rig, id: &str, nickname: &str, status: u16) {
    assert_eq!(rig.deliver_vote(id, nickname).await, status);
}

async fn done(rig: &Rig, args: &[&str]) {
    let output = rig.votive(args).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// A reload with what is in the file instead of something else.
async fn reloaded(rig: &Rig, what: &str, with: &str) {
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    assert!(yaml.contains(what), "{yaml}");
    std::fs::write(rig.path("rewards.yaml"), yaml.replace(what, with)).unwrap();
    done(rig, &["reload"]).await;
}

#[tokio::test]
async fn granted() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Steve", 204).await;
    let explained = told(&rig, "granted", "e-1", "granted").await;
    let replies: Vec<_> = only(&explained).commands.iter().map(|command| command.reply.as_deref()).collect();
    assert_eq!(replies, [None, Some("Gave 3 [Diamond] to Steve")]);
}

#[tokio::test]
async fn a_reply_that_nobody_knows() {
    let rig = Rig::running().await;
    rig.game.once("give", Habit::Says("[Plugin] Hm?".to_owned()));
    delivered(&rig, "e-1", "Steve", 204).await;
    told(&rig, "unknown-reply", "e-1", "granted").await;
}

#[tokio::test]
async fn delivered_twice() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Steve", 204).await;
    delivered(&rig, "e-1", "Steve", 204).await;
    told(&rig, "delivered-twice", "e-1", "granted").await;
}

#[tokio::test]
async fn the_player_is_offline() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Alex", 204).await;
    told(&rig, "offline", "e-1", "waiting").await;
}

#[tokio::test]
async fn the_game_server_is_down() {
    let rig = Rig::running().await;
    rig.game.stop().await;
    delivered(&rig, "e-1", "Steve", 503).await;
    told(&rig, "server-down", "e-1", "waiting").await;
}

#[tokio::test]
async fn the_password_is_wrong() {
    let rig = Rig::running().await;
    rig.game.set_password("another");
    delivered(&rig, "e-1", "Steve", 503).await;
    told(&rig, "wrong-password", "e-1", "waiting").await;
}

#[tokio::test]
async fn the_game_server_is_paused() {
    let rig = Rig::running().await;
    done(&rig, &["pause", "survival"]).await;
    delivered(&rig, "e-1", "Steve", 503).await;
    told(&rig, "paused", "e-1", "waiting").await;
}

#[tokio::test]
async fn a_start_on_hold() {
    let mut rig = Rig::new().await;
    let mut on_hold = Command::new("sh");
    on_hold.args(["-c", "exec \"$0\" \"$@\" --hold", VOTIVE]);
    rig.start_as(on_hold).await;
    delivered(&rig, "e-1", "Steve", 503).await;
    told(&rig, "on-hold", "e-1", "waiting").await;
}

#[tokio::test]
async fn no_server_has_the_id() {
    let rig = Rig::running().await;
    rig.platform.vote("e-1", "Steve", 7);
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-1")).await.status, Some(422));
    told(&rig, "unknown-server", "e-1", "refused").await;
    reloaded(&rig, "id: 1", "id: [1, 7]").await;
    told(&rig, "unknown-server-mended", "e-1", "refused").await;
}

#[tokio::test]
async fn the_server_is_gone_from_the_file() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Alex", 204).await;
    reloaded(&rig, "id: 1", "id: 9").await;
    told(&rig, "server-gone", "e-1", "waiting").await;
    done(&rig, &["cancel", "e-1"]).await;
    assert_eq!(rig.votive(&["retry", "e-1"]).await.status.code(), Some(1));
    told(&rig, "server-gone-retried", "e-1", "refused").await;
}

#[tokio::test]
async fn the_nickname_is_none_of_a_player() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "@a\u{1b}[31m", 422).await;
    let explained = told(&rig, "impossible-nickname", "e-1", "refused").await;
    assert_eq!(only(&explained).player.as_deref(), Some("@a\u{1b}[31m"), "raw for scripts");
    assert!(!String::from_utf8(ask(&rig, "e-1", "text").await.stdout).unwrap().contains('\u{1b}'));
}

#[tokio::test]
async fn the_game_rejects_a_command() {
    let rewards = "
  typo:
    commands:
      - run: 'say hello'
        require_online: false
      - 'give {player} minecraft:diamnd 3'
      - 'give {player} minecraft:emerald 1'
";
    let rig = running("", rewards).await;
    delivered(&rig, "e-1", "Steve", 422).await;
    let explained = told(&rig, "bad-item", "e-1", "refused").await;
    let reply = only(&explained).commands[1].reply.as_deref().unwrap();
    assert!(reply.contains("minecraft:diamnd"), "{reply}");
    reloaded(&rig, "diamnd", "diamond").await;
    done(&rig, &["retry", "e-1"]).await;
    told(&rig, "bad-item-mended", "e-1", "granted").await;
}

/// An API that keeps the next question waiting, so that how often it was asked does not change.
fn hangs(rig: &Rig) {
    rig.platform.set_outage(Some(ApiAnswer::new(200, "").after(Duration::from_secs(3600))));
}

#[tokio::test]
async fn the_api_does_not_know_the_vote_yet_and_then_for_good() {
    let rig = Rig::running().await;
    let delivery = rig.platform.delivery("server.vote", "e-1");
    rig.platform.answer("e-1", ApiAnswer::new(404, ""));
    assert_eq!(rig.deliver(&delivery).await.status, Some(502));
    hangs(&rig);
    told(&rig, "unknown-vote", "e-1", "waiting").await;
}

#[tokio::test]
async fn the_api_does_not_know_the_vote_for_good() {
    let rig = Rig::running().await;
    let delivery = rig.platform.delivery("server.vote", "e-1");
    rig.platform.answer("e-1", ApiAnswer::json(&vote_body("e-9", "Steve", 1)));
    assert_eq!(rig.deliver(&delivery).await.status, Some(422));
    told(&rig, "another-vote", "e-1", "refused").await;
    // What is delivered again has had its time.
    rig.platform.answer("e-1", ApiAnswer::new(404, ""));
    assert_eq!(rig.deliver(&delivery).await.status, Some(422));
    told(&rig, "unknown-vote-for-good", "e-1", "refused").await;
}

#[tokio::test]
async fn the_api_is_down() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Steve", 204).await;
    let headers = vec!["Retry-After: 3600".to_owned()];
    rig.platform.answer("e-2", ApiAnswer { headers, ..ApiAnswer::new(503, "") });
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-2")).await.status, Some(502));
    told(&rig, "api-down", "e-2", "waiting").await;
    told(&rig, "api-down-by-player", "steve", "granted").await;
}

#[tokio::test]
async fn a_forged_delivery() {
    let rig = Rig::running().await;
    for _ in 0..3 {
        assert_eq!(rig.deliver(&rig.vote("e-1", "Steve").forged()).await.status, Some(401));
    }
    told(&rig, "forged", "e-1", "not_accepted").await;
    // Nobody is told another story of a vote by deliveries that are not of it.
    delivered(&rig, "e-1", "Steve", 204).await;
    told(&rig, "forged-beside-the-vote", "e-1", "granted").await;
    told(&rig, "nothing-known", "Nobody", "").await;
}

#[tokio::test]
async fn a_malformed_delivery() {
    let rig = Rig::running().await;
    let malformed = rig.vote("e-1", "Steve").with("is_test", json!("no"));
    assert_eq!(rig.deliver(&malformed).await.status, Some(400));
    told(&rig, "malformed", "e-1", "not_accepted").await;
}

#[tokio::test]
async fn what_is_delivered_and_not_rewarded() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver(&rig.vote("e-1", "Steve").test()).await.status, Some(204));
    told(&rig, "test-delivery", "e-1", "test").await;
    assert_eq!(rig.deliver(&rig.platform.delivery("project.vote", "e-2")).await.status, Some(204));
    told(&rig, "not-rewarded", "e-2", "not_rewarded").await;
    assert_eq!(rig.deliver(&rig.platform.delivery("votive.test", "e-3")).await.status, Some(422));
    told(&rig, "reserved-type", "e-3", "not_accepted").await;
}

#[tokio::test]
async fn rewards_that_a_vote_does_not_earn() {
    let rewards = "
  lucky:
    chance: 1%
    commands:
      - 'give {player} minecraft:netherite_ingot 1'
  tenth:
    every_votes: 10
    commands:
      - 'give {player} minecraft:diamond 10'
";
    let rig = running("", rewards).await;
    delivered(&rig, "e-1", "Steve", 204).await;
    told(&rig, "not-earned", "e-1", "granted").await;
}

#[tokio::test]
async fn the_example_of_the_readme() {
    let rewards = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 3'
      - run: 'say {player} voted for {server}. Thank you!'
        require_online: false
        optional: true
  lucky:
    chance: 5%
    commands:
      - 'give {player} minecraft:netherite_ingot 1'
  tenth:
    every_votes: 10
    commands:
      - 'give {player} minecraft:elytra 1'
";
    let rig = running("", rewards).await;
    rig.game.leave("Steve");
    delivered(&rig, "b1d8e2c4-7f", "Steve", 204).await;
    told(&rig, "readme", "Steve", "waiting").await;
    let (readme, output) = (include_str!("../README.md"), ask(&rig, "Steve", "text").await.stdout);
    let example = readme.split("$ sudo votive explain Steve\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(normal(example), normal(&String::from_utf8(output).unwrap()));
}

#[tokio::test]
async fn a_limit_that_is_reached() {
    let rewards = "
  first:
    limit: 1/day
    commands:
      - 'give {player} minecraft:diamond 3'
  always:
    commands:
      - 'give {player} minecraft:bread 1'
";
    let rig = running("", rewards).await;
    delivered(&rig, "e-1", "Steve", 204).await;
    delivered(&rig, "e-2", "Steve", 204).await;
    told(&rig, "limit-reached", "e-2", "granted").await;
}

#[tokio::test]
async fn in_doubt_and_settled() {
    let rig = running("", TWO).await;
    rig.game.once("give Steve minecraft:emerald", Habit::ClosesAfter(0));
    delivered(&rig, "e-1", "Steve", 503).await;
    let explained = told(&rig, "in-doubt", "e-1", "in_doubt").await;
    // What it says to type works as it stands.
    let next = &only(&explained).next;
    let command = next.iter().find_map(|next| next.strip_prefix("If it ran: votive ")).unwrap();
    done(&rig, &command.split(' ').collect::<Vec<_>>()).await;
    told(&rig, "settled-ran", "e-1", "granted").await;

    rig.game.once("give Steve minecraft:diamond", Habit::ClosesBeforeRun);
    delivered(&rig, "e-2", "Steve", 503).await;
    let explained = told(&rig, "in-doubt-at-the-first", "e-2", "in_doubt").await;
    let next = &only(&explained).next;
    let command =
        next.iter().find_map(|next| next.strip_prefix("If it did not, and should be sent: votive ")).unwrap();
    done(&rig, &command.split(' ').collect::<Vec<_>>()).await;
    rig.until(|record| record.ran("give Steve minecraft:emerald").len() == 2).await;
    delivered(&rig, "e-2", "Steve", 204).await;
    told(&rig, "settled-not-run", "e-2", "granted").await;
}

#[tokio::test]
async fn issued_again_on_a_world_that_was_wiped() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Steve", 204).await;
    done(&rig, &["replay", "--server", "survival", "--since", "1h", "--yes"]).await;
    rig.until(|record| record.ran("give").len() == 2).await;
    let original = told(&rig, "replayed", "e-1", "granted").await;
    let id = Regex::new("replay-[0-9a-f]{16}").unwrap();
    let replay = only(&original).timeline.iter().find_map(|moment| id.find(&moment.text)).unwrap();
    rig.daemon().log_line(&format!("event={}}}: granted", replay.as_str())).await;
    told(&rig, "replay", replay.as_str(), "granted").await;
}

#[tokio::test]
async fn restored_from_a_backup() {
    let mut rig = Rig::running().await;
    delivered(&rig, "e-1", "Alex", 204).await;
    rig.platform.vote("e-9", "Steve", 9);
    let elsewhere = rig.platform.delivery("server.vote", "e-9");
    assert_eq!(rig.deliver(&elsewhere).await.status, Some(422));
    let backup = rig.path("backup").to_str().unwrap().to_owned();
    done(&rig, &["backup", &backup]).await;
    rig.stop().await;
    done(&rig, &["restore", &backup]).await;
    rig.start().await;
    told(&rig, "restored-in-doubt", "e-1", "in_doubt").await;
    delivered(&rig, "e-2", "Steve", 422).await;
    told(&rig, "restored-refused", "e-2", "refused").await;
    told(&rig, "restored-unknown-server", "e-9", "refused").await;
}

#[tokio::test]
async fn cancelled() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Alex", 204).await;
    done(&rig, &["cancel", "e-1"]).await;
    told(&rig, "cancelled", "e-1", "closed").await;
}

#[tokio::test]
async fn pruned() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Steve", 204).await;
    done(&rig, &["prune", "--older-than", "0s"]).await;
    told(&rig, "pruned", "e-1", "pruned").await;
}

#[tokio::test]
async fn a_test_vote() {
    let rig = Rig::running().await;
    done(&rig, &["test-vote", "--player", "Steve", "--server", "survival"]).await;
    told(&rig, "test-vote", "Steve", "granted").await;
}

#[tokio::test]
async fn what_was_planned_before_a_reload_stays() {
    let rig = Rig::running().await;
    delivered(&rig, "e-1", "Alex", 204).await;
    reloaded(&rig, "minecraft:diamond 3", "minecraft:gold_ingot 5").await;
    delivered(&rig, "e-2", "Alex", 204).await;
    let explained = told(&rig, "reload-between", "ALEX", "waiting").await;
    assert_eq!(explained.stories.len(), 2);
}

#[tokio::test]
async fn only_the_last_votes_of_a_player_are_told() {
    let rig = Rig::running().await;
    for number in 1..=5 {
        delivered(&rig, &format!("e-{number}"), "Steve", 204).await;
    }
    let explained = told(&rig, "many-votes", "Steve", "granted").await;
    let ids: Vec<&str> = explained.stories.iter().map(|story| story.event_id.as_str()).collect();
    assert_eq!((ids, explained.more), (vec!["e-3", "e-4", "e-5"], 2));
    let all = rig.votive(&["explain", "Steve", "--last", "5", "--format", "json"]).await;
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!((all["stories"].as_array().unwrap().len(), &all["more"]), (5, &json!(0)));
}

#[tokio::test]
async fn a_bedrock_player_without_the_prefix() {
    let mut rig = Rig::new().await;
    rig.configure("  bedrock_prefix: '.'", "", DAILY);
    rig.start().await;
    delivered(&rig, "e-1", ".Cool Guy", 204).await;
    told(&rig, "almost-the-name", "Cool_Guy", "").await;
    assert_eq!(told(&rig, "bedrock", ".cool guy", "waiting").await.stories.len(), 1);
}

#[tokio::test]
async fn a_world_that_went_back_in_time() {
    let rig = running("    receipts: auto", DAILY).await;
    let save = rig.game.save();
    delivered(&rig, "e-1", "Steve", 204).await;
    rig.game.go_back_to(&save);
    rig.game.disconnect();
    delivered(&rig, "e-2", "Steve", 204).await;
    rig.daemon().log_line("the world has forgotten this").await;
    let explained = told(&rig, "world-went-back", "e-1", "granted").await;
    let next = &only(&explained).next;
    let command = next.iter().find_map(|next| next.strip_prefix("To issue again what is gone: votive "));
    done(&rig, &command.unwrap().split(' ').chain(["--yes"]).collect::<Vec<_>>()).await;
    rig.until(|_| rig.has("Steve", "diamond") == 6).await;
    assert_eq!(rig.game.record().took_effect("give Steve minecraft:diamond 3").len(), 3, "not that of e-2");
}
