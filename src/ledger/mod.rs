//! The durable record of grants. The only place that names redb.
//!
//! [`Ledger`] speaks in whole records with a revision: "store this grant if its revision is still the one I read".
//! One thread owns the writing end; what is asked of it while it commits goes into the next commit together.
//!
//! A ledger that may have forgotten votes is not opened ([`OpenError`]). [`Backup`] and [`restore`](fn@restore) are the
//! way out of that.

mod backup;
mod file;
mod index;
mod instruments;
mod marker;
mod record;
mod restore;
mod writer;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError, WriteTransaction,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::domain::counter::{Counter, CounterKey, Scoped};
use crate::domain::event::{EventKey, GRANT_TYPES};
use crate::domain::grant::{Fact, Grant};
use crate::domain::pause::Pauses;
use crate::log::about;
use crate::tasks::Tasks;

use marker::Marker;
use record::Identity;
use writer::{Attended, Change, Writer};

pub use backup::{Backup, BackupError, BackupReader};
pub(crate) use file::NAME;
pub use file::{OpenError, Opened};
pub use index::{By, Cursor, Grants, Place};
pub use instruments::Instruments;
pub use record::{CounterRecord, Record, Revision, Saved, Unreadable};
pub use restore::{RestoreError, Restored, restore};

/// Grants by their key.
const GRANTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("grants");
/// The keys of the grants that a daemon has to know of, so that a start need not read all of them. The value is
/// [`FINAL`] where the game has nothing but receipts of it, else empty.
const OPEN: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("open");
const FINAL: &[u8] = b"final";
/// How often players have voted, by the counter's key.
const COUNTERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("counters");
/// What concerns the ledger as a whole, by the names below.
const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
/// What tells it from others, and how far it has come.
const IDENTITY: &[u8] = b"identity";
/// Which game servers are paused.
const PAUSES: &[u8] = b"pauses";
/// When it was last restored, if it was.
const RESTORED_AT: &[u8] = b"restored_at";

/// Requests that may wait for the writer; more than that wait at the door.
const QUEUE: usize = 1024;
/// News that may wait for whoever hears of it.
const NEWS: usize = 4096;

/// A handle to the ledger; clones share one file and one writer.
#[derive(Clone, Debug)]
pub struct Ledger {
    database: Arc<Database>,
    /// None where the storage is not a file of ours.
    marker: Option<Arc<Marker>>,
    restored_at: Option<Timestamp>,
    requests: mpsc::Sender<writer::Request>,
    failure: Failure,
    instruments: Instruments,
    written: broadcast::Sender<EventKey>,
}

/// The first error of the storage. After it nothing more is read or written on this handle.
#[derive(Clone, Debug, Default)]
struct Failure {
    cause: Arc<OnceLock<Arc<str>>>,
    happened: CancellationToken,
}

impl Failure {
    fn set(&self, error: &dyn std::fmt::Display) -> LedgerError {
        let cause = self.cause.get_or_init(|| {
            tracing::error!("the ledger cannot be read or written, Votive has to stop: {error}");
            error.to_string().into()
        });
        self.happened.cancel();
        LedgerError::Failed(Arc::clone(cause))
    }

    /// Refuses everything after the first error.
    fn check(&self) -> Result<(), LedgerError> {
        self.cause.get().map_or(Ok(()), |cause| Err(LedgerError::Failed(Arc::clone(cause))))
    }
}

/// Why the ledger did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else wrote the record since it was read.
    #[error("the record was changed by somebody else in the meantime")]
    Conflict,
    /// It cannot be read or written any more; the daemon has to stop.
    #[error("the ledger cannot be read or written: {0}")]
    Failed(Arc<str>),
}

impl Ledger {
    /// Starts the writer of an open database.
    fn start(database: Database, marker: Marker, restored_at: Option<Timestamp>) -> std::io::Result<Self> {
        let (ledger, writer, queue) = Ledger::new(database, Some(marker), restored_at);
        writer.start(queue)?;
        Ok(ledger)
    }

    /// A ledger on a storage of the caller's, for simulations: it has no marker, and its writer is one of `tasks`
    /// instead of a thread.
    ///
    /// # Errors
    /// What the storage said.
    pub fn on(storage: impl StorageBackend, tasks: &Tasks) -> Result<Self, redb::Error> {
        let database = Database::builder().set_cache_size(file::CACHE).create_with_backend(storage)?;
        create_tables(&database)?;
        let (ledger, writer, queue) = Ledger::new(database, None, None);
        tasks.spawn(writer.write_all(queue));
        Ok(ledger)
    }

