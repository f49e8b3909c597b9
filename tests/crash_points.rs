//! The daemon dies at every named point, and once more on the way back: the game server's own record is the oracle.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use clap::ValueEnum;
use rig::doubt::{Doubt, doubts_in};
use rig::{Daemon, Rig, THANKS, VOTIVE, counters, thanks};
use votive::failpoint::{CRASH_AT, Point};

const VOTES: usize = 3;
const ABORTED: i32 = 6;

/// What a crash leaves in doubt.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Doubts {
    /// Nothing: it was not between an intent and its outcome.
    None,
    /// A step that did not run.
    NotRun,
    /// A step that ran.
    Ran,
    /// A step, if the crash was between an intent and its outcome.
    Perhaps,
}

fn doubts_after(point: Point) -> Doubts {
    match point {
        Point::DeliveryVerified
        | Point::EventRecorded
        | Point::VoteFetched
        | Point::PlanRecorded
        | Point::StepReady
        | Point::ActRecorded
        | Point::AnswerReady
        | Point::LedgerMade
        | Point::LedgerNamed
        | Point::IdentityRaised
        | Point::Drained
        | Point::LedgerClosed => Doubts::None,
        Point::IntentRecorded => Doubts::NotRun,
        Point::ReplyReceived => Doubts::Ran,
        Point::CommandWritten | Point::OutcomeRecorded | Point::CommitBegins | Point::CommitDone => {
            Doubts::Perhaps
        }
    }
}

/// How often a daemon passes a point at least, that issues [`VOTES`] votes.
fn passes(point: Point) -> usize {
    match point {
        Point::LedgerMade
        | Point::LedgerNamed
        | Point::IdentityRaised
        | Point::Drained
        | Point::LedgerClosed => 1,
        // Several times a vote.
        Point::CommandWritten | Point::CommitBegins | Point::CommitDone => 2 * VOTES,
        _ => VOTES,
    }
}

/// Whether the daemon passes it only where there is no ledger yet.
fn is_first_start(point: Point) -> bool {
    matches!(point, Point::LedgerMade | Point::LedgerNamed)
}

/// A daemon that dies when it passes the point the so manieth time.
fn doomed(rig: &Rig, point: Point, time: usize) -> Daemon {
    let name = point.to_possible_value().unwrap().get_name().to_owned();
    let mut command = Command::new("env");
    command.args([format!("{CRASH_AT}={name}:{time}"), VOTIVE.to_owned()]);
    Daemon::spawn(command, &rig.path("rewards.yaml"))
}

/// Runs a daemon that dies when it passes the point the so manieth time, and delivers every vote that is not
/// acknowledged, one after the other. Gives its log; `None` if it came to an orderly end.
async fn crash(rig: &mut Rig, point: Point, time: usize) -> Option<String> {
    let log = match doomed(rig, point, time).listening().await {
        Err(log) => log,
        Ok(daemon) => {
            rig.daemon = Some(daemon);
            deliver(rig, point).await;
            let (status, log) = rig.stop().await;
            if status.success() {
                return None;
            }
            assert_eq!(status.signal(), Some(ABORTED), "{log}");
            log
        }
    };
    assert!(log.ends_with(&format!("crashing at {point:?}")), "{log}");
    Some(log)
}

/// Delivers what is not acknowledged, as long as there is somebody who answers.
async fn deliver(rig: &Rig, point: Point) {
    for number in 0..VOTES {
        let (id, player) = (format!("e-{number}"), format!("P{number}"));
        if rig.platform.record().acknowledged(&id) > 0 {
            continue;
        }
        match rig.deliver(&rig.vote(&id, &player)).await.status {
            None => return,
            // One after the other, so that nothing else is on its way when the daemon dies.
            Some(204) if point == Point::EventRecorded => {
                rig.daemon().log_line(&format!("{{event={id}}}: granted")).await;
            }
            Some(204 | 503) => {}
            other => panic!("{id} is answered with {other:?}"),
        }
    }
}

