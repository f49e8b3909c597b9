//! The real binary between a simulated platform and simulated game servers.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its part, and a panic is the report

pub mod doubt;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use votive::sim::game::{Game, GameOptions, Record, Style};
use votive::sim::platform::{Answered, Delivery, Platform};

pub const VOTIVE: &str = env!("CARGO_BIN_EXE_votive");
const TOKEN: &str = "signing-token-of-the-tests";
const PASSWORD: &str = "rcon-password-of-the-tests";

/// Longer than anything here takes, so that a test that would hang fails instead.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The rewards of most tests: an announcement that goes out at once, and a gift that waits for the player.
pub const DAILY: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 3'
      - run: 'say {player} voted for {server}'
        require_online: false
        optional: true
";

/// Two steps in a row that need nobody, so that an outcome and an intent share a commit, and one that does. The objective
/// `votes` has to be there.
pub const THANKS: &str = "
  thanks:
    commands:
      - run: 'whitelist add {player}'
        require_online: false
      - run: 'scoreboard players add {player} votes 1'
        require_online: false
      - 'give {player} minecraft:diamond 1'
";

/// What [`THANKS`] runs for a vote of the player `P` and this number.
pub fn thanks(number: usize) -> [String; 3] {
    [
        format!("whitelist add P{number}"),
        format!("scoreboard players add P{number} votes 1"),
        format!("give P{number} minecraft:diamond 1"),
    ]
}

/// How often each player has voted, for each server and over all, by the text of a backup.
pub fn counters(backup: &str) -> BTreeMap<String, u64> {
    let records = backup.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let counters = records.filter(|record| record.get("counter").is_some());
    counters
        .map(|record| (record["key"].to_string(), record["counter"]["votes"]["total"].as_u64().unwrap()))
        .collect()
}

/// A platform, a game server called `survival` with the id 1, and a place for a daemon.
pub struct Rig {
    pub directory: TempDir,
    pub platform: Platform,
    pub game: Game,
    pub daemon: Option<Daemon>,
}

impl Rig {
    /// Everything but the daemon; Steve is online.
    pub async fn new() -> Rig {
        Rig::with_style(Style::Modern).await
    }

    /// The same, on a game server that speaks like some software.
    pub async fn with_style(style: Style) -> Rig {
        let platform = Platform::start(TOKEN).unwrap();
        let game =
            Game::start(GameOptions { password: PASSWORD.to_owned(), style, ..GameOptions::default() })
                .unwrap();
        game.join("Steve");
        let rig = Rig { directory: TempDir::new().unwrap(), platform, game, daemon: None };
        std::fs::create_dir(rig.path("secrets")).unwrap();
        for (name, secret) in [("token", TOKEN), ("password", PASSWORD)] {
            rig.write_secret(name, secret);
        }
        rig.configure("", "", DAILY);
        rig
    }

