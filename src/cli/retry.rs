//! `votive retry`: only a person can know that a vote is to be rewarded which Votive has refused.

use super::{Options, Outcome, client};
use crate::http::admin::{RETRY_PATH, Retry};

/// Which vote.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The vote's id, as the log and the platform's interface show it
    event_id: String,
}

/// Prints how the vote fares.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    let text = client::ask(options, RETRY_PATH, &Retry { event_id: args.event_id })?;
    anstream::print!("{text}");
    Ok(Outcome::Success)
}
