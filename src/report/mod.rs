//! What the daemon tells of its work: one method for each thing that a person cares about. Text from outside is escaped
//! and cut, so that it can neither forge a line of the log nor flood it. What is told about a grant is in its span.

mod arrivals;
mod flood;
pub mod metrics;
pub(crate) mod notify;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, GameServer, Notify};
use crate::control::Replayed;
use crate::dispatch::outcome::Sent;
use crate::domain::act::Act;
use crate::domain::arrival::{Arrival, Claim, Kind};
use crate::domain::award::{Award, AwardFact, AwardState};
use crate::domain::event::{Delivery, EventKey};
use crate::domain::grant::{Grant, Stage};
use crate::domain::plan::Plan;
use crate::domain::player::PlayerName;
use crate::domain::reward::InDoubtRule;
use crate::domain::standing::refusal;
use crate::domain::vote::Vote;
use crate::log::about;
use crate::platform::FetchError;
use crate::rcon::{ConnectError, Outcome};
use crate::text::Outside;
use flood::Flood;
use metrics::Metrics;
use notify::{Happening, Line, Notifier, words};

pub use arrivals::Arrivals;

/// Stands for the name of a game server that is not configured.
const NO_SERVER: &str = "?";

/// Tells what happens. Clones tell the same people.
#[derive(Clone, Debug, Default)]
pub struct Report {
    metrics: Metrics,
    arrivals: Arrivals,
    refused: Arc<Refused>,
    /// Who tells the owner; a simulation has nobody.
    notifier: Option<Notifier>,
}

/// What was told of refused deliveries.
#[derive(Debug, Default)]
struct Refused {
    flood: Mutex<Flood>,
    /// Notified of each that got no line.
    untold: tokio::sync::Notify,
}

impl Report {
    /// What is remembered of deliveries.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Tells the owner as well.
    pub(crate) fn to(notifier: Notifier) -> Self {
        Report { notifier: Some(notifier), ..Report::default() }
    }

    fn hand_on(&self, happening: impl FnOnce() -> Happening) {
        if let Some(notifier) = &self.notifier {
            notifier.hear(happening());
        }
    }

    fn tell(&self, line: impl FnOnce() -> Line) {
        self.hand_on(|| Happening::Told(line()));
    }

    /// Tells everybody whom `notify` names a test. Gives what became of it for each, by the path of its key.
    pub(crate) async fn test_notifications(&self, notify: &Notify) -> Vec<(String, Result<(), String>)> {
        match &self.notifier {
            Some(notifier) => notifier.test(notify).await,
            None => Vec::new(),
        }
    }

    /// A notification reached its target, or was given up. `changed`: other than the last one.
    pub(crate) fn notification(&self, target: &str, told: &Result<(), String>, changed: bool) {
        match told {
            Ok(()) if changed => tracing::info!("{target} can be told again"),
            Ok(()) => tracing::debug!("{target} was told"),
            Err(why) if changed => tracing::warn!(
                "{target} cannot be told what happens: it {why}. The log tells it all the same; `votive test-notify` tries it"
            ),
            Err(why) => tracing::debug!("{target} cannot be told what happens: it {why}"),
        }
    }

    /// A delivery has arrived that the platform has signed.
    pub(crate) fn delivery_arrived(&self) {
        tracing::debug!("a delivery has arrived, and its signature is good");
    }

    /// What is measured of all that.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Votive begins its work, with the configuration that was just read.
    pub(crate) fn started(&self, now: Timestamp) {
        self.metrics.started(now);
        self.metrics.configured(now);
    }

    /// Another configuration holds from now on.
    pub(crate) fn reloaded(&self, now: Timestamp) {
        self.metrics.configured(now);
    }

    /// A delivery was answered, or what came in the place of one.
    pub(crate) fn delivery_answered(&self, status: StatusCode) {
        self.metrics.delivery(status);
        tracing::debug!(status = status.as_u16(), "delivery answered");
    }

