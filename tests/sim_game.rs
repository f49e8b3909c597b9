//! The simulated game server on the wire, held against every rule of `contract/rcon.md` over bare sockets.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod raw;

use std::io::ErrorKind;
use std::time::Duration;

use raw::Raw;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use votive::rcon::frame::{COMMAND, Frame, LOGIN, REFUSED_ID, REPLY};
use votive::sim::game::{Game, GameOptions, Habit, Record, When};

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

fn command(id: i32, text: &str) -> Vec<u8> {
    Frame::new(id, COMMAND, text.to_owned()).encode().to_vec()
}

#[tokio::test]
async fn a_login_is_answered_with_its_id_and_the_kind_of_a_command() {
    let game = game();
    let mut raw = Raw::connect(&game).await;
    raw.write(&Frame::new(7, LOGIN, PASSWORD).encode()).await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(7, COMMAND, ""));
    assert_eq!(raw.ask("list").await, "There are 0 of a max of 20 players online: ");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_may_be_tried_again() {
    let game = game();
    let mut raw = Raw::connect(&game).await;
    for wrong in ["", "wrong", "rcon-passwor", "rcon-password "] {
        assert_eq!(raw.login(wrong).await, Frame::new(REFUSED_ID, COMMAND, ""), "{wrong}");
    }
    assert_ne!(raw.login(PASSWORD).await.id, REFUSED_ID);
    raw.ask("list").await;
    // A failed login ends the good one before it.
    raw.login("wrong").await;
    raw.send("list").await;
    assert_eq!(raw.frame().await.unwrap().id, REFUSED_ID);
    assert_eq!(game.record().refusals, 6);
    game.set_password("new");
    assert_eq!(raw.login(PASSWORD).await.id, REFUSED_ID);
    assert_ne!(raw.login("new").await.id, REFUSED_ID);
}

#[tokio::test]
async fn a_command_before_the_login_is_refused_and_does_not_run() {
    let game = game_with_steve();
    let mut raw = Raw::connect(&game).await;
    raw.send("give Steve diamond").await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(REFUSED_ID, COMMAND, ""));
    assert!(game.console().is_empty());
    assert!(game.inventory("Steve").is_empty());
}

#[tokio::test]
async fn a_reply_has_the_commands_id_and_kind_0() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    for id in [1, i32::MAX, 0, -5] {
        raw.write(&command(id, "say hi")).await;
        assert_eq!(raw.frame().await.unwrap(), Frame::new(id, REPLY, ""));
    }
    raw.write(&Frame::new(9, 0x1a, "list").encode()).await;
    assert_eq!(raw.frame().await.unwrap(), Frame::new(9, REPLY, "Unknown request 1a"));
}

/// Whether what is written leads to a closed connection and a violation, and nothing runs.
async fn is_punished(written: &[u8]) -> String {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    raw.write(written).await;
    assert_eq!(raw.bytes_until_closed().await, b"");
    let record = game.record();
    assert_eq!((record.console.len(), record.received), (0, 0));
    assert_eq!(record.violations.len(), 1);
    record.violations[0].clone()
}

#[tokio::test]
async fn one_read_has_to_hold_exactly_one_frame() {
    let one = command(1, "list");
    assert_eq!(
        is_punished(&[one.clone(), one.clone()].concat()).await,
        "a read of 36 bytes holds a frame that claims 14"
    );
    is_punished(&one[..one.len() - 1]).await;
    is_punished(&one[..12]).await;
    is_punished(&one[..9]).await;
    is_punished(&[one, vec![0]].concat()).await;
    is_punished(b"GET / HTTP/1.1\r\n\r\n").await;
    is_punished(&[0xff; 20]).await;
    // The end marker that some clients send behind a command.
    is_punished(&[command(1, "list"), Frame::new(2, REPLY, "").encode().to_vec()].concat()).await;
}

#[tokio::test]
async fn a_command_has_at_most_1446_bytes() {
    let game = game();
    let mut raw = Raw::logged_in(&game).await;
    assert_eq!(raw.ask(&format!("say {}", "x".repeat(1442))).await, "");
    assert_eq!(raw.ask(&format!("say {}", "ж".repeat(721))).await, "");
    is_punished(&command(1, &format!("say {}", "x".repeat(1443)))).await;
    is_punished(&command(1, &format!("say {}", "x".repeat(4000)))).await;
}

