//! `rewards.yaml` → a valid [`Config`].
//!
//! In the order in which a file goes through: `yaml` makes a tree of it (with the help of `mend`, where YAML gives
//! up), `overrides` puts environment variables into the tree, `build` walks it with a file for each section. Whatever
//! is wrong becomes a [`Problem`], and reading goes on, so that the owner sees all of it at once.

mod address;
mod build;
mod calendar;
mod keys;
mod lints;
mod live;
mod load;
mod mend;
mod notify;
mod overrides;
mod problem;
mod read;
mod rewards;
mod rules;
mod secrets;
mod servers;
mod units;
mod values;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::calendar::Calendar;
use crate::domain::reply::ReplyRules;
use crate::domain::reward::{InDoubtRule, ReceiptRule, Reward, Target};
use crate::domain::vote::ServerRef;
use crate::text::counted;

pub use address::NoAddress;
pub(crate) use address::{is_private, public_url};
pub(crate) use build::STATE_DIR;
pub use keys::keys;
pub use live::Live;
pub use load::{Loaded, Sources, find, load, load_without_secrets, state_dir};
pub use notify::{About, Announce, Hook, Notify};
pub use problem::{At, Level, Position, Problem};
pub(crate) use units::duration;

/// The JSON Schema of `rewards.yaml`, for editors. Of draft 7: the YAML language server, which most of them use, promises
/// no more.
pub const SCHEMA: &str = include_str!("rewards.schema.json");

/// Everything that `rewards.yaml`, the environment and the command line say, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the ledger lives.
    pub state_dir: PathBuf,
    /// The platform's side.
    pub gamemonitoring: Gamemonitoring,
    /// Where deliveries arrive.
    pub webhook: Webhook,
    /// Where whoever watches Votive asks.
    pub metrics: Metrics,
    /// What holds for players on every server.
    pub players: Players,
    /// Whose days count.
    pub calendar: Calendar,
    /// Every game server, in the order of the file.
    pub servers: Vec<GameServer>,
    /// Who is told of what.
    pub notify: Notify,
}

/// The platform's side.
#[derive(Clone, Debug)]
pub struct Gamemonitoring {
    /// Base of the API, without a slash at its end.
    pub api_url: reqwest::Url,
    /// A delivery is good if any of these signed it; never empty.
    pub signing_tokens: Vec<Secret>,
}

/// Where deliveries arrive, and how they are answered.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Address to bind.
    pub listen: SocketAddr,
    /// The only path besides `/healthz` that is answered.
    pub path: String,
    /// What the platform is told to deliver to, where the owner has said so.
    pub public_url: Option<reqwest::Url>,
    /// When a delivery is acknowledged.
    pub acknowledge: Acknowledge,
    /// How long a delivery may wait for its answer, from the end of the request's head.
    pub answer_within: Duration,
}

/// Where whoever watches Votive asks.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Address to bind, if any.
    pub listen: Option<SocketAddr>,
}

/// When a delivery is acknowledged with 204.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// Once its rewards are issued, or safely wait for the player.
    #[default]
    Granted,
    /// As soon as the event is durable.
    Recorded,
}

/// What holds for players on every server.
#[derive(Clone, Debug)]
pub struct Players {
    /// The first character of a Bedrock player's name (Floodgate), one of `.` `+` `-` `_`.
    pub bedrock_prefix: Option<char>,
    /// How often a game server is asked who is online while somebody is awaited there.
    pub poll_every: Duration,
}

