//! What the command line and the daemon say to each other over the control socket: HTTP/1 with JSON bodies, version 1.
//!
//! Every request is a `POST` of one of these types to its path, and is answered with 200 and JSON, or with another status
//! and a [`Refusal`]. Times are RFC 3339. A later version may add fields, and takes a path of its own for anything else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::outline::{Awaited, State};
use crate::domain::reward::ReceiptRule;
use crate::domain::story::Explained;

/// A request: its path, and what it is answered with.
pub trait Request: Serialize + DeserializeOwned {
    /// Where it is posted to.
    const PATH: &'static str;
    /// What it is answered with.
    type Answer: Serialize + DeserializeOwned;
}

macro_rules! requests {
    ($($request:ty, $path:literal => $answer:ty;)*) => {
        $(impl Request for $request {
            const PATH: &'static str = $path;
            type Answer = $answer;
        })*
    };
}

requests! {
    TestVote, "/v1/test-vote" => Done;
    Resolve, "/v1/resolve" => Done;
    Retry, "/v1/retry" => Done;
    RetryRefused, "/v1/retry-refused" => Done;
    Cancel, "/v1/cancel" => Done;
    Replay, "/v1/replay" => Replayed;
    Pause, "/v1/pause" => Done;
    Resume, "/v1/resume" => Done;
    TestWebhook, "/v1/test-webhook" => WebhookTested;
    Reload, "/v1/reload" => Done;
    TestNotify, "/v1/test-notify" => NotifyTested;
    Prune, "/v1/prune" => Done;
    GetStatus, "/v1/status" => Status;
    List, "/v1/votes" => Page;
    Explain, "/v1/explain" => Explained;
}

/// Takes a [`Backup`]; answered with the backup's bytes, and not with JSON.
pub const BACKUP_PATH: &str = "/v1/backup";
/// Takes an [`Export`]; answered with a line of JSON for each vote, a [`Row`], the oldest first.
pub const EXPORT_PATH: &str = "/v1/export";
/// Takes a [`Follow`]; answered with a line of JSON for each vote that comes or stands differently, a [`Row`], until the
/// daemon is stopped or cannot keep up.
pub const FOLLOW_PATH: &str = "/v1/follow";
/// The header of every answer that tells a Votive from anything else, with its version.
pub const VERSION_HEADER: &str = "votive-version";

/// It did not come to what was asked.
#[derive(Debug, Deserialize, Serialize)]
pub struct Refusal {
    /// Why, in words for the operator.
    pub error: String,
}

/// It was done.
#[derive(Debug, Deserialize, Serialize)]
pub struct Done {
    /// What was, in words for the operator.
    pub message: String,
}

/// Asks for a grant as if a player had voted.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestVote {
    /// The player's name.
    pub player: String,
    /// The game server's name in `rewards.yaml`.
    pub server: String,
}

/// Asks for a test delivery.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestWebhook {
    /// Where it is to be posted to; `webhook.public_url` without it.
    #[serde(default)]
    pub url: Option<String>,
}

/// What came of it.
#[derive(Debug, Deserialize, Serialize)]
pub struct WebhookTested {
    /// Where it was posted to, without a query.
    pub url: String,
    /// Whether the platform's deliveries arrive.
    pub good: bool,
    /// What happened.
    pub what: String,
    /// What to do about it; empty where there is nothing to do.
    pub remedy: String,
    /// What else is worth a thought about the address.
    pub notes: Vec<String>,
}

/// Settles what is in doubt about an event.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The vote's id.
    pub event_id: String,
    /// The one reward that is meant.
    #[serde(default)]
    pub reward: Option<String>,
    /// The one command that is meant, by its number.
    #[serde(default)]
    pub step: Option<u32>,
    /// Whether several are meant, if several are in doubt.
    #[serde(default)]
    pub all: bool,
    /// Whether the command ran.
    pub ran: bool,
}

/// Tries again what is refused or closed about an event.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The vote's id.
    pub event_id: String,
}

/// Tries again all that is refused.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRefused {
    /// Only of votes for this game server.
    #[serde(default)]
    pub server: Option<String>,
}

/// Cancels what is still to come of an event.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The vote's id.
    pub event_id: String,
}

/// Issues again what was issued.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// On this game server.
    pub server: String,
    /// From this time on.
    pub since: Timestamp,
    /// Before this time.
    pub until: Timestamp,
    /// Only to this player.
    #[serde(default)]
    pub player: Option<String>,
    /// Only this reward.
    #[serde(default)]
    pub reward: Option<String>,
    /// Also what was issued again before.
    #[serde(default)]
    pub again: bool,
    /// Whether to do it, and not only to tell what it would be.
    pub apply: bool,
}

/// What is issued again, or would be.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Replayed {
    /// How many votes.
    pub votes: usize,
    /// Of how many players.
    pub players: usize,
    /// How often each reward.
    pub rewards: BTreeMap<String, usize>,
    /// How many commands that is.
    pub commands: usize,
    /// Of how many votes something is left out because it was issued again before, or may have been before a restore.
    pub before: usize,
}

/// Sends nothing more to a game server.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Its name in `rewards.yaml`.
    pub server: String,
}

/// Lets a game server go on.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Its name in `rewards.yaml`.
    pub server: String,
}

/// Reads the configuration again. 422 where it is refused, with every problem.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reload {}

/// Has a message sent to everybody who is notified.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestNotify {}

