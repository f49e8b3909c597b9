//! The webhook: verifies a delivery, hands it on, and tells the platform how it stands. The order of the checks is
//! that of the design's table of answers.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::server::{Answer, read_body, sentence, without_body};
use super::test_delivery::{self, TestDeliveries};
use crate::config::{Config, Live};
use crate::domain::arrival::Claim;
use crate::domain::event::{Delivery, Envelope, EventKey, Malformed, SERVER_VOTE};
use crate::domain::signature;
use crate::domain::standing::Standing;
use crate::failpoint::{Point, crash_at};
use crate::intake::Intake;
use crate::log::about;
use crate::report::Report;
use crate::text::Outside;

/// Says `ok` to whoever watches whether Votive runs.
pub const HEALTH_PATH: &str = "/healthz";

const NOTHING_HERE: &str =
    "Nothing is here. The path of the webhook is set in rewards.yaml, as webhook.path.";
const WRONG_SIGNATURE: &str = "The signature is wrong or missing. Compare Votive's signing token with the one in the project's settings.";

/// Whether a text is what a Votive says to what is no delivery of its platform.
pub(super) fn is_refusal(text: &str) -> bool {
    [NOTHING_HERE, WRONG_SIGNATURE].contains(&text) || text == Malformed.to_string()
}

/// Answers one request on the webhook's listener.
pub async fn handle(
    request: Request<Incoming>,
    config: Live,
    intake: Arc<Intake>,
    report: Report,
    test_deliveries: TestDeliveries,
) -> Answer {
    let (config, at) = (config.now(), intake.now());
    // The head has just been read.
    let deadline = Instant::now() + config.webhook.answer_within;
    let (head, body) = request.into_parts();
    let mut watched = test_deliveries.watch(&head);
    let answer = if let Some(answer) = no_delivery(&head, &config) {
        answer
    } else {
        let (answer, span) = match read(body, &config, &report, at, watched.as_mut()).await {
            Ok(delivery) => {
                let span = about(&delivery.key);
                let answer = heed(&delivery, &intake, &report, deadline).instrument(span.clone()).await;
                report.delivery_heeded(&delivery, at, answer.status());
                (answer, span)
            }
            Err(answer) => (*answer, Span::none()),
        };
        span.in_scope(|| report.delivery_answered(answer.status()));
        answer
    };
    if let Some(watched) = watched {
        watched.answered(answer.status());
    }
    answer
}

/// The answer to a request that is not meant as a delivery.
fn no_delivery(head: &Parts, config: &Config) -> Option<Answer> {
    let path = head.uri.path();
    if path == HEALTH_PATH {
        return Some(match head.method {
            Method::GET | Method::HEAD => sentence(StatusCode::OK, "ok"),
            _ => wrong_method("GET"),
        });
    }
    if path != config.webhook.path {
        return Some(sentence(StatusCode::NOT_FOUND, NOTHING_HERE));
    }
    (head.method != Method::POST).then(|| wrong_method("POST"))
}

/// The delivery that a request brings, which arrived at this time.
///
/// # Errors
/// The answer to one that brings none.
async fn read(
    body: Incoming,
    config: &Config,
    report: &Report,
    at: Timestamp,
    watched: Option<&mut test_delivery::Request>,
) -> Result<Delivery, Box<Answer>> {
    let body = read_body(body).await.map_err(|why| Box::new(without_body(why)))?;
    if let Some(watched) = watched {
        watched.body(&body);
    }
    verify(&body, config).map_err(|(status, why, claim)| {
        report.delivery_refused(status, &why, claim, at);
        Box::new(sentence(status, why))
    })
}

/// Does what a delivery asks for, and answers it.
async fn heed(delivery: &Delivery, intake: &Arc<Intake>, report: &Report, deadline: Instant) -> Answer {
    report.delivery_arrived();
    crash_at(Point::DeliveryVerified);
    let (event, event_type) = (&delivery.key, Outside(&delivery.key.event_type));
    if delivery.is_test {
        tracing::info!(%event_type, "test delivery: the signature is good");
        return sentence(StatusCode::NO_CONTENT, "");
    }
    if delivery.key.is_own() {
        tracing::warn!(%event_type, "refused a delivery of a type that only Votive itself uses");
        return sentence(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Event types that begin with votive. are not for the webhook.",
        );
    }
    if delivery.key.event_type != SERVER_VOTE {
        tracing::info!(%event_type, "nothing is rewarded for this type of event");
        return sentence(StatusCode::NO_CONTENT, "");
    }
    let standing = intake.deliver(event, deadline).await;
    crash_at(Point::AnswerReady);
    answer(event, standing)
}

fn verify(body: &[u8], config: &Config) -> Result<Delivery, (StatusCode, String, Claim)> {
    let unreadable = |why: Malformed| (StatusCode::BAD_REQUEST, why.to_string(), Claim::default());
    let envelope = Envelope::parse(body).map_err(unreadable)?;
    let message = envelope.message();
    let good = envelope.signature().is_some_and(|signature| {
        let tokens = &config.gamemonitoring.signing_tokens;
        tokens.iter().any(|token| signature::verify(token.expose(), &message, signature))
    });
    if !good {
        return Err((StatusCode::UNAUTHORIZED, WRONG_SIGNATURE.to_owned(), envelope.claim()));
    }
    envelope.delivery().map_err(|why| (StatusCode::BAD_REQUEST, why.to_string(), envelope.claim()))
}

/// The answer to a method that is not `allowed` where another one is.
pub(super) fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = sentence(StatusCode::METHOD_NOT_ALLOWED, format!("Only {allowed} is answered here."));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// What the platform is told about the grant of an event. Shown to the project's owner in the platform's interface.
pub fn answer(event: &EventKey, standing: Standing) -> Answer {
    match standing {
        Standing::Granted | Standing::Recorded | Standing::AwaitsPlayer => {
            sentence(StatusCode::NO_CONTENT, "")
        }
        Standing::ServerDown(server) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{server} is down. The reward is recorded and will be given when it is back; no redelivery needed."
            ),
        ),
        Standing::WrongPassword(server) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{server} refuses the RCON password that Votive has. The reward is recorded; correct the password; if it was Votive's, restart Votive."
            ),
        ),
        Standing::Paused(server) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{server} is paused. The reward is recorded and will be given when it is resumed; no redelivery needed. On Votive's machine: votive resume {server}."
            ),
        ),
        Standing::ServerGone(server) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "No server in rewards.yaml has the {server} any more. The reward is recorded; add the server again and reload Votive."
            ),
        ),
        Standing::InDoubt(server) => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "It is not known whether a command ran on {server}; votive explain {event}, on Votive's machine, tells which one. Look in the game, then: votive resolve {event} --ran, or --not-run."
            ),
        ),
        Standing::Working => sentence(
            StatusCode::GATEWAY_TIMEOUT,
            "The reward is still being issued. It is recorded and goes on; no redelivery needed.",
        ),
        Standing::ApiDown => sentence(
            StatusCode::BAD_GATEWAY,
            "The API of GAMEMONITORING could not tell this vote. The event is recorded and Votive asks again; no redelivery needed.",
        ),
        Standing::Refused(reason) => sentence(StatusCode::UNPROCESSABLE_ENTITY, reason),
        Standing::Unrecorded => sentence(
            StatusCode::SERVICE_UNAVAILABLE,
            "Votive is stopping or cannot record at the moment; deliver again in a minute.",
        ),
    }
}
