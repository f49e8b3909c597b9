//! `votive test-webhook`: posts a test delivery to the public address as the platform would, and watches whether it
//! arrives.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use hyper::http::request::Parts;
use reqwest::{Response, Url};
use rustls::{CertificateError, Error as TlsError};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::webhook;
use crate::config::{self, Config};
use crate::control::{TestWebhook, WebhookTested};
use crate::domain::event::SERVER_VOTE;
use crate::domain::signature::sign;
use crate::domain::test_delivery::{Answer, Body, Diagnosis, NoAnswer, Seen, TestDelivery, diagnose};
use crate::outbound;
use crate::text::Outside;

/// How long a name may take to be found, and then a connection to come about.
const REACH: Duration = Duration::from_secs(4);
/// How much of an answer is looked at.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Tells a test delivery here, whatever has become of its path and body on the way.
const HEADER: &str = "votive-test";
/// What nginx, Go and Apache say to plain HTTP where they speak HTTPS.
const WANTS_HTTPS: [&str; 3] = [
    "plain HTTP request was sent to HTTPS port",
    "Client sent an HTTP request to an HTTPS server",
    "speaking plain HTTP to an SSL-enabled server port",
];

/// The test deliveries that are under way. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct TestDeliveries(Arc<Mutex<HashMap<String, Sent>>>);

/// A test delivery under way, which is known by its event's id. Nobody else can know that.
#[derive(Debug)]
struct Sent {
    body: Bytes,
    arrival: Option<Seen>,
}

/// A request that may be a test delivery.
#[derive(Debug)]
pub(super) struct Request {
    test_deliveries: TestDeliveries,
    /// Which one it is, as far as is known yet.
    event_id: Option<String>,
    path: String,
    method: String,
    body: Option<Body>,
}

impl TestDeliveries {
    /// Watches a request while a test delivery is under way: its header says which one it is, whatever has become of its
    /// path and body on the way.
    pub(super) fn watch(&self, head: &Parts) -> Option<Request> {
        let sent = self.sent();
        if sent.is_empty() {
            return None;
        }
        let header = head.headers.get(HEADER).and_then(|id| id.to_str().ok());
        Some(Request {
            test_deliveries: self.clone(),
            event_id: header.filter(|id| sent.contains_key(*id)).map(str::to_owned),
            path: Outside(head.uri.path()).to_string(),
            method: head.method.to_string(),
            body: None,
        })
    }

    fn sent(&self) -> MutexGuard<'_, HashMap<String, Sent>> {
        // No code that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts a test delivery to `url`, signed with a token of the configuration, and says what came of it.
    ///
    /// # Errors
    /// Where there is no address, or no randomness.
    pub async fn deliver(&self, asked: TestWebhook, config: &Config) -> Result<WebhookTested, NotPosted> {
        let url = match asked.url {
            Some(url) => config::public_url(&url)?,
            None => config.webhook.public_url.clone().ok_or(NotPosted::Nowhere)?,
        };
        let event_id = event_id()?;
        let token = config.gamemonitoring.signing_tokens.first().map_or("", |token| token.expose());
        let body = body(&event_id, token);
        self.sent().insert(event_id.clone(), Sent { body: body.clone(), arrival: None });
        let reached = reach(&url).await;
        let begun = Instant::now();
        let came = match reached {
            Ok(()) => post(&url, &event_id, body).await,
            Err(why) => Err(why),
        };
        let took = begun.elapsed();
        let arrived = self.sent().remove(&event_id).and_then(|sent| sent.arrival);
        let sent = TestDelivery {
            origin: &url.origin().ascii_serialization(),
            path: &config.webhook.path,
            listen: &config.webhook.listen.to_string(),
            came,
            arrived,
            took,
        };
        let Diagnosis { good, what, remedy } = diagnose(&sent);
        tracing::info!(good, "test delivery of the operator: {what}");
        let notes = notes(&url);
        // What is behind the path may be somebody's secret.
        let mut shown = url;
        shown.set_query(None);
        Ok(WebhookTested { url: shown.into(), good, what, remedy, notes })
    }
}

impl Request {
    /// Looks at its body; that says which test delivery it is, where its header was lost.
    pub(super) fn body(&mut self, body: &[u8]) {
        let sent = self.test_deliveries.sent();
        let holds = |id: &str| body.windows(id.len()).any(|window| window == id.as_bytes());
        let by_body = || sent.keys().find(|id| holds(id)).cloned();
        self.event_id = self.event_id.take().or_else(by_body);
        let sent = self.event_id.as_ref().and_then(|id| sent.get(id));
        self.body = sent.map(|sent| match body {
            [] => Body::Empty,
            body if body == sent.body => Body::Same,
            _ => Body::Changed,
        });
    }

    /// Notes what it was answered.
    pub(super) fn answered(self, status: StatusCode) {
        let Request { test_deliveries, event_id: Some(event_id), path, method, body } = self else { return };
        if let Some(sent) = test_deliveries.sent().get_mut(&event_id) {
            sent.arrival = Some(Seen { path, method, body, status: status.as_u16() });
        }
    }
}

