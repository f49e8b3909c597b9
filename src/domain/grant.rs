//! The state machine: what happens next to a grant. Every legal transition is in this file; anything else is
//! [`Illegal`].
//!
//! [`Grant::apply`] takes a fact and gives the grant as it is after it, with the actions that follow. The daemon
//! makes the new grant durable first, performs the actions then, and comes back with the facts that they bring.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::EventKey;
use super::plan::{Plan, plan};
use super::reward::{InDoubtRule, Target};
use super::vote::Vote;

/// How often a step with `in_doubt: repeat` is sent again.
pub const MOST_REPEATS: u8 = 3;
/// How often the game may say "offline" about a player whom its own list shows, before the award is refused.
pub const MOST_OFFLINE_REPLIES: u8 = 5;
/// For so many seconds a 404 may mean that the vote has not reached the API's replica yet
/// (contract/gamemonitoring.md).
const NOT_FOUND_IS_FINAL: u64 = 120;
/// How much of a reply is kept, in characters.
const KEPT_REPLY: usize = 300;

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
    },
    /// Its awards decide; without awards it is granted.
    Planned(Box<Plan>),
    /// The vote as a whole cannot be rewarded.
    Refused {
        /// In words for the owner.
        reason: String,
        /// The vote, if it was fetched: it is never fetched again.
        vote: Option<Vote>,
    },
}

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
        /// Its game server, if it is configured.
        target: Option<Target<'a>>,
        /// Its place among the plans.
        order: u64,
    },
    /// The platform delivered the event again: for what was refused, the owner says "I fixed it".
    Redelivered {
        /// The grant's game server as it is configured today.
        target: Option<Target<'a>>,
        /// Its place among the plans, if it is planned only now.
        order: u64,
    },
    /// The operator wants it tried again, also what was closed.
    Retried {
        /// The grant's game server as it is configured today.
        target: Option<Target<'a>>,
        /// Its place among the plans, if it is planned only now.
        order: u64,
    },
    /// Something about one award, by its place in the plan.
    Award(usize, AwardFact),
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

/// What the daemon has to do, once the grant is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the API for the vote.
    Fetch,
    /// Line up the next step of this award.
    Queue(usize),
    /// Send the next step of this award: its intent is in the grant.
    Send(usize),
}

/// A fact that cannot be true of the grant as it is: a bug, or somebody else was faster.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{fact} does not fit a grant that is {state}")]
pub struct Illegal {
    fact: String,
    state: String,
}

impl Grant {
    /// A grant for an event that has just arrived.
    pub fn received(event: EventKey, now: Timestamp) -> Self {
        Grant { event, received_at: now, stage: Stage::Received { attempts: 0, elapsed: 0 } }
    }

    /// The grant after `fact`, and what follows from it.
    ///
    /// # Errors
    /// [`Illegal`] where the design has no such transition.
    pub fn apply(&self, fact: Fact<'_>, now: Timestamp) -> Result<(Grant, Vec<Action>), Illegal> {
        let (stage, actions) = match (&self.stage, fact) {
            (Stage::Received { elapsed, .. }, Fact::NotFound { seconds })
                if elapsed + seconds >= NOT_FOUND_IS_FINAL =>
            {
                let reason = "GAMEMONITORING knows no such vote.".to_owned();
                (Stage::Refused { reason, vote: None }, vec![])
            }
            (
                Stage::Received { attempts, elapsed },
                Fact::FetchFailed { seconds } | Fact::NotFound { seconds },
            ) => {
                (Stage::Received { attempts: attempts + 1, elapsed: elapsed + seconds }, vec![Action::Fetch])
            }
            (Stage::Received { .. }, Fact::Mismatch { reason }) => {
                (Stage::Refused { reason, vote: None }, vec![])
            }
            (Stage::Received { .. }, Fact::Fetched { vote, target, order }) => {
                planned(vote, target, order, now)
            }
            (
                Stage::Refused { vote: Some(vote), .. },
                Fact::Redelivered { target, order } | Fact::Retried { target, order },
            ) => planned(vote.clone(), target, order, now),
            (Stage::Refused { vote: None, .. }, Fact::Redelivered { .. } | Fact::Retried { .. }) => (
                Stage::Received {
                    attempts: 0,
                    // The time in which the vote may be on its way to the API is over: the next 404 is final.
                    elapsed: NOT_FOUND_IS_FINAL,
                },
                vec![Action::Fetch],
            ),
            // A redelivery changes nothing in any other state.
            (Stage::Received { .. }, Fact::Redelivered { .. }) => (self.stage.clone(), vec![]),
            (Stage::Planned(plan), Fact::Redelivered { target, .. }) => {
                let (plan, actions) = plan.again(target, |state| matches!(state, AwardState::Refused { .. }));
                (Stage::Planned(plan), actions)
            }
            (Stage::Planned(plan), Fact::Retried { target, .. }) => {
                let reopens =
                    |state: &AwardState| matches!(state, AwardState::Refused { .. } | AwardState::Closed);
                let (plan, actions) = plan.again(target, reopens);
                (Stage::Planned(plan), actions)
            }
            (Stage::Planned(plan), Fact::Award(index, fact)) => {
                let mut plan = plan.clone();
                let award = plan.awards.get_mut(index);
                let award = award.ok_or_else(|| illegal(format!("award {index}"), "without it"))?;
                *award = award.apply(fact, now)?;
                let actions = match award.state {
                    AwardState::Planned => vec![Action::Queue(index)],
                    AwardState::Sending => vec![Action::Send(index)],
                    _ => vec![],
                };
                (Stage::Planned(plan), actions)
            }
            (stage, fact) => return Err(illegal(format!("{fact:?}"), stage.name())),
        };
        Ok((Grant { stage, ..self.clone() }, actions))
    }

