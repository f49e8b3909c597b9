//! Several operators at once, each with a process of their own, while votes are delivered and the daemon is killed again and
//! again. The game server's own record is held against what the ledger says in the end.
//!
//! `KILLS=100 SEED=7 cargo test --locked --test operators -- --nocapture` kills it a hundred times. The seed decides about
//! the moments and the acts; what the system does then is its own affair.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rig::doubt::{Doubt, doubts_in};
use rig::{PATIENCE, Rig};
use tokio::task::{JoinSet, yield_now};
use votive::domain::award::{AwardState, Finish, Step};
use votive::domain::grant::{Grant, Stage};
use votive::ledger::{BackupReader, Saved};

/// How many kills there are where nobody says.
const KILLS: u64 = 8;
/// How many votes come between two kills.
const VOTES_OF_A_KILL: usize = 6;
/// The most commands that the game server reads before a kill.
const MOST_COMMANDS: usize = 20;
/// The latest kill after that, in microseconds.
const LATEST: u64 = 20_000;
/// Three commands of which each time can be told from the others; the objectives have to be there.
const THANKS: &str = "
  thanks:
    commands:
      - run: 'scoreboard players add {player} votes 1'
        require_online: false
      - run: 'scoreboard players add {player} wins 1'
        require_online: false
      - 'give {player} minecraft:diamond 1'
";
const REPLAY: [&str; 6] = ["replay", "--server", "survival", "--since", "1d", "--yes"];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// What became of something that was done at the same time as other things.
enum Done {
    Delivered,
    /// An act that came to what was asked.
    Act(Vec<String>),
    Failed,
}

struct Story {
    rig: Rig,
    random: fastrand::Rng,
    votes: usize,
    /// Votes that were cancelled and are never tried again; and, once that was confirmed, how often each of their commands
    /// had run by then.
    doomed: BTreeMap<usize, Option<[usize; 3]>>,
    kills: usize,
}

impl Story {
    async fn new(seed: u64) -> Story {
        let rig = Rig::new().await;
        rig.configure("", "    pace: 1000/s", THANKS);
        for objective in ["votes", "wins"] {
            rig.game.console_command(&format!("scoreboard objectives add {objective} dummy"));
        }
        let random = fastrand::Rng::with_seed(seed);
        Story { rig, random, votes: 0, doomed: BTreeMap::new(), kills: 0 }
    }

    /// How often each command of a vote took effect.
    fn times(&self, number: usize) -> [usize; 3] {
        thanks(number).map(|command| times(&self.rig, &command))
    }

    /// Votes, of which every other one waits for its player, while others are cancelled, tried again, and settled.
    async fn votes_and_acts(&mut self) {
        self.rig.start().await;
        let doubts: BTreeSet<Doubt> = doubts_in(&self.rig.daemon().log()).into_iter().collect();
        let mut work = JoinSet::new();
        for doubt in &doubts {
            for _ in 0..2 {
                let settling = self.rig.settling(doubt);
                work.spawn(async move {
                    settling.await;
                    Done::Delivered
                });
            }
        }
        let first = self.votes;
        // Those of the round before are there by now.
        (0..first).for_each(|number| self.rig.game.join(&format!("P{number}")));
        for number in first..first + VOTES_OF_A_KILL {
            if self.random.bool() {
                self.rig.game.join(&format!("P{number}"));
            }
            let delivering =
                self.rig.delivering(&self.rig.vote(&format!("e-{number}"), &format!("P{number}")));
            work.spawn(async move {
                delivering.await;
                Done::Delivered
            });
        }
        self.votes += VOTES_OF_A_KILL;
        for _ in 0..8 {
            let number = self.random.usize(..self.votes);
            let event = format!("e-{number}");
            let act: Vec<&str> = match self.random.u8(..7) {
                0 | 1 => {
                    if is_doomed(number) {
                        self.doomed.entry(number).or_insert(None);
                    }
                    vec!["cancel", &event]
                }
                2 if !is_doomed(number) => vec!["retry", &event],
                3 => vec!["retry", "--refused"],
                4 => vec!["pause", "survival"],
                5 => vec!["prune", "--older-than", "1h"],
                _ => vec!["resume", "survival"],
            };
            self.act(&mut work, &act);
        }
        self.kill_during(work).await;
    }

    /// The same replay, begun by several.
    async fn replays(&mut self) {
        self.rig.start().await;
        let mut work = JoinSet::new();
        for _ in 0..3 {
            self.act(&mut work, &REPLAY);
        }
        for act in [["pause", "survival"], ["resume", "survival"]] {
            if self.random.bool() {
                self.act(&mut work, &act);
            }
        }
        self.kill_during(work).await;
    }

