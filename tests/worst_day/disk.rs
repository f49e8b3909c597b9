//! A disk that can be cut off at every operation, and then has lost, kept or torn whatever was not synced.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// What a crash leaves of the writes that were not synced.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// Nothing is lost: the process died, the system did not.
    Nothing,
    /// Every sector that was not synced is the new one or the old one, as this seed has it.
    Torn(u64),
}

/// The disk; clones are handles on the same one.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// As reads see it.
    bytes: Vec<u8>,
    /// How long the file was when it was last synced.
    synced_len: usize,
    /// Sectors that were written since, as they were then.
    unsynced: BTreeMap<usize, Vec<u8>>,
    /// Which process may use it: one that was cut off writes nothing any more.
    session: u64,
    operations: u64,
    cut_at: Option<u64>,
    full: bool,
    broken: bool,
    lies: bool,
}

impl Disk {
    /// From now on a sync does nothing and says that it did.
    pub fn lie(&self) {
        self.state().lies = true;
    }

    /// What a process that starts now uses.
    pub fn attach(&self) -> Attached {
        Attached { disk: self.clone(), session: self.state().session }
    }

    /// Whether the process was cut off that attached last.
    pub fn is_cut(&self, attached: u64) -> bool {
        self.state().session != attached
    }

    pub fn session(&self) -> u64 {
        self.state().session
    }

    /// How many operations there were so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Cuts the process off in the middle of the operation that comes after so many others.
    pub fn cut_after(&self, operations: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.operations + operations + 1);
    }

    /// Cuts the process off now. What it wrote is there, as far as it gets through `loss`.
    pub fn cut(&self, loss: Loss) {
        let mut state = self.state();
        state.session += 1;
        if let Loss::Torn(seed) = loss {
            state.tear(&mut fastrand::Rng::with_seed(seed));
        }
    }

    /// Nothing can be written any more.
    pub fn fill(&self) {
        self.state().full = true;
    }

    /// Nothing can be read or written any more.
    pub fn break_down(&self) {
        self.state().broken = true;
    }

    /// From now on it works.
    pub fn mend(&self) {
        let mut state = self.state();
        (state.full, state.broken, state.cut_at) = (false, false, None);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn tear(&mut self, random: &mut fastrand::Rng) {
        // Mostly all or nothing: those are the images that systems really leave.
        let keep = [0.0, 0.0, 1.0, 0.5, 0.9][random.usize(..5)];
        if random.f64() >= keep {
            self.bytes.resize(self.synced_len, 0);
        }
        for (sector, old) in std::mem::take(&mut self.unsynced) {
            let at = sector * SECTOR;
            if random.f64() >= keep && at < self.bytes.len() {
                let end = (at + SECTOR).min(self.bytes.len());
                self.bytes[at..end].fill(0);
                let kept = old.len().min(end - at);
                self.bytes[at..at + kept].copy_from_slice(&old[..kept]);
            }
        }
        self.synced_len = self.bytes.len();
    }

    fn touch(&mut self, from: usize, to: usize) {
        for sector in from / SECTOR..to.div_ceil(SECTOR) {
            let at = (sector * SECTOR).min(self.bytes.len());
            let end = (at + SECTOR).min(self.bytes.len());
            self.unsynced.entry(sector).or_insert_with(|| self.bytes[at..end].to_vec());
        }
    }
}

/// The disk in the hands of one process.
pub struct Attached {
    disk: Disk,
    session: u64,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attached({})", self.session)
    }
}

impl Attached {
    /// One operation; what it `does` happens also when it is the last.
    fn operate<T>(&self, writes: bool, does: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        let mut state = self.disk.state();
        if state.session != self.session {
            return Err(io::Error::other("the process is gone"));
        }
        state.operations += 1;
        if state.broken {
            return Err(io::Error::other("the disk is broken"));
        }
        if writes && state.full {
            return Err(ErrorKind::StorageFull.into());
        }
        let done = does(&mut state);
        if state.cut_at == Some(state.operations) {
            state.cut_at = None;
            state.session += 1;
            return Err(io::Error::other("the process was cut off"));
        }
        Ok(done)
    }
}

impl StorageBackend for Attached {
    fn len(&self) -> io::Result<u64> {
        self.operate(false, |state| state.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset as usize;
        self.operate(false, |state| {
            let bytes = state.bytes.get(at..at + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })?
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(true, |state| {
            let (old, new) = (state.bytes.len(), len as usize);
            state.touch(old.min(new), old);
            state.bytes.resize(new, 0);
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let cut_now = state.cut_at == Some(state.operations + 1);
        // A sync that is cut off has synced nothing yet: what it would have is as uncertain as before.
        let syncs = !state.lies && !cut_now && !state.broken && state.session == self.session;
        if syncs {
            state.unsynced.clear();
            state.synced_len = state.bytes.len();
        }
        drop(state);
        self.operate(false, |_| ())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = offset as usize;
        self.operate(true, |state| {
            state.touch(at, at + data.len());
            let bytes = state.bytes.get_mut(at..at + data.len()).ok_or(ErrorKind::UnexpectedEof)?;
            bytes.copy_from_slice(data);
            Ok(())
        })?
    }
}
