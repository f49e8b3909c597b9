//! How a grant stands, in a word, what it waits for, and for how long, in words for the owner.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::award::{Award, AwardState};
use super::grant::{Grant, Stage};
use super::player::PlayerName;
use super::standing::Wait;

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Something is still to come by itself.
    Waiting,
    /// Something may have run, and the operator has to find out.
    InDoubt,
    /// The vote, or one of its rewards, is refused.
    Refused,
    /// All is issued.
    Granted,
    /// It, or what was left of it, was cancelled.
    Closed,
    /// It was final, and its details are gone.
    Pruned,
}

impl State {
    /// Those that votes in a list have: what was pruned is in none.
    pub const LISTED: [State; 5] =
        [State::Waiting, State::InDoubt, State::Refused, State::Granted, State::Closed];

    /// Its name for scripts, everywhere the same.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::InDoubt => "in_doubt",
            State::Refused => "refused",
            State::Granted => "granted",
            State::Closed => "closed",
            State::Pruned => "pruned",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a part of a grant waits for that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// Its turn.
    Turn,
    /// The player to come online.
    Player,
    /// The game server to come back.
    Server,
    /// The right RCON password.
    Password,
    /// The operator, who has paused the game server.
    Resumption,
    /// A game server in `rewards.yaml` that has its id.
    ServerInFile,
    /// The API to tell the vote.
    Api,
    /// The receipt of a command that may have run.
    Receipt,
    /// The operator, who has to find out whether a command ran.
    Operator,
}

impl Awaited {
    /// What follows "waiting for".
    pub fn words(self) -> &'static str {
        match self {
            Awaited::Turn => "its turn",
            Awaited::Player => "the player",
            Awaited::Server => "the game server",
            Awaited::Password => "the right RCON password",
            Awaited::Resumption => "the game server to be resumed",
            Awaited::ServerInFile => "its game server to be in rewards.yaml",
            Awaited::Api => "the API of GAMEMONITORING",
            Awaited::Receipt => "the receipt of a command",
            Awaited::Operator => "you: a command is in doubt",
        }
    }
}

/// A span of time as people say it, roughly.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

impl Grant {
    /// How it stands. Of what stands differently, the part that most needs somebody's attention is told.
    pub fn state(&self) -> State {
        let urgency = |state: &State| match state {
            State::Granted | State::Pruned => 0,
            State::Closed => 1,
            State::Waiting => 2,
            State::Refused => 3,
            State::InDoubt => 4,
        };
        self.states().into_iter().max_by_key(urgency).unwrap_or(State::Granted)
    }

    /// Whether it, or a part of it, stands so: what one part waits for does not hide that another is refused. It is granted
    /// or closed only as a whole.
    pub fn is_in(&self, state: State) -> bool {
        match state {
            State::Granted | State::Closed | State::Pruned => self.state() == state,
            State::Waiting | State::InDoubt | State::Refused => self.states().contains(&state),
        }
    }

    /// How each part of it stands.
    fn states(&self) -> Vec<State> {
        let plan = match &self.stage {
            Stage::Received { .. } => return vec![State::Waiting],
            Stage::Refused { .. } => return vec![State::Refused],
            Stage::Closed { .. } => return vec![State::Closed],
            Stage::Pruned => return vec![State::Pruned],
            Stage::Planned(plan) => plan,
        };
        let state = |award: &Award| match award.state {
            AwardState::Planned | AwardState::Sending => State::Waiting,
            AwardState::InDoubt { .. } if award.awaits_receipt() => State::Waiting,
            AwardState::InDoubt { .. } => State::InDoubt,
            AwardState::Done => State::Granted,
            AwardState::Refused { .. } => State::Refused,
            AwardState::Closed => State::Closed,
        };
        plan.awards.iter().map(state).collect()
    }

    /// Whether whoever looks at votes sees no difference between it and what it has become.
    pub fn stands_like(&self, other: &Grant) -> bool {
        let awards = |grant: &Grant| -> Vec<(AwardState, Option<u32>)> {
            let awards = grant.plan().map_or(&[][..], |plan| &plan.awards).iter();
            awards.map(|award| (award.state.clone(), award.next_step().map(|step| step.serial))).collect()
        };
        self.state() == other.state() && self.reason() == other.reason() && awards(self) == awards(other)
    }

    /// Why something of it is refused or in doubt, or why the API has not told it yet.
    pub fn reason(&self) -> Option<&str> {
        match &self.stage {
            Stage::Received { why, .. } => why.as_deref(),
            Stage::Refused { reason, .. } => Some(reason),
            Stage::Planned(plan) => plan.awards.iter().find_map(|award| match &award.state {
                AwardState::Refused { reason, .. } | AwardState::InDoubt { reason, .. } => {
                    Some(reason.as_str())
                }
                _ => None,
            }),
            Stage::Closed { .. } | Stage::Pruned => None,
        }
    }

    /// What each part of it waits for that is open. `wait` tells what an award waits for that is planned, or whose
    /// receipt is to be read; `None` where its game server is not configured.
    pub fn awaited(&self, wait: impl Fn(&Award, &PlayerName) -> Option<Wait>) -> Vec<Awaited> {
        let plan = match &self.stage {
            Stage::Received { .. } => return vec![Awaited::Api],
            Stage::Refused { .. } | Stage::Closed { .. } | Stage::Pruned => return vec![],
            Stage::Planned(plan) => plan,
        };
        let awaited = |award: &Award| match &award.state {
            AwardState::Done | AwardState::Refused { .. } | AwardState::Closed => None,
            AwardState::InDoubt { .. } if !award.awaits_receipt() => Some(Awaited::Operator),
            AwardState::Sending => Some(Awaited::Turn),
            AwardState::Planned | AwardState::InDoubt { .. } => Some(match wait(award, &plan.player) {
                None => Awaited::ServerInFile,
                Some(Wait::Player) => Awaited::Player,
                Some(Wait::Server) => Awaited::Server,
                Some(Wait::Password) => Awaited::Password,
                Some(Wait::Resumption) => Awaited::Resumption,
                Some(Wait::Turn) if award.awaits_receipt() => Awaited::Receipt,
                Some(Wait::Turn) => Awaited::Turn,
            }),
        };
        plan.awards.iter().filter_map(awaited).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let said = [0, 1, 119, 120, 7_199, 7_200, 172_799, 172_800].map(Duration::from_secs).map(span);
        assert_eq!(
            said,
            [
                "0 seconds",
                "1 second",
                "119 seconds",
                "2 minutes",
                "119 minutes",
                "2 hours",
                "47 hours",
                "2 days"
            ]
        );
    }
}
