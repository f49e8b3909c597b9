//! One reward being issued for one vote, and every legal transition of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::grant::Illegal;
use super::receipt::Reading;
use super::reply::success_is_told;
use super::reward::{InDoubtRule, ReceiptRule};

/// How often a step with `in_doubt: repeat` is sent again.
pub const MOST_REPEATS: u8 = 3;
/// How often the game may say "offline" about a player whom its own list shows, before the award is refused.
pub const MOST_OFFLINE_REPLIES: u8 = 5;
/// How often a command may run into an error of the game that only its receipt tells of, before the award is refused.
pub const MOST_SILENT_FAILURES: u8 = 2;
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
    /// How often the next step failed, by its receipt, and the game said nothing.
    #[serde(default)]
    pub silent_failures: u8,
    /// The address of the game to which the next step was announced, if it was. Another game may have a mark of it that
    /// proves nothing: announced there as well, and never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_to: Option<String>,
    /// Whether only the operator's retry reopens it when it is refused: it comes from a backup, so nobody knows what
    /// was issued of it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_retried: bool,
    /// When it came to stand as it does, if that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
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
    /// Whether it is sent so that it leaves a receipt.
    #[serde(default = "no_receipts")]
    pub receipts: ReceiptRule,
    /// What is known of its receipt.
    #[serde(default)]
    pub receipt: Receipt,
    /// How it was finished, if it was.
    pub finished: Option<Finish>,
    /// When it was finished, if that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why nobody knows whether it ran, where that is so before its turn has come: it comes from a backup, or was in
    /// doubt when it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// Records that know nothing of receipts are of steps that left none.
fn no_receipts() -> ReceiptRule {
    ReceiptRule::Never
}

/// What is known of a step's receipt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// The step was not sent, or was sent so that it leaves none.
    #[default]
    None,
    /// It was announced and is sent with its guard.
    Announced,
    /// The game has acknowledged it, and so it is in the game.
    Acknowledged {
        /// Since when.
        at: Timestamp,
    },
    /// Nobody needs it any more: it was taken out of the game.
    Removed,
    /// It is not in the game although it should be: the world went back in time.
    Lost,
}

impl Receipt {
    /// Whether the game may have it.
    pub fn is_in_game(&self) -> bool {
        matches!(self, Receipt::Announced | Receipt::Acknowledged { .. })
    }
}

impl Step {
    /// What people call it: they count from 1.
    pub fn number(&self) -> u64 {
        u64::from(self.serial) + 1
    }

