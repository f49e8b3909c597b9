//! The life of a daemon through a history: the real parts between a simulated disk, API and game servers, on one thread
//! under simulated time.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use votive::config::{self, Config, Live, Sources};
use votive::dispatch::servers::Servers;
use votive::domain::counter::CounterKey;
use votive::domain::grant::Grant;
use votive::domain::reward::ReceiptRule;
use votive::domain::standing::Standing;
use votive::http::webhook;
use votive::intake::Intake;
use votive::ledger::Ledger;
use votive::report::Report;
use votive::sim::game::{Game, GameOptions, Save};
use votive::sim::network::{ORDERLY, SimulatedNetwork};
use votive::surroundings::{Clock, Surroundings};
use votive::tasks::Tasks;

use crate::api::{PLAYERS, PLAYERS_AGAIN, SimulatedApi, UNKNOWN_SERVER, Weather, event};
use crate::disk::{Disk, Loss};
use crate::history::{Act, Op, SERVERS, VOTES};
use crate::model::Counters;
use crate::operator::Operator;
use crate::{Rules, World};

/// An hour heals everything that heals by itself, and no lag lasts as long.
pub const HOUR: Duration = Duration::from_secs(60 * 60);
/// What a delivery may take.
const DEADLINE: Duration = Duration::from_secs(4);
/// How long the daemon takes to stop before it is killed.
const DRAIN: Duration = Duration::from_secs(11);
/// The time at which every history begins.
pub const START: i64 = 1_790_000_000;
/// The most doubts that one fault can leave: each server has one command on its way.
const DOUBTS_OF_A_KILL: usize = SERVERS;

const REWARDS: &str = "
gamemonitoring: {signing_token: a-token-for-the-simulation}
calendar: {time_zone: Europe/Moscow}
servers:
  survival: {id: 1, rcon: '127.0.0.1:1', password: a-password, rewards: REWARDS, pace: 1000/s}
  creative: {id: 2, rcon: '127.0.0.1:2', password: a-password, rewards: REWARDS, pace: 1000/s}
rewards:
  daily:
    commands:
      - 'give {player} minecraft:diamond 3'
      - 'xp add {player} 5 points'
      - {run: 'say {player} voted', require_online: false, optional: true}
  score:
    commands:
      - {run: 'scoreboard players add {player} votes 1', require_online: false}
      - {run: 'scoreboard players add {player} wins 1', require_online: false}
  twice:
    commands:
      - {run: 'xp add {player} 1 points', in_doubt: repeat}
  never-mind:
    commands:
      - {run: 'xp add {player} 2 points', in_doubt: skip}
  gift: {commands: ['give {player} minecraft:diamond 1']}
  late:
    commands: [{run: 'scoreboard players add {player} late 1', require_online: false}]
  second: {every_votes: 2, commands: [COUNT]}
  third: {counts: network, every_votes: 3, commands: [COUNT]}
  marks: {counts: network, milestones: {2: ['xp add {player} 22 points'], 7: ['xp add {player} 77 points']}}
  first: {first_vote: true, commands: [COUNT]}
  today: {limit: 1/day, commands: [COUNT]}
  anywhere: {counts: network, limit: 1/day, commands: [COUNT]}
  streak: {counts: network, streak_days: 3, commands: [COUNT]}
  streaks: {every_streak_days: 2, commands: [COUNT]}
  lucky: {counts: network, chance: 50%, limit: 1/day, commands: [COUNT]}
  box: {one_of: [{weight: 3, commands: ['xp add {player} 33 points']}, 'xp add {player} 44 points']}
";
/// A command that says all that is counted.
const COUNT: &str = "{require_online: false, run: 'scoreboard players add {reward}.{vote_id}.{player}.{votes}.{votes_today}.{votes_month}.{streak}.{date} votes 1'}";

/// What the platform was told about a vote.
#[derive(Clone, Debug)]
pub struct Answer {
    pub vote: u8,
    pub standing: Standing,
    pub status: u16,
}

/// A command that took effect.
#[derive(Clone, Debug)]
pub struct Effect {
    pub command: String,
    /// Whether the world has not forgotten it.
    pub lasts: bool,
}

