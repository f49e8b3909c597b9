//! Notifications from the real binary: what is told, to whom and how often; that rewards wait for none of it; and that the
//! address of a webhook is shown nowhere.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod endpoint;
mod rig;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use endpoint::{Answer, Endpoint, SECRET};
use rig::{Rig, VOTIVE};
use serde_json::json;
use tokio::time::timeout;
use votive::sim::game::Habit;
use votive::sim::platform::{ApiAnswer, End, vote_body};

const GOOD: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
";

/// A reward that the game refuses.
const TYPO: &str = "
  daily:
    commands:
      - 'give {player} minecraft:no_such_thing 1'
";

/// A rig whose owner is told at an endpoint of the test as often as can be, with more keys of `notify`.
async fn rig(endpoint: &Endpoint, more: &str, rewards: &str) -> Rig {
    let rig = Rig::new().await;
    rig.write_secret("owner", &endpoint.url("owner"));
    rig.write_secret("votes", &endpoint.url("votes"));
    configure(&rig, &format!("  discord: {{url_file: owner}}\n{more}"), rewards);
    rig
}

fn configure(rig: &Rig, notify: &str, rewards: &str) {
    rig.configure(&format!("notify:\n  every: 1s\n{notify}"), "    pace: 1000/s", rewards);
}

async fn running(endpoint: &Endpoint, more: &str, rewards: &str) -> Rig {
    let mut rig = rig(endpoint, more, rewards).await;
    rig.start().await;
    rig
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Stops the daemon, whose log has to be without any secret.
async fn stop(mut rig: Rig) -> String {
    let (status, log) = rig.stop().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains(SECRET), "{log}");
    log
}

#[tokio::test]
async fn what_happens_while_a_message_is_on_its_way_is_gathered_and_counted() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "", TYPO).await;
    endpoint.hold();
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    let first = endpoint.until(1).await.remove(0);
    assert_eq!(
        first.text(),
        "Refused on survival: survival refused the reward daily: the game does not accept the command as it is written. Try the command by hand, correct it in rewards.yaml, reload Votive and deliver again. (Steve, reward daily, vote e-1)"
    );
    assert_eq!(first.path, format!("/owner/{SECRET}"));
    for vote in 2..14 {
        assert_eq!(rig.deliver_vote(&format!("e-{vote}"), "Steve").await, 422);
    }
    rig.platform.answer("e-20", ApiAnswer::json(&vote_body("e-20", "@everyone _x_ https://a.b", 1)));
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-20")).await.status, Some(422));
    endpoint.release();
    let posts = endpoint.until(2).await;
    let text = posts[1].text();
    assert!(text.contains("(12 times; the first: Steve, reward daily, vote e-2)"), "{text}");
    assert!(text.contains("\nRefused: The vote has no player to reward"), "{text}");
    assert!(text.contains(r#"("@everyone _x_ https://a.b", vote e-20)"#), "{text}");
    // To Discord none of that is a mention, emphasis or a link.
    let content = posts[1].body["content"].as_str().unwrap();
    assert!(content.contains(r"\@everyone \_x\_ https\:\/\/a.b"), "{content}");
    assert_eq!(posts[1].body["allowed_mentions"], json!({"parse": []}));
    stop(rig).await;
    assert_eq!(endpoint.posts().len(), 2, "each is told once");
}

#[tokio::test]
async fn doubts_forged_deliveries_and_what_a_world_forgot_are_told() {
    let endpoint = Endpoint::start().await;
    let mut rig = Rig::new().await;
    rig.write_secret("owner", &endpoint.url("owner"));
    let top = "notify:\n  every: 1s\n  discord: {url_file: owner}";
    rig.configure(top, "    receipts: auto", GOOD);
    rig.start().await;
    let before = rig.game.save();
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    rig.game.stop().await;
    rig.game.go_back_to(&before);
    rig.game.start_again().unwrap();
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let text = endpoint.until_told("has forgotten").await.text();
    assert!(text.contains("The world of survival went back in time"), "{text}");
    assert!(
        text.contains("(Steve, reward daily: \"give Steve minecraft:diamond 1\"; votive explain e-1 says"),
        "{text}"
    );

    rig.stop().await;
    rig.configure(top, "", GOOD);
    rig.start().await;
    rig.game.once("give", Habit::ClosesAfter(0));
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 503);
    let text = endpoint.until_told("In doubt on survival").await.text();
    assert!(text.contains("Steve, reward daily"), "{text}");
    assert!(text.contains("whether \"give Steve minecraft:diamond 1\" ran"), "{text}");
    assert!(text.contains("votive resolve e-3 --step 1 --ran, or --not-run"), "{text}");

    for number in 0..20 {
        let forged = rig.platform.delivery("server.vote", &format!("f-{number}")).forged();
        assert_eq!(rig.deliver(&forged).await.status, Some(401));
    }
    endpoint.until_told("20 deliveries were not signed by the platform").await;
    stop(rig).await;
    assert_eq!(endpoint.texts().matches("not signed").count(), 1);
    assert_eq!(endpoint.texts().matches("has forgotten").count(), 1);
}

