//! What the operator asks of the running daemon. Each act is recorded with the grant: who asked for it, and when.

mod pauses;
mod replay;

pub use replay::NotReplayed;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Intake;
use crate::domain::act::{Act, Deed};
use crate::domain::award::{Award, AwardFact, AwardState};
use crate::domain::event::{EventKey, TEST_VOTE};
use crate::domain::grant::{Action, Fact, Grant, Illegal, Stage};
use crate::domain::standing::Standing;
use crate::domain::vote::{ServerRef, Vote};
use crate::failpoint::{Point, crash_at};
use crate::ledger::{self, By, Cursor, LedgerError, Record};

/// How many grants are pruned in one transaction.
const PRUNED_AT_ONCE: usize = 256;

/// What of a vote is meant to be settled: all that is in doubt, or less.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doubts<'a> {
    /// Only of this reward.
    pub reward: Option<&'a str>,
    /// Only this step, by its serial number.
    pub serial: Option<u32>,
}

impl Doubts<'_> {
    fn include(&self, award: &Award) -> bool {
        doubtful(award)
            && self.reward.is_none_or(|name| name == award.reward)
            && self.serial.is_none_or(|serial| award.next_step().is_some_and(|step| step.serial == serial))
    }
}

fn doubtful(award: &Award) -> bool {
    since(award).is_some()
}

/// Since when it is in doubt, if it is.
fn since(award: &Award) -> Option<Timestamp> {
    match award.state {
        AwardState::InDoubt { since, .. } => Some(since),
        _ => None,
    }
}

/// What was settled.
#[derive(Debug)]
pub struct Settled {
    /// The names of the rewards.
    pub rewards: Vec<String>,
    /// Commands of theirs that are in doubt next: after a restore, nobody knows whether these ran either.
    pub next: Vec<String>,
}

