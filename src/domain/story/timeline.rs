//! What happened, in the order of time.

use super::{Circumstances, Moment, Teller, user};
use crate::domain::act::{Act, Deed};
use crate::domain::arrival::{Arrival, Kind};
use crate::domain::award::{Award, AwardState, Finish, Step};
use crate::domain::event::SERVER_VOTE;
use crate::domain::grant::Stage;
use crate::domain::pause::Pause;
use crate::domain::standing::{Wait, cause};

/// The most deliveries of one event that are told one by one.
const MOST_DELIVERIES: usize = 10;

impl Teller<'_> {
    pub(super) fn timeline(&self) -> Vec<Moment> {
        let mut timeline = self.beginning();
        if let Some(plan) = self.plan.filter(|_| self.grant.replays.is_none()) {
            // A vote that was refused at first was fetched before that.
            let told = if self.is_delivered() { "The API had told whose vote it is. " } else { "" };
            let text = format!("{told}Votive decided which rewards it earns.");
            timeline.push(Moment { time: plan.planned_at, text });
        }
        for award in self.awards() {
            timeline.extend(award.steps.iter().filter_map(|step| self.finish(award, step)));
            timeline.extend(self.stand(award));
        }
        if let Stage::Refused { reason, since: Some(since), .. } = &self.grant.stage {
            let text = format!("The vote was refused. {}", cause(reason));
            timeline.push(Moment { time: *since, text });
        }
        timeline.extend(self.grant.acts.iter().filter_map(|act| self.act(act)));
        timeline.extend(self.hindrance());
        // What happened at the same moment stays in this order.
        timeline.sort_by_key(|moment| moment.time);
        timeline
    }

    /// Whether the platform delivers it.
    pub(super) fn is_delivered(&self) -> bool {
        self.grant.event.event_type == SERVER_VOTE
    }

    /// Where the vote comes from, with its deliveries.
    fn beginning(&self) -> Vec<Moment> {
        let (received_at, arrivals) = (self.grant.received_at, self.circumstances.arrivals);
        if !self.is_delivered() {
            let what = match &self.grant.replays {
                Some(original) => format!("this replay of the vote {original}"),
                None => "this test vote".to_owned(),
            };
            let by = self.grant.acts.iter().find(|act| act.deed == Deed::AskedFor);
            let who = by.map_or_else(|| "an operator".to_owned(), |act| user(act.uid));
            let text = format!("{} asked for {what}.", capital(&who));
            return vec![Moment { time: received_at, text }];
        }
        let mut moments = Vec::new();
        if let Some(created_at) = self.grant.vote().and_then(|vote| vote.created_at) {
            moments.push(Moment { time: created_at, text: "The player voted at GAMEMONITORING.".to_owned() });
        }
        let (good, refused): (Vec<&Arrival>, Vec<&Arrival>) =
            arrivals.iter().partition(|arrival| arrival.kind == Kind::Vote);
        // The first one is not in memory any more if it came before the start.
        let (first, again) = match good.split_first() {
            Some((first, again)) if first.at <= received_at => (Some(first), again),
            _ => (None, good.as_slice()),
        };
        moments.push(match first {
            Some(first) => Moment {
                time: first.at,
                text: format!("The delivery arrived and was answered with {}.", first.status),
            },
            None => Moment { time: received_at, text: "The delivery arrived.".to_owned() },
        });
        let told = again.len().saturating_sub(MOST_DELIVERIES);
        if told > 0 {
            let text = format!("Delivered again, {told} times until the next line.");
            moments.push(Moment { time: again[0].at, text });
        }
        moments.extend(again[told..].iter().map(|arrival| self.again(arrival)));
        moments.extend(not_accepted(&refused));
        moments
    }

    fn again(&self, arrival: &Arrival) -> Moment {
        let awards = self.awards();
        let finished = awards.iter().flat_map(|award| &award.steps).filter_map(|step| step.finished_at).max();
        let granted = !awards.is_empty() && awards.iter().all(|award| award.state == AwardState::Done);
        let consequence = if granted && finished.is_none_or(|finished| finished <= arrival.at) {
            "; nothing was issued twice"
        } else {
            ""
        };
        let text = format!("Delivered again and answered with {}{consequence}.", arrival.status);
        Moment { time: arrival.at, text }
    }

    fn finish(&self, award: &Award, step: &Step) -> Option<Moment> {
        let (number, reward) = (step.number(), &award.reward);
        let text = match step.finished.as_ref()? {
            Finish::Ran { .. } => format!("Command {number} ({reward}) ran."),
            Finish::Receipt => {
                format!("Command {number} ({reward}) had run: its receipt in the game has shown it.")
            }
            Finish::PassedOver { reason } => {
                format!("Command {number} ({reward}) was passed over: {reason}.")
            }
            Finish::Settled if self.is_told(step) => return None,
            Finish::Settled => format!("An operator said that command {number} ({reward}) had run."),
        };
        Some(Moment { time: step.finished_at?, text })
    }

    /// Whether the acts tell that a step ran.
    fn is_told(&self, step: &Step) -> bool {
        let told =
            |act: &Act| matches!(act.deed, Deed::Settled { serial, ran: true, .. } if serial == step.serial);
        self.grant.acts.iter().any(told)
    }

    /// How an award came to stand as it does, where nothing else tells that.
    fn stand(&self, award: &Award) -> Option<Moment> {
        let (server, reward) = (self.server(), &award.reward);
        let number = award.next_step().map_or(0, Step::number);
        let planned_at = self.plan.map(|plan| plan.planned_at);
        let (time, text) = match &award.state {
            AwardState::InDoubt { reason, since } => {
                (Some(*since), format!("Command {number} ({reward}) may or may not have run: {reason}."))
            }
            AwardState::Refused { reason, .. } => (award.since.or(planned_at), cause(reason)),
            AwardState::Sending => {
                (award.since, format!("Command {number} ({reward}) was sent to {server}."))
            }
            AwardState::Planned | AwardState::Done | AwardState::Closed => (None, String::new()),
        };
        Some(Moment { time: time?, text })
    }

    /// Since when the game server cannot be used, where something waits for that.
    fn hindrance(&self) -> Option<Moment> {
        let Circumstances { server, wait, down, pause, .. } = self.circumstances;
        let (plan, server) = (self.plan?, (*server)?);
        let waits = |award: &&Award| award.state == AwardState::Planned || award.awaits_receipt();
        match wait(plan.awards.iter().find(waits)?, &plan.player) {
            Wait::Turn | Wait::Player => None,
            Wait::Server | Wait::Password => {
                let since = down.as_ref()?.since;
                Some(Moment { time: since, text: format!("From here on, {server} could not be used.") })
            }
            Wait::Resumption => {
                let Pause { since, uid, .. } = (*pause)?;
                Some(Moment { time: *since, text: format!("{} paused {server}.", capital(&user(*uid))) })
            }
        }
    }

    fn act(&self, act: &Act) -> Option<Moment> {
        let who = capital(&user(act.uid));
        let text = match &act.deed {
            // The time line begins with it.
            Deed::AskedFor => return None,
            Deed::Settled { reward, serial, ran } => {
                let ran = if *ran { "ran" } else { "did not run" };
                format!("{who} settled it: command {} ({reward}) {ran}.", u64::from(*serial) + 1)
            }
            Deed::Retried => format!("{who} had it tried again."),
            Deed::Cancelled => format!("{who} cancelled what was still to come."),
            Deed::Replayed { event_id, serials } => {
                let commands = if serials.len() == 1 { "command" } else { "commands" };
                format!("{who} had {} {commands} issued again, as {event_id}.", serials.len())
            }
        };
        Some(Moment { time: act.at, text })
    }
}

/// Deliveries with the id of an event that are not for it, as one line: anybody can send many of them.
pub(super) fn not_accepted(arrivals: &[&Arrival]) -> Option<Moment> {
    let last = arrivals.last()?;
    let (kind, why) = match &last.kind {
        Kind::Test => ("test delivery", String::new()),
        Kind::Refused(why) => ("delivery", format!(" {}", cause(why))),
        Kind::Vote | Kind::Unrewarded => ("delivery", String::new()),
    };
    let which = match arrivals.len() {
        1 => format!("A {kind} with this id"),
        many => format!("The last of {many} deliveries with this id that led to nothing"),
    };
    Some(Moment { time: last.at, text: format!("{which} was answered with {}.{why}", last.status) })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
