//! The worker of one game server: takes the step whose turn it is, records the intent, sends it, records the
//! outcome. All that it knows beyond the ledger can be lost at any moment.

mod upkeep;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Dispatch;
use super::board::Board;
use super::contact::Contact;
use super::link::{Link, Lost};
use super::outcome::{self, Sent, Silence};
use super::pace::Pace;
use super::queue::{Job, Place, Queue};
use super::receipts::{Kept, Receipts};
use super::servers::Servers;
use crate::config::{Config, GameServer, Live};
use crate::domain::award::{Award, AwardFact, Step};
use crate::domain::event::EventKey;
use crate::domain::grant::{Action, Fact, Grant, Illegal};
use crate::domain::presence::{Online, Presence};
use crate::domain::receipt::{Key, Reading};
use crate::domain::reply::plain;
use crate::domain::reward::ReceiptRule;
use crate::domain::standing::{self, Standing, Wait};
use crate::failpoint::{Point, crash_at};
use crate::ledger::{Ledger, LedgerError, Record};
use crate::log::about;
use crate::rcon::Outcome;
use crate::surroundings::Surroundings;

/// How long an optional step may stay unanswered: it only announces something (contract/rcon.md).
const OPTIONAL_SILENCE: Duration = Duration::from_secs(1);
/// How long a shutdown waits for the command on the wire.
const DRAIN: Duration = Duration::from_secs(9);
/// Players are looked for often until the youngest wait is this old.
const LONG_WAIT: Duration = Duration::from_secs(60 * 60);
/// How long a list may serve those whom it does not tell of. All others have it asked for anew before every step
/// (contract/rcon.md).
const LIST_LASTS: Duration = Duration::from_secs(1);
/// How often they are looked for after that.
const SLOW_POLL: Duration = Duration::from_secs(60);

pub(super) struct Worker {
    /// Of the game server's RCON.
    address: String,
    config: Live,
    /// Reaches the worker of another address, where a reload has given one to a server of ours.
    dispatch: Dispatch,
    ledger: Ledger,
    board: Board,
    servers: Servers,
    contact: Contact,
    surroundings: Surroundings,
    inbox: mpsc::UnboundedReceiver<EventKey>,
    shutdown: CancellationToken,
    queue: Queue,
    pace: Pace,
    link: Link,
    receipts: Receipts,
    /// Receipts that the world has lost, until that is recorded.
    forgotten: Vec<Kept>,
    /// When the game server was last asked who is online, and what it said if that can be read.
    listed: Option<(Instant, Option<Online>)>,
    /// When those who are away were last given another turn.
    polled: Option<Instant>,
    /// Events whose standing somebody follows.
    watched: BTreeSet<EventKey>,
}

/// What a job is ready for.
enum Ready {
    /// For nothing: the player is away.
    Not,
    /// Nothing is to be sent: what there is to know is known.
    Known(AwardFact),
    /// Its step can be sent.
    Send {
        /// Whether the game was told of it, so that it is sent with its guard.
        announced: bool,
    },
}

impl Worker {
    pub(super) fn new(
        address: String,
        dispatch: &Dispatch,
        inbox: mpsc::UnboundedReceiver<EventKey>,
    ) -> Self {
        let contact = dispatch.servers.contacts.at(&address);
        Worker {
            address,
            config: dispatch.config.clone(),
            dispatch: dispatch.clone(),
            ledger: dispatch.ledger.clone(),
            board: dispatch.board.clone(),
            servers: dispatch.servers.clone(),
            surroundings: dispatch.surroundings.clone(),
            inbox,
            shutdown: dispatch.shutdown.clone(),
            queue: Queue::new(&contact),
            pace: Pace::default(),
            link: Link::new(&dispatch.surroundings.report, &contact),
            contact,
            receipts: Receipts::default(),
            forgotten: Vec::new(),
            listed: None,
            polled: None,
            watched: BTreeSet::new(),
        }
    }

    /// Works until the shutdown, or until the ledger fails: the daemon learns of that from the ledger itself.
    pub(super) async fn run(mut self) {
        while !self.shutdown.is_cancelled() && self.turn().await.is_ok() {}
        while let Ok(event) = self.inbox.try_recv() {
            self.watched.insert(event);
        }
        for event in &self.watched {
            self.board.give_up(event);
        }
    }

