//! Where the demo plays: a simulated platform, two simulated game servers, and the real daemon between them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Sources};
use crate::daemon::{self, DaemonError};
use crate::sim::game::{Game, GameOptions, Style};
use crate::sim::platform::Platform;

/// The file that owners begin with; the demo shows what exactly this one does.
const SHIPPED: &str = include_str!("../../../rewards.yaml");
const TOKEN: &str = "signing-token-of-the-demo";
const PASSWORD: &str = "rcon-password-of-the-demo";
/// A daemon with nothing to do stops at once; one that takes longer than this hangs on something.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Everything that the scenes play with.
pub(super) struct Stage {
    pub(super) platform: Platform,
    pub(super) survival: Game,
    pub(super) skyblock: Game,
    pub(super) daemon: Daemon,
}

/// The real daemon, in this process.
pub(super) struct Daemon {
    /// Where it takes deliveries, as the owner would enter it at the platform.
    pub(super) webhook: String,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), DaemonError>>,
    /// Goes with everything in it when the demo ends.
    _directory: TempDir,
}

impl Stage {
    /// Builds it all, on ports that the system chooses.
    pub(super) async fn set() -> anyhow::Result<Stage> {
        let no_port = "cannot open a port on 127.0.0.1";
        let game = |style| {
            Game::start(GameOptions { password: PASSWORD.to_owned(), style, ..GameOptions::default() })
                .context(no_port)
        };
        let platform = Platform::start(TOKEN).context(no_port)?;
        let (survival, skyblock) = (game(Style::Paper)?, game(Style::Modern)?);
        let daemon = Daemon::start(&platform, &survival, &skyblock).await?;
        Ok(Stage { platform, survival, skyblock, daemon })
    }
}

impl Daemon {
    async fn start(platform: &Platform, survival: &Game, skyblock: &Game) -> anyhow::Result<Daemon> {
        let directory = tempfile::Builder::new().prefix("votive-demo-").tempdir().with_context(|| {
            let place = std::env::temp_dir();
            format!(
                "cannot make a directory in {}; set TMPDIR to one that can be written to",
                place.display()
            )
        })?;
        let root = directory.path();
        write_files(root).with_context(|| format!("cannot write to {}", root.display()))?;
        // What differs from the shipped file, set as an owner would set it; the environment of this process is not
        // asked, so that the demo shows the same everywhere.
        let state = root.join("state");
        let env = [
            ("VOTIVE_STATE_DIR", state.to_string_lossy().into_owned()),
            ("VOTIVE_GAMEMONITORING__API_URL", platform.api_url()),
            ("VOTIVE_WEBHOOK__LISTEN", "127.0.0.1:0".to_owned()),
            ("VOTIVE_PLAYERS__POLL_EVERY", "1s".to_owned()),
            ("VOTIVE_SERVERS__SURVIVAL__RCON", survival.address().to_string()),
            ("VOTIVE_SERVERS__SKYBLOCK__RCON", skyblock.address().to_string()),
        ];
        let sources = Sources {
            path: root.join("rewards.yaml"),
            state_dir: None,
            env: BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value))),
            again: false,
        };
        let config = load(&sources)?;
        let listeners = daemon::listen(&config).await?;
        // From here on the port takes deliveries; they wait at the door until the daemon is ready.
        let webhook = format!("http://{}{}", listeners.webhook.local_addr()?, config.webhook.path);
        let shutdown = CancellationToken::new();
        let socket = daemon::socket_path(&config.state_dir, None);
        // A hang-up ends the demo.
        let no_hangup = Arc::default();
        let task = tokio::spawn(daemon::run(
            (config, sources),
            listeners,
            socket,
            shutdown.clone(),
            no_hangup,
            false,
        ));
        Ok(Daemon { webhook, shutdown, task, _directory: directory })
    }

    /// Waits for the daemon to end by itself, which it should not, and says why it did. Not to be called again then.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => anyhow!("the daemon stopped by itself"),
            Ok(Err(error)) => error.into(),
            Err(error) => error.into(),
        }
    }

    /// Stops the daemon.
    ///
    /// # Errors
    /// Why that was no clean end.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        match timeout(STOPS_WITHIN, &mut self.task).await {
            Ok(ended) => Ok(ended??),
            Err(_) => bail!("it did not stop within {} s", STOPS_WITHIN.as_secs()),
        }
    }
}

/// The shipped configuration and its secrets, as an owner would lay them out.
fn write_files(root: &Path) -> io::Result<()> {
    fs::write(root.join("rewards.yaml"), SHIPPED)?;
    let secrets = root.join("secrets");
    fs::create_dir(&secrets)?;
    for (name, secret) in [("signing_token", TOKEN), ("survival.rcon", PASSWORD), ("skyblock.rcon", PASSWORD)]
    {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(secrets.join(name))?;
        writeln!(file, "{secret}")?;
    }
    Ok(())
}

fn load(sources: &Sources) -> anyhow::Result<Config> {
    config::load(sources).config.map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the demo's own configuration is wrong:\n{}", problems.join("\n"))
    })
}
