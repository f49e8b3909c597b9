//! A reload gives a game server another address in the middle of everything: then two workers know of the same awards. On
//! one thread under simulated time, so that what happens at one moment happens there again.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use votive::config::{self, Config, Live, Sources};
use votive::dispatch::servers::Servers;
use votive::domain::event::EventKey;
use votive::domain::pause::Pauses;
use votive::domain::standing::Standing;
use votive::domain::vote::{ServerRef, Vote};
use votive::intake::Intake;
use votive::ledger::Ledger;
use votive::platform::{FetchError, VoteApi};
use votive::report::Report;
use votive::sim::game::{Game, GameOptions, Habit, Record};
use votive::sim::network::SimulatedNetwork;
use votive::surroundings::{BoxFuture, Clock, Surroundings};
use votive::tasks::Tasks;

const PLAYERS: [&str; 3] = ["Steve", "Alex", "Noor"];
const MINUTE: Duration = Duration::from_secs(60);
/// The votes are rewarded within as many steps of the runtime.
const MOMENTS: usize = 150;

/// The vote of every event is one of the player with the same name, for the server 1 unless the name is followed by
/// another's number: `Steve:2`.
#[derive(Debug)]
struct Told;

impl VoteApi for Told {
    fn vote<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<Vote, FetchError>> {
        let (nickname, id) = event.event_id.split_once(':').unwrap_or((&event.event_id, "1"));
        let (nickname, server) = (nickname.to_owned(), ServerRef::Id(id.parse().unwrap()));
        Box::pin(async move { Ok(Vote { nickname, server, user_id: None, created_at: None }) })
    }
}

/// The configurations in which the server is at the one address, and at the other.
fn configured(receipts: &str) -> [Config; 2] {
    [1, 2].map(|port| config_of(&server(1, port, receipts)))
}

/// The entry of one server.
fn server(id: u8, port: u8, receipts: &str) -> String {
    format!(
        "
  server-{id}:
    {{id: {id}, rcon: '127.0.0.1:{port}', password: rcon-password, rewards: [daily], pace: 1000/s,
    receipts: {receipts}, receipts_keep: 1h}}"
    )
}

fn config_of(servers: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rewards.yaml");
    let yaml = format!(
        "
gamemonitoring: {{signing_token: a-token-for-the-simulation}}
servers:{servers}
rewards:
  daily:
    commands:
      - 'give {{player}} minecraft:diamond 1'
      - 'xp add {{player}} 5 points'
      - {{run: 'scoreboard players add {{player}} votes 1', require_online: false}}
"
    );
    std::fs::write(&path, yaml).unwrap();
    let sources = Sources { path, state_dir: None, env: Default::default(), again: false };
    config::load(&sources).config.unwrap_or_else(|problems| panic!("{}", problems[0]))
}

/// Two game servers of which the daemon is to know one at a time, and the daemon.
struct World {
    games: [Game; 2],
    configs: [Config; 2],
    intake: Arc<Intake>,
}

impl World {
    async fn new(configs: [Config; 2]) -> World {
        let games = [(); 2].map(|()| Game::without_port(GameOptions::default()));
        for game in &games {
            PLAYERS.iter().for_each(|player| game.join(player));
            game.console_command("scoreboard objectives add votes dummy");
        }
        let addresses = configs.iter().map(|config| config.servers[0].rcon.clone());
        let network = SimulatedNetwork::new(addresses.zip(games.iter().cloned()));
        let born = Instant::now();
        let clock = Clock::new(move || Timestamp::UNIX_EPOCH + born.elapsed());
        let surroundings = Surroundings {
            clock,
            api: Arc::new(Told),
            network: Arc::new(network),
            report: Report::default(),
        };
        let tasks = Tasks::default();
        let ledger = Ledger::on(redb::backends::InMemoryBackend::new(), &tasks).unwrap();
        let live = Live::new(configs[0].clone());
        let (servers, shutdown) = (Servers::new(Pauses::default(), false), CancellationToken::new());
        let intake = Intake::start(live, ledger, surroundings, servers, shutdown, tasks).await.unwrap();
        World { games, configs, intake }
    }

