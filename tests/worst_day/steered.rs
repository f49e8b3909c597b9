//! Days on which the operator does something about it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use votive::domain::award::{Award, AwardState, Receipt};
use votive::domain::doubts::Doubts;
use votive::domain::grant::{Grant, Stage};
use votive::intake::{Intake, NotDone};

use crate::api::{NAMELESS, Weather, event};
use crate::disk::Loss;
use crate::history::{Act, Op};
use crate::invariants::is_reward;
use crate::life::Life;
use crate::{PLAIN, RECEIPTS, World, live, operations, tell};
use votive::sim::game::Habit;

const SECOND: u64 = 1_000;
const HOUR: u64 = 60 * 60 * SECOND;
/// Votes for the first game server, of one player.
const FIRST: [u8; 4] = [0, 1, 4, 5];
const REPLAY: Act = Act::Replay { server: 0, minutes: None, again: false };

fn holds(world: World, story: impl AsyncFnOnce(&mut Life) + Send + 'static) {
    tell(0, world, story).unwrap_or_else(|why| panic!("{why}"));
}

impl Life {
    async fn of(&mut self, vote: u8) -> Grant {
        self.grants().await.into_iter().find(|grant| grant.event == event(vote)).unwrap()
    }

    async fn award(&mut self, vote: u8, reward: &str) -> Award {
        let grant = self.of(vote).await;
        grant.plan().unwrap().awards.iter().find(|award| award.reward == reward).unwrap().clone()
    }

    /// How often each command of a reward ran.
    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for effect in self.effects().into_iter().filter(|effect| is_reward(&effect.command)) {
            *times.entry(effect.command).or_default() += 1;
        }
        times
    }

    /// The next gift of the first game server runs, and nobody hears of it.
    async fn break_off(&mut self) {
        let habit = Habit::ClosesAfter(0);
        self.perform(&Op::Befall { server: 0, command: "give", habit }).await;
    }
}

#[test]
fn a_replay_that_is_cut_off_at_any_operation_of_the_disk_is_whole_or_was_not_begun() {
    let deliveries = [0, 1].map(|vote| Op::Deliver { vote, copies: 1 });
    let day: Vec<Op> = deliveries.into_iter().chain([Op::Wait { ms: 5 * SECOND }]).collect();
    let replayed: Vec<Op> = day.iter().cloned().chain([Op::Act { act: REPLAY }]).collect();
    for world in [PLAIN, RECEIPTS] {
        let taken = operations(&replayed, world) - operations(&day, world);
        assert!(taken > 5, "it takes {taken} operations");
        for operations in 0..taken {
            let loss = Loss::Torn(u64::from(operations));
            let mut history = day.clone();
            history.extend([Op::CutAfter { operations, loss }, Op::Act { act: REPLAY }]);
            let outcome = live(&history, world);
            outcome.unwrap_or_else(|why| panic!("cut after {operations}, {world:?}: {why}"));
        }
    }
}

#[test]
fn a_replay_gives_everything_once_more_and_another_one_nothing() {
    for world in [PLAIN, RECEIPTS] {
        holds(world, async |life| {
            for vote in FIRST {
                life.is_delivered(vote).await;
            }
            life.wait(SECOND).await;
            let once = life.times();
            assert!(once.len() >= 24 && once.values().all(|times| *times == 1), "{once:?}");
            for times in [2, 2] {
                life.act(REPLAY).await;
                life.wait(SECOND).await;
                assert!(life.times().values().all(|ran| *ran <= times), "{:?}", life.times());
            }
            // What is passed over is not known to have run.
            let twice = life.times().values().filter(|ran| **ran == 2).count();
            assert!(twice >= 20, "{:?}", life.times());
            life.act(Act::Replay { server: 0, minutes: None, again: true }).await;
            life.wait(SECOND).await;
            assert_eq!(life.times().values().filter(|ran| **ran == 3).count(), twice);
        });
    }
}

#[test]
fn what_was_in_doubt_when_it_was_cancelled_is_in_doubt_again_when_it_is_tried_again() {
    holds(PLAIN, async |life| {
        life.break_off().await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        assert!(matches!(life.award(0, "daily").await.state, AwardState::InDoubt { .. }));
        life.act(Act::Cancel { vote: 0, replay: false }).await;
        life.wait(SECOND).await;
        assert_eq!(life.award(0, "daily").await.state, AwardState::Closed);
        let before = life.times();
        life.act(Act::Retry { vote: 0, replay: false }).await;
        life.wait(SECOND).await;
        assert!(matches!(life.award(0, "daily").await.state, AwardState::InDoubt { .. }));
        assert_eq!(life.times(), before, "the operator is asked first");
    });
}

