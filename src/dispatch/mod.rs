//! One worker for each game server performs what [`crate::domain::grant`] decides.

pub mod board;
pub mod contact;
mod link;
pub(crate) mod outcome;
mod pace;
pub mod pauses;
mod queue;
mod receipts;
pub mod survey;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Live;
use crate::domain::event::EventKey;
use crate::domain::vote::ServerRef;
use crate::ledger::Ledger;
use crate::surroundings::Surroundings;
use crate::tasks::Tasks;
use board::Board;
use contact::Contact;
use pauses::Pauses;
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
    pauses: Pauses,
    /// By the address of the game server: entries with one address share one worker and one connection. A worker whose
    /// address is in no configuration any more stays, in case it comes back, and does nothing.
    workers: Arc<Mutex<HashMap<String, Reach>>>,
}

/// A worker, as others reach it.
#[derive(Debug)]
struct Reach {
    inbox: mpsc::UnboundedSender<EventKey>,
    contact: Contact,
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
        pauses: &Pauses,
    ) -> Self {
        Dispatch {
            config: config.clone(),
            ledger: ledger.clone(),
            board: board.clone(),
            surroundings: surroundings.clone(),
            shutdown: shutdown.clone(),
            tasks: tasks.clone(),
            pauses: pauses.clone(),
            workers: Arc::default(),
        }
    }

    /// Has the worker of the address that the game server has now look at a grant, publish how it stands, and go on with
    /// it. Gives `false` for a server that is not configured any more: it has no worker, and the grant waits.
    pub fn look_at(&self, event: &EventKey, server: &ServerRef) -> bool {
        let config = self.config.now();
        let Some(server) = config.server(server) else { return false };
        let mut workers = self.workers();
        let worker = workers.entry(server.rcon.clone()).or_insert_with(|| {
            let (inbox, events) = mpsc::unbounded_channel();
            let contact = Contact::default();
            self.tasks.spawn(Worker::new(server.rcon.clone(), self, events, &contact).run());
            Reach { inbox, contact }
        });
        // A worker that has ended is one that is shutting down: the ledger has the grant.
        drop(worker.inbox.send(event.clone()));
        true
    }

    /// What is known of the game server at an address; `None` where nothing was to be done there in this run.
    pub fn contact(&self, address: &str) -> Option<Contact> {
        self.workers().get(address).map(|worker| worker.contact.clone())
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<String, Reach>> {
        // No code that holds the lock can leave the map half changed.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
