//! From an event to a grant: look up, fetch, plan, record; then the workers go on.

mod explain;
mod follow;
mod inspect;
mod operator;

pub use follow::News;
pub use inspect::Open;
pub use operator::{NotDone, Settled};

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::config::{Acknowledge, Config, Live};
use crate::dispatch::Dispatch;
use crate::dispatch::board::{Board, Follower};
use crate::dispatch::servers::Servers;
use crate::domain::act::Act;
use crate::domain::award::AwardFact;
use crate::domain::counter::{Counter, Scoped};
use crate::domain::event::EventKey;
use crate::domain::grant::{Action, Fact, Grant, Illegal, Stage};
use crate::domain::plan::{self, Planning};
use crate::domain::standing::{self, Standing, Wait};
use crate::domain::vote::Vote;
use crate::failpoint::{Point, crash_at};
use crate::ledger::{Ledger, LedgerError};
use crate::log::about;
use crate::platform::FetchError;
use crate::surroundings::Surroundings;
use crate::tasks::Tasks;

/// The wait before the API is asked a second time; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// The longest wait that the API is granted when it asks for one: whoever voted waits, too.
const LONGEST_GRANTED_WAIT: Duration = Duration::from_secs(60 * 60);
/// How many votes are asked for again at the same time; those that have just arrived do not wait behind them.
const RETRIES: usize = 16;

/// Takes in events.
#[derive(Debug)]
pub struct Intake {
    config: Live,
    ledger: Ledger,
    surroundings: Surroundings,
    board: Board,
    dispatch: Dispatch,
    servers: Servers,
    /// Held by who changes the pauses, in the ledger and then in memory: so both say the same.
    pausing: Mutex<()>,
    shutdown: CancellationToken,
    tasks: Tasks,
    /// The place of the last plan among all plans.
    last_order: AtomicU64,
    retries: Semaphore,
}

