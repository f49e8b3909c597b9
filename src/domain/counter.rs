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

/// The most votes of a player that are taken over: more than anybody gives, and so few that no sum of them overflows.
pub const MOST_IMPORTED: u64 = 1_000_000_000;

/// What was counted before Votive of a player's votes for one game server.
#[derive(Clone, Debug, PartialEq)]
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

/// What is remembered of a player's votes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// Votes from before Votive, by the game server whose they are: what was imported last holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imported: BTreeMap<String, u64>,
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
    /// On each day from the first of the month before the last of them.
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

    /// Forgets the days that nobody will ask for any more.
    fn forget(&mut self) {
        if let Some((last, _)) = self.days.last_key_value()
            && let Ok(before) = last.first_of_month().yesterday()
        {
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
        let (streak, streak_before) = self.days.streak_with(date, calendar.grace);
        Count {
            votes: self.imported.values().sum::<u64>() + self.votes.total + 1,
            today: self.votes.on(date) + 1,
            month: self.votes.in_month(date) + 1,
            streak,
            streak_before,
        }
    }

    /// The counter with what was counted before Votive for the game server with this scope ([`CounterKey::scope`]): the
    /// votes in the place of those that were imported for it before, and the days of the streak beside all others.
    pub fn import(&self, scope: &str, imported: &Imported) -> Counter {
        let mut counter = self.clone();
        match imported.total {
            0 => drop(counter.imported.remove(scope)),
            total => drop(counter.imported.insert(scope.to_owned(), total)),
        }
        if let Some((first, last)) = imported.streak {
            counter.days.add(first, last);
        }
        counter
    }

    /// The counter after the vote of a plan.
    fn after(&self, plan: &Plan) -> Counter {
        let date = plan.voted_at.date();
        let mut counter = self.clone();
        counter.days.add(date, date);
        counter.votes.add(date);
        for award in &plan.awards {
            counter.rewards.entry(award.reward.clone()).or_default().add(date);
        }
        counter.votes.forget();
        counter.rewards.values_mut().for_each(Tally::forget);
        counter
    }
}

impl Scoped<Counter> {
    /// Both counters with what was counted before Votive for the game server with this scope.
    pub fn import(&self, scope: &str, imported: &Imported) -> Scoped<Counter> {
        self.map(|counter| counter.import(scope, imported))
    }

    /// Both counters after the vote of a plan.
    pub(super) fn after(&self, plan: &Plan) -> Scoped<Counter> {
        self.map(|counter| counter.after(plan))
    }

    /// What a further vote on `date` counts as.
    pub(super) fn count(&self, date: Date, calendar: &Calendar) -> Scoped<Count> {
        self.map(|counter| counter.count(date, calendar))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

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