    /// The same, with a daemon that runs.
    pub async fn running() -> Rig {
        let mut rig = Rig::new().await;
        rig.start().await;
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write_secret(&self, name: &str, secret: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path("secrets").join(name);
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes `rewards.yaml`, with keys at the top level, keys of the server, and rewards that all are the server's. No
    /// receipts are left unless the keys say so: most tests are about what is known without them.
    pub fn configure(&self, top: &str, server: &str, rewards: &str) {
        let names: Vec<&str> = (rewards.lines())
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
            .collect();
        let (api, rcon) = (self.platform.api_url(), self.game.address());
        let yaml = format!(
            "state_dir: state
gamemonitoring:
  signing_token_file: token
  api_url: {api}
players:
  poll_every: 1s
{top}
servers:
  survival:
    id: 1
    rcon: {rcon}
    password_file: password
    rewards: [{}]
{server}
rewards:
{rewards}
",
            names.join(", ")
        );
        let yaml = if server.contains("receipts:") {
            yaml
        } else {
            yaml.replace("    id: 1\n", "    id: 1\n    receipts: never\n")
        };
        let yaml = if top.contains("webhook:") {
            yaml.replace("webhook:", "webhook:\n  listen: 127.0.0.1:0")
        } else {
            format!("webhook:\n  listen: 127.0.0.1:0\n{yaml}")
        };
        std::fs::write(self.path("rewards.yaml"), yaml).unwrap();
    }

    pub async fn start(&mut self) {
        self.start_as(Command::new(VOTIVE)).await;
    }

    /// The daemon by a command that ends in running it: with other limits, say.
    pub async fn start_as(&mut self, command: Command) {
        assert!(self.daemon.is_none());
        let daemon = Daemon::spawn(command, &self.path("rewards.yaml")).listening().await;
        self.daemon = Some(daemon.unwrap_or_else(|log| panic!("the daemon ended at its start:\n{log}")));
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
    }

    /// SIGTERM; gives the exit status and the whole log.
    pub async fn stop(&mut self) -> (ExitStatus, String) {
        let daemon = self.daemon.take().unwrap();
        daemon.signal("TERM");
        daemon.ended().await
    }

    /// A vote that the API knows.
    pub fn vote(&self, id: &str, nickname: &str) -> Delivery {
        self.platform.vote(id, nickname, 1);
        self.platform.delivery("server.vote", id)
    }

    pub async fn deliver(&self, delivery: &Delivery) -> Answered {
        self.delivering(delivery).await
    }

    /// A delivery to be spawned: it does not hold on to the rig.
    pub fn delivering(&self, delivery: &Delivery) -> impl Future<Output = Answered> + Send + use<> {
        let (platform, url, delivery) = (self.platform.clone(), self.daemon().url.clone(), delivery.clone());
        async move { platform.deliver(&url, &delivery).await }
    }

    /// A vote of `nickname`, delivered: the status of the answer.
    pub async fn deliver_vote(&self, id: &str, nickname: &str) -> u16 {
        self.deliver(&self.vote(id, nickname)).await.status.unwrap()
    }

    /// Waits until the game server has seen what `condition` asks for.
    pub async fn until(&self, condition: impl FnMut(&Record) -> bool) -> Record {
        tokio::time::timeout(PATIENCE, self.game.until(condition))
            .await
            .expect("the game server never saw it")
    }

    /// How many of an item a player has.
    pub fn has(&self, player: &str, item: &str) -> u64 {
        self.game.inventory(player).get(item).copied().unwrap_or_default()
    }

    /// Runs a command of the binary beside the daemon.
    pub async fn votive(&self, args: &[&str]) -> Output {
        self.having(args).await
    }

    /// The same, to be spawned: it does not hold on to the rig.
    pub fn having(&self, args: &[&str]) -> impl Future<Output = Output> + Send + use<> {
        let mut command = Command::new(VOTIVE);
        command.env_clear().args(args).args(["--config".as_ref(), self.path("rewards.yaml").as_os_str()]);
        async move { tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap() }
    }
}

/// A daemon that runs. Killed when dropped.
pub struct Daemon {
    pub child: Child,
    pub url: String,
    log: watch::Receiver<Vec<String>>,
}

impl Daemon {
    pub fn spawn(mut command: Command, config: &Path) -> Daemon {
        let mut child = command
            .args(["run".as_ref(), "--config".as_ref(), config.as_os_str()])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RUST_LOG", "votive=debug")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = watch::channel(Vec::new());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.send_modify(|log: &mut Vec<String>| log.push(line));
            }
        });
        Daemon { child, url: String::new(), log }
    }

    /// Waits for a line of the log that holds `text`.
    pub async fn log_line(&self, text: &str) -> String {
        let line = self.find_line(text).await;
        line.unwrap_or_else(|| panic!("the log never said {text:?}:\n{}", self.log()))
    }

    /// A line that holds `text`, once it is there; `None` if the process ends without it.
    async fn find_line(&self, text: &str) -> Option<String> {
        let find = |log: &Vec<String>| log.iter().find(|line| line.contains(text)).cloned();
        let mut log = self.log.clone();
        let found = tokio::time::timeout(PATIENCE, log.wait_for(|log| find(log).is_some())).await;
        found.ok()?.ok().and_then(|log| find(&log))
    }

    /// The daemon once it listens, or its log if it ended before.
    pub async fn listening(mut self) -> Result<Daemon, String> {
        match self.find_line("listening on ").await {
            Some(line) => {
                let url = line.split("listening on ").nth(1).unwrap();
                // In JSON, more follows.
                self.url = url.split('"').next().unwrap().to_owned();
                Ok(self)
            }
            None => Err(self.log()),
        }
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> String {
        self.url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned()
    }

    pub fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let mut log = self.log.clone();
        // The channel closes with the process's stderr.
        let closed = async { while log.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, closed).await.expect("the daemon did not end");
        let status = self.child.wait().unwrap();
        (status, self.log())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