#[tokio::test]
async fn what_is_in_doubt_at_a_start_is_told_again() {
    let endpoint = Endpoint::start().await;
    let mut rig = running(&endpoint, "  about: in_doubt\n", GOOD).await;
    for (event, player) in [("e-1", "Alex"), ("e-2", "Steve")] {
        rig.game.join(player);
        rig.game.once("give", Habit::ClosesAfter(0));
        assert_eq!(rig.deliver_vote(event, player).await, 503);
    }
    rig.kill().await;
    let told = endpoint.posts().len();
    rig.start().await;
    let again = endpoint.until(told + 1).await.pop().unwrap().text();
    assert!(again.contains("(2 times; the first: Alex"), "{again}");
    stop(rig).await;
}

#[tokio::test]
async fn a_server_that_is_down_for_long_is_told_and_that_it_is_back() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "  server_down_for: 1s\n", GOOD).await;
    rig.game.stop().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    let text = endpoint.until_told("survival has been down for").await.text();
    assert!(text.contains("Its rewards wait"), "{text}");
    rig.game.start_again().unwrap();
    endpoint.until_told("survival is back after").await;
    stop(rig).await;
    assert_eq!(endpoint.texts().lines().count(), 2, "{}", endpoint.texts());
}

#[tokio::test]
async fn a_server_that_is_soon_back_is_not_told() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "  announce: {url_file: votes}\n", GOOD).await;
    rig.game.stop().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    rig.game.start_again().unwrap();
    rig.until(|record| record.ran("give").len() == 1).await;
    endpoint.until_told("Steve voted for survival!").await;
    stop(rig).await;
    assert_eq!(endpoint.texts(), "Steve voted for survival!\n");
}

#[tokio::test]
async fn a_vote_that_waits_for_long_is_told_and_who_waits_for_a_player_is_not() {
    let endpoint = Endpoint::start().await;
    let mut rig = running(&endpoint, "  queue_older_than: 1s\n", GOOD).await;
    assert_eq!(rig.deliver_vote("e-1", "Alex").await, 204, "Alex is awaited");
    rig.platform.set_outage(Some(ApiAnswer::new(500, "")));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 502);
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 502);
    // The API is asked again after a second at the earliest, so a second has passed then.
    rig.platform.until(|record| record.asked("e-3") >= 3).await;
    rig.stop().await;
    rig.start().await;
    let text = endpoint.until_told("A vote has waited for").await.text();
    assert!(text.contains("e-2 waits for the API of GAMEMONITORING. 2 in all wait"), "{text}");
    stop(rig).await;
}