    fn new(
        database: Database,
        marker: Option<Marker>,
        restored_at: Option<Timestamp>,
    ) -> (Self, Writer, mpsc::Receiver<writer::Request>) {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (database, marker) = (Arc::new(database), marker.map(Arc::new));
        let (failure, instruments) = (Failure::default(), Instruments::default());
        let (written, _) = broadcast::channel(NEWS);
        let writer = Writer {
            database: Arc::clone(&database),
            marker: marker.clone(),
            failure: failure.clone(),
            instruments: instruments.clone(),
            written: written.clone(),
        };
        (Ledger { database, marker, restored_at, requests, failure, instruments, written }, writer, queue)
    }

    /// Hears of the event of each grant that stands differently from now on, once that is durable. Whoever falls behind by
    /// more than four thousand is told that some were missed.
    pub fn written(&self) -> broadcast::Receiver<EventKey> {
        self.written.subscribe()
    }

    /// When the ledger was last restored from a backup, if it was: it may have forgotten votes from before then.
    pub fn restored_at(&self) -> Option<Timestamp> {
        self.restored_at
    }

    /// What its writer measures.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// Waits until the ledger has failed, and gives the first error. From then on every call fails, and a restart is
    /// the remedy.
    pub async fn failed(&self) -> LedgerError {
        self.failure.happened.cancelled().await;
        self.failure.set(&"it has stopped")
    }

    /// The grant of an event, if there is one.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where the record cannot be read.
    pub fn get(&self, event: &EventKey) -> Result<Option<Record>, LedgerError> {
        self.read(|database| {
            let table = database.begin_read()?.open_table(GRANTS)?;
            let bytes = table.get(record::key(event).as_slice())?;
            Ok(bytes.map(|bytes| record::decode(bytes.value())).transpose()?)
        })
    }

