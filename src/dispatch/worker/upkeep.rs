//! What a worker does about receipts besides sending: it looks for those that the world has lost, and takes away the old.

use tokio::time::{Instant, sleep_until};

use super::super::link::Lost;
use super::super::receipts::Kept;
use super::Worker;
use crate::config::GameServer;
use crate::domain::award::AwardFact;
use crate::domain::grant::{Fact, Grant, Illegal};
use crate::domain::receipt::Reading;
use crate::ledger::LedgerError;
use crate::log::about;

impl Worker {
    /// Asks the world for the newest receipt that it has acknowledged. Where it is missing, the world went back in time
    /// (contract/rcon.md): then it has those up to one moment and none after it, and that moment is searched for.
    pub(super) async fn look_back(&mut self, server: &GameServer) -> Result<(), Lost> {
        let mut kept = self.receipts.acknowledged(self.surroundings.clock.now());
        // All before `missing` are missing, and the one at `present` is not, if there is one.
        let (mut missing, mut present) = (0, kept.len());
        let mut next = 0;
        while missing < present {
            sleep_until(self.pace.next_at(Instant::now(), server.pace)).await;
            self.pace.sent(Instant::now());
            match self.link.read_receipt(server, &kept[next].key).await? {
                Reading::Missing => missing = next + 1,
                Reading::Ran | Reading::NotRun | Reading::Unreadable => present = next,
            }
            next = missing.midpoint(present);
        }
        kept.truncate(missing);
        self.forgotten = kept;
        self.link.looked_back();
        Ok(())
    }

    /// Tells the operator which rewards the world has forgotten. They are not given again: nobody asked for that.
    pub(super) async fn tell_forgotten(&mut self) -> Result<(), LedgerError> {
        for Kept { event, award, serial, .. } in std::mem::take(&mut self.forgotten) {
            let now = self.surroundings.clock.now();
            let lost = || Fact::Award(award, AwardFact::Lost { serial });
            let decide =
                |grant: Option<&Grant>| grant.ok_or(None::<Illegal>)?.apply(lost(), now).map_err(Some);
            if let Ok(grant) = self.ledger.update(&event, decide).await? {
                self.surroundings.report.forgotten(&grant, award, serial, &self.config.now());
                self.note_receipts(&grant);
            }
        }
        Ok(())
    }

    /// Takes receipts out of the game that nobody needs any more, those of one grant; `false` where there are none.
    pub(super) async fn tidy(&mut self) -> Result<bool, LedgerError> {
        let now = self.surroundings.clock.now();
        let Some(expired) = self.receipts.expired(now).map(<[Kept]>::to_vec) else { return Ok(false) };
        let event = &expired[0].event;
        let record = self.ledger.get(event)?;
        let config = self.config.now();
        let server = record.as_ref().and_then(|record| self.ours(&config, &record.grant));
        let Some(server) = server.filter(|server| self.may_ask(server)) else { return Ok(false) };
        for kept in &expired {
            sleep_until(self.pace.next_at(Instant::now(), server.pace)).await;
            self.pace.sent(Instant::now());
            if self.link.remove_receipt(server, &kept.key).await.is_err() {
                return Ok(true);
            }
        }
        let now = self.surroundings.clock.now();
        let decide =
            |grant: Option<&Grant>| grant.ok_or(None)?.apply(Fact::ReceiptsRemoved, now).map_err(Some);
        match self.ledger.update(event, decide).await? {
            Ok(grant) => self.note_receipts(&grant),
            // It is open again: a retry. Then it is noted when it is looked at.
            Err(illegal) => about(event).in_scope(|| tracing::debug!("not recorded: {illegal:?}")),
        }
        Ok(true)
    }

    pub(super) fn note_receipts(&mut self, grant: &Grant) {
        let config = self.config.now();
        if let Some(server) = self.ours(&config, grant) {
            self.receipts.note(grant, server.receipts_keep);
        }
    }
}
