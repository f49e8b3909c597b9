//! Which refused deliveries get a line of their own: anybody can send as many as they like, and the log has to stay
//! readable.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use indicatif::HumanCount;
use tokio::time::Instant;

/// How many get a line of their own within [`PERIOD`].
const OWN_LINES: usize = 5;
/// Within any such time, there are at most so many lines, and one that sums up the rest.
pub(super) const PERIOD: Duration = Duration::from_secs(60);

/// What was told of refused deliveries, and what is still to be told.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// When the last ones got a line of their own; at most [`OWN_LINES`].
    told: VecDeque<Instant>,
    /// The others since the last summary.
    untold: Option<Untold>,
}

/// Deliveries that got no line, by what was wrong with them.
#[derive(Debug)]
struct Untold {
    since: Instant,
    counts: BTreeMap<&'static str, u64>,
}

/// One line about deliveries that got none.
#[derive(Debug, PartialEq)]
pub(super) struct Summary {
    counts: BTreeMap<&'static str, u64>,
    took: Duration,
}

impl Flood {
    /// One more delivery is refused, because of what is wrong with it. Gives whether it gets a line of its own.
    pub(super) fn refused(&mut self, wrong: &'static str, now: Instant) -> bool {
        while self.told.front().is_some_and(|told| now.duration_since(*told) >= PERIOD) {
            self.told.pop_front();
        }
        if self.told.len() < OWN_LINES {
            self.told.push_back(now);
            return true;
        }
        let untold = self.untold.get_or_insert_with(|| Untold { since: now, counts: BTreeMap::new() });
        *untold.counts.entry(wrong).or_default() += 1;
        false
    }

    /// When the next summary is due; `None` where there is nothing to sum up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.untold.as_ref().map(|untold| untold.since + PERIOD)
    }

    /// Takes what is to be summed up, due or not.
    pub(super) fn sum_up(&mut self, now: Instant) -> Option<Summary> {
        let Untold { since, counts } = self.untold.take()?;
        Some(Summary { counts, took: now.duration_since(since) })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.counts.values().sum();
        let (deliveries, were) = if total == 1 { ("delivery", "was") } else { ("deliveries", "were") };
        let seconds = self.took.as_secs_f64().ceil();
        write!(f, "{} more {deliveries} {were} refused within {seconds} s: ", HumanCount(total))?;
        // What there was most of comes first.
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (index, (wrong, count)) in counts.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {wrong}", HumanCount(*count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "with a wrong signature";
    const BODY: &str = "that cannot be read";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn within_any_minute_only_a_handful_get_a_line_of_their_own() {
        let (mut flood, begun) = (Flood::default(), Instant::now());
        // One every second, for ten minutes.
        let told: Vec<u64> = (0..600).filter(|at| flood.refused(SIGNATURE, begun + seconds(*at))).collect();
        for from in 0..600 {
            let within = told.iter().filter(|at| (from..from + 60).contains(*at)).count();
            assert!(within <= OWN_LINES, "{within} from second {from} on");
        }
        assert_eq!(told.len(), 50, "{told:?}");
    }

    #[test]
    fn a_few_now_and_then_all_get_their_lines_and_no_summary() {
        let (mut flood, begun) = (Flood::default(), Instant::now());
        assert!((0..100).all(|number| flood.refused(BODY, begun + seconds(number * 13))));
        assert_eq!((flood.due(), flood.sum_up(begun)), (None, None));
    }

    #[test]
    fn the_rest_is_summed_up_a_minute_after_its_first_by_what_was_wrong() {
        let (mut flood, begun) = (Flood::default(), Instant::now());
        for _ in 0..OWN_LINES {
            assert!(flood.refused(SIGNATURE, begun));
        }
        assert_eq!(flood.due(), None);
        for number in 0..1204 {
            let wrong = if number % 300 == 0 { BODY } else { SIGNATURE };
            assert!(!flood.refused(wrong, begun + seconds(3)));
        }
        assert_eq!(flood.due(), Some(begun + seconds(63)));
        let summary = flood.sum_up(begun + seconds(63)).unwrap();
        assert_eq!(
            summary.to_string(),
            "1,204 more deliveries were refused within 60 s: 1,199 with a wrong signature, 5 that cannot be read"
        );
        assert_eq!((flood.due(), flood.sum_up(begun + seconds(63))), (None, None), "each counts once");
    }

    #[test]
    fn one_is_told_as_one() {
        let (mut flood, begun) = (Flood::default(), Instant::now());
        let own = (0..=OWN_LINES).filter(|_| flood.refused(BODY, begun)).count();
        assert_eq!(own, OWN_LINES);
        let summary = flood.sum_up(begun + Duration::from_millis(1)).unwrap();
        assert_eq!(summary.to_string(), "1 more delivery was refused within 1 s: 1 that cannot be read");
    }
}
