//! The ledger's file: when it is created, when it is opened, and when it is refused.
//!
//! `ledger.redb` holds the records. It and its [`marker`] hold the ledger's id and a counter that is raised with every
//! commit, in the ledger first. A ledger that is missing, replaced, or older than its marker would pay votes again, so it
//! is refused.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};

use redb::{Database, WriteTransaction};

use super::marker::{self, Marker};
use super::record::{self, Identity, Unreadable};
use super::{COUNTERS, IDENTITY, Ledger, RESTORED_AT, create_tables, index, meta, raise, set_meta, write};
use crate::failpoint::{Point, crash_at};

/// The ledger's name in the state directory.
pub(crate) const NAME: &str = "ledger.redb";

/// redb's page cache in bytes. Its default of 1 GiB would be the daemon's whole memory; grants are small, and the
/// system caches the file as well.
pub(super) const CACHE: usize = 1 << 20;

/// An open ledger.
#[derive(Debug)]
pub struct Opened {
    /// The handle.
    pub ledger: Ledger,
    /// Whether it was created just now.
    pub created: bool,
}

/// Why the ledger cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("{path}: {error}. {remedy}", path = .path.display(), remedy = remedy(.error))]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process has it open.
    #[error("{path}: another Votive is running with this state directory. Stop it first, or give this one its own with --state-dir.", path = .0.display())]
    InUse(PathBuf),
    /// A later program wrote it.
    #[error("{path}: a newer Votive wrote this (format {format}; this program knows up to {known}). Install that version again; nothing is lost.", path = .path.display(), known = record::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// It cannot be read.
    #[error("{path}: the ledger is damaged, or this version of Votive did not write it ({why}). {PUT_BACK}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The marker is there and the ledger is not.
    #[error("{path}: the ledger is missing, though {name} says that there was one. {PUT_BACK}", path = .0.display(), name = marker::NAME)]
    Missing(PathBuf),
    /// The marker is of another ledger.
    #[error("{path}: this is not the ledger that was used here last, and does not know the votes that were rewarded with that one. {PUT_BACK}", path = .0.display())]
    Replaced(PathBuf),
    /// The marker is ahead of the ledger.
    #[error("{path}: this is an older copy of the ledger that was used here last, and does not know the votes that were rewarded since. {PUT_BACK} To go on with this copy itself, make a backup of it and restore that: votive backup FILE, then votive restore FILE.", path = .0.display())]
    Older(PathBuf),
    /// The marker cannot be read.
    #[error("{path}: cannot be read ({why}), so nobody can tell whether the ledger beside it is the newest. If this directory has seen nothing worse than a power failure, it is: delete {name} and start Votive again. If files were copied here, it may not be. {PUT_BACK}", path = .path.display(), name = marker::NAME)]
    Marker {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
}

/// What an owner can do whose ledger does not know every vote that was rewarded. None of it rewards a vote twice.
const PUT_BACK: &str = "Put the state directory back as it was when Votive last stopped, or restore a backup: votive restore FILE. With neither: votive restore --without-backup.";

/// What an owner can do about an error of the system.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "The state directory and all files in it have to belong to the user that Votive runs as, and allow writing."
        }
        ErrorKind::ReadOnlyFilesystem => {
            "It is mounted read-only; Votive has to write there. If nobody did that on purpose, the system did because the disk fails: dmesg says so."
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "Make room on that disk and try again; nothing is lost."
        }
        _ => {
            "The state directory has to exist, on a disk with space, and belong to the user that Votive runs as."
        }
    }
}

impl OpenError {
    /// What an error of the storage means.
    pub(super) fn storage(path: &Path, error: redb::Error) -> Self {
        let path = path.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen => OpenError::InUse(path),
            // A file that is shorter than it says is damaged, too.
            redb::Error::Io(error)
                if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                OpenError::Io { path, error }
            }
            other => OpenError::Damaged { path, why: other.to_string() },
        }
    }

    /// What bytes of the ledger mean that cannot be read.
    pub(super) fn unreadable(path: &Path, why: Unreadable) -> Self {
        let path = path.to_owned();
        match why {
            Unreadable::Newer(format) => OpenError::Newer { path, format },
            Unreadable::Garbled(why) => OpenError::Damaged { path, why: why.to_string() },
        }
    }

    /// What a marker means that cannot be read.
    pub(super) fn marker(path: PathBuf, why: Unreadable) -> Self {
        match why {
            Unreadable::Newer(format) => OpenError::Newer { path, format },
            Unreadable::Garbled(why) => OpenError::Marker { path, why: why.to_string() },
        }
    }

    /// An error of the system about a file.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| OpenError::Io { path: path.to_owned(), error }
    }
}