/// One game server.
#[derive(Clone, Debug)]
pub struct GameServer {
    /// Its key in `rewards.yaml`, `[a-z0-9-]`: for logs and `{server}`.
    pub name: String,
    /// The platform's ids of it; none: only a target for test votes.
    pub ids: Vec<u64>,
    /// What votes for it are counted under: its first id, else its name.
    pub counted_as: ServerRef,
    /// The owner's own placeholders for it.
    pub values: BTreeMap<String, String>,
    /// `host:port` of its RCON in one spelling, so that one game server has one address: `localhost` is 127.0.0.1.
    pub rcon: String,
    /// The RCON password.
    pub password: Secret,
    /// Where the password comes from, for messages: a path, or the name of a variable.
    pub password_source: String,
    /// What a vote for it earns, in the order of the file.
    pub rewards: Vec<Arc<Reward>>,
    /// What its commands do in doubt unless they say otherwise.
    pub in_doubt: InDoubtRule,
    /// Whether its commands leave receipts in it.
    pub receipts: ReceiptRule,
    /// How long a receipt stays there once its grant is final.
    pub receipts_keep: Duration,
    /// The owner's reading of its replies.
    pub replies: ReplyRules,
    /// The most commands per second that it is sent.
    pub pace: u32,
    /// How long its RCON may take.
    pub timeouts: Timeouts,
}

/// How long RCON may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// To log in.
    pub login: Duration,
    /// To answer a command: lag is a late reply, and the game's own watchdog is 60 s.
    pub command: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(2),
            login: Duration::from_secs(3),
            command: Duration::from_secs(60),
        }
    }
}

impl GameServer {
    /// All that grants and pauses may know it by.
    pub fn known_by(&self) -> BTreeSet<ServerRef> {
        let ids = self.ids.iter().map(|id| ServerRef::Id(*id));
        ids.chain([ServerRef::Name(self.name.clone())]).collect()
    }
}

/// No game server has a name that somebody has typed.
#[derive(Debug, thiserror::Error)]
#[error("rewards.yaml has no server {}; it has: {}", crate::text::Outside(name), there.join(", "))]
pub struct NoSuchServer {
    name: String,
    there: Vec<String>,
}

impl Config {
    /// The game server that a grant refers to, if it is (still) configured.
    pub fn server(&self, server: &ServerRef) -> Option<&GameServer> {
        self.servers.iter().find(|candidate| match server {
            ServerRef::Id(id) => candidate.ids.contains(id),
            ServerRef::Name(name) => candidate.name == *name,
        })
    }

    /// The game server of this name.
    ///
    /// # Errors
    /// [`NoSuchServer`].
    pub fn server_named(&self, name: &str) -> Result<&GameServer, NoSuchServer> {
        let found = self.servers.iter().find(|server| server.name == name);
        found.ok_or_else(|| NoSuchServer {
            name: name.to_owned(),
            there: self.servers.iter().map(|server| server.name.clone()).collect(),
        })
    }

    /// How many rewards there are that some server gives.
    pub fn rewards(&self) -> usize {
        let rewards = self.servers.iter().flat_map(|server| &server.rewards);
        rewards.map(|reward| &reward.name).collect::<BTreeSet<_>>().len()
    }

    /// What it amounts to, for somebody who wants to know that it was understood: `2 game servers and 3 rewards`.
    pub fn summary(&self) -> String {
        format!("{} and {}", counted(self.servers.len(), "game server"), counted(self.rewards(), "reward"))
    }

    /// What planning needs to know of a game server.
    pub fn target<'a>(&'a self, server: &'a GameServer) -> Target<'a> {
        Target {
            name: &server.name,
            in_doubt: server.in_doubt,
            receipts: server.receipts,
            rewards: &server.rewards,
            bedrock_prefix: self.players.bedrock_prefix,
            counted_as: &server.counted_as,
            calendar: &self.calendar,
            values: &server.values,
        }
    }
}

/// A token or password: shown nowhere, also not by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Secret(secret.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let tokens = vec![Secret::new("hunter2")];
        let api_url = "https://api.gamemonitoring.net".parse().unwrap();
        let shown = format!("{:?}", Gamemonitoring { api_url, signing_tokens: tokens });
        assert!(shown.contains("Secret(…)") && !shown.contains("hunter2"), "{shown}");
    }
}