    async fn turn(&mut self) -> Result<(), LedgerError> {
        self.heed_reload();
        while let Ok(event) = self.inbox.try_recv() {
            self.look_at(&event)?;
        }
        let now = Instant::now();
        let poll = self.poll_at(now);
        if poll.is_some_and(|at| at <= now) {
            self.polled = Some(now);
            self.queue.ask_again();
        }
        if self.queue.is_empty() {
            self.link.rest(&self.address);
        }
        match self.queue.next().cloned() {
            None if self.link.is_fresh() && self.tidy().await? => {}
            None => self.wait_until(poll).await?,
            Some(job) => match self.link.retry_at() {
                Some(at) => self.wait_until(Some(at)).await?,
                None => {
                    let span = about(&job.place.event);
                    self.perform(job).instrument(span).await?;
                }
            },
        }
        Ok(())
    }

    /// When to look again for players who are away; counted from when the first of them was found to be.
    fn poll_at(&mut self, now: Instant) -> Option<Instant> {
        let Some(youngest) = self.queue.youngest_wait() else {
            self.polled = None;
            return None;
        };
        let every = self.config.now().players.poll_every;
        let every = if now - youngest < LONG_WAIT { every } else { every.max(SLOW_POLL) };
        Some(*self.polled.get_or_insert(now) + every)
    }

