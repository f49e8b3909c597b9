//! Where grants are found other than by their event: by time, by player, and those of which something is refused.
//!
//! An entry is a letter, the player where it is of one, the time of receipt, and the grant's key. All entries of a grant
//! change in the transaction that changes the grant.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableHandle, WriteTransaction,
};

use super::record::{self, Record};
use super::{Failure, GRANTS, Ledger, LedgerError};
use crate::domain::grant::{Grant, Stage};

/// The entries; they have no value.
pub(super) const INDEX: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("index");

/// How many bytes the time takes in an entry.
const TIME: usize = 8;
/// The most bytes of a nickname that are looked for; what the API tells can be longer, and is refused then.
const LONGEST_NAME: usize = 64;

/// Which grants are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// All that were not pruned.
    Time,
    /// Those of votes with this nickname, in whatever case.
    Player(String),
    /// Those of which something is refused.
    Refused,
}

impl By {
    /// What all entries begin with.
    fn prefix(&self) -> Vec<u8> {
        match self {
            By::Time => b"t".to_vec(),
            By::Refused => b"r".to_vec(),
            By::Player(nickname) => {
                // A zero would be the end of it.
                let mut name = nickname.to_lowercase().replace('\0', " ").into_bytes();
                name.truncate(LONGEST_NAME);
                [b"p", name.as_slice(), b"\0"].concat()
            }
        }
    }
}

/// A change of an entry: whether it shall be there.
pub(super) type Entry = (Vec<u8>, bool);

/// The entries of a grant, and those that it has no more.
pub(super) fn entries(grant: &Grant) -> Vec<Entry> {
    let key = record::key(&grant.event);
    let entry = |by: By| [by.prefix(), time(grant.received_at).to_vec(), key.clone()].concat();
    let kept = grant.stage != Stage::Pruned;
    let player = grant.vote().map(|vote| (entry(By::Player(vote.nickname.clone())), kept));
    let entries = [(entry(By::Time), kept), (entry(By::Refused), kept && grant.is_refused())];
    entries.into_iter().chain(player).collect()
}

/// The time so that later ones sort behind earlier ones.
fn time(time: Timestamp) -> [u8; TIME] {
    time.as_microsecond().wrapping_add(i64::MIN).to_be_bytes()
}

/// Makes these changes.
pub(super) fn store(writing: &WriteTransaction, entries: &[Entry]) -> Result<(), redb::Error> {
    let mut index = writing.open_table(INDEX)?;
    for (entry, wanted) in entries {
        // Most entries stay as they are, and what is not touched need not be written.
        let there = index.get(entry.as_slice())?.is_some();
        match (there, *wanted) {
            (false, true) => drop(index.insert(entry.as_slice(), [].as_slice())?),
            (true, false) => drop(index.remove(entry.as_slice())?),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the index of a ledger that has none: an earlier Votive made none.
pub(super) fn create(writing: &WriteTransaction) -> Result<(), redb::Error> {
    if writing.list_tables()?.any(|table| table.name() == INDEX.name()) {
        return Ok(());
    }
    writing.open_table(INDEX)?;
    for entry in writing.open_table(GRANTS)?.iter()? {
        store(writing, &entries(&record::decode(entry?.1.value())?.grant))?;
    }
    Ok(())
}

/// Grants in the order of their receipt, from both ends, all as the ledger was at one moment.
pub struct Grants {
    entries: redb::Range<'static, &'static [u8], &'static [u8]>,
    grants: ReadOnlyTable<&'static [u8], &'static [u8]>,
    prefix: usize,
    failure: Failure,
    /// Has to stay open for as long as records are read.
    _database: Arc<Database>,
}

/// The place of a grant in the order of receipt.
pub type Cursor = Vec<u8>;

impl Ledger {
    /// The grants that are meant, received within this time, and before the one at the cursor.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where they cannot be read.
    pub fn grants(
        &self,
        by: &By,
        received: Range<Timestamp>,
        before: Option<&Cursor>,
    ) -> Result<Grants, LedgerError> {
        let prefix = by.prefix();
        let bound = |at: Timestamp| [prefix.as_slice(), &time(at)].concat();
        let first = bound(received.start);
        let end = before.map(|cursor| [prefix.as_slice(), cursor].concat());
        let end = end.into_iter().chain([bound(received.end)]).min().unwrap_or_default().max(first.clone());
        let (database, failure) = (Arc::clone(&self.database), self.failure.clone());
        self.read(|_| {
            let reading = database.begin_read()?;
            let range = first.as_slice()..end.as_slice();
            let entries = reading.open_table(INDEX)?.range(range)?;
            let grants = reading.open_table(GRANTS)?;
            Ok(Grants { entries, grants, prefix: prefix.len(), failure, _database: Arc::clone(&database) })
        })
    }

    /// How many grants are meant.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where they cannot be counted.
    pub fn count(&self, by: &By) -> Result<usize, LedgerError> {
        let Grants { mut entries, failure, .. } = self.grants(by, Timestamp::MIN..Timestamp::MAX, None)?;
        let counted = entries.try_fold(0, |count, entry| entry.map(|_| count + 1));
        counted.map_err(|error| failure.set(&error))
    }
}

impl Grants {
    /// The grant that an entry names.
    fn record(&self, entry: &[u8]) -> Result<(Cursor, Record), redb::Error> {
        let cursor = entry[self.prefix..].to_vec();
        let bytes = self.grants.get(&cursor[TIME..])?;
        let bytes = bytes.ok_or_else(|| redb::Error::Corrupted("the index names a lost grant".to_owned()))?;
        let record = record::decode(bytes.value())?;
        Ok((cursor, record))
    }
}

impl Iterator for Grants {
    type Item = Result<(Cursor, Record), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?.map_err(redb::Error::from);
        let found = entry.and_then(|(entry, _)| self.record(entry.value()));
        Some(found.map_err(|error| self.failure.set(&error)))
    }
}

impl DoubleEndedIterator for Grants {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next_back()?.map_err(redb::Error::from);
        let found = entry.and_then(|(entry, _)| self.record(entry.value()));
        Some(found.map_err(|error| self.failure.set(&error)))
    }
}
