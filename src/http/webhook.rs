//! The webhook: verifies a delivery, hands it on, and tells the platform how it stands. The order of the checks is
//! that of the design's table of answers.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::time::Instant;

use super::server::{Answer, read_body, sentence, without_body};
use crate::config::{Config, Live};
use crate::domain::arrival::{Arrival, Claim};
use crate::domain::event::{Delivery, Envelope, EventKey, OWN_TYPES, SERVER_VOTE};
use crate::domain::signature;
use crate::domain::standing::Standing;
use crate::failpoint::{Point, crash_at};
use crate::intake::Intake;
use crate::report::Report;
use crate::text::Outside;

/// Says `ok` to whoever watches whether Votive runs.
pub const HEALTH_PATH: &str = "/healthz";
/// What is said about event types that are ours.
const FOR_US: &str = "Event types that begin with votive. are not for the webhook.";

/// Answers one request on the webhook's listener.
pub async fn handle(request: Request<Incoming>, config: Live, intake: Arc<Intake>, report: Report) -> Answer {
    let (at, mut read) = (intake.now(), None);
    let answer = answer_to(request, &config.now(), &intake, &report, &mut read).await;
    let status = answer.status();
    let arrival = read.map(|(claim, accepted)| Arrival { at, claim, accepted, status: status.as_u16() });
    report.delivery_answered(status, arrival);
    answer
}

/// What a delivery says it is, and what it is or why it is not accepted.
type Read = (Claim, Result<Delivery, String>);

/// Answers a request, and notes what it was, if it could be `read`.
async fn answer_to(
    request: Request<Incoming>,
    config: &Config,
    intake: &Arc<Intake>,
    report: &Report,
    read: &mut Option<Read>,
) -> Answer {
    // The head has just been read.
    let deadline = Instant::now() + config.webhook.answer_within;
    let path = request.uri().path();
    if path == HEALTH_PATH {
        return match *request.method() {
            Method::GET | Method::HEAD => sentence(StatusCode::OK, "ok"),
            _ => wrong_method("GET"),
        };
    }
    if path != config.webhook.path {
        return sentence(
            StatusCode::NOT_FOUND,
            "Nothing is here. The path of the webhook is set in rewards.yaml, as webhook.path.",
        );
    }
    if request.method() != Method::POST {
        return wrong_method("POST");
    }
    let body = match read_body(request.into_body()).await {
        Ok(body) => body,
        Err(why) => return without_body(why),
    };
    let (claim, verified) = verify(&body, config);
    let delivery = match verified {
        Ok(delivery) => delivery,
        Err((status, why)) => {
            report.delivery_refused(status, &why);
            *read = Some((claim, Err(why.clone())));
            return sentence(status, why);
        }
    };
    crash_at(Point::DeliveryVerified);
    let (event, event_type) = (&delivery.key, Outside(&delivery.key.event_type));
    let ours = delivery.key.event_type.starts_with(OWN_TYPES) && !delivery.is_test;
    *read = Some((claim, if ours { Err(FOR_US.to_owned()) } else { Ok(delivery.clone()) }));
    if delivery.is_test {
        tracing::info!(%event, %event_type, "test delivery: the signature is good");
        return sentence(StatusCode::NO_CONTENT, "");
    }
    if ours {
        tracing::warn!(%event, %event_type, "refused a delivery of a type that only Votive itself uses");
        return sentence(StatusCode::UNPROCESSABLE_ENTITY, FOR_US);
    }
    if delivery.key.event_type != SERVER_VOTE {
        tracing::info!(%event, %event_type, "nothing is rewarded for this type of event");
        return sentence(StatusCode::NO_CONTENT, "");
    }
    let standing = intake.deliver(event, deadline).await;
    crash_at(Point::AnswerReady);
    answer(event, standing)
}

fn verify(body: &[u8], config: &Config) -> (Claim, Result<Delivery, (StatusCode, String)>) {
    match Envelope::parse(body) {
        Ok(envelope) => (envelope.claim(), verify_envelope(&envelope, config)),
        Err(why) => (Claim::default(), Err((StatusCode::BAD_REQUEST, why.to_string()))),
    }
}

fn verify_envelope(envelope: &Envelope, config: &Config) -> Result<Delivery, (StatusCode, String)> {
    let message = envelope.message();
    let good = envelope.signature().is_some_and(|signature| {
        let tokens = &config.gamemonitoring.signing_tokens;
        tokens.iter().any(|token| signature::verify(token.expose(), &message, signature))
    });
    if !good {
        let why = "The signature is wrong or missing. Compare Votive's signing token with the one in the project's settings.";
        return Err((StatusCode::UNAUTHORIZED, why.to_owned()));
    }
    envelope.delivery().map_err(|why| (StatusCode::BAD_REQUEST, why.to_string()))
}

fn wrong_method(allowed: &'static str) -> Answer {
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
                "It is not known whether a command ran on {server}. Look there, then run on Votive's machine: votive resolve {event} --ran, or --not-run."
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