impl Intake {
    /// Goes on with everything that was open when Votive stopped. What was on the wire then
    /// is in doubt. Everything ends after `shutdown`, once what is on the wire is recorded.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn start(
        config: Live,
        ledger: Ledger,
        surroundings: Surroundings,
        servers: Servers,
        shutdown: CancellationToken,
        tasks: Tasks,
    ) -> Result<Arc<Self>, LedgerError> {
        surroundings.report.started(surroundings.clock.now());
        let board = Board::default();
        let dispatch = Dispatch::new(&config, &ledger, &board, &surroundings, &shutdown, &tasks, &servers);
        let intake = Arc::new(Intake {
            config,
            ledger,
            surroundings,
            board,
            dispatch,
            servers,
            pausing: Mutex::default(),
            shutdown,
            tasks,
            last_order: AtomicU64::new(0),
            retries: Semaphore::new(RETRIES),
        });
        intake.take_up().await?;
        Ok(intake)
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }

    async fn take_up(self: &Arc<Self>) -> Result<(), LedgerError> {
        let open = self.ledger.attended_grants()?;
        let last = open.iter().filter_map(|record| Some(record.grant.plan()?.order)).max();
        self.last_order.store(last.unwrap_or(0), Ordering::Relaxed);
        let (mut planned, mut received) = (Vec::new(), Vec::new());
        for record in open {
            match record.grant.plan() {
                Some(plan) => planned.push((plan.order, self.interrupted(record.grant).await?)),
                None => received.push(record.grant.event),
            }
        }
        // The workers hear of all of them before they begin, and so begin with the first.
        planned.sort_by_key(|(order, _)| *order);
        let config = self.config.now();
        for (_, grant) in &planned {
            self.surroundings.report.doubts(grant, |_| true, &config);
        }
        self.announce(planned.iter().map(|(_, grant)| grant));
        // Only now: what is planned from now on comes after those.
        for event in received {
            let (follower, _) = self.board.follow(&event);
            self.tasks.spawn(Arc::clone(self).advance(event, follower));
        }
        Ok(())
    }

    /// Works with another configuration from now on. What is planned stays as it is; each grant that is open, or has
    /// receipts in its game, is announced to the worker of the address that its game server has now. Gives how many
    /// open grants have no game server in the configuration, each of which was named in a warning.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub fn reload(&self, config: Config) -> Result<usize, LedgerError> {
        self.config.replace(config);
        self.surroundings.report.reloaded(self.surroundings.clock.now());
        let mut planned: Vec<Grant> =
            self.ledger.attended_grants()?.into_iter().map(|record| record.grant).collect();
        // What is still fetched is planned with the configuration of that moment.
        planned.retain(|grant| grant.plan().is_some());
        planned.sort_by_key(|grant| grant.plan().map(|plan| plan.order));
        Ok(self.announce(&planned))
    }

    /// Tells the workers of grants, in this order. Gives how many wait for a game server that is not configured.
    fn announce<'g>(&self, grants: impl IntoIterator<Item = &'g Grant>) -> usize {
        let mut gone = 0;
        for grant in grants {
            if let Some(plan) = grant.plan().filter(|_| !grant.is_open()) {
                // Its worker has to know of its receipts, if it still has one.
                self.dispatch.look_at(&grant.event, &plan.vote.server);
            } else if let Some(Standing::ServerGone(_)) = self.go_on(grant) {
                gone += 1;
            }
        }
        gone
    }

    /// A grant as it is after a stop: nobody knows what became of the steps that were on their way.
    async fn interrupted(&self, grant: Grant) -> Result<Grant, LedgerError> {
        let mut after = grant;
        for action in after.actions() {
            if let Action::Send(index) = action {
                let reason = "Votive was stopped while the command was on its way".to_owned();
                let fact = Fact::Award(index, AwardFact::NoOutcome { reason });
                // What is being sent can end without an outcome.
                if let Ok(grant) = self.apply(&after.event, fact).await? {
                    after = grant;
                }
            }
        }
        Ok(after)
    }

    /// Takes in a delivery of `event` and waits, at most until `deadline`, to learn how its grant stands. What has
    /// begun goes on after that. Deliveries of one event at the same moment share one grant and one answer.
    pub async fn deliver(self: &Arc<Self>, event: &EventKey, deadline: Instant) -> Standing {
        if self.shutdown.is_cancelled() {
            return Standing::Unrecorded;
        }
        let (mut follower, first) = self.board.follow(event);
        if first {
            let (setter, _) = self.board.follow(event);
            self.tasks.spawn(Arc::clone(self).advance(event.clone(), setter));
        } else {
            follower.nudge();
        }
        if self.config.now().webhook.acknowledge == Acknowledge::Recorded {
            return self.record(event).await.map_or(Standing::Unrecorded, |_| Standing::Recorded);
        }
        match self.outcome(&mut follower, deadline).await {
            // The answer does not wait any longer, so the event has to be durable before it.
            Standing::Working => match self.record(event).await {
                Ok(Grant { stage: Stage::Received { .. }, .. }) => Standing::ApiDown,
                Ok(grant) if !grant.is_open() => standing::of(&grant, "", |_, _| Wait::Turn),
                Ok(_) => Standing::Working,
                Err(_) => Standing::Unrecorded,
            },
            known => known,
        }
    }

    /// How an event stands at the latest at `deadline`.
    async fn outcome(&self, follower: &mut Follower, deadline: Instant) -> Standing {
        tokio::select! {
            biased;
            standing = follower.outcome(deadline) => standing,
            _ = self.ledger.failed() => Standing::Unrecorded,
        }
    }

    /// Makes the event durable, if it is not yet. Gives its grant.
    async fn record(&self, event: &EventKey) -> Result<Grant, LedgerError> {
        let now = self.surroundings.clock.now();
        let received = |grant: Option<&Grant>| -> Result<Grant, Infallible> {
            Ok(grant.cloned().unwrap_or_else(|| Grant::received(event.clone(), now)))
        };
        let Ok(grant) = self.ledger.update(event, received).await?;
        crash_at(Point::EventRecorded);
        Ok(grant)
    }

    /// Brings an event as far as it can be brought without a game server. `follower` keeps the event's entry on the
    /// board, so that only one of these runs for an event.
    async fn advance(self: Arc<Self>, event: EventKey, follower: Follower) {
        let advanced = async {
            match self.ledger.get(&event)? {
                Some(record) if record.grant.actions() != [Action::Fetch] => {
                    self.redelivered(record.grant, &follower).await
                }
                record => self.fetch(&event, &follower, record.is_some()).await,
            }
        };
        match advanced.instrument(about(&event)).await {
            Ok(Some(grant)) => drop(self.go_on(&grant)),
            Ok(None) | Err(_) => self.board.publish(&event, Standing::Unrecorded),
        }
    }

    /// A delivery of an event that is past its fetch: what is refused is tried again.
    async fn redelivered(&self, grant: Grant, follower: &Follower) -> Result<Option<Grant>, LedgerError> {
        let config = self.config.now();
        // A redelivery fits every grant.
        match self.plan(&config, &grant.event, grant.vote(), None, Fact::Redelivered).await? {
            Ok(again) if again.actions() == [Action::Fetch] => {
                self.fetch(&again.event, follower, false).await
            }
            Ok(again) => {
                self.surroundings.report.planned_again(&grant, &again, &config);
                Ok(Some(again))
            }
            Err(_) => Ok(Some(grant)),
        }
    }

    /// Asks the API until it tells the vote, or that there is none; `None` if the shutdown came first. An event that
    /// was asked for in an earlier run is asked for `again`.
    async fn fetch(
        &self,
        event: &EventKey,
        follower: &Follower,
        again: bool,
    ) -> Result<Option<Grant>, LedgerError> {
        let mut asked: Option<Instant> = None;
        loop {
            let answer = tokio::select! {
                biased;
                answer = self.ask(event, again || asked.is_some()) => answer,
                () = self.shutdown.cancelled() => return Ok(None),
            };
            let seconds =
                asked.replace(Instant::now()).map_or(0, |asked| asked.elapsed().as_secs_f64().round() as u64);
            let config = self.config.now();
            let applied = match &answer {
                Ok(vote) => self.fetched(&config, event, vote, None).await?,
                Err(why) => self.apply(event, not_fetched(why, seconds)).await?,
            };
            let Ok(grant) = applied else {
                // Somebody else was faster.
                return Ok(self.ledger.get(event)?.map(|record| record.grant));
            };
            let Stage::Received { attempts, .. } = grant.stage else {
                crash_at(Point::PlanRecorded);
                self.surroundings.report.planned(&grant, &config);
                return Ok(Some(grant));
            };
            let asked_for = asked_for(&answer);
            let wait = wait_before(attempts).max(asked_for);
            if let Err(why) = answer {
                self.surroundings.report.api_failed(event, attempts, &why, wait);
            }
            self.board.publish(event, Standing::ApiDown);
            tokio::select! {
                biased;
                waited = self.wait_to_ask(event, follower, asked_for, wait) => waited?,
                () = self.shutdown.cancelled() => return Ok(None),
            }
            if !self.is_to_be_fetched(event)? {
                return Ok(self.ledger.get(event)?.map(|record| record.grant));
            }
        }
    }

    /// Waits until the API is to be asked again: after `wait`, or before that, but not before what it `asked_for`, when
    /// the event is delivered again. It ends at once when the event is cancelled.
    async fn wait_to_ask(
        &self,
        event: &EventKey,
        follower: &Follower,
        asked_for: Duration,
        wait: Duration,
    ) -> Result<(), LedgerError> {
        let begun = Instant::now();
        let cancelled = async {
            loop {
                follower.nudged().await;
                if !self.is_to_be_fetched(event)? {
                    return Ok(());
                }
                self.board.publish(event, Standing::ApiDown);
            }
        };
        if !asked_for.is_zero() {
            tokio::select! {
                biased;
                () = sleep(asked_for) => {}
                cancelled = cancelled => return cancelled,
            }
        }
        tokio::select! {
            biased;
            () = sleep_until(begun + wait) => {}
            () = follower.nudged() => {}
        }
        Ok(())
    }

    /// Whether the API has to tell the vote of an event: the operator may have cancelled it.
    fn is_to_be_fetched(&self, event: &EventKey) -> Result<bool, LedgerError> {
        Ok(self.ledger.get(event)?.is_none_or(|record| record.grant.actions() == [Action::Fetch]))
    }

    async fn ask(&self, event: &EventKey, again: bool) -> Result<Vote, FetchError> {
        // The semaphore is never closed, so there is always a permit in the end.
        let _permit = if again { self.retries.acquire().await.ok() } else { None };
        let begun = Instant::now();
        let answer = self.surroundings.api.vote(event).await;
        self.surroundings.report.api_asked(begun.elapsed(), &answer);
        answer
    }

    /// Plans a vote that is known now.
    async fn fetched(
        &self,
        config: &Config,
        event: &EventKey,
        vote: &Vote,
        act: Option<&Act>,
    ) -> Result<Result<Grant, Illegal>, LedgerError> {
        crash_at(Point::VoteFetched);
        let restored_at = self.ledger.restored_at();
        let fact = |planning| Fact::Fetched { vote: vote.clone(), planning, restored_at };
        self.plan(config, event, Some(vote), act, fact).await
    }

    /// Makes a fact durable that may plan a vote, with the rewards of its server in `config`; and with it the counters
    /// that the vote changes then, and the operator's act, if it is one and changes anything.
    async fn plan<'c>(
        &self,
        config: &'c Config,
        event: &EventKey,
        vote: Option<&Vote>,
        act: Option<&Act>,
        fact: impl Fn(Planning<'c>) -> Fact<'c>,
    ) -> Result<Result<Grant, Illegal>, LedgerError> {
        let now = self.surroundings.clock.now();
        let server = vote.and_then(|vote| config.server(&vote.server));
        let target = server.map(|server| config.target(server));
        let keys = vote.and_then(|vote| plan::counters(vote, target));
        let decide = |grant: Option<&Grant>, counters: &Scoped<Counter>| {
            let before = grant.cloned().unwrap_or_else(|| Grant::received(event.clone(), now));
            let planning = Planning { target, order: self.next_order(), counters: counters.clone() };
            let after = before.apply(fact(planning), now)?;
            let counted = before.counted(&after, counters, &config.calendar);
            let act = act.filter(|_| after != before).cloned();
            Ok((act.into_iter().fold(after, Grant::acted), counted))
        };
        self.ledger.update_counted(event, keys.as_ref(), decide).await
    }

    /// A place behind all plans so far: the time in microseconds, or one more than the last. So it also comes behind
    /// plans that are refused at the moment, unless the clock went back.
    fn next_order(&self) -> u64 {
        let now = u64::try_from(self.surroundings.clock.now().as_microsecond()).unwrap_or(0);
        let next = |last: u64| now.max(last + 1);
        let last = self.last_order.update(Ordering::Relaxed, Ordering::Relaxed, next);
        next(last)
    }

    /// Makes a fact durable; about an event that the ledger does not know, it is a fact about a new grant.
    async fn apply(&self, event: &EventKey, fact: Fact<'_>) -> Result<Result<Grant, Illegal>, LedgerError> {
        let now = self.surroundings.clock.now();
        let decide = |grant: Option<&Grant>| match grant {
            Some(grant) => grant.apply(fact.clone(), now),
            None => Grant::received(event.clone(), now).apply(fact.clone(), now),
        };
        self.ledger.update(event, decide).await
    }

    /// Hands a grant to its worker, or publishes how it stands, and gives that, where there is nothing to do for one.
    fn go_on(&self, grant: &Grant) -> Option<Standing> {
        let standing = match grant.plan() {
            // There are no workers any more, or soon none.
            Some(_) if grant.is_open() && self.shutdown.is_cancelled() => Standing::Unrecorded,
            Some(plan) if grant.is_open() => {
                if self.dispatch.look_at(&grant.event, &plan.vote.server) {
                    return None;
                }
                self.surroundings.report.server_gone(&grant.event, plan);
                Standing::ServerGone(plan.vote.server.clone())
            }
            _ => standing::of(grant, "", |_, _| Wait::Turn),
        };
        self.board.publish(&grant.event, standing.clone());
        Some(standing)
    }
}

