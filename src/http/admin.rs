//! What the command line asks of the running daemon, over a Unix socket: HTTP with JSON bodies.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::server::{Answer, pieces, read_body, sentence, without_body};
use crate::config::{Config, Live};
use crate::domain::event::EventKey;
use crate::domain::player::PlayerName;
use crate::domain::standing::Standing;
use crate::intake::{Intake, NotRetried, NotSettled, Settled};
use crate::reload::{NotReloaded, Reloader};
use crate::report::Report;
use crate::text::Outside;

/// Where a [`TestVote`] goes.
pub const TEST_VOTE_PATH: &str = "/v1/test-vote";
/// Where a [`Resolve`] goes.
pub const RESOLVE_PATH: &str = "/v1/resolve";
/// Where a [`Retry`] goes.
pub const RETRY_PATH: &str = "/v1/retry";
/// Reloads the configuration. 422 where that is refused, with every problem.
pub const RELOAD_PATH: &str = "/v1/reload";
/// Gives a backup of the ledger.
pub const BACKUP_PATH: &str = "/v1/backup";
/// Has a message sent to everybody who is notified. 502 where somebody was not told.
pub const NOTIFY_TEST_PATH: &str = "/v1/notify-test";
/// How long a test vote or a retry may take until the answer says how far it has come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for a grant as if a player had voted.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestVote {
    /// The player's name.
    pub player: String,
    /// The game server's name in `rewards.yaml`.
    pub server: String,
}

/// Settles what is in doubt about an event.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The vote's id.
    pub event_id: String,
    /// The one reward that is meant, if not all that is in doubt.
    pub reward: Option<String>,
    /// Whether the command ran.
    pub ran: bool,
}

/// Tries again what is refused or closed about an event.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The vote's id.
    pub event_id: String,
}

/// Answers one request of the command line with a sentence for the operator, or with a backup; any status but 200
/// means that it did not come to what was asked.
pub async fn handle(
    request: Request<Incoming>,
    config: Live,
    intake: Arc<Intake>,
    reloader: Arc<Reloader>,
    report: Report,
) -> Answer {
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let body = match read_body(request.into_body()).await {
        Ok(body) => body,
        Err(why) => return without_body(why),
    };
    let done = match (method, path.as_str()) {
        (Method::POST, TEST_VOTE_PATH) => test_vote(&body, &config.now(), &intake).await,
        (Method::POST, RESOLVE_PATH) => resolve(&body, &intake).await,
        (Method::POST, RETRY_PATH) => retry(&body, &intake).await,
        (Method::POST, RELOAD_PATH) => reload(&reloader).await,
        (Method::POST, NOTIFY_TEST_PATH) => notify_test(&report, &config.now()).await,
        (Method::POST, BACKUP_PATH) => match intake.backup() {
            Ok(backup) => return pieces(backup),
            Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
        },
        _ => Err((
            StatusCode::NOT_FOUND,
            "This Votive does not know that request; are both of one version?".to_owned(),
        )),
    };
    match done {
        Ok(text) => sentence(StatusCode::OK, text),
        Err((status, text)) => sentence(status, text),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

async fn test_vote(body: &[u8], config: &Config, intake: &Intake) -> Result<String, (StatusCode, String)> {
    let vote: TestVote = read(body)?;
    let Some(server) = config.servers.iter().find(|server| server.name == vote.server) else {
        let names: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
        let text = format!("rewards.yaml has no server of that name; it has: {}.", names.join(", "));
        return Err((StatusCode::NOT_FOUND, text));
    };
    PlayerName::parse(&vote.player, config.players.bedrock_prefix)
        .map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, format!("That is no player's name: {why}.")))?;
    let (event, standing) = intake
        .test_vote(&vote.player, &server.name, Instant::now() + PATIENCE)
        .await
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    tell(&event, &server.name, standing)
}

