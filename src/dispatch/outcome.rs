//! What the end of a command means for its award.

use crate::config::GameServer;
use crate::domain::award::{Award, AwardFact, Step};
use crate::domain::event::EventKey;
use crate::domain::player::PlayerName;
use crate::domain::reply::{self, Meaning};
use crate::log;
use crate::rcon::Outcome;

/// A command that was sent, or was about to be.
#[derive(Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) event: &'a EventKey,
    pub(crate) player: &'a PlayerName,
    pub(crate) server: &'a GameServer,
    pub(crate) award: &'a Award,
    pub(crate) step: &'a Step,
}

impl Sent<'_> {
    /// The fact that follows from how the command ended; `None` is a shutdown that could not wait any longer.
    pub(super) fn fact(&self, outcome: Option<Outcome>) -> AwardFact {
        let server = &self.server.name;
        let no_outcome = |reason: String| AwardFact::NoOutcome { reason };
        match outcome {
            None => no_outcome("Votive was stopped before the game answered".to_owned()),
            Some(Outcome::NotSent | Outcome::LoginExpired) => AwardFact::NotSent,
            Some(Outcome::TooLong) => self.rejected("a command is longer than a game server reads", ""),
            Some(Outcome::Silent) => no_outcome(format!("{server} did not answer in time")),
            Some(Outcome::Broken(broken)) => {
                no_outcome(format!("the connection to {server} broke before the answer: {broken}"))
            }
            Some(Outcome::Reply(reply)) => {
                match reply::read(&reply, &self.step.command, self.player, &self.server.replies) {
                    Meaning::Done => AwardFact::Ran { reply },
                    Meaning::Unrecognised => {
                        log::unrecognised(self, &reply);
                        AwardFact::Ran { reply }
                    }
                    Meaning::Offline => AwardFact::Offline,
                    Meaning::Rejected(why) => self.rejected(why, &reply),
                    Meaning::InDoubt(why) => no_outcome(why.to_owned()),
                }
            }
        }
    }

    fn rejected(&self, why: &str, reply: &str) -> AwardFact {
        let reason = format!(
            "{} refused the reward {}: {why}. Try the command by hand, correct it in rewards.yaml, restart Votive and deliver again.",
            self.server.name, self.award.reward
        );
        AwardFact::Rejected { reason, reply: reply.to_owned() }
    }
}
