//! The story of a vote, as an owner understands it: what happened when, why each reward came or did not, how each
//! command fared, what is awaited, and what to do next. It tells what the ledger has; nothing is decided by it.
//!
//! All sentences are ours. What comes from outside (the nickname, what a game replied) stands in fields of its own, raw:
//! whoever shows it has to escape it.

mod awaited;
mod commands;
mod timeline;
mod unrecorded;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use unrecorded::{Besides, Nameless};

use super::arrival::Arrival;
use super::award::{Award, AwardState, Step};
use super::event::{REPLAY, TEST_VOTE};
use super::grant::{Grant, Stage};
use super::outline::{self, Awaited};
use super::pause::Pause;
use super::plan::{Plan, Verdict};
use super::player::PlayerName;
use super::reply::ReplyRules;
use super::standing::{Wait, cause};

/// What is told to somebody who asks for an event or a player.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The stories, the newest vote last; none where nothing is known.
    pub stories: Vec<Story>,
    /// How many older votes of the player there are besides.
    pub more: usize,
    /// What else is to be said; where nothing is known, what to check.
    pub notes: Vec<String>,
}

/// What is told of one vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The id of the event.
    pub event_id: String,
    /// Its type, where it is known.
    pub event_type: Option<String>,
    /// The nickname, as the voter typed it, once it is known.
    pub player: Option<String>,
    /// The game server: its name in `rewards.yaml`, or else how the platform calls it; once it is known.
    pub server: Option<String>,
    /// In one word, for filters.
    pub state: State,
    /// In one line.
    pub summary: String,
    /// What happened, the oldest first.
    pub timeline: Vec<Moment>,
    /// What was decided about each reward of the game server.
    pub verdicts: Vec<Verdict>,
    /// Every command, in the order in which those of a reward are sent.
    pub commands: Vec<CommandStory>,
    /// What it waits for, as it follows "Waiting for".
    pub awaited: Vec<String>,
    /// What to do about it, with the commands to type.
    pub next: Vec<String>,
}

/// What a delivery came to, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its delivery was not accepted.
    NotAccepted,
    /// It was a test delivery.
    Test,
    /// Nothing is rewarded for events of its type.
    NotRewarded,
    /// To a grant, which stands so.
    #[serde(untagged)]
    Grant(outline::State),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub time: Timestamp,
    /// What.
    pub text: String,
}

/// How one command fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandStory {
    /// What `votive resolve --step` calls it.
    pub number: u64,
    /// The reward that it is of.
    pub reward: String,
    /// As it is sent.
    pub command: String,
    /// In one word, for filters.
    pub state: CommandState,
    /// How it fared, in words.
    pub told: String,
    /// What the game said.
    pub reply: Option<String>,
    /// When it was finished.
    pub time: Option<Timestamp>,
}

/// How a command stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// It ran.
    Ran,
    /// It may or may not have run, and that does not matter.
    PassedOver,
    /// It is still to be sent.
    Waiting,
    /// It is on its way.
    Sending,
    /// Nobody knows whether it ran.
    InDoubt,
    /// The game did not do it.
    Refused,
    /// It was not sent, and will not be unless somebody asks for it.
    NotSent,
    /// Nobody knows whether it ran, and nobody is asked any more: it was cancelled.
    Unknown,
}

/// What is to be known besides the ledger.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// The time of day.
    pub now: Timestamp,
    /// The name of the vote's game server, if it is configured today.
    pub server: Option<&'a str>,
    /// How the owner has its replies read, if it is.
    pub replies: Option<&'a ReplyRules>,
    /// The first character of a Bedrock player's name, if there are such players.
    pub bedrock_prefix: Option<char>,
    /// What each award waits for that is planned, or whose receipt is to be read.
    pub wait: &'a dyn Fn(&Award, &PlayerName) -> Wait,
    /// What keeps the game server from being used, if anything does.
    pub down: Option<Down<'a>>,
    /// Who has paused the game server, if somebody has; at a start on hold nobody has, and it is paused all the same.
    pub pause: Option<&'a Pause>,
    /// The deliveries of this run that claim to be of the event, the oldest first.
    pub arrivals: &'a [Arrival],
}

/// What keeps a game server from being used.
#[derive(Clone, Copy, Debug)]
pub struct Down<'a> {
    /// In words that follow the server's name.
    pub why: &'a str,
    /// Since when.
    pub since: Timestamp,
}

impl Story {
    /// The story of a grant.
    pub fn of(grant: &Grant, circumstances: &Circumstances<'_>) -> Story {
        let teller = Teller { grant, plan: grant.plan(), circumstances };
        Story {
            event_id: grant.event.event_id.clone(),
            event_type: Some(grant.event.event_type.clone()),
            player: grant.vote().map(|vote| vote.nickname.clone()),
            server: grant.vote().map(|_| teller.server()),
            state: State::Grant(grant.state()),
            summary: teller.summary(),
            timeline: teller.timeline(),
            verdicts: grant.plan().map_or_else(Vec::new, |plan| plan.verdicts.clone()),
            commands: teller.commands(),
            awaited: teller.awaited(),
            next: teller.next(),
        }
    }
}

