//! The edge of the process: slow and greedy clients, limits of the system, a disk that takes no more.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::process::Command;
use std::time::{Duration, Instant};

use rig::{Daemon, PATIENCE, Rig, VOTIVE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

async fn connect(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.daemon().address()).await.unwrap()
}

/// Runs the daemon under a limit of the shell's `ulimit`.
fn limited(limit: &str) -> Command {
    let mut shell = Command::new("sh");
    // A write beyond the file size limit is an error then, and not the end of the process.
    shell.args(["-c", &format!("trap '' XFSZ; ulimit {limit}; exec \"$@\""), "sh", VOTIVE]);
    shell
}

#[tokio::test]
async fn clients_that_stall_are_cut_off_and_hold_up_nobody() {
    let rig = Rig::running().await;
    let began = Instant::now();
    let mut stalled = JoinSet::new();
    let body = "POST /gamemonitoring-webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    for start in ["", "P", "POST /gamemonitoring-webhook HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n\r", body] {
        for _ in 0..10 {
            let mut stream = connect(&rig).await;
            stream.write_all(start.as_bytes()).await.unwrap();
            stalled.spawn(async move {
                let mut answer = Vec::new();
                // Whether it is closed or reset is all the same.
                let _ = stream.read_to_end(&mut answer).await;
                String::from_utf8(answer).unwrap()
            });
        }
    }
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert!(began.elapsed() < Duration::from_secs(8), "a good delivery waited for the stalled ones");
    let answers = timeout(PATIENCE, stalled.join_all()).await.expect("a stalled connection was left open");
    assert_eq!(answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 408")).count(), 10, "{answers:?}");
}

#[tokio::test]
async fn clients_that_trickle_are_cut_off_as_well() {
    let rig = Rig::running().await;
    let body = "POST /gamemonitoring-webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 10000\r\n\r\n";
    let mut trickling = JoinSet::new();
    for start in ["GET /healthz HTTP/1.1\r\nx: ", body] {
        let mut stream = connect(&rig).await;
        trickling.spawn(async move {
            stream.write_all(start.as_bytes()).await.unwrap();
            let mut trickle = tokio::time::interval(Duration::from_millis(100));
            let mut answer = [0; 1024];
            loop {
                tokio::select! {
                    // An answer, an end or a reset: the client is cut off.
                    _ = stream.read(&mut answer) => return,
                    _ = trickle.tick() => drop(stream.write_all(b"x").await),
                }
            }
        });
    }
    timeout(Duration::from_secs(15), trickling.join_all()).await.expect("a trickle kept a connection open");
}

#[tokio::test]
async fn a_vote_that_comes_when_there_is_no_file_descriptor_left_is_recorded_and_granted_later() {
    let mut rig = Rig::new().await;
    rig.start_as(limited("-n 48")).await;
    let body = String::from_utf8(rig.vote("e-1", "Steve").body()).unwrap();
    // It is inside before the crowd comes.
    let mut first = connect(&rig).await;
    first
        .write_all(b"POST /gamemonitoring-webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n")
        .await
        .unwrap();
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(connect(&rig).await);
    }
    rig.daemon().log_line("cannot accept a connection").await;
    first.write_all(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, first.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("no redelivery needed"), "{answer}");
    drop(crowd);
    rig.until(|record| record.ran("give").len() == 1).await;
}

#[tokio::test]
async fn too_few_file_descriptors_pause_the_door_and_nothing_else() {
    let mut rig = Rig::new().await;
    rig.start_as(limited("-n 48")).await;
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(connect(&rig).await);
    }
    rig.daemon().log_line("cannot accept a connection").await;
    drop(crowd);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
}

#[tokio::test]
async fn garbage_on_the_wire_is_answered_or_closed() {
    let rig = Rig::running().await;
    let long_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200));
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(40_000));
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
        &long_header,
        &many_headers,
        &long_path,
    ] {
        let mut stream = connect(&rig).await;
        // It may close before it has read everything.
        let _ = stream.write_all(garbage.as_bytes()).await;
        let mut answer = Vec::new();
        let _ =
            timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection was left open");
    }
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
}

#[tokio::test]
async fn a_ledger_that_takes_no_more_stops_everything_and_loses_nothing() {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s", rig::DAILY);
    rig.start().await;
    rig.stop().await;
    let size = std::fs::metadata(rig.path("state/ledger.redb")).unwrap().len();
    // In blocks of 512 bytes, as the standard has it: what it has now, and a little.
    rig.start_as(limited(&format!("-f {}", size / 512 + 8))).await;
    let (mut acknowledged, mut refused) = (Vec::new(), None);
    for number in 0..20_000 {
        let answered = rig.deliver(&rig.vote(&format!("e-{number}"), "Away")).await;
        match answered.status {
            Some(204) => acknowledged.push(number),
            other => {
                refused = Some((number, other, answered.body));
                break;
            }
        }
    }
    let (number, status, body) = refused.expect("the ledger never filled up");
    assert_eq!(status, Some(503), "{body}");
    assert!(body.contains("deliver again"), "{body}");
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("state/ledger.redb: the ledger cannot be read or written"), "{log}");
    assert!(log.contains("Votive has stopped so that nothing is issued without a record"), "{log}");
    assert!(rig.game.record().ran("give").is_empty());

    rig.start().await;
    assert_eq!(rig.deliver_vote(&format!("e-{number}"), "Away").await, 204);
    rig.game.join("Away");
    let votes = acknowledged.len() + 1;
    rig.until(|record| record.ran("give Away").len() >= votes).await;
    assert_eq!(rig.has("Away", "diamond"), 3 * votes as u64);
}

#[tokio::test]
async fn a_record_that_nobody_can_read_ends_the_daemon_with_its_reason() {
    let mut rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    rig.stop().await;
    let path = rig.path("state/ledger.redb");
    let newer = Record { v: 2, revision: 1, grant: "from the future" };
    store(&path, "server.vote\0e-1", &serde_json::to_vec(&newer).unwrap());
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let answered = rig.deliver(&rig.vote("e-1", "Steve")).await;
    assert_eq!(answered.status, Some(503), "{}", answered.body);
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("newer Votive"), "{log}");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() {
    let mut rig = Rig::new().await;
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 2>/dev/full", "sh", VOTIVE]);
    rig.daemon = Some(Daemon::spawn(shell, &rig.path("rewards.yaml")));
    let args = ["test-vote", "--player", "Steve", "--server", "survival"];
    // Its log cannot say when it is ready, but its socket does.
    let began = Instant::now();
    while !rig.votive(&args).await.status.success() {
        assert!(began.elapsed() < PATIENCE, "the daemon never answered");
    }
    assert_eq!(rig.has("Steve", "diamond"), 3);
    rig.game.leave("Steve");
    assert!(rig.votive(&args).await.status.success());
}

#[derive(serde::Serialize)]
struct Record {
    v: u32,
    revision: u64,
    grant: &'static str,
}

/// Puts bytes into the ledger of a daemon that is stopped.
fn store(path: &std::path::Path, key: &str, bytes: &[u8]) {
    let grants: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("grants");
    let database = redb::Database::open(path).unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(grants).unwrap().insert(key.as_bytes(), bytes).unwrap();
    writing.commit().unwrap();
}