    /// A delivery was answered that the platform has signed.
    pub(crate) fn delivery_heeded(&self, delivery: &Delivery, at: Timestamp, status: StatusCode) {
        self.arrivals.remember(Arrival::signed(delivery, at, status.as_u16()));
    }

    /// A delivery was not signed by the platform, or is none at all.
    pub(crate) fn delivery_refused(&self, status: StatusCode, why: &str, claim: Claim, at: Timestamp) {
        let kind = Kind::Refused(why.to_owned());
        self.arrivals.remember(Arrival { at, claim, kind, status: status.as_u16() });
        let wrong = match status {
            StatusCode::UNAUTHORIZED => "with a wrong signature",
            _ => "that cannot be read",
        };
        if self.flood(|flood| flood.refused(wrong, Instant::now())) {
            tracing::warn!(status = status.as_u16(), "a delivery was refused: {why}");
        } else {
            self.refused.untold.notify_one();
        }
        if status == StatusCode::UNAUTHORIZED {
            self.hand_on(|| Happening::Forged);
        }
    }

    /// Sums up refused deliveries that get no line of their own, whenever it is time to, until the shutdown.
    pub(crate) async fn sum_up_in_time(self, shutdown: CancellationToken) {
        loop {
            let due = self.flood(|flood| flood.due());
            let time = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => self.refused.untold.notified().await,
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = time => {}
            }
            if due.is_some() {
                self.sum_up();
            }
        }
    }

    /// Sums up those so far that are still to be told.
    pub(crate) fn sum_up(&self) {
        if let Some(summary) = self.flood(|flood| flood.sum_up(Instant::now())) {
            tracing::warn!("{summary}");
        }
    }

    fn flood<T>(&self, act: impl FnOnce(&mut Flood) -> T) -> T {
        // No code that holds the lock can leave it half changed.
        act(&mut self.refused.flood.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The API was asked for a vote, and this came of it.
    pub(crate) fn api_asked(&self, took: Duration, answer: &Result<Vote, FetchError>) {
        self.metrics.api(took, answer);
        tracing::debug!(milliseconds = took.as_millis(), ok = answer.is_ok(), "asked the API");
    }

    /// The API could not tell a vote.
    pub(crate) fn api_failed(&self, event: &EventKey, attempts: u32, why: &FetchError, wait: Duration) {
        let _about = about(event).entered();
        tracing::warn!(
            attempts,
            "waiting for the API: {why}; asking again in {} s",
            wait.as_secs_f64().ceil()
        );
    }

    /// A game server was not connected to.
    pub(crate) fn not_connected(&self, server: &GameServer, why: &ConnectError) {
        self.metrics.no_connection(server, why);
    }

    /// A game server cannot be used, for another reason than the last time.
    pub(crate) fn server_down(&self, server: &GameServer, why: &str) {
        // Whoever noticed it: it is about all that waits for the server.
        tracing::warn!(
            parent: None, server = %server.name, address = %server.rcon, password = %server.password_source,
            "the game server {why}; its rewards wait and are issued when it is back"
        );
        self.hand_on(|| Happening::ServerDown {
            address: server.rcon.clone(),
            name: server.name.clone(),
            why: why.to_owned(),
        });
    }

    /// Nothing is to be done any more on the game server at this address, which is down.
    pub(crate) fn server_unneeded(&self, address: &str) {
        self.hand_on(|| Happening::ServerUnneeded { address: address.to_owned() });
    }

    /// A game server that could not be used can be.
    pub(crate) fn server_back(&self, server: &GameServer) {
        tracing::info!(parent: None, server = %server.name, "the game server is back");
        self.hand_on(|| Happening::ServerBack { address: server.rcon.clone() });
    }

    /// A command went out to a game server, of whatever kind, and this came of it.
    pub(crate) fn game_asked(&self, server: &GameServer, took: Duration, outcome: &Outcome) {
        self.metrics.command(server, took, outcome);
        tracing::trace!(server = %server.name, milliseconds = took.as_millis(), ?outcome, "asked the game");
    }

    /// A vote was planned, or is refused as a whole.
    pub(crate) fn planned(&self, grant: &Grant, config: &Config) {
        let Some(plan) = grant.plan() else { return self.vote_refused(grant) };
        let _about = about(&grant.event).entered();
        let rewards: Vec<&str> = plan.awards.iter().map(|award| award.reward.as_str()).collect();
        tracing::info!(
            player = %plan.player, server = server_name(plan, config),
            user_id = plan.vote.user_id, rewards = rewards.join(","), "vote"
        );
        self.announce(grant, plan, config);
        self.refused_awards(grant, config);
    }

    /// What was refused was tried again, and perhaps planned only now.
    pub(crate) fn planned_again(&self, before: &Grant, after: &Grant, config: &Config) {
        if before.plan().is_none() && before.stage != after.stage {
            self.planned(after, config);
        } else if before != after {
            self.refused_awards(after, config);
        }
    }

    /// Has a vote announced where the owner wants that.
    fn announce(&self, grant: &Grant, plan: &Plan, config: &Config) {
        let wanted = config.notify.announce.as_ref().zip(config.server(&plan.vote.server));
        let Some((announce, server)) = wanted else { return };
        match words::announced(&grant.event, plan, server, announce) {
            Ok(Some(text)) => self.hand_on(|| Happening::Voted { text, planned_at: plan.planned_at }),
            Ok(None) => {}
            Err(why) => tracing::warn!("the vote is not announced: {why}"),
        }
    }

    /// Awards that are refused before anything was sent for them.
    fn refused_awards(&self, grant: &Grant, config: &Config) {
        let Some(plan) = grant.plan() else { return };
        for award in plan.awards.iter().filter(|award| matches!(award.state, AwardState::Refused { .. })) {
            self.award_stands(&grant.event, plan, award, server_name(plan, config));
        }
    }

    fn vote_refused(&self, grant: &Grant) {
        let _about = about(&grant.event).entered();
        if let Stage::Refused { reason, vote, until_retried, .. } = &grant.stage {
            self.metrics.vote_refused();
            let nickname = vote.as_ref().map_or("", |vote| &vote.nickname);
            let whole = refusal(&grant.event, reason, *until_retried);
            tracing::warn!(nickname = %Outside(nickname), "refused: {whole}");
            self.tell(|| words::vote_refused(&grant.event, nickname, reason, *until_retried));
        }
    }

    /// A grant waits for a game server that is not configured.
    pub(crate) fn server_gone(&self, event: &EventKey, plan: &Plan) {
        let _about = about(event).entered();
        tracing::warn!(
            player = %plan.player,
            "waits: no server in rewards.yaml has the {} any more; add it again and reload Votive", plan.vote.server
        );
    }

    /// A player is awaited from now on.
    pub(crate) fn awaited(&self, event: &EventKey, player: &PlayerName, server: &GameServer) {
        let _about = about(event).entered();
        tracing::info!(%player, server = %server.name, "waiting for the player");
    }

    /// A command was answered with a text that no rule knows.
    pub(crate) fn unrecognised(&self, sent: &Sent<'_>, reply: &str) {
        let Sent { event, player, server, award, step } = sent;
        let _about = about(event).entered();
        self.metrics.unrecognised(server);
        tracing::info!(
            %player, server = %server.name, reward = %award.reward, command = %Outside(&step.command),
            reply = %Outside(reply), "unrecognised reply; the command counts as run"
        );
    }

    /// A command has ended. How its award stands then is a line of its own.
    pub(crate) fn step_ended(&self, sent: &Sent<'_>, fact: &AwardFact) {
        let Sent { event, player, server, award, step } = sent;
        let _about = about(event).entered();
        self.metrics.step(server, fact);
        let (server, reward, command) = (&server.name, &award.reward, Outside(&step.command));
        match fact {
            AwardFact::Ran { reply } => {
                tracing::debug!(%player, %server, %reward, %command, reply = %Outside(reply), "the command ran");
            }
            // What is held is in doubt, and gets a line that says so.
            AwardFact::NoOutcome { reason } if !step.optional && step.in_doubt != InDoubtRule::Hold => {
                let rule = step.in_doubt;
                tracing::warn!(%player, %server, %reward, %command, ?rule, "may have run: {reason}");
            }
            AwardFact::NoOutcome { reason } | AwardFact::Rejected { reason, .. } => {
                tracing::debug!(%player, %server, %reward, %command, "did not end well: {reason}");
            }
            other => {
                tracing::debug!(%player, %server, %reward, %command, "not sent, or not run: {other:?}");
            }
        }
    }

    /// An award has ended well or not; perhaps it was the last one of its grant.
    pub(crate) fn award_ended(&self, grant: &Grant, now: Timestamp) {
        self.metrics.granted(grant, now);
    }

    /// An award stands differently than before.
    pub(crate) fn award_stands(&self, event: &EventKey, plan: &Plan, award: &Award, server: &str) {
        let _about = about(event).entered();
        self.metrics.award(server, &award.state);
        let (player, reward) = (&plan.player, &award.reward);
        match &award.state {
            AwardState::Done => tracing::info!(%player, %server, %reward, "granted"),
            AwardState::InDoubt { reason, .. } if award.awaits_receipt() => {
                tracing::info!(%player, %server, %reward, "may have run: {reason}. Its receipt will tell");
            }
            AwardState::InDoubt { reason, .. } => self.in_doubt(event, plan, server, award, reason),
            AwardState::Refused { reason, reply } => {
                let reply = reply.as_deref().unwrap_or_default();
                let whole = refusal(event, reason, award.until_retried);
                tracing::warn!(%player, %server, %reward, reply = %Outside(reply), "refused: {whole}");
                self.tell(|| words::award_refused(event, plan, award, server, reason));
            }
            AwardState::Planned | AwardState::Sending | AwardState::Closed => {}
        }
    }

    /// What is in doubt about those awards of a grant that are `meant`.
    pub(crate) fn doubts(&self, grant: &Grant, meant: impl Fn(&Award) -> bool, config: &Config) {
        let Some(plan) = grant.plan() else { return };
        for award in plan.awards.iter().filter(|award| meant(award)) {
            if matches!(award.state, AwardState::InDoubt { .. }) {
                self.award_stands(&grant.event, plan, award, server_name(plan, config));
            }
        }
    }

    fn in_doubt(&self, event: &EventKey, plan: &Plan, server: &str, award: &Award, reason: &str) {
        // What is in doubt has a step to come.
        let Some(step) = award.next_step() else { return };
        tracing::error!(
            player = %plan.player, %server, reward = %award.reward, command = %Outside(&step.command),
            "in doubt: {reason}. Look in the game whether the command ran, then: votive resolve {event} --step {} --ran, or --not-run",
            step.number()
        );
        self.tell(|| words::in_doubt(event, plan, award, server, step, reason));
    }

    /// The world has lost the receipt of a step that it had acknowledged.
    pub(crate) fn forgotten(&self, grant: &Grant, award: usize, serial: u32, config: &Config) {
        let award = grant.plan().and_then(|plan| Some((plan, plan.awards.get(award)?)));
        let Some((plan, award)) = award else { return };
        let _about = about(&grant.event).entered();
        let command = award.steps.iter().find(|step| step.serial == serial).map_or("", |step| &step.command);
        let server = server_name(plan, config);
        tracing::error!(
            player = %plan.player, %server, reward = %award.reward,
            command = %Outside(command),
            "the world has forgotten this: it was acknowledged, and the world went back to a time before it. It is not given again by itself; look in the game what the player has. How to issue again what is gone: votive explain {}",
            grant.event
        );
        self.tell(|| words::forgotten(&grant.event, plan, award, server, command));
    }

    /// The operator has settled what was in doubt.
    pub(crate) fn settled(&self, grant: &Grant, award: usize, ran: bool, config: &Config, act: &Act) {
        let Some((plan, award)) = grant.plan().and_then(|plan| Some((plan, plan.awards.get(award)?))) else {
            return;
        };
        let _about = about(&grant.event).entered();
        self.metrics.award(server_name(plan, config), &award.state);
        self.metrics.granted(grant, act.at);
        tracing::info!(reward = %award.reward, ran, uid = act.uid, "settled by the operator");
    }

    /// The operator has paused a game server.
    pub(crate) fn paused(&self, server: &str, uid: u32) {
        tracing::warn!(%server, uid, "paused by the operator: its rewards wait");
    }

    /// The operator lets a game server go on.
    pub(crate) fn resumed(&self, server: &str, uid: u32) {
        tracing::info!(%server, uid, "resumed by the operator");
    }

    /// The operator has given up the details of old votes.
    pub(crate) fn pruned(&self, votes: usize, uid: u32) {
        tracing::info!(votes, uid, "pruned by the operator");
    }

    /// The operator has rewards issued again.
    pub(crate) fn replayed(&self, server: &str, replayed: &Replayed, uid: u32) {
        let Replayed { votes, commands, .. } = replayed;
        tracing::warn!(%server, votes, commands, uid, "issued again for the operator");
    }

    /// The operator wants no more of it, and has closed what was still to come.
    pub(crate) fn cancelled(&self, grant: &Grant, config: &Config, act: &Act) {
        let _about = about(&grant.event).entered();
        if let Some(plan) = grant.plan() {
            let closed = |award: &&Award| award.state == AwardState::Closed && award.since == Some(act.at);
            for award in plan.awards.iter().filter(closed) {
                self.metrics.award(server_name(plan, config), &award.state);
            }
        }
        tracing::info!(uid = act.uid, "cancelled by the operator");
    }

    /// The operator wants it tried again.
    pub(crate) fn retried(&self, event: &EventKey, act: &Act) {
        let _about = about(event).entered();
        tracing::info!(uid = act.uid, "tried again for the operator");
    }
}

fn server_name<'a>(plan: &Plan, config: &'a Config) -> &'a str {
    config.server(&plan.vote.server).map_or(NO_SERVER, |server| &server.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::read_from_now_on;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_summed_up_by_itself_also_when_it_has_ended() {
        let (_log, written) = read_from_now_on("info");
        let (report, shutdown) = (Report::default(), CancellationToken::new());
        let summing = tokio::spawn(report.clone().sum_up_in_time(shutdown.clone()));
        let no = || report.delivery_refused(StatusCode::UNAUTHORIZED, "no", Claim::default(), Timestamp::MIN);
        let refuse = |count| (0..count).for_each(|_| no());
        refuse(1_000);
        tokio::time::sleep(flood::PERIOD / 2).await;
        refuse(5);
        assert_eq!(written.lines().len(), 5, "{:#?}", written.lines());
        tokio::time::sleep(flood::PERIOD).await;
        let lines = written.lines();
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(
            lines[5]
                .ends_with("1,000 more deliveries were refused within 60 s: 1,000 with a wrong signature")
        );
        // And once more after a rest; what is left at the end is told by whoever stops it.
        tokio::time::sleep(flood::PERIOD).await;
        refuse(6);
        tokio::time::sleep(flood::PERIOD * 2).await;
        refuse(6);
        shutdown.cancel();
        summing.await.unwrap();
        report.sum_up();
        let summed: Vec<_> = written.lines().into_iter().filter(|line| line.contains(" more ")).collect();
        assert_eq!(summed.len(), 3, "{summed:#?}");
    }
}