/// Only this run knows of it: the ledger keeps no such pause.
#[tokio::test]
async fn what_is_on_hold_is_not_told_to_wait() {
    let endpoint = Endpoint::start().await;
    let rewards = "
  daily:
    commands:
      - run: 'say {player}'
        require_online: false
";
    let mut rig = rig(&endpoint, "  queue_older_than: 1s\n", rewards).await;
    let on_hold = || {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" --hold", VOTIVE]);
        shell
    };
    rig.start_as(on_hold()).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503, "it is on hold");
    rig.platform.set_outage(Some(ApiAnswer::new(500, "")));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 502);
    rig.platform.until(|record| record.asked("e-2") >= 3).await;
    rig.stop().await;
    rig.start_as(on_hold()).await;
    let text = endpoint.until_told("A vote has waited for").await.text();
    assert!(text.contains("e-2 waits for the API of GAMEMONITORING. 1 in all wait"), "{text}");
    stop(rig).await;
}

/// The endpoint answers nothing at all, and yet two hundred rewards are given, and another two hundred happenings are
/// heard: it is let go only after that.
#[tokio::test]
async fn rewards_go_on_while_nobody_can_be_told() {
    let endpoint = Endpoint::start().await;
    let announce = "  announce: {url_file: votes, text: '{player} voted for {server} ({votes})'}\n";
    let rig = running(&endpoint, announce, GOOD).await;
    endpoint.hold();
    rig.platform.vote("e-elsewhere", "Steve", 99);
    let elsewhere = rig.platform.delivery("server.vote", "e-elsewhere");
    assert_eq!(rig.deliver(&elsewhere).await.status, Some(422));
    rig.game.join("First");
    assert_eq!(rig.deliver_vote("e-first", "First").await, 204);
    let posts = endpoint.until(2).await;
    let first: Vec<String> = posts.iter().map(|post| post.text()).collect();
    assert!(first.contains(&"First voted for survival (1)".to_owned()), "{first:?}");
    for number in 0..200 {
        let player = format!("P{number}");
        rig.game.join(&player);
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), &player).await, 204);
        assert_eq!(rig.deliver(&elsewhere).await.status, Some(422));
        assert_eq!(endpoint.posts().len(), 2, "both targets are still being told the first message");
    }
    assert_eq!(rig.game.record().ran("give P").len(), 200);
    endpoint.release();
    let owner = endpoint.until_told("200 times; the first: \"Steve\", vote e-elsewhere").await;
    assert!(owner.body["content"].as_str().unwrap().encode_utf16().count() <= 2000);
    let votes = endpoint.until_told("more votes.").await;
    let content = votes.body["content"].as_str().unwrap();
    assert!(content.encode_utf16().count() <= 2000, "{content}");
    let (named, more) = content.rsplit_once("\n… and ").unwrap();
    let more: usize = more.strip_suffix(" more votes.").unwrap().parse().unwrap();
    assert_eq!(named.lines().count() + more, 200, "{content}");
    assert!(named.starts_with("P0 voted for survival (1)\nP1 voted for survival (1)\n"), "{named}");
    stop(rig).await;
}

#[tokio::test]
async fn trouble_of_the_endpoint_is_waited_for_and_the_message_comes_once() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "", TYPO).await;
    endpoint.answers([
        Answer::With(429, "Retry-After: 1\r\n", r#"{"retry_after": 0.3}"#.to_owned()),
        Answer::status(500),
        Answer::Closes,
        Answer::Endless,
    ]);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    let posts = endpoint.until(4).await;
    assert!(posts.iter().all(|post| post.body == posts[0].body));
    // The next message shows that this one was done with.
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 422);
    assert!(endpoint.until(5).await[4].text().ends_with("(Steve, reward daily, vote e-2)"));
    let log = stop(rig).await;
    assert!(!log.contains("cannot be told"), "it was told in the end:\n{log}");
}

