//! The daemon is killed again and again at random moments, under a load of votes that are delivered until they are
//! acknowledged, while the operator settles what is in doubt by what the game's console says.
//!
//! `KILLS=500 SEED=7 cargo test --locked --test kills -- --nocapture` does it five hundred times. The seed decides
//! about the moments; what the system does then is its own affair.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use rig::doubt::{Doubt, doubts_in};
use rig::{Daemon, Rig, THANKS, VOTIVE, thanks};
use tokio::task::{JoinSet, yield_now};
use votive::sim::platform::Answered;

/// How many kills there are where nobody says.
const KILLS: u64 = 12;
/// How many votes come between two kills.
const VOTES_OF_A_KILL: usize = 6;
/// The most commands that the game server reads before a kill: more than a daemon sends for a handful of votes.
const MOST_COMMANDS: usize = 20;
/// The latest kill after that, in microseconds: a command and its record take about as long.
const LATEST: u64 = 20_000;
/// The latest kill of a daemon that is not waited for until it listens.
const LATEST_OF_A_START: u64 = 60_000;

/// How often everything is delivered in the end until it has to be granted.
const MOST_PASSES: usize = 20;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

struct Story {
    rig: Rig,
    random: fastrand::Rng,
    votes: usize,
    /// Votes that are not acknowledged.
    open: Vec<usize>,
    /// The ids of those that are.
    acknowledged: BTreeSet<String>,
    /// What the daemon calls in doubt.
    doubts: BTreeSet<Doubt>,
    /// Kills since the daemon was last asked for its doubts: not every start lives long enough to be asked.
    kills: usize,
    /// For each doubt, whether its command had run.
    found: Vec<bool>,
}

impl Story {
    async fn new(seed: u64) -> Story {
        let rig = Rig::new().await;
        rig.game.console_command("scoreboard objectives add votes dummy");
        Story {
            rig,
            random: fastrand::Rng::with_seed(seed),
            votes: 0,
            open: Vec::new(),
            acknowledged: BTreeSet::new(),
            doubts: BTreeSet::new(),
            kills: 0,
            found: Vec::new(),
        }
    }

    fn configure(&self, acknowledge: &str) {
        self.rig.configure(&format!("webhook:\n  acknowledge: {acknowledge}"), "    pace: 1000/s", THANKS);
    }

    /// From a start to a kill.
    async fn round(&mut self) {
        let acknowledge = if self.random.bool() { "granted" } else { "recorded" };
        self.configure(acknowledge);
        for _ in 0..VOTES_OF_A_KILL {
            self.rig.game.join(&format!("P{}", self.votes));
            self.open.push(self.votes);
            self.votes += 1;
        }
        if self.random.u8(..8) == 0 {
            self.rig.daemon = Some(Daemon::spawn(Command::new(VOTIVE), &self.rig.path("rewards.yaml")));
            wait(self.random.u64(..LATEST_OF_A_START)).await;
            self.kill().await;
            return;
        }
        self.rig.start().await;
        self.note_doubts();
        self.random.shuffle(&mut self.open);
        let mut work = self.work(&self.open);
        let enough = self.rig.game.record().received + self.random.usize(..MOST_COMMANDS);
        let mut answers = Vec::new();
        let all_done = async {
            while let Some(answered) = work.join_next().await {
                answers.push(answered.unwrap());
            }
        };
        tokio::select! {
            _ = self.rig.until(|record| record.received >= enough) => {}
            () = all_done => {}
        }
        wait(self.random.u64(..LATEST)).await;
        self.kill().await;
        answers.extend(work.join_all().await);
        self.close_acknowledged(answers);
    }

    async fn kill(&mut self) {
        self.rig.kill().await;
        self.kills += 1;
    }

    /// What the daemon calls in doubt after its start. There is one game server, and so a kill interrupts one command at
    /// most.
    fn note_doubts(&mut self) {
        let doubts: BTreeSet<Doubt> = doubts_in(&self.rig.daemon().log()).into_iter().collect();
        let fresh: Vec<&Doubt> = doubts.difference(&self.doubts).collect();
        assert!(fresh.len() <= self.kills, "after {} kills {fresh:?}", self.kills);
        self.kills = 0;
        self.found.extend(fresh.iter().map(|doubt| self.rig.has_run(doubt)));
        self.doubts = doubts;
    }

