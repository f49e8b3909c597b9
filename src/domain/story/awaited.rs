//! What a vote waits for, and what to do about it.

use jiff::SignedDuration;

use super::Teller;
use crate::domain::award::{Award, AwardState, Step};
use crate::domain::grant::Stage;
use crate::domain::player::PlayerName;
use crate::domain::standing::{Wait, remedy};

/// After so many questions to the API, it is worth a look whether it can be reached at all.
const FEW_ATTEMPTS: u32 = 4;

/// The prefix of Bedrock players that Floodgate is delivered with.
const FLOODGATE: char = '.';

impl Teller<'_> {
    pub(super) fn awaited(&self) -> Vec<String> {
        if let Stage::Received { attempts, why, .. } = &self.grant.stage {
            let api = "GAMEMONITORING's API to tell the vote";
            return vec![match (attempts, why) {
                (0, _) => format!("{api}; it is being asked"),
                (1, Some(why)) => format!("{api}; it was asked once: {why}"),
                (_, Some(why)) => format!("{api}; it was asked {attempts} times, the last time: {why}"),
                (_, None) => format!("{api}; it was asked {attempts} times"),
            }];
        }
        let mut awaited: Vec<String> = Vec::new();
        for award in self.awards() {
            let (reward, number) = (&award.reward, award.next_step().map_or(0, Step::number));
            let sentence = match &award.state {
                AwardState::Planned => {
                    let (what, known) = self.obstacle(award);
                    what + &known
                }
                AwardState::Sending => {
                    format!("the answer of {} to command {number} ({reward})", self.server())
                }
                AwardState::InDoubt { .. } if award.awaits_receipt() => {
                    let (what, known) = self.obstacle(award);
                    format!("the receipt of command {number} ({reward}), and so for {what}{known}")
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
        let mut next: Vec<String> = Vec::new();
        let advice = match &self.grant.stage {
            Stage::Received { attempts: FEW_ATTEMPTS.., .. } => {
                vec!["To see whether the API can be reached at all: votive check --online".to_owned()]
            }
            Stage::Received { .. } | Stage::Pruned => Vec::new(),
            Stage::Refused { reason, until_retried, .. } => self.mend_vote(reason, *until_retried),
            Stage::Closed { .. } => vec![self.reopen("it")],
            Stage::Planned(plan) => plan.awards.iter().flat_map(|award| self.mend(award)).collect(),
        };
        for advice in advice {
            if !next.contains(&advice) {
                next.push(advice);
            }
        }
        let mut steps = self.awards().iter().flat_map(|award| &award.steps);
        if let Some(step) = steps.find(|step| self.is_unknown(step)) {
            next.push(format!(
                "Nothing, if command {} did what it should: Votive does not know its reply. If that says that it did not, add it to servers.{}.replies.failure in rewards.yaml, and run the command by hand.",
                step.number(),
                self.server()
            ));
        }
        match (next.is_empty(), &self.grant.stage) {
            (_, Stage::Received { .. }) => next.insert(0, "Nothing: Votive asks again by itself.".to_owned()),
            (true, _) if self.grant.is_open() => next.push("Nothing: it goes on by itself.".to_owned()),
            (true, _) => next.push("Nothing.".to_owned()),
            (false, _) => {}
        }
        next
    }

    /// What to do about a vote that is refused as a whole.
    fn mend_vote(&self, reason: &str, until_retried: bool) -> Vec<String> {
        let retry = |when: &str| match until_retried {
            true => self.after_restore(),
            false => vec![format!("{when}: votive retry {}", self.grant.event)],
        };
        let first = |mend: String| [vec![mend], retry("After that")].concat();
        let Some(vote) = self.grant.vote() else {
            let mend = remedy(reason).filter(|_| !until_retried);
            return mend.map(str::to_owned).into_iter().chain(retry("To ask the API once more")).collect();
        };
        if self.circumstances.server.is_none() {
            return first(format!(
                "If {} is one of your servers, add the id to it in rewards.yaml. Then: votive reload",
                vote.server
            ));
        }
        match PlayerName::parse(&vote.nickname, self.circumstances.bedrock_prefix) {
            Ok(_) => retry("rewards.yaml has changed since. To try it again"),
            Err(_) if PlayerName::parse(&vote.nickname, Some(FLOODGATE)).is_ok() => first(format!(
                "It looks like a Bedrock player's. If it is, set players.bedrock_prefix to '{FLOODGATE}' in rewards.yaml. Then: votive reload"
            )),
            Err(why) => vec![
                format!("This vote can be given to nobody: {why}."),
                "Tell the voter to give the name that they have in Minecraft when they vote.".to_owned(),
            ],
        }
    }

    fn mend(&self, award: &Award) -> Vec<String> {
        let (event, reward, server) = (&self.grant.event, &award.reward, self.server());
        let number = award.next_step().map_or(0, Step::number);
        match &award.state {
            AwardState::InDoubt { .. } if award.needs_a_person() => vec![
                format!("Look on {server} whether command {number} ({reward}) ran."),
                format!("If it ran: votive resolve {event} --step {number} --ran"),
                format!("If it did not, and should be sent: votive resolve {event} --step {number} --not-run"),
            ],
            AwardState::Refused { .. } if award.until_retried => self.after_restore(),
            AwardState::Refused { .. } if self.grant.replays.is_some() => vec![
                "It sends the commands as they were, whatever rewards.yaml says now. Run what is missing by hand."
                    .to_owned(),
                format!("Then, to have done with it: votive cancel {event}"),
            ],
            AwardState::Refused { reason, .. } => {
                let mend = remedy(reason).filter(|_| self.is_delivered());
                vec![
                    mend.unwrap_or("Mend that in rewards.yaml. Then: votive reload").to_owned(),
                    format!("To try it again without a delivery: votive retry {event}"),
                ]
            }
            AwardState::Planned | AwardState::InDoubt { .. } => self.make_way(award),
            AwardState::Closed => vec![self.reopen(reward)],
            AwardState::Done => self.give_again(award),
            AwardState::Sending => Vec::new(),
        }
    }

    /// What to do where the world has gone back to a time before an award.
    fn give_again(&self, award: &Award) -> Vec<String> {
        let mut forgotten =
            award.steps.iter().filter(|step| step.is_forgotten()).map(|step| step.finished_at);
        let Some(first) = forgotten.next() else { return Vec::new() };
        let last = forgotten.next_back().unwrap_or(first);
        let (server, player, reward) = (self.server(), self.player(), &award.reward);
        // What the player has got since the world went back is not meant.
        let end = last.and_then(|last| last.checked_add(SignedDuration::from_nanos(1)).ok());
        let again = match first.zip(end).filter(|_| self.is_delivered()) {
            Some((since, until)) => format!(
                "To issue again what is gone: votive replay --server {server} --player {player} --reward {reward} --since {since} --until {until}"
            ),
            None => "Run the command by hand, if it is gone.".to_owned(),
        };
        vec![format!("Look in the game what {player} still has of {reward}."), again]
    }

    /// What to do so that an award goes on by itself.
    fn make_way(&self, award: &Award) -> Vec<String> {
        let (event, server) = (&self.grant.event, self.server());
        let (Some(plan), Some(_)) = (self.plan, self.circumstances.server) else {
            return vec![
                format!("Add the {server} to one of the servers in rewards.yaml again. Then: votive reload"),
                format!("Or, to give it up: votive cancel {event}"),
            ];
        };
        match (self.circumstances.wait)(award, &plan.player) {
            Wait::Turn | Wait::Player => Vec::new(),
            Wait::Server => vec![
                format!("Start {server}, if it does not run. It goes on by itself then."),
                "If it does run, to see what is wrong with its RCON: votive check --online".to_owned(),
            ],
            Wait::Password => vec![
                format!(
                    "Compare rcon.password in the server.properties of {server} with the password that rewards.yaml names for it."
                ),
                "If Votive's was the wrong one, correct it and restart Votive.".to_owned(),
            ],
            Wait::Resumption => vec![format!("To let it go on: votive resume {server}")],
        }
    }

    fn after_restore(&self) -> Vec<String> {
        vec![
            format!(
                "The ledger was restored from a backup, so nobody knows what was issued in between. Look what {} has.",
                self.player()
            ),
            format!("If the reward is missing: votive retry {}", self.grant.event),
        ]
    }

    fn reopen(&self, what: &str) -> String {
        format!("If the player should get {what} after all: votive retry {}", self.grant.event)
    }
}