fn tell(event: &EventKey, server: &str, standing: Standing) -> Result<String, (StatusCode, String)> {
    let text = match standing {
        Standing::Granted => format!("Granted on {server}. Event {event}."),
        Standing::AwaitsPlayer => {
            format!("Recorded: what is left waits for the player to come online on {server}. Event {event}.")
        }
        Standing::ServerDown(_) => {
            format!("Recorded: {server} is down, and the reward waits until it is back. Event {event}.")
        }
        Standing::WrongPassword(_) => {
            format!(
                "Recorded: {server} refuses the RCON password. Correct it; if it was Votive's, restart Votive. Event {event}."
            )
        }
        Standing::Working | Standing::Recorded => {
            format!("Recorded, and {server} is still at it. Event {event}.")
        }
        Standing::InDoubt(_) => {
            return Err((
                StatusCode::CONFLICT,
                format!(
                    "In doubt: it is not known whether a command ran on {server}. Look there, then: votive resolve {event} --ran, or --not-run."
                ),
            ));
        }
        Standing::Refused(reason) => return Err((StatusCode::UNPROCESSABLE_ENTITY, reason)),
        Standing::ApiDown => {
            format!(
                "Recorded: the API of GAMEMONITORING cannot tell this vote, and Votive asks again. Event {event}."
            )
        }
        Standing::ServerGone(_) => {
            format!(
                "Recorded: the vote's server is not in rewards.yaml any more. Add it again and reload Votive. Event {event}."
            )
        }
        Standing::Unrecorded => {
            return Err((
                StatusCode::SERVICE_UNAVAILABLE,
                "Votive is stopping or cannot record at the moment.".to_owned(),
            ));
        }
    };
    Ok(text)
}

async fn resolve(body: &[u8], intake: &Intake) -> Result<String, (StatusCode, String)> {
    let doubt: Resolve = read(body)?;
    match intake.settle(&doubt.event_id, doubt.reward.as_deref(), doubt.ran).await {
        Ok(Settled { rewards, next }) => {
            let how = if doubt.ran {
                "its command counts as run, and the rest follows"
            } else {
                "its command is sent again"
            };
            let rewards = rewards.join(", ");
            if next.is_empty() {
                return Ok(format!("Settled {rewards}: {how}."));
            }
            let next: Vec<String> = next.iter().map(|command| Outside(command).to_string()).collect();
            Ok(format!(
                "Settled {rewards}. The next command is in doubt as well: {}. Look whether it ran, then: votive resolve {} --ran, or --not-run.",
                next.join(" and "),
                doubt.event_id
            ))
        }
        Err(why @ NotSettled::Unknown(_)) => Err((StatusCode::NOT_FOUND, why.to_string())),
        Err(why @ NotSettled::NothingInDoubt(_)) => Err((StatusCode::CONFLICT, why.to_string())),
        Err(why @ NotSettled::Ledger(_)) => Err((StatusCode::SERVICE_UNAVAILABLE, why.to_string())),
    }
}

async fn retry(body: &[u8], intake: &Arc<Intake>) -> Result<String, (StatusCode, String)> {
    let vote: Retry = read(body)?;
    match intake.retry(&vote.event_id, Instant::now() + PATIENCE).await {
        Ok((event, server, standing)) => tell(&event, &server, standing),
        Err(why @ NotRetried::Unknown(_)) => Err((StatusCode::NOT_FOUND, why.to_string())),
        Err(why @ NotRetried::NothingToRetry { .. }) => Err((StatusCode::CONFLICT, why.to_string())),
        Err(why @ NotRetried::Ledger(_)) => Err((StatusCode::SERVICE_UNAVAILABLE, why.to_string())),
    }
}

async fn reload(reloader: &Reloader) -> Result<String, (StatusCode, String)> {
    match reloader.reload().await {
        Ok(reloaded) => {
            tracing::info!("reloaded the configuration for the operator");
            Ok(reloaded.to_string())
        }
        Err(why @ NotReloaded::Refused(_)) => {
            tracing::warn!("the operator's reload was refused: `votive reload` has said why");
            Err((StatusCode::UNPROCESSABLE_ENTITY, why.to_string()))
        }
        Err(why @ (NotReloaded::Stopping | NotReloaded::Ledger(_))) => {
            Err((StatusCode::SERVICE_UNAVAILABLE, why.to_string()))
        }
    }
}

async fn notify_test(report: &Report, config: &Config) -> Result<String, (StatusCode, String)> {
    let told = report.test_notifications(&config.notify).await;
    if told.is_empty() {
        let text =
            "rewards.yaml names nobody who is told: write `notify:`, and below it `discord:` or `command:`.";
        return Err((StatusCode::CONFLICT, text.to_owned()));
    }
    let lines: Vec<String> = told
        .iter()
        .map(|(target, told)| match told {
            Ok(()) => format!("{target}: was told"),
            Err(why) => format!("{target}: {why}"),
        })
        .collect();
    let text = lines.join("\n");
    if told.iter().all(|(_, told)| told.is_ok()) { Ok(text) } else { Err((StatusCode::BAD_GATEWAY, text)) }
}
