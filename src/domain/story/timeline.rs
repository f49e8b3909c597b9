//! What happened, in the order of time.

use super::commands::number;
use super::{Moment, Teller, cause, user};
use crate::domain::act::{Act, Deed};
use crate::domain::arrival::Arrival;
use crate::domain::award::{Award, AwardState, Finish, Step};
use crate::domain::event::SERVER_VOTE;
use crate::domain::grant::Stage;

/// The most deliveries of one event that are told one by one.
const MOST_DELIVERIES: usize = 10;

impl Teller<'_> {
    pub(super) fn timeline(&self) -> Vec<Moment> {
        let mut timeline = self.beginning();
        timeline.extend(self.plan.map(|plan| {
            Moment {
                time: plan.planned_at,
                text: match self.grant.replays {
                    Some(_) => "Votive took over the commands that had run.",
                    None if self.is_delivered() => {
                        "With what GAMEMONITORING's API said, Votive decided which rewards the vote earns."
                    }
                    None => "Votive decided which rewards the vote earns.",
                }
                .to_owned(),
            }
        }));
        for award in self.awards() {
            timeline.extend(award.steps.iter().filter_map(|step| self.finish(award, step)));
            timeline.extend(self.stand(award));
        }
        if let Stage::Refused { reason, since: Some(since), .. } = &self.grant.stage {
            timeline.push(Moment { time: *since, text: format!("The vote was refused. {}", cause(reason)) });
        }
        timeline.extend(self.grant.acts.iter().filter_map(|act| self.act(act)));
        // What happened at the same moment stays in this order.
        timeline.sort_by_key(|moment| moment.time);
        timeline
    }

    /// Whether the platform delivers it.
    fn is_delivered(&self) -> bool {
        self.grant.event.event_type == SERVER_VOTE
    }

    /// Where the vote comes from, with its deliveries.
    fn beginning(&self) -> Vec<Moment> {
        let (received_at, arrivals) = (self.grant.received_at, self.circumstances.arrivals);
        if !self.is_delivered() {
            let tested = self.grant.acts.iter().find(|act| act.deed == Deed::Tested);
            let text = match (&self.grant.replays, tested) {
                (Some(original), _) => format!("This replay of the vote {original} was asked for."),
                (None, Some(act)) => format!("{} asked for this test vote.", capital(&user(act.uid))),
                (None, None) => "This test vote was asked for.".to_owned(),
            };
            return vec![Moment { time: received_at, text }];
        }
        let mut moments = Vec::new();
        if let Some(created_at) = self.grant.vote().and_then(|vote| vote.created_at) {
            moments.push(Moment { time: created_at, text: "The player voted at GAMEMONITORING.".to_owned() });
        }
        let (good, refused): (Vec<&Arrival>, Vec<&Arrival>) =
            arrivals.iter().partition(|arrival| arrival.is_meant());
        // The first one is not in memory any more if it came before the start.
        let first = good.first().filter(|arrival| arrival.at <= received_at);
        let again = &good[usize::from(first.is_some())..];
        moments.push(match first {
            Some(first) => Moment {
                time: first.at,
                text: format!("The delivery arrived and was answered with {}.", first.status),
            },
            None => Moment { time: received_at, text: "The delivery arrived.".to_owned() },
        });
        let told = again.len().saturating_sub(MOST_DELIVERIES);
        if told > 0 {
            let text = format!("It was delivered again, and {told} times more until the next line.");
            moments.push(Moment { time: again[0].at, text });
        }
        moments.extend(again[told..].iter().map(|arrival| self.again(arrival)));
        moments.extend(not_accepted(&refused));
        moments
    }

    fn again(&self, arrival: &Arrival) -> Moment {
        let finished =
            self.awards().iter().flat_map(|award| &award.steps).filter_map(|step| step.finished_at);
        let granted =
            self.awards().iter().all(|award| award.state == AwardState::Done) && self.plan.is_some();
        let text = if granted && finished.max().is_none_or(|finished| finished <= arrival.at) {
            format!(
                "It was delivered again and answered with {}. Nothing was issued a second time.",
                arrival.status
            )
        } else {
            format!("It was delivered again and answered with {}.", arrival.status)
        };
        Moment { time: arrival.at, text }
    }

    fn finish(&self, award: &Award, step: &Step) -> Option<Moment> {
        let (number, reward) = (number(step), &award.reward);
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
        let number = award.next_step().map_or(0, number);
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

    fn act(&self, act: &Act) -> Option<Moment> {
        let who = capital(&user(act.uid));
        let text = match &act.deed {
            // The time line begins with it.
            Deed::Tested => return None,
            Deed::Settled { reward, serial, ran } => {
                let ran = if *ran { "ran" } else { "did not run" };
                format!("{who} settled it: command {} ({reward}) {ran}.", u64::from(*serial) + 1)
            }
            Deed::Retried => format!("{who} had it tried again."),
            Deed::Cancelled => format!("{who} cancelled what was still to come."),
            Deed::Replayed { event_id } => format!("{who} had it issued again, as {event_id}."),
        };
        Some(Moment { time: act.at, text })
    }
}

/// Deliveries that only claim to be of an event, as one line: anybody can send many of them.
pub(super) fn not_accepted(arrivals: &[&Arrival]) -> Option<Moment> {
    let last = arrivals.last()?;
    let why = last.accepted.as_ref().map_or_else(String::as_str, |_| "It was a test.");
    let text = match arrivals.len() {
        1 => format!("A delivery with this id was answered with {}. {why}", last.status),
        many => format!(
            "The last of {many} deliveries with this id that were not accepted was answered with {}. {why}",
            last.status
        ),
    };
    Some(Moment { time: last.at, text })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