/// As after a restore, where the step behind one in doubt may have run, too.
#[test]
fn two_operators_who_settle_one_doubt_do_not_settle_the_next() {
    holds(PLAIN, async |life| {
        let befall = |command| Op::Befall { server: 0, command, habit: Habit::ClosesAfter(0) };
        life.perform(&befall("scoreboard")).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        let (intake, ledger) = {
            let process = life.process().await.unwrap();
            (Arc::clone(&process.intake), process.ledger.clone())
        };
        let mut record = ledger.get(&event(0)).unwrap().unwrap();
        let Stage::Planned(plan) = &mut record.grant.stage else { panic!("it is planned") };
        let award = plan.awards.iter_mut().find(|award| award.reward == "score").unwrap();
        assert!(matches!(award.state, AwardState::InDoubt { .. }));
        award.steps[1].doubt = Some("as after a restore".to_owned());
        ledger.put(&record.grant, record.revision).await.unwrap();
        let settle = || async {
            let doubts = Doubts { reward: Some("score"), serial: None, all: false };
            Intake::settle(&intake, &event(0).event_id, doubts, true, 0).await
        };
        let (first, second) = tokio::join!(settle(), settle());
        assert!(matches!(second, Err(NotDone::NotNow(_))), "{second:?}");
        assert_eq!(first.unwrap().next[0].command, "scoreboard players add steve wins 1");
        let award = life.award(0, "score").await;
        assert!(award.steps[0].finished.is_some() && award.steps[1].finished.is_none(), "{award:?}");
        let settled = intake.settle(&event(0).event_id, Doubts::default(), false, 0).await.unwrap();
        assert_eq!(settled.rewards, ["score"]);
    });
}

#[test]
fn a_pause_outlives_the_daemon_and_loses_nothing() {
    for kill in [true, false] {
        holds(PLAIN, async move |life| {
            life.perform(&Op::Act { act: Act::Pause { server: 0 } }).await;
            for vote in [0, 1, 2] {
                life.is_delivered(vote).await;
            }
            life.wait(HOUR).await;
            if kill {
                life.perform(&Op::Kill { steps: 0, loss: Loss::Torn(1) }).await;
            } else {
                life.perform(&Op::Terminate).await;
            }
            life.is_delivered(4).await;
            life.wait(HOUR).await;
            assert!(life.effects_since(0, 0).iter().all(|command| !is_reward(command)));
            assert!(
                life.effects_since(1, 0).iter().any(|command| is_reward(command)),
                "the other one goes on"
            );
            life.act(Act::Resume { server: 0 }).await;
            life.wait(SECOND).await;
            for vote in [0, 1, 2, 4] {
                assert!(!life.of(vote).await.is_open(), "vote {vote}");
            }
        });
    }
}

/// A server that was down when what waited for it was cancelled is not told to be down for ever after.
#[test]
fn what_was_known_of_a_server_that_nobody_needed_any_more_is_forgotten() {
    holds(PLAIN, async |life| {
        life.perform(&Op::Stop { server: 0 }).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        life.act(Act::Cancel { vote: 0, replay: false }).await;
        life.perform(&Op::Start { server: 0 }).await;
        life.wait(HOUR).await;
        life.is_delivered(1).await;
        life.wait(SECOND).await;
        assert_eq!(life.statuses(), [503, 204]);
    });
}

#[test]
fn a_command_that_is_being_made_ready_when_its_server_is_paused_is_not_sent() {
    holds(PLAIN, async |life| {
        let habit = Habit::Lag(Duration::from_secs(5));
        life.perform(&Op::Befall { server: 0, command: "list", habit }).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        life.act(Act::Pause { server: 0 }).await;
        life.wait(HOUR).await;
        assert_eq!(life.times(), BTreeMap::new());
        assert_eq!(life.award(0, "daily").await.state, AwardState::Planned);
        life.act(Act::Resume { server: 0 }).await;
        life.wait(SECOND).await;
        assert!(!life.of(0).await.is_open());
    });
}

#[test]
fn what_is_planned_when_a_server_is_resumed_does_not_overtake_what_waited() {
    holds(PLAIN, async |life| {
        life.act(Act::Pause { server: 0 }).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        for vote in [1, 4, 5] {
            life.is_delivered(vote).await;
        }
        life.act(Act::Resume { server: 0 }).await;
        life.wait(SECOND).await;
        let effects = life.effects();
        let at = |command: &str| effects.iter().position(|effect| effect.command == command).unwrap();
        for younger in ["Steve", "stEve", "StEve"] {
            let (first, later) =
                (at("give steve minecraft:diamond 3"), format!("give {younger} minecraft:diamond 3"));
            assert!(first < at(&later), "{later}");
        }
    });
}

