//! A scrape reads the ledger, which can take as long as the disk likes. Deliveries do not wait for it.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod day;

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use day::{AWAY, Daemon, PLAYERS};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Longer than anything here takes, so that a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A storage at which every thread but one stops that reads while the gate is closed.
#[derive(Debug)]
struct Gated {
    storage: InMemoryBackend,
    passes: ThreadId,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    arrived: Notify,
}

impl Gate {
    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.opened.notify_all();
    }
}

impl StorageBackend for Gated {
    fn len(&self) -> io::Result<u64> {
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if thread::current().id() != self.passes {
            let closed = self.gate.closed.lock().unwrap();
            if *closed {
                self.gate.arrived.notify_one();
            }
            drop(self.gate.opened.wait_while(closed, |closed| *closed).unwrap());
        }
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.storage.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.storage.write(offset, data)
    }
}

#[tokio::test]
async fn deliveries_are_answered_while_a_scrape_waits_for_the_disk() {
    let gate = Arc::<Gate>::default();
    let passes = thread::current().id();
    let storage = Gated { storage: InMemoryBackend::new(), passes, gate: Arc::clone(&gate) };
    let daemon = Daemon::start(|_| storage).await;
    // Votes for the server that answers without delay. More of them wait than the ledger has in memory.
    let waits = |number: &u64| AWAY.contains(&(number / 2 % PLAYERS));
    for number in (1..8000).step_by(2).filter(waits) {
        daemon.deliver(number).await;
    }
    gate.set(true);
    let scrape = tokio::spawn(daemon.scrape());
    timeout(PATIENCE, gate.arrived.notified()).await.expect("nobody else than the one thread reads");
    let mut granted = 0;
    for number in (8001..8200).step_by(2).filter(|number| !waits(number)) {
        let status = timeout(PATIENCE, daemon.deliver(number)).await.expect("it waits for the scrape");
        granted += usize::from(status == 204);
    }
    assert!(granted > 60, "only {granted} were granted");
    assert!(!scrape.is_finished());
    gate.set(false);
    let text = timeout(PATIENCE, scrape).await.expect("it never ends").unwrap();
    assert!(text.contains("votive_queue_length "), "{text}");
}
