//! `votive retry`: only a person can know that a vote is to be rewarded which Votive has refused.

use super::{Options, Outcome, client};
use crate::control::{Retry, RetryRefused};

/// Which votes.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["event_id", "refused"]))]
pub(super) struct Args {
    /// The vote's id, as the log and the platform's interface show it
    event_id: Option<String>,
    /// All votes that are refused, as a whole or in part
    #[arg(long)]
    refused: bool,
    /// Of all these, only those for this game server
    #[arg(long, value_name = "NAME", requires = "refused", conflicts_with = "event_id")]
    server: Option<String>,
}

/// Prints how the vote fares, or how many there are.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    match args.event_id {
        Some(event_id) => client::have(options, &Retry { event_id }),
        None => client::have(options, &RetryRefused { server: args.server }),
    }
}
