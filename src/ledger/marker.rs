//! `ledger.marker`, beside the ledger: says that there is one, which one it is, and how far it has come.
//!
//! It is written after every commit, in place and without a sync, so it costs next to nothing. After a kill it is as
//! new as the ledger. After a power failure it may be behind, and then notices a little less. It is never ahead, unless an
//! older copy of the ledger was put back.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::file::{OpenError, put_in_place};
use super::record::Identity;

pub(super) const NAME: &str = "ledger.marker";

/// Every content is of this length, and fits into one sector of any disk: what is written over it leaves nothing of
/// the old content behind it, and is not torn.
const LENGTH: usize = 128;

/// The open marker of an open ledger.
#[derive(Debug)]
pub(super) struct Marker {
    path: PathBuf,
    file: File,
}

impl Marker {
    /// Writes a new marker, which takes the place of an old one at once and durably.
    pub(super) fn create(state_dir: &Path, identity: &Identity) -> Result<Self, OpenError> {
        let path = state_dir.join(NAME);
        let create = || {
            let unfinished = path.with_extension("marker.new");
            let mut file = File::create(&unfinished)?;
            file.write_all(&content(identity)?)?;
            put_in_place(&unfinished, &path)?;
            Ok(file)
        };
        let file = create().map_err(|error| OpenError::Io { path: path.clone(), error })?;
        Ok(Marker { path, file })
    }

    /// Says how far the ledger has come. To be called after the commit.
    pub(super) fn write(&self, identity: &Identity) -> io::Result<()> {
        let written = content(identity).and_then(|content| self.file.write_all_at(&content, 0));
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        self.file.sync_all().map_err(|error| OpenError::Io { path: self.path.clone(), error })
    }
}

/// What the marker in a state directory says, if there is one.
pub(super) fn read(state_dir: &Path) -> Result<Option<Identity>, OpenError> {
    let path = state_dir.join(NAME);
    match fs::read(&path) {
        Ok(bytes) => Identity::decode(&bytes).map(Some).map_err(|why| OpenError::marker(path, why)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Io { path, error }),
    }
}

fn content(identity: &Identity) -> io::Result<Vec<u8>> {
    let mut content = identity.encode().map_err(io::Error::other)?;
    // JSON may be followed by spaces.
    content.resize(LENGTH.max(content.len() + 1) - 1, b' ');
    content.push(b'\n');
    Ok(content)
}
