//! The platform's API: one vote (contract/gamemonitoring.md).

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use reqwest::{Client, Response, StatusCode, Url};

use crate::domain::event::EventKey;
use crate::domain::vote::{self, NotAVote, Vote};
use crate::outbound::{self, retry_after};
use crate::surroundings::BoxFuture;

/// The most bytes of an answer; a vote has a few hundred.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Whoever can be asked for votes. A simulation has its own.
pub trait VoteApi: Debug + Send + Sync {
    /// Asks for the vote of an event.
    ///
    /// # Errors
    /// [`FetchError`]; no reward may be issued then.
    fn vote<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<Vote, FetchError>>;
}

/// A client of the platform's API.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: Url,
}

/// Why there is no vote. The texts name no address.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// 404: perhaps the vote has not reached the API's replica yet.
    #[error("the API knows no such vote")]
    NotFound,
    /// Anything that may be better later.
    #[error("{why}")]
    Temporary {
        /// What it is.
        why: String,
        /// How long the API asks not to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// The API told another vote.
    #[error("{0}")]
    Mismatch(&'static str),
}

impl Api {
    /// A client for the API at `base`, which gives up on an answer after 10 s. It follows no redirects and uses no
    /// proxy.
    ///
    /// # Errors
    /// Where `base` is `https` and the system has no certificate authorities to trust.
    pub fn new(base: &Url) -> Result<Self, reqwest::Error> {
        Ok(Api { client: outbound::client(base.scheme() == "https")?, base: base.clone() })
    }

    async fn ask(&self, event: &EventKey) -> Result<Vote, FetchError> {
        // The id was checked, so it is one segment of the path.
        let url = format!("{}/votes/{}", self.base.as_str().trim_end_matches('/'), event.event_id);
        let response = self.client.get(url).send().await.map_err(temporary)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(FetchError::NotFound),
            status => {
                let why = format!("the API answered {}", status.as_u16());
                let retry_after = retry_after(response.headers(), SystemTime::now());
                return Err(FetchError::Temporary { why, retry_after });
            }
        }
        let body = read_body(response).await?;
        vote::read(&body, event).map_err(|why| match why {
            NotAVote::Nonsense(_) => later(why.to_string()),
            NotAVote::Mismatch(why) => FetchError::Mismatch(why),
        })
    }
}

impl VoteApi for Api {
    fn vote<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<Vote, FetchError>> {
        Box::pin(self.ask(event))
    }
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(temporary)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(later("the API answered with more than 64 KiB".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn temporary(error: reqwest::Error) -> FetchError {
    let what = if error.is_timeout() {
        "the API did not answer in time"
    } else if error.is_connect() {
        "the API cannot be reached"
    } else {
        "the API's answer broke off"
    };
    let text = format!("{what}{}", outbound::causes(error));
    later(text)
}

fn later(why: String) -> FetchError {
    FetchError::Temporary { why, retry_after: None }
}