/// What became of that.
#[derive(Debug, Deserialize, Serialize)]
pub struct NotifyTested {
    /// Everybody who is notified; nobody, where the configuration names none.
    pub targets: Vec<NotifyTarget>,
}

/// What became of a message to one of them.
#[derive(Debug, Deserialize, Serialize)]
pub struct NotifyTarget {
    /// The path of its key.
    pub key: String,
    /// Why it was not told; `null` where it was.
    pub failure: Option<String>,
}

/// Gives up the details of votes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    /// Of those that were received before this.
    pub before: Timestamp,
}

/// Gives all votes but those that were pruned.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// That were received from this time on.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// Gives a backup of the ledger.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {}

/// Asks how things stand.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GetStatus {}

/// How things stand.
#[derive(Debug, Deserialize, Serialize)]
pub struct Status {
    /// Of the daemon.
    pub version: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// Where its configuration comes from.
    pub config: PathBuf,
    /// When that was read.
    pub config_read_at: Timestamp,
    /// The file of the ledger.
    pub ledger: PathBuf,
    /// The size of it.
    pub ledger_bytes: u64,
    /// The webhook's address and path.
    pub webhook: String,
    /// Every game server, in the order of the file.
    pub servers: Vec<Server>,
    /// How many parts of grants are open, by what they wait for.
    pub waiting: BTreeMap<Awaited, usize>,
    /// The grant that has been open for the longest time.
    pub oldest: Option<Row>,
    /// How many votes are refused, as a whole or in part.
    pub refused: usize,
    /// The last votes, the newest first.
    pub last: Vec<Row>,
}

/// How a game server stands.
#[derive(Debug, Deserialize, Serialize)]
pub struct Server {
    /// Its name in `rewards.yaml`.
    pub name: String,
    /// The address of its RCON.
    pub address: String,
    /// Since when it is paused, if it is; the start of the daemon where that began on hold.
    pub paused_since: Option<Timestamp>,
    /// What keeps it from being used, if it cannot be.
    pub down: Option<String>,
    /// For how many seconds.
    pub down_seconds: Option<u64>,
    /// How many seconds ago it last answered, if it did since the daemon was started.
    pub answered_seconds: Option<u64>,
    /// How many players it last counted, if it was asked.
    pub online: Option<usize>,
    /// How many seconds ago that was.
    pub online_seconds: Option<u64>,
    /// Whether it was down when it was last needed, and nothing has needed it since.
    pub was_down: bool,
    /// How many rewards of votes for it are open, whatever they wait for.
    pub waiting: usize,
    /// The most commands that it is sent in a second.
    pub pace: u32,
    /// Whether commands leave receipts, as the configuration says.
    pub receipts: ReceiptRule,
    /// Whether the game keeps them, where that was found out.
    pub keeps_receipts: Option<bool>,
}

/// Asks for votes, the newest first.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only of this player.
    #[serde(default)]
    pub player: Option<String>,
    /// Only for this game server, by its name in `rewards.yaml`.
    #[serde(default)]
    pub server: Option<String>,
    /// Only those of which a part stands so. What was pruned is in no list.
    #[serde(default)]
    pub state: Option<State>,
    /// Only those that were received from this time on.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Go on from here: what the last page had as `next`.
    #[serde(default)]
    pub next: Option<String>,
    /// At most so many, 1 to 1000.
    pub limit: usize,
}

/// Asks for votes as they come, and as they come to stand differently, from now on.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// Only of this player.
    #[serde(default)]
    pub player: Option<String>,
    /// Only for this game server, by its name in `rewards.yaml`.
    #[serde(default)]
    pub server: Option<String>,
}

impl Follow {
    /// Whether a vote is meant.
    pub fn includes(&self, vote: &Row) -> bool {
        let of =
            |player: &String| vote.player.as_ref().map(|of| of.to_lowercase()) == Some(player.to_lowercase());
        self.player.as_ref().is_none_or(of) && (self.server.is_none() || self.server == vote.server)
    }
}

/// Some votes.
#[derive(Debug, Deserialize, Serialize)]
pub struct Page {
    /// The votes.
    pub votes: Vec<Row>,
    /// Where the next page begins, if there may be one. A page can be empty and still have a next one.
    pub next: Option<String>,
}

/// Asks for the story of a vote, or of the last votes of a player.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// The vote's id, or the player's nickname.
    pub asked: String,
    /// At most so many of a player's votes, 1 to 100.
    pub last: usize,
}

impl Row {
    /// Whether it, or a part of it, stands so, as far as can be seen.
    pub fn stands(&self, state: State) -> bool {
        self.state == state
            || match state {
                State::Waiting => self.waiting_for.iter().any(|awaited| *awaited != Awaited::Operator),
                State::InDoubt => self.waiting_for.contains(&Awaited::Operator),
                _ => false,
            }
    }
}

/// One vote in a few words.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Row {
    /// The id.
    pub event_id: String,
    /// `server.vote`, or a type of Votive's own.
    pub event_type: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// When the player voted, where the platform said so.
    pub voted_at: Option<Timestamp>,
    /// The nickname, as the platform told it; `None` until it is fetched.
    pub player: Option<String>,
    /// The game server's name in `rewards.yaml`, or how the platform calls it.
    pub server: Option<String>,
    /// How it stands.
    pub state: State,
    /// What is awaited.
    pub waiting_for: Vec<Awaited>,
    /// The rewards that the vote earned.
    pub rewards: Vec<String>,
    /// Why it, or a part of it, is refused or in doubt, or why the API has not told it yet.
    pub reason: Option<String>,
}