    /// Delivers the vote of a player, to be spawned.
    fn deliver(&self, player: &str) -> impl Future<Output = Standing> + Send + use<> {
        let (intake, event) = (Arc::clone(&self.intake), EventKey::new("server.vote", player));
        async move { intake.deliver(&event, Instant::now() + MINUTE).await }
    }

    fn move_to(&self, game: usize) {
        assert_eq!(self.intake.reload(self.configs[game].clone()).unwrap(), 0);
    }

    /// How often a command took effect, in both games together.
    fn times(&self, command: &str) -> usize {
        self.games.iter().map(|game| game.record().took_effect(command).len()).sum()
    }

    async fn until_received(&self, game: usize, commands: usize) {
        let received = self.games[game].until(|record| record.received >= commands);
        timeout(MINUTE, received).await.expect("the game was not asked");
    }
}

/// Lets every task that is ready take one step. Only in a task of its own: what a test itself does is looked at after
/// dozens of steps of others.
async fn step() {
    let mut asked = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn commands(player: &str) -> [String; 3] {
    [
        format!("give {player} minecraft:diamond 1"),
        format!("xp add {player} 5 points"),
        format!("scoreboard players add {player} votes 1"),
    ]
}

#[tokio::test(start_paused = true)]
async fn of_two_workers_that_have_the_same_step_in_line_one_sends_it() {
    let world = World::new(configured("never")).await;
    let [old, new] = &world.games;
    old.hold();
    new.hold();
    let first = tokio::spawn(world.deliver("Steve"));
    // The first worker asks, and is not answered; so does the second after the reload.
    world.until_received(0, 1).await;
    world.move_to(1);
    world.until_received(1, 1).await;
    for command in ["give", "xp", "scoreboard"] {
        old.once(command, Habit::Withheld);
    }
    old.release();
    // Now one of its steps is on the wire to the old address; which, is its own business.
    let sent = old.until(|record| record.console.iter().any(|executed| !executed.command.contains("list")));
    timeout(MINUTE, sent).await.unwrap();
    new.release();
    sleep(MINUTE / 6).await;
    old.release_replies();
    sleep(MINUTE / 6).await;
    assert_eq!(first.await.unwrap(), Standing::Granted);
    for command in commands("Steve") {
        assert_eq!(world.times(&command), 1, "{command}");
    }
    assert!(!new.record().ran("give").is_empty(), "the rest goes to the new address");
}

/// It was announced to both games, and sent to one.
#[tokio::test(start_paused = true)]
async fn the_mark_of_another_game_does_not_tell_what_became_of_a_step() {
    let world = World::new(configured("auto")).await;
    let [old, new] = &world.games;
    let ran = |record: &Record, command: &str| !record.took_effect(command).is_empty();
    old.once("data modify", Habit::Withheld);
    let answer = tokio::spawn(world.deliver("Steve"));
    timeout(MINUTE, old.until(|record| ran(record, "data modify"))).await.unwrap();
    old.stop().await;
    new.once("scoreboard", Habit::Withheld);
    world.move_to(1);
    timeout(MINUTE, new.until(|record| ran(record, "scoreboard"))).await.unwrap();
    new.stop().await;
    old.start_again().unwrap();
    world.move_to(0);
    sleep(MINUTE).await;
    assert_eq!(world.times("scoreboard"), 1);
    answer.await.unwrap();
    assert_eq!(world.deliver("Steve").await, Standing::InDoubt("server-1".to_owned()));
}

/// Two servers are at one address, and one of them moves away.
#[tokio::test(start_paused = true)]
async fn receipts_are_taken_away_for_the_servers_that_are_still_there() {
    let together = config_of(&(server(1, 1, "auto") + &server(2, 1, "auto")));
    let apart = config_of(&(server(1, 2, "auto") + &server(2, 1, "auto")));
    let world = World::new([together, apart]).await;
    let marks = || world.games[0].storage("votive:receipts").matches(": 1b").count();
    for vote in ["Alex", "Steve:2"] {
        assert_eq!(world.deliver(vote).await, Standing::Granted);
    }
    assert_eq!(marks(), 6);
    world.move_to(1);
    sleep(120 * MINUTE).await;
    assert_eq!(world.deliver("Noor:2").await, Standing::Granted);
    sleep(MINUTE).await;
    assert_eq!(marks(), 6, "Steve's are gone, Noor's are new, and Alex's are for whoever has the server now");
}

/// What one history is like: after so many steps of the runtime the server is moved, and after so many more back.
#[derive(Clone, Copy, Debug)]
struct Moves {
    moment: usize,
    back_after: usize,
    /// Whose connections break in the same moment.
    breaks: Option<usize>,
}

impl Moves {
    /// Three votes meet the moves. Gives the world, and what the deliveries learnt within a minute.
    async fn play(self, configs: [Config; 2]) -> (World, [Standing; 3]) {
        let world = World::new(configs).await;
        let deliveries = PLAYERS.map(|player| tokio::spawn(world.deliver(player)));
        for (game, steps) in [(1, self.moment), (0, self.back_after), (1, 3)] {
            for _ in 0..steps {
                step().await;
            }
            if let Some(breaks) = self.breaks {
                world.games[breaks].disconnect();
            }
            world.move_to(game);
        }
        sleep(MINUTE).await;
        let [one, two, three] = deliveries;
        let standings = [one.await.unwrap(), two.await.unwrap(), three.await.unwrap()];
        (world, standings)
    }
}

#[tokio::test(start_paused = true)]
async fn whenever_a_server_moves_each_command_runs_once() {
    let mut both = 0;
    for receipts in ["never", "auto"] {
        let configs = configured(receipts);
        for moment in 0..MOMENTS {
            for back_after in [moment % 3, 40] {
                let moves = Moves { moment, back_after, breaks: None };
                let (world, standings) = tokio::spawn(moves.play(configs.clone())).await.unwrap();
                assert_eq!(standings, [const { Standing::Granted }; 3], "{receipts}, {moves:?}");
                for command in PLAYERS.iter().flat_map(|player| commands(player)) {
                    assert_eq!(world.times(&command), 1, "{receipts}, {moves:?}: {command}");
                }
                both += usize::from(world.games.iter().all(|game| !game.record().ran("").is_empty()));
            }
        }
    }
    assert!(both > 200, "only {both} histories were of two addresses");
}

/// A mark of another game proves nothing: what was announced there and sent here stays in doubt instead of being sent
/// again.
#[tokio::test(start_paused = true)]
async fn whenever_a_server_moves_and_connections_break_no_command_runs_twice() {
    let mut doubts = 0;
    for receipts in ["never", "auto"] {
        let configs = configured(receipts);
        for moment in 0..MOMENTS {
            for (back_after, breaks) in [(moment % 3, 0), (9 + moment % 20, moment % 2)] {
                let moves = Moves { moment, back_after, breaks: Some(breaks) };
                let (world, _) = tokio::spawn(moves.play(configs.clone())).await.unwrap();
                for player in PLAYERS {
                    let times = commands(player).map(|command| world.times(&command));
                    match world.deliver(player).await {
                        Standing::Granted => assert_eq!(times, [1; 3], "{receipts}, {moves:?}, {player}"),
                        Standing::InDoubt(_) => {
                            doubts += 1;
                            assert!(
                                times.iter().all(|times| *times <= 1),
                                "{receipts}, {moves:?}, {player}: {times:?}"
                            );
                        }
                        other => panic!("{receipts}, {moves:?}, {player}: {other:?}"),
                    }
                }
            }
        }
    }
    assert!(doubts > 50, "only {doubts} awards came into doubt");
}
