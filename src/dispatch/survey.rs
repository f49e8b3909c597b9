//! What a game server can do, found out by questions alone: nothing is left in the game, and nobody in it sees them.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::link::{Link, Lost};
use crate::config::GameServer;
use crate::domain::event::EventKey;
use crate::domain::player::PlayerName;
use crate::domain::presence::Online;
use crate::domain::receipt::Key;
use crate::rcon::{ConnectError, Connection, Network};

/// The longest that a survey takes, whatever the server's timeouts are.
const LONGEST: Duration = Duration::from_secs(120);
/// The type of the event whose receipt is asked for. No vote has it, so the receipt is nowhere.
const NO_EVENT: &str = "votive.check";

/// What a game server can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// What its list says; `None` where nobody can read it.
    pub online: Option<Online>,
    /// Whether it tells of every single player whether they are there: by its list, or else when asked for one.
    pub tells_of_players: bool,
    /// Whether it takes `minecraft:` before its own commands, past plug-ins.
    pub takes_prefix: bool,
    /// Whether it can keep receipts.
    pub keeps_receipts: bool,
    /// How long it took to answer a question.
    pub took: Duration,
}

/// Why it is not known what a game server can do. The texts follow its name.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no connection.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// It has answered nothing.
    #[error("takes the login and does not answer commands")]
    Mute,
    /// It has answered, and then no more.
    #[error("answers a question, and the next one not: it is silent, or breaks off")]
    BrokeOff,
    /// It has answered too slowly.
    #[error("has not answered every question within {} seconds", LONGEST.as_secs())]
    Unfinished,
}

/// Logs in, and asks nothing: for a game server that somebody else is talking to, as it can mix up the answers of two
/// connections (contract/rcon.md).
///
/// # Errors
/// [`Failure::Connect`], or [`Failure::Unfinished`] where the owner's timeouts are very long.
pub async fn log_in(network: &dyn Network, server: &GameServer) -> Result<(), Failure> {
    let opening = connect(network, server);
    timeout(LONGEST, opening).await.unwrap_or(Err(Failure::Unfinished)).map(drop)
}

/// Logs in and asks, in the words of the worker.
///
/// # Errors
/// [`Failure`].
pub async fn survey(network: &dyn Network, server: &GameServer) -> Result<Survey, Failure> {
    let surveying = async {
        let mut link = Link::over(connect(network, server).await?);
        let asked = ask(&mut link, server).await;
        asked.map_err(|Lost| if link.is_down() { Failure::Mute } else { Failure::BrokeOff })
    };
    timeout(LONGEST, surveying).await.unwrap_or(Err(Failure::Unfinished))
}

async fn connect(network: &dyn Network, server: &GameServer) -> Result<Connection, Failure> {
    Ok(Connection::open(network, &server.rcon, server.password.expose(), server.timeouts).await?)
}

async fn ask(link: &mut Link, server: &GameServer) -> Result<Survey, Lost> {
    // The first time finds out which command lists, so that the second is one question.
    link.list(server).await?;
    let asked = Instant::now();
    let online = link.list(server).await?;
    let took = asked.elapsed();
    if !online.as_ref().is_some_and(Online::is_complete) {
        let anybody = PlayerName::parse("Votive", None).expect("six letters are a name");
        link.is_there(server, &anybody).await?;
    }
    let nowhere = Key::of(&EventKey::new(NO_EVENT, NO_EVENT), NO_EVENT, 0);
    let keeps_receipts = link.has_storage(server, &nowhere).await?;
    Ok(Survey {
        online,
        tells_of_players: link.tells_of_players(),
        takes_prefix: link.takes_prefix(),
        keeps_receipts,
        took,
    })
}
