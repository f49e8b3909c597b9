//! The state machine: what happens next to a grant. Every legal transition is in this file; anything else is
//! [`Illegal`].
//!
//! [`Grant::apply`] takes a fact and gives the grant as it is after it. The daemon makes that durable first, performs
//! the [`Grant::actions`] that follow from it then, and comes back with the facts that they bring.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::act::{self, Act};
use super::award::{Award, AwardFact, AwardState, Receipt, Step};
use super::calendar::Calendar;
use super::counter::{Counter, Scoped};
use super::event::EventKey;
use super::plan::{self, Plan, Planning, plan};
use super::reward::Target;
use super::vote::Vote;

/// For so many seconds a 404 may mean that the vote has not reached the API's replica yet
/// (contract/gamemonitoring.md).
const NOT_FOUND_IS_FINAL: u64 = 120;

/// All that one vote earned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The event that it is for, and its key.
    pub event: EventKey,
    /// When the event first arrived.
    pub received_at: Timestamp,
    /// How far it has come.
    pub stage: Stage,
    /// What operators did about it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Act>,
    /// The event whose rewards this one issues again, where it is a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replays: Option<EventKey>,
}

/// How far a grant has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its vote is not fetched yet.
    Received {
        /// How often the API was asked.
        attempts: u32,
        /// Seconds of monotonic time since the first attempt, summed over restarts.
        elapsed: u64,
        /// Whether the operator asked for it, so that it does not matter how old the vote is.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retried: bool,
        /// Why the last attempt failed, in words for the owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Its awards decide; without awards it is granted.
    Planned(Box<Plan>),
    /// The vote as a whole cannot be rewarded.
    Refused {
        /// In words for the owner.
        reason: String,
        /// The vote, if it was fetched: it is never fetched again.
        vote: Option<Vote>,
        /// Whether only the operator's retry reopens it, and no redelivery: it may have been rewarded in a time of
        /// which the ledger knows nothing, because it was restored from a backup.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        until_retried: bool,
        /// Since when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// Cancelled by the operator before there were awards to close.
    Closed {
        /// The vote, if it was fetched.
        vote: Option<Vote>,
    },
    /// It was final, and its details were given up to save room. What is left keeps it from being rewarded again.
    Pruned,
}

/// Something that happened, or was found out.
#[derive(Clone, Debug)]
pub enum Fact<'a> {
    /// The API could not tell the vote; the monotonic seconds since the last attempt, or 0 at the first.
    FetchFailed {
        /// Since the attempt before.
        seconds: u64,
        /// What went wrong, in words for the owner.
        why: String,
    },
    /// The API knows no such vote; the seconds as above.
    NotFound {
        /// Since the attempt before.
        seconds: u64,
    },
    /// The API told another vote, or nothing that can be rewarded: asking again cannot help.
    Mismatch {
        /// In words for the owner.
        reason: String,
    },
    /// The API told the vote.
    Fetched {
        /// The vote.
        vote: Vote,
        /// What it is planned with.
        planning: Planning<'a>,
        /// When the ledger was last restored from a backup, if it was.
        restored_at: Option<Timestamp>,
    },
    /// The platform delivered the event again: for what was refused, the owner says "I fixed it". It is planned, or what
    /// is left of its plan is rendered, with this.
    Redelivered(Planning<'a>),
    /// The operator wants it tried again, also what was closed; with this.
    Retried(Planning<'a>),
    /// The operator wants no more of it.
    Cancelled,
    /// Nobody needs its details any more.
    Pruned,
    /// Its receipts, which nobody needs any more, were taken out of the game.
    ReceiptsRemoved,
    /// Something about one award, by its place in the plan.
    Award(usize, AwardFact),
}

/// What the daemon has to do, once the grant is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the API for the vote.
    Fetch,
    /// Line up the next step of this award.
    Queue(usize),
    /// Send the next step of this award: its intent is in the grant.
    Send(usize),
    /// Read the receipt of the next step of this award, which is in doubt.
    Read(usize),
}

/// A fact that cannot be true of the grant as it is: a bug, or somebody else was faster.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{fact} does not fit a grant that is {state}")]
pub struct Illegal {
    fact: String,
    state: &'static str,
}

impl Illegal {
    pub(super) fn new(fact: &dyn std::fmt::Debug, state: &'static str) -> Self {
        Illegal { fact: format!("{fact:?}"), state }
    }
}

impl Grant {
    /// A grant for an event that has just arrived.
    pub fn received(event: EventKey, now: Timestamp) -> Self {
        let stage = Stage::Received { attempts: 0, elapsed: 0, retried: false, why: None };
        Grant { event, received_at: now, stage, acts: Vec::new(), replays: None }
    }

    /// The grant after `fact`.
    ///
    /// # Errors
    /// [`Illegal`] where the design has no such transition.
    pub fn apply(&self, fact: Fact<'_>, now: Timestamp) -> Result<Grant, Illegal> {
        let stage = match (&self.stage, fact) {
            (&Stage::Received { elapsed, .. }, Fact::NotFound { seconds })
                if elapsed + seconds >= NOT_FOUND_IS_FINAL =>
            {
                let reason =
                    "GAMEMONITORING knows no such vote. If its interface shows the vote, deliver it again.";
                refused(reason.to_owned(), None, now)
            }
            (&Stage::Received { attempts, elapsed, retried, .. }, Fact::FetchFailed { seconds, why }) => {
                let (attempts, elapsed) = (attempts + 1, elapsed + seconds);
                Stage::Received { attempts, elapsed, retried, why: Some(why) }
            }
            (&Stage::Received { attempts, elapsed, retried, .. }, Fact::NotFound { seconds }) => {
                let why = Some("it does not know the vote, or not yet".to_owned());
                Stage::Received { attempts: attempts + 1, elapsed: elapsed + seconds, retried, why }
            }
            (Stage::Received { .. }, Fact::Mismatch { reason }) => refused(reason, None, now),
            (&Stage::Received { retried, .. }, Fact::Fetched { vote, planning, restored_at }) => {
                match restored_at.and_then(|at| self.forgotten(&vote, at)).filter(|_| !retried) {
                    Some(reason) => {
                        Stage::Refused { reason, vote: Some(vote), until_retried: true, since: Some(now) }
                    }
                    None => self.planned(vote, &planning, now),
                }
            }
            // A redelivery says "I fixed it", which is no answer to "was it rewarded before?".
            (Stage::Refused { until_retried: true, .. }, Fact::Redelivered(_)) => self.stage.clone(),
            (
                Stage::Refused { vote: Some(vote), .. },
                Fact::Redelivered(planning) | Fact::Retried(planning),
            )
            | (Stage::Closed { vote: Some(vote) }, Fact::Retried(planning)) => {
                self.planned(vote.clone(), &planning, now)
            }
            (Stage::Refused { vote: None, .. }, again @ (Fact::Redelivered(_) | Fact::Retried(_))) => {
                // The time in which the vote may be on its way to the API is over: the next 404 is final.
                let retried = matches!(again, Fact::Retried(_));
                Stage::Received { attempts: 0, elapsed: NOT_FOUND_IS_FINAL, retried, why: None }
            }
            // It may have been cancelled before the API had the vote.
            (Stage::Closed { vote: None }, Fact::Retried(_)) => {
                Stage::Received { attempts: 0, elapsed: 0, retried: true, why: None }
            }
            // A redelivery changes nothing in any other state.
            (Stage::Received { .. } | Stage::Closed { .. } | Stage::Pruned, Fact::Redelivered(_)) => {
                self.stage.clone()
            }
            (Stage::Received { .. }, Fact::Cancelled) => Stage::Closed { vote: None },
            (Stage::Refused { vote, .. }, Fact::Cancelled) => Stage::Closed { vote: vote.clone() },
            (Stage::Planned(plan), Fact::Cancelled) if self.can_be_cancelled() => {
                let mut plan = plan.clone();
                for award in plan.awards.iter_mut().filter(|award| award.can_be_cancelled()) {
                    *award = award.apply(AwardFact::Cancelled, now)?;
                }
                Stage::Planned(plan)
            }
            (_, Fact::Pruned) if self.can_be_pruned() => {
                return Ok(Grant { stage: Stage::Pruned, acts: Vec::new(), ..self.clone() });
            }
            (Stage::Planned(plan), Fact::Redelivered(planning)) => {
                let reopens =
                    |award: &Award| matches!(award.state, AwardState::Refused { .. }) && !award.until_retried;
                Stage::Planned(plan.again(self, planning.target, reopens, now))
            }
            (Stage::Planned(plan), Fact::Retried(planning)) if self.awaits_retry() => {
                Stage::Planned(plan.again(self, planning.target, Award::awaits_retry, now))
            }
            (Stage::Planned(plan), Fact::Award(index, fact)) => {
                let mut plan = plan.clone();
                let award = plan.awards.get_mut(index);
                let award = award
                    .ok_or_else(|| Illegal::new(&format!("a fact about award {index}"), "without it"))?;
                *award = award.apply(fact, now)?;
                Stage::Planned(plan)
            }
            (Stage::Planned(plan), Fact::ReceiptsRemoved) if !self.is_open() => {
                let mut plan = plan.clone();
                let steps = plan.awards.iter_mut().flat_map(|award| &mut award.steps);
                for step in steps.filter(|step| step.receipt.is_in_game()) {
                    step.receipt = Receipt::Removed;
                }
                Stage::Planned(plan)
            }
            (stage, fact) => return Err(Illegal::new(&fact, stage.name())),
        };
        Ok(Grant { stage, ..self.clone() })
    }

    fn planned(&self, vote: Vote, planning: &Planning<'_>, now: Timestamp) -> Stage {
        match plan(&self.event, self.received_at, &vote, planning, now) {
            Ok(plan) => Stage::Planned(Box::new(plan)),
            Err(reason) => refused(reason, Some(vote), now),
        }
    }

    /// The grant with one more act of an operator.
    #[must_use]
    pub fn acted(mut self, act: Act) -> Grant {
        act::add(&mut self.acts, act);
        self
    }

    /// The counters as they are once this grant has become `after`, where they change: a vote counts when it is planned,
    /// which happens once.
    pub fn counted(
        &self,
        after: &Grant,
        counters: &Scoped<Counter>,
        calendar: &Calendar,
    ) -> Option<Scoped<Counter>> {
        let plan = after.plan().filter(|_| self.plan().is_none())?;
        Some(counters.after(plan, calendar))
    }

    /// What has to be done for the grant as it is: the same after a fact and after a restart.
    pub fn actions(&self) -> Vec<Action> {
        let plan = match &self.stage {
            Stage::Received { .. } => return vec![Action::Fetch],
            Stage::Refused { .. } | Stage::Closed { .. } | Stage::Pruned => return vec![],
            Stage::Planned(plan) => plan,
        };
        let awards = plan.awards.iter().enumerate();
        awards
            .filter_map(|(index, award)| match award.state {
                AwardState::Planned => Some(Action::Queue(index)),
                AwardState::Sending => Some(Action::Send(index)),
                AwardState::InDoubt { .. } if award.awaits_receipt() => Some(Action::Read(index)),
                _ => None,
            })
            .collect()
    }

    /// Whether the operator's retry changes anything: something is refused or closed.
    pub fn awaits_retry(&self) -> bool {
        match &self.stage {
            Stage::Received { .. } | Stage::Pruned => false,
            Stage::Refused { .. } | Stage::Closed { .. } => true,
            Stage::Planned(plan) => plan.awards.iter().any(Award::awaits_retry),
        }
    }

    /// Whether something is refused: the vote as a whole, or one of its awards.
    pub fn is_refused(&self) -> bool {
        match &self.stage {
            Stage::Refused { .. } => true,
            Stage::Planned(plan) => {
                plan.awards.iter().any(|award| matches!(award.state, AwardState::Refused { .. }))
            }
            Stage::Received { .. } | Stage::Closed { .. } | Stage::Pruned => false,
        }
    }

    /// Whether a command of it is on its way to the game.
    pub fn is_being_sent(&self) -> bool {
        self.actions().iter().any(|action| matches!(action, Action::Send(_)))
    }

    /// Whether there is something left to cancel, and nothing is on its way.
    fn can_be_cancelled(&self) -> bool {
        let awards = self.plan().map_or(&[][..], |plan| &plan.awards);
        !self.is_being_sent() && awards.iter().any(Award::can_be_cancelled)
    }

    /// Whether it is final, nothing of it is refused, and the game has no receipt of it.
    pub fn can_be_pruned(&self) -> bool {
        !self.is_attended() && !self.is_refused() && !matches!(self.stage, Stage::Pruned)
    }

    /// The plan, once there is one.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stage {
            Stage::Planned(plan) => Some(plan),
            _ => None,
        }
    }

    /// The vote, once it is known.
    pub fn vote(&self) -> Option<&Vote> {
        match &self.stage {
            Stage::Planned(plan) => Some(&plan.vote),
            Stage::Refused { vote, .. } | Stage::Closed { vote } => vote.as_ref(),
            Stage::Received { .. } | Stage::Pruned => None,
        }
    }

    /// Every receipt of it that the game may have: the place of the award in the plan, and the step.
    pub fn receipts(&self) -> impl Iterator<Item = (usize, &Step)> {
        let awards = self.plan().map_or(&[][..], |plan| &plan.awards).iter().enumerate();
        let steps = awards.flat_map(|(index, award)| award.steps.iter().map(move |step| (index, step)));
        steps.filter(|(_, step)| step.receipt.is_in_game())
    }

    /// Whether a daemon has to know of it from its start: it is open, or the game has receipts of it.
    pub fn is_attended(&self) -> bool {
        self.is_open() || self.receipts().next().is_some()
    }

    /// Whether something still has to happen, by us or by the operator. What is refused waits for nobody.
    pub fn is_open(&self) -> bool {
        match &self.stage {
            Stage::Received { .. } => true,
            Stage::Refused { .. } | Stage::Closed { .. } | Stage::Pruned => false,
            Stage::Planned(plan) => plan.awards.iter().any(|award| {
                matches!(award.state, AwardState::Planned | AwardState::Sending | AwardState::InDoubt { .. })
            }),
        }
    }
}

