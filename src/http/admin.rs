//! Answers what the command line asks over the control socket: the requests of [`crate::control`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::server::{Answer, in_pieces, json, pieces, read_body};
use super::test_delivery::TestDeliveries;
use crate::config::{Config, GameServer, Live};
use crate::control::{
    BACKUP_PATH, Backup, Cancel, Done, EXPORT_PATH, Explain, Export, FOLLOW_PATH, Follow, GetStatus, List,
    NotifyTarget, NotifyTested, Page, Pause, Prune, Refusal, Reload, Replay, Replayed, Request, Resolve,
    Resume, Retry, RetryRefused, Row, Status, TestNotify, TestVote, TestWebhook, VERSION_HEADER,
    WebhookTested,
};
use crate::domain::doubts::Doubts;
use crate::domain::event::{EventKey, is_event_id};
use crate::domain::player::PlayerName;
use crate::domain::replay::Selection;
use crate::domain::standing::Standing;
use crate::domain::story::Explained;
use crate::intake::{Intake, NotDone, Settled};
use crate::ledger::{self, LedgerError};
use crate::reload::{NotReloaded, Reloader};
use crate::report::Report;
use crate::text::{Outside, counted};

/// How long a test vote or a retry may take until the answer says how far it has come.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most votes of a page.
const LARGEST_PAGE: usize = 1000;
/// The most stories that are told at once.
const MOST_STORIES: usize = 100;
/// How many of the last votes the status shows.
const LAST_VOTES: usize = 5;

/// What the control socket answers for.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The configuration.
    pub config: Live,
    /// Takes in events, and what the operator asks.
    pub intake: Arc<Intake>,
    /// Reloads.
    pub reloader: Arc<Reloader>,
    /// Posts test deliveries.
    pub test_deliveries: TestDeliveries,
    /// Tells those who are notified.
    pub report: Report,
    /// When the daemon was started.
    pub started_at: Timestamp,
    /// Where the webhook listens.
    pub webhook: SocketAddr,
}

/// Why it did not come to what was asked.
type Refused = (StatusCode, String);

/// Answers one request of the command line, asked by the user with this number.
pub async fn handle(request: hyper::Request<Incoming>, admin: Admin, uid: u32) -> Answer {
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let body = read_body(request.into_body()).await;
    let answered = match body {
        Err(_) => {
            Err((StatusCode::BAD_REQUEST, "The request is too long, too slow, or broke off.".to_owned()))
        }
        Ok(body) if method == Method::POST => admin.route(&path, &body, uid).await,
        Ok(_) => {
            Err((StatusCode::METHOD_NOT_ALLOWED, "Everything here is asked for with a POST.".to_owned()))
        }
    };
    let mut answer = answered.unwrap_or_else(|(status, error)| json(status, &Refusal { error }));
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    answer.headers_mut().insert(HeaderName::from_static(VERSION_HEADER), version);
    answer
}

fn unknown() -> Refused {
    let text = "This Votive does not know that request; are both of one version?";
    (StatusCode::NOT_FOUND, text.to_owned())
}

/// The one that a body holds.
fn read<R: DeserializeOwned>(body: &[u8]) -> Result<R, Refused> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

fn good(answer: &impl Serialize) -> Answer {
    json(StatusCode::OK, answer)
}

fn done(message: impl Into<String>) -> Done {
    Done { message: message.into() }
}

