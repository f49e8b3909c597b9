//! The last deliveries, in memory only: what the ledger has no record of can be explained as long as the daemon runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::arrival::{Arrival, Refusals};

/// How many of those are remembered that were refused.
const MOST_REFUSED: usize = 256;
/// How many of those are remembered that the platform has signed.
const MOST_SIGNED: usize = 1024;

/// What is remembered of deliveries. Clones remember the same.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Mutex<Remembered>>);

/// Anybody can send what is refused, so that it must not push out the others.
#[derive(Debug, Default)]
struct Remembered {
    refused: VecDeque<Arrival>,
    signed: VecDeque<Arrival>,
    refusals: u64,
}

impl Arrivals {
    /// Remembers a delivery that was answered.
    pub(super) fn remember(&self, arrival: Arrival) {
        let mut remembered = self.remembered();
        let (arrivals, most) = match arrival.refused() {
            Some(_) => {
                remembered.refusals += 1;
                (&mut remembered.refused, MOST_REFUSED)
            }
            None => (&mut remembered.signed, MOST_SIGNED),
        };
        if arrivals.len() == most {
            arrivals.pop_front();
        }
        arrivals.push_back(arrival);
    }

    /// Every one that says it is about the event with this id, the oldest first.
    pub fn about(&self, event_id: &str) -> Vec<Arrival> {
        let remembered = self.remembered();
        let all = remembered.refused.iter().chain(&remembered.signed);
        let mut arrivals: Vec<Arrival> = all.filter(|arrival| arrival.is_about(event_id)).cloned().collect();
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// Those that were refused.
    pub fn refusals(&self) -> Refusals {
        let remembered = self.remembered();
        Refusals { total: remembered.refusals, last: remembered.refused.back().cloned() }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // No code that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::arrival::{Claim, Kind};

    fn arrival(number: usize, refused: Option<&str>) -> Arrival {
        let claim = Claim { event_id: Some(format!("e-{number}")), event_type: None };
        let at = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
        let kind = refused.map_or(Kind::Vote, |why| Kind::Refused(why.to_owned()));
        Arrival { at, claim, kind, status: 204 }
    }

    #[test]
    fn a_flood_of_forged_deliveries_does_not_push_out_the_good_ones() {
        let arrivals = Arrivals::default();
        arrivals.remember(arrival(0, None));
        for number in 1..=10_000 {
            arrivals.remember(arrival(number, Some("forged")));
        }
        assert_eq!(arrivals.about("e-0"), [arrival(0, None)]);
        assert_eq!(arrivals.refusals().total, 10_000);
        assert_eq!(arrivals.refusals().last, Some(arrival(10_000, Some("forged"))));
    }

    #[test]
    fn of_each_kind_the_last_ones_are_remembered() {
        let arrivals = Arrivals::default();
        for number in 0..=MOST_REFUSED {
            arrivals.remember(arrival(number, Some("forged")));
        }
        for number in 5000..=5000 + MOST_SIGNED {
            arrivals.remember(arrival(number, None));
        }
        let known = |number: usize| !arrivals.about(&format!("e-{number}")).is_empty();
        assert_eq!([0, 1, MOST_REFUSED].map(known), [false, true, true]);
        assert_eq!([5000, 5001, 5000 + MOST_SIGNED].map(known), [false, true, true]);
    }

    #[test]
    fn those_about_one_event_are_in_the_order_of_time() {
        let arrivals = Arrivals::default();
        let at = |number, refused| Arrival { claim: arrival(7, None).claim, ..arrival(number, refused) };
        for (number, refused) in [(1, None), (2, Some("forged")), (3, None)] {
            arrivals.remember(at(number, refused));
        }
        let seconds: Vec<i64> = arrivals.about("e-7").iter().map(|arrival| arrival.at.as_second()).collect();
        assert_eq!(seconds, [1, 2, 3]);
    }
}