impl Award {
    /// Whether it is in doubt, and no receipt can tell.
    fn needs_a_person(&self) -> bool {
        matches!(self.state, AwardState::InDoubt { .. }) && !self.awaits_receipt()
    }
}

/// Tells the story of a grant.
struct Teller<'a> {
    grant: &'a Grant,
    plan: Option<&'a Plan>,
    circumstances: &'a Circumstances<'a>,
}

impl Teller<'_> {
    /// What the game server is called.
    fn server(&self) -> String {
        let called =
            || self.grant.vote().map_or_else(|| "the server".to_owned(), |vote| vote.server.to_string());
        self.circumstances.server.map_or_else(called, str::to_owned)
    }

    /// What the player is called: never what a stranger has typed.
    fn player(&self) -> &str {
        self.plan.map_or("the player", |plan| plan.player.as_str())
    }

    fn awards(&self) -> &[Award] {
        self.plan.map_or(&[], |plan| &plan.awards)
    }

    fn summary(&self) -> String {
        let told = self.outcome();
        match (&self.grant.replays, self.grant.event.event_type.as_str()) {
            (Some(original), _) => format!("A replay of the vote {original}. {told}"),
            (None, REPLAY) => format!("A replay. {told}"),
            (None, TEST_VOTE) => format!("A test vote. {told}"),
            (None, _) => told,
        }
    }

    fn outcome(&self) -> String {
        let plan = match &self.grant.stage {
            Stage::Received { .. } => {
                return "The vote is recorded; GAMEMONITORING's API has not told yet whose it is.".to_owned();
            }
            Stage::Refused { reason, .. } => return format!("Nothing was issued. {}", cause(reason)),
            Stage::Closed { .. } => {
                return "The vote was cancelled before anything was issued for it.".to_owned();
            }
            Stage::Pruned => {
                return "The vote was finished long ago, and its details were pruned to save room."
                    .to_owned();
            }
            Stage::Planned(plan) => plan,
        };
        let (player, server) = (self.player(), self.server());
        if plan.verdicts.is_empty() {
            return format!("{player} got nothing, because {server} has no rewards in rewards.yaml.");
        }
        if plan.awards.is_empty() {
            return format!("{player} got nothing, because the vote earned no reward of {server}.");
        }
        let is_waiting = |award: &Award| {
            matches!(award.state, AwardState::Planned | AwardState::Sending | AwardState::InDoubt { .. })
                && !award.needs_a_person()
        };
        let of = |is: &dyn Fn(&Award) -> bool| {
            let rewards = plan.awards.iter().filter(|award| is(award)).map(|award| award.reward.as_str());
            Some(listed(&rewards.collect::<Vec<_>>())).filter(|rewards| !rewards.is_empty())
        };
        let mut told = Vec::new();
        told.extend(
            of(&|award| award.state == AwardState::Done)
                .map(|rewards| format!("{player} got {rewards} on {server}.")),
        );
        told.extend(
            of(&|award| award.steps.iter().any(Step::is_forgotten)).map(|rewards| {
                format!("But the world of {server} has gone back to a time before {rewards}.")
            }),
        );
        told.extend(
            of(&Award::needs_a_person)
                .map(|rewards| format!("Nobody knows whether a command of {rewards} ran on {server}.")),
        );
        told.extend(plan.awards.iter().filter_map(|award| match &award.state {
            AwardState::Refused { reason, .. } => Some(cause(reason)),
            _ => None,
        }));
        told.extend(of(&is_waiting).map(|rewards| {
            format!("{player} has not got all of {rewards} yet: waiting for {}.", self.awaited_in_short())
        }));
        told.extend(
            of(&|award| award.state == AwardState::Closed)
                .map(|rewards| format!("What was left of {rewards} was cancelled.")),
        );
        told.join(" ")
    }

    /// What is awaited that comes by itself, or by what the owner does elsewhere.
    fn awaited_in_short(&self) -> String {
        let Circumstances { server, wait, .. } = self.circumstances;
        let mut awaited = self.grant.awaited(|award, player| server.map(|_| wait(award, player)));
        awaited.sort();
        awaited.dedup();
        awaited.retain(|awaited| *awaited != Awaited::Operator);
        listed(&awaited.iter().map(|awaited| awaited.words()).collect::<Vec<_>>())
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[impl fmt::Display]) -> String {
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(ToString::to_string).collect();
            format!("{} and {last}", most.join(", "))
        }
    }
}

/// Who did something, by the number of the system's user.
fn user(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { format!("the user {uid}") }
}

#[cfg(test)]
mod tests;
