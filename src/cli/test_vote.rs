//! `votive test-vote`: a vote without the platform, issued for real.

use super::{Options, Outcome, client};
use crate::control::TestVote;

/// Whose vote, and for which game server.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The player who gets the rewards
    #[arg(long, value_name = "NAME")]
    player: String,
    /// The game server, by its name in rewards.yaml
    #[arg(long, value_name = "NAME")]
    server: String,
}

/// Prints how the vote fared.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    let vote = TestVote { player: args.player, server: args.server };
    client::have(options, &vote)
}
