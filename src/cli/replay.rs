//! `votive replay`: rewards of a world that was wiped or went back in time are issued again.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use jiff::Timestamp;

use super::{Options, Outcome, client, when};
use crate::control::{Replay, Replayed};
use crate::text::counted;

/// What is issued again.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The game server, by its name in rewards.yaml
    #[arg(long, value_name = "NAME")]
    server: String,
    /// What was issued from this time on: 3h, 2d, 2026-11-20, 2026-11-20T18:30
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Timestamp,
    /// What was issued before this time; without it, before now. What the new world has got already must not be meant
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    until: Option<Timestamp>,
    /// Only to this player
    #[arg(long, value_name = "NAME")]
    player: Option<String>,
    /// Only this reward
    #[arg(long, value_name = "NAME")]
    reward: Option<String>,
    /// Also what was issued again before
    #[arg(long)]
    again: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Says what would be issued again, asks, and has it done.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    let until = args.until.unwrap_or_else(Timestamp::now);
    if until <= args.since {
        let (since, until) = (when::shown(args.since), when::shown(until));
        bail!("--since {since} has to be before --until {until}, which is now where it is not given");
    }
    let question = Replay {
        server: args.server,
        since: args.since,
        until,
        player: args.player,
        reward: args.reward,
        again: args.again,
        apply: false,
    };
    let found = client::ask(options, &question)?;
    let meant = meant(&question);
    if found.before > 0 {
        crate::say!(
            "Left out: commands of {} that were issued again before, or may have been before the ledger was restored from a backup. Add --again to issue them once more, with --reward or --player if not all of them are gone.",
            counted(found.before, "vote")
        );
    }
    if found.votes == 0 {
        crate::say!("Nothing was issued {meant} that could be issued again.");
        return Ok(Outcome::Success);
    }
    crate::say!("Issued {meant}, and to be issued again:");
    tell(&found)?;
    if !args.yes && !confirmed()? {
        crate::say!("Nothing was done.");
        return Ok(Outcome::Failed);
    }
    let done = client::ask(options, &Replay { apply: true, ..question.clone() })?;
    if done.votes == 0 {
        crate::say!("Nothing was left to be issued again: somebody else did it a moment ago.");
        return Ok(Outcome::Success);
    }
    crate::say!("Issuing again, each as a vote of its own (votive votes --server {}):", question.server);
    tell(&done)?;
    Ok(Outcome::Success)
}

/// What is asked for, in words.
fn meant(replay: &Replay) -> String {
    let reward = replay.reward.iter().map(|reward| format!("of {reward} "));
    let player = replay.player.iter().map(|player| format!("to {player} "));
    let (since, until) = (when::shown(replay.since), when::shown(replay.until));
    let place = format!("on {} from {since} to {until}", replay.server);
    reward.chain(player).chain([place]).collect()
}

fn tell(replayed: &Replayed) -> anyhow::Result<()> {
    let (votes, players) = (counted(replayed.votes, "vote"), counted(replayed.players, "player"));
    crate::say!("  {votes} of {players}, {}", counted(replayed.commands, "command"));
    for (reward, times) in &replayed.rewards {
        crate::say!("  {times} x {reward}");
    }
    Ok(())
}

/// Whether the operator wants it.
fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here, so nothing was done. Add --yes to do it without asking");
    }
    let mut out = anstream::stdout();
    write!(out, "Issue all of this again? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
