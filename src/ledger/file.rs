//! The ledger's file and its marker.
//!
//! `ledger.redb` holds the records. `ledger.marker`, beside it, says that it existed: both hold the ledger's id and
//! a counter that is raised at every start and every clean stop, in the ledger first. A ledger that is missing, replaced, or older than
//! its marker would pay votes again, so it is refused.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase};

use super::record::Identity;
use super::{Ledger, META, create_tables};

const FILE: &str = "ledger.redb";
const MARKER: &str = "ledger.marker";
const IDENTITY: &[u8] = b"identity";

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
    #[error("{path}: {error}. The state directory has to exist, on a disk with space, and belong to the user that Votive runs as.", path = .path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process has it open.
    #[error("{path}: another Votive is running with this state directory. Stop it first, or give this one its own with --state-dir.", path = .0.display())]
    InUse(PathBuf),
    /// It cannot be read.
    #[error("{path}: the ledger is damaged or was not written by Votive ({why}). Put back a copy of the whole state directory; starting without it could reward votes a second time.", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The marker is there and the ledger is not.
    #[error("{path}: the ledger is missing, though {MARKER} says that there was one. Put it back, or, if you want to start without the record of past votes, delete {MARKER} as well; votes that are delivered again would then be rewarded again.", path = .0.display())]
    Missing(PathBuf),
    /// The marker is of another ledger.
    #[error("{path}: this is not the ledger that was used here last. Put the right one back, or, if you mean this one, delete {MARKER}; votes that it does not know would be rewarded again when they are delivered again.", path = .0.display())]
    Replaced(PathBuf),
    /// The marker is ahead of the ledger.
    #[error("{path}: this is an older copy of the ledger that was used here last; votes rewarded since then are not in it. Put the newest one back, or, if it is lost, delete {MARKER}; votes that it does not know would be rewarded again when they are delivered again.", path = .0.display())]
    Older(PathBuf),
}

impl Ledger {
    /// Opens the ledger in `state_dir`, or creates it where there was none.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be trusted to hold every vote that it held before.
    pub fn open(state_dir: &Path) -> Result<Opened, OpenError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::Io { path, error }
        };
        let (path, marker_path) = (state_dir.join(FILE), state_dir.join(MARKER));
        // Who votes is nobody else's business.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(at(state_dir))?;
        let marker = read_marker(&marker_path)?;
        let created = !path.try_exists().map_err(at(&path))?;
        if created {
            if marker.is_some() {
                return Err(OpenError::Missing(path));
            }
            create(&path)?;
        }

        let database = open_file(&path)?;
        let identity = read_identity(&database).map_err(|error| unusable(&path, error))?;
        match marker {
            Some(marker) if marker.id != identity.id => return Err(OpenError::Replaced(path)),
            Some(marker) if marker.count > identity.count => return Err(OpenError::Older(path)),
            Some(_) => {}
            None if created => {}
            None => tracing::warn!("{}: was missing and is written anew", marker_path.display()),
        }

        // The ledger first: a crash in between leaves it one ahead, which is no sign of an old copy.
        let identity = identity.raised();
        write_identity(&database, &identity).map_err(|error| unusable(&path, error))?;
        write_marker(&marker_path, &identity).map_err(at(&marker_path))?;
        let ledger = Ledger::start(database).map_err(at(&path))?;
        Ok(Opened { ledger, created })
    }
}

impl Ledger {
    /// Marks the end of a run, so that a copy from before it is told from the ledger. To be called when nothing is
    /// asked of the ledger any more.
    ///
    /// # Errors
    /// [`OpenError`] where that cannot be written; the ledger is as good as after a crash.
    pub fn close(&self, state_dir: &Path) -> Result<(), OpenError> {
        let (path, marker_path) = (state_dir.join(FILE), state_dir.join(MARKER));
        let unusable = |error| unusable(&path, error);
        let identity = read_identity(&self.database).map_err(unusable)?.raised();
        write_identity(&self.database, &identity).map_err(unusable)?;
        write_marker(&marker_path, &identity)
            .map_err(|error| OpenError::Io { path: marker_path.clone(), error })
    }
}

/// A new ledger appears under its name only when it is complete and on the disk.
fn create(path: &Path) -> Result<(), OpenError> {
    let at = |error| OpenError::Io { path: path.to_owned(), error };
    let unfinished = path.with_extension("redb.new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(error)),
        _ => {}
    }
    let database = open_file(&unfinished)?;
    create_tables(&database)
        .and_then(|()| write_identity(&database, &Identity::new()))
        .map_err(|error| unusable(path, error))?;
    drop(database);
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(at)?;
    fs::rename(&unfinished, path).and_then(|()| sync_directory(path)).map_err(at)
}

fn open_file(path: &Path) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    let database = if path.extension().is_some_and(|extension| extension == "new") {
        builder.create(path)
    } else {
        builder.open(path)
    };
    database.map_err(|error| unusable(path, error.into()))
}

/// What an error of the storage means for whoever starts Votive.
fn unusable(path: &Path, error: redb::Error) -> OpenError {
    let path = path.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::InUse(path),
        redb::Error::Io(error) if error.kind() != ErrorKind::InvalidData => OpenError::Io { path, error },
        other => OpenError::Damaged { path, why: other.to_string() },
    }
}

fn read_identity(database: &Database) -> Result<Identity, redb::Error> {
    let table = database.begin_read()?.open_table(META)?;
    let bytes =
        table.get(IDENTITY)?.ok_or_else(|| redb::Error::Corrupted("it has no identity".to_owned()))?;
    Ok(Identity::decode(bytes.value())?)
}

fn write_identity(database: &Database, identity: &Identity) -> Result<(), redb::Error> {
    let bytes = identity.encode()?;
    let mut writing = database.begin_write()?;
    writing.set_two_phase_commit(true);
    writing.open_table(META)?.insert(IDENTITY, bytes.as_slice())?;
    Ok(writing.commit()?)
}

fn read_marker(path: &Path) -> Result<Option<Identity>, OpenError> {
    match fs::read(path) {
        Ok(bytes) => Identity::decode(&bytes)
            .map(Some)
            .map_err(|error| OpenError::Damaged { path: path.to_owned(), why: error.to_string() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Io { path: path.to_owned(), error }),
    }
}

fn write_marker(path: &Path, identity: &Identity) -> io::Result<()> {
    let bytes = identity.encode().map_err(io::Error::other)?;
    let unfinished = path.with_extension("marker.new");
    let mut file = File::create(&unfinished)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_directory(path)
}

/// Makes a rename in the directory of `path` durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
