//! Which civil day a moment belongs to, and which days in a row make a streak.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The days of the owner's players.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Where midnight is theirs.
    pub time_zone: TimeZone,
    /// How many missed days in a row a streak survives.
    pub grace: u32,
}

impl Default for Calendar {
    fn default() -> Self {
        Calendar { time_zone: TimeZone::UTC, grace: 0 }
    }
}

impl Calendar {
    /// The date and the time of day at a moment.
    pub fn civil(&self, at: Timestamp) -> DateTime {
        self.time_zone.to_datetime(at)
    }
}

/// The most runs of days that are remembered; older ones can only matter to votes from before all of these.
const MOST_RUNS: usize = 32;

/// The days on which a player voted: runs without a missed day, in order, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(Vec<Run>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    first: Date,
    last: Date,
}

/// Days in a row, as far as the owner forgives missed ones.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Streak {
    span: Run,
    /// The missed ones not counted.
    days: u32,
}

impl Run {
    fn days(self) -> u32 {
        days_between(self.first, self.last) + 1
    }

    fn contains(self, other: Run) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// From a date to a later one; 0 to an earlier one.
fn days_between(from: Date, to: Date) -> u32 {
    u32::try_from((to - from).get_days()).unwrap_or(0)
}

impl Days {
    /// Adds every day from `first` to `last`.
    pub fn add(&mut self, first: Date, last: Date) {
        let mut added = Run { first, last };
        // A day may close the gap between two runs.
        self.0.retain(|run| {
            let touches =
                days_between(run.last, added.first) <= 1 && days_between(added.last, run.first) <= 1;
            if touches {
                added = Run { first: added.first.min(run.first), last: added.last.max(run.last) };
            }
            !touches
        });
        let place = self.0.partition_point(|run| run.first < added.first);
        self.0.insert(place, added);
        let old = self.0.len().saturating_sub(MOST_RUNS);
        self.0.drain(..old);
    }

    /// How long the streak is that `date` is part of, in days, once it is added; and how long the longest one was that
    /// it is part of without it. Both are the same where the date is not new, or extends nothing.
    pub fn streak_with(&self, date: Date, grace: u32) -> (u32, u32) {
        let mut with = self.clone();
        with.add(date, date);
        let day = Run { first: date, last: date };
        let after = with.streaks(grace).into_iter().find(|streak| streak.span.contains(day));
        let Some(after) = after else { return (0, 0) };
        let parts = self.streaks(grace).into_iter().filter(|streak| after.span.contains(streak.span));
        (after.days, parts.map(|streak| streak.days).max().unwrap_or(0))
    }

    /// The runs, those joined that are at most `grace` missed days apart.
    fn streaks(&self, grace: u32) -> Vec<Streak> {
        let mut streaks: Vec<Streak> = Vec::new();
        for run in &self.0 {
            match streaks.last_mut() {
                Some(streak) if days_between(streak.span.last, run.first) <= grace + 1 => {
                    streak.span.last = run.last;
                    streak.days += run.days();
                }
                _ => streaks.push(Streak { span: *run, days: run.days() }),
            }
        }
        streaks
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn days(list: &[Date]) -> Days {
        let mut days = Days::default();
        list.iter().for_each(|&day| days.add(day, day));
        days
    }

    #[test]
    fn a_streak_goes_over_the_ends_of_months_and_years() {
        let days = days(&[date(2027, 12, 30), date(2027, 12, 31), date(2028, 1, 1)]);
        assert_eq!(days.streak_with(date(2028, 1, 2), 0), (4, 3));
        assert_eq!(days.streak_with(date(2028, 1, 3), 0), (1, 0));
        assert_eq!(days.streak_with(date(2028, 1, 3), 1), (4, 3));
        assert_eq!(days.streak_with(date(2028, 1, 1), 0), (3, 3), "the day is not new");
    }

    #[test]
    fn a_late_vote_joins_what_is_before_and_after_it() {
        let days =
            days(&[date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 4), date(2026, 1, 5), date(2026, 1, 6)]);
        assert_eq!(days.streak_with(date(2026, 1, 3), 0), (6, 3));
        assert_eq!(days.streak_with(date(2026, 1, 3), 1), (6, 5), "they were one streak already");
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let mut days = Days::default();
        for n in 0..100 {
            let day = date(2026, 1, 1).checked_add(jiff::ToSpan::days(2 * n)).unwrap();
            days.add(day, day);
        }
        assert_eq!(days.0.len(), MOST_RUNS);
        assert_eq!(days.streak_with(date(2026, 7, 19), 0), (2, 1));
    }
}
