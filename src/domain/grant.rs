//! The state machine: what happens next to a grant. Every legal transition is in this file; anything else is
//! [`Illegal`].
//!
//! [`Grant::apply`] takes a fact and gives the grant as it is after it. The daemon makes that durable first, performs
//! the [`Grant::actions`] that follow from it then, and comes back with the facts that they bring.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::award::{Award, AwardFact, AwardState, Receipt, Step};
use super::calendar::Calendar;
use super::counter::{Counter, Scoped};
use super::event::EventKey;
use super::plan::{Plan, Planning, plan};
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
    },
}

/// Something that happened, or was found out.
#[derive(Clone, Debug)]
pub enum Fact<'a> {
    /// The API could not tell the vote; the monotonic seconds since the last attempt, or 0 at the first.
    FetchFailed {
        /// Since the attempt before.
        seconds: u64,
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
        Grant { event, received_at: now, stage: Stage::Received { attempts: 0, elapsed: 0, retried: false } }
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
                Stage::Refused { reason: reason.to_owned(), vote: None, until_retried: false }
            }
            (
                &Stage::Received { attempts, elapsed, retried },
                Fact::FetchFailed { seconds } | Fact::NotFound { seconds },
            ) => Stage::Received { attempts: attempts + 1, elapsed: elapsed + seconds, retried },
            (Stage::Received { .. }, Fact::Mismatch { reason }) => {
                Stage::Refused { reason, vote: None, until_retried: false }
            }
            (&Stage::Received { retried, .. }, Fact::Fetched { vote, planning, restored_at }) => {
                match restored_at.and_then(|at| self.forgotten(&vote, at)).filter(|_| !retried) {
                    Some(reason) => Stage::Refused { reason, vote: Some(vote), until_retried: true },
                    None => self.planned(vote, &planning, now),
                }
            }
            // A redelivery says "I fixed it", which is no answer to "was it rewarded before?".
            (Stage::Refused { until_retried: true, .. }, Fact::Redelivered(_)) => self.stage.clone(),
            (
                Stage::Refused { vote: Some(vote), .. },
                Fact::Redelivered(planning) | Fact::Retried(planning),
            ) => self.planned(vote.clone(), &planning, now),
            (Stage::Refused { vote: None, .. }, again @ (Fact::Redelivered(_) | Fact::Retried(_))) => {
                // The time in which the vote may be on its way to the API is over: the next 404 is final.
                let retried = matches!(again, Fact::Retried(_));
                Stage::Received { attempts: 0, elapsed: NOT_FOUND_IS_FINAL, retried }
            }
            // A redelivery changes nothing in any other state.
            (Stage::Received { .. }, Fact::Redelivered(_)) => self.stage.clone(),
            (Stage::Planned(plan), Fact::Redelivered(planning)) => {
                let reopens =
                    |award: &Award| matches!(award.state, AwardState::Refused { .. }) && !award.until_retried;
                Stage::Planned(plan.again(&self.event, planning.target, reopens))
            }
            (Stage::Planned(plan), Fact::Retried(planning)) if self.awaits_retry() => {
                Stage::Planned(plan.again(&self.event, planning.target, Award::awaits_retry))
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
            Err(reason) => Stage::Refused { reason, vote: Some(vote), until_retried: false },
        }
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
            Stage::Refused { .. } => return vec![],
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
            Stage::Received { .. } => false,
            Stage::Refused { .. } => true,
            Stage::Planned(plan) => plan.awards.iter().any(Award::awaits_retry),
        }
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
            Stage::Refused { vote, .. } => vote.as_ref(),
            Stage::Received { .. } => None,
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
            Stage::Refused { .. } => false,
            Stage::Planned(plan) => plan.awards.iter().any(|award| {
                matches!(award.state, AwardState::Planned | AwardState::Sending | AwardState::InDoubt { .. })
            }),
        }
    }
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Stage::Received { .. } => "received",
            Stage::Planned(_) => "planned",
            Stage::Refused { .. } => "refused",
        }
    }
}

impl Plan {
    /// Renders anew what is left of each award that `reopens`. Where that cannot be, the award stays refused and
    /// says so.
    fn again(&self, event: &EventKey, target: Option<Target<'_>>, reopens: fn(&Award) -> bool) -> Box<Plan> {
        let mut plan = Box::new(self.clone());
        for index in 0..plan.awards.len() {
            if reopens(&plan.awards[index]) {
                match plan.render_rest(event, index, target) {
                    Ok(steps) => plan.awards[index] = Award::new(&self.awards[index].reward, steps),
                    Err(reason) => {
                        let award = &mut plan.awards[index];
                        award.state = AwardState::Refused { reason, reply: None };
                        award.until_retried = false;
                    }
                }
            }
        }
        plan
    }

    /// The finished steps of an award, followed by the rest from today's file.
    fn render_rest(
        &mut self,
        event: &EventKey,
        index: usize,
        target: Option<Target<'_>>,
    ) -> Result<Vec<Step>, String> {
        let award = &self.awards[index];
        let name = award.reward.clone();
        let finished: Vec<Step> =
            award.steps.iter().take_while(|step| step.finished.is_some()).cloned().collect();
        let gone =
            || format!("The reward {name} is no longer among the rewards of this server in rewards.yaml.");
        let target = target.ok_or_else(gone)?;
        let reward = target.rewards.iter().find(|reward| reward.name == name).ok_or_else(gone)?;
        let steps = self.render(event, reward, target)?;
        let unchanged = finished.len() <= steps.len()
            && finished.iter().zip(&steps).all(|(old, new)| old.command == new.command);
        if !unchanged {
            return Err(format!(
                "{} of the commands of the reward {name} have run already, and rewards.yaml has other commands in their place now. Put those back as they were, reload Votive and deliver again.",
                finished.len()
            ));
        }
        Ok(finished.iter().cloned().chain(steps.into_iter().skip(finished.len())).collect())
    }
}
