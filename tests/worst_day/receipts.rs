//! What becomes of receipts when nobody needs them any more.

use votive::domain::award::{AwardState, Receipt, Step};
use votive::domain::grant::Grant;

use crate::api::event;
use crate::disk::Disk;
use crate::history::Op;
use crate::life::Life;
use crate::{RECEIPTS, invariants, simulated};

/// Longer than receipts stay in the game.
const EIGHT_DAYS: Op = Op::Wait { ms: 8 * 24 * 60 * 60 * 1_000 };
const MINUTE: Op = Op::Wait { ms: 60_000 };

fn steps(grants: &[Grant], vote: u8) -> Vec<Step> {
    let grant = grants.iter().find(|grant| grant.event == event(vote)).unwrap();
    let awards = grant.plan().unwrap().awards.iter();
    awards
        .inspect(|award| assert_eq!(award.state, AwardState::Done))
        .flat_map(|award| award.steps.clone())
        .collect()
}

#[test]
fn receipts_that_nobody_needs_any_more_are_taken_out_of_the_game() {
    simulated(async {
        let mut life = Life::new(Disk::default(), RECEIPTS).await;
        let deliver = |vote| Op::Deliver { vote, copies: 1 };
        let marks = |life: &Life| life.storage(0, "votive:receipts").matches(": 1b").count();
        let are = |steps: Vec<Step>, is: fn(&Receipt) -> bool| {
            steps.iter().filter(|step| is(&step.receipt)).count()
        };
        // Votes for one server, and a daemon that is started anew before the second and not before the third.
        let mut before: Option<u8> = None;
        for (vote, then) in [(0, Op::Terminate), (4, MINUTE), (1, MINUTE)] {
            for op in [deliver(vote), MINUTE] {
                life.perform(&op).await;
            }
            let left = are(steps(&life.grants().await, vote), Receipt::is_in_game);
            assert!(
                left >= 5 && marks(&life) == left,
                "{left} receipts: {}",
                life.storage(0, "votive:receipts")
            );
            if let Some(before) = before.replace(vote) {
                let removed =
                    are(steps(&life.grants().await, before), |receipt| *receipt == Receipt::Removed);
                assert_eq!(removed, left, "of the vote before");
            }
            for op in [EIGHT_DAYS, then] {
                life.perform(&op).await;
            }
        }
        let effects = life.effects().len();
        for op in [deliver(0), deliver(4), deliver(1), MINUTE] {
            life.perform(&op).await;
        }
        assert!(life.answers().iter().all(|answer| answer.status == 204), "{:#?}", life.answers());
        assert_eq!(life.effects().len(), effects, "a redelivery changes nothing, and asks nothing");
        invariants::check(&mut life).await.unwrap();
    });
}
