//! A vote and the rewards of its server become a plan, once and for good.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::award::{Award, AwardState, Receipt, Step};
use super::player::PlayerName;
use super::receipt;
use super::reward::{ReceiptRule, Reward, Target};
use super::template::Values;
use super::vote::Vote;

/// All that one vote earned, with the reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The vote, as the API told it.
    pub vote: Vote,
    /// Its checked nickname.
    pub player: PlayerName,
    /// Awards that need one player online go in this order.
    pub order: u64,
    /// When the plan was made.
    pub planned_at: Timestamp,
    /// What was decided about every reward of the server, applied or not.
    pub verdicts: Vec<Verdict>,
    /// One for each reward that applies.
    pub awards: Vec<Award>,
    /// The serial number that the next new step gets: they are never reused within a grant.
    pub next_serial: u32,
}

/// What was decided about one reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The reward's name.
    pub reward: String,
    /// Whether the vote earned it.
    pub applies: bool,
    /// Why, in words for the owner.
    pub reason: String,
}

/// Plans a vote for `target`, the game server that it is for.
///
/// # Errors
/// Why the vote as a whole is refused, in words for the owner: its server is not configured, or its nickname is
/// not a Minecraft name.
pub fn plan(vote: &Vote, target: Option<Target<'_>>, order: u64, now: Timestamp) -> Result<Plan, String> {
    let target = target.ok_or_else(|| {
        format!("No server in rewards.yaml has the {}. Add the id to one of your servers, restart Votive and deliver again.", vote.server)
    })?;
    let player = PlayerName::parse(&vote.nickname, target.bedrock_prefix)
        .map_err(|why| format!("The vote has no player to reward: {why}. The voter has to give the name that they have in Minecraft."))?;
    let mut plan = Plan {
        vote: vote.clone(),
        player,
        order,
        planned_at: now,
        verdicts: Vec::new(),
        awards: Vec::new(),
        next_serial: 0,
    };
    for reward in target.rewards {
        plan.verdicts.push(Verdict {
            reward: reward.name.clone(),
            applies: true,
            reason: "every vote for this server earns it".to_owned(),
        });
        let award = match plan.render(reward, target) {
            Ok(steps) => Award::new(&reward.name, steps),
            Err(reason) => Award {
                state: AwardState::Refused { reason, reply: None },
                ..Award::new(&reward.name, Vec::new())
            },
        };
        plan.awards.push(award);
    }
    Ok(plan)
}

impl Plan {
    /// The steps of a reward for this vote: those that need nobody online first, in file order otherwise.
    ///
    /// # Errors
    /// Why a command cannot be sent, in words for the owner.
    pub(super) fn render(&mut self, reward: &Reward, target: Target<'_>) -> Result<Vec<Step>, String> {
        let values = Values { player: self.player.as_str(), server: target.name };
        let mut commands: Vec<_> = reward.commands.iter().collect();
        commands.sort_by_key(|command| command.require_online);
        let mut steps = Vec::new();
        for command in commands {
            let unsendable = |why: &dyn std::fmt::Display| {
                format!(
                    "The reward {} cannot be sent: {why}. Correct it in rewards.yaml, restart Votive and deliver again.",
                    reward.name
                )
            };
            let text = command.run.render(values).map_err(|why| unsendable(&why))?;
            let in_doubt = command.in_doubt.unwrap_or(target.in_doubt);
            let receipts = command.receipts(&text, in_doubt, target.receipts);
            if receipts == ReceiptRule::Always && receipt::is_too_long(&text) {
                return Err(unsendable(
                    &"a command is too long to leave a receipt, as servers.*.receipts says all have to",
                ));
            }
            steps.push(Step {
                serial: self.next_serial,
                command: text,
                needs_player: command.require_online,
                optional: command.optional,
                in_doubt,
                receipts,
                receipt: Receipt::None,
                finished: None,
                doubt: None,
            });
            self.next_serial += 1;
        }
        Ok(steps)
    }
}