    /// Has something done by a process of its own.
    fn act(&self, work: &mut JoinSet<Done>, act: &[&str]) {
        let (act, running): (Vec<String>, _) =
            (act.iter().map(|word| (*word).to_owned()).collect(), self.rig.having(act));
        work.spawn(async move { if running.await.status.success() { Done::Act(act) } else { Done::Failed } });
    }

    /// Kills the daemon at some moment in the middle of this.
    async fn kill_during(&mut self, mut work: JoinSet<Done>) {
        let enough = self.rig.game.record().received + self.random.usize(..MOST_COMMANDS);
        let moment = Duration::from_micros(self.random.u64(..LATEST));
        let mut done = Vec::new();
        let all_done = async {
            while let Some(outcome) = work.join_next().await {
                done.push(outcome.unwrap());
                if let Some(Done::Act(act)) = done.last() {
                    confirm(&mut self.doomed, &self.rig, act);
                }
            }
        };
        tokio::select! {
            // While everything waits for players, or the server is paused, no command comes.
            _ = self.rig.until(|record| record.received >= enough) => {}
            () = all_done => {}
        }
        let began = Instant::now();
        while began.elapsed() < moment {
            yield_now().await;
        }
        self.rig.kill().await;
        self.kills += 1;
        while let Some(outcome) = work.join_next().await {
            if let Done::Act(act) = outcome.unwrap() {
                confirm(&mut self.doomed, &self.rig, &act);
            }
        }
    }

    /// Every grant, as the running daemon tells them.
    async fn grants(&self) -> Vec<Grant> {
        let backup = self.rig.votive(&["backup", "-"]).await;
        let saved = BackupReader::new(backup.stdout.as_slice()).unwrap().map(Result::unwrap);
        let vote = |saved| match saved {
            Saved::Vote(record) => Some(record.grant),
            Saved::Counter(_) => None,
        };
        saved.filter_map(vote).collect()
    }

    /// A daemon that nobody kills, all players, and an operator who looks into the console: everything comes to an end.
    async fn heal(&mut self) -> Vec<Grant> {
        (0..self.votes).for_each(|number| self.rig.game.join(&format!("P{number}")));
        self.rig.start().await;
        self.rig.votive(&["resume", "survival"]).await;
        for number in 0..self.votes {
            self.rig.deliver_vote(&format!("e-{number}"), &format!("P{number}")).await;
        }
        // The others are tried again.
        let is_closed = |grant: &&Grant| match grant.plan() {
            Some(plan) => plan.awards.iter().any(|award| award.state == AwardState::Closed),
            None => matches!(grant.stage, Stage::Closed { .. }),
        };
        for grant in self.grants().await.iter().filter(is_closed) {
            let number = grant.event.event_id.strip_prefix("e-").and_then(|number| number.parse().ok());
            if number.is_some_and(|number| !is_doomed(number)) {
                let retried = self.rig.votive(&["retry", &grant.event.event_id]).await;
                assert!(retried.status.code().is_some(), "{retried:?}");
            }
        }
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "it does not come to an end:\n{}", self.rig.daemon().log());
            let grants = self.grants().await;
            let awards = || grants.iter().filter_map(Grant::plan).flat_map(|plan| &plan.awards);
            let at_work = grants.iter().any(|grant| matches!(grant.stage, Stage::Received { .. }))
                || awards().any(|award| matches!(award.state, AwardState::Planned | AwardState::Sending));
            if at_work {
                continue;
            }
            let Some((event, reward, step)) = first_doubt(&grants) else { return grants };
            let times = times(&self.rig, &step.command);
            let known =
                steps(&grants).filter(|known| known.command == step.command && has_run(known)).count();
            let (serial, found) =
                ((step.serial + 1).to_string(), if times > known { "--ran" } else { "--not-run" });
            let settled =
                self.rig.votive(&["resolve", event, "--reward", reward, "--step", &serial, found]).await;
            assert!(settled.status.success(), "{settled:?}");
        }
    }

    /// The game's record says what the ledger says.
    fn check(&self, grants: &[Grant]) {
        for number in 0..self.votes {
            for command in thanks(number) {
                let mine = || steps(grants).filter(|step| step.command == command);
                let (least, in_doubt) = (
                    mine().filter(|step| has_run(step)).count(),
                    mine().filter(|step| step.doubt.is_some()).count(),
                );
                let times = times(&self.rig, &command);
                assert!(
                    (least..=least + in_doubt).contains(&times),
                    "{command} ran {times} times; {least} are known to have, {in_doubt} in doubt were cancelled"
                );
            }
        }
    }
}

/// What [`THANKS`] runs for a vote of the player `P` and this number.
fn thanks(number: usize) -> [String; 3] {
    [
        format!("scoreboard players add P{number} votes 1"),
        format!("scoreboard players add P{number} wins 1"),
        format!("give P{number} minecraft:diamond 1"),
    ]
}

