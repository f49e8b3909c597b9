//! What the log says about rewards: one line per event that a person cares about.

use super::queue::Job;
use crate::config::GameServer;
use crate::domain::event::EventKey;
use crate::domain::grant::{Award, AwardFact, AwardState, Step};
use crate::domain::plan::Plan;
use crate::domain::player::PlayerName;
use crate::domain::reply::{self, Meaning};
use crate::text::Outside;

/// A step has ended; of interest only where its reply is one that no rule knows, or while looking closely.
pub(super) fn step_ended(
    event: &EventKey,
    player: &PlayerName,
    server: &GameServer,
    award: &Award,
    step: &Step,
    fact: &AwardFact,
) {
    let (server_name, reward, command) = (&server.name, &award.reward, Outside(&step.command));
    match fact {
        AwardFact::Ran { reply } => {
            let reply_text = Outside(reply);
            if reply::read(reply, &step.command, player, &server.replies) == Meaning::Unrecognised {
                tracing::info!(%event, %player, server = %server_name, %reward, %command, reply = %reply_text, "unrecognised reply; the command counts as run");
            } else {
                tracing::debug!(%event, %player, server = %server_name, %reward, %command, reply = %reply_text, "the command ran");
            }
        }
        other => {
            tracing::debug!(%event, %player, server = %server_name, %reward, %command, outcome = ?other, "the command did not end well");
        }
    }
}

/// Players are awaited from now on: the first job of each.
pub(super) fn awaited(jobs: &[Job], server: &GameServer) {
    for Job { place, player, .. } in jobs {
        tracing::info!(event = %place.event, %player, server = %server.name, "waiting for the player");
    }
}

/// An award stands differently than before.
pub(super) fn award_stands(event: &EventKey, plan: &Plan, award: &Award, server: &GameServer) {
    let (player, server, reward) = (&plan.player, &server.name, &award.reward);
    match &award.state {
        AwardState::Done => tracing::info!(%event, %player, %server, %reward, "granted"),
        AwardState::InDoubt { reason, .. } => in_doubt(event, plan, server, award, reason),
        AwardState::Refused { reason, reply } => {
            let reply = reply.as_deref().unwrap_or_default();
            tracing::warn!(%event, %player, %server, %reward, reply = %Outside(reply), "refused: {reason}");
        }
        AwardState::Planned | AwardState::Sending | AwardState::Closed => {}
    }
}

/// An award is in doubt, and only the operator can settle it.
pub fn in_doubt(event: &EventKey, plan: &Plan, server: &str, award: &Award, reason: &str) {
    let command = award.next_step().map_or("", |step| &step.command);
    tracing::error!(
        %event, player = %plan.player, %server, reward = %award.reward, command = %Outside(command),
        "in doubt: {reason}. Look in the game whether the command ran, then: votive resolve {event} --ran, or --not-run"
    );
}
