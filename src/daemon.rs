//! The wiring: opens the ledger, starts the parts in the order of the flow, and stops them in a way that loses
//! nothing.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Live, Sources};
use crate::dispatch::servers::Servers;
use crate::failpoint::{Point, crash_at};
use crate::http::admin::Admin;
use crate::http::metrics::{self, Watched};
use crate::http::test_delivery::TestDeliveries;
use crate::http::{admin, server, webhook};
use crate::intake::Intake;
use crate::ledger::{self, Ledger, LedgerError, OpenError};
use crate::reload::Reloader;
use crate::report::Report;
use crate::report::notify::notifier;
use crate::surroundings::Surroundings;
use crate::tasks::Tasks;

/// The name of the socket that the command line talks to.
pub const SOCKET: &str = "votive.sock";
/// How long the parts may take to stop: more than a worker waits for the command on the wire (9 s), and with the 2 s of
/// the last notifications less than the service manager waits for us (15 s).
const DRAIN: Duration = Duration::from_secs(11);

/// Why the daemon did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The ledger failed while running.
    #[error("{path}: {error}. Votive has stopped so that nothing is issued without a record; see to the disk and start it again. What was delivered meanwhile was answered with 503 and can be delivered again", path = .path.display())]
    Ledger {
        /// Where it is.
        path: PathBuf,
        /// What happened to it.
        error: LedgerError,
    },
    /// The address of the webhook or of the metrics cannot be bound.
    #[error(
        "{address}: cannot listen there: {error}. Set {key} in rewards.yaml to a free address of this machine"
    )]
    Listen {
        /// The key that says so.
        key: &'static str,
        /// Which one.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The control socket cannot be made.
    #[error("{path}: cannot make the control socket: {error}. Its directory has to belong to the user that Votive runs as, nothing but a socket that a Votive left behind may be there, and its path may have at most 107 bytes", path = .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Somebody else is asked there.
    #[error("{path}: another program answers at this control socket. Stop it, or give this Votive a RUNTIME_DIRECTORY of its own", path = .0.display())]
    SocketTaken(PathBuf),
    /// The client for the API cannot be made.
    #[error(
        "cannot make HTTPS connections: {0}. Install the system's certificate authorities (Debian: ca-certificates)"
    )]
    Tls(reqwest::Error),
}

/// Where the daemon listens.
#[derive(Debug)]
pub struct Listeners {
    /// For deliveries.
    pub webhook: TcpListener,
    /// For whoever watches it, if the owner wants that.
    pub metrics: Option<TcpListener>,
}

/// Binds the address of the webhook, and that of the metrics if there is one.
///
/// # Errors
/// [`DaemonError::Listen`].
pub async fn listen(config: &Config) -> Result<Listeners, DaemonError> {
    let bind = async |key, address| {
        TcpListener::bind(address).await.map_err(|error| DaemonError::Listen { key, address, error })
    };
    let webhook = bind("webhook.listen", config.webhook.listen).await?;
    let metrics = match config.metrics.listen {
        Some(address) => Some(bind("metrics.listen", address).await?),
        None => None,
    };
    Ok(Listeners { webhook, metrics })
}

