//! Days that are bad in one particular way.

use std::time::Duration;

use votive::domain::award::AwardState;
use votive::domain::grant::{Grant, Stage};
use votive::sim::game::Habit;

use crate::api::Weather;
use crate::disk::Loss;
use crate::history::Op;
use crate::life::{Answer, Life};
use crate::{PLAIN, tell};

/// Votes that are rewarded, on both servers.
const VOTES: u8 = 8;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn holds(story: impl AsyncFnOnce(&mut Life) + Send + 'static) {
    tell(0, PLAIN, story).unwrap_or_else(|why| panic!("{why}"));
}

impl Life {
    pub async fn wait(&mut self, ms: u64) {
        self.perform(&Op::Wait { ms }).await;
    }

    pub async fn api_is(&mut self, weather: Weather) {
        self.perform(&Op::Api { weather }).await;
    }

    /// Delivers a vote once, and waits for no answer.
    pub async fn is_delivered(&mut self, vote: u8) {
        self.perform(&Op::Deliver { vote, copies: 1 }).await;
    }

    /// The statuses of all answers so far.
    pub fn statuses(&self) -> Vec<u16> {
        self.answers().iter().map(|Answer { status, .. }| *status).collect()
    }

    async fn all_granted(&mut self) -> bool {
        self.grants().await.iter().all(|grant| grant.plan().is_some() && !grant.is_open())
    }
}

/// Everything that took effect.
fn commands(life: &Life) -> Vec<String> {
    life.effects().into_iter().map(|effect| effect.command).collect()
}

fn in_doubt(grants: &[Grant]) -> usize {
    let awards = grants.iter().filter_map(Grant::plan).flat_map(|plan| &plan.awards);
    awards.filter(|award| matches!(award.state, AwardState::InDoubt { .. })).count()
}

#[test]
fn an_outage_of_the_api_for_ten_hours_loses_nothing_and_does_not_flood_it() {
    holds(async |life| {
        life.api_is(Weather::Down).await;
        for vote in 0..VOTES {
            life.is_delivered(vote).await;
        }
        life.wait(10 * HOUR).await;
        assert_eq!(life.statuses(), [502; VOTES as usize]);
        // Every two minutes, or a little less.
        assert!((300..420).contains(&life.api.asked(0)), "asked {} times", life.api.asked(0));
        life.api_is(Weather::Fine).await;
        life.wait(3 * MINUTE).await;
        assert_eq!(life.grants().await.len(), VOTES as usize);
        assert!(life.all_granted().await, "without another delivery");
    });
}

#[test]
fn an_api_that_asks_for_a_wait_is_not_asked_before_it_is_over() {
    holds(async |life| {
        life.api_is(Weather::Busy(600)).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        life.api_is(Weather::Fine).await;
        life.wait(5 * MINUTE).await;
        // Who delivers again is told at once that it is too early.
        life.is_delivered(0).await;
        life.wait(10).await;
        assert_eq!((life.statuses(), life.api.asked(0)), (vec![502, 502], 1));
        life.wait(4 * MINUTE + 50 * SECOND).await;
        assert_eq!(life.api.asked(0), 1);
        life.wait(10 * SECOND).await;
        assert_eq!(life.api.asked(0), 2);
        assert!(life.all_granted().await);
    });
}

#[test]
fn an_api_that_asks_for_a_day_is_asked_after_an_hour() {
    holds(async |life| {
        life.api_is(Weather::Busy(24 * 60 * 60)).await;
        life.is_delivered(0).await;
        life.wait(HOUR - SECOND).await;
        assert_eq!(life.api.asked(0), 1);
        life.wait(2 * SECOND).await;
        assert_eq!(life.api.asked(0), 2);
    });
}

