//! How things stand, for whoever asks. Nothing is changed.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Intake;
use crate::config::{Config, GameServer};
use crate::control::{List, Page, Row, Server};
use crate::dispatch::servers::{Paused, Servers};
use crate::domain::grant::Grant;
use crate::domain::outline::{Awaited, State};
use crate::ledger::{self, By, Cursor, LedgerError, Place, Record};

/// How many grants one request for a page may look at, so that no question takes the disk for long.
const MOST_LOOKED_AT: usize = 20_000;
/// How many grants are read at once where all are.
const READ_AT_ONCE: usize = 256;

/// What is open, and what is refused.
#[derive(Debug, Default)]
pub struct Open {
    /// How many parts of grants are open, by what they wait for.
    pub waiting: BTreeMap<Awaited, usize>,
    /// How many of them are of a game server, by its name.
    pub by_server: BTreeMap<String, usize>,
    /// The grant that has been open for the longest time.
    pub oldest: Option<Row>,
    /// How many votes are refused, as a whole or in part.
    pub refused: usize,
}

impl Open {
    fn add(&mut self, grant: &Grant, config: &Config, servers: &Servers) {
        let awaited = awaited(grant, config, servers);
        if let Some(server) = grant.vote().and_then(|vote| config.server(&vote.server)) {
            *self.by_server.entry(server.name.clone()).or_default() += awaited.len();
        }
        awaited.into_iter().for_each(|awaited| *self.waiting.entry(awaited).or_default() += 1);
        if self.oldest.as_ref().is_none_or(|oldest| grant.received_at < oldest.received_at) {
            self.oldest = Some(row(grant, config, servers));
        }
    }
}

