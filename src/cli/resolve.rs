//! `votive resolve`: only a person can find out whether a command ran that is in doubt.

use super::{Options, Outcome, client};
use crate::control::Resolve;

/// Which vote, and what was found out.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The vote's id, as the log and the platform's interface show it
    event_id: String,
    /// Only the command of this reward, where several are in doubt
    #[arg(long, value_name = "NAME")]
    reward: Option<String>,
    /// Only this command, by its number in `votive explain`; nothing is settled if another one is in doubt by now
    #[arg(long, value_name = "N")]
    step: Option<u32>,
    /// All that is in doubt about the vote, where that is more than one command
    #[arg(long, conflicts_with_all = ["reward", "step"])]
    all: bool,
    #[command(flatten)]
    found: Found,
}

/// What was found out.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Found {
    /// The command ran: it is not sent again
    #[arg(long)]
    ran: bool,
    /// The command did not run: it is sent again
    #[arg(long)]
    not_run: bool,
}

/// Prints what was settled.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    let Args { event_id, reward, step, all, found } = args;
    let doubt = Resolve { event_id, reward, step, all, ran: found.ran };
    client::have(options, &doubt)
}
