//! The one connection to a game server: opened when there is something to do, lost without a fuss, opened again
//! after growing waits.

use std::time::Duration;

use tokio::time::Instant;

use super::contact::Contact;
use crate::config::GameServer;
use crate::domain::player::PlayerName;
use crate::domain::presence::{self, Online, Presence};
use crate::domain::receipt::{self, Key, Reading};
use crate::domain::standing::Wait;
use crate::rcon::{ConnectError, Connection, Network, Outcome};
use crate::report::Report;

/// The first wait before a server that does not answer is tried again; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait: a server that is back is noticed within it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a server may take to answer a question that some servers do not know.
const PROBE: Duration = Duration::from_secs(2);
/// Lists who is online.
const LIST: &str = "list";
/// The same on Paper, past plug-ins that replace `list`.
const PAPERS_LIST: &str = "minecraft:list";
/// How long a server that cannot say whether a player is there is not asked for single players again.
const UNREADABLE: Duration = Duration::from_secs(60);
/// An intent is recorded only on a connection that answered within this time (contract/rcon.md).
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Link {
    live: Option<Live>,
    /// When the next attempt is due, after a loss.
    retry_at: Option<Instant>,
    /// How long the next failure makes us wait.
    wait: Duration,
    report: Report,
    /// It is down from an attempt that failed until an answer: a server that only takes logins is not back.
    contact: Contact,
}

#[derive(Debug)]
struct Live {
    connection: Connection,
    since: Instant,
    /// [`LIST`] or [`PAPERS_LIST`], once it is known which.
    list: Option<&'static str>,
    /// Whether it has answered anything but the login.
    answered: bool,
    /// Until when there is no point in asking for single players.
    unreadable_until: Option<Instant>,
    /// Whether the game keeps receipts, once it is known.
    keeps_receipts: Option<bool>,
    /// Whether the world was asked for the receipts that it has acknowledged.
    looked_back: bool,
}

/// The connection is gone, and what was asked was not answered.
#[derive(Debug)]
pub(super) struct Lost;

impl Live {
    fn new(connection: Connection) -> Self {
        Live {
            connection,
            since: Instant::now(),
            list: None,
            answered: false,
            unreadable_until: None,
            keeps_receipts: None,
            looked_back: false,
        }
    }
}

impl Link {
    /// A link without a connection.
    pub(super) fn new(report: &Report, contact: &Contact) -> Self {
        Link { report: report.clone(), contact: contact.clone(), ..Link::default() }
    }

    /// A link over a connection that was opened a moment ago.
    pub(super) fn over(connection: Connection) -> Self {
        Link { live: Some(Live::new(connection)), ..Link::default() }
    }

