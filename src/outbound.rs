//! HTTP out: what holds for every request that Votive makes, to the platform's API and to those who are notified.

use std::error::Error;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, redirect};

/// How long an answer may take, all of it. The platform is told earlier that we are still at it.
const LIMIT: Duration = Duration::from_secs(10);

/// A client that gives up on an answer after 10 s, follows no redirects and uses no proxy. Without `https` it trusts
/// nobody: nothing is encrypted then, and a system without certificate authorities is as good.
///
/// # Errors
/// With `https`, where the system has no certificate authorities to trust.
pub(crate) fn client(https: bool) -> Result<Client, reqwest::Error> {
    // Fails only where it was done before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(LIMIT)
        .user_agent(concat!("votive/", env!("CARGO_PKG_VERSION")));
    if !https {
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// What brought an error about, each cause behind a colon: the system's words. The address, which may hold a secret, is
/// left out.
pub(crate) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// The wait that `Retry-After` asks for, in seconds or until a date (RFC 9110, section 10.2.3). What cannot be read
/// asks for nothing, and what has passed for no wait.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
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