    /// Delivers these votes and settles every doubt, all at once.
    fn work(&self, votes: &[usize]) -> JoinSet<Option<Answered>> {
        let mut work = JoinSet::new();
        for doubt in &self.doubts {
            let settling = self.rig.settling(doubt);
            work.spawn(async move {
                // A daemon that is killed meanwhile says it again.
                settling.await;
                None
            });
        }
        for number in votes {
            let vote = self.rig.vote(&format!("e-{number}"), &format!("P{number}"));
            let delivering = self.rig.delivering(&vote);
            work.spawn(async move { Some(delivering.await) });
        }
        work
    }

    fn close_acknowledged(&mut self, answers: Vec<Option<Answered>>) {
        let good = answers.into_iter().flatten().filter(Answered::is_acknowledged);
        let good: BTreeSet<String> = good.map(|answered| answered.event_id).collect();
        self.open.retain(|number| !good.contains(&format!("e-{number}")));
        self.acknowledged.extend(good);
    }

    /// What was acknowledged is in the ledger, whether it is delivered again or not.
    async fn check_acknowledged(&self) {
        let votes = self.rig.votive(&["export", "--format", "jsonl"]).await;
        let votes = String::from_utf8(votes.stdout).unwrap();
        let id = |line: &str| {
            let vote: serde_json::Value = serde_json::from_str(line).unwrap();
            vote["event_id"].as_str().unwrap().to_owned()
        };
        let known: BTreeSet<String> = votes.lines().map(id).collect();
        let lost: Vec<&String> = self.acknowledged.difference(&known).collect();
        assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
    }

    /// A daemon that nobody kills brings everything to its end: every vote is delivered until it is granted, those that
    /// were acknowledged before, too.
    async fn heal(&mut self) {
        self.configure("granted");
        self.rig.start().await;
        self.note_doubts();
        self.check_acknowledged().await;
        self.open = (0..self.votes).collect();
        for _ in 0..MOST_PASSES {
            for some in self.open.clone().chunks(100) {
                let answers = self.work(some).join_all().await;
                let answered = |answer: &Option<Answered>| answer.as_ref().and_then(|answer| answer.status);
                let bad =
                    answers.iter().find(|answer| !matches!(answered(answer), None | Some(204 | 503 | 504)));
                assert!(bad.is_none(), "{bad:?}");
                self.doubts.clear();
                self.close_acknowledged(answers);
            }
        }
        assert!(self.open.is_empty(), "{:?} are never granted", self.open);
        let (status, log) = self.rig.stop().await;
        assert!(status.success(), "{log}");
    }

    /// Asks the game server what it ran.
    fn check(&self) {
        let mut ran: BTreeMap<String, usize> = BTreeMap::new();
        for executed in self.rig.game.console() {
            *ran.entry(executed.command).or_default() += 1;
        }
        for number in 0..self.votes {
            for command in thanks(number) {
                let times = ran.get(&command).copied().unwrap_or_default();
                assert_eq!(times, 1, "{command} ran {times} times");
            }
        }
    }
}

/// Waits so many microseconds; the simulated servers go on meanwhile. The runtime's own clock is too coarse for that.
async fn wait(microseconds: u64) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(microseconds) {
        yield_now().await;
    }
}

#[tokio::test]
async fn killed_again_and_again() {
    let (seed, kills, began) = (number("SEED", 1), number("KILLS", KILLS), Instant::now());
    println!("SEED={seed} KILLS={kills}");
    let mut story = Story::new(seed).await;
    for _ in 0..kills {
        story.round().await;
    }
    story.heal().await;
    story.check();
    println!(
        "{kills} kills in {:.0?}: {} votes, {} doubts, of which {} had run; every command ran once",
        began.elapsed(),
        story.votes,
        story.found.len(),
        story.found.iter().filter(|ran| **ran).count(),
    );
}
