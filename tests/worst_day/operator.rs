//! What the operator does in a history, and what has to come of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use votive::config::GameServer;
use votive::domain::act::{Act as Recorded, Deed};
use votive::domain::award::{AwardState, Finish, Step};
use votive::domain::doubts::Doubts;
use votive::domain::event::{EventKey, REPLAY};
use votive::domain::grant::{Grant, Stage};
use votive::domain::replay::Selection;
use votive::intake::{Intake, NotDone};
use votive::ledger::{By, Ledger, Place, Record};

use crate::api::{PLAYERS, PLAYERS_AGAIN, event};
use crate::history::{Act, SERVERS, VOTES};
use crate::invariants::is_reward;
use crate::life::{HOUR, Life};

/// What an act of the operator's may take.
const DEADLINE: Duration = Duration::from_secs(4);
/// After so long, what has begun has ended, if nothing lags.
const MINUTE: Duration = Duration::from_secs(60);
const NAMES: [&str; SERVERS] = ["survival", "creative"];

/// What is known of the operator's doings.
#[derive(Default)]
pub struct Operator {
    /// How many acts there were: each is done by a user of its own, so that it can be told where it is recorded.
    acts: u32,
    /// What became of each.
    told: Arc<Mutex<BTreeMap<u32, Told>>>,
    /// What is known of each game server, and how long its record was when it was paused.
    pauses: [Paused; SERVERS],
    /// What is no longer in the ledger of the grants that were pruned.
    remembered: BTreeMap<EventKey, Grant>,
    /// Whether something was tried again: then it may come later than what is younger, and be in doubt again.
    pub retried: bool,
    /// The first promise that was seen to be broken.
    broken: Option<String>,
}

/// Whether a game server is paused.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Paused {
    #[default]
    No,
    /// Since its record was as long as this.
    Since(usize),
    /// The daemon died meanwhile.
    Perhaps,
}

/// What was asked for, and what became of it.
#[derive(Clone, Debug)]
enum Told {
    /// About one grant: whether it was done, where that was told.
    One(EventKey, Option<bool>),
    /// About each that was refused: how many, where that was told.
    Refused(Option<usize>),
    /// So many were meant to be issued again; and how many were, where that was told.
    Replayed(usize, Option<usize>),
}

impl Operator {
    fn broke(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn next(&mut self) -> u32 {
        self.acts += 1;
        self.acts
    }

    fn tell(&self, uid: u32, told: Told) {
        self.told.lock().unwrap().insert(uid, told);
    }
}

/// Whether it was done; unknown where the ledger failed.
fn done<T, E>(outcome: &Result<T, E>, failed: impl Fn(&E) -> bool) -> Option<bool> {
    match outcome {
        Ok(_) => Some(true),
        Err(error) => (!failed(error)).then_some(false),
    }
}

impl Life {
    /// Has something done.
    pub async fn act(&mut self, act: Act) {
        let uid = self.operator.next();
        match act {
            Act::Cancel { vote, replay } => {
                let Some(event) = self.meant(vote, replay).await else { return };
                self.has_done(uid, event, async move |intake, event| {
                    let outcome = intake.cancel(&event.event_id, uid).await;
                    done(&outcome, |error| matches!(error, NotDone::Ledger(_)))
                });
            }
            Act::Retry { vote, replay } => {
                let Some(event) = self.meant(vote, replay).await else { return };
                self.operator.retried = true;
                // Who asks for it himself does not wait until the API likes to be asked.
                self.api.forget_whom_it_told_to_wait();
                self.has_done(uid, event, async move |intake, event| {
                    let outcome = intake.retry(&event.event_id, uid, Instant::now() + DEADLINE).await;
                    done(&outcome, |error| matches!(error, NotDone::Ledger(_)))
                });
            }
            Act::RetryRefused { server } => {
                self.operator.retried = true;
                self.api.forget_whom_it_told_to_wait();
                self.operator.tell(uid, Told::Refused(None));
                let server = server.map(|server| NAMES[server]);
                let retried = self.awaited(async move |intake| intake.retry_refused(server, uid).await).await;
                self.operator
                    .tell(uid, Told::Refused(retried.and_then(Result::ok).map(|(retried, _)| retried)));
            }
            Act::Replay { server, minutes, again } => self.replay(server, minutes, again, uid).await,
            Act::Pause { server } => self.pause(server, uid).await,
            Act::Resume { server } => self.resume(server, uid).await,
            Act::Prune { minutes } => self.prune(minutes, uid).await,
        }
    }