#[test]
fn what_was_pruned_is_not_given_again_and_what_needs_somebody_is_kept() {
    for world in [PLAIN, RECEIPTS] {
        holds(world, async move |life| {
            // Granted, refused, in doubt without a receipt, and waiting.
            life.is_delivered(0).await;
            life.is_delivered(NAMELESS).await;
            life.wait(SECOND).await;
            life.perform(&Op::Leave { player: 1 }).await;
            life.is_delivered(12).await;
            life.perform(&Op::Befall { server: 1, command: "scoreboard", habit: Habit::ClosesAfter(0) })
                .await;
            life.is_delivered(2).await;
            // Until no receipt is left in the game.
            life.wait(9 * 24 * HOUR).await;
            life.is_delivered(1).await;
            life.wait(SECOND).await;
            life.act(Act::Prune { minutes: 0 }).await;
            assert_eq!(life.of(0).await.stage, Stage::Pruned);
            for vote in [NAMELESS, 12] {
                assert_ne!(life.of(vote).await.stage, Stage::Pruned, "vote {vote}");
            }
            let doubt = life.award(2, "score").await;
            assert!(world.receipts || matches!(doubt.state, AwardState::InDoubt { .. }), "{doubt:?}");
            // The game still has its receipts.
            let kept = world.receipts;
            assert_eq!(life.of(1).await.stage != Stage::Pruned, kept);
            let before = life.times();
            life.perform(&Op::Kill { steps: 0, loss: Loss::Nothing }).await;
            life.perform(&Op::Deliver { vote: 0, copies: 3 }).await;
            life.act(Act::Retry { vote: 0, replay: false }).await;
            life.act(REPLAY).await;
            life.wait(SECOND).await;
            assert_eq!(life.statuses()[life.statuses().len() - 3..], [204; 3]);
            let mut after = life.times();
            // The one whose details are still there is issued again.
            after.retain(|command, _| command.contains("steve"));
            assert!(after.iter().all(|(command, times)| before.get(command) == Some(times)), "{after:?}");
        });
    }
}

#[test]
fn a_vote_that_is_cancelled_while_the_api_wants_to_be_left_alone_is_closed_for_everybody() {
    holds(PLAIN, async |life| {
        life.api_is(Weather::Busy(1_800)).await;
        life.is_delivered(0).await;
        life.wait(5 * SECOND).await;
        life.act(Act::Cancel { vote: 0, replay: false }).await;
        life.wait(SECOND).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        assert_eq!(life.statuses(), [502, 204]);
        life.api_is(Weather::Fine).await;
        life.wait(HOUR).await;
        assert_eq!((life.api.asked(0), life.of(0).await.stage), (1, Stage::Closed { vote: None }));
        life.act(Act::Retry { vote: 0, replay: false }).await;
        life.wait(SECOND).await;
        assert!(life.of(0).await.plan().is_some_and(|plan| plan.awards.len() == 4));
    });
}

#[test]
fn what_was_cancelled_is_not_sent_when_the_player_comes() {
    holds(PLAIN, async |life| {
        life.perform(&Op::Leave { player: 0 }).await;
        for vote in [0, 1] {
            life.is_delivered(vote).await;
        }
        life.wait(SECOND).await;
        life.act(Act::Cancel { vote: 0, replay: false }).await;
        life.wait(SECOND).await;
        life.perform(&Op::Join { player: 0 }).await;
        life.wait(HOUR).await;
        let gifts: Vec<String> =
            life.times().into_keys().filter(|command| command.starts_with("give")).collect();
        assert_eq!(gifts, ["give Steve minecraft:diamond 3"]);
    });
}

/// A world that went back lacks what a reward needs, and its replay is refused: no delivery can bring that again.
#[test]
fn a_replay_that_is_tried_again_sends_what_it_had_to_send() {
    holds(crate::COUNTING, async |life| {
        life.perform(&Op::Complete { server: 0 }).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        life.perform(&Op::GoBack { server: 0 }).await;
        life.act(REPLAY).await;
        life.wait(60 * SECOND).await;
        let late = |times: BTreeMap<String, usize>| times["scoreboard players add steve late 1"];
        assert_eq!(late(life.times()), 1);
        life.perform(&Op::Complete { server: 0 }).await;
        let before = life.times();
        life.act(Act::Retry { vote: 0, replay: true }).await;
        life.wait(SECOND).await;
        assert_eq!(late(life.times()), 2);
        let more: Vec<String> = life
            .times()
            .into_iter()
            .filter(|(command, times)| before[command] != *times)
            .map(|(command, _)| command)
            .collect();
        assert_eq!(more, ["scoreboard players add steve late 1"]);
    });
}

#[test]
fn receipts_of_what_was_cancelled_are_taken_out_of_the_game_too() {
    holds(RECEIPTS, async |life| {
        // Announced, and the player is gone when it is sent.
        life.perform(&Op::Befall { server: 0, command: "give", habit: Habit::ClosesBeforeRun }).await;
        life.is_delivered(0).await;
        life.perform(&Op::Leave { player: 0 }).await;
        life.wait(60 * SECOND).await;
        life.act(Act::Cancel { vote: 0, replay: false }).await;
        life.wait(9 * 24 * HOUR).await;
        life.is_delivered(4).await;
        life.wait(60 * SECOND).await;
        let steps: Vec<Receipt> = life.of(0).await.receipts().map(|(_, step)| step.receipt.clone()).collect();
        assert_eq!(steps, [], "none is left in the game");
    });
}
