//! `votive pause` and `votive resume`: a game server that nothing is sent to for a while.

use super::{Options, Outcome, client};
use crate::control::{Pause, Resume};

/// Which game server.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Its name in rewards.yaml
    server: String,
}

/// Prints that it is paused.
pub(super) fn pause(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    client::have(options, &Pause { server: args.server })
}

/// Prints that it is not.
pub(super) fn resume(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    client::have(options, &Resume { server: args.server })
}