    /// The event of a vote, or of its last replay.
    async fn meant(&mut self, vote: u8, replay: bool) -> Option<EventKey> {
        let process = self.process().await?;
        if !replay {
            return Some(event(vote));
        }
        let grant = process.ledger.get(&event(vote)).ok()??.grant;
        let mut replays = grant.acts.iter().filter_map(replayed_as);
        replays.next_back().map(replay_of)
    }

    /// Has something done about one grant, and does not wait for it.
    fn has_done<F>(
        &mut self,
        uid: u32,
        event: EventKey,
        act: impl FnOnce(Arc<Intake>, EventKey) -> F + Send + 'static,
    ) where
        F: Future<Output = Option<bool>> + Send + 'static,
    {
        let Some(process) = self.running() else { return };
        self.operator.tell(uid, Told::One(event.clone(), None));
        let (intake, told) = (Arc::clone(&process.intake), Arc::clone(&self.operator.told));
        process.tasks.spawn(async move {
            let outcome = act(intake, event.clone()).await;
            told.lock().unwrap().insert(uid, Told::One(event, outcome));
        });
    }

    /// Has something done and waits for it; `None` where the daemon dies, or does not start.
    async fn awaited<T: Send + 'static, F>(
        &mut self,
        act: impl FnOnce(Arc<Intake>) -> F + Send + 'static,
    ) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let process = self.process().await?;
        let (done, outcome) = oneshot::channel();
        let intake = Arc::clone(&process.intake);
        process.tasks.spawn(async move { drop(done.send(act(intake).await)) });
        outcome.await.ok()
    }

    /// Issues again what was issued; and finds that another time adds nothing.
    async fn replay(&mut self, server: usize, minutes: Option<i64>, again: bool, uid: u32) {
        let now = self.surroundings().clock.now();
        let first = minutes.map_or(Timestamp::MIN, |minutes| now - SignedDuration::from_mins(minutes));
        let selection = Selection { issued: first..now, player: None, reward: None, again };
        let preview = |selection: Selection| {
            async move |intake: Arc<Intake>| intake.replay(NAMES[server], selection, None).await
        };
        let Some(Ok(meant)) = self.awaited(preview(selection.clone())).await else { return };
        self.operator.tell(uid, Told::Replayed(meant.votes, None));
        let wanted = selection.clone();
        let replay = async move |intake: Arc<Intake>| intake.replay(NAMES[server], wanted, Some(uid)).await;
        let issued = match self.awaited(replay).await {
            Some(Ok(replayed)) => replayed,
            Some(Err(NotDone::NotNow(_))) => return,
            Some(Err(NotDone::Ledger(_))) | None => return,
            Some(Err(why)) => return self.operator.broke(format!("a replay fails: {why}")),
        };
        self.operator.tell(uid, Told::Replayed(meant.votes, Some(issued.votes)));
        let once_more = Selection { again: false, ..selection };
        // With a clock that goes back, something may be issued at that time even now.
        if let Some(Ok(more)) = self.awaited(preview(once_more)).await
            && more.votes > 0
            && !self.clock_was_set()
        {
            self.operator.broke(format!("{issued:?} was issued again, and would be once more: {more:?}"));
        }
    }

    async fn pause(&mut self, server: usize, uid: u32) {
        let of = self.game_server(server);
        let paused = self.awaited(async move |intake| intake.pause(&of, uid).await).await;
        let length = self.console(server);
        let pause = &mut self.operator.pauses[server];
        *pause = match (paused, *pause) {
            (Some(Ok(_)), Paused::Since(before)) => Paused::Since(before),
            (Some(Ok(_)), _) => Paused::Since(length),
            (_, Paused::Since(before)) => Paused::Since(before),
            (None | Some(Err(_)), _) => Paused::Perhaps,
        };
    }

    async fn resume(&mut self, server: usize, uid: u32) {
        if let Paused::Since(length) = self.operator.pauses[server] {
            let sent: Vec<String> =
                self.effects_since(server, length).into_iter().filter(|command| is_reward(command)).collect();
            // One can be on its way when it is paused. Commands that a lag kept back come whenever they do.
            if sent.len() > 1 && !self.misbehaved {
                self.operator.broke(format!("{sent:?} ran on {} while it was paused", NAMES[server]));
            }
        }
        let of = self.game_server(server);
        let resumed = self.awaited(async move |intake| intake.resume(&of, uid).await).await;
        let done = matches!(resumed, Some(Ok(_)));
        self.operator.pauses[server] = if done { Paused::No } else { Paused::Perhaps };
    }

    fn game_server(&self, server: usize) -> GameServer {
        self.config.servers[server].clone()
    }

    /// A daemon that has just started holds to the pauses of the one before.
    pub fn paused_as_before(&mut self) {
        let Some(process) = self.running() else { return };
        let found = [0, 1].map(|server| process.servers.paused(&self.game_server(server)).is_some());
        for (server, found) in found.into_iter().enumerate() {
            let known = self.operator.pauses[server];
            match (known, found) {
                (Paused::Since(_), false) => {
                    self.operator.broke(format!("the pause of {} is lost", NAMES[server]));
                }
                (Paused::No, true) => {
                    self.operator.broke(format!("nobody has paused {}", NAMES[server]));
                }
                (Paused::Perhaps, true) => {
                    self.operator.pauses[server] = Paused::Since(self.console(server));
                }
                (Paused::Perhaps, false) => self.operator.pauses[server] = Paused::No,
                _ => {}
            }
        }
    }

    /// Prunes, when nothing else goes on, and remembers what was there.
    async fn prune(&mut self, minutes: i64, uid: u32) {
        sleep(MINUTE).await;
        let Ok(before) = self.scan().await else { return };
        for grant in &before {
            if grant.stage != Stage::Pruned {
                self.operator.remembered.insert(grant.event.clone(), grant.clone());
            }
        }
        let now = self.surroundings().clock.now();
        let limit = now - SignedDuration::from_mins(minutes);
        let pruned = self.awaited(async move |intake| intake.prune(limit, uid).await).await;
        let Ok(after) = self.scan().await else { return };
        let gone = |grants: &[Grant]| grants.iter().filter(|grant| grant.stage == Stage::Pruned).count();
        match pruned {
            Some(Ok(pruned)) if gone(&after) != gone(&before) + pruned => {
                self.operator
                    .broke(format!("{pruned} were pruned, and {} are", gone(&after) - gone(&before)));
            }
            _ => {}
        }
        let pruned = before.iter().filter(|before| {
            before.stage != Stage::Pruned
                && !after.iter().any(|after| after.event == before.event && after.stage != Stage::Pruned)
        });
        let wrong = pruned.into_iter().find(|grant| !may_be_pruned(grant) || grant.received_at >= limit);
        if let Some(grant) = wrong {
            self.operator.broke(format!("{} was pruned as {:?}", grant.event, grant.stage));
        }
    }

    /// The operator settles every doubt by what the console says; not while a command may still be waiting in a game
    /// that lags, because then even the console does not tell.
    pub async fn resolve(&mut self) {
        if self.held.contains(&true) {
            return;
        }
        sleep(HOUR).await;
        let Ok(grants) = self.all_grants().await else { return };
        let effects = self.effects();
        // How often a command ran whose step is known to have run: the same one is in every replay.
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for step in grants.iter().flat_map(steps).filter(|step| has_run(step)) {
            *known.entry(&step.command).or_default() += 1;
        }
        for grant in &grants {
            let awards = grant.plan().map_or(&[][..], |plan| &plan.awards);
            for award in awards.iter().filter(|award| matches!(award.state, AwardState::InDoubt { .. })) {
                let Some(step) = award.next_step() else { continue };
                let lasting =
                    effects.iter().filter(|effect| effect.lasts && effect.command == step.command).count();
                let known = known.entry(&step.command).or_default();
                let ran = lasting > *known;
                *known += usize::from(ran);
                let (reward, serial, uid) = (award.reward.clone(), step.serial, self.operator.next());
                if self.process().await.is_none() {
                    return;
                }
                self.has_done(uid, grant.event.clone(), async move |intake, event| {
                    let doubts = Doubts { reward: Some(&reward), serial: Some(serial), all: false };
                    let outcome = intake.settle(&event.event_id, doubts, ran, uid).await;
                    done(&outcome, |error| matches!(error, NotDone::Ledger(_)))
                });
                sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Every grant as it is.
    async fn scan(&mut self) -> Result<Vec<Grant>, String> {
        let process = self.process().await.ok_or("the daemon does not start")?;
        let ledger = process.ledger.clone();
        scan(&ledger, &self.operator.remembered)
    }

    /// Every grant, those that were pruned as they were before.
    ///
    /// # Errors
    /// What cannot be read.
    pub async fn all_grants(&mut self) -> Result<Vec<Grant>, String> {
        let mut grants = self.scan().await?;
        for grant in grants.iter_mut().filter(|grant| grant.stage == Stage::Pruned) {
            let before = self.operator.remembered.get(&grant.event);
            *grant = before.ok_or_else(|| format!("{} was never there", grant.event))?.clone();
        }
        Ok(grants)
    }

    /// Tries again what is refused of replays, which no delivery can.
    pub async fn retry_replays(&mut self) -> Result<(), String> {
        let grants = self.all_grants().await?;
        let refused = grants.into_iter().filter(|grant| grant.replays.is_some() && grant.is_refused());
        for grant in refused {
            let retry = async move |intake: Arc<Intake>| {
                intake.retry(&grant.event.event_id, 0, Instant::now() + DEADLINE).await
            };
            drop(self.awaited(retry).await);
            sleep(HOUR).await;
        }
        Ok(())
    }

    /// Whether everything is recorded that the operator did, once, and can be found.
    ///
    /// # Errors
    /// What is not.
    pub async fn operated(&mut self) -> Result<(), String> {
        if let Some(broken) = self.operator.broken.take() {
            return Err(broken);
        }
        let grants = self.scan().await?;
        let ledger = self.running().map(|process| process.ledger.clone()).ok_or("the daemon has died")?;
        index_agrees(&ledger, &grants)?;
        let told = self.operator.told.lock().unwrap().clone();
        for (uid, told) in told {
            recorded(&grants, uid, &told).map_err(|why| format!("{told:?} by {uid}: {why}"))?;
        }
        replays_are_whole(&grants)
    }
}

/// Every grant of a ledger: of each vote that there can be, and of each replay that somebody has heard of.
fn scan(ledger: &Ledger, remembered: &BTreeMap<EventKey, Grant>) -> Result<Vec<Grant>, String> {
    let get = |event: &EventKey| ledger.get(event).map_err(|error| error.to_string());
    let mut grants = BTreeMap::new();
    for vote in 0..VOTES {
        let Some(record) = get(&event(vote))? else { continue };
        let before = remembered.get(&event(vote));
        for act in record.grant.acts.iter().chain(before.map_or(&[][..], |grant| &grant.acts)) {
            if let Some(id) = replayed_as(act)
                && let Some(replay) = get(&replay_of(id))?
            {
                grants.insert(replay.grant.event.clone(), replay.grant);
            }
        }
        grants.insert(event(vote), record.grant);
    }
    let all = ledger.grants(&By::Time, Timestamp::MIN..Timestamp::MAX, Place::Any);
    for found in all.map_err(|error| error.to_string())? {
        let (_, record) = found.map_err(|error| error.to_string())?;
        grants.insert(record.grant.event.clone(), record.grant);
    }
    Ok(grants.into_values().collect())
}

fn replay_of(id: &str) -> EventKey {
    EventKey::new(REPLAY, id)
}

fn steps(grant: &Grant) -> impl Iterator<Item = &Step> {
    grant.plan().map_or(&[][..], |plan| &plan.awards).iter().flat_map(|award| &award.steps)
}

fn has_run(step: &Step) -> bool {
    matches!(step.finished, Some(Finish::Ran { .. } | Finish::Settled | Finish::Receipt))
}

fn replayed_as(act: &Recorded) -> Option<&str> {
    match &act.deed {
        Deed::Replayed { event_id, .. } => Some(event_id),
        _ => None,
    }
}

/// Told without the code that decides it in the daemon.
fn may_be_pruned(grant: &Grant) -> bool {
    match &grant.stage {
        Stage::Received { .. } | Stage::Refused { .. } | Stage::Pruned => false,
        Stage::Closed { .. } => true,
        Stage::Planned(plan) => {
            let final_state = |state: &AwardState| matches!(state, AwardState::Done | AwardState::Closed);
            plan.awards.iter().all(|award| final_state(&award.state))
                && !steps(grant).any(|step| step.receipt.is_in_game())
        }
    }
}

/// Whether the ways to find grants find what is there, and nothing else, the oldest first.
fn index_agrees(ledger: &Ledger, grants: &[Grant]) -> Result<(), String> {
    let found = |by: &By| -> Result<Vec<EventKey>, String> {
        let grants = ledger.grants(by, Timestamp::MIN..Timestamp::MAX, Place::Any);
        let grants = grants.map_err(|error| error.to_string())?.collect::<Result<Vec<_>, _>>();
        Ok(grants.map_err(|error| error.to_string())?.into_iter().map(|found| found.1.grant.event).collect())
    };
    let expected = |meant: &dyn Fn(&Grant) -> bool| -> Vec<EventKey> {
        let mut meant: Vec<&Grant> =
            grants.iter().filter(|grant| grant.stage != Stage::Pruned && meant(grant)).collect();
        meant.sort_by_key(|grant| grant.received_at);
        meant.into_iter().map(|grant| grant.event.clone()).collect()
    };
    let same = |what: &str, mut found: Vec<EventKey>, mut expected: Vec<EventKey>| {
        // Those of one moment are in no order.
        let by_time = |event: &EventKey| {
            grants.iter().find(|grant| grant.event == *event).map(|grant| grant.received_at)
        };
        if !found.iter().map(by_time).is_sorted() {
            return Err(format!("{what} are not in order: {found:?}"));
        }
        found.sort();
        expected.sort();
        if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, and not {expected:?}")) }
    };
    same("by time", found(&By::Time)?, expected(&|_| true))?;
    let refused = |grant: &Grant| match &grant.stage {
        Stage::Refused { .. } => true,
        Stage::Planned(plan) => {
            plan.awards.iter().any(|award| matches!(award.state, AwardState::Refused { .. }))
        }
        _ => false,
    };
    same("refused", found(&By::Refused)?, expected(&refused))?;
    for name in PLAYERS.into_iter().chain(PLAYERS_AGAIN).chain(["@a"]) {
        let of = |grant: &Grant| {
            grant.vote().is_some_and(|vote| vote.nickname.to_lowercase() == name.to_lowercase())
        };
        same(name, found(&By::Player(name.to_uppercase()))?, expected(&of))?;
    }
    let in_order = |records: Vec<Record>| {
        let mut events: Vec<EventKey> = records.into_iter().map(|record| record.grant.event).collect();
        events.sort_by_key(|event| {
            grants.iter().find(|grant| grant.event == *event).map(|grant| grant.received_at)
        });
        events
    };
    let attended = ledger.attended_grants().map_err(|error| error.to_string())?;
    let mut open = Vec::new();
    ledger.each_open(|record| open.push(record)).map_err(|error| error.to_string())?;
    let is_open = |grant: &Grant| match &grant.stage {
        Stage::Received { .. } => true,
        Stage::Planned(plan) => plan.awards.iter().any(|award| {
            matches!(award.state, AwardState::Planned | AwardState::Sending | AwardState::InDoubt { .. })
        }),
        _ => false,
    };
    let is_attended = |grant: &Grant| is_open(grant) || steps(grant).any(|step| step.receipt.is_in_game());
    same("attended", in_order(attended), expected(&is_attended))?;
    same("open", in_order(open), expected(&is_open))
}

/// Whether an act is recorded as often as it was done, where it was done.
fn recorded(grants: &[Grant], uid: u32, told: &Told) -> Result<(), String> {
    let of =
        |grant: &Grant| grant.acts.iter().filter(|act| act.uid == uid && act.deed != Deed::AskedFor).count();
    if let Some(twice) = grants.iter().find(|grant| of(grant) > 1) {
        return Err(format!("recorded {} times with {}", of(twice), twice.event));
    }
    let times: usize = grants.iter().map(of).sum();
    // What is pruned has lost its acts.
    let pruned = grants.iter().filter(|grant| grant.stage == Stage::Pruned).count();
    let fits = match told {
        Told::One(event, done) => {
            let there = grants.iter().find(|grant| grant.event == *event);
            let here = there.map_or(0, of);
            let is_pruned = there.is_some_and(|grant| grant.stage == Stage::Pruned);
            times == here && (is_pruned || done.is_none_or(|done| here == usize::from(done)))
        }
        Told::Refused(Some(done)) | Told::Replayed(_, Some(done)) => {
            times <= *done && times + pruned >= *done
        }
        Told::Refused(None) => true,
        // All or nothing.
        Told::Replayed(meant, None) => times == 0 || times + pruned >= *meant,
    };
    if fits { Ok(()) } else { Err(format!("recorded {times} times")) }
}

/// Whether every replay is known to the grant that it issues again, and the other way round.
fn replays_are_whole(grants: &[Grant]) -> Result<(), String> {
    let by_event = |event: &EventKey| grants.iter().find(|grant| grant.event == *event);
    for grant in grants {
        for id in grant.acts.iter().filter_map(replayed_as) {
            let replay = by_event(&replay_of(id));
            if replay.is_none_or(|replay| replay.replays.as_ref() != Some(&grant.event)) {
                return Err(format!("{} says that {id} issues it again, and that is not there", grant.event));
            }
        }
        if let Some(original) = grant.replays.as_ref() {
            let original = by_event(original).ok_or_else(|| format!("{} has no original", grant.event))?;
            let mut known = original.acts.iter().filter_map(replayed_as);
            if original.stage != Stage::Pruned && !known.any(|id| id == grant.event.event_id) {
                return Err(format!("{} does not know of {}", original.event, grant.event));
            }
        }
    }
    Ok(())
}
