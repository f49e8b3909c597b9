//! What `rewards.yaml` says shall be issued.

use serde::{Deserialize, Serialize};

use super::template::Template;

/// A named list of commands. In this version a reward applies to every vote for its server.
#[derive(Clone, Debug, PartialEq)]
pub struct Reward {
    /// Its key in `rewards.yaml`.
    pub name: String,
    /// In the order of the file.
    pub commands: Vec<Command>,
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

/// What planning needs to know of a game server.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name in `rewards.yaml`.
    pub name: &'a str,
    /// What its commands do in doubt unless they say otherwise.
    pub in_doubt: InDoubtRule,
    /// Its rewards, in the order of the file.
    pub rewards: &'a [std::sync::Arc<Reward>],
    /// The first character of a Bedrock player's name there.
    pub bedrock_prefix: Option<char>,
}