    /// The grant of an event of any type, by the id alone.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where a record cannot be read.
    pub fn find(&self, event_id: &str) -> Result<Option<Record>, LedgerError> {
        for event_type in GRANT_TYPES {
            if let Some(record) = self.get(&EventKey::new(event_type, event_id))? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Every grant that a daemon has to know of from its start.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where a record cannot be read.
    pub fn attended_grants(&self) -> Result<Vec<Record>, LedgerError> {
        let mut records = Vec::new();
        self.each_attended(|_| true, |record| records.push(record))?;
        Ok(records)
    }

    /// Every grant of which something is still to happen, one after the other: they can be very many.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where a record cannot be read.
    pub fn each_open(&self, mut visit: impl FnMut(Record)) -> Result<(), LedgerError> {
        // An earlier Votive did not tell them apart.
        self.each_attended(
            |value| value != FINAL,
            |record| {
                if record.grant.is_open() {
                    visit(record);
                }
            },
        )
    }

    /// Every grant that a daemon has to know of from its start, one after the other; of those that are final, `meant` is
    /// given [`FINAL`].
    ///
    /// # Errors
    /// As above.
    pub(crate) fn each_attended(
        &self,
        meant: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(Record),
    ) -> Result<(), LedgerError> {
        self.read(|database| {
            let reading = database.begin_read()?;
            let (open, grants) = (reading.open_table(OPEN)?, reading.open_table(GRANTS)?);
            for entry in open.iter()? {
                let (key, value) = entry?;
                if meant(value.value())
                    && let Some(bytes) = grants.get(key.value())?
                {
                    visit(record::decode(bytes.value())?);
                }
            }
            Ok(())
        })
    }

    /// A counter: an empty one where nothing was counted yet.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where the record cannot be read.
    pub fn counter(&self, key: &CounterKey) -> Result<(Counter, Revision), LedgerError> {
        self.read(|database| {
            let table = database.begin_read()?.open_table(COUNTERS)?;
            let bytes = table.get(record::counter_key(key).as_slice())?;
            let stored = bytes.map(|bytes| record::decode_counter(bytes.value())).transpose()?;
            Ok(stored.map_or_else(Default::default, |record| (record.counter, record.revision)))
        })
    }

    /// Stores a grant if its record still has the revision `expected`. It is durable when this returns.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] if the record was written since; [`LedgerError::Failed`] where nothing can be
    /// written any more.
    pub async fn put(&self, grant: &Grant, expected: Revision) -> Result<Revision, LedgerError> {
        self.put_counted(grant, expected, &[], true).await
    }

    /// The same, and in the same transaction counters, if these still have their revisions, too.
    async fn put_counted(
        &self,
        grant: &Grant,
        expected: Revision,
        counters: &[CounterRecord],
        is_news: bool,
    ) -> Result<Revision, LedgerError> {
        let failed = |error| self.failure.set(&error);
        let mut changes = Vec::with_capacity(1 + counters.len());
        changes.push(Change { is_news, ..grant_change(grant, expected).map_err(failed)? });
        for counter in counters {
            changes.push(counter_change(counter).map_err(failed)?);
        }
        self.change(changes).await?;
        Ok(expected.next())
    }

    /// Stores grants if all their records still have the revisions that they were read with: all of them in one
    /// transaction, or none. No grant may be named twice.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] if one was written since; [`LedgerError::Failed`] where the ledger fails.
    pub async fn put_all(&self, grants: &[(Grant, Revision)]) -> Result<(), LedgerError> {
        // Of the others, nothing is known of how they stood.
        let change = |(grant, expected): &(Grant, Revision)| -> Result<Change, Unreadable> {
            Ok(Change { is_news: *expected == Revision::NONE, ..grant_change(grant, *expected)? })
        };
        let changes = grants.iter().map(change);
        let changes =
            changes.collect::<Result<Vec<Change>, _>>().map_err(|error| self.failure.set(&error))?;
        self.change(changes).await
    }

    /// Gives up the details of grants as they were read, in one transaction. Gives how many: those that were written
    /// since, or cannot be pruned, are left.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where the ledger fails.
    pub async fn prune(&self, records: &[Record]) -> Result<usize, LedgerError> {
        let mut changes = Vec::new();
        for Record { grant, revision } in records {
            // It needs no time.
            let Ok(pruned) = grant.apply(Fact::Pruned, Timestamp::UNIX_EPOCH) else { continue };
            let mut change = grant_change(&pruned, *revision).map_err(|error| self.failure.set(&error))?;
            // Those that it had, too.
            change.index = index::entries(grant).into_iter().map(|(entry, _)| (entry, false)).collect();
            changes.push(change);
        }
        let pruned = changes.len();
        match self.change(changes).await {
            Ok(()) => Ok(pruned),
            // Somebody retries one of them. The others can wait for the next time.
            Err(LedgerError::Conflict) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Which game servers are paused.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where that cannot be read.
    pub fn pauses(&self) -> Result<Pauses, LedgerError> {
        Ok(self.read(stored_pauses)?.0)
    }

    /// Changes which game servers are paused, in one transaction. Gives the pauses as they are stored, and what `change`
    /// gives.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where that cannot be stored.
    pub async fn update_pauses<T>(
        &self,
        change: impl Fn(&mut Pauses) -> T,
    ) -> Result<(Pauses, T), LedgerError> {
        loop {
            let (mut pauses, expected) = self.read(stored_pauses)?;
            let given = change(&mut pauses);
            let bytes = record::encode_pauses(&pauses, expected.next());
            let bytes = bytes.map_err(|error| self.failure.set(&error))?;
            match self.change(vec![Change::new(META, PAUSES.to_vec(), bytes, expected)]).await {
                Err(LedgerError::Conflict) => {}
                done => return done.map(|()| (pauses, given)),
            }
        }
    }

    /// Stores records, all of them or none.
    async fn change(&self, changes: Vec<Change>) -> Result<(), LedgerError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.ask(|answer| writer::Request::Put(changes, answer)).await
    }

    /// Lets `decide` change counters, each named with what it is decided by, and stores those that changed: all in one
    /// transaction, or none. Gives how many they are. No counter may be named twice.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] if one was written meanwhile; [`LedgerError::Failed`] where the ledger fails.
    pub async fn update_counters<T>(
        &self,
        counters: impl IntoIterator<Item = (CounterKey, T)>,
        decide: impl Fn(&Counter, T) -> Counter,
    ) -> Result<usize, LedgerError> {
        // There may be very many: only their bytes are kept.
        let mut changes = Vec::new();
        for (key, by) in counters {
            let (before, revision) = self.counter(&key)?;
            let counter = decide(&before, by);
            if counter != before {
                let change = counter_change(&CounterRecord { key, counter, revision });
                changes.push(change.map_err(|error| self.failure.set(&error))?);
            }
        }
        let changed = changes.len();
        self.change(changes).await?;
        Ok(changed)
    }

    /// Reads the grant of an event, lets `decide` change it, and stores it; again from the start if somebody else
    /// was faster. Gives the grant as it is stored.
    ///
    /// # Errors
    /// The outer one where the ledger fails, the inner one where `decide` refuses; nothing is stored then.
    pub async fn update<E>(
        &self,
        event: &EventKey,
        decide: impl Fn(Option<&Grant>) -> Result<Grant, E>,
    ) -> Result<Result<Grant, E>, LedgerError> {
        self.update_counted(event, None, |grant, _| Ok((decide(grant)?, None))).await
    }

    /// The same with a pair of counters, which `decide` may change, too. All is stored in one transaction, or nothing.
    ///
    /// # Errors
    /// As above.
    pub async fn update_counted<E>(
        &self,
        event: &EventKey,
        counters: Option<&Scoped<CounterKey>>,
        decide: impl Fn(Option<&Grant>, &Scoped<Counter>) -> Result<(Grant, Option<Scoped<Counter>>), E>,
    ) -> Result<Result<Grant, E>, LedgerError> {
        loop {
            let record = self.get(event)?;
            let (mut before, mut revisions) = (Scoped::default(), Scoped::default());
            if let Some(keys) = counters {
                (before.server, revisions.server) = self.counter(&keys.server)?;
                (before.network, revisions.network) = self.counter(&keys.network)?;
            }
            let (grant, counted) = match decide(record.as_ref().map(|record| &record.grant), &before) {
                Ok(decided) => decided,
                Err(refused) => return Ok(Err(refused)),
            };
            let revision = record.as_ref().map_or(Revision::NONE, |record| record.revision);
            if record.as_ref().is_some_and(|record| record.grant == grant) {
                return Ok(Ok(grant));
            }
            let counted = counters.zip(counted).map(|(keys, counted)| {
                let record = |key: &CounterKey, counter, revision| CounterRecord {
                    key: key.clone(),
                    counter,
                    revision,
                };
                [
                    record(&keys.server, counted.server, revisions.server),
                    record(&keys.network, counted.network, revisions.network),
                ]
            });
            let counted = counted.as_ref().map_or(&[][..], |pair| pair);
            let is_news = record.is_none_or(|record| !record.grant.stands_like(&grant));
            match self.put_counted(&grant, revision, counted, is_news).await {
                Ok(revision) => {
                    about(event).in_scope(|| tracing::debug!(revision = revision.number(), "recorded"));
                    return Ok(Ok(grant));
                }
                Err(LedgerError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A round trip to the writer, which shows that it is alive.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] if it is not.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        self.ask(writer::Request::Ping).await
    }

    async fn ask(&self, request: impl FnOnce(writer::Answer) -> writer::Request) -> Result<(), LedgerError> {
        self.failure.check()?;
        let (answer, answered) = oneshot::channel();
        // The writer ends only with an error, which it has set by then.
        let gone = || self.failure.set(&"its writer has stopped");
        self.requests.send(request(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    fn read<T>(&self, read: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, LedgerError> {
        self.failure.check()?;
        read(&self.database).map_err(|error| self.failure.set(&error))
    }
}

/// Reads much of a ledger, without keeping others from their work meanwhile.
///
/// # Errors
/// What `read` gives; [`LedgerError::Failed`] where it does not end.
pub(crate) async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    // It fails only where the runtime ends, or where reading panicked: then the ledger has as good as failed.
    spawn_blocking(read).await.unwrap_or_else(|error| Err(LedgerError::Failed(error.to_string().into())))
}

fn grant_change(grant: &Grant, expected: Revision) -> Result<Change, Unreadable> {
    let open = if grant.is_open() {
        Attended::Open
    } else if grant.is_attended() {
        Attended::Final
    } else {
        Attended::No
    };
    let bytes = record::encode(grant, expected.next())?;
    let (key, index) = (record::key(&grant.event), index::entries(grant));
    Ok(Change { attended: Some(open), index, ..Change::new(GRANTS, key, bytes, expected) })
}

fn counter_change(record: &CounterRecord) -> Result<Change, Unreadable> {
    let (key, bytes) = (record::counter_key(&record.key), record::encode_counter(record)?);
    Ok(Change::new(COUNTERS, key, bytes, record.revision))
}

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    write(database, |writing| {
        writing.open_table(GRANTS)?;
        writing.open_table(OPEN)?;
        writing.open_table(COUNTERS)?;
        index::create(writing)
    })
}

/// One transaction. Two-phase is safe against crafted content together with a crash; it costs a second sync.
fn write<T>(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut writing = database.begin_write()?;
    writing.set_two_phase_commit(true);
    let changed = change(&writing)?;
    writing.commit()?;
    Ok(changed)
}

/// What is kept under a name in [`META`].
fn meta(database: &Database, name: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    let table = match database.begin_read()?.open_table(META) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table?,
    };
    Ok(table.get(name)?.map(|bytes| bytes.value().to_vec()))
}

fn stored_pauses(database: &Database) -> Result<(Pauses, Revision), redb::Error> {
    let stored = meta(database, PAUSES)?.map(|bytes| record::decode_pauses(&bytes)).transpose()?;
    Ok(stored.unwrap_or_default())
}

fn set_meta(writing: &WriteTransaction, name: &[u8], bytes: &[u8]) -> Result<(), redb::Error> {
    writing.open_table(META)?.insert(name, bytes)?;
    Ok(())
}

/// Raises the counter that tells an older copy of the ledger from a newer one. Gives what the marker has to say once
/// the transaction is durable.
fn raise(writing: &WriteTransaction) -> Result<Identity, redb::Error> {
    let mut table = writing.open_table(META)?;
    let gone = || redb::Error::Corrupted("it has no identity".to_owned());
    let identity = Identity::decode(table.get(IDENTITY)?.ok_or_else(gone)?.value())?.raised();
    table.insert(IDENTITY, identity.encode()?.as_slice())?;
    Ok(identity)
}
