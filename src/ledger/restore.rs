//! A new ledger in the place of one that cannot be trusted any more.

use std::fs::{self, File, TryLockError};
use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::WriteTransaction;

use super::backup::{BackupError, BackupReader};
use super::file::{self, OpenError};
use super::marker::Marker;
use super::record::{self, Record, Revision, Saved};
use super::writer::{Attended, attend};
use super::{COUNTERS, GRANTS, PAUSES, RESTORED_AT, index, set_meta, write};
use crate::domain::award::AwardState;
use crate::domain::grant::Grant;

/// How many records go into one transaction.
const BATCH: usize = 1000;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// Votes from before this that the ledger does not know are refused until they are retried.
    pub at: Timestamp,
    /// How many votes the ledger knows.
    pub votes: usize,
    /// How many of their rewards are in doubt now.
    pub in_doubt: usize,
    /// Where the ledger is now that was there before.
    pub kept: Option<PathBuf>,
}

/// Why nothing was restored. The ledger that was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// Puts a new ledger into `state_dir`: with the records of a backup, or without any. What was there is kept beside it.
/// No daemon may run there.
///
/// A crash at any moment leaves the ledger that was there, or a refusal to open, or the new ledger; to restore again
/// helps.
///
/// # Errors
/// [`RestoreError`].
pub fn restore<R: BufRead>(
    state_dir: &Path,
    backup: Option<BackupReader<R>>,
    now: Timestamp,
) -> Result<Restored, RestoreError> {
    file::create_directory(state_dir)?;
    let path = state_dir.join(file::NAME);
    // Held until the end: no daemon takes up what is about to be replaced.
    let _lock = lock(&path)?;
    let taken_at = backup.as_ref().map_or(now, BackupReader::taken_at);
    // A clock that is behind must not make votes look new that the lost ledger may have known.
    let before = backup.as_ref().and_then(BackupReader::restored_at);
    let at = now.max(taken_at).max(before.unwrap_or(now));
    let pauses = backup.as_ref().map(|backup| backup.pauses().clone()).unwrap_or_default();
    let (mut votes, mut in_doubt) = (0, 0);
    let (unfinished, identity) = file::build(&path, |database| -> Result<(), RestoreError> {
        let storage = |error| OpenError::storage(&path, error);
        let unreadable = |why| OpenError::unreadable(&path, why);
        let bytes = record::encode_time(at).map_err(unreadable)?;
        let paused = record::encode_pauses(&pauses, Revision::NONE.next()).map_err(unreadable)?;
        write(database, |writing| {
            set_meta(writing, RESTORED_AT, &bytes)?;
            set_meta(writing, PAUSES, &paused)
        })
        .map_err(storage)?;
        let mut records = backup.into_iter().flatten();
        loop {
            let mut batch = records.by_ref().take(BATCH).collect::<Result<Vec<Saved>, BackupError>>()?;
            if batch.is_empty() {
                return Ok(());
            }
            for saved in &mut batch {
                if let Saved::Vote(record) = saved {
                    record.grant = record.grant.restored(taken_at, now);
                    votes += 1;
                    in_doubt += doubts(&record.grant);
                }
            }
            write(database, |writing| store(writing, &batch)).map_err(storage)?;
        }
    })?;

    // The marker first: from here on, nothing but the new ledger is opened.
    if let Err(error) = Marker::create(state_dir, &identity) {
        drop(fs::remove_file(&unfinished));
        return Err(error.into());
    }
    let kept =
        state_dir.join(format!("{}.before-restore-{}", file::NAME, now.strftime("%Y-%m-%dT%H-%M-%S%.6fZ")));
    let kept = match fs::rename(&path, &kept) {
        Ok(()) => Some(kept),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(OpenError::io(&path)(error).into()),
    };
    file::put_in_place(&unfinished, &path).map_err(OpenError::io(&path))?;
    Ok(Restored { at, votes, in_doubt, kept })
}

/// Keeps daemons from opening the file, if there is one, until the lock is dropped.
fn lock(path: &Path) -> Result<Option<File>, OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io(path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::io(path)(error)),
    }
}

fn store(writing: &WriteTransaction, batch: &[Saved]) -> Result<(), redb::Error> {
    for saved in batch {
        match saved {
            Saved::Vote(record) => {
                let Record { grant, revision } = &**record;
                let key = record::key(&grant.event);
                let bytes = record::encode(grant, *revision)?;
                writing.open_table(GRANTS)?.insert(key.as_slice(), bytes.as_slice())?;
                // Of receipts in the game it knows nothing any more.
                attend(writing, &key, grant.is_open().then_some(Attended::Open))?;
                index::store(writing, &index::entries(grant))?;
            }
            Saved::Counter(counter) => {
                let key = record::counter_key(&counter.key);
                let bytes = record::encode_counter(counter)?;
                writing.open_table(COUNTERS)?.insert(key.as_slice(), bytes.as_slice())?;
            }
        }
    }
    Ok(())
}

fn doubts(grant: &Grant) -> usize {
    let awards = grant.plan().map_or(&[][..], |plan| &plan.awards);
    awards.iter().filter(|award| matches!(award.state, AwardState::InDoubt { .. })).count()
}
