//! What each way for RCON to fail makes of a vote, through the real binary. A command that is cut in the middle of its
//! write cannot be had on a real socket at will; the simulation of `worst_day` has it.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use rig::Rig;
use rig::doubt::doubts_in;
use votive::sim::game::{Habit, When};

const ONLY_GIVE: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
";

/// What a fault leaves behind.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    /// The vote is granted, and that at once.
    Granted,
    /// Nobody can know whether the command ran.
    InDoubt,
}

async fn rig() -> Rig {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s\n    timeouts: {command: 1s}", ONLY_GIVE);
    rig.start().await;
    // The connection is open and has answered.
    assert_eq!(rig.deliver_vote("before", "Steve").await, 204);
    rig
}

/// Delivers a vote twice, settles a doubt by what the console says, and gives what was left before that, and how often
/// the command ran by then.
async fn what_is_left(rig: &Rig) -> (Left, usize) {
    let delivery = rig.vote("e-1", "Alex");
    rig.game.join("Alex");
    let ran = || rig.game.record().ran("give Alex").len();
    let (answered, ran_then) = (rig.deliver(&delivery).await, ran());
    assert_eq!(rig.deliver(&delivery).await.status, answered.status, "a redelivery changes nothing");
    assert_eq!(ran(), ran_then, "a redelivery changes nothing");
    let left = match answered.status {
        Some(204) => Left::Granted,
        Some(503) => {
            assert!(answered.body.contains("votive resolve e-1"), "{}", answered.body);
            let doubts = doubts_in(&rig.daemon().log_line("in doubt: ").await);
            assert!(rig.settling(&doubts[0]).await);
            Left::InDoubt
        }
        _ => panic!("{answered:?}"),
    };
    assert_eq!(rig.deliver(&delivery).await.status, Some(204));
    assert_eq!(ran(), 1, "in the end it ran once");
    assert_eq!(rig.has("Alex", "diamond"), 1);
    (left, ran_then)
}

#[tokio::test]
async fn each_fault_leaves_a_vote_granted_or_in_doubt_and_never_rewards_it_twice() {
    // A frame that claims more bytes than any server sends.
    let hostile = i32::MAX.to_le_bytes().to_vec();
    for (habit, left, ran) in [
        (Habit::ClosesBeforeRun, Left::InDoubt, 0),
        (Habit::ClosesAfter(0), Left::InDoubt, 1),
        (Habit::ClosesAfter(3), Left::InDoubt, 1),
        (Habit::ClosesAfter(20), Left::InDoubt, 1),
        (Habit::Bytes(hostile), Left::InDoubt, 1),
        (Habit::Silent, Left::InDoubt, 1),
        (Habit::Withheld, Left::InDoubt, 1),
        (Habit::Id(77), Left::InDoubt, 1),
        (Habit::Id(1), Left::InDoubt, 1),
        (Habit::Expired, Left::Granted, 1),
        (Habit::Kind(2), Left::Granted, 1),
        (Habit::Says("x".repeat(4096)), Left::Granted, 1),
        (Habit::Says("ж".repeat(4096)), Left::Granted, 1),
        (Habit::Says("x".repeat(20_000)), Left::Granted, 1),
        (Habit::SecondFrame("No player was found".to_owned(), When::BeforeNextReply), Left::Granted, 1),
    ] {
        println!("{habit:?}");
        let rig = rig().await;
        rig.game.once("give Alex", habit);
        assert_eq!(what_is_left(&rig).await, (left, ran));
    }
}

/// A step that needs nobody is sent without a question before it, so nothing but the connection itself can tell.
#[tokio::test]
async fn a_connection_that_is_cut_before_anything_was_sent_leaves_no_doubt() {
    let mut rig = Rig::new().await;
    let rewards = "
  entry:
    commands:
      - run: 'whitelist add {player}'
        require_online: false
";
    rig.configure("", "    pace: 1000/s", rewards);
    rig.start().await;
    assert_eq!(rig.deliver_vote("before", "Steve").await, 204);
    for number in 0..5 {
        let player = format!("P{number}");
        rig.game.join(&player);
        rig.game.disconnect();
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), &player).await, 204);
        assert_eq!(rig.game.record().ran(&format!("whitelist add {player}")).len(), 1);
    }
    let (_, log) = rig.stop().await;
    assert_eq!(log.matches("NotSent").count(), 5, "{log}");
    assert!(!log.contains("in doubt"), "{log}");
}

/// The question before the gift fails, in each way: the gift waits, and nothing is in doubt.
#[tokio::test]
async fn a_question_that_fails_puts_nothing_in_doubt() {
    for habit in [Habit::ClosesBeforeRun, Habit::ClosesAfter(5), Habit::Silent, Habit::Id(77), Habit::Expired]
    {
        println!("{habit:?}");
        let mut rig = rig().await;
        rig.game.join("Alex");
        rig.game.once("list", habit);
        let delivery = rig.vote("e-1", "Alex");
        assert!(matches!(rig.deliver(&delivery).await.status, Some(204 | 503)));
        rig.until(|record| record.ran("give Alex").len() == 1).await;
        assert_eq!(rig.deliver(&delivery).await.status, Some(204));
        assert_eq!(rig.has("Alex", "diamond"), 1);
        let (_, log) = rig.stop().await;
        assert!(!log.contains("in doubt"), "{log}");
    }
}
