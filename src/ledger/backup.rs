//! A backup: the ledger at one moment, as lines of JSON that any later version can read.
//!
//! - a header: what this is, of which ledger, when it was taken, and which game servers were paused
//! - a line for each vote, then one for each counter, as the ledger keeps them
//! - a trailer: how many records, and the SHA-256 of all that is before it; without it the backup is not complete

use std::fmt::Display;
use std::io::{self, BufRead, Read};
use std::iter::Chain;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use redb::{Database, Range, ReadableDatabase};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::{self, OpenError};
use super::record::{self, Identity, Saved, Unreadable};
use super::{
    COUNTERS, Failure, GRANTS, IDENTITY, Ledger, LedgerError, RESTORED_AT, marker, meta, stored_pauses,
};
use crate::domain::pause::Pauses;

/// The version that this program writes, and the only one that it reads.
const VERSION: u32 = 1;
/// How many bytes a piece has at least, but for the last one.
const PIECE: usize = 64 * 1024;
/// The most bytes of a line; a record has a few hundred for each command.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
struct Header {
    votive_backup: u32,
    ledger: String,
    taken_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored_at: Option<Timestamp>,
    #[serde(default)]
    pauses: Pauses,
}

/// The last line.
#[derive(Debug, Deserialize, Serialize)]
struct Trailer {
    records: u64,
    sha256: String,
}

type Records = Range<'static, &'static [u8], &'static [u8]>;

/// A backup that is being taken: gives its bytes in pieces, all as the ledger was when it began. It holds up nobody who
/// writes meanwhile.
pub struct Backup {
    records: Chain<Records, Records>,
    /// What is read and not yet given.
    piece: Vec<u8>,
    sum: Sha256,
    count: u64,
    ended: bool,
    failure: Failure,
    /// Has to stay open for as long as records are read.
    _database: Arc<Database>,
}

impl Ledger {
    /// Begins a backup of the ledger as it is `now`.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] where it cannot be read.
    pub fn backup(&self, now: Timestamp) -> Result<Backup, LedgerError> {
        let (database, failure) = (Arc::clone(&self.database), self.failure.clone());
        self.read(|_| Backup::begin(database, failure, now))
    }
}

impl Backup {
    /// Begins a backup of a ledger that no daemon has open. It need not be one that a daemon would take: so a backup can
    /// still be made of what is left. Gives also why a daemon would not take it, if that is so.
    ///
    /// # Errors
    /// [`OpenError`] where there is no ledger, or none that can be read.
    pub fn at_rest(state_dir: &Path, now: Timestamp) -> Result<(Self, Option<OpenError>), OpenError> {
        let path = state_dir.join(file::NAME);
        let (database, identity) = file::open_file(&path)?;
        let trust = marker::read(state_dir).and_then(|marked| file::trust(&path, &identity, marked.as_ref()));
        let backup = Backup::begin(Arc::new(database), Failure::default(), now);
        Ok((backup.map_err(|error| OpenError::storage(&path, error))?, trust.err()))
    }

    fn begin(database: Arc<Database>, failure: Failure, now: Timestamp) -> Result<Self, redb::Error> {
        let identity = meta(&database, IDENTITY)?.unwrap_or_default();
        let restored_at = meta(&database, RESTORED_AT)?;
        let header = Header {
            votive_backup: VERSION,
            ledger: Identity::decode(&identity)?.id,
            taken_at: now,
            restored_at: restored_at.map(|bytes| record::decode_time(&bytes)).transpose()?,
            pauses: stored_pauses(&database)?.0,
        };
        let reading = database.begin_read()?;
        let votes = reading.open_table(GRANTS)?.range::<&[u8]>(..)?;
        let counters = reading.open_table(COUNTERS)?.range::<&[u8]>(..)?;
        let records = votes.chain(counters);
        let mut backup = Backup {
            records,
            piece: Vec::new(),
            sum: Sha256::new(),
            count: 0,
            ended: false,
            failure,
            _database: database,
        };
        backup.push(&serde_json::to_vec(&header).map_err(Unreadable::from)?);
        Ok(backup)
    }

    fn push(&mut self, line: &[u8]) {
        for part in [line, b"\n"] {
            self.sum.update(part);
            self.piece.extend_from_slice(part);
        }
    }