/// Why nothing was settled. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotSettled {
    /// No grant has this id.
    #[error("The ledger has no vote with the id {0}. The log and the platform's interface show the ids.")]
    Unknown(String),
    /// The grant is there, and nothing of it is in doubt.
    #[error("Nothing of that is in doubt about the vote {0}, so there is nothing to settle.")]
    NothingInDoubt(String),
    /// The ledger has failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why nothing was tried again. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotRetried {
    /// No grant has this id.
    #[error(
        "The ledger has no vote with the id {0}. The log and the platform's interface show the ids; a vote that Votive has never heard of has to be delivered by the platform first."
    )]
    Unknown(String),
    /// The grant is open, or granted.
    #[error("Nothing of the vote {event} is refused or closed, so there is nothing to try again: {stands}.")]
    NothingToRetry {
        /// Which one.
        event: EventKey,
        /// How it stands instead.
        stands: &'static str,
    },
    /// The ledger has failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Why nothing was cancelled. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotCancelled {
    /// No grant has this id.
    #[error("The ledger has no vote with the id {0}. The log and the platform's interface show the ids.")]
    Unknown(String),
    /// Everything is final.
    #[error("Nothing of the vote {0} is still to come, so there is nothing to cancel.")]
    NothingToCancel(EventKey),
    /// It is too late for this moment.
    #[error(
        "A command of the vote {0} is on its way to the game at this moment. Nothing was cancelled; try again in a moment."
    )]
    BeingSent(EventKey),
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
        let act = self.act(uid, Deed::Tested);
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
    /// [`NotSettled`] where there is nothing to settle.
    pub async fn settle(
        &self,
        event_id: &str,
        doubts: Doubts<'_>,
        ran: bool,
        uid: u32,
    ) -> Result<Settled, NotSettled> {
        let unknown = || NotSettled::Unknown(event_id.to_owned());
        let seen = self.ledger.find(event_id)?.ok_or_else(unknown)?.grant;
        let awards = seen.plan().map_or(&[][..], |plan| &plan.awards);
        let mut settled: Vec<String> = Vec::new();
        let mut after: Option<Grant> = None;
        for (index, award) in awards.iter().enumerate().filter(|(_, award)| doubts.include(award)) {
            let Some(serial) = award.next_step().map(|step| step.serial) else { continue };
            let deed = Deed::Settled { reward: award.reward.clone(), serial, ran };
            let act = self.act(uid, deed);
            let decide = |grant: Option<&Grant>| {
                // What came into doubt since is not what the operator has looked at, be it the same command once more.
                let same = |grant: &&Grant| {
                    let now = grant.plan().and_then(|plan| plan.awards.get(index));
                    let step = now.and_then(Award::next_step);
                    step.is_some_and(|step| step.serial == serial) && now.and_then(since) == since(award)
                };
                let fact = Fact::Award(index, AwardFact::Settled { ran });
                let after = grant.filter(same).ok_or(None)?.apply(fact, act.at).map_err(Some)?;
                Ok::<Grant, Option<Illegal>>(after.acted(act.clone()))
            };
            if let Ok(grant) = self.ledger.update(&seen.event, decide).await? {
                crash_at(Point::ActRecorded);
                self.surroundings.report.settled(&grant, index, ran, &self.config.now(), act.at);
                settled.push(award.reward.clone());
                after = Some(grant);
            }
        }
        let grant = after.ok_or_else(|| NotSettled::NothingInDoubt(event_id.to_owned()))?;
        let plan = grant.plan().into_iter();
        let in_doubt = plan.flat_map(|plan| &plan.awards).filter(|award| settled.contains(&award.reward));
        let in_doubt = in_doubt.filter(|award| doubtful(award)).filter_map(Award::next_step);
        let next: Vec<String> = in_doubt.map(|step| step.command.clone()).collect();
        if !next.is_empty() {
            self.surroundings.report.doubts(&grant, &self.config.now());
        }
        self.go_on(&grant);
        Ok(Settled { rewards: settled, next })
    }

    fn act(&self, uid: u32, deed: Deed) -> Act {
        Act { at: self.surroundings.clock.now(), uid, deed }
    }

    /// Cancels what is still to come of an event, also what is in doubt or refused: it is closed. Gives the names of the
    /// rewards that are closed now; none where the vote as a whole is.
    ///
    /// # Errors
    /// [`NotCancelled`] where there is nothing to cancel, or a command of it is on its way.
    pub async fn cancel(&self, event_id: &str, uid: u32) -> Result<Vec<String>, NotCancelled> {
        let unknown = || NotCancelled::Unknown(event_id.to_owned());
        let seen = self.ledger.find(event_id)?.ok_or_else(unknown)?.grant;
        let act = self.act(uid, Deed::Cancelled);
        let decide = |grant: Option<&Grant>| {
            let grant = grant.ok_or_else(unknown)?;
            match grant.apply(Fact::Cancelled, act.at) {
                Ok(after) => Ok(after.acted(act.clone())),
                Err(_) if grant.is_being_sent() => Err(NotCancelled::BeingSent(grant.event.clone())),
                Err(_) => Err(NotCancelled::NothingToCancel(grant.event.clone())),
            }
        };
        let grant = self.ledger.update(&seen.event, decide).await??;
        crash_at(Point::ActRecorded);
        self.surroundings.report.cancelled(&grant, &self.config.now(), act.at);
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
    /// [`NotRetried`] where there is nothing to try again.
    pub async fn retry(
        self: &Arc<Self>,
        event_id: &str,
        uid: u32,
        deadline: Instant,
    ) -> Result<(EventKey, String, Standing), NotRetried> {
        let unknown = || NotRetried::Unknown(event_id.to_owned());
        let grant = self.ledger.find(event_id)?.ok_or_else(unknown)?.grant;
        let (mut follower, _) = self.board.follow(&grant.event);
        let again = self.reopen(grant, uid).await?;
        let standing = self.outcome(&mut follower, deadline).await;
        // The vote may have been fetched only now.
        let record = self.ledger.get(&again.event)?;
        let config = self.config.now();
        let server =
            record.and_then(|record| Some(config.server(&record.grant.vote()?.server)?.name.clone()));
        Ok((again.event, server.unwrap_or_else(|| "its server".to_owned()), standing))
    }

    /// Tries again all that is refused of votes for the game server of this name, or for any, as
    /// [`retry`](Self::retry) does. Gives how many votes that are; they go on after this.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn retry_refused(
        self: &Arc<Self>,
        server: Option<&str>,
        uid: u32,
    ) -> Result<usize, LedgerError> {
        let ledger = self.ledger.clone();
        let refused = move || -> Result<Vec<Grant>, LedgerError> {
            let grants = ledger.grants(&By::Refused, Timestamp::MIN..Timestamp::MAX, None)?;
            grants.map(|found| Ok(found?.1.grant)).collect()
        };
        let mut retried = 0;
        for grant in self.reading(refused).await? {
            let config = self.config.now();
            let of = grant.vote().and_then(|vote| config.server(&vote.server)).map(|server| &server.name);
            if server.is_none_or(|name| of.is_some_and(|of| of == name)) {
                match self.reopen(grant, uid).await {
                    Ok(_) => retried += 1,
                    Err(NotRetried::Ledger(error)) => return Err(error),
                    // Somebody else was faster.
                    Err(_) => {}
                }
            }
        }
        Ok(retried)
    }

    /// Reopens what is refused or closed of a grant, and sets it going.
    async fn reopen(self: &Arc<Self>, grant: Grant, uid: u32) -> Result<Grant, NotRetried> {
        let (config, act) = (self.config.now(), self.act(uid, Deed::Retried));
        let planned = self.plan(&config, &grant.event, grant.vote(), Some(&act), Fact::Retried);
        let Ok(again) = planned.await? else {
            let stands = match grant.stage {
                Stage::Received { .. } => "the API is still being asked for it",
                Stage::Pruned => "it was final, and its details were pruned",
                _ if grant.is_open() => "it is still being issued, or in doubt",
                _ => "it is granted",
            };
            return Err(NotRetried::NothingToRetry { event: grant.event, stands });
        };
        crash_at(Point::ActRecorded);
        self.surroundings.report.retried(&again.event);
        // Whoever follows it already wants to know how it stands after this.
        self.board.publish(&again.event, Standing::Working);
        if again.actions() == [Action::Fetch] {
            let (setter, _) = self.board.follow(&again.event);
            self.tasks.spawn(Arc::clone(self).advance(again.event.clone(), setter));
        } else {
            self.surroundings.report.planned(&again, &config);
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
            let (ledger, before) = (self.ledger.clone(), reached.take());
            let next = move || -> Result<(Option<Cursor>, Vec<Record>), LedgerError> {
                let grants = ledger.grants(&By::Time, Timestamp::MIN..received_before, before.as_ref())?;
                let some = grants.rev().take(PRUNED_AT_ONCE).collect::<Result<Vec<_>, _>>()?;
                let reached = some.last().map(|(cursor, _)| cursor.clone());
                Ok((reached, some.into_iter().map(|(_, record)| record).collect()))
            };
            let some;
            (reached, some) = self.reading(next).await?;
            if some.is_empty() || self.shutdown.is_cancelled() {
                self.surroundings.report.pruned(pruned, uid);
                return Ok(pruned);
            }
            pruned += self.ledger.prune(&some).await?;
            crash_at(Point::ActRecorded);
        }
    }

    /// Reads much of the ledger, without keeping others from their work meanwhile.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        ledger::reading(read).await
    }

    /// A backup of the ledger as it is at this moment, in pieces. It breaks off when Votive is stopped.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub fn backup(&self) -> Result<impl Iterator<Item = io::Result<Bytes>> + Send + use<>, LedgerError> {
        let (backup, shutdown) = (self.ledger.backup(self.surroundings.clock.now())?, self.shutdown.clone());
        Ok(backup.map(move |piece| match piece {
            _ if shutdown.is_cancelled() => Err(io::Error::other("Votive is stopping")),
            piece => piece.map_err(io::Error::other),
        }))
    }
}
