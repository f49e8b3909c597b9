//! What the operator asks of the running daemon. Each act is recorded with the grant: who asked for it, and when.

mod pauses;
mod replay;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Intake;
use crate::domain::act::{Act, Deed};
use crate::domain::award::{Award, AwardFact, AwardState, Step};
use crate::domain::doubts::Doubts;
use crate::domain::event::{EventKey, TEST_VOTE};
use crate::domain::grant::{Action, Fact, Grant, Illegal, Stage};
use crate::domain::plan::Planning;
use crate::domain::standing::Standing;
use crate::domain::vote::{ServerRef, Vote};
use crate::failpoint::{Point, crash_at};
use crate::ledger::{self, By, Cursor, LedgerError, Place, Record};

/// How many grants are pruned in one transaction.
const PRUNED_AT_ONCE: usize = 256;

/// What was settled.
#[derive(Debug)]
pub struct Settled {
    /// The names of the rewards.
    pub rewards: Vec<String>,
    /// Commands of theirs that are in doubt next: after a restore, nobody knows whether these ran either.
    pub next: Vec<Step>,
}

/// Why it did not come to what an operator wanted. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// No grant has this id.
    #[error(
        "The ledger has no vote with the id {0}. The log and the platform's interface show the ids; a vote that Votive has never heard of has to be delivered by the platform first."
    )]
    Unknown(String),
    /// As things stand, there is nothing to be done, or it has to be said more exactly.
    #[error("{0}")]
    NotNow(String),
    /// It is more than can be done at once.
    #[error("{0}")]
    TooMuch(String),
    /// The ledger has failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Intake {
    /// Issues what a vote of `player` for the game server of this name would earn, through everything but the
    /// platform. Gives the event and how its grant stands, at the latest at `deadline`.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn test_vote(
        &self,
        player: &str,
        server: &str,
        uid: u32,
        deadline: Instant,
    ) -> Result<(EventKey, Standing), LedgerError> {
        let event = EventKey::new(TEST_VOTE, &format!("test-{:016x}", fastrand::u64(..)));
        let server = ServerRef::Name(server.to_owned());
        let created_at = Some(self.surroundings.clock.now());
        let vote = Vote { nickname: player.to_owned(), server, user_id: None, created_at };
        let (mut follower, _) = self.board.follow(&event);
        let act = self.act(uid, Deed::AskedFor);
        // A grant that was received just now can be planned.
        let config = self.config.now();
        if let Ok(grant) = self.fetched(&config, &event, &vote, Some(&act)).await? {
            self.surroundings.report.planned(&grant, &config);
            self.go_on(&grant);
        }
        let standing = self.outcome(&mut follower, deadline).await;
        Ok((event, standing))
    }

    /// Settles what is in doubt about an event, as the operator found it.
    ///
    /// # Errors
    /// [`NotDone`] where nothing is in doubt of what is meant, or several are and not `all` are meant.
    pub async fn settle(
        &self,
        event_id: &str,
        doubts: Doubts<'_>,
        ran: bool,
        uid: u32,
    ) -> Result<Settled, NotDone> {
        let seen = self.find(event_id)?;
        let meant = doubts.of(&seen);
        if meant.len() > 1 && !doubts.all {
            let each =
                meant.iter().map(|(_, award, step)| format!("command {} ({})", step.number(), award.reward));
            return Err(NotDone::NotNow(format!(
                "Several commands are in doubt about the vote {event_id}, and each may have another answer: {}. Name one with --step or --reward, or answer for all with --all. votive explain {event_id} tells of each.",
                each.collect::<Vec<_>>().join(", ")
            )));
        }
        let mut settled: Vec<String> = Vec::new();
        let mut after: Option<Grant> = None;
        for (index, award, step) in meant {
            let (serial, reward) = (step.serial, award.reward.clone());
            let act = self.act(uid, Deed::Settled { reward: reward.clone(), serial, ran });
            let decide = |grant: Option<&Grant>| {
                // What came into doubt since is not what the operator has looked at, be it the same command once more.
                let same = |grant: &&Grant| {
                    let now = grant.plan().and_then(|plan| plan.awards.get(index));
                    let step = now.and_then(Award::next_step);
                    step.is_some_and(|step| step.serial == serial)
                        && now.and_then(Award::in_doubt_since) == award.in_doubt_since()
                };
                let fact = Fact::Award(index, AwardFact::Settled { ran });
                let after = grant.filter(same).ok_or(None)?.apply(fact, act.at).map_err(Some)?;
                Ok::<Grant, Option<Illegal>>(after.acted(act.clone()))
            };
            if let Ok(grant) = self.ledger.update(&seen.event, decide).await? {
                crash_at(Point::ActRecorded);
                self.surroundings.report.settled(&grant, index, ran, &self.config.now(), &act);
                settled.push(reward);
                after = Some(grant);
            }
        }
        let nothing = || {
            let is_named = doubts.reward.is_some() || doubts.serial.is_some();
            let what = if is_named { "Nothing that you name" } else { "Nothing" };
            NotDone::NotNow(format!(
                "{what} is in doubt about the vote {event_id}, so there is nothing to settle. votive explain {event_id} shows how it stands."
            ))
        };
        let grant = after.ok_or_else(nothing)?;
        let awards = grant.plan().map_or(&[][..], |plan| &plan.awards);
        let in_doubt = |award: &&Award| settled.contains(&award.reward) && award.in_doubt_since().is_some();
        let next: Vec<Step> = awards.iter().filter(in_doubt).filter_map(Award::next_step).cloned().collect();
        self.surroundings.report.doubts(&grant, |award| in_doubt(&award), &self.config.now());
        self.go_on(&grant);
        Ok(Settled { rewards: settled, next })
    }

    /// The grant with this id.
    fn find(&self, event_id: &str) -> Result<Grant, NotDone> {
        let found = self.ledger.find(event_id)?;
        found.map(|record| record.grant).ok_or_else(|| NotDone::Unknown(event_id.to_owned()))
    }

    fn act(&self, uid: u32, deed: Deed) -> Act {
        Act { at: self.surroundings.clock.now(), uid, deed }
    }

    /// Cancels what is still to come of an event, also what is in doubt or refused: it is closed. Gives the names of the
    /// rewards that are closed now; none where the vote as a whole is.
    ///
    /// # Errors
    /// [`NotDone`] where there is nothing to cancel, or a command of it is on its way.
    pub async fn cancel(&self, event_id: &str, uid: u32) -> Result<Vec<String>, NotDone> {
        let event = self.find(event_id)?.event;
        let act = self.act(uid, Deed::Cancelled);
        let decide = |grant: Option<&Grant>| {
            let grant = grant.ok_or_else(|| NotDone::Unknown(event_id.to_owned()))?;
            let after = grant.apply(Fact::Cancelled, act.at).map_err(|_| {
                NotDone::NotNow(match grant.is_being_sent() {
                    true => format!(
                        "A command of the vote {event} is on its way to the game at this moment. Nothing was cancelled; try again in a moment."
                    ),
                    false => {
                        format!("Nothing of the vote {event} is still to come, so there is nothing to cancel.")
                    }
                })
            });
            Ok::<Grant, NotDone>(after?.acted(act.clone()))
        };
        let grant = self.ledger.update(&event, decide).await??;
        crash_at(Point::ActRecorded);
        self.surroundings.report.cancelled(&grant, &self.config.now(), &act);
        // Whoever still asks the API for it finds out that there is no need.
        self.board.follow(&grant.event).0.nudge();
        if let Some(plan) = grant.plan() {
            self.dispatch.look_at(&grant.event, &plan.vote.server);
        }
        self.go_on(&grant);
        let awards = grant.plan().map_or(&[][..], |plan| &plan.awards).iter();
        let closed = awards.filter(|award| award.state == AwardState::Closed && award.since == Some(act.at));
        Ok(closed.map(|award| award.reward.clone()).collect())
    }

    /// Tries again what is refused or closed about an event, with the rewards as they are today and whatever may have
    /// been issued before. Gives the event, the name of its game server and how its grant stands, at the latest at
    /// `deadline`.
    ///
    /// # Errors
    /// [`NotDone`] where there is nothing to try again.
    pub async fn retry(
        self: &Arc<Self>,
        event_id: &str,
        uid: u32,
        deadline: Instant,
    ) -> Result<(EventKey, String, Standing), NotDone> {
        let grant = self.find(event_id)?;
        let (mut follower, _) = self.board.follow(&grant.event);
        let again = self.reopen(grant, uid, as_retry).await?;
        let standing = self.outcome(&mut follower, deadline).await;
        // The vote may have been fetched only now.
        let record = self.ledger.get(&again.event)?;
        let config = self.config.now();
        let server =
            record.and_then(|record| Some(config.server(&record.grant.vote()?.server)?.name.clone()));
        Ok((again.event, server.unwrap_or_else(|| "its server".to_owned()), standing))
    }

    /// Tries again all that is refused of votes for the game server of this name, or for any, as their redeliveries would
    /// do: what may have been rewarded before a restore is left alone. Gives how many votes were tried again, which go on
    /// after this, and how many were left alone.
    ///
    /// # Errors
    /// [`NotDone`] where the ledger fails, or Votive is stopped in the middle of it.
    pub async fn retry_refused(
        self: &Arc<Self>,
        server: Option<&str>,
        uid: u32,
    ) -> Result<(usize, usize), NotDone> {
        let ledger = self.ledger.clone();
        let refused = move || -> Result<Vec<EventKey>, LedgerError> {
            let grants = ledger.grants(&By::Refused, Timestamp::MIN..Timestamp::MAX, Place::Any)?;
            grants.map(|found| Ok(found?.1.grant.event)).collect()
        };
        let (mut retried, mut left) = (0, 0);
        for event in ledger::reading(refused).await? {
            if self.shutdown.is_cancelled() {
                let tried = format!("{retried} were tried again. The others are refused as before.");
                return Err(NotDone::NotNow(format!(
                    "Votive is stopping: of the votes that are refused, {tried}"
                )));
            }
            // Somebody else may have been faster, here and below.
            let refused = |record: &Record| record.grant.is_refused();
            let Some(Record { grant, .. }) = self.ledger.get(&event)?.filter(refused) else { continue };
            let config = self.config.now();
            let of = grant.vote().and_then(|vote| config.server(&vote.server)).map(|server| &server.name);
            if server.is_none_or(|name| of.is_some_and(|of| of == name)) {
                match self.reopen(grant, uid, as_redelivery).await {
                    Ok(_) => retried += 1,
                    Err(why @ NotDone::Ledger(_)) => return Err(why),
                    Err(_) => left += usize::from(self.ledger.get(&event)?.as_ref().is_some_and(refused)),
                }
            }
        }
        Ok((retried, left))
    }

    /// Reopens what a fact reopens of a grant, and sets it going.
    async fn reopen(
        self: &Arc<Self>,
        grant: Grant,
        uid: u32,
        fact: fn(Planning<'_>) -> Fact<'_>,
    ) -> Result<Grant, NotDone> {
        let (config, act) = (self.config.now(), self.act(uid, Deed::Retried));
        let planned = self.plan(&config, &grant.event, grant.vote(), Some(&act), fact).await?;
        // Without the act, nothing has changed.
        let Some(again) = planned.ok().filter(|again| again.acts.last() == Some(&act)) else {
            let stands = match grant.stage {
                Stage::Received { .. } => "the API is still being asked for it",
                Stage::Pruned => "it was final, and its details were pruned",
                _ if grant.is_open() => "it is still being issued, or in doubt",
                _ => "it is granted",
            };
            return Err(NotDone::NotNow(format!(
                "Nothing of the vote {} is refused or closed, so there is nothing to try again: {stands}.",
                grant.event
            )));
        };
        crash_at(Point::ActRecorded);
        self.surroundings.report.retried(&again.event, &act);
        // Whoever follows it already wants to know how it stands after this.
        self.board.publish(&again.event, Standing::Working);
        if again.actions() == [Action::Fetch] {
            let (setter, _) = self.board.follow(&again.event);
            self.tasks.spawn(Arc::clone(self).advance(again.event.clone(), setter));
        } else {
            self.surroundings.report.planned_again(&grant, &again, &config);
            self.go_on(&again);
        }
        Ok(again)
    }

    /// Gives up the details of grants that were received before this and are final, with nothing refused and no receipt
    /// in a game. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn prune(&self, received_before: Timestamp, uid: u32) -> Result<usize, LedgerError> {
        let (mut pruned, mut reached) = (0, None::<Cursor>);
        loop {
            // Each time anew: what one transaction has freed, the next one can use only when nobody reads it any more.
            let ledger = self.ledger.clone();
            let next = move || {
                let received = Timestamp::MIN..received_before;
                let some = ledger.next_grants(&By::Time, received, &mut reached, PRUNED_AT_ONCE)?;
                Ok((reached, some))
            };
            let some;
            (reached, some) = ledger::reading(next).await?;
            if some.is_empty() || self.shutdown.is_cancelled() {
                self.surroundings.report.pruned(pruned, uid);
                return Ok(pruned);
            }
            pruned += self.ledger.prune(&some).await?;
            crash_at(Point::ActRecorded);
        }
    }
}

// The variants themselves are functions of one lifetime, not of any.

fn as_retry(with: Planning<'_>) -> Fact<'_> {
    Fact::Retried(with)
}

fn as_redelivery(with: Planning<'_>) -> Fact<'_> {
    Fact::Redelivered(with)
}