#[tokio::test]
async fn a_frame_in_two_writes_is_closed_after_the_first() {
    let game = game();
    let mut raw = Raw::logged_in(&game).await;
    let frame = command(1, "list");
    raw.write(&frame[..14]).await;
    game.until(|record| !record.violations.is_empty()).await;
    assert_eq!(raw.bytes_until_closed().await, b"");
}

#[tokio::test]
async fn replies_are_cut_at_4096_characters() {
    let game = game();
    let mut raw = Raw::logged_in(&game).await;
    for (length, frames) in [
        (0, vec![0]),
        (1, vec![1]),
        (4095, vec![4095]),
        (4096, vec![4096]),
        (4097, vec![4096, 1]),
        (8192, vec![4096, 4096]),
        (10_000, vec![4096, 4096, 1808]),
    ] {
        for (character, bytes) in [("x", 1), ("ж", 2), ("€", 3)] {
            let id = raw.send(&format!("longreply {length} {character}")).await;
            for expected in &frames {
                let frame = raw.frame().await.unwrap();
                assert_eq!((frame.id, frame.payload.len()), (id, expected * bytes));
            }
        }
    }
    // Nothing is left over.
    assert_eq!(raw.ask("say").await, "Unknown or incomplete command, see below for errorsay<--[HERE]");
}

#[tokio::test]
async fn the_reply_waits_for_the_main_thread() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    game.hold();
    let id = raw.send("give Steve diamond 5").await;
    game.until(|record| record.received == 1).await;
    // Logins do not need the main thread: another one gets through while the command waits.
    Raw::logged_in(&game).await;
    assert!(game.console().is_empty());
    assert!(game.inventory("Steve").is_empty());
    game.release();
    assert_eq!(raw.frame().await.unwrap().id, id);
    assert_eq!(game.inventory("Steve")["diamond"], 5);
    let console = game.console();
    assert_eq!(console[0].command, "give Steve diamond 5");
    assert_eq!(console[0].reply, "Gave 5 [Diamond] to Steve");
    assert!(console[0].answered);
}

#[tokio::test]
async fn two_connections_share_one_reply_buffer() {
    let game = game_with_steve();
    let (mut one, mut two) = (Raw::logged_in(&game).await, Raw::logged_in(&game).await);
    game.hold();
    one.send("give Steve diamond").await;
    game.until(|record| record.received == 1).await;
    two.send("give Steve apple").await;
    game.until(|record| record.received == 2).await;
    game.release();
    let mixed = two.frame().await.unwrap().payload;
    assert_eq!(&mixed[..], b"Gave 1 [Diamond] to SteveGave 1 [Apple] to Steve");
    let console = game.console();
    assert_eq!((console[0].connection, console[1].connection), (1, 2));
    assert_eq!(console[1].reply, "Gave 1 [Apple] to Steve");
}

#[tokio::test]
async fn a_stop_closes_everything_and_a_start_keeps_the_world() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    raw.ask("give Steve diamond 2").await;
    game.hold();
    raw.send("give Steve diamond 40").await;
    game.until(|record| record.received == 2).await;
    game.stop().await;
    assert_eq!(raw.bytes_until_closed().await, b"");
    let refused = TcpStream::connect(game.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    game.stop().await;
    game.release();
    game.start_again().unwrap();
    game.start_again().unwrap();
    let mut raw = Raw::logged_in(&game).await;
    raw.ask("give Steve diamond 1").await;
    // The held command is gone with the server that had read it.
    assert_eq!(game.inventory("steve")["diamond"], 3);
    assert_eq!(game.record().connections, 2);
    game.leave("Steve");
    assert_eq!(raw.ask("list").await, "There are 0 of a max of 20 players online: ");
    assert_eq!(game.inventory("Steve")["diamond"], 3);
}

#[tokio::test]
async fn a_disconnect_leaves_the_port_open() {
    let game = game();
    let mut raw = Raw::logged_in(&game).await;
    game.disconnect();
    assert_eq!(raw.bytes_until_closed().await, b"");
    Raw::logged_in(&game).await.ask("list").await;
}

#[tokio::test]
async fn a_command_runs_although_its_sender_has_gone() {
    let game = game_with_steve();
    let mut raw = Raw::logged_in(&game).await;
    game.hold();
    raw.send("give Steve diamond").await;
    game.until(|record| record.received == 1).await;
    drop(raw);
    game.release();
    game.until(|record| record.ran("give").len() == 1).await;
    assert_eq!(game.inventory("Steve")["diamond"], 1);
}