/// Why nothing was posted.
#[derive(Debug, thiserror::Error)]
pub enum NotPosted {
    /// Nobody has said where.
    #[error(
        "It is not known where the platform delivers to. Name the address, as in `votive test-webhook https://votes.example.org/gamemonitoring-webhook`, or set webhook.public_url in rewards.yaml and reload Votive."
    )]
    Nowhere,
    /// What was named is no address.
    #[error(
        "{0}. Name the one that the platform has, as in https://votes.example.org/gamemonitoring-webhook."
    )]
    NoAddress(#[from] config::NoAddress),
    /// No id can be made that nobody can guess.
    #[error("The system gives no random numbers, so no test delivery can be made.")]
    NoRandomness,
}

/// An id that nobody can guess.
fn event_id() -> Result<String, NotPosted> {
    let mut random = [0; 16];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut random).map_err(|_| NotPosted::NoRandomness)?;
    Ok(format!("test-{}", base16ct::lower::encode_string(&random)))
}

/// The body that the platform would send for a test.
fn body(event_id: &str, token: &str) -> Bytes {
    let signature = sign(token, &format!("event_id={event_id}&event_type={SERVER_VOTE}&is_test=true"));
    let body = serde_json::json!({
        "event_id": event_id, "event_type": SERVER_VOTE, "is_test": true, "signature": signature,
    });
    body.to_string().into()
}

/// What is odd about an address that may work all the same.
fn notes(url: &Url) -> Vec<String> {
    let mut notes = Vec::new();
    if url.scheme() == "http" {
        notes.push("The address is plain http://: deliveries are signed, but anybody on the way can read and withhold them. The platform recommends https://.".to_owned());
    }
    if config::is_private(url.host_str().unwrap_or_default().trim_matches(['[', ']'])) {
        notes.push("The platform does not deliver to private addresses like this one.".to_owned());
    }
    notes
}

async fn post(url: &Url, event_id: &str, body: Bytes) -> Result<Answer, NoAnswer> {
    let client = outbound::client(url.scheme() == "https").map_err(|_| NoAnswer::NoAuthorities)?;
    let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json").header(HEADER, event_id);
    let response = request.body(body).send().await.map_err(|error| no_answer(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(understood(url, status, &headers, &read(response).await))
}

/// Whether the address leads to somebody who takes connections.
async fn reach(url: &Url) -> Result<(), NoAnswer> {
    // An address that was checked has a host, and a port by its scheme.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or_default();
    let slow = |_| NoAnswer::Dns("the name servers do not answer".to_owned());
    let found = timeout(REACH, lookup_host((host, port))).await.map_err(slow)?;
    let addresses: Vec<_> = found.map_err(|error| NoAnswer::Dns(error.to_string()))?.collect();
    match timeout(REACH, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Err(NoAnswer::Refused),
        Ok(Err(_)) | Err(_) => Err(NoAnswer::Unreachable),
    }
}

/// As much of an answer as is looked at. What breaks off has begun.
async fn read(mut response: Response) -> String {
    let mut body = Vec::new();
    while body.len() < LONGEST_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    String::from_utf8_lossy(&body).into_owned()
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    if let Some(error) = tls_error(error) {
        return match error {
            TlsError::InvalidMessage(_) => NoAnswer::NotTls,
            TlsError::InvalidCertificate(wrong) => match wrong {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    NoAnswer::CertificateExpired
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    NoAnswer::CertificateNotYetValid
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    NoAnswer::CertificateForAnother
                }
                // The last two: it is from somebody with the name of an authority, or that of an authority itself, as
                // self-signed ones often are.
                CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::Other(_) => NoAnswer::CertificateUnknown,
                wrong => NoAnswer::Tls(wrong.to_string()),
            },
            error => NoAnswer::Tls(error.to_string()),
        };
    }
    if error.is_timeout() {
        return NoAnswer::TimedOut;
    }
    let mut last = error.source();
    while let Some(cause) = last.and_then(Error::source) {
        last = Some(cause);
    }
    NoAnswer::Broken(last.map(ToString::to_string).unwrap_or_default())
}

/// The error of TLS among the causes of another.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TlsError> {
    if let Some(error) = error.downcast_ref() {
        return Some(error);
    }
    // The source of such an error is that of the one in it.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.and_then(|inner| tls_error(inner)).or_else(|| tls_error(error.source()?))
}

/// What matters about an answer.
fn understood(url: &Url, status: u16, headers: &HeaderMap, body: &str) -> Answer {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let redirect = location.and_then(|location| url.join(location).ok());
    Answer {
        status,
        is_votives: webhook::is_refusal(body.trim_end()),
        challenge: challenge(status, headers, body),
        redirect: redirect.map(|to| to.origin().ascii_serialization()),
        wants_https: WANTS_HTTPS.iter().any(|said| body.contains(said)),
    }
}

/// Who asks visitors to prove that they are human.
fn challenge(status: u16, headers: &HeaderMap, body: &str) -> Option<&'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("cf-mitigated") == "challenge" {
        return Some("Cloudflare");
    }
    if !header("content-type").starts_with("text/html") {
        return None;
    }
    let body = body.to_lowercase();
    let turned_away = matches!(status, 403 | 429 | 503);
    let of =
        |whose: &'static str, signs: &[&str]| signs.iter().any(|sign| body.contains(sign)).then_some(whose);
    of("Cloudflare", &["just a moment", "challenges.cloudflare.com", "/cdn-cgi/challenge-platform"])
        .or_else(|| of("DDoS-Guard", &["ddos-guard"]))
        .or_else(|| (turned_away && header("server").contains("ddos-guard")).then_some("DDoS-Guard"))
        .or_else(|| of("A bot protection", &["captcha", "checking your browser"]))
}
