//! `votive backup`: all that Votive knows of votes, in one file.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;

use super::{Options, Outcome, client, progress};
use crate::control::{self, BACKUP_PATH};
use crate::ledger::{Backup, BackupReader, OpenError, Saved};

/// Where to.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The file to make, which only its owner will be able to read; `-` for standard output
    file: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

/// Makes the file once the backup is known to be whole, and says how many votes it holds.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let file = &args.file;
    let to_stdout = file == Path::new("-");
    let taken =
        || anyhow!("{}: there is such a file already. Name another one, or add --force", file.display());
    if !to_stdout && !args.force && file.symlink_metadata().is_ok() {
        bail!(taken());
    }
    let state_dir = client::state_dir(options)?;
    let directory = match file.parent() {
        _ if to_stdout => std::env::temp_dir(),
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let in_directory = || directory.display().to_string();
    let mut unfinished = tempfile::Builder::new()
        .prefix(".votive-backup-")
        .tempfile_in(&directory)
        .with_context(in_directory)?;
    let progress = progress::counting("bytes saved");
    take(options, &state_dir, |piece| {
        progress.inc(piece.len() as u64);
        unfinished.write_all(piece).with_context(in_directory)
    })?;
    progress.finish_and_clear();
    unfinished.rewind().with_context(in_directory)?;
    let (votes, taken_at) = check(unfinished.as_file())?;
    let summary = format!("backed up {votes} votes, as of {}", taken_at.strftime("%Y-%m-%d %H:%M:%S UTC"));
    if to_stdout {
        unfinished.rewind()?;
        let mut out = io::stdout().lock();
        io::copy(unfinished.as_file_mut(), &mut out).and_then(|_| out.flush()).context("standard output")?;
        crate::complain!("{summary}");
        return Ok(Outcome::Success);
    }
    unfinished.as_file().sync_all().with_context(in_directory)?;
    let persisted = if args.force { unfinished.persist(file) } else { unfinished.persist_noclobber(file) };
    persisted.map_err(|why| match why.error.kind() {
        ErrorKind::AlreadyExists => taken(),
        _ => anyhow!("{}: {}", file.display(), why.error),
    })?;
    File::open(&directory).and_then(|directory| directory.sync_all()).with_context(in_directory)?;
    crate::say!("{}: {summary}", file.display());
    Ok(Outcome::Success)
}

/// Has the running daemon take the backup, or takes it from the ledger where none runs.
fn take(
    options: &Options,
    state_dir: &Path,
    mut write: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let running = client::open_if_it_runs(options, state_dir, BACKUP_PATH, &control::Backup {})?;
    if let Some(mut backup) = running {
        while let Some(piece) = backup.next()? {
            write(&piece)?;
        }
        return Ok(());
    }
    let (backup, distrust) = Backup::at_rest(state_dir, Timestamp::now()).map_err(|why| match why {
        OpenError::Io { path, error } if error.kind() == ErrorKind::NotFound => anyhow!(
            "{}: there is no ledger, and no Votive runs that could be asked. Name the right --config or --state-dir",
            path.display()
        ),
        why => why.into(),
    })?;
    if let Some(why) = distrust {
        crate::complain!("this is a backup of a ledger that Votive does not start with. {why}");
    }
    for piece in backup {
        write(&piece?)?;
    }
    Ok(())
}

/// Reads a backup as a restore would: how many votes it holds, and when it was taken.
fn check(backup: &File) -> anyhow::Result<(usize, Timestamp)> {
    let reader = BackupReader::new(BufReader::new(backup))?;
    let taken_at = reader.taken_at();
    let vote = |saved| usize::from(matches!(saved, Saved::Vote(_)));
    let votes = reader.map(|saved| saved.map(vote)).sum::<Result<usize, _>>()?;
    Ok((votes, taken_at))
}
