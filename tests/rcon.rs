//! The RCON connection against the simulated game server's habits, and against an RCON server that is not ours.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

#[path = "peers/python.rs"]
mod python;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rig::{DAILY, Rig};
use serde_json::Value;
use votive::config::Timeouts;
use votive::rcon::frame::{COMMAND, Frame, REFUSED_ID, REPLY};
use votive::rcon::{Broken, ConnectError, Connection, Outcome, Tcp};
use votive::sim::game::{Game, GameOptions, Habit, Logins, When};

const PASSWORD: &str = "rcon-password";
const SOON: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);

fn timeouts() -> Timeouts {
    Timeouts { login: SOON, ..Timeouts::default() }
}

async fn open(game: &Game) -> Result<Connection, ConnectError> {
    Connection::open(&Tcp, &game.address().to_string(), PASSWORD, timeouts()).await
}

async fn game() -> (Game, Connection) {
    let game = Game::start(GameOptions::default()).unwrap();
    game.join("Steve");
    let connection = open(&game).await.unwrap();
    (game, connection)
}

async fn reply(connection: &mut Connection, command: &str) -> String {
    match connection.command(command, PATIENCE).await {
        Outcome::Reply(reply) => reply,
        other => panic!("{command}: {other:?}"),
    }
}

#[tokio::test]
async fn logins_end_in_a_word_about_why() {
    let game = Game::start(GameOptions::default()).unwrap();
    game.set_password("another");
    assert!(matches!(open(&game).await, Err(ConnectError::WrongPassword)));
    game.set_logins(Logins::RefuseAndClose);
    assert!(matches!(open(&game).await, Err(ConnectError::WrongPassword)));
    game.set_logins(Logins::Close);
    let error = open(&game).await.unwrap_err();
    assert!(error.to_string().contains("password"), "{error}");
    game.set_logins(Logins::Silent);
    assert!(matches!(open(&game).await, Err(ConnectError::TimedOut)));
    game.stop().await;
    assert!(matches!(open(&game).await, Err(ConnectError::Unreachable(_))));
}

#[tokio::test]
async fn replies_of_every_length_are_put_together() {
    let (_game, mut connection) = game().await;
    for length in [0, 1, 4095, 4096, 4097, 8192, 20_000] {
        for character in ["x", "ж", "€"] {
            let command = format!("longreply {length} {character}");
            assert_eq!(reply(&mut connection, &command).await, character.repeat(length), "{command}");
        }
    }
}

#[tokio::test]
async fn a_reply_without_end_is_cut_and_does_not_shift_the_next() {
    let (_game, mut connection) = game().await;
    let long = reply(&mut connection, "longreply 400000 x").await;
    assert!((256 * 1024..256 * 1024 + 4096).contains(&long.len()), "{}", long.len());
    assert_eq!(reply(&mut connection, "longreply 3 y").await, "yyy");
}

#[tokio::test]
async fn second_frames_late_frames_and_odd_kinds_stay_with_their_command() {
    let (game, mut connection) = game().await;
    game.once("give", Habit::SecondFrame("context".to_owned(), When::BeforeNextReply));
    game.once("xp", Habit::Kind(2));
    game.once("say", Habit::SecondFrame("said".to_owned(), When::AtOnce));
    assert_eq!(reply(&mut connection, "give Steve diamond 1").await, "Gave 1 [Diamond] to Steve");
    assert_eq!(reply(&mut connection, "xp add Steve 1 points").await, "Gave 1 experience points to Steve");
    assert_eq!(reply(&mut connection, "say hi").await, "said", "the text may come after an empty frame");
    assert!(reply(&mut connection, "list").await.ends_with("Steve"));
}

#[tokio::test]
async fn a_wrong_id_is_no_answer_and_what_is_late_is_dropped() {
    let (game, mut connection) = game().await;
    game.once("give", Habit::Id(77));
    assert!(matches!(connection.command("give Steve diamond 1", SOON).await, Outcome::Silent));
    game.once("give", Habit::Withheld);
    assert!(matches!(connection.command("give Steve diamond 2", SOON).await, Outcome::Silent));
    game.release_replies();
    assert_eq!(reply(&mut connection, "give Steve diamond 3").await, "Gave 3 [Diamond] to Steve");
    assert_eq!(game.record().ran("give").len(), 3);
}

