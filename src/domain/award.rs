//! One reward being issued for one vote, and every legal transition of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::grant::Illegal;
use super::reward::InDoubtRule;

/// How often a step with `in_doubt: repeat` is sent again.
pub const MOST_REPEATS: u8 = 3;
/// How often the game may say "offline" about a player whom its own list shows, before the award is refused.
pub const MOST_OFFLINE_REPLIES: u8 = 5;
/// How much of a reply is kept, in characters.
const KEPT_REPLY: usize = 300;

/// One reward being issued for one vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Award {
    /// The reward's name.
    pub reward: String,
    /// Finished ones first, in the order in which they are sent.
    pub steps: Vec<Step>,
    /// Where it stands.
    pub state: AwardState,
    /// How often the next step was sent again because it was in doubt.
    pub repeats: u8,
    /// How often the game said "offline" about the next step.
    pub offline_replies: u8,
    /// Whether only the operator's retry reopens it when it is refused: it comes from a backup, so nobody knows what
    /// was issued of it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_retried: bool,
}

/// One rendered console command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique within the grant, never reused.
    pub serial: u32,
    /// As it is sent.
    pub command: String,
    /// Whether it waits until the player is online.
    pub needs_player: bool,
    /// Whether it is passed over when it fails or stays silent.
    pub optional: bool,
    /// What happens when nobody can know whether it ran.
    pub in_doubt: InDoubtRule,
    /// How it was finished, if it was.
    pub finished: Option<Finish>,
    /// Why nobody knows whether it ran, where that is so before its turn has come: it comes from a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// How a step was finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The game answered that it ran: the reply, cut.
    Ran {
        /// What the game said.
        reply: String,
    },
    /// It may or may not have run, and that does not matter.
    PassedOver {
        /// What happened to it.
        reason: String,
    },
    /// The operator said that it ran.
    Settled,
}

/// Where an award stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwardState {
    /// The next step waits for something, or is ready.
    Planned,
    /// The intent of the next step is recorded.
    Sending,
    /// The next step may have run.
    InDoubt {
        /// Why nobody knows, in words for the owner.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// All steps are finished.
    Done,
    /// A step was rejected.
    Refused {
        /// In words for the owner, without the game's own.
        reason: String,
        /// What the game said, cut; for the log only.
        reply: Option<String>,
    },
    /// Cancelled by the operator.
    Closed,
}

/// Something about one award.
#[derive(Clone, Debug, PartialEq)]
pub enum AwardFact {
    /// The next step is about to be sent.
    Intent,
    /// Not one byte of it was written.
    NotSent,
    /// The game answered that the player is not online: it did not run.
    Offline,
    /// The game answered that it ran.
    Ran {
        /// What the game said.
        reply: String,
    },
    /// The game answered that it will not do it.
    Rejected {
        /// In words for the owner, without the game's own.
        reason: String,
        /// What the game said.
        reply: String,
    },
    /// Nobody knows whether it ran.
    NoOutcome {
        /// In words for the owner.
        reason: String,
    },
    /// The operator found out whether it ran.
    Settled {
        /// Whether it did.
        ran: bool,
    },
    /// The operator wants no more of it.
    Cancelled,
}

impl Award {
    /// An award whose finished steps, if any, come first.
    pub fn new(reward: &str, steps: Vec<Step>) -> Self {
        let mut award = Award {
            reward: reward.to_owned(),
            steps,
            state: AwardState::Planned,
            repeats: 0,
            offline_replies: 0,
            until_retried: false,
        };
        if award.next_step().is_none() {
            award.state = AwardState::Done;
        }
        award
    }

