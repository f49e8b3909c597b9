//! How things stand, for whoever asks. Nothing is changed.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Intake;
use crate::config::{Config, GameServer};
use crate::control::{List, Page, Row, Server};
use crate::dispatch::pauses::Paused;
use crate::domain::award::{Award, AwardState};
use crate::domain::grant::{Grant, Stage};
use crate::domain::outline::Awaited;
use crate::domain::player::PlayerName;
use crate::domain::standing::Wait;
use crate::ledger::{By, Cursor, LedgerError};

/// How many grants one request for a page may look at, so that no question takes the disk for long.
const MOST_LOOKED_AT: usize = 20_000;

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

impl Intake {
    /// What is open, and what is refused.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn open(&self) -> Result<Open, LedgerError> {
        let ledger = self.ledger.clone();
        let read = move || Ok((ledger.open_grants()?, ledger.count(&By::Refused)?));
        let (grants, refused) = self.reading(read).await?;
        let config = self.config.now();
        let mut open = Open { refused, ..Open::default() };
        for record in &grants {
            let awaited = self.awaited(&record.grant, &config);
            if let Some(server) = record.grant.vote().and_then(|vote| config.server(&vote.server)) {
                *open.by_server.entry(server.name.clone()).or_default() += awaited.len();
            }
            awaited.into_iter().for_each(|awaited| *open.waiting.entry(awaited).or_default() += 1);
        }
        let oldest = grants.iter().map(|record| &record.grant).min_by_key(|grant| grant.received_at);
        open.oldest = oldest.map(|grant| self.row(grant, &config));
        Ok(open)
    }

    /// What is known of each game server, with how many rewards wait there.
    pub fn servers(&self, open: &Open, started_at: Timestamp) -> Vec<Server> {
        let config = self.config.now();
        let server = |server: &GameServer| {
            let contact = self.dispatch.contact(&server.rcon);
            let known = contact.map(|contact| contact.known().clone()).unwrap_or_default();
            let ago = |at: Instant| at.elapsed().as_secs();
            Server {
                name: server.name.clone(),
                address: server.rcon.clone(),
                paused_since: self.pauses.of(&server.name, &server.ids).map(|paused| match paused {
                    Paused::By(pause) => pause.since,
                    Paused::Hold => started_at,
                }),
                down_seconds: known.down.as_ref().map(|down| ago(down.since)),
                down: known.down.map(|down| down.why),
                answered_seconds: known.answered.map(ago),
                online: known.online.and_then(|(_, count)| count),
                online_seconds: known.online.map(|(at, _)| ago(at)),
                waiting: open.by_server.get(&server.name).copied().unwrap_or_default(),
                pace: server.pace,
                receipts: format!("{:?}", server.receipts).to_lowercase(),
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
        let by = list.player.clone().map_or(By::Time, By::Player);
        let since = list.since.unwrap_or(Timestamp::MIN);
        let (ledger, config) = (self.ledger.clone(), self.config.now());
        let meant = move |grant: &Grant| {
            let server = grant.vote().and_then(|vote| config.server(&vote.server));
            list.server.as_ref().is_none_or(|name| server.is_some_and(|server| server.name == *name))
                && list.state.is_none_or(|state| state == grant.state())
        };
        let read = move || {
            let mut grants = ledger.grants(&by, since..Timestamp::MAX, before.as_ref())?.rev();
            let (mut found, mut next) = (Vec::new(), None);
            for _ in 0..MOST_LOOKED_AT {
                let Some(entry) = grants.next() else { return Ok((found, None)) };
                let (cursor, record) = entry?;
                if meant(&record.grant) {
                    found.push(record.grant);
                }
                next = Some(cursor);
                if found.len() >= list.limit {
                    break;
                }
            }
            Ok((found, next))
        };
        let (found, next) = self.reading(read).await?;
        let config = self.config.now();
        let votes = found.iter().map(|grant| self.row(grant, &config)).collect();
        Ok(Page { votes, next: next.map(|cursor| base16ct::lower::encode_string(&cursor)) })
    }

    /// All votes that were received from a time on, the oldest first, as the ledger is at this moment. It breaks off when
    /// Votive is stopped.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub fn all_votes(
        &self,
        since: Option<Timestamp>,
    ) -> Result<impl Iterator<Item = io::Result<Grant>> + Send + use<>, LedgerError> {
        let since = since.unwrap_or(Timestamp::MIN);
        let (grants, shutdown) =
            (self.ledger.grants(&By::Time, since..Timestamp::MAX, None)?, self.shutdown.clone());
        Ok(grants.map(move |found| match found {
            _ if shutdown.is_cancelled() => Err(io::Error::other("Votive is stopping")),
            found => found.map(|(_, record)| record.grant).map_err(io::Error::other),
        }))
    }

    /// What each part of a grant waits for that is open.
    pub fn awaited(&self, grant: &Grant, config: &Config) -> Vec<Awaited> {
        let server = grant.vote().and_then(|vote| config.server(&vote.server));
        grant.awaited(|award, player| Some(self.wait(server?, award, player)))
    }

    /// What an award waits for that is planned, or whose receipt is to be read, on this game server.
    pub(super) fn wait(&self, server: &GameServer, award: &Award, player: &PlayerName) -> Wait {
        if self.pauses.of(&server.name, &server.ids).is_some() {
            return Wait::Resumption;
        }
        let contact = self.dispatch.contact(&server.rcon);
        contact.map_or(Wait::Turn, |contact| contact.known().awaited(award, player))
    }

    /// A grant in a few words.
    pub fn row(&self, grant: &Grant, config: &Config) -> Row {
        let server = grant.vote().map(|vote| match config.server(&vote.server) {
            Some(server) => server.name.clone(),
            None => vote.server.to_string(),
        });
        let mut waiting_for = self.awaited(grant, config);
        waiting_for.sort();
        waiting_for.dedup();
        Row {
            event_id: grant.event.event_id.clone(),
            event_type: grant.event.event_type.clone(),
            received_at: grant.received_at,
            voted_at: grant.vote().and_then(|vote| vote.created_at),
            player: grant.vote().map(|vote| vote.nickname.clone()),
            server,
            state: grant.state(),
            waiting_for,
            rewards: grant
                .plan()
                .map_or(&[][..], |plan| &plan.awards)
                .iter()
                .map(|award| award.reward.clone())
                .collect(),
            reason: reason(grant),
        }
    }
}

/// Why something of a grant is refused or in doubt.
fn reason(grant: &Grant) -> Option<String> {
    match &grant.stage {
        Stage::Received { why, .. } => why.clone(),
        Stage::Refused { reason, .. } => Some(reason.clone()),
        Stage::Planned(plan) => plan.awards.iter().find_map(|award| match &award.state {
            AwardState::Refused { reason, .. } | AwardState::InDoubt { reason, .. } => Some(reason.clone()),
            _ => None,
        }),
        Stage::Closed { .. } | Stage::Pruned => None,
    }
}
