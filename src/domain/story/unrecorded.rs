//! What is told of events that the ledger does not know.

use std::time::Duration;

use jiff::Timestamp;

use super::timeline::not_accepted;
use super::{Moment, State, Story, listed};
use crate::domain::arrival::{Arrival, Kind, Refusals};
use crate::domain::outline::span;
use crate::domain::standing::cause;

impl Story {
    /// The story of an event that the ledger does not know, by its deliveries in this run, the oldest first; `None`
    /// without any.
    pub fn of_arrivals(event_id: &str, arrivals: &[Arrival]) -> Option<Story> {
        let last = arrivals.iter().rfind(|arrival| arrival.refused().is_none()).or(arrivals.last())?;
        let (state, summary, next) = match &last.kind {
            Kind::Test => (
                State::Test,
                "A test delivery of GAMEMONITORING arrived, and its signature is good. Tests are not rewarded."
                    .to_owned(),
                vec!["Nothing. To see what a vote would bring: votive simulate".to_owned()],
            ),
            Kind::Vote => (
                State::NotAccepted,
                "A vote arrived, and could not be recorded at that moment. Nothing was issued.".to_owned(),
                vec!["Deliver it again at GAMEMONITORING.".to_owned()],
            ),
            Kind::Unrewarded => (
                State::NotRewarded,
                format!(
                    "An event of the type {} arrived. Votive rewards votes for servers (server.vote) and nothing else.",
                    last.claim.event_type.as_deref().unwrap_or("?")
                ),
                vec!["Nothing.".to_owned()],
            ),
            Kind::Refused(why) => not_accepted_story(last.status, why),
        };
        let (accepted, refused): (Vec<&Arrival>, Vec<&Arrival>) =
            arrivals.iter().partition(|arrival| arrival.refused().is_none());
        let accepted = accepted.iter().map(|arrival| Moment {
            time: arrival.at,
            text: format!("A delivery arrived and was answered with {}.", arrival.status),
        });
        let mut timeline: Vec<Moment> = accepted.chain(not_accepted(&refused)).collect();
        timeline.sort_by_key(|moment| moment.time);
        Some(Story {
            event_id: event_id.to_owned(),
            event_type: last.claim.event_type.clone(),
            player: None,
            server: None,
            state,
            summary,
            timeline,
            verdicts: Vec::new(),
            commands: Vec::new(),
            awaited: Vec::new(),
            next,
        })
    }
}

fn not_accepted_story(status: u16, why: &str) -> (State, String, Vec<String>) {
    let next = match status {
        401 => vec![
            "If GAMEMONITORING lists this delivery among those that it sent: put the project's signing token into the file that rewards.yaml names, restart Votive, and deliver it again.".to_owned(),
            "If it does not, somebody else has sent it. Nothing is to be done.".to_owned(),
        ],
        _ => vec!["If GAMEMONITORING lists this delivery among those that it sent, report it there. If not, nothing is to be done.".to_owned()],
    };
    (State::NotAccepted, format!("Nothing was issued: the delivery was not accepted. {}", cause(why)), next)
}

/// Votes whose player nobody has told yet.
#[derive(Clone, Debug, Default)]
pub struct Nameless {
    /// The ids of the newest.
    pub newest: Vec<String>,
    /// How many there are.
    pub total: usize,
}

/// What is known besides stories.
#[derive(Clone, Copy, Debug)]
pub struct Besides<'a> {
    /// Players of almost that name who have voted.
    pub alike: &'a [String],
    /// The deliveries that were refused in this run.
    pub refusals: &'a Refusals,
    /// The votes that may be anybody's.
    pub nameless: &'a Nameless,
    /// The time of day.
    pub now: Timestamp,
}

impl Besides<'_> {
    /// What to say besides the stories of a player.
    pub fn of_player(&self) -> Vec<String> {
        let Nameless { newest, total } = self.nameless;
        match newest.as_slice() {
            [] => Vec::new(),
            [id] if *total == 1 => vec![format!(
                "GAMEMONITORING's API has not told yet whose the vote {id} is, so it may be the player's as well."
            )],
            _ if newest.len() == *total => vec![format!(
                "GAMEMONITORING's API has not told yet whose {total} votes are, so they may be the player's as well: {}.",
                listed(newest)
            )],
            _ => vec![format!(
                "GAMEMONITORING's API has not told yet whose {total} votes are, so they may be the player's as well. The newest: {}.",
                listed(newest)
            )],
        }
    }

    /// What to check where there is no story.
    pub fn of_nobody(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.alike.is_empty() {
            let commands: Vec<String> =
                self.alike.iter().map(|name| format!("votive explain '{name}'")).collect();
            notes.push(format!("There are votes of almost that name: {}", listed(&commands)));
        }
        notes.extend(self.of_player());
        notes.push("A player is found by the nickname that was given with the vote, in whatever case; a Bedrock player's begins with the prefix. An id has to be complete.".to_owned());
        notes.push("Look at GAMEMONITORING whether it lists the delivery, and how that was answered. If it did not reach Votive: votive test-webhook tells why.".to_owned());
        if let Some(last) = &self.refusals.last {
            let many = match self.refusals.total {
                1 => "1 delivery was".to_owned(),
                many => format!("{many} deliveries were"),
            };
            let id =
                last.claim.event_id.as_ref().map_or_else(String::new, |id| format!(" (votive explain {id})"));
            // Or no time ago, where the clock went back.
            let ago = Duration::try_from(self.now.duration_since(last.at)).unwrap_or_default();
            notes.push(format!(
                "Since Votive was started, {many} refused, the last one {} ago{id}: {}",
                span(ago),
                last.refused().unwrap_or_default()
            ));
        }
        notes.push("Votive remembers the last 256 refused deliveries, until it stops. Votes that were pruned are found by their id only.".to_owned());
        notes
    }
}
