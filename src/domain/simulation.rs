//! Votes that nobody has given, one after the other: each becomes a grant as one that somebody has.

use std::time::Duration;

use jiff::Timestamp;

use super::counter::{Counter, Scoped};
use super::event::{EventKey, SERVER_VOTE};
use super::grant::{Fact, Grant};
use super::plan::Planning;
use super::reward::Target;
use super::vote::Vote;

/// The grants of a player's votes for one game server. Ends only with the calendar.
#[derive(Clone, Debug)]
pub struct Simulation<'a> {
    target: Target<'a>,
    nickname: String,
    /// When the next vote is made, and arrives.
    at: Option<Timestamp>,
    every: Duration,
    counters: Scoped<Counter>,
    /// The number of the last one.
    number: u64,
}

impl<'a> Simulation<'a> {
    /// Votes of `nickname` from `at` on, so far apart; `counters` know of the votes before.
    pub fn new(
        target: Target<'a>,
        nickname: &str,
        at: Timestamp,
        every: Duration,
        counters: Scoped<Counter>,
    ) -> Self {
        Simulation { target, nickname: nickname.to_owned(), at: Some(at), every, counters, number: 0 }
    }
}

impl Iterator for Simulation<'_> {
    type Item = Grant;

    fn next(&mut self) -> Option<Grant> {
        let at = self.at?;
        self.number += 1;
        let event = EventKey::new(SERVER_VOTE, &format!("simulate-{}", self.number));
        let vote = Vote {
            nickname: self.nickname.clone(),
            server: self.target.counted_as.clone(),
            user_id: None,
            created_at: Some(at),
        };
        let planning =
            Planning { target: Some(self.target), order: self.number, counters: self.counters.clone() };
        let received = Grant::received(event, at);
        // A vote fits every grant that waits for one.
        let grant = received.apply(Fact::Fetched { vote, planning, restored_at: None }, at).ok()?;
        if let Some(counters) = received.counted(&grant, &self.counters, self.target.calendar) {
            self.counters = counters;
        }
        self.at = at.checked_add(self.every).ok();
        Some(grant)
    }
}
