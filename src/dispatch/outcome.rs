//! What the end of a command means for its award.

use crate::config::GameServer;
use crate::domain::grant::{Award, AwardFact, Step};
use crate::domain::player::PlayerName;
use crate::domain::reply::{self, Meaning};
use crate::rcon::Outcome;

/// The fact that follows from how `step` ended; `None` is a shutdown that could not wait any longer.
pub(super) fn fact(
    outcome: Option<Outcome>,
    award: &Award,
    step: &Step,
    player: &PlayerName,
    server: &GameServer,
) -> AwardFact {
    let no_outcome = |reason: String| AwardFact::NoOutcome { reason };
    match outcome {
        None => no_outcome("Votive was stopped before the game answered".to_owned()),
        Some(Outcome::NotSent | Outcome::LoginExpired) => AwardFact::NotSent,
        Some(Outcome::TooLong) => rejected(award, server, "a command is longer than a game server reads", ""),
        Some(Outcome::Silent) => no_outcome(format!("{} did not answer in time", server.name)),
        Some(Outcome::Broken(broken)) => {
            no_outcome(format!("the connection to {} broke before the answer: {broken}", server.name))
        }
        Some(Outcome::Reply(reply)) => match reply::read(&reply, &step.command, player, &server.replies) {
            Meaning::Done | Meaning::Unrecognised => AwardFact::Ran { reply },
            Meaning::Offline => AwardFact::Offline,
            Meaning::Rejected(why) => rejected(award, server, why, &reply),
            Meaning::InDoubt(why) => no_outcome(why.to_owned()),
        },
    }
}

fn rejected(award: &Award, server: &GameServer, why: &str, reply: &str) -> AwardFact {
    let reason = format!(
        "{} refused the reward {}: {why}. Try the command by hand, correct it in rewards.yaml, restart Votive and deliver again.",
        server.name, award.reward
    );
    AwardFact::Rejected { reason, reply: reply.to_owned() }
}
