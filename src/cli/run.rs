//! `votive run`: the daemon, from the command line or under systemd.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Options, Outcome};
use crate::config::{self, Config, Loaded, Sources};
use crate::daemon;

/// Reads the configuration with the loader of `votive check`, and runs until SIGTERM or SIGINT.
pub(super) fn run(options: Options) -> anyhow::Result<Outcome> {
    log_to_stderr();
    let path = match config::find(options.config) {
        Ok(path) => path,
        Err(problem) => {
            crate::complain!("{problem}");
            return Ok(Outcome::BadConfiguration);
        }
    };
    tracing::info!("reading {}", path.display());
    let Loaded { warnings, config } = config::load(&Sources::from_process(path, options.state_dir));
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
    // One thread is plenty for what waits on networks; the ledger's writer has its own.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(serve(config))?;
    Ok(Outcome::Success)
}

async fn serve(config: Config) -> anyhow::Result<()> {
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
    let listener = daemon::listen(&config).await?;
    let runtime_directory = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let socket = daemon::socket_path(&config.state_dir, runtime_directory);
    daemon::run(config, listener, socket, shutdown).await?;
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