    /// When the server is to be tried again; `None` if it may be tried now.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|&at| at > Instant::now())
    }

    /// Whether the server is known to be down.
    pub(super) fn is_down(&self) -> bool {
        self.contact.known().down.is_some()
    }

    /// Nothing is to be done. What is known of a server that is down is old by the time that something is, so it is tried
    /// at once then.
    pub(super) fn rest(&mut self, address: &str) {
        self.retry_at = None;
        if self.contact.rests() {
            self.report.server_unneeded(address);
        }
    }

    /// The configuration is another one: what kept the server from being used may be corrected, and what could not be
    /// read may be readable. So there is no waiting before the next attempt.
    pub(super) fn reconsider(&mut self) {
        self.retry_at = None;
        if let Some(live) = &mut self.live {
            live.unreadable_until = None;
            // The answer to the other one could not be read.
            live.list = live.list.filter(|list| *list == PAPERS_LIST);
        }
    }

    /// Opens the connection if there is none.
    pub(super) async fn open(&mut self, network: &dyn Network, server: &GameServer) -> Result<(), Lost> {
        if self.live.is_some() {
            return Ok(());
        }
        let password = server.password.expose();
        match Connection::open(network, &server.rcon, password, server.timeouts).await {
            Ok(connection) => {
                self.live = Some(Live::new(connection));
                self.retry_at = None;
                Ok(())
            }
            Err(error) => {
                self.report.not_connected(server, &error);
                let wait = match error {
                    ConnectError::WrongPassword => Wait::Password,
                    _ => Wait::Server,
                };
                self.fail(server, &error.to_string(), wait);
                Err(Lost)
            }
        }
    }

    /// The server cannot be used. Said once, and again when the reason is another.
    fn fail(&mut self, server: &GameServer, why: &str, wait: Wait) {
        if self.contact.fails(why, wait) {
            self.report.server_down(server, why);
        }
        self.wait = self.wait.max(FIRST_WAIT);
        self.lose();
    }

    /// Throws the connection away. The first loss after a good time is followed by an attempt at once. Answered questions
    /// alone make a good time only if the connection lasted: there are servers that answer these and then break off at
    /// the step.
    fn lose(&mut self) {
        if self.live.take().is_some_and(|live| live.answered && live.since.elapsed() >= self.wait) {
            self.wait = Duration::ZERO;
        }
        if !self.wait.is_zero() {
            // Up to a quarter less, so that many daemons do not come back at one moment.
            let wait = self.wait.mul_f64(1.0 - fastrand::f64() / 4.0);
            self.retry_at = Some(Instant::now() + wait);
        }
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
    }

    /// Whether the server answered a command within the last second; that it takes logins proves nothing.
    pub(super) fn is_fresh(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.answered && live.connection.answered_within(FRESH))
    }

    /// Whether there is a point in asking for single players.
    pub(super) fn tells_of_players(&self) -> bool {
        let until = self.live.as_ref().and_then(|live| live.unreadable_until);
        until.is_none_or(|until| until <= Instant::now())
    }

    /// Sends the command of a step. The connection survives an answer, and silence where `silence_is_normal`.
    pub(super) async fn send(
        &mut self,
        server: &GameServer,
        command: &str,
        limit: Duration,
        silence_is_normal: bool,
    ) -> Outcome {
        let outcome = self.command(server, command, limit, silence_is_normal).await;
        if matches!(outcome, Outcome::Reply(_)) {
            self.wait = Duration::ZERO;
        }
        outcome
    }

    async fn command(
        &mut self,
        server: &GameServer,
        command: &str,
        limit: Duration,
        silence_is_normal: bool,
    ) -> Outcome {
        let Some(live) = &mut self.live else { return Outcome::NotSent };
        let begun = Instant::now();
        let outcome = live.connection.command(command, limit).await;
        self.report.game_asked(server, begun.elapsed(), &outcome);
        match outcome {
            Outcome::Reply(_) => {
                live.answered = true;
                if self.contact.answers() {
                    self.report.server_back(server);
                }
            }
            Outcome::TooLong => {}
            Outcome::Silent if silence_is_normal => {}
            _ if !live.answered => {
                self.fail(server, "takes the login and does not answer commands", Wait::Server);
            }
            _ => self.lose(),
        }
        outcome
    }

    /// Asks who is online; `None` where the answer cannot be read.
    pub(super) async fn list(&mut self, server: &GameServer) -> Result<Option<Online>, Lost> {
        let online = self.ask_who_is_online(server).await?;
        let count = online.as_ref().and_then(Online::count);
        self.contact.known().online = Some((Instant::now(), count));
        Ok(online)
    }

    async fn ask_who_is_online(&mut self, server: &GameServer) -> Result<Option<Online>, Lost> {
        let read = |reply: String| presence::read_list(&reply, &server.replies);
        let known = self.live.as_ref().ok_or(Lost)?.list;
        if known.is_none() {
            let limit = PROBE.min(server.timeouts.command);
            // Only a reply decides: silence can be lag.
            if let Some(reply) = self.ask(server, PAPERS_LIST, limit, true).await? {
                let online = read(reply);
                let list = if online.is_some() { PAPERS_LIST } else { LIST };
                self.live.as_mut().ok_or(Lost)?.list = Some(list);
                if online.is_some() {
                    return Ok(online);
                }
            }
        }
        let reply = self.ask(server, known.unwrap_or(LIST), server.timeouts.command, false).await?;
        Ok(reply.and_then(read))
    }

    /// Asks for one player where the list does not tell. What nobody can read counts as away, is said, and is not
    /// asked again for a minute.
    pub(super) async fn is_there(&mut self, server: &GameServer, player: &PlayerName) -> Result<bool, Lost> {
        let said = self.live.as_ref().ok_or(Lost)?.unreadable_until.is_some();
        let command = format!("execute if entity {player}");
        let limit = PROBE.min(server.timeouts.command);
        let reply = self.ask(server, &command, limit, true).await?.unwrap_or_default();
        let presence = presence::read_entity_test(&reply);
        let live = self.live.as_mut().ok_or(Lost)?;
        if presence != Presence::Unknown {
            live.unreadable_until = None;
            return Ok(presence == Presence::Online);
        }
        live.unreadable_until = Some(Instant::now() + UNREADABLE);
        if !said {
            tracing::error!(
                parent: None, server = %server.name,
                "cannot tell whether {player} is online: the answers to \"list\" and to \"execute if entity\" do not say. Such rewards wait; set servers.{}.replies.list in rewards.yaml and reload Votive",
                server.name
            );
        }
        Ok(false)
    }

    /// Whether the game takes `minecraft:` before its own commands, past plug-ins.
    pub(super) fn takes_prefix(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.list == Some(PAPERS_LIST))
    }

    /// Whether the game is known to keep no receipts.
    pub(super) fn keeps_no_receipts(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.keeps_receipts == Some(false))
    }

    /// Whether the game can keep receipts, asked by way of one that need not be there.
    pub(super) async fn has_storage(&mut self, server: &GameServer, key: &Key) -> Result<bool, Lost> {
        let limit = PROBE.min(server.timeouts.command);
        let mut reply = self.ask(server, &key.ask(), limit, true).await?;
        if reply.is_none() {
            // It can be lag: the answer to what every game answers comes after that.
            self.list(server).await?;
            reply = self.ask(server, &key.ask(), limit, true).await?;
        }
        Ok(receipt::read(&reply.unwrap_or_default()) != Reading::Unreadable)
    }

    /// Announces a step to the game. `false` where it keeps no receipts, as far as this connection is concerned.
    pub(super) async fn announce(&mut self, server: &GameServer, key: &Key) -> Result<bool, Lost> {
        let known = self.live.as_ref().ok_or(Lost)?.keeps_receipts;
        let keeps = match known {
            Some(keeps) => keeps,
            None => self.has_storage(server, key).await?,
        };
        let announced = keeps && {
            let limit = server.timeouts.command;
            let reply = self.ask(server, &key.announce(), limit, false).await?.unwrap_or_default();
            // It says nothing about a mark that is there already.
            receipt::is_announced(&reply)
                || matches!(self.read_receipt(server, key).await?, Reading::Ran | Reading::NotRun)
        };
        if known.is_none() && !announced {
            tracing::info!(parent: None, server = %server.name, "the game keeps no receipts: what breaks off will be in doubt");
        }
        self.live.as_mut().ok_or(Lost)?.keeps_receipts = Some(announced);
        self.contact.known().keeps_receipts = Some(announced);
        Ok(announced)
    }

    /// Reads a receipt.
    pub(super) async fn read_receipt(&mut self, server: &GameServer, key: &Key) -> Result<Reading, Lost> {
        let reply = self.ask(server, &key.ask(), server.timeouts.command, false).await?;
        Ok(receipt::read(&reply.unwrap_or_default()))
    }

    /// Takes a receipt out of the game, if it is there.
    pub(super) async fn remove_receipt(&mut self, server: &GameServer, key: &Key) -> Result<(), Lost> {
        self.ask(server, &key.remove(), server.timeouts.command, false).await.map(drop)
    }

    /// Whether the world is still to be asked, on this connection, for what it has acknowledged on earlier ones.
    pub(super) fn has_to_look_back(&self) -> bool {
        self.live.as_ref().is_some_and(|live| !live.looked_back)
    }

    /// Notes that it was asked.
    pub(super) fn looked_back(&mut self) {
        if let Some(live) = &mut self.live {
            live.looked_back = true;
        }
    }

    /// A question to the game, or a note in its storage, that nobody in it sees; `None` for silence where that is normal.
    async fn ask(
        &mut self,
        server: &GameServer,
        command: &str,
        limit: Duration,
        silence_is_normal: bool,
    ) -> Result<Option<String>, Lost> {
        let outcome = self.command(server, command, limit, silence_is_normal).await;
        match outcome {
            Outcome::Reply(reply) => Ok(Some(reply)),
            Outcome::Silent if silence_is_normal => Ok(None),
            _ => Err(Lost),
        }
    }
}
