//! From an event to a grant: look up, fetch, plan, record; then the workers go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Acknowledge, Config};
use crate::dispatch::board::{Board, Follower};
use crate::dispatch::{Dispatch, story};
use crate::domain::event::{EventKey, TEST_VOTE};
use crate::domain::grant::{Action, AwardFact, AwardState, Fact, Grant, Illegal, Stage};
use crate::domain::standing::{self, Standing, Wait};
use crate::domain::vote::{ServerRef, Vote};
use crate::ledger::{Ledger, LedgerError};
use crate::platform::{Api, FetchError};

/// The wait before the API is asked a second time; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait: after an outage of the API every vote is fetched within it.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How many votes are fetched at the same time.
const FETCHES: usize = 32;

/// Takes in events.
#[derive(Debug)]
pub struct Intake {
    config: Arc<Config>,
    ledger: Ledger,
    api: Api,
    board: Board,
    dispatch: Dispatch,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    /// The place of the last plan among all plans.
    last_order: AtomicU64,
    fetches: Semaphore,
}

/// Why nothing was settled. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotSettled {
    /// No grant has this id.
    #[error("The ledger has no vote with the id {0}. The log and the platform's interface show the ids.")]
    Unknown(String),
    /// The grant is there, and nothing of it is in doubt.
    #[error("Nothing of the vote {0} is in doubt, so there is nothing to settle.")]
    NothingInDoubt(String),
    /// The ledger has failed.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl Intake {
    /// Puts the parts together. Nothing happens until [`resume`](Self::resume) or an event.
    pub fn new(
        config: Arc<Config>,
        ledger: Ledger,
        api: Api,
        board: Board,
        dispatch: Dispatch,
        shutdown: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Intake {
            config,
            ledger,
            api,
            board,
            dispatch,
            shutdown,
            tasks,
            last_order: AtomicU64::new(0),
            fetches: Semaphore::new(FETCHES),
        }
    }

    /// Goes on with everything that was open when Votive stopped. What was on the wire then is in doubt.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn resume(self: &Arc<Self>) -> Result<(), LedgerError> {
        let open = self.ledger.open_grants()?;
        let last = open.iter().filter_map(|record| Some(record.grant.plan()?.order)).max();
        self.last_order.store(last.unwrap_or(0), Ordering::Relaxed);
        for record in open {
            let event = record.grant.event;
            let Some(plan) = record.grant.stage.into_plan() else {
                let (follower, _) = self.board.follow(&event);
                self.tasks.spawn(Arc::clone(self).settle(event, follower));
                continue;
            };
            for (index, award) in plan.awards.iter().enumerate() {
                if award.state == AwardState::Sending {
                    let reason = "Votive was stopped while the command was on its way".to_owned();
                    self.apply(&event, Fact::Award(index, AwardFact::NoOutcome { reason })).await?.ok();
                }
            }
            let Some(record) = self.ledger.get(&event)? else {
                continue;
            };
            self.tell_doubts(&record.grant);
            if !self.dispatch.look_at(&event, &plan.vote.server) {
                tracing::warn!(%event, player = %plan.player, "waits: no server in rewards.yaml has the {} any more; add it again and restart Votive", plan.vote.server);
            }
        }
        Ok(())
    }

    fn tell_planned(&self, grant: &Grant) {
        if let Some(plan) = grant.plan() {
            let server = self.config.server(&plan.vote.server).map_or("?", |server| &server.name);
            let rewards: Vec<&str> = plan.awards.iter().map(|award| award.reward.as_str()).collect();
            tracing::info!(event = %grant.event, player = %plan.player, %server, user_id = plan.vote.user_id, rewards = rewards.join(","), "vote");
        }
    }

    fn tell_doubts(&self, grant: &Grant) {
        let Some(plan) = grant.plan() else { return };
        let server = self.config.server(&plan.vote.server).map_or("?", |server| &server.name);
        for award in &plan.awards {
            if let AwardState::InDoubt { reason, .. } = &award.state {
                story::in_doubt(&grant.event, plan, server, award, reason);
            }
        }
    }

    /// Takes in a delivery of `event` and waits, at most until `deadline`, to learn how its grant stands. What has
    /// begun goes on after that. Deliveries of one event at the same moment share one grant and one answer.
    pub async fn deliver(self: &Arc<Self>, event: &EventKey, deadline: Instant) -> Standing {
        if self.shutdown.is_cancelled() {
            return Standing::Unrecorded;
        }
        let recorded = self.config.webhook.acknowledge == Acknowledge::Recorded;
        if recorded && self.record(event).await.is_err() {
            return Standing::Unrecorded;
        }
        let (mut follower, first) = self.board.follow(event);
        if first {
            let (setter, _) = self.board.follow(event);
            self.tasks.spawn(Arc::clone(self).settle(event.clone(), setter));
        } else {
            follower.nudge();
        }
        if recorded {
            return Standing::Recorded;
        }
        tokio::select! {
            biased;
            standing = follower.settled(deadline) => standing,
            () = self.ledger.failed() => Standing::Unrecorded,
        }
    }

    /// Issues what a vote of `player` for the game server of this name would earn, through everything but the
    /// platform. Gives the event and how its grant stands, at the latest at `deadline`.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn test_vote(
        &self,
        player: &str,
        server: &str,
        deadline: Instant,
    ) -> Result<(EventKey, Standing), LedgerError> {
        let event = EventKey::new(TEST_VOTE, &format!("test-{:016x}", fastrand::u64(..)));
        let now = Timestamp::now();
        let server = ServerRef::Name(server.to_owned());
        let vote = Vote { nickname: player.to_owned(), server, user_id: None, created_at: Some(now) };
        let (mut follower, _) = self.board.follow(&event);
        // A grant that was received just now can be planned.
        if let Ok((grant, _)) = self.apply(&event, self.fetched(vote)).await? {
            self.tell_planned(&grant);
            self.go_on(&grant);
        }
        Ok((event, follower.settled(deadline).await))
    }

    /// Settles every award of an event that is in doubt, as the operator found it. Gives the names of the rewards.
    ///
    /// # Errors
    /// [`NotSettled`] where there is nothing to settle.
    pub async fn settle_doubt(&self, event_id: &str, ran: bool) -> Result<Vec<String>, NotSettled> {
        let unknown = || NotSettled::Unknown(event_id.to_owned());
        let record = self.ledger.find(event_id)?.ok_or_else(unknown)?;
        let awards = record.grant.plan().map_or(&[][..], |plan| &plan.awards);
        let mut settled = Vec::new();
        for (index, award) in awards.iter().enumerate() {
            let fact = Fact::Award(index, AwardFact::Settled { ran });
            // Only what is in doubt can be settled; anything else refuses the fact.
            if let Ok((grant, _)) = self.apply(&record.grant.event, fact).await? {
                tracing::info!(event = %grant.event, reward = %award.reward, ran, "settled by the operator");
                settled.push(award.reward.clone());
                self.go_on(&grant);
            }
        }
        if settled.is_empty() {
            return Err(NotSettled::NothingInDoubt(event_id.to_owned()));
        }
        Ok(settled)
    }

    /// Makes the event durable, if it is not yet.
    async fn record(&self, event: &EventKey) -> Result<(), LedgerError> {
        let now = Timestamp::now();
        let received = |grant: Option<&Grant>| -> Result<_, std::convert::Infallible> {
            Ok((grant.cloned().unwrap_or_else(|| Grant::received(event.clone(), now)), ()))
        };
        self.ledger.update(event, received).await.map(drop)
    }

    /// Brings an event as far as it can be brought without a game server. `follower` keeps the event's entry on the
    /// board, so that only one of these runs for an event.
    async fn settle(self: Arc<Self>, event: EventKey, follower: Follower) {
        let settled = match self.ledger.get(&event) {
            Ok(Some(record)) if !matches!(record.grant.stage, Stage::Received { .. }) => {
                self.again(&event, &follower).await
            }
            Ok(_) => self.fetch(&event, &follower).await,
            Err(error) => Err(error),
        };
        match settled {
            Ok(Some(grant)) => self.go_on(&grant),
            Ok(None) | Err(_) => self.board.publish(&event, Standing::Unrecorded),
        }
    }

    /// A delivery of an event that is past its fetch: what is refused is tried again.
    async fn again(&self, event: &EventKey, follower: &Follower) -> Result<Option<Grant>, LedgerError> {
        let Some(record) = self.ledger.get(event)? else {
            return Ok(None);
        };
        let server = match &record.grant.stage {
            Stage::Planned(plan) => Some(&plan.vote.server),
            Stage::Refused { vote, .. } => vote.as_ref().map(|vote| &vote.server),
            Stage::Received { .. } => None,
        };
        let target =
            server.and_then(|server| self.config.server(server)).map(|server| self.config.target(server));
        let order = self.next_order();
        match self.apply(event, Fact::Redelivered { target, order }).await? {
            Ok((_, actions)) if actions.contains(&Action::Fetch) => self.fetch(event, follower).await,
            Ok((grant, _)) => Ok(Some(grant)),
            Err(_) => Ok(Some(record.grant)),
        }
    }

    /// Asks the API until it tells the vote, or that there is none; `None` if the shutdown came first.
    async fn fetch(&self, event: &EventKey, follower: &Follower) -> Result<Option<Grant>, LedgerError> {
        let mut asked: Option<Instant> = None;
        loop {
            let answer = tokio::select! {
                answer = self.ask(event) => answer,
                () = self.shutdown.cancelled() => return Ok(None),
            };
            let seconds =
                asked.replace(Instant::now()).map_or(0, |asked| asked.elapsed().as_secs_f64().round() as u64);
            let fact = match &answer {
                Ok(vote) => self.fetched(vote.clone()),
                Err(FetchError::NotFound) => Fact::NotFound { seconds },
                Err(FetchError::Temporary(_)) => Fact::FetchFailed { seconds },
                Err(FetchError::Mismatch(why)) => {
                    Fact::Mismatch { reason: format!("The vote is refused: {why}.") }
                }
            };
            // Somebody else has planned it: nothing of ours can do that while this runs, so it is final for us.
            let Ok((grant, _)) = self.apply(event, fact).await? else {
                return Ok(self.ledger.get(event)?.map(|record| record.grant));
            };
            let Stage::Received { attempts, .. } = grant.stage else {
                self.tell_planned(&grant);
                return Ok(Some(grant));
            };
            let wait = wait_before(attempts);
            if let Err(why) = answer {
                tracing::warn!(%event, attempts, "waiting for the API: {why}; asking again in {} s", wait.as_secs());
            }
            self.board.publish(event, Standing::ApiDown);
            tokio::select! {
                () = sleep(wait) => {}
                () = follower.nudged() => {}
                () = self.shutdown.cancelled() => return Ok(None),
            }
        }
    }

    async fn ask(&self, event: &EventKey) -> Result<Vote, FetchError> {
        let ask = async {
            // The semaphore is never closed, so there is always a permit in the end.
            let _permit = self.fetches.acquire().await;
            self.api.vote(event).await
        };
        let late = || FetchError::Temporary("too many votes are asked for at once".to_owned());
        timeout(self.api.limit(), ask).await.unwrap_or_else(|_| Err(late()))
    }

    /// The fact that a vote is known, with the rewards of its server as they are today.
    fn fetched(&self, vote: Vote) -> Fact<'_> {
        let target = self.config.server(&vote.server).map(|server| self.config.target(server));
        Fact::Fetched { vote, target, order: self.next_order() }
    }

    /// A place behind all plans so far: the time in microseconds, or one more than the last. So it also comes behind
    /// plans that are refused at the moment, unless the clock went back.
    fn next_order(&self) -> u64 {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let next = |last: u64| now.max(last + 1);
        let last = self.last_order.update(Ordering::Relaxed, Ordering::Relaxed, next);
        next(last)
    }

    /// Makes a fact durable; about an event that the ledger does not know, it is a fact about a new grant.
    async fn apply(
        &self,
        event: &EventKey,
        fact: Fact<'_>,
    ) -> Result<Result<(Grant, Vec<Action>), Illegal>, LedgerError> {
        let now = Timestamp::now();
        let decide = |grant: Option<&Grant>| match grant {
            Some(grant) => grant.apply(fact.clone(), now),
            None => Grant::received(event.clone(), now).apply(fact.clone(), now),
        };
        self.ledger.update(event, decide).await
    }

    /// Hands a grant to its worker, and publishes how it stands where there is nothing to do for one.
    fn go_on(&self, grant: &Grant) {
        let event = &grant.event;
        match grant.plan() {
            Some(plan) if grant.is_open() => {
                if !self.dispatch.look_at(event, &plan.vote.server) {
                    self.board.publish(event, Standing::ServerGone(plan.vote.server.clone()));
                }
            }
            _ => {
                if let Stage::Refused { reason, vote } = &grant.stage {
                    let nickname = vote.as_ref().map_or("", |vote| &vote.nickname);
                    tracing::warn!(%event, nickname = %crate::text::Outside(nickname), "refused: {reason}");
                }
                self.board.publish(event, standing::of(grant, "", |_, _| Wait::Turn));
            }
        }
    }
}

/// How long to wait after so many attempts, between three quarters of the full time and all of it.
fn wait_before(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = (FIRST_WAIT * 2u32.pow(doublings)).min(LONGEST_WAIT);
    full.mul_f64(1.0 - fastrand::f64() / 4.0)
}
