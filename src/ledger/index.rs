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

/// Where in that order.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// Anywhere.
    Any,
    /// Before this grant.
    Before(&'a Cursor),
    /// After this grant.
    After(&'a Cursor),
}

impl Ledger {
    /// The grants that are meant, received within this time, at this place. As long as they are held, what is written
    /// meanwhile takes new room in the file.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where they cannot be read.
    pub fn grants(
        &self,
        by: &By,
        received: Range<Timestamp>,
        place: Place<'_>,
    ) -> Result<Grants, LedgerError> {
        let prefix = by.prefix();
        let bound = |place: &[u8]| [prefix.as_slice(), place].concat();
        let (mut first, mut end) = (bound(&time(received.start)), bound(&time(received.end)));
        match place {
            Place::Any => {}
            Place::Before(cursor) => end = end.min(bound(cursor)),
            // The next one behind it that there can be.
            Place::After(cursor) => first = first.max([bound(cursor), vec![0]].concat()),
        }
        let end = end.max(first.clone());
        let (database, failure) = (Arc::clone(&self.database), self.failure.clone());
        self.read(|_| {
            let reading = database.begin_read()?;
            let range = first.as_slice()..end.as_slice();
            let entries = reading.open_table(INDEX)?.range(range)?;
            let grants = reading.open_table(GRANTS)?;
            Ok(Grants { entries, grants, prefix: prefix.len(), failure, _database: Arc::clone(&database) })
        })
    }

    /// Some of the grants that are meant, received within this time, the oldest first: at most `most` of those after the
    /// one that was `reached`, which moves on. In between, the ledger is not held.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where they cannot be read.
    pub fn next_grants(
        &self,
        by: &By,
        received: Range<Timestamp>,
        reached: &mut Option<Cursor>,
        most: usize,
    ) -> Result<Vec<Record>, LedgerError> {
        let place = reached.as_ref().map_or(Place::Any, Place::After);
        let some = self.grants(by, received, place)?.take(most).collect::<Result<Vec<_>, _>>()?;
        let (cursors, records): (Vec<Cursor>, Vec<Record>) = some.into_iter().unzip();
        *reached = cursors.into_iter().next_back().or(reached.take());
        Ok(records)
    }

    /// How many grants are meant.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where they cannot be counted.
    pub fn count(&self, by: &By) -> Result<usize, LedgerError> {
        let Grants { mut entries, failure, .. } =
            self.grants(by, Timestamp::MIN..Timestamp::MAX, Place::Any)?;
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