/// How often a command took effect.
fn times(rig: &Rig, command: &str) -> usize {
    let effects = rig.game.console().into_iter().flat_map(|executed| executed.effects);
    effects.filter(|effect| effect == command).count()
}

/// Every other vote is never tried again once it was cancelled.
fn is_doomed(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Notes how far a vote had come whose cancellation is confirmed.
fn confirm(doomed: &mut BTreeMap<usize, Option<[usize; 3]>>, rig: &Rig, act: &[String]) {
    if let [what, event] = act
        && what == "cancel"
    {
        let number: usize = event.strip_prefix("e-").unwrap().parse().unwrap();
        if let Some(known) = doomed.get_mut(&number) {
            // Later ones have nothing left to cancel.
            known.get_or_insert(thanks(number).map(|command| times(rig, &command)));
        }
    }
}

fn steps(grants: &[Grant]) -> impl Iterator<Item = &Step> {
    grants.iter().filter_map(Grant::plan).flat_map(|plan| &plan.awards).flat_map(|award| &award.steps)
}

fn has_run(step: &Step) -> bool {
    matches!(step.finished, Some(Finish::Ran { .. } | Finish::Settled | Finish::Receipt))
}

fn first_doubt(grants: &[Grant]) -> Option<(&str, &str, &Step)> {
    grants.iter().find_map(|grant| {
        let awards = grant.plan()?.awards.iter();
        let award = awards.into_iter().find(|award| matches!(award.state, AwardState::InDoubt { .. }))?;
        Some((grant.event.event_id.as_str(), award.reward.as_str(), award.next_step()?))
    })
}

#[tokio::test]
async fn operators_act_at_once_while_the_daemon_is_killed() {
    let (seed, kills, began) = (number("SEED", 1), number("KILLS", KILLS), Instant::now());
    println!("SEED={seed} KILLS={kills}");
    let mut story = Story::new(seed).await;
    for _ in 0..kills.div_ceil(2) {
        story.votes_and_acts().await;
    }
    let grants = story.heal().await;
    story.check(&grants);
    for number in 0..story.votes {
        let times = story.times(number);
        match story.doomed.get(&number) {
            None => assert_eq!(times, [1; 3], "P{number}"),
            Some(Some(by_then)) => assert_eq!(times, *by_then, "P{number}, after it was cancelled"),
            Some(None) => assert!(times.iter().all(|times| *times <= 1), "P{number}: {times:?}"),
        }
    }
    story.rig.stop().await;

    for _ in 0..kills / 2 {
        story.replays().await;
    }
    story.rig.start().await;
    assert!(story.rig.votive(&["resume", "survival"]).await.status.code().is_some());
    let replayed = story.rig.votive(&REPLAY).await;
    assert!(replayed.status.success(), "{replayed:?}");
    assert!(story.rig.stop().await.0.success());
    let issued: BTreeSet<&str> =
        steps(&grants).filter(|step| has_run(step)).map(|step| step.command.as_str()).collect();
    let replays = story.heal().await;
    story.check(&replays);
    assert!(!issued.is_empty(), "nothing was issued, so nothing is shown");
    for command in issued {
        assert_eq!(times(&story.rig, command), 2, "{command}: once for the vote, and once for its replay");
    }

    let commands = |rig: &Rig| {
        let effects = rig.game.console().into_iter().flat_map(|executed| executed.effects);
        effects.filter(|effect| ["scoreboard", "give"].iter().any(|word| effect.starts_with(word))).count()
    };
    let before = commands(&story.rig);
    let mut work = JoinSet::new();
    for _ in 0..2 {
        story.act(&mut work, &["prune", "--older-than", "1s"]);
    }
    story.kill_during(work).await;
    // Nobody may have got as far as that before the kill.
    story.rig.start().await;
    let pruned = story.rig.votive(&["prune", "--older-than", "0s"]).await;
    assert!(pruned.status.success(), "{pruned:?}");
    story.rig.stop().await;
    let grants = story.heal().await;
    let pruned = grants.iter().filter(|grant| grant.stage == Stage::Pruned).count();
    assert!(pruned > 0, "nothing was pruned, so nothing is shown");
    assert_eq!(commands(&story.rig), before, "what was pruned is not given again");
    println!(
        "{} kills in {:.0?}: {} votes, {} cancelled, {} issued again, {pruned} pruned",
        story.kills,
        began.elapsed(),
        story.votes,
        story.doomed.values().flatten().count(),
        grants.iter().filter(|grant| grant.replays.is_some()).count(),
    );
    assert!(story.rig.stop().await.0.success());
}