pub struct Life {
    born: Instant,
    disk: Disk,
    games: Vec<Game>,
    /// Which of them stand still.
    pub held: [bool; SERVERS],
    /// What each saved last, and how long its record was then.
    saves: Vec<(Save, usize)>,
    /// The parts of each server's record that its world has forgotten.
    undone: [Vec<Range<usize>>; SERVERS],
    pub api: Arc<SimulatedApi>,
    network: Arc<SimulatedNetwork>,
    pub config: Arc<Config>,
    pub rules: Rules,
    /// Whether the server that nobody had is one of ours by now.
    pub adopted: bool,
    /// How far the clock on the wall is from the time that has passed, in hours.
    clock: Arc<AtomicI64>,
    clock_was_set: bool,
    /// Whether a world went back in time.
    pub went_back: bool,
    /// Whether the operator has settled a doubt.
    pub resolved: bool,
    /// Whether a game server answered wrongly, or not at all.
    pub misbehaved: bool,
    pub operator: Operator,
    process: Option<Process>,
    answers: Arc<Mutex<Vec<Answer>>>,
    /// How many steps can have come into doubt by now.
    pub most_doubts: usize,
    /// What a cut that is to come leaves of the disk.
    loss: Loss,
}

pub struct Process {
    pub intake: Arc<Intake>,
    pub ledger: Ledger,
    pub servers: Servers,
    pub tasks: Tasks,
    shutdown: CancellationToken,
    session: u64,
}

/// What is read from `rewards.yaml`.
fn configuration(rules: Rules) -> Config {
    let rewards = match rules {
        Rules::None => "[daily, score, twice, never-mind]",
        Rules::Votes => "[gift, late, second, third, marks, first]",
        Rules::Days => "[gift, late, today, anywhere, streak, streaks, lucky, box]",
    };
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("rewards.yaml");
    std::fs::write(&path, REWARDS.replace("REWARDS", rewards).replace("COUNT", COUNT)).unwrap();
    let sources = Sources { path, state_dir: None, env: Default::default(), again: false };
    config::load(&sources).config.unwrap_or_else(|problems| panic!("{}", problems[0]))
}

impl Life {
    /// A life that begins with an empty ledger on `disk`.
    pub async fn new(disk: Disk, world: World) -> Life {
        // A new ledger gets its name only when it is whole, so no fault strikes while it is made.
        let tasks = Tasks::default();
        drop(Ledger::on(disk.attach(), &tasks).unwrap());
        tasks.ended().await;
        static CONFIGS: [OnceLock<Config>; 3] = [const { OnceLock::new() }; 3];
        let config = &CONFIGS[world.rules as usize];
        let mut config = config.get_or_init(|| configuration(world.rules)).clone();
        if !world.receipts {
            config.servers.iter_mut().for_each(|server| server.receipts = ReceiptRule::Never);
        }
        let config = Arc::new(config);
        let options = GameOptions { password: "a-password".to_owned(), ..GameOptions::default() };
        let games: Vec<Game> = (0..SERVERS).map(|_| Game::without_port(options.clone())).collect();
        let addresses = config.servers.iter().map(|server| server.rcon.clone());
        let network = SimulatedNetwork::new(addresses.zip(games.iter().cloned()));
        let mut life = Life {
            born: Instant::now(),
            disk,
            games,
            held: [false; SERVERS],
            saves: Vec::new(),
            undone: Default::default(),
            api: Arc::new(SimulatedApi::new()),
            network: Arc::new(network),
            config,
            rules: world.rules,
            adopted: false,
            clock: Arc::default(),
            clock_was_set: false,
            went_back: false,
            resolved: false,
            misbehaved: false,
            operator: Operator::default(),
            process: None,
            answers: Arc::default(),
            most_doubts: 0,
            loss: Loss::Nothing,
        };
        (0..PLAYERS.len()).for_each(|player| life.join(player));
        for game in &life.games {
            for objective in ["votes", "wins"] {
                game.console_command(&format!("scoreboard objectives add {objective} dummy"));
            }
        }
        life.saves = life.games.iter().map(|game| (game.save(), 0)).collect();
        life
    }

    fn join(&self, player: usize) {
        for game in &self.games {
            game.join(PLAYERS[player]);
            game.join(PLAYERS_AGAIN[player]);
        }
    }

    fn leave(&self, player: usize) {
        for game in &self.games {
            game.leave(PLAYERS[player]);
            game.leave(PLAYERS_AGAIN[player]);
        }
    }

    /// Makes what `late` needs.
    fn complete(&self, server: usize) {
        self.games[server].console_command("scoreboard objectives add late dummy");
    }

    pub fn surroundings(&self) -> Surroundings {
        let (born, hours) = (self.born, Arc::clone(&self.clock));
        let now = move || {
            let passed = SignedDuration::try_from(born.elapsed()).unwrap();
            let set = SignedDuration::from_hours(hours.load(Ordering::Relaxed));
            Timestamp::from_second(START).unwrap() + passed + set
        };
        Surroundings {
            clock: Clock::new(now),
            api: self.api.clone(),
            network: self.network.clone(),
            report: Report::default(),
        }
    }