/// Everything that a conversation with a game is made of: frames, a refusal, habits, a violation at its end.
async fn converse(game: &Game, mut raw: Raw<impl AsyncRead + AsyncWrite + Unpin>) -> (Vec<Frame>, Record) {
    game.join("Steve");
    game.once("say", Habit::SecondFrame("and more".to_owned(), When::After(Duration::ZERO)));
    game.once("give Steve diamond", Habit::Expired);
    let mut frames = vec![raw.login("wrong").await, raw.login(PASSWORD).await];
    for (text, answers) in [
        ("list", 1),
        ("longreply 5000", 2),
        ("say hi", 2),
        ("give Steve diamond", 1),
        ("give Steve diamond", 1),
    ] {
        raw.send(text).await;
        for _ in 0..answers {
            frames.push(raw.frame().await.unwrap());
        }
    }
    frames.push(raw.login(PASSWORD).await);
    raw.send("give Steve diamond").await;
    frames.push(raw.frame().await.unwrap());
    raw.write(&[command(1, "list"), command(2, "list")].concat()).await;
    assert_eq!(raw.bytes_until_closed().await, b"");
    (frames, game.record())
}

#[tokio::test]
async fn a_conversation_in_memory_is_the_one_over_a_socket() {
    let over_a_socket = game();
    let socket = Raw::connect(&over_a_socket).await;
    let (frames, record) = converse(&over_a_socket, socket).await;
    let in_memory = Game::without_port(GameOptions::default());
    let memory = Raw::over(in_memory.connect(64 * 1024).unwrap());
    let (same_frames, same_record) = converse(&in_memory, memory).await;
    assert_eq!(same_frames, frames);
    assert_eq!(format!("{same_record:?}"), format!("{record:?}"));
    assert_eq!((record.connections, record.logins, record.received, record.console.len()), (1, 3, 5, 4));
    assert_eq!((record.refusals, record.violations.len()), (3, 1));
    assert_eq!(in_memory.inventory("Steve")["diamond"], 1);
}

#[tokio::test]
async fn a_server_in_memory_cannot_be_reached_while_it_is_down() {
    // Somebody else has the port, which is no hindrance to a server that does not bind it.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    let game = Game::without_port(GameOptions { port: taken.port(), ..GameOptions::default() });
    assert_eq!(game.address(), taken);
    let mut raw = Raw::over(game.connect(64).unwrap());
    raw.log_in().await;
    game.disconnect();
    assert_eq!(raw.bytes_until_closed().await, b"");
    let mut raw = Raw::over(game.connect(64).unwrap());
    raw.log_in().await;
    game.stop().await;
    assert_eq!(raw.bytes_until_closed().await, b"");
    assert!(game.connect(64).is_none());
    game.start_again().unwrap();
    let mut raw = Raw::over(game.connect(64).unwrap());
    raw.log_in().await;
    raw.ask("list").await;
    assert_eq!(game.record().connections, 3);
}

#[tokio::test]
async fn a_small_buffer_splits_a_write_and_an_answer() {
    let game = Game::without_port(GameOptions::default());
    // As many bytes as the login has: the frame of `list` fits, its reply takes two pieces.
    let mut raw = Raw::over(game.connect(27).unwrap());
    raw.log_in().await;
    assert_eq!(raw.ask("list").await, "There are 0 of a max of 20 players online: ");
    // Nobody reads the second part.
    let command = command(1, "say so many words");
    let written = tokio::time::timeout(Duration::from_secs(10), raw.try_write(&command)).await;
    assert!(written.unwrap().is_err());
    assert_eq!(raw.bytes_until_closed().await, b"");
    assert_eq!(game.record().violations, ["a read of 27 bytes holds a frame that claims 27"]);
    assert_eq!(game.record().received, 1);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_told_in_the_order_in_which_they_came() {
    let game = Game::without_port(GameOptions::default());
    game.always("say", Habit::Withheld);
    let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..20 {
        let mut raw = Raw::over(game.connect(64 * 1024).unwrap());
        raw.log_in().await;
        raw.send("say hi").await;
        let (game, told, read) = (game.clone(), told.clone(), told.clone());
        tokio::spawn(async move {
            game.until(|record| record.console.len() == 20).await;
            told.send(number).unwrap();
        });
        tokio::spawn(async move {
            raw.frame().await.unwrap();
            read.send(100 + number).unwrap();
        });
        // The paused clock goes on once everybody waits.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    game.release_replies();
    let mut all = Vec::new();
    order.recv_many(&mut all, 20).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    order.recv_many(&mut all, 20).await;
    assert_eq!(all, (0..20).chain(100..120).collect::<Vec<_>>());
}
