//! `votive run`: the daemon, from the command line or under systemd.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Options, Outcome};
use crate::config::{self, Config, Loaded, Sources};
use crate::daemon;
use crate::log;

/// How to run.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct Args {
    /// Begin with every game server paused, to look at the ledger in peace: nothing is sent until `votive resume`
    #[arg(long)]
    hold: bool,
    /// How to write the log, which goes to stderr
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log: log::Format,
}

/// Reads the configuration with the loader of `votive check`, and runs until SIGTERM or SIGINT. SIGHUP has it read again.
/// All that is to be told, from here on, is a line of the log.
pub(super) fn run(options: Options, args: Args) -> anyhow::Result<Outcome> {
    log::start(args.log);
    start(options, args).or_else(|error| {
        tracing::error!("{error:#}");
        Ok(Outcome::Failed)
    })
}

fn start(options: Options, args: Args) -> anyhow::Result<Outcome> {
    // One thread is plenty for what waits on networks; the ledger's writer has its own.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    // First of all: a request for a reload that comes during the start must not end it.
    let hangup = runtime.block_on(async { hangups() })?;
    let Options { config, state_dir, socket } = options;
    let path = match config::find(config) {
        Ok(path) => path,
        Err(problem) => {
            log::problems(&[*problem]);
            return Ok(Outcome::BadConfiguration);
        }
    };
    tracing::info!("reading {}", path.display());
    let sources = Sources::from_process(path, state_dir);
    let Loaded { warnings, config } = config::load(&sources);
    log::problems(&warnings);
    let config = match config {
        Ok(config) => config,
        Err(errors) => {
            log::problems(&errors);
            return Ok(Outcome::BadConfiguration);
        }
    };
    let served = runtime.block_on(serve((config, sources), hangup, socket, &args));
    // The ledger is closed. What still looks up the name of a host, for as long as the system lets it, is of no use.
    runtime.shutdown_background();
    served.map(|()| Outcome::Success)
}

/// Notifies of every SIGHUP; of several that came before anybody looked, once. Call it within a tokio runtime.
fn hangups() -> anyhow::Result<Arc<Notify>> {
    let (told, mut hangup) = (Arc::new(Notify::new()), signal(SignalKind::hangup())?);
    let tell = Arc::clone(&told);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tell.notify_one();
        }
    });
    Ok(told)
}

async fn serve(
    (config, sources): (Config, Sources),
    hangup: Arc<Notify>,
    socket: Option<PathBuf>,
    args: &Args,
) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    let listeners = daemon::listen(&config).await?;
    let runtime_directory = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let socket = socket.unwrap_or_else(|| daemon::socket_path(&config.state_dir, runtime_directory));
    daemon::run((config, sources), listeners, socket, shutdown, hangup, args.hold).await?;
    Ok(())
}
