//! How a grant stands for those who wait for it: the platform, `votive test-vote`, `votive resolve`.

use super::award::{Award, AwardState};
use super::event::EventKey;
use super::grant::{Grant, Stage};
use super::player::PlayerName;
use super::vote::ServerRef;

/// What an award that is planned waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
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
}

/// How a grant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something is happening right now.
    Working,
    /// The event is durable, and the owner wants no more than that for an answer.
    Recorded,
    /// All is issued, or closed.
    Granted,
    /// What is left waits for the player.
    AwaitsPlayer,
    /// What is left waits for the game server of this name.
    ServerDown(String),
    /// What is left waits for the right RCON password of the game server of this name.
    WrongPassword(String),
    /// What is left waits until the operator resumes the game server of this name.
    Paused(String),
    /// What is left waits for a game server that is not in `rewards.yaml` any more.
    ServerGone(ServerRef),
    /// A step may have run on the game server of this name.
    InDoubt(String),
    /// The vote, or one of its awards, is refused: why, in words for the owner.
    Refused(String),
    /// The API cannot tell the vote at the moment.
    ApiDown,
    /// The ledger cannot record, or the daemon is shutting down.
    Unrecorded,
}

/// How `grant` stands, with the name of its game server and what each of its awards waits for that is planned, or whose
/// receipt is to be read.
pub fn of(grant: &Grant, server: &str, wait: impl Fn(&Award, &PlayerName) -> Wait) -> Standing {
    let plan = match &grant.stage {
        Stage::Received { .. } => return Standing::ApiDown,
        Stage::Refused { reason, until_retried, .. } => {
            return Standing::Refused(refusal(&grant.event, reason, *until_retried));
        }
        Stage::Closed { .. } | Stage::Pruned => return Standing::Granted,
        Stage::Planned(plan) => plan,
    };
    let standings = plan.awards.iter().map(|award| match &award.state {
        AwardState::Done | AwardState::Closed => Standing::Granted,
        AwardState::Refused { reason, .. } => {
            Standing::Refused(refusal(&grant.event, reason, award.until_retried))
        }
        AwardState::InDoubt { .. } if !award.awaits_receipt() => Standing::InDoubt(server.to_owned()),
        AwardState::Sending => Standing::Working,
        AwardState::Planned | AwardState::InDoubt { .. } => match wait(award, &plan.player) {
            Wait::Turn => Standing::Working,
            Wait::Player => Standing::AwaitsPlayer,
            Wait::Server => Standing::ServerDown(server.to_owned()),
            Wait::Password => Standing::WrongPassword(server.to_owned()),
            Wait::Resumption => Standing::Paused(server.to_owned()),
        },
    });
    standings.max_by_key(urgency).unwrap_or(Standing::Granted)
}

/// Why something about an event is refused, with what the owner can do where a redelivery does not help.
pub fn refusal(event: &EventKey, reason: &str, until_retried: bool) -> String {
    if event.is_own() {
        // Nobody can deliver it again.
        return format!("{} votive explain {event} says what to do.", cause(reason));
    }
    if !until_retried {
        return reason.to_owned();
    }
    format!(
        "{reason} The ledger was restored from a backup, so nobody knows what was issued before that, and a redelivery changes nothing. If the player has not got the reward, run on Votive's machine: votive retry {event}"
    )
}

/// The first sentence of a reason: what is wrong.
pub fn cause(reason: &str) -> String {
    reason.split_once(". ").map_or_else(|| reason.to_owned(), |(cause, _)| format!("{cause}."))
}

/// What a reason says after its first sentence: what to do.
pub fn remedy(reason: &str) -> Option<&str> {
    reason.split_once(". ").map(|(_, remedy)| remedy)
}

/// Among the awards of a grant, the answer speaks of the one that most needs somebody's attention, once nothing
/// is happening any more.
fn urgency(standing: &Standing) -> u8 {
    match standing {
        Standing::Granted | Standing::Recorded => 0,
        Standing::AwaitsPlayer => 1,
        Standing::ServerDown(_)
        | Standing::WrongPassword(_)
        | Standing::Paused(_)
        | Standing::ServerGone(_)
        | Standing::ApiDown
        | Standing::Unrecorded => 2,
        Standing::InDoubt(_) => 3,
        Standing::Refused(_) => 4,
        Standing::Working => 5,
    }
}