async fn dies_and_loses_nothing(point: Point, time: usize) -> BTreeSet<bool> {
    let mut rig = Rig::new().await;
    // Only there the event is recorded before the vote is fetched.
    let acknowledge = if point == Point::EventRecorded { "recorded" } else { "granted" };
    rig.configure(&format!("webhook:\n  acknowledge: {acknowledge}"), "    pace: 1000/s", THANKS);
    rig.game.console_command("scoreboard objectives add votes dummy");
    for number in 0..VOTES {
        rig.game.join(&format!("P{number}"));
    }
    if !is_first_start(point) {
        rig.start().await;
        assert!(rig.stop().await.0.success());
    }
    assert!(crash(&mut rig, point, time).await.is_some(), "{point:?} is not passed {time} times");
    // Again on the way back from the first crash, where that leads there.
    let crashes = if crash(&mut rig, point, 1).await.is_some() { 2 } else { 1 };

    rig.start().await;
    deliver(&rig, point).await;
    let doubts: BTreeSet<Doubt> = doubts_in(&rig.daemon().log()).into_iter().collect();
    let ran: BTreeSet<bool> = doubts.iter().map(|doubt| rig.has_run(doubt)).collect();
    assert!(doubts.len() <= crashes, "{doubts:?}");
    match doubts_after(point) {
        Doubts::None => assert!(doubts.is_empty(), "{doubts:?}"),
        Doubts::NotRun => assert_eq!(ran, BTreeSet::from([false]), "{doubts:?}"),
        Doubts::Ran => assert_eq!(ran, BTreeSet::from([true]), "{doubts:?}"),
        Doubts::Perhaps => {}
    }
    for doubt in &doubts {
        assert!(rig.settling(doubt).await, "{doubt:?}");
    }
    deliver(&rig, point).await;

    let (status, log) = rig.stop().await;
    assert!(status.success(), "{log}");
    let backup = rig.votive(&["backup", "-"]).await;
    let counted = counters(&String::from_utf8(backup.stdout).unwrap());
    assert_eq!(counted.len(), 2 * VOTES, "{counted:?}");
    assert!(counted.values().all(|votes| *votes == 1), "{counted:?}");
    let commands: Vec<String> = rig.game.console().into_iter().map(|executed| executed.command).collect();
    for number in 0..VOTES {
        assert!(rig.platform.record().acknowledged(&format!("e-{number}")) > 0, "{log}");
        let mine = thanks(number);
        let ran: Vec<&String> = commands.iter().filter(|command| mine.contains(command)).collect();
        assert_eq!(ran, mine.iter().collect::<Vec<_>>());
    }
    ran
}

#[tokio::test]
async fn a_daemon_that_dies_at_any_point_forgets_nothing_and_does_nothing_twice() {
    // Only operators come by that one; see below.
    for &point in Point::value_variants().iter().filter(|point| **point != Point::ActRecorded) {
        let mut ran = BTreeSet::new();
        for time in 1..=passes(point) {
            println!("{point:?}, time {time}");
            ran.extend(dies_and_loses_nothing(point, time).await);
        }
        let leaves_doubts = doubts_after(point) != Doubts::None;
        assert_eq!(leaves_doubts, !ran.is_empty(), "{point:?}: every kind of crash is tried");
    }
}

/// Has the operator do something, of which nobody is told because the daemon dies, and starts another one.
async fn unheard(rig: &mut Rig, act: &[&str]) {
    assert!(rig.stop().await.0.success());
    rig.daemon = Some(doomed(rig, Point::ActRecorded, 1).listening().await.unwrap());
    assert!(!rig.votive(act).await.status.success(), "{act:?}");
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert_eq!(status.signal(), Some(ABORTED), "{act:?}: {log}");
    rig.start().await;
}

#[tokio::test]
async fn what_an_operator_wanted_holds_although_the_daemon_died_before_it_said_so() {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s", THANKS);
    rig.game.console_command("scoreboard objectives add votes dummy");
    rig.start().await;
    let times = |rig: &Rig, command: &str| {
        rig.game.console().iter().filter(|executed| executed.command == command).count()
    };
    // Its player has been there, and is not any more.
    for player in ["P0", "P1"] {
        rig.game.join(player);
    }
    rig.game.leave("P1");
    let [_, _, gift] = thanks(0);
    let [_, _, cancelled] = thanks(1);
    assert_eq!(rig.deliver_vote("e-0", "P0").await, 204);
    assert_eq!(rig.deliver_vote("e-1", "P1").await, 204);

    unheard(&mut rig, &["cancel", "e-1"]).await;
    rig.game.join("P1");
    assert!(!rig.votive(&["cancel", "e-1"]).await.status.success(), "nothing is left to cancel");
    assert_eq!(rig.deliver_vote("e-1", "P1").await, 204);
    assert_eq!(times(&rig, &cancelled), 0);

    let replay = ["replay", "--server", "survival", "--since", "1d", "--yes"];
    unheard(&mut rig, &replay).await;
    let again = rig.votive(&replay).await;
    assert!(
        again.status.success() && String::from_utf8_lossy(&again.stdout).contains("Left out"),
        "{again:?}"
    );
    rig.until(|record| record.ran(&gift).len() == 2).await;

    unheard(&mut rig, &["pause", "survival"]).await;
    rig.game.join("P2");
    assert_eq!(rig.deliver_vote("e-2", "P2").await, 503);
    unheard(&mut rig, &["resume", "survival"]).await;
    assert_eq!(rig.deliver_vote("e-2", "P2").await, 204);

    unheard(&mut rig, &["retry", "e-1"]).await;
    assert_eq!(rig.deliver_vote("e-1", "P1").await, 204);
    let pruned = ["prune", "--older-than", "0s"];
    unheard(&mut rig, &pruned).await;
    for number in 0..VOTES {
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), &format!("P{number}")).await, 204);
    }
    assert_eq!([&gift, &cancelled].map(|command| times(&rig, command)), [2, 1]);
    assert!(rig.stop().await.0.success());
}