#[tokio::test]
async fn a_webhook_that_is_gone_or_elsewhere_is_given_up_at_once_and_said_once() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "", TYPO).await;
    let elsewhere = Endpoint::start().await;
    let location = format!("Location: {}\r\n", elsewhere.url("elsewhere"));
    endpoint.answers([Answer::With(307, location.leak(), String::new()), Answer::status(404)]);
    for (number, event) in ["e-1", "e-2", "e-3"].into_iter().enumerate() {
        assert_eq!(rig.deliver_vote(event, "Steve").await, 422);
        endpoint.until(number + 1).await;
    }
    let third = endpoint.until(3).await.pop().unwrap().text();
    assert!(third.ends_with("2 earlier happenings could not be told; the log has each."), "{third}");
    rig.daemon().log_line("notify.discord.url_file can be told again").await;
    let log = stop(rig).await;
    let told = log.lines().filter(|line| line.contains("WARN") && line.contains("cannot be told"));
    assert_eq!(told.count(), 1, "{log}");
    assert!(
        log.contains("notify.discord.url_file cannot be told what happens: it answered with 307"),
        "{log}"
    );
    assert!(elsewhere.posts().is_empty(), "a redirect was followed");
}

/// Whatever the log is asked to show, and whatever goes wrong.
#[tokio::test]
async fn the_address_is_in_no_line_of_the_log_and_in_no_answer() {
    let endpoint = Endpoint::start().await;
    let mut rig = rig(&endpoint, "  announce: {url_file: [gone, nowhere]}\n", TYPO).await;
    rig.write_secret("gone", &format!("http://127.0.0.1:1/{SECRET}"));
    rig.write_secret("nowhere", &format!("https://127.0.0.1:1/{SECRET}"));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "RUST_LOG=trace exec \"$0\" \"$@\"", VOTIVE]);
    rig.start_as(shell).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    endpoint.until_told("vote e-1").await;
    let output = rig.votive(&["test-notify"]).await;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    for line in [
        "notify.discord.url_file: was told",
        "notify.announce.url_file[1]: cannot be reached",
        "notify.announce.url_file[2]: cannot be reached",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let log = stop(rig).await;
    assert!(log.contains("TRACE"), "the log was to show everything");
}

#[tokio::test]
async fn another_configuration_holds_at_once() {
    let [old, new] = [Endpoint::start().await, Endpoint::start().await];
    let rig = running(&old, "", TYPO).await;
    old.hold();
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    old.until(1).await;
    rig.write_secret("owner", &new.url("owner"));
    assert!(rig.votive(&["reload"]).await.status.success());
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 422);
    let text = new.until(1).await.remove(0).text();
    assert!(text.ends_with("(Steve, reward daily, vote e-2)"), "{text}");
    configure(&rig, "", TYPO);
    assert!(rig.votive(&["reload"]).await.status.success());
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 422);
    let output = rig.votive(&["test-notify"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("names nobody who is told"), "{}", said(&output));
    stop(rig).await;
    assert_eq!((old.posts().len(), new.posts().len()), (1, 1));
}

#[tokio::test]
async fn a_stop_tells_what_is_left_and_waits_for_nobody_who_does_not_answer() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "", TYPO).await;
    endpoint.hold();
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    // Well before it would be due by itself.
    stop(rig).await;
    assert!(endpoint.texts().ends_with("(Steve, reward daily, vote e-1)\n"), "{}", endpoint.texts());
}

/// A command is on its way when it stops, and is refused after that.
#[tokio::test]
async fn what_ends_while_votive_stops_is_told_too() {
    let endpoint = Endpoint::start().await;
    let mut rig = running(&endpoint, "", TYPO).await;
    rig.game.once("give", Habit::Withheld);
    let delivering = tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| record.ran("give").len() == 1).await;
    rig.daemon().signal("TERM");
    rig.daemon().log_line("stopping").await;
    rig.game.release_replies();
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert!(status.success(), "{log}");
    assert!(endpoint.texts().ends_with("(Steve, reward daily, vote e-1)\n"), "{}\n{log}", endpoint.texts());
    drop(delivering.await);
}

/// A script that is run as the owner's command.
fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// A rig with a command, which writes to what the shell finds in `$1`.
async fn with_command(text: &str) -> (Rig, std::path::PathBuf) {
    let mut rig = Rig::new().await;
    let (tell, told) = (rig.path("tell-me"), rig.path("told"));
    script(&tell, text);
    configure(&rig, &format!("  command: [{}, {}]\n", tell.display(), told.display()), TYPO);
    rig.start().await;
    (rig, told)
}

