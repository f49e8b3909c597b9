//! `votive run`: the daemon, from the command line or under systemd.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Options, Outcome};
use crate::config::{self, Config, Loaded, Sources};
use crate::daemon;

/// Reads the configuration with the loader of `votive check`, and runs until SIGTERM or SIGINT. SIGHUP has it read again.
pub(super) fn run(options: Options) -> anyhow::Result<Outcome> {
    log_to_stderr();
    // One thread is plenty for what waits on networks; the ledger's writer has its own.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    // First of all: a request for a reload that comes during the start must not end it.
    let hangup = runtime.block_on(async { hangups() })?;
    let path = match config::find(options.config) {
        Ok(path) => path,
        Err(problem) => {
            crate::complain!("{problem}");
            return Ok(Outcome::BadConfiguration);
        }
    };
    tracing::info!("reading {}", path.display());
    let sources = Sources::from_process(path, options.state_dir);
    let Loaded { warnings, config } = config::load(&sources);
    for warning in &warnings {
        crate::complain!("{warning}");
    }
    let config = match config {
        Ok(config) => config,
        Err(errors) => {
            for error in errors {
                crate::complain!("{error}");
            }
            return Ok(Outcome::BadConfiguration);
        }
    };
    runtime.block_on(serve(config, sources, hangup))?;
    Ok(Outcome::Success)
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

async fn serve(config: Config, sources: Sources, hangup: Arc<Notify>) -> anyhow::Result<()> {
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
    let socket = daemon::socket_path(&config.state_dir, runtime_directory);
    daemon::run((config, sources), listeners, socket, shutdown, hangup).await?;
    Ok(())
}

/// One line per event, for a person or for journald, which has the time already. `RUST_LOG=debug` shows more.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // A full disk behind the log, or nobody who reads it, is no reason to stop.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        lines.without_time().init();
    } else {
        lines.init();
    }
}