    /// Whether the world has gone back to a time before it. Of one that an operator had to settle, the receipt was lost
    /// before that, and says nothing.
    pub fn is_forgotten(&self) -> bool {
        self.receipt == Receipt::Lost && matches!(self.finished, Some(Finish::Ran { .. } | Finish::Receipt))
    }
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
    /// Its receipt says that it ran.
    Receipt,
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
    /// The next step is about to be sent, with its guard before it where it was announced.
    Intent {
        /// To the game at this address.
        announced_to: Option<String>,
    },
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
    /// The game does not take the command with the guard before it: it did not run.
    NotGuardable,
    /// The game said nothing, and the receipt says that it did not run: it ran into an error of the game.
    FailedSilently,
    /// The receipt of what was in doubt, or what is said in its place.
    Read(Reading),
    /// The receipt of the step with this serial number, which was acknowledged, is gone from the game.
    Lost {
        /// Of the step.
        serial: u32,
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
            silent_failures: 0,
            announced_to: None,
            until_retried: false,
            since: None,
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

    /// The award, whose steps to come may have run already where those of `other`, in their places, may have.
    pub(super) fn doubting_like(mut self, other: &Award, now: Timestamp) -> Award {
        let doubts = other.steps.iter().filter(|step| step.finished.is_none()).map(|step| &step.doubt);
        let steps = self.steps.iter_mut().filter(|step| step.finished.is_none());
        for (step, doubt) in steps.zip(doubts) {
            step.doubt.clone_from(doubt);
        }
        self.doubted(now)
    }

    /// Whether something of it is left to cancel.
    pub(super) fn can_be_cancelled(&self) -> bool {
        matches!(self.state, AwardState::Planned | AwardState::InDoubt { .. } | AwardState::Refused { .. })
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
        let mut award = self.after(fact, now)?.doubted(now);
        if award.state != self.state {
            award.since = Some(now);
        }
        Ok(award)
    }

    fn after(&self, fact: AwardFact, now: Timestamp) -> Result<Award, Illegal> {
        use AwardFact as F;
        use AwardState as S;
        let mut award = self.clone();
        if let F::Lost { serial } = fact {
            let step = award.steps.iter_mut().find(|step| step.serial == serial && step.finished.is_some());
            let step = step.filter(|step| step.receipt.is_in_game());
            let step = step.ok_or_else(|| Illegal::new(&fact, "without that receipt"))?;
            step.receipt = Receipt::Lost;
            return Ok(award);
        }
        let Some(step) = award.steps.iter_mut().find(|step| step.finished.is_none()) else {
            return Err(Illegal::new(&fact, "without a step to come"));
        };
        award.state = match (&self.state, fact) {
            (S::Planned, F::Intent { announced_to }) => {
                step.receipt = if announced_to.is_some() { Receipt::Announced } else { Receipt::None };
                award.announced_to = announced_to;
                S::Sending
            }
            (S::Sending, F::NotSent) => S::Planned,
            (S::Sending, F::Ran { reply }) => {
                return Ok(award.finish(Finish::Ran { reply: cut(&reply) }, now));
            }
            (S::Sending, F::NotGuardable | F::FailedSilently) if step.receipt != Receipt::Announced => {
                return Err(Illegal::new(&"a fact about a guard", "being sent without one"));
            }
            (S::Sending, F::NotGuardable) if step.receipts == ReceiptRule::Auto => {
                step.receipts = ReceiptRule::Never;
                S::Planned
            }
            (S::Sending, F::NotGuardable) => S::Refused { reason: needs_receipt(&award.reward), reply: None },
            (S::Sending, F::FailedSilently) => return Ok(award.failed_silently()),
            (S::Sending, F::Rejected { reason, .. }) if step.optional => {
                return Ok(award.finish(Finish::PassedOver { reason }, now));
            }
            (S::Planned | S::Sending, F::Rejected { reason, reply }) => {
                S::Refused { reason, reply: Some(cut(&reply)) }
            }
            (S::Sending, F::Offline) if step.optional && !step.needs_player => {
                return Ok(
                    award.finish(Finish::PassedOver { reason: "the player is not online".to_owned() }, now)
                );
            }
            (S::Sending, F::Offline)
                if award.offline_replies + 1 >= MOST_OFFLINE_REPLIES && step.optional =>
            {
                return Ok(
                    award.finish(Finish::PassedOver { reason: "the player is not online".to_owned() }, now)
                );
            }
            (S::Sending, F::Offline) if award.offline_replies + 1 >= MOST_OFFLINE_REPLIES => S::Refused {
                reason: format!(
                    "The game said {MOST_OFFLINE_REPLIES} times about the reward {} that the player is not online, while its list shows the player. Try the command by hand, correct it in rewards.yaml, reload Votive and deliver again.",
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
                return Ok(award.finish(Finish::PassedOver { reason }, now));
            }
            (S::Sending, F::NoOutcome { .. })
                if step.in_doubt == InDoubtRule::Repeat && award.repeats < MOST_REPEATS =>
            {
                award.repeats += 1;
                S::Planned
            }
            (S::Sending, F::NoOutcome { reason }) => S::InDoubt { reason, since: now },
            (S::InDoubt { .. }, F::Settled { ran: true }) => return Ok(award.finish(Finish::Settled, now)),
            (S::InDoubt { .. }, F::Settled { ran: false }) => {
                // Then none of those behind it can have run.
                award.steps.iter_mut().for_each(|step| step.doubt = None);
                S::Planned
            }
            (S::InDoubt { .. }, F::Read(reading)) if step.receipt == Receipt::Announced => match reading {
                Reading::Ran => return Ok(award.finish(Finish::Receipt, now)),
                Reading::NotRun => S::Planned,
                Reading::Missing | Reading::Unreadable => {
                    step.receipt = Receipt::Lost;
                    return Ok(award.without_proof(reading));
                }
            },
            (S::Planned | S::Refused { .. }, F::Cancelled) => S::Closed,
            (S::InDoubt { reason, .. }, F::Cancelled) => {
                // Should it be reopened, it still may have run.
                step.doubt = Some(reason.clone());
                S::Closed
            }
            (state, fact) => return Err(Illegal::new(&fact, state.name())),
        };
        Ok(award)
    }

    /// Whether a receipt can tell what is in doubt about the next step.
    pub fn awaits_receipt(&self) -> bool {
        matches!(self.state, AwardState::InDoubt { .. })
            && self.next_step().is_some_and(|step| step.receipt == Receipt::Announced)
    }

    /// The award after the next step has failed in silence: the error of a guarded command is swallowed
    /// (contract/rcon.md). Where success always says something, it may be the player after all, whom a list shows a
    /// moment too long; but not twice. Otherwise the command is sent once without its guard, so that the game says what
    /// is wrong, or that there was nothing to do.
    fn failed_silently(mut self) -> Award {
        self.silent_failures += 1;
        let (failures, reward) = (self.silent_failures, self.reward.clone());
        let Some(step) = self.steps.iter_mut().find(|step| step.finished.is_none()) else { return self };
        self.state = if !success_is_told(&step.command) && step.receipts == ReceiptRule::Auto {
            step.receipts = ReceiptRule::Never;
            AwardState::Planned
        } else if failures < MOST_SILENT_FAILURES {
            step.needs_player = true;
            AwardState::Planned
        } else {
            let reason = format!(
                "A command of the reward {reward} failed twice while the player was online, and the game does not say why behind a guard. Try the command by hand, correct it in rewards.yaml, reload Votive and deliver again."
            );
            AwardState::Refused { reason, reply: None }
        };
        self
    }

    /// The award that stays in doubt because its receipt proves nothing.
    fn without_proof(mut self, reading: Reading) -> Award {
        if let AwardState::InDoubt { reason, .. } = &mut self.state {
            reason.push_str(match reading {
                Reading::Missing => {
                    "; its receipt is not in the world, which went back in time or was replaced"
                }
                _ => "; its receipt cannot be read any more",
            });
        }
        self
    }

    /// Finishes the next step, and with the last one the award.
    fn finish(mut self, how: Finish, now: Timestamp) -> Award {
        if let Some(step) = self.steps.iter_mut().find(|step| step.finished.is_none()) {
            let proven = matches!(how, Finish::Ran { .. } | Finish::Receipt);
            if proven && step.receipt == Receipt::Announced {
                step.receipt = Receipt::Acknowledged { at: now };
            }
            (step.finished, step.finished_at) = (Some(how), Some(now));
        }
        let since = Some(now);
        Award { until_retried: self.until_retried, since, ..Award::new(&self.reward, self.steps) }
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

fn needs_receipt(reward: &str) -> String {
    format!(
        "The game does not take a command of the reward {reward} in the form that leaves a receipt, and servers.*.receipts is `always`. Set it to `auto`, reload Votive and deliver again."
    )
}

fn cut(reply: &str) -> String {
    reply.chars().take(KEPT_REPLY).collect()
}
