//! The one thread that writes. What is waiting when it comes back from a commit shares the next one.

use std::sync::Arc;
use std::time::Instant;

use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::index::{self, Entry};
use super::instruments::Instruments;
use super::marker::Marker;
use super::record::{self, Revision};
use super::{FINAL, Failure, LedgerError, OPEN, raise};
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
}

impl Change {
    /// A change of a record that is no grant, and whose key is still to be said.
    pub(super) fn new(
        table: TableDefinition<'static, &'static [u8], &'static [u8]>,
        bytes: Vec<u8>,
        expected: Revision,
    ) -> Self {
        Change { table, key: Vec::new(), bytes, expected, attended: None, index: Vec::new() }
    }
}

/// Starts a thread that does nothing but [`write_all`].
pub(super) fn start(
    database: Arc<Database>,
    marker: Option<Arc<Marker>>,
    queue: mpsc::Receiver<Request>,
    failure: Failure,
    instruments: Instruments,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let thread = std::thread::Builder::new().name("ledger".to_owned());
    thread.spawn(move || runtime.block_on(write_all(database, marker, queue, failure, instruments)))?;
    Ok(())
}

/// Does what is asked. Ends with its last client, or with the first error of the storage: after that every write
/// on this handle would fail, so everybody is told, and `failure` is set.
pub(super) async fn write_all(
    database: Arc<Database>,
    marker: Option<Arc<Marker>>,
    mut queue: mpsc::Receiver<Request>,
    failure: Failure,
    instruments: Instruments,
) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        if commit(&database, marker.as_deref(), batch, &failure, &instruments).is_err() {
            break;
        }
    }
}

/// Writes a batch in one transaction, and answers each request only after it is durable.
fn commit(
    database: &Database,
    marker: Option<&Marker>,
    batch: Vec<Request>,
    failure: &Failure,
    instruments: &Instruments,
) -> Result<(), LedgerError> {
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
    let written = if puts.is_empty() { Ok(Vec::new()) } else { write(database, marker, &puts, instruments) };
    match written.map_err(|error| failure.set(&error)) {
        Ok(outcomes) => {
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

fn write(
    database: &Database,
    marker: Option<&Marker>,
    puts: &[Vec<Change>],
    instruments: &Instruments,
) -> Result<Vec<Result<(), LedgerError>>, redb::Error> {
    let begun = Instant::now();
    let (outcomes, identity) = super::write(database, |writing| {
        let outcomes = store(writing, puts)?;
        let identity = marker.map(|_| raise(writing)).transpose()?;
        crash_at(Point::CommitBegins);
        Ok((outcomes, identity))
    })?;
    instruments.committed(puts.iter().map(Vec::len).sum(), begun.elapsed());
    crash_at(Point::CommitDone);
    if let (Some(marker), Some(identity)) = (marker, identity) {
        marker.write(&identity)?;
    }
    Ok(outcomes)
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
