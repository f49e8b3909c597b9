//! One worker for each game server performs what [`crate::domain::grant`] decides.

pub mod board;
pub mod contact;
mod link;
pub(crate) mod outcome;
mod pace;
mod queue;
mod receipts;
pub mod servers;
pub mod survey;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Live;
use crate::domain::event::EventKey;
use crate::domain::vote::ServerRef;
use crate::ledger::Ledger;
use crate::surroundings::Surroundings;
use crate::tasks::Tasks;
use board::Board;
use servers::Servers;
use worker::Worker;

/// Reaches the workers; clones reach the same ones.
#[derive(Clone, Debug)]
pub struct Dispatch {
    config: Live,
    ledger: Ledger,
    board: Board,
    surroundings: Surroundings,
    shutdown: CancellationToken,
    tasks: Tasks,
    servers: Servers,
    /// Their inboxes, by the address of the game server: entries with one address share one worker and one connection. A
    /// worker whose address is in no configuration any more stays, in case it comes back, and does nothing.
    workers: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<EventKey>>>>,
}

impl Dispatch {
    /// A dispatch without workers: each is started when its address is first needed. They end after `shutdown`, once
    /// what is on the wire is recorded.
    pub fn new(
        config: &Live,
        ledger: &Ledger,
        board: &Board,
        surroundings: &Surroundings,
        shutdown: &CancellationToken,
        tasks: &Tasks,
        servers: &Servers,
    ) -> Self {
        Dispatch {
            config: config.clone(),
            ledger: ledger.clone(),
            board: board.clone(),
            surroundings: surroundings.clone(),
            shutdown: shutdown.clone(),
            tasks: tasks.clone(),
            servers: servers.clone(),
            workers: Arc::default(),
        }
    }

    /// Has the worker of the address that the game server has now look at a grant, publish how it stands, and go on with
    /// it. Gives `false` for a server that is not configured any more: it has no worker, and the grant waits.
    pub fn look_at(&self, event: &EventKey, server: &ServerRef) -> bool {
        let config = self.config.now();
        let Some(server) = config.server(server) else { return false };
        // No code that holds the lock can leave the map half changed.
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let inbox = workers.entry(server.rcon.clone()).or_insert_with(|| {
            let (inbox, events) = mpsc::unbounded_channel();
            self.tasks.spawn(Worker::new(server.rcon.clone(), self, events).run());
            inbox
        });
        // A worker that has ended is one that is shutting down: the ledger has the grant.
        drop(inbox.send(event.clone()));
        true
    }
}
