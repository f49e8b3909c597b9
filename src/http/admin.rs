//! Answers what the command line asks over the control socket: the requests of [`crate::control`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::server::{Answer, json, pieces, read_body};
use super::trial::Trials;
use crate::config::{Config, GameServer, Live};
use crate::control::{
    BACKUP_PATH, Cancel, Done, EXPORT_PATH, Explain, Export, GetStatus, List, NotifyTarget, NotifyTest,
    NotifyTested, Page, Pause, Prune, Refusal, Reload, Replay, Replayed, Request, Resolve, Resume, Retry,
    RetryRefused, Status, TestVote, TestWebhook, Tried, VERSION_HEADER,
};
use crate::domain::event::{EventKey, is_event_id};
use crate::domain::player::PlayerName;
use crate::domain::replay::Selection;
use crate::domain::standing::Standing;
use crate::domain::story::Explained;
use crate::intake::{Doubts, Intake, NotCancelled, NotReplayed, NotRetried, NotSettled, Settled};
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
/// How many bytes a piece of an export has at least, but for the last one.
const PIECE: usize = 64 * 1024;

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
    pub trials: Trials,
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
        Ok(_) => Err(unknown()),
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
fn read<R: Request>(body: &[u8]) -> Result<R, Refused> {
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

fn failed(error: &LedgerError) -> Refused {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
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
            Reload::PATH => good(&self.reload().await?),
            NotifyTest::PATH => good(&self.notify_test().await),
            Prune::PATH => good(&self.prune(read(body)?, uid).await?),
            GetStatus::PATH => good(&self.status().await?),
            List::PATH => good(&self.votes(read(body)?).await?),
            Explain::PATH => good(&self.explain(read(body)?).await?),
            EXPORT_PATH => self.export(
                &serde_json::from_slice(body)
                    .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?,
            )?,
            BACKUP_PATH => pieces(self.intake.backup().map_err(|error| failed(&error))?),
            _ => return Err(unknown()),
        })
    }

    async fn test_webhook(&self, asked: TestWebhook) -> Result<Tried, Refused> {
        let tried = self.trials.deliver(asked, &self.config.now()).await;
        tried.map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, why.to_string()))
    }

    /// The game server of this name.
    fn server<'c>(&self, config: &'c Config, name: &str) -> Result<&'c GameServer, Refused> {
        config.servers.iter().find(|server| server.name == name).ok_or_else(|| {
            let names: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
            let names = names.join(", ");
            (StatusCode::NOT_FOUND, format!("rewards.yaml has no server {}; it has: {names}.", Outside(name)))
        })
    }

    async fn test_vote(&self, vote: TestVote, uid: u32) -> Result<Done, Refused> {
        let config = self.config.now();
        let server = self.server(&config, &vote.server)?;
        PlayerName::parse(&vote.player, config.players.bedrock_prefix)
            .map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, format!("That is no player's name: {why}.")))?;
        let (event, standing) = self
            .intake
            .test_vote(&vote.player, &server.name, uid, Instant::now() + PATIENCE)
            .await
            .map_err(|error| failed(&error))?;
        tell(&event, &server.name, standing).map(done)
    }

    async fn resolve(&self, doubt: Resolve, uid: u32) -> Result<Done, Refused> {
        check_id(&doubt.event_id)?;
        // People count from one.
        let serial = doubt.step.map(|number| {
            number.checked_sub(1).ok_or((StatusCode::BAD_REQUEST, "Commands are counted from 1.".to_owned()))
        });
        let doubts = Doubts { reward: doubt.reward.as_deref(), serial: serial.transpose()? };
        match self.intake.settle(&doubt.event_id, doubts, doubt.ran, uid).await {
            Ok(Settled { rewards, next }) => {
                let how = if doubt.ran {
                    "its command counts as run, and the rest follows"
                } else {
                    "its command is sent again"
                };
                let rewards = rewards.join(", ");
                if next.is_empty() {
                    return Ok(done(format!("Settled {rewards}: {how}.")));
                }
                let next: Vec<String> = next.iter().map(|command| Outside(command).to_string()).collect();
                Ok(done(format!(
                    "Settled {rewards}. The next command is in doubt as well: {}. Look whether it ran, then: votive resolve {} --ran, or --not-run.",
                    next.join(" and "),
                    doubt.event_id
                )))
            }
            Err(why @ NotSettled::Unknown(_)) => Err((StatusCode::NOT_FOUND, why.to_string())),
            Err(why @ NotSettled::NothingInDoubt(_)) => Err((StatusCode::CONFLICT, why.to_string())),
            Err(NotSettled::Ledger(error)) => Err(failed(&error)),
        }
    }

    async fn retry(&self, vote: Retry, uid: u32) -> Result<Done, Refused> {
        check_id(&vote.event_id)?;
        match self.intake.retry(&vote.event_id, uid, Instant::now() + PATIENCE).await {
            Ok((event, server, standing)) => tell(&event, &server, standing).map(done),
            Err(why @ NotRetried::Unknown(_)) => Err((StatusCode::NOT_FOUND, why.to_string())),
            Err(why @ NotRetried::NothingToRetry { .. }) => Err((StatusCode::CONFLICT, why.to_string())),
            Err(NotRetried::Ledger(error)) => Err(failed(&error)),
        }
    }

    async fn retry_refused(&self, which: RetryRefused, uid: u32) -> Result<Done, Refused> {
        if let Some(server) = &which.server {
            self.server(&self.config.now(), server)?;
        }
        let retried = self.intake.retry_refused(which.server.as_deref(), uid).await;
        Ok(match retried.map_err(|error| failed(&error))? {
            0 => done("Nothing is refused."),
            votes => done(format!(
                "Tried again: {}. What is refused once more shows up in votive votes --state refused.",
                counted(votes, "vote")
            )),
        })
    }

    async fn cancel(&self, vote: Cancel, uid: u32) -> Result<Done, Refused> {
        check_id(&vote.event_id)?;
        match self.intake.cancel(&vote.event_id, uid).await {
            Ok(rewards) if rewards.is_empty() => {
                Ok(done(format!("Cancelled the vote {}. Only votive retry reopens it.", vote.event_id)))
            }
            Ok(rewards) => Ok(done(format!(
                "Cancelled what was left of {}. Only votive retry {} reopens it.",
                rewards.join(", "),
                vote.event_id
            ))),
            Err(why @ NotCancelled::Unknown(_)) => Err((StatusCode::NOT_FOUND, why.to_string())),
            Err(why @ (NotCancelled::NothingToCancel(_) | NotCancelled::BeingSent(_))) => {
                Err((StatusCode::CONFLICT, why.to_string()))
            }
            Err(NotCancelled::Ledger(error)) => Err(failed(&error)),
        }
    }

    async fn replay(&self, replay: Replay, uid: u32) -> Result<Replayed, Refused> {
        let config = self.config.now();
        let server = self.server(&config, &replay.server)?;
        let selection = Selection {
            issued: replay.since..replay.until,
            player: replay.player.map(|player| player.to_lowercase()),
            reward: replay.reward,
            again: replay.again,
        };
        match self.intake.replay(&server.name, selection, replay.apply.then_some(uid)).await {
            Ok(replayed) => Ok(replayed),
            Err(why @ NotReplayed::TooMany) => Err((StatusCode::UNPROCESSABLE_ENTITY, why.to_string())),
            Err(why @ NotReplayed::Busy) => Err((StatusCode::CONFLICT, why.to_string())),
            Err(NotReplayed::Ledger(error)) => Err(failed(&error)),
        }
    }

    async fn pause(&self, pause: Pause, uid: u32) -> Result<Done, Refused> {
        let server = &pause.server;
        self.server(&self.config.now(), server)?;
        if !self.intake.pause(server, uid).await.map_err(|error| failed(&error))? {
            return Ok(done(format!("{server} is paused already.")));
        }
        Ok(done(format!(
            "Paused {server}: nothing is sent there, also after a restart, until votive resume {server}. Votes are recorded and wait."
        )))
    }

    async fn resume(&self, resume: Resume, uid: u32) -> Result<Done, Refused> {
        let server = &resume.server;
        let resumed = self.intake.resume(server, uid).await.map_err(|error| failed(&error))?;
        match resumed {
            Some(open) => Ok(done(format!("Resumed {server}; {} open there.", counted_are(open)))),
            // One that is not configured any more may be paused still.
            None => {
                self.server(&self.config.now(), server)?;
                Ok(done(format!("{server} is not paused.")))
            }
        }
    }

    async fn reload(&self) -> Result<Done, Refused> {
        match self.reloader.reload().await {
            Ok(reloaded) => {
                tracing::info!("reloaded the configuration for the operator");
                Ok(done(reloaded.to_string()))
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

    async fn notify_test(&self) -> NotifyTested {
        let told = self.report.test_notifications(&self.config.now().notify).await;
        NotifyTested {
            targets: told.into_iter().map(|(key, told)| NotifyTarget { key, failure: told.err() }).collect(),
        }
    }

    async fn prune(&self, prune: Prune, uid: u32) -> Result<Done, Refused> {
        let pruned = self.intake.prune(prune.before, uid).await.map_err(|error| failed(&error))?;
        let before = prune.before.strftime("%Y-%m-%d %H:%M UTC");
        Ok(done(format!(
            "Pruned {} from before {before}. That they were rewarded stays known, so none of them is rewarded again. The file keeps its size; new votes take the room.",
            counted(pruned, "vote")
        )))
    }

    async fn status(&self) -> Result<Status, Refused> {
        let config = self.config.now();
        let open = self.intake.open().await.map_err(|error| failed(&error))?;
        let last = List { limit: LAST_VOTES, ..List::default() };
        let last = self.intake.votes(last, None).await.map_err(|error| failed(&error))?.votes;
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
        if let Some(server) = &list.server {
            self.server(&self.config.now(), server)?;
        }
        let bad = |text: String| Err((StatusCode::BAD_REQUEST, text));
        if !(1..=LARGEST_PAGE).contains(&list.limit) {
            return bad(format!("limit has to be a number from 1 to {LARGEST_PAGE}."));
        }
        let before = list.next.as_ref().map(base16ct::mixed::decode_vec).transpose();
        let Ok(before) = before else {
            return bad("next has to be what the page before had as its next.".to_owned());
        };
        self.intake.votes(list, before).await.map_err(|error| failed(&error))
    }

    async fn explain(&self, Explain { asked, last }: Explain) -> Result<Explained, Refused> {
        let explained = self.intake.explain(&asked, last.clamp(1, MOST_STORIES)).await;
        explained.map_err(|error| failed(&error))
    }

    fn export(&self, export: &Export) -> Result<Answer, Refused> {
        let votes = self.intake.all_votes(export.since).map_err(|error| failed(&error))?;
        let (config, intake) = (self.config.now(), Arc::clone(&self.intake));
        let mut lines = votes.map(move |found| -> io::Result<Vec<u8>> {
            let mut line = serde_json::to_vec(&intake.row(&found?, &config))?;
            line.push(b'\n');
            Ok(line)
        });
        let mut ended = false;
        Ok(pieces(std::iter::from_fn(move || {
            let mut piece = Vec::new();
            while piece.len() < PIECE && !ended {
                match lines.next() {
                    Some(Ok(line)) => piece.extend(line),
                    Some(Err(error)) => {
                        ended = true;
                        return Some(Err(error));
                    }
                    None => ended = true,
                }
            }
            (!piece.is_empty()).then(|| Ok(Bytes::from(piece)))
        })))
    }
}

fn counted_are(votes: usize) -> String {
    format!("{} {}", counted(votes, "vote"), if votes == 1 { "is" } else { "are" })
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
