//! The simulated platform: what its API says about a vote, on a good day and on a bad one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use votive::domain::event::EventKey;
use votive::domain::grant::Grant;
use votive::domain::vote::{ServerRef, Vote};
use votive::platform::{FetchError, VoteApi};
use votive::surroundings::BoxFuture;

use crate::history::VOTES;
use crate::life::START;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest wait that it can expect to be granted.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How the API is at the moment.
#[derive(Clone, Copy, Debug)]
pub enum Weather {
    /// It tells every vote.
    Fine,
    /// It answers with an error, or with half an answer: whatever is better later.
    Down,
    /// It knows no vote: its replica lags behind.
    Lagging,
    /// It tells another vote than it is asked for.
    Astray,
    /// It wants to be left in peace for so many seconds.
    Busy(u64),
    /// It answers after so many seconds, or is given up.
    Slow(u64),
}

/// The API. Votes have the numbers from 0; see [`vote`].
#[derive(Debug)]
pub struct SimulatedApi {
    weather: Mutex<Weather>,
    told: AtomicU64,
    asked: Mutex<Asked>,
}

/// What the API has been asked.
#[derive(Debug, Default)]
struct Asked {
    /// How often for each vote.
    times: BTreeMap<u8, usize>,
    /// Before when it does not want to be asked again for a vote.
    not_before: BTreeMap<u8, Instant>,
    /// The votes that it was asked for all the same.
    too_early: BTreeSet<u8>,
}

/// The event of a vote.
pub fn event(number: u8) -> EventKey {
    EventKey::new("server.vote", &format!("e-{number}"))
}

/// The number of the vote whose nickname is no name.
pub const NAMELESS: u8 = 8;
/// The number of the vote for a server that nobody has at first.
pub const HOMELESS: u8 = 9;
/// The id of that server.
pub const UNKNOWN_SERVER: u64 = 99;

/// Who votes. Nearly all votes are of the first.
pub const PLAYERS: [&str; 2] = ["steve", "alexa"];
/// How the same players are called when the API is asked again.
pub const PLAYERS_AGAIN: [&str; 2] = ["steveb", "alexab"];

/// How many hours before the beginning each vote was made, where the platform says so: on five days in a row, in no
/// order, some of them on another day in Greenwich than in Moscow.
const MADE: [Option<i64>; VOTES as usize] = [
    Some(1),
    Some(50),
    Some(26),
    None,
    Some(27),
    Some(17),
    Some(74),
    Some(73),
    Some(1),
    Some(2),
    Some(100),
    None,
    Some(49),
    Some(25),
];

/// The vote of this number. Each writes the player's name in its own way, so that every vote has commands of its own.
/// Who is asked about a vote a second time is told another name: only the first one may count.
fn vote(number: u8, asked: u64) -> Vote {
    let names = if asked == 0 { PLAYERS } else { PLAYERS_AGAIN };
    let letters = names[usize::from(number >= 12)].char_indices();
    let spelled = letters.map(|(place, letter)| match number >> place.min(7) & 1 {
        0 => letter,
        _ => letter.to_ascii_uppercase(),
    });
    let nickname = if number == NAMELESS { "@a".to_owned() } else { spelled.collect() };
    let server = if number == HOMELESS { UNKNOWN_SERVER } else { u64::from(number / 2 % 2) + 1 };
    let begin = Timestamp::from_second(START).unwrap();
    let created_at = MADE[usize::from(number)].map(|hours| begin - SignedDuration::from_hours(hours));
    Vote { nickname, server: ServerRef::Id(server), user_id: None, created_at }
}

/// The number of an event.
fn number(event: &EventKey) -> u8 {
    event.event_id.strip_prefix("e-").unwrap().parse().unwrap()
}

/// Whether this is what the API tells of the event of a grant.
pub fn is_told(grant: &Grant, told: &Vote) -> bool {
    [0, 1].iter().any(|asked| vote(number(&grant.event), *asked) == *told)
}

impl SimulatedApi {
    pub fn new() -> Self {
        SimulatedApi { weather: Mutex::new(Weather::Fine), told: AtomicU64::new(0), asked: Mutex::default() }
    }

    pub fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Somebody else asks from now on, who was not told to wait.
    pub fn forget_whom_it_told_to_wait(&self) {
        self.asked.lock().unwrap().not_before.clear();
    }

    /// How often it was asked for a vote.
    pub fn asked(&self, vote: u8) -> usize {
        self.asked.lock().unwrap().times.get(&vote).copied().unwrap_or_default()
    }

    /// The votes that it was asked for before the wait was over that it had asked for.
    pub fn asked_too_early(&self) -> BTreeSet<u8> {
        self.asked.lock().unwrap().too_early.clone()
    }

    fn note(&self, number: u8) {
        let mut asked = self.asked.lock().unwrap();
        *asked.times.entry(number).or_default() += 1;
        if asked.not_before.get(&number).is_some_and(|at| Instant::now() < *at) {
            asked.too_early.insert(number);
        }
    }

    /// The vote, as it is told this time.
    fn tell(&self, number: u8) -> Vote {
        // One bit a vote: whether it was told before.
        vote(number, (self.told.fetch_or(1 << number, Ordering::Relaxed) >> number) & 1)
    }
}

fn temporary(why: &str, retry_after: Option<Duration>) -> FetchError {
    FetchError::Temporary { why: why.to_owned(), retry_after }
}

impl VoteApi for SimulatedApi {
    fn vote<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<Vote, FetchError>> {
        Box::pin(async move {
            let weather = *self.weather.lock().unwrap();
            let number = number(event);
            self.note(number);
            match weather {
                Weather::Fine => Ok(self.tell(number)),
                Weather::Down => Err(temporary("the API answered 500", None)),
                Weather::Lagging => Err(FetchError::NotFound),
                Weather::Astray => Err(FetchError::Mismatch("the API told another vote")),
                Weather::Busy(seconds) => {
                    let wait = Duration::from_secs(seconds);
                    let not_before = Instant::now() + wait.min(PATIENCE);
                    self.asked.lock().unwrap().not_before.insert(number, not_before);
                    Err(temporary("the API answered 429", Some(wait)))
                }
                Weather::Slow(seconds) => {
                    sleep(Duration::from_secs(seconds).min(LIMIT)).await;
                    if Duration::from_secs(seconds) < LIMIT {
                        Ok(self.tell(number))
                    } else {
                        Err(temporary("the API did not answer in time", None))
                    }
                }
            }
        })
    }
}