    /// A daemon that runs, if the disk lets it start.
    pub async fn process(&mut self) -> Option<&Process> {
        self.bury().await;
        if self.process.is_none() {
            self.process = self.start().await;
            self.paused_as_before();
        }
        self.process.as_ref()
    }

    async fn start(&self) -> Option<Process> {
        let (tasks, shutdown) = (Tasks::default(), CancellationToken::new());
        let session = self.disk.session();
        self.api.forget_whom_it_told_to_wait();
        let ledger = Ledger::on(self.disk.attach(), &tasks).ok()?;
        let (live, surroundings) = (Live::new(Arc::clone(&self.config)), self.surroundings());
        let servers = Servers::new(ledger.pauses().ok()?, false);
        let parts = (servers.clone(), shutdown.clone(), tasks.clone());
        let intake = Intake::start(live, ledger.clone(), surroundings, parts.0, parts.1, parts.2);
        Some(Process { intake: intake.await.ok()?, ledger, servers, tasks, shutdown, session })
    }

    /// Clears away a process that was cut off, or that has to stop because its ledger failed.
    async fn bury(&mut self) {
        let Some(process) = &self.process else { return };
        let cut = self.disk.is_cut(process.session);
        let failed = timeout(Duration::ZERO, process.ledger.failed()).await.is_ok();
        if cut || failed {
            self.kill(self.loss).await;
        }
    }

    async fn kill(&mut self, loss: Loss) {
        let Some(process) = self.process.take() else { return };
        // Before anything else: the ledger writes a last time when it is dropped.
        self.disk.cut(loss);
        self.most_doubts += DOUBTS_OF_A_KILL;
        let tasks = process.tasks.clone();
        tasks.kill();
        drop(process);
        tasks.ended().await;
    }

    async fn terminate(&mut self) {
        self.bury().await;
        let Some(process) = self.process.take() else { return };
        let Process { intake, ledger, tasks, shutdown, .. } = process;
        shutdown.cancel();
        drop((intake, ledger));
        if timeout(DRAIN, tasks.ended()).await.is_err() {
            self.most_doubts += DOUBTS_OF_A_KILL;
            tasks.kill();
            tasks.ended().await;
        }
    }

    pub async fn perform(&mut self, op: &Op) {
        match op {
            Op::Deliver { vote, copies } => self.deliver(*vote, *copies).await,
            Op::Rush { first, votes } => {
                for vote in *first..(first + votes).min(VOTES) {
                    self.deliver(vote, 1).await;
                }
            }
            Op::Wait { ms } => sleep(Duration::from_millis(*ms)).await,
            Op::Leave { player } => self.leave(*player),
            Op::Join { player } => self.join(*player),
            Op::Stop { server } => {
                self.most_doubts += 1;
                self.games[*server].stop().await;
            }
            Op::Start { server } => self.games[*server].start_again().unwrap(),
            Op::Disconnect { server } => {
                self.most_doubts += 1;
                self.games[*server].disconnect();
            }
            Op::Hold { server } => {
                // Every command that is sent from now on goes unanswered.
                self.misbehaved = true;
                self.most_doubts = usize::MAX / 2;
                self.held[*server] = true;
                self.games[*server].hold();
            }
            Op::Release { server } => {
                self.held[*server] = false;
                self.games[*server].release();
                self.games[*server].release_replies();
            }
            Op::Narrow { bytes } => {
                self.most_doubts += 1;
                self.network.narrow(*bytes);
            }
            Op::Befall { server, command, habit } => {
                self.misbehaved = true;
                self.most_doubts += 1;
                self.games[*server].once(command, habit.clone());
            }
            Op::Save { server } => {
                let game = &self.games[*server];
                self.saves[*server] = (game.save(), game.console().len());
            }
            Op::GoBack { server } => {
                self.most_doubts += 1;
                self.went_back = true;
                let game = &self.games[*server];
                game.stop().await;
                let (save, length) = &self.saves[*server];
                game.go_back_to(save);
                self.undone[*server].push(*length..game.console().len());
                game.start_again().unwrap();
            }
            Op::Api { weather } => self.api.set(*weather),
            Op::Kill { steps, loss } => {
                for _ in 0..*steps {
                    yield_now().await;
                }
                self.bury().await;
                self.kill(*loss).await;
            }
            Op::CutAfter { operations, loss } => {
                self.loss = *loss;
                self.disk.cut_after(u64::from(*operations));
            }
            Op::Terminate => self.terminate().await,
            Op::Fill => self.disk.fill(),
            Op::Break => self.disk.break_down(),
            Op::Mend => self.disk.mend(),
            Op::SetClock { hours } => {
                self.clock_was_set = true;
                self.clock.fetch_add(*hours, Ordering::Relaxed);
            }
            Op::Adopt => {
                self.terminate().await;
                let mut config = Config::clone(&self.config);
                config.servers[1].ids = vec![2, UNKNOWN_SERVER];
                self.config = Arc::new(config);
                self.adopted = true;
            }
            Op::Complete { server } => self.complete(*server),
            Op::Resolve => {
                self.resolved = true;
                self.resolve().await;
            }
            Op::Act { act } => self.act(*act).await,
        }
    }