#[tokio::test]
async fn what_is_not_utf8_is_replaced() {
    let (game, mut connection) = game().await;
    game.once("say", Habit::NotUtf8);
    assert!(reply(&mut connection, "say hi").await.contains('\u{fffd}'));
}

#[tokio::test]
async fn an_expired_login_means_that_the_command_did_not_run() {
    let (game, mut connection) = game().await;
    game.once("give", Habit::Expired);
    assert!(matches!(connection.command("give Steve diamond 1", PATIENCE).await, Outcome::LoginExpired));
    assert!(game.record().ran("give").is_empty());
}

#[tokio::test]
async fn a_connection_that_breaks_tells_whether_anything_was_sent() {
    for habit in [Habit::ClosesBeforeRun, Habit::ClosesAfter(0), Habit::ClosesAfter(15)] {
        let (game, mut connection) = game().await;
        game.once("give", habit);
        let outcome = connection.command("give Steve diamond 1", PATIENCE).await;
        assert!(matches!(outcome, Outcome::Broken(_)), "{outcome:?}");
    }
    let (game, mut connection) = game().await;
    game.stop().await;
    assert!(matches!(connection.command("give Steve diamond 1", PATIENCE).await, Outcome::NotSent));
    assert!(game.record().ran("give").is_empty());
}

#[tokio::test]
async fn hostile_lengths_end_the_connection() {
    for length in [-1, 0, 9, 12_299, i32::MAX] {
        let (game, mut connection) = game().await;
        game.once("say", Habit::Bytes(length.to_le_bytes().to_vec()));
        let outcome = connection.command("say hi", PATIENCE).await;
        assert!(matches!(outcome, Outcome::Broken(Broken::NotRcon(_))), "{length}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_nobody_asked_for_says_nothing_about_the_next_command() {
    let (game, mut connection) = game().await;
    // The login had the first id.
    let frames = [Frame::new(2, REPLY, "said"), Frame::new(REFUSED_ID, COMMAND, "")];
    game.once("say", Habit::Bytes(frames.iter().flat_map(Frame::encode).collect()));
    assert_eq!(reply(&mut connection, "say hi").await, "said");
    assert!(matches!(connection.command("give Steve diamond 1", PATIENCE).await, Outcome::NotSent));
    assert!(game.record().ran("give").is_empty());
}

#[tokio::test]
async fn the_longest_command_goes_out_and_a_longer_one_does_not() {
    let (game, mut connection) = game().await;
    let longest = format!("say {}", "x".repeat(1442));
    reply(&mut connection, &longest).await;
    assert!(matches!(connection.command(&format!("{longest}x"), PATIENCE).await, Outcome::TooLong));
    assert_eq!(game.record().ran("say"), [longest]);
    assert!(game.record().violations.is_empty());
}

#[tokio::test]
async fn a_vote_is_rewarded_on_a_server_that_is_not_ours() {
    let Some(mut script) = python::script("rconx_server.py") else {
        return;
    };
    let mut server = script
        .args(["rconx-password", "Steve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut told = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let port = told.next().unwrap()["port"].as_u64().unwrap();

    let mut rig = Rig::new().await;
    rig.configure("", "", DAILY);
    rig.write_secret("password", "rconx-password");
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let yaml = yaml.replace(&rig.game.address().to_string(), &format!("127.0.0.1:{port}"));
    std::fs::write(rig.path("rewards.yaml"), yaml).unwrap();
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.deliver_vote("e-2", "Alex").await, 204);
    rig.stop().await;
    drop(server.stdin.take());
    server.wait().unwrap();

    let commands = told.map(|line| line["command"].as_str().unwrap().to_owned());
    let ran: Vec<String> = commands.filter(|command| !command.ends_with("list")).collect();
    assert_eq!(
        ran,
        ["say Steve voted for survival", "give Steve minecraft:diamond 3", "say Alex voted for survival"]
    );
}
