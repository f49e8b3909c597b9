//! Each row of the design's table of answers, in its order, on the real binary.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::time::{Duration, Instant, SystemTime};

use rig::{DAILY, Rig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use votive::sim::game::Habit;
use votive::sim::platform::{Answered, ApiAnswer, End, vote_body};

/// Writes raw bytes to the webhook's listener and gives all that comes back until it closes.
async fn raw(rig: &Rig, request: &str) -> String {
    let mut stream = TcpStream::connect(rig.daemon().address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(rig::PATIENCE, read).await.expect("it kept the connection open").unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn expect(answered: &Answered, status: u16, words: &str) {
    assert_eq!(answered.status, Some(status), "{}", answered.body);
    assert!(answered.body.contains(words), "{}", answered.body);
    assert_eq!(answered.body.is_empty(), status == 204);
    assert!(answered.body.trim_end().lines().count() <= 1, "one sentence: {}", answered.body);
}

#[tokio::test]
async fn path_and_method_come_first() {
    let rig = Rig::running().await;
    for (method, path, expected) in [
        ("GET", "/healthz", 200),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("POST", "/elsewhere", 404),
        ("POST", "/gamemonitoring-webhook/", 404),
        ("GET", "/gamemonitoring-webhook", 405),
        ("PUT", "/gamemonitoring-webhook", 405),
        ("DELETE", "/gamemonitoring-webhook?x=1", 405),
    ] {
        let answer = raw(&rig, &request(method, path, "")).await;
        assert_eq!(status(&answer), expected, "{method} {path}: {answer}");
        assert_eq!(answer.contains("allow: "), expected == 405, "{answer}");
    }
    assert!(raw(&rig, &request("GET", "/healthz", "")).await.ends_with("\r\n\r\nok\n"));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let rig = Rig::running().await;
    let head = "POST /gamemonitoring-webhook HTTP/1.1\r\nhost: x\r\n";
    // Not one byte of the body follows, and the answer comes all the same.
    for length in ["16385", "99999999999"] {
        let answer = raw(&rig, &format!("{head}content-length: {length}\r\n\r\n")).await;
        assert_eq!(status(&answer), 413, "{answer}");
    }
    // Nothing says how long this one is.
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let answer =
        raw(&rig, &format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}1\r\nx\r\n0\r\n\r\n")).await;
    assert_eq!(status(&answer), 413, "{answer}");
    let answer = raw(&rig, &request("POST", "/gamemonitoring-webhook", &" ".repeat(16384))).await;
    assert_eq!(status(&answer), 400, "just short enough: {answer}");
}

#[tokio::test]
async fn what_is_not_a_delivery_then_the_signature_then_the_types() {
    let rig = Rig::running().await;
    let good = rig.vote("e-1", "Steve");
    for body in ["", "[]", "null", "{", r#"{"a":null}"#, r#"{"a":1,"a":1}"#, r#"{"a b":1}"#, "\u{0}"] {
        expect(&rig.deliver(&good.clone().raw(body)).await, 400, "JSON object");
    }
    expect(&rig.deliver(&good.clone().raw("{}")).await, 401, "signing token");
    expect(&rig.deliver(&good.clone().forged()).await, 401, "signing token");
    for signature in [json!(7), json!(true), json!(""), json!("00"), json!("zz".repeat(32))] {
        expect(&rig.deliver(&good.clone().with_signature(signature)).await, 401, "signing token");
    }
    // Wrong types under a good signature: only now, so that they tell nothing to a stranger.
    for (name, value) in [("event_type", json!(1)), ("is_test", json!("false")), ("event_id", json!(9))] {
        expect(&rig.deliver(&good.clone().with(name, value.clone())).await, 400, name);
        expect(&rig.deliver(&good.clone().with(name, value).forged()).await, 401, "signing token");
    }
    for id in ["", "a/b", "a b", "../x", "é", &"a".repeat(101)] {
        expect(&rig.deliver(&good.clone().with("event_id", json!(id))).await, 400, "event_id");
    }
    assert!(rig.platform.record().requests.is_empty(), "nothing was fetched");
    assert!(rig.game.console().is_empty());
}

#[tokio::test]
async fn what_is_answered_without_a_fetch() {
    let rig = Rig::running().await;
    for id in [json!("test"), json!(9), json!("e-1")] {
        expect(&rig.deliver(&rig.vote("e-1", "Steve").with("event_id", id).test()).await, 204, "");
    }
    expect(&rig.deliver(&rig.platform.delivery("project.vote", "e-1")).await, 204, "");
    expect(&rig.deliver(&rig.platform.delivery("server.new", "e-1")).await, 204, "");
    expect(&rig.deliver(&rig.platform.delivery("votive.test", "e-1")).await, 422, "votive.");
    expect(&rig.deliver(&rig.platform.delivery("votive.test", "e-1").test()).await, 204, "");
    assert!(rig.platform.record().requests.is_empty());
    assert!(rig.game.console().is_empty());
    // None of it stands in the way of the vote.
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 3);
}

#[tokio::test]
async fn fields_that_the_platform_adds_later_are_signed_too() {
    let rig = Rig::running().await;
    let delivery = rig.vote("e-1", "Steve").with("attempt", json!(2)).with("zone", json!("ä b&c"));
    expect(&rig.deliver(&delivery.clone().forged()).await, 401, "");
    expect(&rig.deliver(&delivery).await, 204, "");
}

#[tokio::test]
async fn granted_before_and_waiting_for_the_player() {
    let rig = Rig::running().await;
    let (steve, alex) = (rig.vote("e-1", "Steve"), rig.vote("e-2", "Alex"));
    expect(&rig.deliver(&steve).await, 204, "");
    expect(&rig.deliver(&steve).await, 204, "");
    expect(&rig.deliver(&alex).await, 204, "");
    expect(&rig.deliver(&alex).await, 204, "");
    assert_eq!(rig.game.record().ran("give"), ["give Steve minecraft:diamond 3"]);
    rig.game.join("Alex");
    rig.until(|record| record.ran("give").len() == 2).await;
    assert_eq!(rig.has("Alex", "diamond"), 3);
}

#[tokio::test]
async fn a_game_server_that_is_down() {
    let rig = Rig::running().await;
    rig.game.stop().await;
    let delivery = rig.vote("e-1", "Steve");
    expect(&rig.deliver(&delivery).await, 503, "survival is down");
    expect(&rig.deliver(&delivery).await, 503, "no redelivery needed");
    rig.game.start_again().unwrap();
    rig.until(|record| record.ran("give").len() == 1).await;
    expect(&rig.deliver(&delivery).await, 204, "");
    assert_eq!(rig.has("Steve", "diamond"), 3);
}

#[tokio::test]
async fn in_doubt_until_the_operator_settles_it() {
    let rig = Rig::running().await;
    let (steve, again) = (rig.vote("e-1", "Steve"), rig.vote("e-2", "Steve"));
    rig.game.once("give", Habit::ClosesAfter(0));
    expect(&rig.deliver(&steve).await, 503, "votive resolve e-1 --ran");
    expect(&rig.deliver(&steve).await, 503, "votive resolve e-1 --ran");
    rig.daemon().log_line("in doubt: ").await;
    let settled = rig.votive(&["resolve", "e-1", "--ran"]).await;
    assert!(settled.status.success(), "{settled:?}");
    expect(&rig.deliver(&steve).await, 204, "");
    assert_eq!(rig.has("Steve", "diamond"), 3, "it had run, and was not sent again");

    rig.game.once("give", Habit::ClosesBeforeRun);
    expect(&rig.deliver(&again).await, 503, "votive resolve e-2 --ran");
    let settled = rig.votive(&["resolve", "e-2", "--not-run"]).await;
    assert!(settled.status.success(), "{settled:?}");
    rig.until(|record| record.ran("give").len() == 2).await;
    expect(&rig.deliver(&again).await, 204, "");

    let nothing = rig.votive(&["resolve", "e-2", "--ran"]).await;
    assert!(!nothing.status.success());
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing to settle"), "{nothing:?}");
    let unknown = rig.votive(&["resolve", "e-9", "--ran"]).await;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no vote with the id e-9"), "{unknown:?}");
    for args in [&["resolve", "e-2"][..], &["resolve", "e-2", "--ran", "--not-run"]] {
        assert_eq!(rig.votive(args).await.status.code(), Some(2));
    }
}

#[tokio::test]
async fn two_doubts_about_one_vote_can_be_settled_apart() {
    let mut rig = Rig::new().await;
    let rewards = "
  first:
    commands:
      - 'give {player} minecraft:diamond 1'
  second:
    commands:
      - 'give {player} minecraft:emerald 1'
";
    rig.configure("", "", rewards);
    rig.start().await;
    rig.game.once("give Steve minecraft:diamond", Habit::ClosesAfter(0));
    rig.game.once("give Steve minecraft:emerald", Habit::ClosesBeforeRun);
    let delivery = rig.vote("e-1", "Steve");
    expect(&rig.deliver(&delivery).await, 503, "votive resolve e-1");
    let settled = rig.votive(&["resolve", "e-1", "--reward", "second", "--not-run"]).await;
    assert_eq!(String::from_utf8_lossy(&settled.stdout), "Settled second: its command is sent again.\n");
    rig.until(|record| record.ran("give Steve minecraft:emerald").len() == 1).await;
    expect(&rig.deliver(&delivery).await, 503, "votive resolve e-1");
    assert!(rig.votive(&["resolve", "e-1", "--ran"]).await.status.success());
    expect(&rig.deliver(&delivery).await, 204, "");
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (1, 1));
}

#[tokio::test]
async fn still_at_it_at_the_deadline_and_on_it_goes() {
    let mut rig = Rig::new().await;
    rig.configure("webhook:\n  answer_within: 500ms", "", DAILY);
    rig.start().await;
    rig.game.hold();
    let began = Instant::now();
    let delivery = rig.vote("e-1", "Steve");
    expect(&rig.deliver(&delivery).await, 504, "no redelivery needed");
    assert!(began.elapsed() >= Duration::from_millis(500));
    rig.game.release();
    rig.until(|record| record.ran("give").len() == 1).await;
    expect(&rig.deliver(&delivery).await, 204, "");
}

#[tokio::test]
async fn an_api_that_is_down_or_talks_nonsense() {
    let rig = Rig::running().await;
    let good = vote_body("e", "Steve", 1);
    let mut short = good.clone();
    short["response"]["nickname"] = json!(null);
    let answers = [
        ApiAnswer::new(500, "oops"),
        ApiAnswer::new(503, ""),
        ApiAnswer::new(404, ""),
        ApiAnswer::new(201, good.to_string()),
        ApiAnswer::redirect("/votes/other"),
        ApiAnswer::new(200, "not json"),
        ApiAnswer::new(200, " ".repeat(70_000)),
        ApiAnswer::json(&short),
        ApiAnswer::new(200, &good.to_string().as_bytes()[..60]),
        ApiAnswer::json(&good).ending(End::Truncated),
        ApiAnswer::json(&good).ending(End::Closed),
    ];
    let votes = answers.len() as u64;
    for (number, answer) in answers.into_iter().enumerate() {
        let id = format!("e-{number}");
        rig.platform.answer(&id, answer);
        let delivery = rig.platform.delivery("server.vote", &id);
        expect(&rig.deliver(&delivery).await, 502, "no redelivery needed");
        // A redelivery is worth another attempt at once.
        rig.platform.vote(&id, "Steve", 1);
        expect(&rig.deliver(&delivery).await, 204, "");
    }
    assert_eq!(rig.has("Steve", "diamond"), 3 * votes);
}

#[tokio::test]
async fn an_api_that_never_answers() {
    let mut rig = Rig::new().await;
    rig.configure("webhook:\n  answer_within: 1s", "", DAILY);
    rig.start().await;
    rig.platform
        .answer("e-1", ApiAnswer::json(&vote_body("e-1", "Steve", 1)).after(Duration::from_secs(3600)));
    let delivery = rig.platform.delivery("server.vote", "e-1");
    expect(&rig.deliver(&delivery).await, 502, "no redelivery needed");
    rig.platform.vote("e-1", "Steve", 1);
    rig.until(|record| record.ran("give").len() == 1).await;
}

/// Has the API answer 429 with a `Retry-After` of two seconds at least. Without it, it would be asked again after one
/// second at most.
async fn asks_for_two_seconds(rig: &Rig, id: &str, retry_after: &str) {
    let headers = vec![format!("Retry-After: {retry_after}")];
    rig.platform.answer(id, ApiAnswer { headers, ..ApiAnswer::new(429, "slow down") });
    let delivery = rig.platform.delivery("server.vote", id);
    let began = Instant::now();
    expect(&rig.deliver(&delivery).await, 502, "no redelivery needed");
    rig.platform.vote(id, "Steve", 1);
    expect(&rig.deliver(&delivery).await, 502, "no redelivery needed");
    assert_eq!(rig.platform.record().asked(id), 1, "a redelivery does not shorten the wait");
    let again = rig.platform.until(|record| record.asked(id) == 2);
    tokio::time::timeout(rig::PATIENCE, again).await.expect("it was never asked again");
    assert!(began.elapsed() >= Duration::from_secs(2), "{id}: after {:?}", began.elapsed());
}

#[tokio::test]
async fn an_api_that_asks_for_a_wait_gets_it_in_either_form() {
    let rig = Rig::running().await;
    asks_for_two_seconds(&rig, "e-1", "2").await;
    // A date is of a whole second.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    asks_for_two_seconds(&rig, "e-2", &date).await;
    rig.until(|record| record.ran("give").len() == 2).await;
}

#[tokio::test]
async fn a_vote_is_what_the_api_said_first() {
    let mut rig = Rig::running().await;
    for player in ["Alex", "Kim"] {
        rig.game.join(player);
    }
    // What was no vote does not count, even if it has a name in it.
    let torn = vote_body("e-1", "Alex", 1).to_string();
    rig.platform.answer("e-1", ApiAnswer::new(200, &torn.as_bytes()[..torn.len() - 1]));
    let delivery = rig.platform.delivery("server.vote", "e-1");
    expect(&rig.deliver(&delivery).await, 502, "");
    rig.platform.vote("e-1", "Steve", 1);
    expect(&rig.deliver(&delivery).await, 204, "");
    rig.platform.vote("e-1", "Kim", 1);
    expect(&rig.deliver(&delivery).await, 204, "");
    rig.kill().await;
    rig.start().await;
    expect(&rig.deliver(&delivery).await, 204, "");
    assert_eq!(rig.platform.record().asked("e-1"), 2);
    assert_eq!(rig.game.record().ran("give"), ["give Steve minecraft:diamond 3"]);
}

#[tokio::test]
async fn refused_for_a_reason_that_the_owner_can_act_on() {
    let mut rig = Rig::running().await;
    rig.platform.vote("e-1", "Steve", 7);
    let elsewhere = rig.platform.delivery("server.vote", "e-1");
    expect(&rig.deliver(&elsewhere).await, 422, "server id 7");
    let mut other = vote_body("e-9", "Steve", 1);
    rig.platform.answer("e-2", ApiAnswer::json(&other));
    expect(&rig.deliver(&rig.platform.delivery("server.vote", "e-2")).await, 422, "another vote");
    other["response"]["id"] = json!("e-3");
    other["response"]["entity_type"] = json!("project");
    rig.platform.answer("e-3", ApiAnswer::json(&other));
    expect(&rig.deliver(&rig.platform.delivery("server.vote", "e-3")).await, 422, "not for a server");
    for (number, nickname) in
        ["@a", "Steve; op x", "Стив", "abcdefghijklmnopq", "Steve\nop x", "", "@a[limit=1]"]
            .into_iter()
            .enumerate()
    {
        let answered = rig.deliver(&rig.vote(&format!("n-{number}"), nickname)).await;
        expect(&answered, 422, "no player to reward");
        assert!(nickname.is_empty() || !answered.body.contains(nickname), "{}", answered.body);
    }
    assert!(rig.game.console().is_empty(), "nothing reached a console");

    // The owner adds the server's id and delivers again: the vote is not fetched again.
    rig.stop().await;
    rig.configure("", "    # also 7\n", DAILY);
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap().replace("id: 1", "id: [1, 7]");
    std::fs::write(rig.path("rewards.yaml"), yaml).unwrap();
    rig.start().await;
    expect(&rig.deliver(&elsewhere).await, 204, "");
    assert_eq!(rig.platform.record().asked("e-1"), 1);
}

#[tokio::test]
async fn a_reward_that_the_game_rejects_is_refused_until_it_is_mended() {
    let mut rig = Rig::new().await;
    let rewards = "
  typo:
    commands:
      - run: 'say first'
        require_online: false
      - 'give {player} minecraft:diamnd 3'
  fine:
    commands:
      - 'give {player} minecraft:emerald 1'
";
    rig.configure("", "", rewards);
    rig.start().await;
    let delivery = rig.vote("e-1", "Steve");
    let answered = rig.deliver(&delivery).await;
    expect(&answered, 422, "typo");
    assert!(!answered.body.contains("diamnd"), "no words of the game: {}", answered.body);
    rig.until(|record| record.ran("give Steve minecraft:emerald").len() == 1).await;
    rig.stop().await;
    rig.configure("", "", &rewards.replace("diamnd", "diamond"));
    rig.start().await;
    expect(&rig.deliver(&delivery).await, 204, "");
    let ran = rig.game.record();
    assert_eq!(ran.ran("say first").len(), 1, "what has run is not run again");
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (3, 1));
}