    /// Reads until there is a piece, or until the end.
    fn read(&mut self) -> Result<(), redb::Error> {
        while self.piece.len() < PIECE && !self.ended {
            if let Some(record) = self.records.next() {
                self.push(record?.1.value());
                self.count += 1;
            } else {
                let sha256 = hex(&self.sum);
                let trailer = Trailer { records: self.count, sha256 };
                self.push(&serde_json::to_vec(&trailer).map_err(Unreadable::from)?);
                self.ended = true;
            }
        }
        Ok(())
    }
}

impl Iterator for Backup {
    type Item = Result<Bytes, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.read() {
            self.ended = true;
            return Some(Err(self.failure.set(&error)));
        }
        let piece = std::mem::take(&mut self.piece);
        (!piece.is_empty()).then(|| Ok(piece.into()))
    }
}

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The system cannot read it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("this is not a backup of Votive: `votive backup FILE` makes those")]
    Foreign,
    /// A later program made it.
    #[error(
        "a newer Votive made this backup (format {0}; this program knows up to {VERSION}): restore it with that version"
    )]
    Newer(u32),
    /// Its end is missing.
    #[error("this backup is not complete, its end is missing: use another one")]
    Incomplete,
    /// A line is not what it was.
    #[error("this backup is damaged in line {line} ({why}): use another one")]
    Damaged {
        /// Which one.
        line: u64,
        /// What was found.
        why: String,
    },
}

/// Reads a backup, and gives its records. Only when it has given the last one is it known that the backup is whole.
#[derive(Debug)]
pub struct BackupReader<R> {
    source: R,
    header: Header,
    sum: Sha256,
    lines: u64,
    ended: bool,
}

impl<R: BufRead> BackupReader<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`BackupError`] where this is not the beginning of a backup.
    pub fn new(mut source: R) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Head {
            votive_backup: u32,
        }
        let first = read_line(&mut source)?;
        let head: Head = serde_json::from_slice(&first).map_err(|_| BackupError::Foreign)?;
        if head.votive_backup != VERSION {
            return Err(BackupError::Newer(head.votive_backup));
        }
        let header = serde_json::from_slice(&first).map_err(|error| damaged(1, &error))?;
        Ok(BackupReader { source, header, sum: Sha256::new().chain_update(&first), lines: 1, ended: false })
    }

    /// When it was taken.
    pub fn taken_at(&self) -> Timestamp {
        self.header.taken_at
    }

    /// When the ledger that it is of was restored itself, if it was.
    pub fn restored_at(&self) -> Option<Timestamp> {
        self.header.restored_at
    }

    /// Which game servers were paused.
    pub fn pauses(&self) -> &Pauses {
        &self.header.pauses
    }

    fn record(&mut self) -> Result<Option<Saved>, BackupError> {
        let line = read_line(&mut self.source)?;
        if line.last() != Some(&b'\n') {
            return Err(BackupError::Incomplete);
        }
        self.lines += 1;
        if line.starts_with(b"{\"records\":") {
            return self.end(&line).map(|()| None);
        }
        self.sum.update(&line);
        match record::decode_any(&line) {
            Ok(record) => Ok(Some(record)),
            Err(Unreadable::Newer(format)) => Err(BackupError::Newer(format)),
            Err(Unreadable::Garbled(why)) => Err(damaged(self.lines, &why)),
        }
    }

    fn end(&mut self, line: &[u8]) -> Result<(), BackupError> {
        let trailer: Trailer = serde_json::from_slice(line).map_err(|error| damaged(self.lines, &error))?;
        if trailer.records != self.lines - 2 || trailer.sha256 != hex(&self.sum) {
            return Err(damaged(self.lines, &"the checksum of the lines before it is another one"));
        }
        if !read_line(&mut self.source)?.is_empty() {
            return Err(damaged(self.lines + 1, &"something follows the end"));
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for BackupReader<R> {
    type Item = Result<Saved, BackupError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }
}

/// The next line with its end; a backup has no line that is longer than is read at most.
fn read_line(source: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    source.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn damaged(line: u64, why: &dyn Display) -> BackupError {
    BackupError::Damaged { line, why: why.to_string() }
}

fn hex(sum: &Sha256) -> String {
    base16ct::lower::encode_string(&sum.clone().finalize())
}
