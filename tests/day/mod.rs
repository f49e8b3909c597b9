//! A daemon in this process, without a socket or a clock on the wall: the real parts from HTTP to RCON, on one thread
//! under simulated time.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its part, and a panic is the report

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use redb::StorageBackend;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use votive::config::{self, Live, Sources};
use votive::dispatch::servers::Servers;
use votive::domain::event::EventKey;
use votive::domain::pause::Pauses;
use votive::domain::signature::sign;
use votive::domain::vote::{ServerRef, Vote};
use votive::http::metrics::{self, Watched};
use votive::http::server::{self, Listener};
use votive::http::test_delivery::TestDeliveries;
use votive::http::webhook;
use votive::intake::Intake;
use votive::ledger::Ledger;
use votive::platform::{FetchError, VoteApi};
use votive::report::Report;
use votive::sim::game::{Game, GameOptions};
use votive::sim::network::SimulatedNetwork;
use votive::surroundings::{BoxFuture, Clock, Surroundings};
use votive::tasks::Tasks;

const TOKEN: &str = "a-token-for-the-simulation";
/// The time at which every day begins.
const START: i64 = 1_790_000_000;
/// So many players vote in turn; the last ones are away unless the test lets them in.
pub const PLAYERS: u64 = 50;
pub const AWAY: std::ops::Range<u64> = 40..50;

const REWARDS: &str = "
gamemonitoring: {signing_token: a-token-for-the-simulation}
webhook: {path: /votes}
servers:
  survival:
    {id: 1, rcon: '127.0.0.1:1', password: rcon-password, rewards: [daily, score, thanks], pace: 1000/s, receipts: auto,
    receipts_keep: 1h}
  creative:
    {id: 2, rcon: '127.0.0.1:2', password: rcon-password, rewards: [daily, typo], pace: 1000/s, receipts: never}
rewards:
  daily:
    commands: ['give {player} minecraft:diamond 1']
  thanks:
    commands: [{run: 'say {player} voted', require_online: false, optional: true}]
  score:
    commands: [{run: 'scoreboard players add {player} votes 1', require_online: false}]
  typo:
    chance: 5%
    commands: ['gvie {player} minecraft:diamond 1']
";

/// What the API tells: the vote with a number is one of the player with the same number, for one server after the other.
/// Now and then it is for a server that nobody has, or the API fails once. It remembers nothing that grows.
#[derive(Debug, Default)]
struct Told {
    failed_last: AtomicU64,
}

pub fn player(number: u64) -> String {
    format!("Player{}", number % PLAYERS)
}

pub fn event(number: u64) -> EventKey {
    EventKey::new("server.vote", &format!("vote-{number}"))
}

impl VoteApi for Told {
    fn vote<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<Vote, FetchError>> {
        let number: u64 = event.event_id.strip_prefix("vote-").unwrap().parse().unwrap();
        let fails = number % 41 == 1 && self.failed_last.swap(number, Ordering::Relaxed) != number;
        let server = if number % 97 == 1 { 99 } else { number % 2 + 1 };
        let vote = Vote {
            nickname: player(number / 2),
            server: ServerRef::Id(server),
            user_id: None,
            created_at: None,
        };
        let failure = FetchError::Temporary { why: "it is down".to_owned(), retry_after: None };
        Box::pin(async move { if fails { Err(failure) } else { Ok(vote) } })
    }
}

/// Where connections come from that are no sockets.
#[derive(Debug)]
struct Door(Mutex<mpsc::UnboundedReceiver<DuplexStream>>);

impl Listener for Door {
    const HALF_CLOSE: bool = true;
    type Stream = DuplexStream;
    type Peer = ();

