//! Cross-checks with RCON implementations that are not ours: their clients against the simulated game server.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

#[path = "peers/python.rs"]
mod python;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use bytes::BytesMut;
use serde_json::{Value, json};
use votive::rcon::frame::{COMMAND, Frame, LOGIN, REPLY};
use votive::sim::game::{Game, GameOptions, Style};

/// What a client library gets for each command; `None` where this machine cannot run it.
async fn drive(library: &str, game: &Game, password: &str, commands: &[String]) -> Option<Vec<Value>> {
    let mut script = python::script("client.py")?;
    let address = game.address();
    script.args([library, &address.ip().to_string(), &address.port().to_string(), password]);
    let input = commands.iter().map(|command| format!("{command}\n")).collect::<String>();
    // Off this thread, on which the simulated game server runs.
    let output = tokio::task::spawn_blocking(move || {
        let mut child =
            script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A refused login ends the script before it reads; that shows in what it prints.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success(), "{library}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.lines();
    Some(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect())
}

async fn is_understood_by(library: &str, long_replies: bool) {
    let options = GameOptions { style: Style::Paper, ..GameOptions::default() };
    let password = options.password.clone();
    let game = Game::start(options).unwrap();
    game.join("Steve");
    let mut commands: Vec<String> = [
        "list",
        "give Steve minecraft:diamond 5",
        "give Alex diamond",
        "lp user Steve parent add vip",
        "say Привет, 世界",
        "foo Ж",
        // With its line break, exactly one frame.
        "longreply 4095 €",
    ]
    .map(str::to_owned)
    .to_vec();
    commands.push(format!("say {}", "x".repeat(1442)));
    if long_replies {
        commands.push("longreply 4097 ж".to_owned());
        commands.push("longreply 20000 €".to_owned());
    }
    let Some(replies) = drive(library, &game, &password, &commands).await else {
        return;
    };
    let record = game.record();
    assert_eq!((record.console.len(), replies.len()), (commands.len(), commands.len()));
    for ((executed, command), reply) in record.console.iter().zip(&commands).zip(&replies) {
        // Not assert_eq: it would print 20,000 characters.
        assert!(executed.command == *command && *reply == executed.reply, "{library}: {command}");
    }
    assert_eq!(replies[0], "There are 1 of a max of 20 players online: Steve\n");
    assert_eq!(replies[1], "Gave 5 [Diamond] to Steve\n");
    assert_eq!(game.inventory("Steve")["diamond"], 5);
    assert_eq!((record.violations, record.connections, record.refusals), (Vec::new(), 1, 0));

    let refused = drive(library, &game, "wrong", &["list".to_owned()]).await.unwrap();
    assert_eq!(refused, [Value::Null]);
    assert_eq!((game.record().refusals, game.console().len()), (1, replies.len()));
}

#[tokio::test]
async fn mcrcon_understands_the_simulated_game_server() {
    // It takes a pause between two frames for the end of a reply.
    is_understood_by("mcrcon", false).await;
}

#[tokio::test]
async fn aio_mc_rcon_understands_the_simulated_game_server() {
    // It reads one frame for each command.
    is_understood_by("aiomcrcon", false).await;
}

#[tokio::test]
async fn rconx_understands_the_simulated_game_server() {
    is_understood_by("rconx", true).await;
}

/// Reads one frame.
fn frame(socket: &mut TcpStream, received: &mut BytesMut) -> Frame {
    loop {
        if let Some(frame) = Frame::decode(received).unwrap() {
            return frame;
        }
        let mut piece = [0; 4096];
        let length = socket.read(&mut piece).unwrap();
        assert_ne!(length, 0, "closed");
        received.extend_from_slice(&piece[..length]);
    }
}

#[test]
fn the_independent_server_has_the_conventions_that_its_script_names() {
    let Some(mut script) = python::script("rconx_server.py") else {
        return;
    };
    let mut server =
        script.args(["secret", "Steve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let port = u16::try_from(lines.next().unwrap()["port"].as_u64().unwrap()).unwrap();

    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let received = &mut BytesMut::new();
    socket.write_all(&Frame::new(1, LOGIN, "secret").encode()).unwrap();
    assert_eq!(frame(&mut socket, received), Frame::new(1, REPLY, ""));
    assert_eq!(frame(&mut socket, received), Frame::new(1, COMMAND, ""));
    socket.write_all(&Frame::new(2, COMMAND, "give Steve diamond 5").encode()).unwrap();
    assert_eq!(frame(&mut socket, received), Frame::new(2, REPLY, "Gave 5 [Diamond] to Steve"));
    assert_eq!(
        lines.next().unwrap(),
        json!({"command": "give Steve diamond 5", "reply": "Gave 5 [Diamond] to Steve"})
    );
    // 4086 is not a multiple of three: the first frame ends within a character.
    socket.write_all(&Frame::new(3, COMMAND, "longreply 2000 €").encode()).unwrap();
    let pieces = [frame(&mut socket, received), frame(&mut socket, received)].map(|frame| frame.payload);
    assert_eq!((pieces[0].len(), pieces[1].len()), (4086, 6000 - 4086));
    drop(socket);

    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(&Frame::new(1, LOGIN, "wrong").encode()).unwrap();
    assert_eq!(frame(&mut socket, received), Frame::new(1, REPLY, ""));
    assert_eq!(frame(&mut socket, received), Frame::new(-1, COMMAND, ""));
    assert_eq!(socket.read(&mut [0; 1]).unwrap(), 0);

    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}
