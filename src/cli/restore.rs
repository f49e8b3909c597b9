//! `votive restore`: a ledger from a backup, in place of one that cannot be trusted.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use jiff::Timestamp;

use super::{Options, Outcome, client, progress};
use crate::ledger::{self, BackupReader, RestoreError};

/// From what.
#[derive(clap::Args)]
pub(super) struct Args {
    /// What `votive backup` made
    #[arg(required_unless_present = "without_backup")]
    file: Option<PathBuf>,
    /// Begin with an empty ledger, where there is neither a backup nor a copy
    #[arg(long, conflicts_with = "file")]
    without_backup: bool,
}

/// Puts the ledger in place, and says what has become of votes.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let state_dir = client::state_dir(options)?;
    if client::is_running(&state_dir)? {
        bail!(
            "{}: Votive is running with this state directory. Stop it first (systemctl stop votive)",
            state_dir.display()
        );
    }
    let of_file = |why: &dyn std::fmt::Display| {
        let file = args.file.as_deref().unwrap_or(&state_dir);
        anyhow!("{}: {why}. Nothing was changed", file.display())
    };
    let file = args.file.as_ref().map(File::open).transpose().map_err(|why| of_file(&why))?;
    let backup = file.map(BufReader::new).map(BackupReader::new).transpose().map_err(|why| of_file(&why))?;
    let taken_at = backup.as_ref().map(BackupReader::taken_at);
    let progress = progress::waiting("checking the backup, and making a ledger of it");
    let restored = ledger::restore(&state_dir, backup, Timestamp::now());
    progress.finish_and_clear();
    let restored = restored.map_err(|why| match why {
        RestoreError::Backup(why) => of_file(&why),
        RestoreError::Open(why) => why.into(),
    })?;

    let say = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    match taken_at {
        Some(taken_at) => crate::say!(
            "{}: restored {} votes, as they were at {}.",
            state_dir.display(),
            restored.votes,
            say(taken_at)
        ),
        None => crate::say!("{}: the ledger is empty now.", state_dir.display()),
    }
    if restored.in_doubt > 0 {
        crate::say!(
            "{} of their rewards are in doubt, because they may have been issued since then. The log names each of them when Votive starts, and `votive resolve` settles them.",
            restored.in_doubt
        );
    }
    crate::say!(
        "Votes from before {} that the ledger does not know are refused when they are delivered, because they may have been rewarded. `votive retry EVENT_ID` issues one that was not.",
        say(restored.at)
    );
    if let Some(kept) = restored.kept {
        crate::say!("The ledger that was there is now {}.", kept.display());
    }
    Ok(Outcome::Success)
}