/// The fact that the API did not tell a vote, so many seconds after it was last asked.
fn not_fetched(why: &FetchError, seconds: u64) -> Fact<'static> {
    match why {
        FetchError::NotFound => Fact::NotFound { seconds },
        FetchError::Temporary { why, .. } => Fact::FetchFailed { seconds, why: why.clone() },
        FetchError::Mismatch(why) => {
            Fact::Mismatch { reason: format!("The answer does not fit: {why}. Report it to GAMEMONITORING.") }
        }
    }
}

/// How long the API asks not to be asked again.
fn asked_for(answer: &Result<Vote, FetchError>) -> Duration {
    match answer {
        Err(FetchError::Temporary { retry_after: Some(wait), .. }) => *wait.min(&LONGEST_GRANTED_WAIT),
        _ => Duration::ZERO,
    }
}

/// How long to wait after so many attempts, between three quarters of the full time and all of it.
fn wait_before(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = (FIRST_WAIT * 2u32.pow(doublings)).min(LONGEST_WAIT);
    full.mul_f64(1.0 - fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_granted_the_wait_that_it_asks_for_up_to_an_hour() {
        let busy = |seconds: Option<u64>| {
            let retry_after = seconds.map(Duration::from_secs);
            asked_for(&Err(FetchError::Temporary { why: String::new(), retry_after })).as_secs()
        };
        assert_eq!([Some(90), Some(3600), Some(u64::MAX), None].map(busy), [90, 3600, 3600, 0]);
        assert_eq!(asked_for(&Err(FetchError::NotFound)), Duration::ZERO);
    }
}
