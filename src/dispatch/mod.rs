//! One worker for each game server performs what [`crate::domain::grant`] decides.

pub mod board;
mod link;
pub(crate) mod outcome;
mod pace;
mod queue;
mod receipts;
pub mod survey;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::event::EventKey;
use crate::domain::vote::ServerRef;
use crate::ledger::Ledger;
use crate::surroundings::Surroundings;
use crate::tasks::Tasks;
use board::Board;
use worker::Worker;

/// Reaches the workers.
#[derive(Debug)]
pub struct Dispatch {
    config: Arc<Config>,
    /// By the address of the game server: entries with one address share one worker and one connection.
    inboxes: HashMap<String, mpsc::UnboundedSender<EventKey>>,
}

impl Dispatch {
    /// Starts a worker for each address. They end after `shutdown`, once what is on the wire is recorded.
    pub fn start(
        config: &Arc<Config>,
        ledger: &Ledger,
        board: &Board,
        surroundings: &Surroundings,
        shutdown: &CancellationToken,
        tasks: &Tasks,
    ) -> Self {
        let mut inboxes = HashMap::new();
        for server in &config.servers {
            inboxes.entry(server.rcon.clone()).or_insert_with(|| {
                let (inbox, events) = mpsc::unbounded_channel();
                let worker = Worker::new(
                    Arc::clone(config),
                    ledger.clone(),
                    board.clone(),
                    surroundings.clone(),
                    events,
                    shutdown.clone(),
                );
                tasks.spawn(worker.run());
                inbox
            });
        }
        Dispatch { config: Arc::clone(config), inboxes }
    }

    /// Has the game server's worker look at a grant, publish how it stands, and go on with it. Gives `false` for a
    /// server that is not configured any more: it has no worker, and the grant waits.
    pub fn look_at(&self, event: &EventKey, server: &ServerRef) -> bool {
        let inbox = self.config.server(server).and_then(|server| self.inboxes.get(&server.rcon));
        if let Some(inbox) = inbox {
            // A worker that has ended is one that is shutting down: the ledger has the grant.
            drop(inbox.send(event.clone()));
        }
        inbox.is_some()
    }
}
