//! What the daemon tells of its work: one method for each thing that a person cares about. Text from outside is escaped
//! and cut, so that it can neither forge a line of the log nor flood it.

mod arrivals;

use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;

use crate::config::{Config, GameServer};
use crate::dispatch::outcome::Sent;
use crate::domain::arrival::{Arrival, Claim, Kind};
use crate::domain::award::{Award, AwardFact, AwardState};
use crate::domain::event::{Delivery, EventKey};
use crate::domain::grant::{Grant, Stage};
use crate::domain::plan::Plan;
use crate::domain::player::PlayerName;
use crate::domain::reward::InDoubtRule;
use crate::domain::standing::refusal;
use crate::domain::vote::Vote;
use crate::intake::Replayed;
use crate::platform::FetchError;
use crate::rcon::Outcome;
use crate::text::Outside;

pub use arrivals::Arrivals;

/// Tells what happens. Clones tell the same people.
#[derive(Clone, Debug, Default)]
pub struct Report {
    arrivals: Arrivals,
}

impl Report {
    /// What is remembered of deliveries.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// A delivery was answered, of whatever kind.
    pub(crate) fn delivery_answered(&self, status: StatusCode) {
        tracing::debug!(status = status.as_u16(), "delivery answered");
    }

    /// A delivery was answered that the platform has signed.
    pub(crate) fn delivery_heeded(&self, delivery: &Delivery, at: Timestamp, status: StatusCode) {
        self.arrivals.remember(Arrival::signed(delivery, at, status.as_u16()));
    }

    /// A delivery was not signed by the platform, or is none at all.
    pub(crate) fn delivery_refused(&self, status: StatusCode, why: &str, claim: Claim, at: Timestamp) {
        tracing::warn!(status = status.as_u16(), "a delivery was refused: {why}");
        let kind = Kind::Refused(why.to_owned());
        self.arrivals.remember(Arrival { at, claim, kind, status: status.as_u16() });
    }

    /// The API was asked for a vote, and this came of it.
    pub(crate) fn api_asked(&self, took: Duration, answer: &Result<Vote, FetchError>) {
        tracing::debug!(milliseconds = took.as_millis(), ok = answer.is_ok(), "asked the API");
    }

    /// The API could not tell a vote.
    pub(crate) fn api_failed(&self, event: &EventKey, attempts: u32, why: &FetchError, wait: Duration) {
        tracing::warn!(%event, attempts, "waiting for the API: {why}; asking again in {} s", wait.as_secs_f64().ceil());
    }

    /// A game server cannot be used, for another reason than the last time.
    pub(crate) fn server_down(&self, server: &GameServer, why: &str) {
        tracing::warn!(
            server = %server.name, address = %server.rcon, password = %server.password_source,
            "the game server {why}; its rewards wait and are issued when it is back"
        );
    }

    /// A game server that could not be used can be.
    pub(crate) fn server_back(&self, server: &GameServer) {
        tracing::info!(server = %server.name, "the game server is back");
    }

    /// A command went out to a game server, of whatever kind, and this came of it.
    pub(crate) fn game_asked(&self, server: &GameServer, took: Duration, outcome: &Outcome) {
        tracing::trace!(server = %server.name, milliseconds = took.as_millis(), ?outcome, "asked the game");
    }

    /// A vote was planned.
    pub(crate) fn planned(&self, grant: &Grant, config: &Config) {
        let Some(plan) = grant.plan() else { return };
        let rewards: Vec<&str> = plan.awards.iter().map(|award| award.reward.as_str()).collect();
        tracing::info!(
            event = %grant.event, player = %plan.player, server = server_name(plan, config),
            user_id = plan.vote.user_id, rewards = rewards.join(","), "vote"
        );
        self.refused_awards(grant, config);
    }

    /// Awards that are refused before anything was sent for them.
    pub(crate) fn refused_awards(&self, grant: &Grant, config: &Config) {
        let Some(plan) = grant.plan() else { return };
        for award in plan.awards.iter().filter(|award| matches!(award.state, AwardState::Refused { .. })) {
            self.award_stands(&grant.event, plan, award, server_name(plan, config));
        }
    }

    /// A vote as a whole is refused.
    pub(crate) fn vote_refused(&self, grant: &Grant) {
        if let Stage::Refused { reason, vote, until_retried, .. } = &grant.stage {
            let nickname = vote.as_ref().map_or("", |vote| &vote.nickname);
            let reason = refusal(&grant.event, reason, *until_retried);
            tracing::warn!(event = %grant.event, nickname = %Outside(nickname), "refused: {reason}");
        }
    }

    /// A grant waits for a game server that is not configured.
    pub(crate) fn server_gone(&self, event: &EventKey, plan: &Plan) {
        tracing::warn!(
            %event, player = %plan.player,
            "waits: no server in rewards.yaml has the {} any more; add it again and reload Votive", plan.vote.server
        );
    }

    /// A player is awaited from now on.
    pub(crate) fn awaited(&self, event: &EventKey, player: &PlayerName, server: &GameServer) {
        tracing::info!(%event, %player, server = %server.name, "waiting for the player");
    }