    /// The first step that is not finished.
    pub fn next_step(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.finished.is_none())
    }

    /// Whether the operator's retry reopens it.
    pub(super) fn awaits_retry(&self) -> bool {
        matches!(self.state, AwardState::Refused { .. } | AwardState::Closed)
    }

    /// The award after `fact`.
    ///
    /// # Errors
    /// [`Illegal`] where the design has no such transition.
    pub(super) fn apply(&self, fact: AwardFact, now: Timestamp) -> Result<Award, Illegal> {
        Ok(self.after(fact, now)?.doubted(now))
    }

    fn after(&self, fact: AwardFact, now: Timestamp) -> Result<Award, Illegal> {
        use AwardFact as F;
        use AwardState as S;
        let mut award = self.clone();
        let Some(step) = award.steps.iter_mut().find(|step| step.finished.is_none()) else {
            return Err(Illegal::new(&fact, "without a step to come"));
        };
        award.state = match (&self.state, fact) {
            (S::Planned, F::Intent) => S::Sending,
            (S::Sending, F::NotSent) => S::Planned,
            (S::Sending, F::Ran { reply }) => return Ok(award.finish(Finish::Ran { reply: cut(&reply) })),
            (S::Sending, F::Rejected { reason, .. }) if step.optional => {
                return Ok(award.finish(Finish::PassedOver { reason }));
            }
            (S::Sending, F::Rejected { reason, reply }) => S::Refused { reason, reply: Some(cut(&reply)) },
            (S::Sending, F::Offline) if step.optional && !step.needs_player => {
                return Ok(award.finish(Finish::PassedOver { reason: "the player is not online".to_owned() }));
            }
            (S::Sending, F::Offline)
                if award.offline_replies + 1 >= MOST_OFFLINE_REPLIES && step.optional =>
            {
                return Ok(award.finish(Finish::PassedOver { reason: "the player is not online".to_owned() }));
            }
            (S::Sending, F::Offline) if award.offline_replies + 1 >= MOST_OFFLINE_REPLIES => S::Refused {
                reason: format!(
                    "The game said {MOST_OFFLINE_REPLIES} times about the reward {} that the player is not online, while its list shows the player. Try the command by hand, correct it in rewards.yaml, restart Votive and deliver again.",
                    award.reward
                ),
                reply: None,
            },
            (S::Sending, F::Offline) => {
                // Whatever the file says: this command does need the player.
                step.needs_player = true;
                award.offline_replies += 1;
                S::Planned
            }
            (S::Sending, F::NoOutcome { reason }) if step.optional || step.in_doubt == InDoubtRule::Skip => {
                return Ok(award.finish(Finish::PassedOver { reason }));
            }
            (S::Sending, F::NoOutcome { .. })
                if step.in_doubt == InDoubtRule::Repeat && award.repeats < MOST_REPEATS =>
            {
                award.repeats += 1;
                S::Planned
            }
            (S::Sending, F::NoOutcome { reason }) => S::InDoubt { reason, since: now },
            (S::InDoubt { .. }, F::Settled { ran: true }) => return Ok(award.finish(Finish::Settled)),
            (S::InDoubt { .. }, F::Settled { ran: false }) => {
                // Then none of those behind it can have run.
                award.steps.iter_mut().for_each(|step| step.doubt = None);
                S::Planned
            }
            (S::Planned | S::InDoubt { .. } | S::Refused { .. }, F::Cancelled) => S::Closed,
            (state, fact) => return Err(Illegal::new(&fact, state.name())),
        };
        Ok(award)
    }

    /// Finishes the next step, and with the last one the award.
    fn finish(mut self, how: Finish) -> Award {
        if let Some(step) = self.steps.iter_mut().find(|step| step.finished.is_none()) {
            step.finished = Some(how);
        }
        Award { until_retried: self.until_retried, ..Award::new(&self.reward, self.steps) }
    }

    /// The award where the turn of a step has come that may have run already: such a step is not sent, but treated
    /// like one that was sent and has no outcome.
    pub(super) fn doubted(mut self, now: Timestamp) -> Award {
        let next = self.steps.iter_mut().find(|step| step.finished.is_none());
        match next.and_then(|step| step.doubt.take_if(|_| self.state == AwardState::Planned)) {
            Some(reason) => {
                self.state = AwardState::Sending;
                // What is being sent can end without an outcome.
                self.apply(AwardFact::NoOutcome { reason }, now).unwrap_or(self)
            }
            None => self,
        }
    }
}

impl AwardState {
    fn name(&self) -> &'static str {
        match self {
            AwardState::Planned => "planned",
            AwardState::Sending => "being sent",
            AwardState::InDoubt { .. } => "in doubt",
            AwardState::Done => "done",
            AwardState::Refused { .. } => "refused",
            AwardState::Closed => "closed",
        }
    }
}

fn cut(reply: &str) -> String {
    reply.chars().take(KEPT_REPLY).collect()
}
