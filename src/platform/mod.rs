//! The platform's API: one vote (contract/gamemonitoring.md).

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::domain::event::EventKey;
use crate::domain::vote::{self, NotAVote, Vote};
use crate::surroundings::BoxFuture;

/// The most bytes of an answer; a vote has a few hundred.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How long an answer may take. The platform is told earlier that we are still at it.
const LIMIT: Duration = Duration::from_secs(10);

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
        // Fails only where it was done before.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(LIMIT)
            .user_agent(concat!("votive/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            // Nothing is encrypted then, and a system without certificate authorities is as good.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build()?;
        Ok(Api { client, base: base.clone() })
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
    // The causes are the system's words; the address, which may hold a secret, is left out.
    let mut text = what.to_owned();
    let error = error.without_url();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    later(text)
}

fn later(why: String) -> FetchError {
    FetchError::Temporary { why, retry_after: None }
}

/// The wait that `Retry-After` asks for, in seconds or until a date (RFC 9110, section 10.2.3). What cannot be read
/// asks for nothing, and what has passed for no wait.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            Some(date.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_that_is_asked_for_is_in_seconds_or_until_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("18446744073709551615", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:49:38 GMT", Some(1)),
            ("Sun Nov  6 09:49:37 1994", Some(3600)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("18446744073709551616", None),
            ("soon", None),
            ("Sun, 06 Nov 1994", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
