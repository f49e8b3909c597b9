//! A vote and the rewards of its server become a plan, once and for good.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::award::{Award, AwardState, Receipt, Step};
use super::counter::{Count, Counter, CounterKey, Scoped};
use super::event::EventKey;
use super::player::PlayerName;
use super::receipt;
use super::reward::{ReceiptRule, Reward, Target};
use super::rule::{self, Case};
use super::template::Values;
use super::vote::{ServerRef, Vote};

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
    /// When the vote was made, in the owner's time zone of then.
    pub voted_at: DateTime,
    /// What the vote counts as.
    pub count: Scoped<Count>,
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

/// What a plan is made with, besides its vote.
#[derive(Clone, Debug)]
pub struct Planning<'a> {
    /// The game server that the vote is for, if it is configured.
    pub target: Option<Target<'a>>,
    /// The place of the plan among all plans.
    pub order: u64,
    /// How often the player has voted before: those of [`counters`].
    pub counters: Scoped<Counter>,
}

/// The counters that a vote changes; `None` for one that cannot be planned.
pub fn counters(vote: &Vote, target: Option<Target<'_>>) -> Option<Scoped<CounterKey>> {
    let (target, player) = planable(vote, target).ok()?;
    Some(CounterKey::both(target.counted_as, &player))
}

/// The game server of a vote.
pub(super) fn known<'a>(vote: &Vote, target: Option<Target<'a>>) -> Result<Target<'a>, String> {
    target.ok_or_else(|| {
        format!("No server in rewards.yaml has the {}. Add the id to one of your servers, reload Votive and deliver again.", vote.server)
    })
}

/// The game server and the player of a vote.
fn planable<'a>(vote: &Vote, target: Option<Target<'a>>) -> Result<(Target<'a>, PlayerName), String> {
    let target = known(vote, target)?;
    let player = PlayerName::parse(&vote.nickname, target.bedrock_prefix)
        .map_err(|why| format!("The vote has no player to reward: {why}. The voter has to give the name that they have in Minecraft."))?;
    Ok((target, player))
}

/// Plans the vote of an event that arrived at `received_at`.
///
/// # Errors
/// Why the vote as a whole is refused, in words for the owner: its server is not configured, or its nickname is
/// not a Minecraft name.
pub fn plan(
    event: &EventKey,
    received_at: Timestamp,
    vote: &Vote,
    planning: &Planning<'_>,
    now: Timestamp,
) -> Result<Plan, String> {
    let (target, player) = planable(vote, planning.target)?;
    let created_at = vote.created_at.unwrap_or(received_at);
    let voted_at = target.calendar.civil(created_at);
    let mut plan = Plan {
        vote: vote.clone(),
        player,
        order: planning.order,
        planned_at: now,
        voted_at,
        count: planning.counters.count(voted_at.date(), target.calendar),
        verdicts: Vec::new(),
        awards: Vec::new(),
        next_serial: 0,
    };
    for reward in target.rewards {
        let case = Case {
            event,
            reward: &reward.name,
            player: &plan.player,
            voted_at,
            age: received_at.duration_since(created_at),
            count: plan.count.of(reward.scope),
            earned: planning.counters.of(reward.scope).rewards.get(&reward.name),
        };
        let (applies, reason) = rule::judge(&reward.rules, &case);
        plan.verdicts.push(Verdict { reward: reward.name.clone(), applies, reason });
        if applies {
            let award = match plan.render(event, reward, target) {
                Ok(steps) => Award::new(&reward.name, steps),
                Err(reason) => Award {
                    state: AwardState::Refused { reason, reply: None },
                    ..Award::new(&reward.name, Vec::new())
                },
            };
            plan.awards.push(award);
        }
    }
    Ok(plan)
}

impl Plan {
    /// The steps of a reward for this vote: those that need nobody online first, in file order otherwise.
    ///
    /// # Errors
    /// Why a command cannot be sent, in words for the owner.
    pub(super) fn render(
        &mut self,
        event: &EventKey,
        reward: &Reward,
        target: Target<'_>,
    ) -> Result<Vec<Step>, String> {
        let count = *self.count.of(reward.scope);
        let values = Values {
            player: self.player.as_str(),
            server: target.name,
            server_id: match (&self.vote.server, target.counted_as) {
                (ServerRef::Id(id), _) | (ServerRef::Name(_), ServerRef::Id(id)) => *id,
                (ServerRef::Name(_), ServerRef::Name(_)) => 0,
            },
            vote_id: &event.event_id,
            user_id: self.vote.user_id.unwrap_or(0),
            count,
            votes_to_next: self.votes_to_next(reward, target),
            voted_at: self.voted_at,
            reward: &reward.name,
            own: target.values,
        };
        let unsendable = |why: &dyn std::fmt::Display| {
            format!(
                "The reward {} cannot be sent: {why}. Correct it in rewards.yaml, reload Votive and deliver again.",
                reward.name
            )
        };
        let mut commands: Vec<_> = reward.commands_for(event, count.votes).collect();
        if commands.is_empty() {
            return Err(unsendable(&format!("it has no commands for vote {} of a player", count.votes)));
        }
        commands.sort_by_key(|command| command.require_online);
        let mut steps = Vec::new();
        for command in commands {
            let text = command.run.render(&values).map_err(|why| unsendable(&why))?;
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
                finished_at: None,
                doubt: None,
            });
            self.next_serial += 1;
        }
        Ok(steps)
    }

    /// After how many more votes the player earns `reward` again, or, where that does not count votes, any reward of the
    /// server that does; 0 where there is none any more.
    fn votes_to_next(&self, reward: &Reward, target: Target<'_>) -> u64 {
        let next = |reward: &Reward| rule::votes_to_next(&reward.rules, self.count.of(reward.scope).votes);
        let nearest = || target.rewards.iter().filter_map(|reward| next(reward)).min();
        if rule::counts_votes(&reward.rules) { next(reward) } else { nearest() }.unwrap_or(0)
    }
}
