//! How often a player has voted: for one game server, and over all of them.
//!
//! A vote changes both counters, in the commit that stores its plan: so it counts once, whatever is delivered or
//! breaks how often.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, Days};
use super::plan::Plan;
use super::player::PlayerName;
use super::vote::ServerRef;

/// Whose votes a reward counts: the key `counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those for the game server of the vote.
    #[default]
    Server,
    /// Those for all game servers.
    Network,
}

/// One for each [`Scope`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scoped<T> {
    /// That of the game server.
    pub server: T,
    /// That over all of them.
    pub network: T,
}

impl<T> Scoped<T> {
    /// The one of a scope.
    pub fn of(&self, scope: Scope) -> &T {
        match scope {
            Scope::Server => &self.server,
            Scope::Network => &self.network,
        }
    }

    pub(crate) fn map<U>(&self, map: impl Fn(&T) -> U) -> Scoped<U> {
        Scoped { server: map(&self.server), network: map(&self.network) }
    }
}

/// Which counter: of whom, and of which votes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CounterKey {
    /// `network`, `id 1` or `name lobby`.
    pub scope: String,
    /// [`PlayerName::key`].
    pub player: String,
}

impl CounterKey {
    /// Both counters that a vote of `player` for the game server `server` changes.
    pub fn both(server: &ServerRef, player: &PlayerName) -> Scoped<CounterKey> {
        let server = match server {
            ServerRef::Id(id) => format!("id {id}"),
            ServerRef::Name(name) => format!("name {name}"),
        };
        let scopes = Scoped { server, network: "network".to_owned() };
        scopes.map(|scope| CounterKey { scope: scope.clone(), player: player.key() })
    }
}

/// The most votes of a player that are taken over: more than anybody gives, and so few that no sum of them overflows.
pub const MOST_IMPORTED: u64 = 1_000_000_000;

/// What was counted before Votive of a player's votes for one game server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// Votes, at most [`MOST_IMPORTED`].
    pub total: u64,
    /// The first and the last day of the latest streak, if there was one.
    pub streak: Option<(Date, Date)>,
}

impl Imported {
    /// So many votes, of which the last was on `last_vote` and ended a streak of so many days; `None` where no calendar
    /// goes back that far.
    pub fn new(total: u64, streak: u32, last_vote: Date) -> Option<Self> {
        let Some(before) = streak.checked_sub(1) else { return Some(Imported { total, streak: None }) };
        let first = last_vote.checked_sub(Span::new().try_days(before).ok()?).ok()?;
        Some(Imported { total, streak: Some((first, last_vote)) })
    }

    /// How many days the streak has.
    pub fn streak_days(&self) -> u32 {
        self.streak.map_or(0, |(first, last)| u32::try_from((last - first).get_days() + 1).unwrap_or(0))
    }
}

/// What is remembered of a player's votes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// Votes from before Votive, by the scope of the game server that they were for; the last import of each holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imported: BTreeMap<String, Imported>,
    /// Votes.
    pub votes: Tally,
    /// The days with votes.
    pub days: Days,
    /// How often each reward was earned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rewards: BTreeMap<String, Tally>,
}

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// In all.
    pub total: u64,
    /// On each day since the first of the month before that of the vote that was counted last.
    pub days: BTreeMap<Date, u32>,
}

impl Tally {
    fn add(&mut self, date: Date) {
        self.total += 1;
        *self.days.entry(date).or_default() += 1;
    }

    /// How often on this day.
    pub fn on(&self, date: Date) -> u32 {
        self.days.get(&date).copied().unwrap_or_default()
    }

    /// How often in the week of this day, which begins on a Monday.
    pub fn in_week(&self, date: Date) -> u32 {
        let week = |date: Date| (date.iso_week_date().year(), date.iso_week_date().week());
        self.days.iter().filter(|(day, _)| week(**day) == week(date)).map(|(_, count)| count).sum()
    }

    /// How often in the month of this day.
    pub fn in_month(&self, date: Date) -> u32 {
        self.days.range(date.first_of_month()..=date.last_of_month()).map(|(_, count)| count).sum()
    }

    /// Forgets the days that nobody will ask for any more after a vote on `date`. Not those before the latest of all
    /// days: one vote with a wrong date must not keep every later one from being remembered.
    fn forget(&mut self, date: Date) {
        if let Ok(before) = date.first_of_month().yesterday() {
            self.days = self.days.split_off(&before.first_of_month());
        }
    }
}

/// What the counters say about one vote, itself included. Frozen in its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// All votes.
    pub votes: u64,
    /// Those of its day.
    pub today: u32,
    /// Those of its month.
    pub month: u32,
    /// The days of the streak that it is part of.
    pub streak: u32,
    /// How long that streak was without it: as long, if it is not the first vote of its day.
    pub streak_before: u32,
}

