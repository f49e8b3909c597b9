//! What a vote waits for, and what to do about it.

use super::commands::number;
use super::{Teller, cause};
use crate::domain::award::{Award, AwardState, Receipt};
use crate::domain::grant::Stage;
use crate::domain::player::PlayerName;
use crate::domain::standing::Wait;

impl Teller<'_> {
    pub(super) fn awaited(&self) -> Vec<String> {
        if let Stage::Received { attempts, why, .. } = &self.grant.stage {
            let api = "GAMEMONITORING's API to tell the vote";
            return vec![match (attempts, why) {
                (0, _) => format!("{api}; it is being asked"),
                (1, Some(why)) => format!("{api}; it was asked once: {why}"),
                (_, Some(why)) => format!("{api}; it was asked {attempts} times, at last: {why}"),
                (_, None) => format!("{api}; it was asked {attempts} times"),
            }];
        }
        let mut awaited: Vec<String> = Vec::new();
        for award in self.awards() {
            let (reward, number) = (&award.reward, award.next_step().map_or(0, number));
            let sentence = match &award.state {
                AwardState::Planned => self.obstacle(award),
                AwardState::Sending => {
                    format!("the answer of {} to command {number} ({reward})", self.server())
                }
                AwardState::InDoubt { .. } if award.awaits_receipt() => {
                    format!("the receipt of command {number} ({reward}), and so for {}", self.obstacle(award))
                }
                AwardState::InDoubt { .. } => format!("you, to say whether command {number} ({reward}) ran"),
                AwardState::Refused { .. } | AwardState::Done | AwardState::Closed => continue,
            };
            // Several rewards often wait for one thing.
            if !awaited.contains(&sentence) {
                awaited.push(sentence);
            }
        }
        awaited
    }

    pub(super) fn next(&self) -> Vec<String> {
        let event = &self.grant.event;
        let mut next = match &self.grant.stage {
            Stage::Received { .. } => vec![
                "Nothing: Votive asks again by itself. Whether the API can be reached at all: votive check --online"
                    .to_owned(),
            ],
            Stage::Refused { reason, until_retried, .. } => self.mend_vote(reason, *until_retried),
            Stage::Closed { .. } => vec![format!("Nothing, unless the player shall have it after all: votive retry {event}")],
            Stage::Pruned | Stage::Planned(_) => Vec::new(),
        };
        for award in self.awards() {
            for sentence in self.mend(award) {
                if !next.contains(&sentence) {
                    next.push(sentence);
                }
            }
        }
        if next.is_empty() {
            next.push("Nothing.".to_owned());
        }
        next
    }

    /// What to do about a vote that is refused as a whole.
    fn mend_vote(&self, reason: &str, until_retried: bool) -> Vec<String> {
        let event = &self.grant.event;
        if until_retried {
            return vec![self.after_restore()];
        }
        let Some(vote) = self.grant.vote() else {
            // What the reason says after its cause is what to do.
            return vec![remedy(reason), format!("To ask the API once more: votive retry {event}")];
        };
        if self.circumstances.server.is_none() {
            return vec![format!(
                "If {} is one of your servers, add the id to it in rewards.yaml. Then: votive reload, and votive retry {event}",
                vote.server
            )];
        }
        match PlayerName::parse(&vote.nickname, self.circumstances.bedrock_prefix) {
            Ok(_) => vec![format!("rewards.yaml has changed since. To try it again: votive retry {event}")],
            Err(why) => vec![format!(
                "This vote can be given to nobody: {why}. Tell the voter to give the name that they have in Minecraft. If it is a Bedrock player's, set players.bedrock_prefix; then: votive reload, and votive retry {event}"
            )],
        }
    }

    fn mend(&self, award: &Award) -> Vec<String> {
        let (event, reward, server) = (&self.grant.event, &award.reward, self.server());
        let number = award.next_step().map_or(0, number);
        match &award.state {
            AwardState::InDoubt { .. } if award.needs_a_person() => vec![format!(
                "Look on {server} whether command {number} ({reward}) ran. If it did: votive resolve {event} --step {number} --ran. If it did not, and shall be sent: votive resolve {event} --step {number} --not-run"
            )],
            AwardState::Refused { .. } if award.until_retried => vec![self.after_restore()],
            AwardState::Refused { reason, .. } => {
                vec![remedy(reason), format!("Then, in place of a delivery: votive retry {event}")]
            }
            AwardState::Planned | AwardState::InDoubt { .. } => vec![self.make_way(award)],
            AwardState::Closed => {
                vec![format!(
                    "Nothing, unless the player shall have {reward} after all: votive retry {event}"
                )]
            }
            AwardState::Done if award.steps.iter().any(|step| step.receipt == Receipt::Lost) => {
                vec![format!(
                    "The world of {server} has gone back in time. Look what {} has; what is gone can be issued again with votive replay",
                    self.player()
                )]
            }
            AwardState::Done | AwardState::Sending => Vec::new(),
        }
    }

    /// What to do so that an award goes on by itself.
    fn make_way(&self, award: &Award) -> String {
        let (event, server) = (&self.grant.event, self.server());
        let (Some(plan), Some(_)) = (self.plan, self.circumstances.server) else {
            return format!(
                "Add the {server} to one of the servers in rewards.yaml again, then: votive reload. To give it up: votive cancel {event}"
            );
        };
        match (self.circumstances.wait)(award, &plan.player) {
            Wait::Turn => "Nothing: it goes on by itself.".to_owned(),
            Wait::Player => format!("Nothing: it goes on when {} is online on {server}.", self.player()),
            Wait::Server => format!(
                "Start {server}, if it is not running. If it is, look for what is wrong with its RCON: votive check --online"
            ),
            Wait::Password => format!(
                "Compare rcon.password in the server.properties of {server} with the password that rewards.yaml names for it. If Votive's was the wrong one, correct it and restart Votive."
            ),
            Wait::Resumption => format!("To let it go on: votive resume {server}"),
        }
    }

    fn after_restore(&self) -> String {
        let event = &self.grant.event;
        format!(
            "The ledger was restored from a backup, so nobody knows what was issued after that was taken. Look what {} has. If the reward is missing: votive retry {event}",
            self.player()
        )
    }
}

/// What a reason says after its cause: what to do.
fn remedy(reason: &str) -> String {
    match reason.split_once(". ") {
        Some((_, remedy)) => remedy.to_owned(),
        None => cause(reason),
    }
}
