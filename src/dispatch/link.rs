//! The one connection to a game server: opened when there is something to do, lost without a fuss, opened again
//! after growing waits.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::GameServer;
use crate::domain::player::PlayerName;
use crate::domain::presence::{self, Online, Presence};
use crate::domain::standing::Wait;
use crate::rcon::{ConnectError, Connection, Outcome};

/// The first wait before a server that does not answer is tried again; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait: a server that is back is noticed within it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a server may take to answer a question that some servers do not know.
const PROBE: Duration = Duration::from_secs(2);
/// An intent is recorded only on a connection that answered within this time (contract/rcon.md).
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Link {
    live: Option<Live>,
    /// When the next attempt is due, after a loss.
    retry_at: Option<Instant>,
    /// Why the last attempt failed.
    down: Option<ConnectError>,
    /// How long the next failure makes us wait.
    wait: Duration,
}

#[derive(Debug)]
struct Live {
    connection: Connection,
    since: Instant,
    /// The command that lists who is online, once it is known: Paper takes `minecraft:list` past its plugins.
    list: Option<&'static str>,
    /// Whether it was said that nobody can read this server's list.
    unreadable: bool,
}

/// The connection is gone, and what was asked was not answered.
#[derive(Debug)]
pub(super) struct Lost;

impl Link {
    /// When the server is to be tried again; `None` if it may be tried now.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|&at| at > Instant::now())
    }

    /// What rewards wait for, where the last attempt to open a connection failed.
    pub(super) fn down(&self) -> Option<Wait> {
        self.down.as_ref().map(|error| match error {
            ConnectError::WrongPassword => Wait::Password,
            _ => Wait::Server,
        })
    }

    /// Opens the connection if there is none.
    pub(super) async fn open(&mut self, server: &GameServer) -> Result<(), Lost> {
        if self.live.is_some() {
            return Ok(());
        }
        match Connection::open(&server.rcon, server.password.expose(), server.timeouts).await {
            Ok(connection) => {
                self.live = Some(Live { connection, since: Instant::now(), list: None, unreadable: false });
                self.retry_at = None;
                if self.down.take().is_some() {
                    tracing::info!(server = %server.name, "the game server is back");
                }
                Ok(())
            }
            Err(error) => {
                if self.down.as_ref().map(ToString::to_string) != Some(error.to_string()) {
                    tracing::warn!(
                        server = %server.name, address = %server.rcon, password = %server.password_source,
                        "the game server {error}; its rewards wait and are issued when it is back"
                    );
                }
                self.down = Some(error);
                self.wait = self.wait.max(FIRST_WAIT);
                self.lose();
                Err(Lost)
            }
        }
    }

    /// Throws the connection away. The first loss after a good time is followed by an attempt at once.
    pub(super) fn lose(&mut self) {
        self.live = None;
        if !self.wait.is_zero() {
            // Up to a quarter less, so that many daemons do not come back at one moment.
            let wait = self.wait.mul_f64(1.0 - fastrand::f64() / 4.0);
            self.retry_at = Some(Instant::now() + wait);
        }
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
    }

    /// Whether the server answered within the last second.
    pub(super) fn is_fresh(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.connection.answered_within(FRESH))
    }

    /// Sends the command of a step. The connection survives an answer, and silence where `silence_is_normal`.
    pub(super) async fn send(&mut self, command: &str, limit: Duration, silence_is_normal: bool) -> Outcome {
        let outcome = self.command(command, limit, silence_is_normal).await;
        if matches!(outcome, Outcome::Reply(_)) {
            self.wait = Duration::ZERO;
        }
        outcome
    }

    async fn command(&mut self, command: &str, limit: Duration, silence_is_normal: bool) -> Outcome {
        let Some(live) = &mut self.live else {
            return Outcome::NotSent;
        };
        let outcome = live.connection.command(command, limit).await;
        match outcome {
            Outcome::Reply(_) | Outcome::TooLong => {}
            Outcome::Silent if silence_is_normal => {}
            _ => self.lose(),
        }
        outcome
    }

    /// Asks who is online; `None` where the answer cannot be read.
    pub(super) async fn list(&mut self, server: &GameServer) -> Result<Option<Online>, Lost> {
        let known = self.live.as_ref().ok_or(Lost)?.list;
        if known.is_none() {
            let probe = "minecraft:list";
            let limit = PROBE.min(server.timeouts.command);
            let online = self
                .ask(probe, limit, true)
                .await?
                .and_then(|reply| presence::read_list(&reply, &server.replies));
            let live = self.live.as_mut().ok_or(Lost)?;
            live.list = Some(if online.is_some() { probe } else { "list" });
            if online.is_some() {
                return Ok(online);
            }
        }
        let command = known.unwrap_or("list");
        let reply = self.ask(command, server.timeouts.command, false).await?;
        Ok(reply.and_then(|reply| presence::read_list(&reply, &server.replies)))
    }

    /// Asks for one player where the list does not tell. What nobody can read counts as away, and is said once for
    /// each connection.
    pub(super) async fn is_there(&mut self, server: &GameServer, player: &PlayerName) -> Result<bool, Lost> {
        let command = format!("execute if entity {player}");
        let limit = PROBE.min(server.timeouts.command);
        let reply = self.ask(&command, limit, true).await?.unwrap_or_default();
        let presence = presence::read_entity_test(&reply);
        let live = self.live.as_mut().ok_or(Lost)?;
        if presence == Presence::Unknown && !std::mem::replace(&mut live.unreadable, true) {
            tracing::error!(
                server = %server.name,
                "cannot tell whether {player} is online: the answers to \"list\" and to \"execute if entity\" do not say. Such rewards wait; set servers.{}.replies.list in rewards.yaml and restart Votive",
                server.name
            );
        }
        Ok(presence == Presence::Online)
    }

    /// A question that changes nothing in the game; `None` for silence where that is normal.
    async fn ask(
        &mut self,
        command: &str,
        limit: Duration,
        silence_is_normal: bool,
    ) -> Result<Option<String>, Lost> {
        let outcome = self.command(command, limit, silence_is_normal).await;
        // An answered question alone makes up for earlier losses only on a connection that lasts: there are servers
        // that answer this and then break off at the step.
        if self.live.as_ref().is_some_and(|live| live.since.elapsed() >= self.wait) {
            self.wait = Duration::ZERO;
        }
        match outcome {
            Outcome::Reply(reply) => Ok(Some(reply)),
            Outcome::Silent if silence_is_normal => Ok(None),
            _ => Err(Lost),
        }
    }
}
