//! How often a player has voted: for one game server, and over all of them.
//!
//! A vote changes both counters, in the commit that stores its plan: so it counts once, whatever is delivered or
//! breaks how often.

use std::collections::BTreeMap;

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
    /// Both counters after the vote of a plan.
    pub(super) fn after(&self, plan: &Plan) -> Scoped<Counter> {
        self.map(|counter| counter.after(plan))
    }

    /// What a further vote on `date` counts as.
    pub(super) fn count(&self, date: Date, calendar: &Calendar) -> Scoped<Count> {
        self.map(|counter| counter.count(date, calendar))
    }
}
