//! `votive prune`: details of old votes that nobody needs any more.

use jiff::Timestamp;

use super::{Options, Outcome, client, when};
use crate::control::Prune;

/// Which votes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Votes that were received longer ago than this: 1y, 90d
    #[arg(long, value_name = "TIME", value_parser = when::ago)]
    older_than: Timestamp,
}

/// Prints how many there were.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    client::have(options, &Prune { before: args.older_than })
}
