//! The habits of the simulated game server: everything that real ones do and vanilla does not, one by one.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod raw;

use std::time::Duration;

use raw::Raw;
use votive::rcon::frame::{Frame, LOGIN, REFUSED_ID, REPLY};
use votive::sim::game::{Game, GameOptions, Habit, Logins, When};

const PASSWORD: &str = "rcon-password";

fn game() -> Game {
    Game::start(GameOptions::default()).unwrap()
}

/// A game with Steve in it.
fn game_with_steve() -> Game {
    let game = game();
    game.join("Steve");
    game
}

#[tokio::test]
async fn logins_of_servers_that_are_not_vanilla() {
    let game = game();
    game.set_logins(Logins::RefuseAndClose);
    let mut raw = Raw::connect(&game).await;
    assert_eq!(raw.login("wrong").await.id, REFUSED_ID);
    assert_eq!(raw.bytes_until_closed().await, b"");
    Raw::logged_in(&game).await;

    game.set_logins(Logins::Close);
    let mut raw = Raw::connect(&game).await;
    raw.write(&Frame::new(1, LOGIN, "wrong").encode()).await;
    assert_eq!(raw.bytes_until_closed().await, b"");
    Raw::logged_in(&game).await;

    game.set_logins(Logins::Silent);
    let mut raw = Raw::connect(&game).await;
    raw.write(&Frame::new(1, LOGIN, PASSWORD).encode()).await;
    // It has no answer, so the first frame is that of the next one.
    game.until(|record| record.logins == 5).await;
    game.set_logins(Logins::Vanilla);
    raw.write(&Frame::new(2, LOGIN, PASSWORD).encode()).await;
    assert_eq!(raw.frame().await.unwrap().id, 2);
}

#[tokio::test]
async fn silent_commands_run_and_the_next_one_is_answered() {
    let game = game();
    game.always("say", Habit::Silent);
    let mut raw = Raw::logged_in(&game).await;
    raw.send("say hi").await;
    game.until(|record| record.ran("say") == ["say hi"]).await;
    assert!(raw.ask("list").await.starts_with("There are 0"));
    let answered: Vec<bool> = game.console().iter().map(|executed| executed.answered).collect();
    assert_eq!(answered, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_second_frame_has_the_first_ones_id_and_leaves_when_it_is_told_to() {
    let game = game();
    let mut raw = Raw::logged_in(&game).await;
    let second = |when| Habit::SecondFrame("and more".to_owned(), when);

    game.once("say", second(When::AtOnce));
    let id = raw.send("say hi").await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, ""));
    assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, "and more"));

    game.once("say", second(When::BeforeNextReply));
    let id = raw.send("say hi").await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, ""));
    let next = raw.send("say ho").await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, "and more"));
    assert_eq!(raw.frame().await.unwrap(), Frame::new(next, REPLY, ""));

    game.once("say", second(When::After(Duration::from_secs(3))));
    let begun = tokio::time::Instant::now();
    let id = raw.send("say hi").await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, ""));
    assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, "and more"));
    assert!(begun.elapsed() >= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn lag_holds_up_the_command_and_lateness_only_its_reply() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    let begun = tokio::time::Instant::now();
    game.once("give", Habit::Lag(Duration::from_secs(5)));
    raw.send("give Steve diamond").await;
    game.until(|record| record.ran("give").len() == 1).await;
    assert!(begun.elapsed() >= Duration::from_secs(5));
    raw.frame().await.unwrap();

    let begun = tokio::time::Instant::now();
    game.once("give", Habit::Late(Duration::from_secs(5)));
    raw.send("give Steve diamond").await;
    assert!(!game.until(|record| record.ran("give").len() == 2).await.console[1].answered);
    raw.frame().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn a_withheld_reply_waits_for_its_release() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    game.once("give", Habit::Withheld);
    // A release in advance is not one.
    game.release_replies();
    let id = raw.send("give Steve diamond").await;
    let record = game.until(|record| record.ran("give").len() == 1).await;
    assert!(!record.console[0].answered);
    // Others are served in the meantime.
    Raw::logged_in(&game).await.ask("list").await;
    assert!(!game.console()[0].answered);
    game.release_replies();
    assert_eq!(raw.frame().await.unwrap().id, id);
    assert!(game.console()[0].answered);
}

#[tokio::test]
async fn replies_can_have_another_kind_id_text_or_spelling() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    game.once("list", Habit::Kind(2));
    let id = raw.send("list").await;
    let frame = raw.frame().await.unwrap();
    assert_eq!((frame.id, frame.kind), (id, 2));

    game.once("list", Habit::Id(4711));
    raw.send("list").await;
    assert_eq!(raw.frame().await.unwrap().id, 4711);

    game.once("give", Habit::Says("Error executing: give (boom)".to_owned()));
    assert_eq!(raw.ask("give Steve diamond").await, "Error executing: give (boom)");
    assert_eq!(game.inventory("Steve")["diamond"], 1);
    assert_eq!(game.console().last().unwrap().reply, "Gave 1 [Diamond] to Steve");

    game.once("list", Habit::NotUtf8);
    raw.send("list").await;
    assert_eq!(raw.frame().await.unwrap().payload[..4], *b"\xffThe");

    game.once("list", Habit::Bytes(i32::MAX.to_le_bytes().to_vec()));
    game.once("list", Habit::ClosesAfter(4));
    raw.send("list").await;
    assert_eq!(raw.bytes_until_closed().await, i32::MAX.to_le_bytes());
}

#[tokio::test]
async fn a_connection_can_break_before_within_and_after_a_command() {
    let game = game_with_steve();
    for (habit, ran, answer) in [
        (Habit::ClosesBeforeRun, 0, 0),
        (Habit::ClosesAfter(0), 1, 0),
        (Habit::ClosesAfter(3), 2, 3),
        (Habit::ClosesAfter(20), 3, 20),
        (Habit::ClosesAfter(1000), 4, 39),
    ] {
        game.once("give", habit.clone());
        let mut raw = Raw::logged_in(&game).await;
        raw.send("give Steve diamond").await;
        assert_eq!(raw.bytes_until_closed().await.len(), answer, "{habit:?}");
        assert_eq!(game.record().ran("give").len(), ran, "{habit:?}");
        assert_eq!(game.inventory("Steve").get("diamond").copied().unwrap_or(0), ran as u64);
    }
    let answered: Vec<bool> = (game.console().iter()).map(|executed| executed.answered).collect();
    assert_eq!(answered, [false, false, false, true]);
    assert_eq!(Raw::logged_in(&game).await.ask("give Steve diamond").await, "Gave 1 [Diamond] to Steve");
}

#[tokio::test]
async fn an_expired_login_runs_nothing_until_the_next_one() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    game.once("give", Habit::Expired);
    for _ in 0..2 {
        raw.send("give Steve diamond").await;
        assert_eq!(raw.frame().await.unwrap().id, REFUSED_ID);
    }
    assert!(game.console().is_empty());
    raw.login(PASSWORD).await;
    raw.ask("give Steve diamond").await;
    assert_eq!(game.inventory("Steve")["diamond"], 1);
}

#[tokio::test]
async fn habits_end_with_good_behaviour() {
    let game = game();
    let mut raw = Raw::logged_in(&game).await;
    game.always("", Habit::Id(5));
    raw.send("list").await;
    assert_eq!(raw.frame().await.unwrap().id, 5);
    game.behave();
    raw.ask("list").await;
}
