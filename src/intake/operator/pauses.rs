//! Pausing game servers.

use super::super::Intake;
use crate::dispatch::pauses::Paused;
use crate::domain::act::Pause;
use crate::ledger::LedgerError;

impl Intake {
    /// Sends nothing more to the game server of this name, also after a restart. What is on its way ends.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn pause(&self, server: &str, uid: u32) -> Result<(), LedgerError> {
        let pause = Pause { since: self.surroundings.clock.now(), uid };
        self.ledger.set_pause(server, Some(pause.clone())).await?;
        self.pauses.pause(server, pause);
        self.surroundings.report.paused(server);
        Ok(())
    }

    /// Lets the game server of this name go on. Gives how many grants of it are open; `None` if it was not paused.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn resume(&self, server: &str) -> Result<Option<usize>, LedgerError> {
        if self.paused(server).is_none() {
            return Ok(None);
        }
        self.ledger.set_pause(server, None).await?;
        self.pauses.resume(server);
        self.surroundings.report.resumed(server);
        let ledger = self.ledger.clone();
        let mut grants = self.reading(move || ledger.attended_grants()).await?;
        let config = self.config.now();
        grants.retain(|record| {
            let of = record.grant.plan().and_then(|plan| config.server(&plan.vote.server));
            of.is_some_and(|of| of.name == server)
        });
        grants.sort_by_key(|record| record.grant.plan().map(|plan| plan.order));
        self.announce(grants.iter().map(|record| &record.grant));
        Ok(Some(grants.iter().filter(|record| record.grant.is_open()).count()))
    }

    /// Why the game server of this name is paused, if it is.
    pub fn paused(&self, server: &str) -> Option<Paused> {
        self.pauses.of(server)
    }
}
