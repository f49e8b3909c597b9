//! Asks every game server and the API what they can do, all at the same time.

use std::time::Instant;

use anyhow::Context;
use reqwest::Url;
use tokio::runtime;
use tokio::task::JoinSet;

use super::found::{ApiFound, Found, ServerFound};
use crate::cli::client;
use crate::config::{Config, GameServer};
use crate::dispatch::survey;
use crate::domain::event::{EventKey, SERVER_VOTE};
use crate::platform::{Api, VoteApi};
use crate::rcon::Tcp;

/// Has the form of a vote's id, and is none.
const NO_VOTE: &str = "00000000-0000-0000-0000-000000000000";

/// Asks, within the bounds of [`survey`] and [`Api`].
///
/// # Errors
/// Where the system lets nobody ask anything.
pub(super) fn look(config: &Config) -> anyhow::Result<Found> {
    // Whom it does not let ask has to take it to be there.
    let daemon_runs = client::is_running(&config.state_dir).unwrap_or(true);
    crate::complain!("asking the game servers and the API; it can take a minute where one does not answer");
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let mut asking = JoinSet::new();
        for (number, servers) in by_address(&config.servers).into_iter().enumerate() {
            asking.spawn(async move { (number, ask(servers, daemon_runs).await) });
        }
        let (api, mut servers) = tokio::join!(ask_api(&config.gamemonitoring.api_url), asking.join_all());
        servers.sort_by_key(|(number, _)| *number);
        let servers = servers.into_iter().map(|(_, server)| server).collect();
        Ok(Found { daemon_runs, api, servers })
    })
}

/// The servers of each address, in the order of the file.
fn by_address(servers: &[GameServer]) -> Vec<Vec<GameServer>> {
    let mut groups: Vec<Vec<GameServer>> = Vec::new();
    for server in servers {
        match groups.iter_mut().find(|group| group[0].rcon == server.rcon) {
            Some(group) => group.push(server.clone()),
            None => groups.push(vec![server.clone()]),
        }
    }
    groups
}

async fn ask(servers: Vec<GameServer>, daemon_runs: bool) -> ServerFound {
    let asked = if daemon_runs {
        survey::log_in(&Tcp, &servers[0]).await.map(|()| None)
    } else {
        survey::survey(&Tcp, &servers[0]).await.map(Some)
    };
    ServerFound::of(&servers, asked)
}

async fn ask_api(base: &Url) -> ApiFound {
    let asked = match Api::new(base) {
        Ok(api) => {
            let began = Instant::now();
            let vote = api.vote(&EventKey::new(SERVER_VOTE, NO_VOTE)).await;
            Ok((vote, began.elapsed()))
        }
        Err(error) => Err(format!("{:#}", anyhow::Error::new(error.without_url()))),
    };
    ApiFound::of(base.origin().ascii_serialization(), asked)
}