/// Whether a text can be the id of a vote at all.
fn check_id(event_id: &str) -> Result<(), Refused> {
    if is_event_id(event_id) {
        return Ok(());
    }
    let text =
        format!("{} is not the id of a vote: those have letters, digits and dashes.", Outside(event_id));
    Err((StatusCode::NOT_FOUND, text))
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<NotDone> for Refused {
    fn from(why: NotDone) -> Self {
        let status = match why {
            NotDone::Unknown(_) => StatusCode::NOT_FOUND,
            NotDone::NotNow(_) => StatusCode::CONFLICT,
            NotDone::TooMuch(_) => StatusCode::UNPROCESSABLE_ENTITY,
            NotDone::Ledger(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, why.to_string())
    }
}

impl Admin {
    async fn route(&self, path: &str, body: &[u8], uid: u32) -> Result<Answer, Refused> {
        Ok(match path {
            TestVote::PATH => good(&self.test_vote(read(body)?, uid).await?),
            Resolve::PATH => good(&self.resolve(read(body)?, uid).await?),
            Retry::PATH => good(&self.retry(read(body)?, uid).await?),
            RetryRefused::PATH => good(&self.retry_refused(read(body)?, uid).await?),
            Cancel::PATH => good(&self.cancel(read(body)?, uid).await?),
            Replay::PATH => good(&self.replay(read(body)?, uid).await?),
            Pause::PATH => good(&self.pause(read(body)?, uid).await?),
            Resume::PATH => good(&self.resume(read(body)?, uid).await?),
            TestWebhook::PATH => good(&self.test_webhook(read(body)?).await?),
            Reload::PATH => good(&self.reload(read(body)?, uid).await?),
            TestNotify::PATH => good(&self.test_notify(read(body)?).await),
            Prune::PATH => good(&self.prune(read(body)?, uid).await?),
            GetStatus::PATH => good(&self.status(read(body)?).await?),
            List::PATH => good(&self.votes(read(body)?).await?),
            Explain::PATH => good(&self.explain(read(body)?).await?),
            EXPORT_PATH => self.export(read(body)?),
            BACKUP_PATH => self.backup(read(body)?)?,
            FOLLOW_PATH => self.follow(read(body)?).await?,
            _ => return Err(unknown()),
        })
    }

    async fn test_webhook(&self, asked: TestWebhook) -> Result<WebhookTested, Refused> {
        let tested = self.test_deliveries.deliver(asked, &self.config.now()).await;
        tested.map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, why.to_string()))
    }

    async fn test_vote(&self, vote: TestVote, uid: u32) -> Result<Done, Refused> {
        let config = self.config.now();
        let server = server(&config, &vote.server)?;
        PlayerName::parse(&vote.player, config.players.bedrock_prefix)
            .map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, format!("That is no player's name: {why}.")))?;
        let (event, standing) =
            self.intake.test_vote(&vote.player, &server.name, uid, Instant::now() + PATIENCE).await?;
        tell(&event, &server.name, standing).map(done)
    }

    async fn resolve(&self, doubt: Resolve, uid: u32) -> Result<Done, Refused> {
        check_id(&doubt.event_id)?;
        // People count from one.
        let serial = doubt.step.map(|number| {
            number.checked_sub(1).ok_or((StatusCode::BAD_REQUEST, "Commands are counted from 1.".to_owned()))
        });
        let doubts = Doubts { reward: doubt.reward.as_deref(), serial: serial.transpose()?, all: doubt.all };
        let settled = self.intake.settle(&doubt.event_id, doubts, doubt.ran, uid).await;
        let Settled { rewards, next } = settled?;
        let how = match (doubt.ran, rewards.len()) {
            (true, 1) => "its command counts as run, and the rest follows",
            (true, _) => "their commands count as run, and the rest follows",
            (false, 1) => "its command is sent again",
            (false, _) => "their commands are sent again",
        };
        let rewards = rewards.join(", ");
        if next.is_empty() {
            return Ok(done(format!("Settled {rewards}: {how}.")));
        }
        let next = next.iter().map(|step| {
            let (number, command) = (step.number(), Outside(&step.command));
            format!("votive resolve {} --step {number} --ran, or --not-run ({command})", doubt.event_id)
        });
        Ok(done(format!(
            "Settled {rewards}. The next command is in doubt as well. Look whether it ran, then: {}.",
            next.collect::<Vec<_>>().join("; ")
        )))
    }

    async fn retry(&self, vote: Retry, uid: u32) -> Result<Done, Refused> {
        check_id(&vote.event_id)?;
        let retried = self.intake.retry(&vote.event_id, uid, Instant::now() + PATIENCE).await;
        let (event, server, standing) = retried?;
        tell(&event, &server, standing).map(done)
    }

    async fn retry_refused(&self, which: RetryRefused, uid: u32) -> Result<Done, Refused> {
        if let Some(name) = &which.server {
            server(&self.config.now(), name)?;
        }
        let retried = self.intake.retry_refused(which.server.as_deref(), uid).await;
        let (retried, left) = retried?;
        let mut told = Vec::new();
        if retried > 0 {
            told.push(format!(
                "Tried again: {}. What is refused once more shows up in votive votes --state refused.",
                counted(retried, "vote")
            ));
        }
        if left > 0 {
            told.push(format!(
                "Left alone: {}, which may have been rewarded before the ledger was restored from a backup. votive retry EVENT_ID tries one again.",
                counted(left, "vote")
            ));
        }
        if told.is_empty() {
            let of = which.server.map_or_else(String::new, |name| format!(" of votes for {name}"));
            told.push(format!("Nothing is refused{of}."));
        }
        Ok(done(told.join(" ")))
    }

    async fn cancel(&self, vote: Cancel, uid: u32) -> Result<Done, Refused> {
        check_id(&vote.event_id)?;
        let rewards = self.intake.cancel(&vote.event_id, uid).await?;
        let event = vote.event_id;
        Ok(done(match rewards.as_slice() {
            [] => format!("Cancelled the vote {event}. Only votive retry {event} reopens it."),
            rewards => format!(
                "Cancelled what was left of {}. Only votive retry {event} reopens it.",
                rewards.join(", ")
            ),
        }))
    }

    async fn replay(&self, replay: Replay, uid: u32) -> Result<Replayed, Refused> {
        let config = self.config.now();
        let server = server(&config, &replay.server)?;
        let selection = Selection {
            issued: replay.since..replay.until,
            player: replay.player.map(|player| player.to_lowercase()),
            reward: replay.reward,
            again: replay.again,
        };
        Ok(self.intake.replay(&server.name, selection, replay.apply.then_some(uid)).await?)
    }

    async fn pause(&self, pause: Pause, uid: u32) -> Result<Done, Refused> {
        let config = self.config.now();
        let server = server(&config, &pause.server)?;
        let (is_new, name) = (self.intake.pause(server, uid).await?, &server.name);
        Ok(done(match is_new {
            true => format!(
                "Paused {name}: nothing is sent there, also after a restart, until votive resume {name}. Votes are recorded and wait."
            ),
            false => format!("{name} is paused already."),
        }))
    }

    async fn resume(&self, resume: Resume, uid: u32) -> Result<Done, Refused> {
        let config = self.config.now();
        let server = server(&config, &resume.server)?;
        let (resumed, name) = (self.intake.resume(server, uid).await?, &server.name);
        Ok(done(match resumed {
            Some(1) => format!("Resumed {name}; 1 vote is open there."),
            Some(open) => format!("Resumed {name}; {open} votes are open there."),
            None => format!("{name} is not paused."),
        }))
    }

    async fn reload(&self, Reload {}: Reload, uid: u32) -> Result<Done, Refused> {
        match self.reloader.reload().await {
            Ok(reloaded) => {
                tracing::info!(uid, "reloaded the configuration for the operator");
                Ok(done(reloaded.to_string()))
            }
            Err(why @ NotReloaded::Refused(_)) => {
                tracing::warn!(uid, "the operator's reload was refused: `votive reload` has said why");
                Err((StatusCode::UNPROCESSABLE_ENTITY, why.to_string()))
            }
            Err(why @ (NotReloaded::Stopping | NotReloaded::Ledger(_))) => {
                Err((StatusCode::SERVICE_UNAVAILABLE, why.to_string()))
            }
        }
    }

    async fn test_notify(&self, TestNotify {}: TestNotify) -> NotifyTested {
        let told = self.report.test_notifications(&self.config.now().notify).await;
        NotifyTested {
            targets: told.into_iter().map(|(key, told)| NotifyTarget { key, failure: told.err() }).collect(),
        }
    }

    async fn prune(&self, prune: Prune, uid: u32) -> Result<Done, Refused> {
        let pruned = self.intake.prune(prune.before, uid).await?;
        let before = prune.before.strftime("%Y-%m-%d %H:%M UTC");
        Ok(done(format!(
            "Pruned {} from before {before}. That they were rewarded stays known, so none of them is rewarded again. The file keeps its size; new votes take the room.",
            counted(pruned, "vote")
        )))
    }

    async fn status(&self, GetStatus {}: GetStatus) -> Result<Status, Refused> {
        let config = self.config.now();
        let open = self.intake.open().await?;
        let last = List { limit: LAST_VOTES, ..List::default() };
        let last = self.intake.votes(last, None).await?.votes;
        let ledger = config.state_dir.join(ledger::NAME);
        let (path, read_at) = self.reloader.source();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            config: path,
            config_read_at: read_at,
            // A ledger that is not there any more has no size.
            ledger_bytes: ledger.metadata().map_or(0, |file| file.len()),
            ledger,
            webhook: format!("http://{}{}", self.webhook, config.webhook.path),
            servers: self.intake.servers(&open, self.started_at),
            waiting: open.waiting,
            oldest: open.oldest,
            refused: open.refused,
            last,
        })
    }

    async fn votes(&self, list: List) -> Result<Page, Refused> {
        if let Some(name) = &list.server {
            server(&self.config.now(), name)?;
        }
        let bad = |text: String| Err((StatusCode::BAD_REQUEST, text));
        if !(1..=LARGEST_PAGE).contains(&list.limit) {
            return bad(format!("limit has to be a number from 1 to {LARGEST_PAGE}."));
        }
        let before = list.next.as_ref().map(base16ct::mixed::decode_vec).transpose();
        let Ok(before) = before else {
            return bad("next has to be what the page before had as its next.".to_owned());
        };
        Ok(self.intake.votes(list, before).await?)
    }

    async fn explain(&self, Explain { asked, last }: Explain) -> Result<Explained, Refused> {
        if !(1..=MOST_STORIES).contains(&last) {
            let text = format!("last has to be a number from 1 to {MOST_STORIES}.");
            return Err((StatusCode::BAD_REQUEST, text));
        }
        Ok(self.intake.explain(&asked, last).await?)
    }

    fn export(&self, Export { since }: Export) -> Answer {
        let votes = self.intake.all_votes(since);
        pieces(votes.map(|votes| Ok(lines(&votes?)?.into())))
    }

    async fn follow(&self, which: Follow) -> Result<Answer, Refused> {
        if let Some(name) = &which.server {
            server(&self.config.now(), name)?;
        }
        let (sender, answer) = in_pieces();
        let mut news = self.intake.news(which).await?;
        tokio::spawn(async move {
            loop {
                let votes = tokio::select! {
                    votes = news.next() => votes,
                    () = sender.closed() => return,
                };
                let Ok(Some(votes)) = votes else { return };
                // Our own types can be written.
                let Ok(lines) = lines(&votes) else { return };
                if sender.send(Some(lines.into())).await.is_err() {
                    return;
                }
            }
        });
        Ok(answer)
    }

    fn backup(&self, Backup {}: Backup) -> Result<Answer, Refused> {
        Ok(pieces(self.intake.backup()?))
    }
}

/// A line of JSON for each vote.
fn lines(votes: &[Row]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for vote in votes {
        serde_json::to_writer(&mut lines, vote)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The game server of this name.
fn server<'c>(config: &'c Config, name: &str) -> Result<&'c GameServer, Refused> {
    config.server_named(name).map_err(|why| (StatusCode::NOT_FOUND, why.to_string()))
}

fn tell(event: &EventKey, server: &str, standing: Standing) -> Result<String, (StatusCode, String)> {
    let text = match standing {
        Standing::Granted => {
            format!("Granted on {server}. Event {event}; votive explain {event} tells which rewards.")
        }
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
        Standing::Paused(_) => {
            format!("Recorded: {server} is paused; votive resume {server} lets it go on. Event {event}.")
        }
        Standing::Working | Standing::Recorded => {
            format!("Recorded, and {server} is still at it. Event {event}.")
        }
        Standing::InDoubt(_) => {
            return Err((
                StatusCode::CONFLICT,
                format!(
                    "In doubt: it is not known whether a command ran on {server}. votive explain {event} tells which one, and how to settle it."
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
