//! The one thread that writes. What is waiting when it comes back from a commit shares the next one.

use std::sync::Arc;
use std::time::Instant;

use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::index::{self, Entry};
use super::instruments::Instruments;
use super::marker::Marker;
use super::record::{self, Revision};
use super::{FINAL, Failure, LedgerError, OPEN, raise};
use crate::domain::event::EventKey;
use crate::failpoint::{Point, crash_at};

/// The most records of one commit, so that the first of them does not wait long for the last.
const BATCH: usize = 256;

/// Where a request's outcome goes, once it is durable.
pub(super) type Answer = oneshot::Sender<Result<(), LedgerError>>;

/// What the writer is asked to do.
pub(super) enum Request {
    /// Store records, all together or not at all: a grant, and what changes with it, say.
    Put(Vec<Change>, Answer),
    /// Show that you are alive.
    Ping(Answer),
}

/// Whether a daemon has to know of a grant from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attended {
    /// Something is still to happen.
    Open,
    /// The game has receipts of it, and that is all.
    Final,
    /// It has not.
    No,
}

/// A record to be stored.
pub(super) struct Change {
    pub(super) table: TableDefinition<'static, &'static [u8], &'static [u8]>,
    pub(super) key: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    /// The revision that the stored record must have.
    pub(super) expected: Revision,
    /// Of a grant.
    pub(super) attended: Option<Attended>,
    /// Of a grant.
    pub(super) index: Vec<Entry>,
    /// Whether whoever hears of grants is told: of one that stands differently than before.
    pub(super) is_news: bool,
}

impl Change {
    /// A change of a record without an index.
    pub(super) fn new(
        table: TableDefinition<'static, &'static [u8], &'static [u8]>,
        key: Vec<u8>,
        bytes: Vec<u8>,
        expected: Revision,
    ) -> Self {
        Change { table, key, bytes, expected, attended: None, index: Vec::new(), is_news: false }
    }
}

/// What writes.
pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) marker: Option<Arc<Marker>>,
    pub(super) failure: Failure,
    pub(super) instruments: Instruments,
    /// Is told of each grant that stands differently, once that is durable.
    pub(super) written: broadcast::Sender<EventKey>,
}

impl Writer {
    /// Starts a thread that does nothing but [`write_all`](Self::write_all).
    pub(super) fn start(self, queue: mpsc::Receiver<Request>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        thread.spawn(move || runtime.block_on(self.write_all(queue)))?;
        Ok(())
    }

    /// Does what is asked. Ends with its last client, or with the first error of the storage: after that every write
    /// on this handle would fail, so everybody is told, and `failure` is set.
    pub(super) async fn write_all(self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.recv().await {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            if self.commit(batch).is_err() {
                break;
            }
        }
    }

    /// Writes a batch in one transaction, and answers each request only after it is durable.
    fn commit(&self, batch: Vec<Request>) -> Result<(), LedgerError> {
        let (mut puts, mut answers, mut pings) = (Vec::new(), Vec::new(), Vec::new());
        for request in batch {
            match request {
                Request::Put(put, answer) => {
                    puts.push(put);
                    answers.push(answer);
                }
                Request::Ping(answer) => pings.push(answer),
            }
        }
        let written = if puts.is_empty() { Ok(Vec::new()) } else { self.write(&puts) };
        match written.map_err(|error| self.failure.set(&error)) {
            Ok(outcomes) => {
                for (put, _) in puts.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()) {
                    let news = put.iter().filter(|change| change.is_news);
                    for event in news.filter_map(|change| record::event(&change.key)) {
                        // Mostly nobody listens.
                        drop(self.written.send(event));
                    }
                }
                let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(|| Ok(())));
                // Whoever asks has gone if this cannot be told, here and below.
                for (answer, outcome) in answers.into_iter().chain(pings).zip(outcomes) {
                    drop(answer.send(outcome));
                }
                Ok(())
            }
            Err(error) => {
                for answer in answers.into_iter().chain(pings) {
                    drop(answer.send(Err(error.clone())));
                }
                Err(error)
            }
        }
    }

    fn write(&self, puts: &[Vec<Change>]) -> Result<Vec<Result<(), LedgerError>>, redb::Error> {
        let begun = Instant::now();
        let (outcomes, identity) = super::write(&self.database, |writing| {
            let outcomes = store(writing, puts)?;
            let identity = self.marker.as_ref().map(|_| raise(writing)).transpose()?;
            crash_at(Point::CommitBegins);
            Ok((outcomes, identity))
        })?;
        self.instruments.committed(puts.iter().map(Vec::len).sum(), begun.elapsed());
        crash_at(Point::CommitDone);
        if let (Some(marker), Some(identity)) = (&self.marker, identity) {
            marker.write(&identity)?;
        }
        Ok(outcomes)
    }
}

fn store(
    writing: &WriteTransaction,
    puts: &[Vec<Change>],
) -> Result<Vec<Result<(), LedgerError>>, redb::Error> {
    puts.iter()
        .map(|put| {
            for change in put {
                if stored_revision(writing, change)? != change.expected {
                    return Ok(Err(LedgerError::Conflict));
                }
            }
            for change in put {
                writing.open_table(change.table)?.insert(change.key.as_slice(), change.bytes.as_slice())?;
                attend(writing, &change.key, change.attended)?;
                index::store(writing, &change.index)?;
            }
            Ok(Ok(()))
        })
        .collect()
}

/// Notes whether a daemon has to know of a grant.
pub(super) fn attend(
    writing: &WriteTransaction,
    key: &[u8],
    attended: Option<Attended>,
) -> Result<(), redb::Error> {
    let Some(attended) = attended else { return Ok(()) };
    let mut open = writing.open_table(OPEN)?;
    match attended {
        Attended::Open => drop(open.insert(key, [].as_slice())?),
        Attended::Final => drop(open.insert(key, FINAL)?),
        Attended::No => drop(open.remove(key)?),
    }
    Ok(())
}

fn stored_revision(writing: &WriteTransaction, change: &Change) -> Result<Revision, redb::Error> {
    Ok(match writing.open_table(change.table)?.get(change.key.as_slice())? {
        Some(bytes) => record::revision(bytes.value())?,
        None => Revision::NONE,
    })
}