    /// Waits for a moment, for news, or for the shutdown, whichever comes first.
    async fn wait_until(&mut self, at: Option<Instant>) -> Result<(), LedgerError> {
        let moment = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = moment => Ok(()),
            () = self.shutdown.cancelled() => Ok(()),
            // The next turn heeds it.
            () = self.config.changed() => Ok(()),
            Some(event) = self.inbox.recv() => self.look_at(&event),
        }
    }

    /// After a reload. What it means for the server is tried at once. Of receipts, those count that the announcement
    /// of all grants will tell, which comes with every reload: some may belong to a server that is elsewhere now.
    fn heed_reload(&mut self) {
        if !self.config.take_note() {
            return;
        }
        self.receipts = Receipts::default();
        self.link.reconsider();
        if !self.config.now().servers.iter().any(|server| server.rcon == self.address) {
            self.contact.forget();
            self.link = Link::new(&self.surroundings.report, &self.contact);
        }
    }

    /// The game server of a grant in `config`, if it is at our address there.
    fn ours<'c>(&self, config: &'c Config, grant: &Grant) -> Option<&'c GameServer> {
        let server = config.server(&grant.plan()?.vote.server)?;
        Some(server).filter(|server| server.rcon == self.address)
    }

    /// Whether something may be sent to the game server, or asked of it.
    fn may_ask(&self, server: &GameServer) -> bool {
        self.servers.paused(server).is_none()
    }

    /// Lines up what a grant has to have done, and publishes how it stands.
    fn look_at(&mut self, event: &EventKey) -> Result<(), LedgerError> {
        // An event that was announced by a reload comes after the reload.
        self.heed_reload();
        if self.board.is_followed(event) {
            self.watched.insert(event.clone());
        }
        if let Some(record) = self.ledger.get(event)? {
            self.take_on(&record.grant);
        }
        Ok(())
    }

    /// Lines up what a grant has to have done, and publishes how it stands; or hands it on to the worker of the address
    /// that its game server has by now.
    fn take_on(&mut self, grant: &Grant) {
        let config = self.config.now();
        if let Some(server) = self.ours(&config, grant) {
            self.note_receipts(grant);
            self.line_up(grant, server);
        } else if let Some(plan) = grant.plan() {
            self.dispatch.look_at(&grant.event, &plan.vote.server);
        }
        self.publish(grant);
    }

    fn line_up(&mut self, grant: &Grant, server: &GameServer) {
        let Some(plan) = grant.plan() else { return };
        let actions = if self.may_ask(server) { grant.actions() } else { Vec::new() };
        for (index, award) in plan.awards.iter().enumerate() {
            let sends = actions.contains(&Action::Queue(index));
            let lined_up = sends || actions.contains(&Action::Read(index));
            let place = Place { order: plan.order, event: grant.event.clone(), award: index };
            match award.next_step().filter(|_| lined_up) {
                Some(step) => {
                    let needs_player = sends && step.needs_player;
                    let job = Job { place, player: plan.player.clone(), needs_player };
                    self.queue.push(job, Instant::now());
                }
                // It may be lined up from before it was cancelled, or its server paused.
                None => self.queue.remove_at(&place, &plan.player),
            }
        }
    }

    /// Brings the job whose turn it is one step further, if nothing is in the way.
    async fn perform(&mut self, job: Job) -> Result<(), LedgerError> {
        let config = self.config.now();
        let Some(Record { grant, .. }) = self.ledger.get(&job.place.event)? else {
            self.queue.remove(&job);
            return Ok(());
        };
        let Some(server) = self.ours(&config, &grant) else {
            self.queue.remove(&job);
            self.take_on(&grant);
            return Ok(());
        };
        if !self.may_ask(server) {
            self.take_on(&grant);
            return Ok(());
        }
        let paced = self.pace.next_at(Instant::now(), server.pace);
        if paced > Instant::now() {
            return self.wait_until(Some(paced)).await;
        }
        let Some(award) = grant.plan().and_then(|plan| plan.awards.get(job.place.award)) else {
            self.queue.remove(&job);
            return Ok(());
        };
        let shutdown = self.shutdown.clone();
        let ready = tokio::select! {
            biased;
            ready = self.prepare(server, &job, award) => ready,
            () = shutdown.cancelled() => return Ok(()),
        };
        self.tell_forgotten().await?;
        match ready {
            // The player is away, or the server is down.
            Ok(Ready::Not) | Err(Lost) => self.publish_watched(),
            Ok(Ready::Known(fact)) => match self.record(&job.place, award, fact, false).await? {
                Some(grant) => {
                    self.conclude(&job, server, &grant);
                    Ok(())
                }
                None => self.overtaken(&job),
            },
            Ok(Ready::Send { announced }) => self.issue(&job, server, award, announced).await,
        }
    }

    /// Does all that comes before a step is sent, or finds out what there is to know without sending it.
    async fn prepare(&mut self, server: &GameServer, job: &Job, award: &Award) -> Result<Ready, Lost> {
        self.link.open(&*self.surroundings.network, server).await?;
        if self.link.has_to_look_back() {
            self.look_back(server).await?;
        }
        if !self.make_ready(server, job).await? {
            return Ok(Ready::Not);
        }
        let Some(step) = award.next_step() else { return Ok(Ready::Send { announced: false }) };
        let key = Key::of(&job.place.event, &award.reward, step.serial);
        if award.awaits_receipt() {
            // Whatever another game has under the key was not left by the command that was sent.
            let elsewhere = award.announced_to.as_ref().is_some_and(|to| *to != self.address);
            let reading =
                if elsewhere { Reading::Missing } else { self.link.read_receipt(server, &key).await? };
            return Ok(Ready::Known(AwardFact::Read(reading)));
        }
        let announced = self.announces(step) && self.link.announce(server, &key).await?;
        if step.receipts == ReceiptRule::Always && !announced {
            return Ok(Ready::Known(outcome::keeps_no_receipts(server, award)));
        }
        Ok(Ready::Send { announced })
    }

    /// Sees to it that the server answers, and the player is there if the step needs one.
    async fn make_ready(&mut self, server: &GameServer, job: &Job) -> Result<bool, Lost> {
        if !job.needs_player && self.link.is_fresh() {
            return Ok(true);
        }
        // Many may wait whom the list does not tell of: one list serves them all, and each is asked for below.
        let tells = |online: &Option<Online>| {
            online.as_ref().map_or(Presence::Unknown, |online| online.of(&job.player))
        };
        let fresh = self.listed.as_ref().filter(|(at, _)| at.elapsed() < LIST_LASTS);
        let mut presence = fresh.map_or(Presence::Online, |(_, online)| tells(online));
        let mut awaited = Vec::new();
        if presence != Presence::Unknown || !job.needs_player {
            let online = self.link.list(server).await?;
            presence = tells(&online);
            awaited = online.as_ref().map_or_else(Vec::new, |online| self.queue.seen(online));
            self.listed = Some((Instant::now(), online));
        }
        let there = match presence {
            _ if !job.needs_player => true,
            Presence::Online => true,
            Presence::Offline => false,
            Presence::Unknown if !self.link.tells_of_players() => false,
            Presence::Unknown => {
                // One question for each player: they count, or many who wait would flood the console.
                self.pace.sent(Instant::now());
                self.link.is_there(server, &job.player).await?
            }
        };
        if !there {
            awaited.extend(self.queue.away(&job.player));
        }
        for Job { place, player, .. } in awaited {
            self.surroundings.report.awaited(&place.event, &player, server);
        }
        Ok(there)
    }

    /// Records the intent of an award's next step, sends it and records the outcome; and goes on with the steps
    /// after it while they are ready, each intent in one commit with the outcome before it.
    async fn issue(
        &mut self,
        job: &Job,
        server: &GameServer,
        award: &Award,
        announced: bool,
    ) -> Result<(), LedgerError> {
        let (event, index, player) = (&job.place.event, job.place.award, &job.player);
        let mut offline = false;
        crash_at(Point::StepReady);
        let intent = AwardFact::Intent { announced_to: announced.then(|| self.address.clone()) };
        // Whoever recorded the intent sends the step, and nobody else: the server may have another address since a
        // moment ago, and its worker the same job.
        let Some(mut grant) = self.record(&job.place, award, intent, false).await? else {
            return self.overtaken(job);
        };
        while let Some(award) = sending(&grant, index) {
            // An award that is being sent has a step to send.
            let Some(step) = award.next_step() else { break };
            crash_at(Point::IntentRecorded);
            let sent = Sent { event, player, server, award, step };
            let outcome = self.send(&sent).await;
            crash_at(Point::ReplyReceived);
            let silence = self.understand_silence(&sent, outcome.as_ref()).await;
            let fact = sent.fact(outcome, silence, &self.surroundings.report);
            self.surroundings.report.step_ended(&sent, &fact);
            let more = self.link.is_fresh()
                && self.pace.next_at(Instant::now(), server.pace) <= Instant::now()
                && self.ours(&self.config.now(), &grant).is_some_and(|server| self.may_ask(server))
                && !self.shutdown.is_cancelled();
            offline = fact == AwardFact::Offline;
            grant = match self.record(&job.place, award, fact, more).await? {
                Some(grant) => grant,
                None => return self.overtaken(job),
            };
            crash_at(Point::OutcomeRecorded);
        }
        self.conclude(job, server, &grant);
        // Whatever its list says: the game knows better, and is asked again at the next poll.
        if offline && self.queue.away(player).is_some() {
            self.surroundings.report.awaited(event, player, server);
            self.publish(&grant);
        }
        Ok(())
    }

    /// Takes a job out that was done, and lines up what comes next for its grant.
    fn conclude(&mut self, job: &Job, server: &GameServer, grant: &Grant) {
        self.queue.remove(job);
        if let Some(plan) = grant.plan()
            && let Some(award) = plan.awards.get(job.place.award)
        {
            self.surroundings.report.award_stands(&grant.event, plan, award, &server.name);
            self.surroundings.report.award_ended(grant, self.surroundings.clock.now());
        }
        self.take_on(grant);
        if !grant.is_open() {
            self.watched.remove(&grant.event);
        }
    }

    /// What it means that a game said nothing to a guarded command: it did it without a word, or swallowed an error. The
    /// receipt tells.
    async fn understand_silence(&mut self, sent: &Sent<'_>, outcome: Option<&Outcome>) -> Option<Silence> {
        if !sent.is_guarded() || !matches!(outcome, Some(Outcome::Reply(reply)) if plain(reply).is_empty()) {
            return None;
        }
        let Sent { player, server, step, .. } = sent;
        match self.link.read_receipt(server, &sent.key()).await.ok()? {
            Reading::Ran => Some(Silence::Ran),
            Reading::Missing | Reading::Unreadable => None,
            Reading::NotRun if step.needs_player => match self.link.list(server).await {
                Ok(Some(online)) if online.of(player) == Presence::Offline => Some(Silence::PlayerLeft),
                _ => Some(Silence::Failed),
            },
            Reading::NotRun => Some(Silence::Failed),
        }
    }

    /// Somebody else was faster with the award of a job: the operator, or the worker of another address.
    fn overtaken(&mut self, job: &Job) -> Result<(), LedgerError> {
        tracing::debug!(address = %self.address, "somebody else was faster");
        self.queue.remove(job);
        self.look_at(&job.place.event)
    }

    /// Makes a fact durable that was found out about an award as it was `seen`, and with it the intent of the step that
    /// follows, if there may be `more` and it needs nobody online. Gives the grant as it is then. Where the award stands
    /// differently by now, the fact is none any more: then nothing is recorded, and this gives `None`.
    async fn record(
        &self,
        Place { event, award: index, .. }: &Place,
        seen: &Award,
        fact: AwardFact,
        more: bool,
    ) -> Result<Option<Grant>, LedgerError> {
        let (index, now) = (*index, self.surroundings.clock.now());
        let award = |grant: &Grant| grant.plan().and_then(|plan| plan.awards.get(index).cloned());
        let stands = |award: &Award| (award.state.clone(), award.next_step().map(|step| step.serial));
        let decide = |grant: Option<&Grant>| -> Result<Grant, Option<Illegal>> {
            let known = |grant: &&Grant| award(grant).is_some_and(|award| stands(&award) == stands(seen));
            let grant = grant.filter(known).ok_or(None)?;
            let after = grant.apply(Fact::Award(index, fact.clone()), now)?;
            // What is still to be announced is not ready.
            let ready = |step: &Step| !step.needs_player && !self.announces(step);
            let ready = award(&after).as_ref().and_then(Award::next_step).is_some_and(ready);
            let intent = Fact::Award(index, AwardFact::Intent { announced_to: None });
            // What is not planned, but refused, say, takes no intent.
            Ok(if more && ready { after.apply(intent, now).unwrap_or(after) } else { after })
        };
        let recorded = self.ledger.update(event, decide).await?;
        Ok(recorded.inspect_err(|why| tracing::debug!("not recorded: {why:?}")).ok())
    }

    /// Whether a step is announced to the game before it is sent.
    fn announces(&self, step: &Step) -> bool {
        match step.receipts {
            ReceiptRule::Never => false,
            ReceiptRule::Auto => !self.link.keeps_no_receipts(),
            ReceiptRule::Always => true,
        }
    }

    /// Sends a step whose intent is durable, unless its server was paused meanwhile. A shutdown gives the game a last
    /// while to answer.
    async fn send(&mut self, sent: &Sent<'_>) -> Option<Outcome> {
        let Sent { server, step, .. } = sent;
        if self.shutdown.is_cancelled() || !self.may_ask(server) {
            return Some(Outcome::NotSent);
        }
        let limit = server.timeouts.command;
        let limit = if step.optional { limit.min(OPTIONAL_SILENCE) } else { limit };
        self.pace.sent(Instant::now());
        let shutdown = self.shutdown.clone();
        let drained = async {
            shutdown.cancelled().await;
            sleep(DRAIN).await;
        };
        let command = sent.on_the_wire(self.link.takes_prefix());
        tokio::select! {
            biased;
            outcome = self.link.send(server, &command, limit, step.optional) => Some(outcome),
            () = drained => None,
        }
    }

    /// Publishes how every event stands here that somebody follows.
    fn publish_watched(&mut self) -> Result<(), LedgerError> {
        self.watched.retain(|event| self.board.is_followed(event));
        for event in &self.watched {
            if let Some(record) = self.ledger.get(event)? {
                self.publish(&record.grant);
            }
        }
        Ok(())
    }

    /// Publishes how a grant stands, unless that is for the worker of another address.
    fn publish(&self, grant: &Grant) {
        let config = self.config.now();
        let server = grant.plan().and_then(|plan| config.server(&plan.vote.server));
        let standing = match (grant.plan(), server) {
            (Some(plan), None) if grant.is_open() => Standing::ServerGone(plan.vote.server.clone()),
            (_, Some(server)) if grant.is_open() && server.rcon != self.address => return,
            // What is not open waits for nothing.
            (_, None) => standing::of(grant, "", |_, _| Wait::Turn),
            (_, Some(server)) => {
                standing::of(grant, &server.name, |award, player| self.servers.wait(server, award, player))
            }
        };
        self.board.publish(&grant.event, standing);
    }
}

/// The award, if the intent of its next step is recorded.
fn sending(grant: &Grant, index: usize) -> Option<&Award> {
    let sending = grant.actions().contains(&Action::Send(index));
    grant.plan().filter(|_| sending)?.awards.get(index)
}