impl Intake {
    /// What is open, and what is refused.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn open(&self) -> Result<Open, LedgerError> {
        let (ledger, config, servers) = (self.ledger.clone(), self.config.now(), self.servers.clone());
        let read = move || {
            let mut open = Open { refused: ledger.count(&By::Refused)?, ..Open::default() };
            ledger.each_open(|Record { grant, .. }| open.add(&grant, &config, &servers))?;
            Ok(open)
        };
        ledger::reading(read).await
    }

    /// What is known of each game server, with how many rewards wait there.
    pub fn servers(&self, open: &Open, started_at: Timestamp) -> Vec<Server> {
        let config = self.config.now();
        let server = |server: &GameServer| {
            let known = self.servers.known(server);
            let ago = |at: Instant| at.elapsed().as_secs();
            Server {
                name: server.name.clone(),
                address: server.rcon.clone(),
                paused_since: self.servers.paused(server).map(|paused| match paused {
                    Paused::By(pause) => pause.since,
                    Paused::Hold => started_at,
                }),
                down_seconds: known.down.as_ref().map(|down| ago(down.since)),
                down: known.down.map(|down| down.why),
                was_down: known.was_down,
                answered_seconds: known.answered.map(ago),
                online: known.online.and_then(|(_, count)| count),
                online_seconds: known.online.map(|(at, _)| ago(at)),
                waiting: open.by_server.get(&server.name).copied().unwrap_or_default(),
                pace: server.pace,
                receipts: server.receipts,
                keeps_receipts: known.keeps_receipts,
            }
        };
        config.servers.iter().map(server).collect()
    }

    /// Votes, the newest first, of those before the cursor.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn votes(&self, list: List, before: Option<Cursor>) -> Result<Page, LedgerError> {
        let (ledger, config, servers) = (self.ledger.clone(), self.config.now(), self.servers.clone());
        let read = move || {
            let meant = |grant: &Grant| {
                let server = grant.vote().and_then(|vote| config.server(&vote.server));
                list.server.as_ref().is_none_or(|name| server.is_some_and(|server| server.name == *name))
                    && list.state.is_none_or(|state| grant.is_in(state))
            };
            let by = match (&list.player, list.state) {
                (Some(player), _) => By::Player(player.clone()),
                (None, Some(State::Refused)) => By::Refused,
                (None, _) => By::Time,
            };
            let since = list.since.unwrap_or(Timestamp::MIN);
            let place = before.as_ref().map_or(Place::Any, Place::Before);
            let mut grants = ledger.grants(&by, since..Timestamp::MAX, place)?.rev();
            let mut page = Page { votes: Vec::new(), next: None };
            for _ in 0..MOST_LOOKED_AT {
                let Some(entry) = grants.next() else { return Ok(Page { next: None, ..page }) };
                let (cursor, Record { grant, .. }) = entry?;
                if meant(&grant) {
                    page.votes.push(row(&grant, &config, &servers));
                }
                page.next = Some(base16ct::lower::encode_string(&cursor));
                if page.votes.len() >= list.limit {
                    break;
                }
            }
            Ok(page)
        };
        ledger::reading(read).await
    }

    /// All votes that were received from a time on and not pruned, the oldest first, a few at a time, as they stand then:
    /// nobody who reads slowly keeps the ledger from using its room again. It breaks off when Votive is stopped.
    pub fn all_votes(
        &self,
        since: Option<Timestamp>,
    ) -> impl Iterator<Item = io::Result<Vec<Row>>> + Send + use<> {
        let (ledger, config, servers) = (self.ledger.clone(), self.config.now(), self.servers.clone());
        let (shutdown, mut reached) = (self.shutdown.clone(), None);
        let received = since.unwrap_or(Timestamp::MIN)..Timestamp::MAX;
        std::iter::from_fn(move || {
            if shutdown.is_cancelled() {
                return Some(Err(io::Error::other("Votive is stopping")));
            }
            let some = ledger.next_grants(&By::Time, received.clone(), &mut reached, READ_AT_ONCE);
            let rows = |some: Vec<Record>| {
                some.iter().map(|record| row(&record.grant, &config, &servers)).collect::<Vec<Row>>()
            };
            some.map(|some| Some(rows(some)).filter(|rows| !rows.is_empty()))
                .map_err(io::Error::other)
                .transpose()
        })
    }

    /// A backup of the ledger as it is at this moment, in pieces. It breaks off when Votive is stopped.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub fn backup(&self) -> Result<impl Iterator<Item = io::Result<Bytes>> + Send + use<>, LedgerError> {
        let (backup, shutdown) = (self.ledger.backup(self.surroundings.clock.now())?, self.shutdown.clone());
        Ok(backup.map(move |piece| match piece {
            _ if shutdown.is_cancelled() => Err(io::Error::other("Votive is stopping")),
            piece => piece.map_err(io::Error::other),
        }))
    }
}

/// What each part of a grant waits for that is open.
fn awaited(grant: &Grant, config: &Config, servers: &Servers) -> Vec<Awaited> {
    let server = grant.vote().and_then(|vote| config.server(&vote.server));
    grant.awaited(|award, player| Some(servers.wait(server?, award, player)))
}

/// A grant in a few words.
pub(super) fn row(grant: &Grant, config: &Config, servers: &Servers) -> Row {
    let server = grant.vote().map(|vote| match config.server(&vote.server) {
        Some(server) => server.name.clone(),
        None => vote.server.to_string(),
    });
    let mut waiting_for = awaited(grant, config, servers);
    waiting_for.sort();
    waiting_for.dedup();
    let awards = grant.plan().map_or(&[][..], |plan| &plan.awards);
    Row {
        event_id: grant.event.event_id.clone(),
        event_type: grant.event.event_type.clone(),
        received_at: grant.received_at,
        voted_at: grant.vote().and_then(|vote| vote.created_at),
        player: grant.vote().map(|vote| vote.nickname.clone()),
        server,
        state: grant.state(),
        waiting_for,
        rewards: awards.iter().map(|award| award.reward.clone()).collect(),
        reason: grant.reason().map(str::to_owned),
    }
}