#[test]
fn a_404_is_final_after_two_minutes_until_the_vote_is_delivered_again() {
    holds(async |life| {
        life.api_is(Weather::Lagging).await;
        life.is_delivered(0).await;
        life.wait(MINUTE).await;
        assert!(matches!(life.grants().await[0].stage, Stage::Received { .. }));
        life.wait(4 * MINUTE).await;
        assert!(matches!(life.grants().await[0].stage, Stage::Refused { .. }));
        let asked = life.api.asked(0);
        life.wait(HOUR).await;
        assert_eq!(life.api.asked(0), asked, "nobody asks for a vote that is refused");
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        assert_eq!((life.statuses(), life.api.asked(0)), (vec![502, 422], asked + 1));
        life.api_is(Weather::Fine).await;
        life.is_delivered(0).await;
        life.wait(SECOND).await;
        assert_eq!(life.statuses(), [502, 422, 204]);
    });
}

#[test]
fn a_clock_that_jumps_a_day_decides_nothing() {
    for hours in [24, -24] {
        holds(async move |life| {
            // Between intent and outcome.
            life.perform(&Op::Befall {
                server: 0,
                command: "give",
                habit: Habit::Lag(Duration::from_secs(2)),
            })
            .await;
            life.is_delivered(0).await;
            life.wait(SECOND).await;
            life.perform(&Op::SetClock { hours }).await;
            life.wait(2 * SECOND).await;
            assert_eq!(life.statuses(), [204]);
            // While the API answers.
            life.api_is(Weather::Slow(2)).await;
            life.is_delivered(1).await;
            life.wait(SECOND).await;
            life.perform(&Op::SetClock { hours: -hours }).await;
            life.wait(2 * SECOND).await;
            assert_eq!(life.statuses(), [204, 204]);
            // Between two attempts: no two minutes have passed since the first 404.
            life.api_is(Weather::Lagging).await;
            life.is_delivered(2).await;
            life.wait(10 * SECOND).await;
            life.perform(&Op::SetClock { hours }).await;
            life.wait(20 * SECOND).await;
            life.api_is(Weather::Fine).await;
            life.wait(MINUTE).await;
            assert!(life.all_granted().await);
            assert_eq!(in_doubt(&life.grants().await), 0);
        });
    }
}

#[test]
fn a_hundred_deliveries_of_each_of_two_votes_in_any_order_and_again_after_a_restart() {
    holds(async |life| {
        for copies in [1, 49, 50] {
            for vote in [0, 4] {
                life.perform(&Op::Deliver { vote, copies }).await;
            }
        }
        life.wait(SECOND).await;
        assert_eq!(life.statuses(), [204; 200]);
        assert_eq!((life.api.asked(0), life.api.asked(4)), (1, 1));
        life.perform(&Op::Kill { steps: 0, loss: Loss::Torn(1) }).await;
        for vote in [4, 0] {
            life.perform(&Op::Deliver { vote, copies: 100 }).await;
        }
        life.wait(SECOND).await;
        assert_eq!(life.statuses(), [204; 400]);
        assert_eq!((life.api.asked(0), life.api.asked(4)), (1, 1));
    });
}

/// A disk that fails, or takes no more, while a command is on its way and others are lined up.
#[test]
fn a_disk_that_fails_in_the_middle_stops_everything_and_loses_nothing() {
    for (trouble, back) in [(Op::Break, true), (Op::Fill, true), (Op::Fill, false)] {
        holds(async move |life| {
            let habit = Habit::Lag(Duration::from_secs(2));
            life.perform(&Op::Befall { server: 0, command: "give", habit }).await;
            for vote in [0, 1, 4] {
                life.is_delivered(vote).await;
            }
            life.wait(SECOND).await;
            life.perform(&trouble).await;
            life.is_delivered(5).await;
            life.wait(3 * SECOND).await;
            assert_eq!(life.statuses(), [503; 4], "nothing is granted without a record");
            let ran = commands(life);
            assert!(ran.iter().any(|command| command.starts_with("give")));
            life.wait(HOUR).await;
            assert_eq!(commands(life), ran, "nothing is sent without a record");
            if back {
                life.perform(&Op::Mend).await;
                assert_eq!(in_doubt(&life.grants().await), 1, "the command that was on its way");
            }
        });
    }
}