    async fn deliver(&mut self, vote: u8, copies: u8) {
        let answers = Arc::clone(&self.answers);
        let Some(process) = self.process().await else { return };
        for _ in 0..copies {
            let (intake, answers) = (Arc::clone(&process.intake), Arc::clone(&answers));
            process.tasks.spawn(async move {
                let standing = intake.deliver(&event(vote), Instant::now() + DEADLINE).await;
                let status = webhook::answer(&event(vote), standing.clone()).status().as_u16();
                answers.lock().unwrap().push(Answer { vote, standing, status });
            });
        }
    }

    /// Everything heals, and an hour goes by.
    ///
    /// # Errors
    /// Where the daemon does not start.
    pub async fn heal(&mut self) -> Result<(), String> {
        self.bury().await;
        self.disk.mend();
        self.loss = Loss::Nothing;
        self.api.set(Weather::Fine);
        self.network.narrow(ORDERLY);
        self.held = [false; SERVERS];
        for game in &self.games {
            // Connections that were made on the bad day are as bad.
            self.most_doubts += 1;
            game.disconnect();
            game.behave();
            game.release();
            game.release_replies();
            game.start_again().unwrap();
        }
        (0..PLAYERS.len()).for_each(|player| self.join(player));
        (0..SERVERS).for_each(|server| self.complete(server));
        self.process().await.ok_or("the daemon does not start on a disk that is well")?;
        for server in 0..SERVERS {
            self.act(Act::Resume { server }).await;
        }
        sleep(HOUR).await;
        Ok(())
    }

    pub async fn settle_everything(&mut self) {
        self.resolve().await;
        sleep(HOUR).await;
    }

    /// Delivers every vote once more, and gives the answers.
    pub async fn deliver_everything(&mut self) -> Vec<Answer> {
        self.answers.lock().unwrap().clear();
        for vote in 0..VOTES {
            self.deliver(vote, 1).await;
        }
        sleep(HOUR).await;
        self.answers()
    }

    /// The grant of every vote that the ledger has.
    pub async fn grants(&mut self) -> Vec<Grant> {
        let Some(process) = self.process().await else { return Vec::new() };
        let records = (0..VOTES).filter_map(|vote| process.ledger.get(&event(vote)).ok().flatten());
        records.map(|record| record.grant).collect()
    }

    /// Every counter that a vote can have changed.
    ///
    /// # Errors
    /// Where the ledger does not tell.
    pub async fn counters(&mut self) -> Result<Counters, String> {
        let process = self.process().await.ok_or("the daemon does not start")?;
        let mut counters = Counters::new();
        for player in PLAYERS.into_iter().chain(PLAYERS_AGAIN) {
            for scope in ["id 1", "id 2", "network"] {
                let key = CounterKey { scope: scope.to_owned(), player: player.to_owned() };
                let (counter, _) = process.ledger.counter(&key).map_err(|error| error.to_string())?;
                counters.insert((scope, player), counter);
            }
        }
        Ok(counters)
    }

    /// How long the record of a game server is.
    pub fn console(&self, server: usize) -> usize {
        self.games[server].console().len()
    }

    /// What took effect on a game server from this place of its record on.
    pub fn effects_since(&self, server: usize, place: usize) -> Vec<String> {
        self.games[server].console().into_iter().skip(place).flat_map(|executed| executed.effects).collect()
    }

    /// The daemon, if it runs.
    pub fn running(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Everything that took effect, on all game servers, in the order of each.
    pub fn effects(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (game, undone) in self.games.iter().zip(&self.undone) {
            for (at, executed) in game.console().into_iter().enumerate() {
                let lasts = !undone.iter().any(|range| range.contains(&at));
                effects.extend(executed.effects.into_iter().map(|command| Effect { command, lasts }));
            }
        }
        effects
    }

    /// What a data storage of a game server holds.
    pub fn storage(&self, server: usize, id: &str) -> String {
        self.games[server].storage(id)
    }

    pub fn has_receipts(&self) -> bool {
        self.config.servers[0].receipts != ReceiptRule::Never
    }

    pub fn clock_was_set(&self) -> bool {
        self.clock_was_set
    }

    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().unwrap().clone()
    }
}