/// Waits for what happens outside of this process: nobody tells of it.
async fn until<T>(mut seen: impl FnMut() -> Option<T>) -> T {
    let happened = async {
        loop {
            match seen() {
                Some(seen) => return seen,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(rig::PATIENCE, happened).await.expect("it never happened")
}

/// What a command has written; the file gets its name once it is whole.
async fn file(path: &Path) -> String {
    until(|| std::fs::read_to_string(path).ok()).await
}

#[tokio::test]
async fn a_command_gets_the_message_and_nothing_secret_with_it() {
    let (rig, told) = with_command("{ cat; env; } > \"$1.new\" && mv \"$1.new\" \"$1\"").await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    let text = file(&told).await;
    assert!(text.starts_with("Refused on survival: survival refused"), "{text}");
    assert!(text.contains("(Steve, reward daily, vote e-1)\n"), "{text}");
    assert!(text.contains("VOTIVE_ABOUT=refused\n") && text.contains("PATH="), "{text}");
    assert!(!text.contains("RUST_LOG"), "it sees Votive's environment:\n{text}");
    let output = rig.votive(&["test-notify"]).await;
    assert!(
        output.status.success() && said(&output).contains("notify.command: was told"),
        "{}",
        said(&output)
    );
    stop(rig).await;
}

#[tokio::test]
async fn a_command_that_fails_or_is_not_there_is_told() {
    let (rig, told) = with_command("exit 3").await;
    let output = rig.votive(&["test-notify"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("notify.command: ended with exit status: 3"), "{}", said(&output));
    std::fs::remove_file(told.with_file_name("tell-me")).unwrap();
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    rig.daemon().log_line("notify.command cannot be told what happens: it cannot be started").await;
    stop(rig).await;
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_that_it_has_started() {
    let (rig, told) = with_command("sleep 1000 & echo $! > \"$1.new\" && mv \"$1.new\" \"$1\"; wait").await;
    let output = rig.votive(&["test-notify"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("notify.command: did not end within 10 seconds and was killed"), "{said}");
    let started = file(&told).await.trim().to_owned();
    // Gone, or dead and not yet taken note of by whoever inherited it.
    let status = || std::fs::read_to_string(format!("/proc/{started}/status"));
    until(|| status().map_or(Some(()), |status| status.contains("State:\tZ").then_some(()))).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    stop(rig).await;
}

#[tokio::test]
async fn a_vote_is_announced_once_in_the_owners_words() {
    let endpoint = Endpoint::start().await;
    let announce = "  announce: {url_file: votes, text: '**{player}** {prefix} {server} {{player}} {vote_id} {votes}'}\n";
    let mut rig = rig(&endpoint, announce, GOOD).await;
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    std::fs::write(rig.path("rewards.yaml"), format!("values: {{prefix: ':tada:'}}\n{yaml}")).unwrap();
    rig.start().await;
    rig.game.join("_Steve_");
    assert_eq!(rig.deliver_vote("e-1", "_Steve_").await, 204);
    let post = endpoint.until(1).await.remove(0);
    assert_eq!(post.path, format!("/votes/{SECRET}"));
    assert_eq!(post.body["content"], r"**\_Steve\_** :tada: survival {player} e\-1 1");
    assert_eq!(post.body["allowed_mentions"], json!({"parse": []}));
    assert_eq!(rig.deliver_vote("e-1", "_Steve_").await, 204, "it is delivered again");
    stop(rig).await;
    assert_eq!(endpoint.posts().len(), 1);
}

/// The platform's API hangs: that is waited for as ever, and the endpoint is not.
#[tokio::test]
async fn a_hanging_api_is_nothing_to_the_notifier() {
    let endpoint = Endpoint::start().await;
    let rig = running(&endpoint, "", TYPO).await;
    rig.platform.answer("e-1", ApiAnswer::new(200, "x").ending(End::Hangs));
    let hanging = tokio::spawn(rig.delivering(&rig.platform.delivery("server.vote", "e-1")));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 422);
    endpoint.until_told("vote e-2").await;
    hanging.abort();
    stop(rig).await;
}
