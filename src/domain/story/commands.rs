//! How each command fared.

use super::{CommandState, CommandStory, Teller};
use crate::domain::award::{Award, AwardState, Finish, Receipt, Step};
use crate::domain::reply::{self, Meaning};
use crate::domain::standing::Wait;

impl Teller<'_> {
    pub(super) fn commands(&self) -> Vec<CommandStory> {
        let told = |award: &'_ Award| -> Vec<CommandStory> {
            award.steps.iter().map(|step| self.command(award, step)).collect()
        };
        self.awards().iter().flat_map(told).collect()
    }

    fn command(&self, award: &Award, step: &Step) -> CommandStory {
        let (state, told, reply) = match &step.finished {
            Some(finish) => self.finished(finish, step),
            None => self.unfinished(award, step),
        };
        CommandStory {
            number: step.number(),
            reward: award.reward.clone(),
            command: step.command.clone(),
            state,
            told,
            reply,
            time: step.finished_at,
        }
    }

    fn unfinished(&self, award: &Award, step: &Step) -> (CommandState, String, Option<String>) {
        let server = self.server();
        let is_next = award.next_step().is_some_and(|next| next.serial == step.serial);
        let told = |state, told: String| (state, told, None);
        match &award.state {
            AwardState::Refused { reply, .. } if is_next => {
                let reply = reply.clone().filter(|reply| !reply.is_empty());
                match reply {
                    Some(reply) => (CommandState::Refused, format!("{server} refused it"), Some(reply)),
                    None => told(CommandState::Refused, "did not run".to_owned()),
                }
            }
            AwardState::Refused { .. } => told(CommandState::NotSent, "not sent".to_owned()),
            AwardState::Closed => match &step.doubt {
                Some(doubt) => told(
                    CommandState::Unknown,
                    format!("cancelled while nobody knew whether it had run: {doubt}"),
                ),
                None => told(CommandState::NotSent, "not sent: cancelled".to_owned()),
            },
            _ if !is_next => match &step.doubt {
                Some(doubt) => told(CommandState::InDoubt, format!("may have run already: {doubt}")),
                None => told(CommandState::Waiting, "comes after that".to_owned()),
            },
            AwardState::InDoubt { .. } if award.awaits_receipt() => told(
                CommandState::InDoubt,
                "may have run; the receipt that it leaves in the game will tell".to_owned(),
            ),
            AwardState::InDoubt { reason, .. } => {
                told(CommandState::InDoubt, format!("may or may not have run: {reason}"))
            }
            AwardState::Sending => {
                told(CommandState::Sending, format!("sent; {server} has not answered yet"))
            }
            // A finished award has no step to come.
            AwardState::Planned | AwardState::Done => told(CommandState::Waiting, self.to_come(award, step)),
        }
    }

    fn finished(&self, finish: &Finish, step: &Step) -> (CommandState, String, Option<String>) {
        let (state, mut told, reply) = match finish {
            Finish::Ran { reply } => {
                let known = !self.is_unknown(step);
                let told =
                    if known { "ran" } else { "counts as run, with a reply that Votive does not know" };
                (CommandState::Ran, told.to_owned(), Some(reply.clone()).filter(|reply| !reply.is_empty()))
            }
            Finish::Receipt => {
                (CommandState::Ran, "ran, as its receipt in the game has shown".to_owned(), None)
            }
            Finish::Settled => (CommandState::Ran, "ran, as an operator has said".to_owned(), None),
            Finish::PassedOver { reason } => {
                (CommandState::PassedOver, format!("passed over: {reason}"), None)
            }
        };
        if step.is_forgotten() {
            told.push_str("; but the world has gone back to a time before it");
        }
        (state, told, reply)
    }

    /// Whether nobody can tell by the reply to a step that it did what it should.
    pub(super) fn is_unknown(&self, step: &Step) -> bool {
        let (Some(plan), Some(rules)) = (self.plan, self.circumstances.replies) else { return false };
        // Its receipt has shown it, whatever the game said.
        let proven = matches!(step.receipt, Receipt::Acknowledged { .. } | Receipt::Removed);
        match &step.finished {
            Some(Finish::Ran { reply: said }) if !proven && !step.optional => {
                reply::read(said, &step.command, &plan.player, rules) == Meaning::Unrecognised
            }
            _ => false,
        }
    }

    /// How the next command of an award stands that is planned.
    fn to_come(&self, award: &Award, step: &Step) -> String {
        let mut told = format!("to be sent; waits for {}", self.obstacle(award).0);
        if award.repeats > 0 {
            told.push_str(&format!(
                "; it was sent {} before without an outcome, and is repeated as in_doubt says",
                times(award.repeats)
            ));
        }
        if award.offline_replies > 0 && step.needs_player {
            told.push_str(&format!(
                "; {} has said {} that the player is not online",
                self.server(),
                times(award.offline_replies)
            ));
        }
        told
    }

    /// What an award waits for that is planned, or whose receipt is to be read; and what more is known of that.
    pub(super) fn obstacle(&self, award: &Award) -> (String, String) {
        let unknown = String::new();
        let (Some(plan), Some(server)) = (self.plan, self.circumstances.server) else {
            return (format!("a server in rewards.yaml with the {}", self.server()), unknown);
        };
        let why = self.circumstances.down.map_or_else(String::new, |down| format!("; it {}", down.why));
        match (self.circumstances.wait)(award, &plan.player) {
            Wait::Turn => (format!("its turn on {server}"), unknown),
            Wait::Player => (format!("{} to come online on {server}", self.player()), unknown),
            Wait::Server => (format!("{server} to come back"), why),
            Wait::Password => (format!("the right RCON password of {server}"), why),
            Wait::Resumption => {
                let on_hold = self.circumstances.pause.is_none();
                let known = if on_hold { "; Votive was started with --hold" } else { "" };
                (format!("somebody to resume {server}"), known.to_owned())
            }
        }
    }
}

/// What `votive resolve --step` calls a step.
fn times(number: u8) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}