/// Runs the daemon on listeners that are bound, with its control socket at the path `socket`, until `shutdown`. It
/// cancels `shutdown` itself when the ledger fails. Everything that was acknowledged is in the ledger when this
/// returns. The configuration was loaded from `sources`, and is again when the control socket or `hangup` asks for it.
/// On `hold`, it begins with every game server paused.
///
/// # Errors
/// [`DaemonError`] where it cannot start or cannot go on.
pub async fn run(
    (config, sources): (Config, Sources),
    listeners: Listeners,
    socket: PathBuf,
    shutdown: CancellationToken,
    hangup: Arc<Notify>,
    hold: bool,
) -> Result<(), DaemonError> {
    let opened = Ledger::open(&config.state_dir)?;
    if opened.created {
        tracing::info!("created a new ledger in {}", config.state_dir.display());
    }
    let ledger = opened.ledger;
    let path = config.state_dir.join(ledger::NAME);
    let ledger_failed = |error| DaemonError::Ledger { path: path.clone(), error };
    let socket = bind_socket(&socket).await?;
    let (notifier, notifications) = notifier();
    let report = Report::to(notifier);
    let surroundings =
        Surroundings::real(&config.gamemonitoring.api_url, report.clone()).map_err(DaemonError::Tls)?;

    let tasks = Tasks::default();
    let config = Live::new(config);
    let clock = surroundings.clock.clone();
    let servers = Servers::new(ledger.pauses().map_err(ledger_failed)?, hold);
    // None of the tasks: it tells what these still end, too.
    let all_ended = CancellationToken::new();
    let telling = tokio::spawn(notifications.run(
        config.clone(),
        ledger.clone(),
        servers.clone(),
        clock.clone(),
        report.clone(),
        all_ended.clone(),
    ));
    let intake = Intake::start(
        config.clone(),
        ledger.clone(),
        surroundings,
        servers.clone(),
        shutdown.clone(),
        tasks.clone(),
    )
    .await
    .map_err(ledger_failed)?;
    // A listener that is bound has an address.
    let address = listeners.webhook.local_addr().unwrap_or(config.now().webhook.listen);
    tracing::info!("listening on http://{address}{}", config.now().webhook.path);
    let reloader = Arc::new(Reloader::new(sources, config.clone(), Arc::clone(&intake), shutdown.clone()));
    let heeding = Arc::clone(&reloader).heed(hangup);
    let watching = listeners.metrics.map(|listener| {
        let ledger = (ledger.clone(), path.clone());
        let metrics = report.metrics().clone();
        let watched = Watched::new(config.clone(), ledger, servers, metrics, clock, shutdown.clone());
        tokio::spawn(watch(listener, watched))
    });
    let (webhook_config, webhook_intake) = (config.clone(), Arc::clone(&intake));
    let test_deliveries = TestDeliveries::default();
    let (webhook_tests, webhook_report) = (test_deliveries.clone(), report.clone());
    tasks.spawn(report.clone().sum_up_in_time(shutdown.clone()));
    let last_words = report.clone();
    tasks.spawn(server::serve(listeners.webhook, shutdown.clone(), move |request, ()| {
        let (config, intake) = (webhook_config.clone(), Arc::clone(&webhook_intake));
        webhook::handle(request, config, intake, webhook_report.clone(), webhook_tests.clone())
    }));
    let started_at = Timestamp::now();
    let admin = Admin { config, intake, reloader, test_deliveries, report, started_at, webhook: address };
    tasks.spawn(server::serve(socket, shutdown.clone(), move |request, uid| {
        admin::handle(request, admin.clone(), uid)
    }));
    notify(&[NotifyState::Ready]);
    // Only now: the service manager takes "reloading" from nobody who was not ready.
    tasks.spawn(heeding);
    let watchdog = tokio::spawn(feed_watchdog(ledger.clone()));

    tokio::select! {
        () = shutdown.cancelled() => {}
        _ = ledger.failed() => shutdown.cancel(),
    }
    tracing::info!("stopping");
    notify(&[NotifyState::Stopping]);
    watchdog.abort();
    if timeout(DRAIN, tasks.ended()).await.is_err() {
        tracing::warn!("stopping without waiting any longer; what was on its way will be in doubt");
        tasks.kill();
        tasks.ended().await;
    }
    all_ended.cancel();
    // It ends within 2 s, and where it panicked there is nobody to be told.
    drop(telling.await);
    last_words.sum_up();
    // Until here it says that Votive is not ready.
    watching.iter().for_each(JoinHandle::abort);
    // One more round trip: whatever the parts have asked of the ledger is durable now, or it has failed.
    ledger.ping().await.map_err(ledger_failed)?;
    crash_at(Point::Drained);
    ledger.close()?;
    crash_at(Point::LedgerClosed);
    Ok(())
}

/// The control socket of a daemon with this state directory: in `runtime_directory` if systemd gave it one, else
/// beside the ledger.
pub fn socket_path(state_dir: &Path, runtime_directory: Option<PathBuf>) -> PathBuf {
    runtime_directory.unwrap_or_else(|| state_dir.to_owned()).join(SOCKET)
}

async fn bind_socket(path: &Path) -> Result<UnixListener, DaemonError> {
    match UnixStream::connect(path).await {
        // Or as many wait there already as may.
        Err(error) if error.kind() != ErrorKind::WouldBlock => {}
        _ => return Err(DaemonError::SocketTaken(path.to_owned())),
    }
    let bind = || {
        // It was left by a process that is gone.
        if path.symlink_metadata().is_ok_and(|there| there.file_type().is_socket()) {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(listener)
    };
    bind().map_err(|error| DaemonError::Socket { path: path.to_owned(), error })
}

/// Answers whoever watches the daemon, also while it stops.
async fn watch(listener: TcpListener, watched: Watched) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!("metrics are at http://{address}{}", metrics::METRICS_PATH);
    }
    let watched = Arc::new(watched);
    server::serve(listener, CancellationToken::new(), move |request, ()| {
        metrics::handle(request, Arc::clone(&watched))
    })
    .await;
}

/// Tells systemd that Votive lives, as long as the ledger's writer answers. Ends where nobody wants to know.
async fn feed_watchdog(ledger: Ledger) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut ticks = interval(period / 2);
    loop {
        ticks.tick().await;
        if ledger.ping().await.is_ok() {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Without a service manager there is nobody to tell, and with a broken one nothing to be done.
pub(crate) fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
