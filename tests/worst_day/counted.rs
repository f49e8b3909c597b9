//! Days on which it is hard to count.

use std::collections::BTreeSet;

use votive::domain::grant::{Grant, Stage};
use votive::domain::plan::Plan;

use crate::api::{HOMELESS, Weather, event};
use crate::disk::Loss;
use crate::history::Op;
use crate::life::Life;
use crate::{COUNTING, DATED, PLAIN, World, tell};

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;

fn holds(world: World, story: impl AsyncFnOnce(&mut Life) + Send + 'static) {
    tell(0, world, story).unwrap_or_else(|why| panic!("{why}"));
}

impl Life {
    async fn votes(&mut self, scope: &'static str) -> u64 {
        self.counters().await.unwrap()[&(scope, "steve")].votes.total
    }

    async fn grant(&mut self, vote: u8) -> Option<Grant> {
        self.grants().await.into_iter().find(|grant| grant.event == event(vote))
    }

    async fn plan(&mut self, vote: u8) -> Plan {
        self.grant(vote).await.unwrap().plan().unwrap().clone()
    }
}

fn earned(plan: &Plan, reward: &str) -> bool {
    plan.verdicts.iter().any(|verdict| verdict.reward == reward && verdict.applies)
}

#[test]
fn two_votes_in_one_instant_are_the_ninth_and_the_tenth() {
    holds(COUNTING, async |life| {
        for vote in 0..8 {
            life.is_delivered(vote).await;
            life.wait(SECOND).await;
        }
        assert_eq!(life.votes("network").await, 8);
        for vote in [10, 11] {
            life.is_delivered(vote).await;
        }
        life.wait(SECOND).await;
        let plans = [life.plan(10).await, life.plan(11).await];
        assert_eq!(plans[0].planned_at, plans[1].planned_at, "both were planned in one instant");
        let counts = plans.each_ref().map(|plan| plan.count.network.votes);
        assert_eq!(BTreeSet::from(counts), BTreeSet::from([9, 10]));
        let third = plans.each_ref().map(|plan| earned(plan, "third"));
        assert_eq!(third, counts.map(|count| count == 9), "only the ninth is a third vote");
        assert_eq!((life.votes("network").await, life.votes("id 2").await), (10, 6));
    });
}

/// Of two votes of a day that are planned in one instant, one gets what is given once a day.
#[test]
fn two_votes_in_one_instant_share_the_limit_of_a_day() {
    holds(DATED, async |life| {
        for vote in [2, 4] {
            life.is_delivered(vote).await;
        }
        life.wait(SECOND).await;
        let plans = [life.plan(2).await, life.plan(4).await];
        assert_eq!(plans[0].voted_at.date(), plans[1].voted_at.date());
        assert_eq!(plans.iter().filter(|plan| earned(plan, "anywhere")).count(), 1);
        assert_eq!(plans.iter().filter(|plan| earned(plan, "today")).count(), 2, "each on its own server");
    });
}

#[test]
fn a_vote_whose_daemon_dies_between_plan_and_answer_counts_once() {
    let mut in_between = 0;
    for steps in 0..100 {
        let (told, heard) = std::sync::mpsc::channel();
        holds(PLAIN, async move |life| {
            life.is_delivered(0).await;
            life.perform(&Op::Kill { steps, loss: Loss::Nothing }).await;
            let unanswered = life.answers().is_empty();
            let planned = life.grant(0).await.is_some_and(|grant| grant.plan().is_some());
            told.send(unanswered && planned).unwrap();
            for _ in 0..2 {
                life.perform(&Op::Deliver { vote: 0, copies: 3 }).await;
                life.wait(SECOND).await;
                assert_eq!((life.votes("network").await, life.votes("id 1").await), (1, 1));
            }
        });
        in_between += usize::from(heard.recv().unwrap());
    }
    assert!(in_between > 0, "no kill came between plan and answer");
}

/// What was refused by the game is planned anew, and that is no second vote.
#[test]
fn a_reward_that_comes_with_a_redelivery_does_not_count_again() {
    holds(COUNTING, async |life| {
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        let refused = life.plan(0).await;
        life.perform(&Op::Complete { server: 0 }).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        let given = life.plan(0).await;
        assert_eq!(life.statuses(), [422, 204]);
        assert_ne!(refused.awards, given.awards);
        assert_eq!(refused.count, given.count);
        assert_eq!((life.votes("network").await, life.votes("id 1").await), (1, 1));
    });
}

#[test]
fn a_vote_for_an_unknown_server_counts_when_it_is_planned() {
    holds(COUNTING, async |life| {
        for vote in [HOMELESS, HOMELESS, 2, 3] {
            life.is_delivered(vote).await;
            life.wait(SECOND).await;
        }
        assert!(matches!(life.grant(HOMELESS).await.unwrap().stage, Stage::Refused { .. }));
        assert_eq!((life.votes("network").await, life.votes("id 2").await), (2, 2));
        life.perform(&Op::Adopt).await;
        for _ in 0..2 {
            life.is_delivered(HOMELESS).await;
            life.wait(SECOND).await;
            assert_eq!(life.plan(HOMELESS).await.count.server.votes, 3, "those that came later were faster");
            assert_eq!((life.votes("network").await, life.votes("id 2").await), (3, 3));
        }
    });
}

/// Two of the votes are made during the outage, and the platform does not say when.
#[test]
fn an_outage_of_two_days_breaks_no_streak() {
    holds(DATED, async |life| {
        life.api_is(Weather::Down).await;
        for vote in [0, 2] {
            life.is_delivered(vote).await;
        }
        for vote in [3, 11] {
            life.wait(DAY).await;
            life.is_delivered(vote).await;
        }
        life.wait(10 * SECOND).await;
        assert_eq!(life.votes("network").await, 0);
        life.api_is(Weather::Fine).await;
        life.wait(180 * SECOND).await;
        let mut plans = Vec::new();
        for vote in [2, 0, 3, 11] {
            plans.push(life.plan(vote).await);
        }
        let first = plans[0].voted_at.date();
        let days = plans.iter().map(|plan| (plan.voted_at.date() - first).get_days());
        assert_eq!(days.collect::<Vec<_>>(), [0, 1, 2, 3], "the days of the votes, not of the plans");
        assert_eq!(plans.iter().map(|plan| plan.count.network.streak).max(), Some(4));
        assert_eq!(plans.iter().filter(|plan| earned(plan, "streak")).count(), 1);
    });
}
