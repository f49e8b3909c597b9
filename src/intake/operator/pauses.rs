//! Pausing game servers.

use super::super::Intake;
use crate::dispatch::pauses::{Paused, Pauses};
use crate::domain::act::Pause;
use crate::domain::event::EventKey;
use crate::domain::vote::ServerRef;
use crate::failpoint::{Point, crash_at};
use crate::ledger::{LedgerError, Record};

impl Intake {
    /// Sends nothing more to the game server of this name, also after a restart. What is on its way ends. Gives `false`
    /// where somebody has paused it already.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn pause(&self, server: &str, uid: u32) -> Result<bool, LedgerError> {
        let _pausing = self.pausing.lock().await;
        // A hold ends with this run, a pause does not.
        if let Some(Paused::By(_)) = self.paused(server) {
            return Ok(false);
        }
        let pause = Pause { since: self.surroundings.clock.now(), uid, ids: self.ids(server) };
        self.ledger.set_pause(server, Some(pause.clone())).await?;
        crash_at(Point::ActRecorded);
        self.pauses.pause(server, pause);
        self.surroundings.report.paused(server, uid);
        Ok(true)
    }

    /// Lets the game server of this name go on. Gives how many grants of it are open; `None` if it was not paused.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn resume(&self, server: &str, uid: u32) -> Result<Option<usize>, LedgerError> {
        let pausing = self.pausing.lock().await;
        if self.paused(server).is_none() {
            return Ok(None);
        }
        let names = self.pauses.names(server, &self.ids(server));
        for name in &names {
            self.ledger.set_pause(name, None).await?;
        }
        crash_at(Point::ActRecorded);
        // Those that wait are in the worker's inbox, and nothing is awaited in between, so that nothing new overtakes them;
        // and then those that came meanwhile.
        self.announce_all_of(server).await?;
        self.pauses.resume(server, &names);
        drop(pausing);
        self.surroundings.report.resumed(server, uid);
        Ok(Some(self.announce_all_of(server).await?))
    }

    /// Tells the worker of a game server of every grant that it has to know of, in the order of their plans. Gives how
    /// many of them are open.
    async fn announce_all_of(&self, server: &str) -> Result<usize, LedgerError> {
        let (ledger, config, name) = (self.ledger.clone(), self.config.now(), server.to_owned());
        let read = move || {
            let mut of_it: Vec<(u64, EventKey, ServerRef, bool)> = Vec::new();
            let visit = |Record { grant, .. }: Record| {
                let plan = grant.plan();
                let plan =
                    plan.filter(|plan| config.server(&plan.vote.server).is_some_and(|of| of.name == name));
                of_it.extend(plan.map(|plan| {
                    (plan.order, grant.event.clone(), plan.vote.server.clone(), grant.is_open())
                }));
            };
            ledger.each_attended(|_| true, visit)?;
            of_it.sort_by_key(|(order, ..)| *order);
            Ok(of_it)
        };
        let of_it = self.reading(read).await?;
        for (_, event, server, _) in &of_it {
            // One whose game server has gone from the file meanwhile waits.
            self.dispatch.look_at(event, server);
        }
        Ok(of_it.iter().filter(|(.., is_open)| *is_open).count())
    }

    /// The platform's ids of the game server of this name, if it is configured.
    fn ids(&self, server: &str) -> Vec<u64> {
        let config = self.config.now();
        let found = config.servers.iter().find(|configured| configured.name == server);
        found.map_or_else(Vec::new, |found| found.ids.clone())
    }

    /// Which game servers are paused, for whoever watches that.
    pub fn pauses(&self) -> &Pauses {
        &self.pauses
    }

    /// Why the game server of this name is paused, if it is.
    pub fn paused(&self, server: &str) -> Option<Paused> {
        self.pauses.of(server, &self.ids(server))
    }
}
