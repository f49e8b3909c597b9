//! Pausing game servers.

use super::super::Intake;
use crate::config::GameServer;
use crate::domain::event::EventKey;
use crate::domain::pause::Pause;
use crate::domain::vote::ServerRef;
use crate::failpoint::{Point, crash_at};
use crate::ledger::{self, LedgerError, Record};

impl Intake {
    /// Sends nothing more to a game server, also after a restart. What is on its way ends. Gives `false` where somebody
    /// has paused it already.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn pause(&self, server: &GameServer, uid: u32) -> Result<bool, LedgerError> {
        let _pausing = self.pausing.lock().await;
        let pause = Pause { since: self.surroundings.clock.now(), uid, of: server.known_by() };
        // A hold ends with this run, a pause does not: so one is added also where the server is on hold.
        let (pauses, is_new) = self.ledger.update_pauses(|pauses| pauses.add(pause.clone())).await?;
        crash_at(Point::ActRecorded);
        self.servers.set_pauses(pauses);
        if is_new {
            self.surroundings.report.paused(&server.name, uid);
        }
        Ok(is_new)
    }

    /// Lets a game server go on. Gives how many grants of it are open; `None` if it was not paused.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn resume(&self, server: &GameServer, uid: u32) -> Result<Option<usize>, LedgerError> {
        let pausing = self.pausing.lock().await;
        if self.servers.paused(server).is_none() {
            return Ok(None);
        }
        let (config, known_by) = (self.config.now(), server.known_by());
        let is_configured = |of: &ServerRef| config.server(of).is_some();
        let lifted = self.ledger.update_pauses(|pauses| pauses.lift(&known_by, is_configured));
        let (pauses, ()) = lifted.await?;
        crash_at(Point::ActRecorded);
        // Those that wait are in the worker's inbox, and nothing is awaited in between, so that nothing new overtakes them;
        // and then those that came meanwhile.
        self.announce_all_of(server).await?;
        self.servers.resume(server, pauses);
        drop(pausing);
        self.surroundings.report.resumed(&server.name, uid);
        Ok(Some(self.announce_all_of(server).await?))
    }

    /// Tells the worker of a game server of every grant that it has to know of, in the order of their plans. Gives how
    /// many of them are open.
    async fn announce_all_of(&self, server: &GameServer) -> Result<usize, LedgerError> {
        let (ledger, known_by) = (self.ledger.clone(), server.known_by());
        let read = move || {
            let mut of_it: Vec<(u64, EventKey, ServerRef, bool)> = Vec::new();
            let visit = |Record { grant, .. }: Record| {
                let plan = grant.plan().filter(|plan| known_by.contains(&plan.vote.server));
                of_it.extend(plan.map(|plan| {
                    (plan.order, grant.event.clone(), plan.vote.server.clone(), grant.is_open())
                }));
            };
            ledger.each_attended(|_| true, visit)?;
            of_it.sort_by_key(|(order, ..)| *order);
            Ok(of_it)
        };
        let of_it = ledger::reading(read).await?;
        for (_, event, server, _) in &of_it {
            // One whose game server has gone from the file meanwhile waits.
            self.dispatch.look_at(event, server);
        }
        Ok(of_it.iter().filter(|(.., is_open)| *is_open).count())
    }
}
