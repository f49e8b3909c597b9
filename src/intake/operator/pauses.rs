//! Pausing game servers.

use super::super::Intake;
use crate::dispatch::pauses::{Paused, Pauses};
use crate::domain::act::Pause;
use crate::domain::grant::Grant;
use crate::failpoint::{Point, crash_at};
use crate::ledger::LedgerError;

impl Intake {
    /// Sends nothing more to the game server of this name, also after a restart. What is on its way ends.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn pause(&self, server: &str, uid: u32) -> Result<(), LedgerError> {
        let _pausing = self.pausing.lock().await;
        let pause = Pause { since: self.surroundings.clock.now(), uid };
        self.ledger.set_pause(server, Some(pause.clone())).await?;
        crash_at(Point::ActRecorded);
        self.pauses.pause(server, pause);
        self.surroundings.report.paused(server);
        Ok(())
    }

    /// Lets the game server of this name go on. Gives how many grants of it are open; `None` if it was not paused.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn resume(&self, server: &str) -> Result<Option<usize>, LedgerError> {
        let pausing = self.pausing.lock().await;
        if self.paused(server).is_none() {
            return Ok(None);
        }
        self.ledger.set_pause(server, None).await?;
        crash_at(Point::ActRecorded);
        // Those that wait are announced before anything new can overtake them; and then those that came meanwhile.
        let waiting = self.attended_at(server).await?;
        self.pauses.resume(server, || {
            self.announce(&waiting);
        });
        drop(pausing);
        self.surroundings.report.resumed(server);
        let grants = self.attended_at(server).await?;
        self.announce(&grants);
        Ok(Some(grants.iter().filter(|grant| grant.is_open()).count()))
    }

    /// The grants that the worker of a game server has to know of, in the order of their plans.
    async fn attended_at(&self, server: &str) -> Result<Vec<Grant>, LedgerError> {
        let ledger = self.ledger.clone();
        let records = self.reading(move || ledger.attended_grants()).await?;
        let config = self.config.now();
        let mut grants: Vec<Grant> = records.into_iter().map(|record| record.grant).collect();
        grants.retain(|grant| {
            let of = grant.plan().and_then(|plan| config.server(&plan.vote.server));
            of.is_some_and(|of| of.name == server)
        });
        grants.sort_by_key(|grant| grant.plan().map(|plan| plan.order));
        Ok(grants)
    }

    /// Which game servers are paused, for whoever watches that.
    pub fn pauses(&self) -> &Pauses {
        &self.pauses
    }

    /// Why the game server of this name is paused, if it is.
    pub fn paused(&self, server: &str) -> Option<Paused> {
        self.pauses.of(server)
    }
}