fn refused(reason: String, vote: Option<Vote>, now: Timestamp) -> Stage {
    Stage::Refused { reason, vote, until_retried: false, since: Some(now) }
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Stage::Received { .. } => "received",
            Stage::Planned(_) => "planned",
            Stage::Refused { .. } => "refused",
            Stage::Closed { .. } => "closed",
            Stage::Pruned => "pruned",
        }
    }
}

impl Plan {
    /// Renders anew what is left of each award of `grant` that `reopens`; of a replay, which sends what ran before, it
    /// stays as it is. Where that cannot be, the award stays refused and says so.
    fn again(
        &self,
        grant: &Grant,
        target: Option<Target<'_>>,
        reopens: fn(&Award) -> bool,
        now: Timestamp,
    ) -> Box<Plan> {
        let mut plan = Box::new(self.clone());
        for index in 0..plan.awards.len() {
            if reopens(&plan.awards[index]) {
                let rest = match grant.replays {
                    Some(_) => Ok(plan.same_rest(index)),
                    None => plan.render_rest(&grant.event, index, target),
                };
                match rest {
                    Ok(steps) => {
                        let award = Award::new(&self.awards[index].reward, steps);
                        plan.awards[index] = award.doubting_like(&self.awards[index], now);
                    }
                    Err(reason) => {
                        let award = &mut plan.awards[index];
                        award.state = AwardState::Refused { reason, reply: None };
                        (award.until_retried, award.since) = (false, Some(now));
                    }
                }
            }
        }
        plan
    }