impl Counter {
    /// What a further vote on `date` counts as.
    pub fn count(&self, date: Date, calendar: &Calendar) -> Count {
        let mut days = self.days.clone();
        for (first, last) in self.imported.values().filter_map(|imported| imported.streak) {
            days.add(first, last);
        }
        let (streak, streak_before) = days.streak_with(date, calendar.grace);
        Count {
            votes: self.imported.values().map(|imported| imported.total).sum::<u64>() + self.votes.total + 1,
            today: self.votes.on(date) + 1,
            month: self.votes.in_month(date) + 1,
            streak,
            streak_before,
        }
    }

    /// The counter with what was counted before Votive for the game server with this scope ([`CounterKey::scope`]), in the
    /// place of what was imported for it before.
    pub fn import(&self, scope: &str, imported: &Imported) -> Counter {
        let mut counter = self.clone();
        if *imported == (Imported { total: 0, streak: None }) {
            counter.imported.remove(scope);
        } else {
            counter.imported.insert(scope.to_owned(), imported.clone());
        }
        counter
    }

    /// The counter after the vote of a plan.
    fn after(&self, plan: &Plan, calendar: &Calendar) -> Counter {
        let date = plan.voted_at.date();
        let mut counter = self.clone();
        counter.days.add(date, date);
        counter.days.forget(calendar.grace);
        counter.votes.add(date);
        for award in &plan.awards {
            counter.rewards.entry(award.reward.clone()).or_default().add(date);
        }
        counter.votes.forget(date);
        counter.rewards.values_mut().for_each(|tally| tally.forget(date));
        counter
    }
}

impl Scoped<Counter> {
    /// Both counters with what was counted before Votive for the game server with this scope.
    pub fn import(&self, scope: &str, imported: &Imported) -> Scoped<Counter> {
        self.map(|counter| counter.import(scope, imported))
    }

    /// Both counters after the vote of a plan.
    pub(super) fn after(&self, plan: &Plan, calendar: &Calendar) -> Scoped<Counter> {
        self.map(|counter| counter.after(plan, calendar))
    }

