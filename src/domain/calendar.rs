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

/// The most runs of days that are remembered one by one.
const MOST_RUNS: usize = 32;

/// The days on which a player voted: runs in order, apart from each other. Of the latest, none has a missed day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(Vec<Run>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    first: Date,
    last: Date,
    /// How many days between the two are none of its days: only where runs were joined to save space.
    #[serde(default, skip_serializing_if = "is_zero")]
    missed: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Days in a row, as far as the owner forgives missed ones.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Streak {
    span: Run,
    /// The missed ones not counted.
    days: u32,
}

impl Run {
    fn new(first: Date, last: Date) -> Run {
        Run { first, last, missed: 0 }
    }

    fn days(self) -> u32 {
        (days_between(self.first, self.last) + 1).saturating_sub(self.missed)
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
        let mut added = Run::new(first, last);
        // A day may close the gap between two runs.
        self.0.retain(|run| {
            let touches =
                days_between(run.last, added.first) <= 1 && days_between(added.last, run.first) <= 1;
            if touches {
                // What was missed in a run that is added as a whole is missed no more.
                let missed = if added.contains(*run) { added.missed } else { added.missed + run.missed };
                added = Run { first: added.first.min(run.first), last: added.last.max(run.last), missed };
            }
            !touches
        });
        let place = self.0.partition_point(|run| run.first < added.first);
        self.0.insert(place, added);
    }

    /// Saves space where there are many runs: the oldest are joined where they are of one streak, and forgotten where they
    /// are not. That changes no streak that goes on, as long as `grace` stays what it is.
    pub fn forget(&mut self, grace: u32) {
        while self.0.len() > MOST_RUNS {
            let oldest = self.0.remove(0);
            let next = &mut self.0[0];
            let between = days_between(oldest.last, next.first) - 1;
            if between <= grace {
                let missed = oldest.missed + between + next.missed;
                *next = Run { first: oldest.first, last: next.last, missed };
            }
        }
    }

    /// How long the streak is that `date` is part of, in days, once it is added; and how long the longest one was that
    /// it is part of without it. Both are the same where the date is not new, or extends nothing.
    pub fn streak_with(&self, date: Date, grace: u32) -> (u32, u32) {
        let mut with = self.clone();
        with.add(date, date);
        let day = Run::new(date, date);
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
    fn a_long_streak_is_remembered_in_little_space() {
        for (grace, longest) in [(0, 1), (1, 100), (2, 100)] {
            let mut days = Days::default();
            for n in 0..99 {
                let day = date(2026, 1, 1).checked_add(jiff::ToSpan::days(2 * n)).unwrap();
                days.add(day, day);
                days.forget(grace);
            }
            assert_eq!(days.0.len(), MOST_RUNS);
            assert_eq!(days.streak_with(date(2026, 7, 18), grace), (longest, longest - 1));
        }
    }

    #[test]
    fn what_fills_all_of_a_run_has_missed_nothing() {
        let joined = Run { first: date(2026, 1, 1), last: date(2026, 1, 9), missed: 4 };
        let mut days = Days(vec![joined]);
        days.add(date(2026, 1, 10), date(2026, 1, 10));
        assert_eq!(days.streak_with(date(2026, 1, 11), 1), (7, 6));
        days.add(date(2025, 12, 31), date(2026, 1, 10));
        assert_eq!(days.streak_with(date(2026, 1, 11), 1), (12, 11));
    }
}
