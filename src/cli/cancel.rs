//! `votive cancel`: what is still to come of a vote does not come.

use super::{Options, Outcome, client};
use crate::control::Cancel;

/// Which vote.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The vote's id, as the log and the platform's interface show it
    event_id: String,
}

/// Prints what was cancelled.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    client::have(options, &Cancel { event_id: args.event_id })
}