impl Ledger {
    /// Opens the ledger in `state_dir`, or creates it where there was none.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be trusted to hold every vote that it held before.
    pub fn open(state_dir: &Path) -> Result<Opened, OpenError> {
        create_directory(state_dir)?;
        let path = state_dir.join(NAME);
        let marked = marker::read(state_dir)?;
        let created = !path.try_exists().map_err(OpenError::io(&path))?;
        if created {
            if marked.is_some() {
                return Err(OpenError::Missing(path));
            }
            let (unfinished, _) = build(&path, |_| Ok::<_, OpenError>(()))?;
            crash_at(Point::LedgerMade);
            put_in_place(&unfinished, &path).map_err(OpenError::io(&path))?;
            crash_at(Point::LedgerNamed);
        }

        let (database, identity) = open_file(&path)?;
        trust(&path, &identity, marked.as_ref())?;
        if marked.is_none() && !created {
            tracing::warn!("{}: was missing and is written anew", state_dir.join(marker::NAME).display());
        }
        let restored_at = meta(&database, RESTORED_AT).map_err(|error| OpenError::storage(&path, error))?;
        let restored_at = restored_at.map(|bytes| record::decode_time(&bytes)).transpose();
        let restored_at = restored_at.map_err(|why| OpenError::unreadable(&path, why))?;

        // The ledger first: a crash in between leaves it one ahead, which is no sign of an old copy. This also finds
        // out whether the ledger can be written.
        let begin = |writing: &WriteTransaction| {
            // An earlier Votive kept no counters, and no index.
            writing.open_table(COUNTERS)?;
            index::create(writing)?;
            raise(writing)
        };
        let identity = write(&database, begin).map_err(|error| OpenError::storage(&path, error))?;
        crash_at(Point::IdentityRaised);
        let marker = Marker::create(state_dir, &identity)?;
        let ledger = Ledger::start(database, marker, restored_at).map_err(OpenError::io(&path))?;
        Ok(Opened { ledger, created })
    }

    /// Marks the end of a run: what the marker says is durable after this. To be called when nothing is asked of the
    /// ledger any more.
    ///
    /// # Errors
    /// [`OpenError::Io`]; the ledger is as good as after a crash.
    pub fn close(&self) -> Result<(), OpenError> {
        self.marker.as_ref().map_or(Ok(()), |marker| marker.sync())
    }
}

/// Whether the ledger is the one that its marker speaks of, and has come as far.
pub(super) fn trust(path: &Path, identity: &Identity, marked: Option<&Identity>) -> Result<(), OpenError> {
    match marked {
        Some(marked) if marked.id != identity.id => Err(OpenError::Replaced(path.to_owned())),
        Some(marked) if marked.count > identity.count => Err(OpenError::Older(path.to_owned())),
        _ => Ok(()),
    }
}

/// Who votes is nobody else's business.
pub(super) fn create_directory(state_dir: &Path) -> Result<(), OpenError> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir);
    created.map_err(OpenError::io(state_dir))
}

/// Builds a new ledger, with what `fill` puts into it, beside the place where it shall be. Gives where it is, and what
/// the marker has to say of it.
pub(super) fn build<E: From<OpenError>>(
    path: &Path,
    fill: impl FnOnce(&Database) -> Result<(), E>,
) -> Result<(PathBuf, Identity), E> {
    let unfinished = path.with_extension("redb.new");
    // A crash may have left half of one.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(OpenError::io(&unfinished)(error).into());
        }
        _ => {}
    }
    let identity = Identity::new();
    let build = || {
        let storage = |error| OpenError::storage(&unfinished, error);
        let created = Database::builder().set_cache_size(CACHE).create(&unfinished);
        let database = created.map_err(|error| storage(error.into()))?;
        create_tables(&database).map_err(storage)?;
        let identity = identity.encode().map_err(|why| OpenError::unreadable(&unfinished, why))?;
        write(&database, |writing| set_meta(writing, IDENTITY, &identity)).map_err(storage)?;
        fill(&database)
    };
    match build() {
        Ok(()) => Ok((unfinished, identity)),
        Err(error) => {
            // It may be what fills the disk.
            drop(fs::remove_file(&unfinished));
            Err(error)
        }
    }
}

/// Opens the file, once it is found to be whole.
pub(super) fn open_file(path: &Path) -> Result<(Database, Identity), OpenError> {
    // Every page is compared with its checksum: without that, redb would take a page that was altered for its own.
    let opened = Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).open(path);
    let storage = |error| OpenError::storage(path, error);
    let database = opened.map_err(|error| storage(error.into()))?;
    let identity = meta(&database, IDENTITY).map_err(storage)?;
    let identity =
        identity.ok_or_else(|| storage(redb::Error::Corrupted("it has no identity".to_owned())))?;
    let identity = Identity::decode(&identity).map_err(|why| OpenError::unreadable(path, why))?;
    Ok((database, identity))
}

/// Gives a finished file its name, durably. It comes to belong to whom its directory belongs to: root may have made it
/// for the user that Votive runs as.
pub(super) fn put_in_place(unfinished: &Path, path: &Path) -> io::Result<()> {
    let directory = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let file = File::open(unfinished)?;
    let (owner, maker) = (directory.metadata()?, file.metadata()?);
    if maker.uid() == 0 && owner.uid() != 0 {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    directory.sync_all()
}