    /// What a further vote on `date` counts as.
    pub(super) fn count(&self, date: Date, calendar: &Calendar) -> Scoped<Count> {
        self.map(|counter| counter.count(date, calendar))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{DateTime, date};

    use super::*;
    use crate::domain::award::Award;
    use crate::domain::vote::Vote;

    fn tally(days: &[(Date, u32)]) -> Tally {
        let mut tally = Tally::default();
        for &(day, times) in days {
            (0..times).for_each(|_| tally.add(day));
        }
        tally
    }

    /// A plan of a vote on a day that earned these rewards.
    fn plan(date: Date, rewards: &[&str]) -> Plan {
        let server = ServerRef::Id(1);
        Plan {
            vote: Vote { nickname: "Steve".to_owned(), server, user_id: None, created_at: None },
            player: PlayerName::parse("Steve", None).unwrap(),
            order: 1,
            planned_at: jiff::Timestamp::UNIX_EPOCH,
            voted_at: DateTime::from_parts(date, jiff::civil::time(12, 0, 0, 0)),
            count: Scoped::default(),
            verdicts: Vec::new(),
            awards: rewards.iter().map(|reward| Award::new(reward, Vec::new())).collect(),
            next_serial: 0,
        }
    }

    fn after(votes: &[Date]) -> Counter {
        votes.iter().fold(Counter::default(), |counter, day| {
            counter.after(&plan(*day, &["daily"]), &Calendar::default())
        })
    }

    #[test]
    fn a_week_begins_on_monday_and_goes_over_the_ends_of_months_and_years() {
        // A Sunday, the last Monday of 2026, its Sunday, and the Monday after it.
        let days =
            [(date(2026, 12, 27), 1), (date(2026, 12, 28), 2), (date(2027, 1, 3), 4), (date(2027, 1, 4), 8)];
        let tally = tally(&days);
        assert_eq!(days.map(|(day, _)| tally.in_week(day)), [1, 6, 6, 8]);
        assert_eq!(tally.in_week(date(2026, 12, 31)), 6, "a day without votes has a week, too");
        assert_eq!(tally.in_week(date(2027, 1, 11)), 0);
    }

    #[test]
    fn a_month_has_all_of_its_days_and_no_other() {
        let tally = tally(&[
            (date(2028, 1, 31), 1),
            (date(2028, 2, 1), 2),
            (date(2028, 2, 29), 4),
            (date(2028, 3, 1), 8),
            (date(2027, 2, 1), 16),
        ]);
        assert_eq!(tally.in_month(date(2028, 2, 15)), 6, "the leap day is one of them, another year is not");
        assert_eq!(tally.in_month(date(2028, 3, 31)), 8);
        assert_eq!((tally.on(date(2028, 2, 29)), tally.on(date(2028, 2, 28)), tally.total), (4, 0, 31));
    }

    #[test]
    fn what_a_vote_counts_as_includes_itself_and_what_was_imported() {
        let mut counter = after(&[date(2026, 9, 1), date(2026, 9, 2), date(2026, 9, 2), date(2026, 8, 31)]);
        let total = |total| Imported { total, streak: None };
        counter.imported = BTreeMap::from([("id 1".to_owned(), total(100)), ("id 2".to_owned(), total(20))]);
        let count = counter.count(date(2026, 9, 2), &Calendar::default());
        assert_eq!(count, Count { votes: 125, today: 3, month: 4, streak: 3, streak_before: 3 });
        let next = counter.count(date(2026, 9, 3), &Calendar::default());
        assert_eq!(next, Count { votes: 125, today: 1, month: 4, streak: 4, streak_before: 3 });
    }

    #[test]
    fn days_are_remembered_for_two_months_and_totals_for_ever() {
        let (old, last_month, now) = (date(2026, 7, 31), date(2026, 8, 1), date(2026, 9, 30));
        let counter = after(&[old, last_month, now]);
        for tally in [&counter.votes, &counter.rewards["daily"]] {
            assert_eq!(tally.days.keys().copied().collect::<Vec<_>>(), [last_month, now]);
            assert_eq!(tally.total, 3);
        }
    }

    #[test]
    fn a_late_vote_belongs_to_its_own_day() {
        let counter = after(&[date(2026, 9, 30), date(2026, 10, 1), date(2026, 9, 29)]);
        assert_eq!(counter.votes.on(date(2026, 9, 29)), 1);
        assert_eq!(counter.votes.in_month(date(2026, 10, 1)), 1);
        // Later than anybody remembers, it still counts, and so does the next one of that day.
        let counter = after(&[date(2026, 9, 30), date(2026, 1, 2)]);
        assert_eq!((counter.votes.total, counter.rewards["daily"].on(date(2026, 1, 2))), (2, 1));
        assert_eq!(counter.votes.on(date(2026, 9, 30)), 1, "it makes nobody forget today");
    }

    #[test]
    fn a_vote_from_the_far_future_does_not_make_later_ones_forgotten() {
        let now = date(2026, 9, 30);
        let counter = after(&[date(9000, 1, 1), now, now]);
        assert_eq!((counter.votes.on(now), counter.rewards["daily"].on(now)), (2, 2));
    }

    #[test]
    fn only_what_was_earned_is_counted_as_earned() {
        let counter = Counter::default().after(&plan(date(2026, 9, 30), &[]), &Calendar::default());
        assert_eq!((counter.votes.total, counter.rewards.len()), (1, 0));
    }

    #[test]
    fn a_server_is_told_from_the_network_and_from_a_server_of_that_name() {
        let player = PlayerName::parse("STEVE", None).unwrap();
        let scopes = [ServerRef::Id(1), ServerRef::Name("1".to_owned())].map(|server| {
            let both = CounterKey::both(&server, &player);
            assert_eq!([&both.server.player, &both.network.player], ["steve"; 2]);
            [both.server.scope, both.network.scope]
        });
        assert_eq!(scopes, [["id 1", "network"], ["name 1", "network"]]);
    }

    fn votes(counter: &Counter) -> u64 {
        counter.count(date(2026, 12, 25), &Calendar::default()).votes - 1
    }

    #[test]
    fn the_last_import_of_each_server_holds_and_what_was_counted_here_is_added() {
        let mut counter = Counter::default();
        counter.votes.add(date(2026, 12, 1));
        let of = |total| Imported { total, streak: None };
        let once = counter.import("id 1", &of(120));
        assert_eq!(votes(&once), 121);
        assert_eq!(once.import("id 1", &of(120)), once, "the same again");
        assert_eq!(votes(&once.import("id 2", &of(5))), 126);
        assert_eq!(votes(&once.import("id 2", &of(5)).import("id 1", &of(7))), 13);
        assert_eq!(once.import("id 1", &of(0)), counter);
        let most =
            (0..99).fold(counter, |counter, id| counter.import(&format!("id {id}"), &of(MOST_IMPORTED)));
        assert_eq!(votes(&most), 99 * MOST_IMPORTED + 1);
    }

    #[test]
    fn a_streak_that_is_imported_goes_on() {
        let imported = Imported::new(120, 6, date(2026, 12, 24)).unwrap();
        let counter = Counter::default().import("id 1", &imported);
        let count = counter.count(date(2026, 12, 25), &Calendar::default());
        assert_eq!((count.streak, count.streak_before), (7, 6));
        assert_eq!((count.today, count.month), (1, 1), "nobody knows on which days the votes were");
        assert_eq!(counter.import("id 1", &imported), counter);
        let corrected = counter.import("id 1", &Imported::new(120, 2, date(2026, 12, 24)).unwrap());
        assert_eq!(corrected.count(date(2026, 12, 25), &Calendar::default()).streak, 3);
    }

    #[test]
    fn a_streak_has_days_in_the_calendar() {
        let last = date(2026, 12, 24);
        assert_eq!(Imported::new(3, 0, last).unwrap().streak, None);
        assert_eq!(Imported::new(3, 1, last).unwrap().streak, Some((last, last)));
        assert_eq!(Imported::new(3, 30, last).unwrap().streak, Some((date(2026, 11, 25), last)));
        assert_eq!(Imported::new(3, u32::MAX, last), None);
        assert_eq!(Imported::new(3, 6_000_000, last), None);
    }
}
