//! A reload: reads `rewards.yaml` again for a daemon that runs, and puts it in the place of the old one as a whole, or
//! says why not.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::config::{self, At, Config, Level, Live, Loaded, Problem, Sources};
use crate::daemon::notify;
use crate::intake::Intake;
use crate::ledger::LedgerError;
use crate::log;
use crate::text::counted;

/// What helps where a reload does not.
const RESTART: &str = "put it back as it was, or run: systemctl restart votive";

/// Reloads.
#[derive(Debug)]
pub struct Reloader {
    sources: Sources,
    config: Live,
    intake: Arc<Intake>,
    shutdown: CancellationToken,
    /// One reload at a time, so that what is read last holds in the end.
    turn: Mutex<()>,
    /// When the configuration was read that holds.
    read_at: std::sync::Mutex<Timestamp>,
}

/// The new configuration holds. Shown to the operator, with one problem or sentence after the other.
#[derive(Debug)]
pub struct Reloaded {
    /// What is odd about it.
    warnings: Vec<Problem>,
    /// Of which file.
    path: PathBuf,
    /// What the configuration amounts to.
    summary: String,
    /// How many open grants have no game server in it.
    gone: usize,
    /// Whether secrets come from systemd.
    credentials: bool,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.warnings.iter().try_for_each(|warning| writeln!(f, "{warning}"))?;
        f.write_str(&self.conclusion())
    }
}

impl Reloaded {
    fn conclusion(&self) -> String {
        let mut told = format!("reloaded {}: {}", self.path.display(), self.summary);
        if self.gone > 0 {
            let waits = if self.gone == 1 { "waits" } else { "wait" };
            let votes = counted(self.gone, "vote");
            told += &format!(
                ". {votes} {waits} for a game server that is not in it any more; the log names each"
            );
        }
        if self.credentials {
            told += ". Secrets are as systemd read them at the start: one whose file has changed needs systemctl restart votive";
        }
        told
    }

    /// Writes a line about each problem, and one about the whole.
    fn log(&self) {
        log::problems(&self.warnings);
        tracing::info!("{}", self.conclusion());
    }
}

/// Why the old configuration still holds. Shown to the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotReloaded {
    /// The new one has errors, or needs a restart: every problem, errors first.
    #[error("{}{}", told(.0), conclusion(.0))]
    Refused(Vec<Problem>),
    /// Votive is stopping.
    #[error("Votive is stopping")]
    Stopping,
    /// The ledger has failed, and Votive stops because of it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl NotReloaded {
    /// Writes a line about each problem, and one about the whole.
    fn log(&self) {
        match self {
            NotReloaded::Refused(problems) => {
                log::problems(problems);
                tracing::error!("{}", conclusion(problems));
            }
            NotReloaded::Stopping | NotReloaded::Ledger(_) => tracing::warn!("not reloaded: {self}"),
        }
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn conclusion(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
    let errors = counted(errors, "error");
    format!("{errors}: nothing has changed, Votive goes on with the configuration that it has")
}

impl Reloader {
    /// Reloads from `sources` what `intake` works with.
    pub fn new(sources: Sources, config: Live, intake: Arc<Intake>, shutdown: CancellationToken) -> Self {
        Reloader {
            sources: Sources { again: true, ..sources },
            config,
            intake,
            shutdown,
            turn: Mutex::default(),
            read_at: std::sync::Mutex::new(Timestamp::now()),
        }
    }

    /// Where the configuration was read from that holds, and when.
    pub fn source(&self) -> (PathBuf, Timestamp) {
        (self.sources.path.clone(), *self.read_at())
    }

    fn read_at(&self) -> MutexGuard<'_, Timestamp> {
        // No code that holds the lock can leave it half changed.
        self.read_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reloads once, and tells the service manager meanwhile.
    ///
    /// # Errors
    /// [`NotReloaded`]; then nothing has changed, unless the ledger has failed.
    pub async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let _turn = self.turn.lock().await;
        if self.shutdown.is_cancelled() {
            return Err(NotReloaded::Stopping);
        }
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!("the service manager is not told of a reload: {error}"),
        }
        let reloaded = self.swap().await;
        // After "stopping" there is nothing more to say.
        if !self.shutdown.is_cancelled() {
            notify(&[NotifyState::Ready]);
        }
        reloaded
    }

    async fn swap(&self) -> Result<Reloaded, NotReloaded> {
        // Where the disk hangs, deliveries do not.
        let sources = self.sources.clone();
        let Ok(Loaded { warnings, config }) = spawn_blocking(move || config::load(&sources)).await else {
            // The runtime ends.
            return Err(NotReloaded::Stopping);
        };
        let checked = config.and_then(|new| {
            let problems = needs_restart(&self.config.now(), &new, &self.sources);
            if problems.is_empty() { Ok(new) } else { Err(problems) }
        });
        let new = match checked {
            Ok(new) => new,
            Err(errors) => return Err(NotReloaded::Refused(errors.into_iter().chain(warnings).collect())),
        };
        if self.shutdown.is_cancelled() {
            return Err(NotReloaded::Stopping);
        }
        let summary = new.summary();
        let gone = self.intake.reload(new)?;
        *self.read_at() = Timestamp::now();
        let credentials = self.sources.credentials().is_some();
        Ok(Reloaded { warnings, path: self.sources.path.clone(), summary, gone, credentials })
    }

    /// Reloads whenever `hangup` is notified, until the shutdown, and logs what comes of it.
    pub async fn heed(self: Arc<Self>, hangup: Arc<Notify>) {
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                () = hangup.notified() => {}
            }
            match self.reload().await {
                Ok(reloaded) => reloaded.log(),
                Err(why) => why.log(),
            }
        }
    }
}

/// What is in use since the start, and cannot be replaced.
fn needs_restart(old: &Config, new: &Config, sources: &Sources) -> Vec<Problem> {
    let changed = [
        ("state_dir", old.state_dir != new.state_dir),
        ("gamemonitoring.api_url", old.gamemonitoring.api_url != new.gamemonitoring.api_url),
        ("webhook.listen", old.webhook.listen != new.webhook.listen),
    ];
    let problem = |key: &str| Problem {
        level: Level::Error,
        file: sources.path.clone(),
        at: At::Whole,
        key: key.to_owned(),
        message: "it is another one than at the start of Votive, and a reload cannot change it".to_owned(),
        remedy: RESTART.to_owned(),
    };
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| problem(key)).collect()
}
