//! What `rewards.yaml` says shall be issued.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::counter::Scope;
use super::draw::Draw;
use super::event::EventKey;
use super::receipt;
use super::rule::Rule;
use super::template::Template;
use super::vote::ServerRef;

/// A named list of commands, with the rules that say when it applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reward {
    /// Its key in `rewards.yaml`.
    pub name: String,
    /// Whose votes its rules and placeholders count.
    pub scope: Scope,
    /// All of them have to hold.
    pub rules: Vec<Rule>,
    /// What is always issued, in the order of the file.
    pub commands: Vec<Command>,
    /// Of these, one is drawn.
    pub one_of: Vec<Choice>,
    /// What is issued with these votes besides.
    pub milestones: BTreeMap<u64, Vec<Command>>,
}

/// Commands that are issued if they are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// How likely, beside the weights of the others.
    pub weight: u32,
    /// In the order of the file.
    pub commands: Vec<Command>,
}

impl Reward {
    /// What an event is issued that is the player's vote number `votes`.
    pub(super) fn commands_for(&self, event: &EventKey, votes: u64) -> impl Iterator<Item = &Command> {
        let weights = self.one_of.iter().map(|choice| choice.weight);
        let drawn = Draw::of(event, &self.name, "one_of").pick(weights).map(|place| &self.one_of[place]);
        let drawn = drawn.into_iter().flat_map(|choice| &choice.commands);
        self.commands.iter().chain(drawn).chain(self.milestones.get(&votes).into_iter().flatten())
    }

    /// Everything that it may issue.
    pub fn all_commands(&self) -> impl Iterator<Item = &Command> {
        let drawn = self.one_of.iter().flat_map(|choice| &choice.commands);
        self.commands.iter().chain(drawn).chain(self.milestones.values().flatten())
    }
}

/// One command of a reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is sent, before the placeholders are filled in.
    pub run: Template,
    /// Whether it waits until the player is online.
    pub require_online: bool,
    /// Whether it is passed over when it fails or stays silent.
    pub optional: bool,
    /// What happens when nobody can know whether it ran; `None` takes the game server's rule.
    pub in_doubt: Option<InDoubtRule>,
    /// Whether it can leave a receipt; `None` where the list of the game's own commands decides.
    pub receipt: Option<bool>,
}

impl Command {
    /// Whether it leaves a receipt as `text`, on a game server with this rule. What may be passed over needs no proof.
    pub(super) fn receipts(&self, text: &str, in_doubt: InDoubtRule, rule: ReceiptRule) -> ReceiptRule {
        let can = self.receipt.unwrap_or_else(|| receipt::is_vanilla(text));
        let too_long = rule == ReceiptRule::Auto && receipt::is_too_long(text);
        if can && !too_long && !self.optional && in_doubt != InDoubtRule::Skip {
            rule
        } else {
            ReceiptRule::Never
        }
    }
}

/// What happens to a step whose outcome is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InDoubtRule {
    /// It stays in doubt until the operator settles it.
    #[default]
    Hold,
    /// It is sent again, at most three times: for commands that do no harm when they run twice.
    Repeat,
    /// It counts as finished.
    Skip,
}

/// Whether commands leave receipts in a game ([`super::receipt`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptRule {
    /// Where the game can keep them.
    #[default]
    Auto,
    /// Nothing that can leave one is sent without.
    Always,
    /// None is left.
    Never,
}

impl ReceiptRule {
    /// What it is called in `rewards.yaml`.
    pub const fn name(self) -> &'static str {
        match self {
            ReceiptRule::Auto => "auto",
            ReceiptRule::Always => "always",
            ReceiptRule::Never => "never",
        }
    }
}

/// What planning needs to know of a game server.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name in `rewards.yaml`.
    pub name: &'a str,
    /// What its commands do in doubt unless they say otherwise.
    pub in_doubt: InDoubtRule,
    /// Whether its commands leave receipts.
    pub receipts: ReceiptRule,
    /// Its rewards, in the order of the file.
    pub rewards: &'a [std::sync::Arc<Reward>],
    /// The first character of a Bedrock player's name there.
    pub bedrock_prefix: Option<char>,
    /// What its votes are counted under: stays true when the owner renames it, or gives it one more id.
    pub counted_as: &'a ServerRef,
    /// Whose days count.
    pub calendar: &'a Calendar,
    /// The owner's own placeholders there.
    pub values: &'a BTreeMap<String, String>,
}
