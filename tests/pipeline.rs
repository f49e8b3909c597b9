//! A vote on its way through the real binary: from the delivery to the game, and back as an answer.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use rig::Rig;

#[tokio::test]
async fn a_vote_arrives_in_the_game_and_is_answered_204() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let ran = rig.game.record();
    assert_eq!(ran.ran("say"), ["say Steve voted for survival"]);
    assert_eq!(ran.ran("give"), ["give Steve minecraft:diamond 3"]);
    assert_eq!(rig.has("Steve", "diamond"), 3);
}

#[tokio::test]
async fn fifty_deliveries_at_once_issue_it_once_and_are_all_answered_204() {
    let rig = Rig::running().await;
    let delivery = rig.vote("e-1", "Steve");
    let mut deliveries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        deliveries.spawn(rig.delivering(&delivery));
    }
    let answers = deliveries.join_all().await;
    assert_eq!(answers.iter().map(|answered| answered.status).collect::<Vec<_>>(), [Some(204); 50]);
    assert_eq!(rig.deliver(&delivery).await.status, Some(204));
    assert_eq!(rig.has("Steve", "diamond"), 3);
    assert_eq!(rig.platform.record().asked("e-1"), 1);
}
