//! One worker for each game server performs what [`crate::domain::grant`] decides.

pub mod board;
mod link;
mod outcome;
mod pace;
mod queue;
pub mod story;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::domain::event::EventKey;
use crate::domain::vote::ServerRef;
use crate::ledger::Ledger;
use board::Board;
use worker::Worker;

/// Reaches the workers.
#[derive(Clone, Debug)]
pub struct Dispatch {
    config: Arc<Config>,
    /// By the address of the game server: entries with one address share one worker and one connection.
    inboxes: Arc<HashMap<String, mpsc::UnboundedSender<EventKey>>>,
}

impl Dispatch {
    /// Starts a worker for each address. They end after `shutdown`, once what is on the wire is recorded.
    pub fn start(
        config: &Arc<Config>,
        ledger: &Ledger,
        board: &Board,
        shutdown: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let mut inboxes = HashMap::new();
        for address in config.servers_by_address().keys() {
            let (inbox, events) = mpsc::unbounded_channel();
            inboxes.insert((*address).to_owned(), inbox);
            let worker =
                Worker::new(Arc::clone(config), ledger.clone(), board.clone(), events, shutdown.clone());
            tasks.spawn(worker.run());
        }
        Dispatch { config: Arc::clone(config), inboxes: Arc::new(inboxes) }
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
