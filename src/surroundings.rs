//! What the daemon needs of the world around it: the time of day, the API, the way to the game servers. Bundled, so
//! that a simulation can put its own in their place.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Url;

use crate::platform::{Api, VoteApi};
use crate::rcon::{Network, Tcp};
use crate::report::Report;

/// A future behind a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The world around the daemon.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time of day: for records and for what is told to people. Waits run on monotonic time.
    pub clock: Clock,
    /// The platform's API.
    pub api: Arc<dyn VoteApi>,
    /// The way to the game servers.
    pub network: Arc<dyn Network>,
    /// Where the daemon tells what happens.
    pub report: Report,
}

impl Surroundings {
    /// The real world, with the API at `base`.
    ///
    /// # Errors
    /// Where `base` is `https` and the system has no certificate authorities to trust.
    pub fn real(base: &Url, report: Report) -> Result<Self, reqwest::Error> {
        Ok(Surroundings {
            clock: Clock::new(Timestamp::now),
            api: Arc::new(Api::new(base)?),
            network: Arc::new(Tcp),
            report,
        })
    }
}

/// Tells the time of day. It may jump, in either direction.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that shows what `now` gives.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
