//! What the end of a command means for its award.

use std::borrow::Cow;

use crate::config::GameServer;
use crate::domain::award::{Award, AwardFact, Receipt, Step};
use crate::domain::event::EventKey;
use crate::domain::player::PlayerName;
use crate::domain::receipt::{self, Key};
use crate::domain::reply::{self, Meaning};
use crate::rcon::Outcome;
use crate::report::Report;

/// A command that was sent, or was about to be.
#[derive(Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) event: &'a EventKey,
    pub(crate) player: &'a PlayerName,
    pub(crate) server: &'a GameServer,
    pub(crate) award: &'a Award,
    pub(crate) step: &'a Step,
}

/// What it meant that a game said nothing to a guarded command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Silence {
    /// It ran.
    Ran,
    /// It ran into an error of the game and did nothing.
    Failed,
    /// It did nothing, and the player is not online any more.
    PlayerLeft,
}

impl Sent<'_> {
    /// Whether it leaves a receipt.
    pub(super) fn is_guarded(&self) -> bool {
        self.step.receipt == Receipt::Announced
    }

    /// The receipt that it leaves.
    pub(super) fn key(&self) -> Key {
        Key::of(self.event, &self.award.reward, self.step.serial)
    }

    /// The command as the game gets it, where that takes `minecraft:` before its own commands or not.
    pub(super) fn on_the_wire(&self, takes_prefix: bool) -> Cow<'_, str> {
        let command = &self.step.command;
        match (self.is_guarded(), takes_prefix) {
            (false, _) => command.into(),
            (true, false) => self.key().guard(command).into(),
            (true, true) => self.key().guard(&receipt::past_plugins(command)).into(),
        }
    }

    /// The fact that follows from how the command ended; `None` is a shutdown that could not wait any longer. `silence`
    /// is what is known of an empty reply to a guarded command.
    pub(super) fn fact(
        &self,
        outcome: Option<Outcome>,
        silence: Option<Silence>,
        report: &Report,
    ) -> AwardFact {
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
            Some(Outcome::Reply(reply)) if self.is_guarded() && reply::plain(&reply).is_empty() => {
                match silence {
                    Some(Silence::Ran) => AwardFact::Ran { reply },
                    Some(Silence::Failed) => AwardFact::FailedSilently,
                    Some(Silence::PlayerLeft) => AwardFact::Offline,
                    None => no_outcome(format!("{server} stayed silent, and its receipt could not be read")),
                }
            }
            Some(Outcome::Reply(reply)) if self.is_guarded() && reply::is_syntax_error(&reply) => {
                AwardFact::NotGuardable
            }
            Some(Outcome::Reply(reply)) => {
                match reply::read(&reply, &self.step.command, self.player, &self.server.replies) {
                    Meaning::Done => AwardFact::Ran { reply },
                    Meaning::Unrecognised => {
                        report.unrecognised(self, &reply);
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
            "{} refused the reward {}: {why}. Try the command by hand, correct it in rewards.yaml, reload Votive and deliver again.",
            self.server.name, self.award.reward
        );
        AwardFact::Rejected { reason, reply: reply.to_owned() }
    }
}

/// The fact that an award is refused whose commands have to leave receipts, by a game server that keeps none.
pub(super) fn keeps_no_receipts(server: &GameServer, award: &Award) -> AwardFact {
    let reason = format!(
        "{0} keeps no receipts, as Minecraft does from 1.15 on, and servers.{0}.receipts is `always`: the reward {1} was not sent. Set it to `auto`, reload Votive and deliver again.",
        server.name, award.reward
    );
    AwardFact::Rejected { reason, reply: String::new() }
}