    /// A command was answered with a text that no rule knows.
    pub(crate) fn unrecognised(&self, sent: &Sent<'_>, reply: &str) {
        let Sent { event, player, server, award, step } = sent;
        tracing::info!(
            %event, %player, server = %server.name, reward = %award.reward, command = %Outside(&step.command),
            reply = %Outside(reply), "unrecognised reply; the command counts as run"
        );
    }

    /// A command has ended. How its award stands then is a line of its own.
    pub(crate) fn step_ended(&self, sent: &Sent<'_>, fact: &AwardFact) {
        let Sent { event, player, server, award, step } = sent;
        let (server, reward, command) = (&server.name, &award.reward, Outside(&step.command));
        match fact {
            AwardFact::Ran { reply } => {
                tracing::debug!(%event, %player, %server, %reward, %command, reply = %Outside(reply), "the command ran");
            }
            // What is held is in doubt, and gets a line that says so.
            AwardFact::NoOutcome { reason } if !step.optional && step.in_doubt != InDoubtRule::Hold => {
                let rule = step.in_doubt;
                tracing::warn!(%event, %player, %server, %reward, %command, ?rule, "may have run: {reason}");
            }
            AwardFact::NoOutcome { reason } | AwardFact::Rejected { reason, .. } => {
                tracing::debug!(%event, %player, %server, %reward, %command, "did not end well: {reason}");
            }
            other => {
                tracing::debug!(%event, %player, %server, %reward, %command, "not sent, or not run: {other:?}");
            }
        }
    }

    /// An award stands differently than before.
    pub(crate) fn award_stands(&self, event: &EventKey, plan: &Plan, award: &Award, server: &str) {
        let (player, reward) = (&plan.player, &award.reward);
        match &award.state {
            AwardState::Done => tracing::info!(%event, %player, %server, %reward, "granted"),
            AwardState::InDoubt { reason, .. } if award.awaits_receipt() => {
                tracing::info!(%event, %player, %server, %reward, "may have run: {reason}. Its receipt will tell");
            }
            AwardState::InDoubt { reason, .. } => self.in_doubt(event, plan, server, award, reason),
            AwardState::Refused { reason, reply } => {
                let reply = reply.as_deref().unwrap_or_default();
                let reason = refusal(event, reason, award.until_retried);
                tracing::warn!(%event, %player, %server, %reward, reply = %Outside(reply), "refused: {reason}");
            }
            AwardState::Planned | AwardState::Sending | AwardState::Closed => {}
        }
    }

    /// What is in doubt about a grant at a start.
    pub(crate) fn doubts(&self, grant: &Grant, config: &Config) {
        let Some(plan) = grant.plan() else { return };
        for award in &plan.awards {
            if matches!(award.state, AwardState::InDoubt { .. }) {
                self.award_stands(&grant.event, plan, award, server_name(plan, config));
            }
        }
    }

    fn in_doubt(&self, event: &EventKey, plan: &Plan, server: &str, award: &Award, reason: &str) {
        let command = award.next_step().map_or("", |step| &step.command);
        tracing::error!(
            %event, player = %plan.player, %server, reward = %award.reward, command = %Outside(command),
            "in doubt: {reason}. Look in the game whether the command ran, then: votive resolve {event} --ran, or --not-run"
        );
    }

    /// The world has lost the receipt of a step that it had acknowledged.
    pub(crate) fn forgotten(&self, grant: &Grant, award: usize, serial: u32, config: &Config) {
        let award = grant.plan().and_then(|plan| Some((plan, plan.awards.get(award)?)));
        let Some((plan, award)) = award else { return };
        let command = award.steps.iter().find(|step| step.serial == serial).map_or("", |step| &step.command);
        tracing::error!(
            event = %grant.event, player = %plan.player, server = server_name(plan, config), reward = %award.reward,
            command = %Outside(command),
            "the world has forgotten this: it was acknowledged, and the world went back to a time before it. It is not given again by itself; look in the game what the player has, and run the command by hand if it is gone"
        );
    }

    /// The operator has settled what was in doubt.
    pub(crate) fn settled(&self, event: &EventKey, reward: &str, ran: bool) {
        tracing::info!(%event, %reward, ran, "settled by the operator");
    }

    /// The operator has paused a game server.
    pub(crate) fn paused(&self, server: &str) {
        tracing::warn!(%server, "paused by the operator: its rewards wait");
    }

    /// The operator lets a game server go on.
    pub(crate) fn resumed(&self, server: &str) {
        tracing::info!(%server, "resumed by the operator");
    }

    /// The operator has rewards issued again.
    pub(crate) fn replayed(&self, server: &str, replayed: &Replayed) {
        let Replayed { votes, commands, .. } = replayed;
        tracing::warn!(%server, votes, commands, "issued again for the operator");
    }

    /// The operator wants no more of it.
    pub(crate) fn cancelled(&self, event: &EventKey) {
        tracing::info!(%event, "cancelled by the operator");
    }

    /// The operator wants it tried again.
    pub(crate) fn retried(&self, event: &EventKey) {
        tracing::info!(%event, "tried again for the operator");
    }
}

fn server_name<'a>(plan: &Plan, config: &'a Config) -> &'a str {
    config.server(&plan.vote.server).map_or("?", |server| &server.name)
}