#[tokio::test]
async fn a_late_answer_is_given_only_when_the_event_is_durable() {
    let mut rig = Rig::new().await;
    rig.configure("webhook:\n  answer_within: 500ms", "", DAILY);
    rig.start().await;
    let hanging = ApiAnswer::json(&vote_body("e", "Steve", 1)).after(Duration::from_secs(3600));
    rig.platform.set_outage(Some(hanging));
    let mut deliveries = tokio::task::JoinSet::new();
    for number in 0..50 {
        deliveries.spawn(rig.delivering(&rig.vote(&format!("e-{number}"), "Steve")));
    }
    let answers = deliveries.join_all().await;
    assert_eq!(answers.iter().map(|answered| answered.status).collect::<Vec<_>>(), [Some(502); 50]);
    rig.kill().await;
    rig.platform.set_outage(None);
    rig.start().await;
    rig.until(|record| record.ran("give").len() == 50).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_interrupts_nothing() {
    let mut rig = Rig::new().await;
    rig.configure("webhook:\n  acknowledge: recorded", "", DAILY);
    rig.start().await;
    for number in 0..20 {
        let body = rig.vote(&format!("e-{number}"), "Steve").body();
        let body = String::from_utf8(body).unwrap();
        let mut stream = TcpStream::connect(rig.daemon().address()).await.unwrap();
        stream.write_all(request("POST", "/gamemonitoring-webhook", &body).as_bytes()).await.unwrap();
        drop(stream);
    }
    rig.until(|record| record.ran("give").len() == 20).await;
}

#[tokio::test]
async fn recorded_acknowledges_before_the_vote_is_fetched() {
    let mut rig = Rig::new().await;
    rig.configure("webhook:\n  acknowledge: recorded", "", DAILY);
    rig.start().await;
    rig.platform.set_outage(Some(ApiAnswer::new(500, "")));
    let delivery = rig.vote("e-1", "Steve");
    expect(&rig.deliver(&delivery).await, 204, "");
    rig.kill().await;
    rig.platform.set_outage(None);
    rig.start().await;
    rig.until(|record| record.ran("give").len() == 1).await;
    expect(&rig.deliver(&delivery).await, 204, "");
    assert_eq!(rig.has("Steve", "diamond"), 3);
}