    /// The plan, once there is one.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stage {
            Stage::Planned(plan) => Some(plan),
            _ => None,
        }
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

fn planned(vote: Vote, target: Option<Target<'_>>, order: u64, now: Timestamp) -> (Stage, Vec<Action>) {
    match plan(&vote, target, order, now) {
        Ok(plan) => {
            let waiting = |(index, award): (usize, &Award)| {
                (award.state == AwardState::Planned).then_some(Action::Queue(index))
            };
            let actions = plan.awards.iter().enumerate().filter_map(waiting).collect();
            (Stage::Planned(Box::new(plan)), actions)
        }
        Err(reason) => (Stage::Refused { reason, vote: Some(vote) }, vec![]),
    }
}

impl Stage {
    /// The plan, once there is one.
    pub fn into_plan(self) -> Option<Box<Plan>> {
        match self {
            Stage::Planned(plan) => Some(plan),
            _ => None,
        }
    }

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
    fn again(
        &self,
        target: Option<Target<'_>>,
        reopens: fn(&AwardState) -> bool,
    ) -> (Box<Plan>, Vec<Action>) {
        let mut plan = Box::new(self.clone());
        let mut actions = Vec::new();
        for index in 0..plan.awards.len() {
            if !reopens(&plan.awards[index].state) {
                continue;
            }
            match plan.render_rest(index, target) {
                Ok(steps) => {
                    let award = &mut plan.awards[index];
                    *award = Award::new(&award.reward, steps);
                    if award.state == AwardState::Planned {
                        actions.push(Action::Queue(index));
                    }
                }
                Err(reason) => plan.awards[index].state = AwardState::Refused { reason, reply: None },
            }
        }
        (plan, actions)
    }

    /// The finished steps of an award, followed by the rest from today's file.
    fn render_rest(&mut self, index: usize, target: Option<Target<'_>>) -> Result<Vec<Step>, String> {
        let award = &self.awards[index];
        let name = award.reward.clone();
        let finished: Vec<Step> =
            award.steps.iter().take_while(|step| step.finished.is_some()).cloned().collect();
        let gone =
            || format!("The reward {name} is no longer among the rewards of this server in rewards.yaml.");
        let target = target.ok_or_else(gone)?;
        let reward = target.rewards.iter().find(|reward| reward.name == name).ok_or_else(gone)?;
        let steps = self.render(reward, target)?;
        let unchanged = finished.len() <= steps.len()
            && finished.iter().zip(&steps).all(|(old, new)| old.command == new.command);
        if !unchanged {
            return Err(format!(
                "The first {} commands of the reward {name} have run already, and rewards.yaml has other commands in their place now. Put those back as they were, restart Votive and deliver again.",
                finished.len()
            ));
        }
        Ok(finished.iter().cloned().chain(steps.into_iter().skip(finished.len())).collect())
    }
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

    fn apply(&self, fact: AwardFact, now: Timestamp) -> Result<Award, Illegal> {
        use AwardFact as F;
        use AwardState as S;
        let mut award = self.clone();
        let Some(step) = award.steps.iter_mut().find(|step| step.finished.is_none()) else {
            return Err(illegal(format!("{fact:?}"), "without a step to come"));
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
            (S::InDoubt { .. }, F::Settled { ran: false }) => S::Planned,
            (S::Planned | S::InDoubt { .. } | S::Refused { .. }, F::Cancelled) => S::Closed,
            (state, fact) => return Err(illegal(format!("{fact:?}"), state.name())),
        };
        Ok(award)
    }

    /// Finishes the next step, and with the last one the award.
    fn finish(mut self, how: Finish) -> Award {
        if let Some(step) = self.steps.iter_mut().find(|step| step.finished.is_none()) {
            step.finished = Some(how);
        }
        Award::new(&self.reward, self.steps)
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

fn illegal(fact: String, state: &str) -> Illegal {
    Illegal { fact, state: state.to_owned() }
}

fn cut(reply: &str) -> String {
    reply.chars().take(KEPT_REPLY).collect()
}