    /// The finished steps of an award, followed by the rest as new steps.
    fn same_rest(&mut self, index: usize) -> Vec<Step> {
        let mut steps = self.awards[index].steps.clone();
        for step in steps.iter_mut().filter(|step| step.finished.is_none()) {
            *step = step.fresh(self.next_serial);
            self.next_serial += 1;
        }
        steps
    }

    /// The finished steps of an award, followed by the rest from today's file.
    fn render_rest(
        &mut self,
        event: &EventKey,
        index: usize,
        target: Option<Target<'_>>,
    ) -> Result<Vec<Step>, String> {
        let award = self.awards[index].clone();
        let name = &award.reward;
        let target = plan::known(&self.vote, target)?;
        let reward = target.rewards.iter().find(|reward| reward.name == *name).ok_or_else(|| {
            format!("The reward {name} is no longer among the rewards of this server in rewards.yaml.")
        })?;
        let steps = self.render(event, reward, target)?;
        // What may have run must not be taken for another command either.
        let kept = |step: &Step| step.finished.is_some() || step.doubt.is_some();
        let kept: Vec<(usize, &Step)> =
            award.steps.iter().enumerate().filter(|(_, step)| kept(step)).collect();
        let unchanged =
            kept.iter().all(|(place, old)| steps.get(*place).is_some_and(|new| new.command == old.command));
        if !unchanged {
            return Err(format!(
                "{} of the commands of the reward {name} have run already, or may have, and rewards.yaml has other commands in their place now. Put those back as they were, reload Votive and deliver again.",
                kept.len()
            ));
        }
        let finished = award.steps.iter().filter(|step| step.finished.is_some()).count();
        Ok(award.steps.into_iter().take(finished).chain(steps.into_iter().skip(finished)).collect())
    }
}