    async fn next(&self) -> io::Result<(DuplexStream, ())> {
        let stream = self.0.lock().await.recv().await;
        stream.map(|stream| (stream, ())).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

/// Makes a listener, and a way to it.
fn door() -> (Door, mpsc::UnboundedSender<DuplexStream>) {
    let (knock, door) = mpsc::unbounded_channel();
    (Door(Mutex::new(door)), knock)
}

/// A daemon with two game servers, `survival` and `creative`.
pub struct Daemon {
    pub games: [Game; 2],
    pub intake: Arc<Intake>,
    pub ledger: Ledger,
    webhook: mpsc::UnboundedSender<DuplexStream>,
    metrics: mpsc::UnboundedSender<DuplexStream>,
    _directory: TempDir,
}

impl Daemon {
    /// One that runs, with a ledger on `storage`, which `open` makes for a path.
    pub async fn start<S: StorageBackend>(open: impl FnOnce(&PathBuf) -> S) -> Daemon {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rewards.yaml");
        std::fs::write(&path, REWARDS).unwrap();
        let sources = Sources { path, state_dir: None, env: Default::default(), again: false };
        let config = config::load(&sources).config.unwrap_or_else(|problems| panic!("{}", problems[0]));

        let games = [(); 2].map(|()| Game::without_port(GameOptions::default()));
        for game in &games {
            game.console_command("scoreboard objectives add votes dummy");
            (0..PLAYERS)
                .filter(|number| !AWAY.contains(number))
                .for_each(|number| game.join(&player(number)));
        }
        let addresses = config.servers.iter().map(|server| server.rcon.clone());
        let network = SimulatedNetwork::new(addresses.zip(games.iter().cloned()));
        let born = Instant::now();
        let clock = Clock::new(move || Timestamp::from_second(START).unwrap() + born.elapsed());
        let report = Report::default();
        let surroundings = Surroundings {
            clock: clock.clone(),
            api: Arc::<Told>::default(),
            network: Arc::new(network),
            report: report.clone(),
        };

        let (tasks, shutdown) = (Tasks::default(), CancellationToken::new());
        let file = directory.path().join("ledger.redb");
        let ledger = Ledger::on(open(&file), &tasks).unwrap();
        let live = Live::new(config);
        let servers = Servers::new(Pauses::default(), false);
        let parts = (live.clone(), ledger.clone(), servers.clone(), shutdown.clone(), tasks.clone());
        let intake = Intake::start(parts.0, parts.1, surroundings, parts.2, parts.3, parts.4);
        let intake = intake.await.unwrap();
        let watched = Watched::new(
            live.clone(),
            (ledger.clone(), file),
            servers,
            report.metrics().clone(),
            clock,
            shutdown.clone(),
        );
        let (watched, taking_in) = (Arc::new(watched), Arc::clone(&intake));
        let (webhook_door, webhook) = door();
        let (metrics_door, metrics) = door();
        tasks.spawn(server::serve(webhook_door, shutdown.clone(), move |request, ()| {
            webhook::handle(
                request,
                live.clone(),
                Arc::clone(&taking_in),
                report.clone(),
                TestDeliveries::default(),
            )
        }));
        tasks.spawn(server::serve(metrics_door, shutdown, move |request, ()| {
            metrics::handle(request, Arc::clone(&watched))
        }));
        Daemon { games, intake, ledger, webhook, metrics, _directory: directory }
    }

    /// Delivers a vote, to be spawned: the status of the answer.
    pub fn deliver(&self, number: u64) -> impl Future<Output = u16> + Send + use<> {
        self.post(&format!("vote-{number}"), TOKEN)
    }

    /// The same, signed by somebody who does not know the token.
    pub fn forge(&self, number: u64) -> impl Future<Output = u16> + Send + use<> {
        self.post(&format!("forged-{number}"), "another token")
    }

    fn post(&self, id: &str, token: &str) -> impl Future<Output = u16> + Send + use<> {
        let signature = sign(token, &format!("event_id={id}&event_type=server.vote&is_test=false"));
        let body = format!(
            r#"{{"event_id":"{id}","event_type":"server.vote","is_test":false,"signature":"{signature}"}}"#
        );
        let head = format!("POST /votes HTTP/1.1\r\nhost: x\r\ncontent-length: {}", body.len());
        let asking = ask(&self.webhook, format!("{head}\r\nconnection: close\r\n\r\n{body}"));
        async move { asking.await.0 }
    }

    /// What Prometheus reads, to be spawned.
    pub fn scrape(&self) -> impl Future<Output = String> + Send + use<> {
        let asking =
            ask(&self.metrics, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned());
        async move {
            let (status, body) = asking.await;
            assert_eq!(status, 200, "{body}");
            body
        }
    }
}

/// Asks at a door: the status of the answer, and its body.
fn ask(
    door: &mpsc::UnboundedSender<DuplexStream>,
    request: String,
) -> impl Future<Output = (u16, String)> + Send + use<> {
    let (mut ours, theirs) = duplex(64 * 1024);
    door.send(theirs).unwrap();
    async move {
        ours.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
