//! A vote on its way through the real binary: from the delivery to the game, and back as an answer.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use rig::{DAILY, Rig};

#[tokio::test]
async fn a_vote_arrives_in_the_game_and_is_answered_204() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let ran = rig.game.record();
    assert_eq!(ran.ran("say"), ["say Steve voted for survival"]);
    assert_eq!(ran.ran("give"), ["give Steve minecraft:diamond 3"]);
    assert_eq!(rig.has("Steve", "diamond"), 3);
}

/// A hundred deliveries of one vote among those of others, all at once and in no order.
async fn a_hundred_among_others(rig: &Rig) {
    let mut all: Vec<usize> = [vec![0; 100], (1..20).collect(), (1..20).collect()].concat();
    fastrand::Rng::with_seed(1).shuffle(&mut all);
    let mut deliveries = tokio::task::JoinSet::new();
    for number in &all {
        deliveries.spawn(rig.delivering(&rig.vote(&format!("e-{number}"), "Steve")));
    }
    let answers = deliveries.join_all().await;
    let bad: Vec<_> = answers.iter().filter(|answered| answered.status != Some(204)).collect();
    assert!(answers.len() == all.len() && bad.is_empty(), "{bad:?}");
    for number in 0..20 {
        assert_eq!(rig.platform.record().asked(&format!("e-{number}")), 1);
    }
    assert_eq!(rig.has("Steve", "diamond"), 3 * 20);
}

#[tokio::test]
async fn a_hundred_deliveries_at_once_issue_it_once_also_among_others_and_after_a_restart() {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s", DAILY);
    rig.start().await;
    a_hundred_among_others(&rig).await;
    rig.kill().await;
    rig.start().await;
    a_hundred_among_others(&rig).await;
}
