//! The simulated platform: what its API says about a vote, on a good day and on a bad one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use votive::domain::event::EventKey;
use votive::domain::vote::{ServerRef, Vote};
use votive::platform::{FetchError, VoteApi};
use votive::surroundings::BoxFuture;

/// How the API is at the moment.
#[derive(Clone, Copy, Debug)]
pub enum Weather {
    /// It tells every vote.
    Fine,
    /// It answers with an error, or with half an answer: whatever is better later.
    Down,
    /// It knows no vote: its replica lags behind.
    Lagging,
    /// It answers after so many seconds, or is given up.
    Slow(u64),
}

/// The API. Votes have the numbers from 0; see [`vote`].
#[derive(Debug)]
pub struct SimulatedApi {
    weather: Mutex<Weather>,
    asked: AtomicU64,
}

/// The event of a vote.
pub fn event(number: u8) -> EventKey {
    EventKey::new("server.vote", &format!("e-{number}"))
}

/// The number of the vote whose nickname is no name, and of the one for a server that nobody has.
pub const UNREWARDABLE: [u8; 2] = [8, 9];

/// The vote of this number. Two neighbours are of one player, whose name they write differently, so that every vote has
/// commands of its own. Who is asked about a vote a second time is told another name: only the first one may count.
fn vote(number: u8, asked: u64) -> Vote {
    let again = if asked == 0 { "" } else { "b" };
    let nickname = match number {
        8 => "@a".to_owned(),
        _ if number.is_multiple_of(2) => format!("P{again}{}", number / 2),
        _ => format!("p{again}{}", number / 2),
    };
    let server = if number == 9 { 99 } else { u64::from(number / 2 % 2) + 1 };
    Vote { nickname, server: ServerRef::Id(server), user_id: None, created_at: None }
}

impl SimulatedApi {
    pub fn new() -> Self {
        SimulatedApi { weather: Mutex::new(Weather::Fine), asked: AtomicU64::new(0) }
    }

    pub fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }
}

impl VoteApi for SimulatedApi {
    fn vote<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<Vote, FetchError>> {
        Box::pin(async move {
            let weather = *self.weather.lock().unwrap_or_else(PoisonError::into_inner);
            let number: u8 = event.event_id.strip_prefix("e-").unwrap().parse().unwrap();
            // One bit a vote: whether it was told before.
            let told = || (self.asked.fetch_or(1 << number, Ordering::Relaxed) >> number) & 1;
            let late = || Err(FetchError::Temporary("the API did not answer in time".to_owned()));
            match weather {
                Weather::Fine => Ok(vote(number, told())),
                Weather::Down => Err(FetchError::Temporary("the API answered 500".to_owned())),
                Weather::Lagging => Err(FetchError::NotFound),
                Weather::Slow(seconds) => {
                    let limit = Duration::from_secs(10);
                    tokio::time::sleep(Duration::from_secs(seconds).min(limit)).await;
                    if Duration::from_secs(seconds) < limit { Ok(vote(number, told())) } else { late() }
                }
            }
        })
    }
}
