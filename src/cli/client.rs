//! Asks the running daemon, over its Unix socket.

use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::{Options, Outcome, progress};
use crate::config::{self, Sources};
use crate::control::{Done, Refusal, Request, VERSION_HEADER};
use crate::daemon::SOCKET;
use crate::text::visible;

/// Where the socket is when systemd runs the daemon.
const SYSTEM_RUNTIME: &str = "/run/votive";
/// After how long a person is shown that an answer is waited for.
const SHORT: Duration = Duration::from_secs(1);
/// After how long an answer is not waited for any more.
const LONGEST: Duration = Duration::from_secs(10 * 60);
const BROKEN: &str = "the running Votive broke off its answer";

/// Asks the daemon.
///
/// # Errors
/// The daemon's own words where it refused, else why there is no answer.
pub(super) fn ask<R: Request>(options: &Options, request: &R) -> anyhow::Result<R::Answer> {
    let body = serde_json::to_vec(request)?;
    runtime()?.block_on(async {
        let socket = daemon_of(options).await?;
        let answer = socket.post(R::PATH, body).await?.collect().await.context(BROKEN)?.to_bytes();
        serde_json::from_slice(&answer).context("the running Votive is of another version than this command")
    })
}

/// Asks the daemon for what it does, and prints that.
///
/// # Errors
/// As above.
pub(super) fn have(options: &Options, request: &impl Request<Answer = Done>) -> anyhow::Result<Outcome> {
    let Done { message } = ask(options, request)?;
    crate::say!("{}", shown(&message));
    Ok(Outcome::Success)
}

/// Asks the daemon for an answer in pieces.
///
/// # Errors
/// As above.
pub(super) fn open(options: &Options, path: &str, request: &impl Serialize) -> anyhow::Result<Pieces> {
    let (runtime, body) = (runtime()?, serde_json::to_vec(request)?);
    let body = runtime.block_on(async { daemon_of(options).await?.post(path, body).await })?;
    Ok(Pieces { runtime, body })
}

/// The same of the daemon of a state directory, or of the one that is named by its socket; `None` where none runs there.
///
/// # Errors
/// As above.
pub(super) fn open_if_it_runs(
    options: &Options,
    state_dir: &Path,
    path: &str,
    request: &impl Serialize,
) -> anyhow::Result<Option<Pieces>> {
    if options.socket.is_none() && !is_running(state_dir)? {
        return Ok(None);
    }
    let options = Options { state_dir: Some(state_dir.to_owned()), ..options.clone() };
    open(&options, path, request).map(Some)
}

/// An answer in pieces.
pub(super) struct Pieces {
    runtime: Runtime,
    body: Incoming,
}

impl Pieces {
    /// The next piece, once it is there; `None` at the end.
    ///
    /// # Errors
    /// Where the answer broke off.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            let frame = self.runtime.block_on(self.body.frame());
            match frame.transpose().context(BROKEN)?.map(Frame::into_data) {
                None => return Ok(None),
                Some(Ok(piece)) => return Ok(Some(piece)),
                // There are no trailers, and they would not be of the answer.
                Some(Err(_)) => {}
            }
        }
    }
}

/// What the daemon says, line by line, with nothing in it that a terminal would heed.
fn shown(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// A connection to what listens on a socket.
struct Socket {
    path: PathBuf,
    stream: UnixStream,
}

impl Socket {
    /// The body of a good answer.
    ///
    /// # Errors
    /// The daemon's own words where it refused.
    async fn post(self, path: &str, body: Vec<u8>) -> anyhow::Result<Incoming> {
        let foreign = || {
            anyhow!(
                "{}: what listens there is not Votive, or not this version. Name the right --config, --state-dir or --socket",
                self.path.display()
            )
        };
        // One that is killed has said nothing wrong.
        let broken = |error: hyper::Error| {
            if error.is_parse() { foreign() } else { anyhow!("{BROKEN}: {error}") }
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = hyper::Request::post(path).header(HOST, "votive").body(Full::new(Bytes::from(body)))?;
        let mut answer = pin!(sender.send_request(request));
        let answer = match timeout(SHORT, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let waiting = format!("waiting for the answer of {}", self.path.display());
                if !io::stderr().is_terminal() {
                    crate::complain!("{waiting}");
                }
                let progress = progress::waiting(waiting);
                let answer = timeout(LONGEST, answer).await;
                progress.finish_and_clear();
                answer.map_err(|_| anyhow!("{}: no answer came within ten minutes", self.path.display()))?
            }
        };
        let (head, body) = answer.map_err(broken)?.into_parts();
        if !head.headers.contains_key(VERSION_HEADER) {
            return Err(foreign());
        }
        if head.status == StatusCode::OK {
            return Ok(body);
        }
        let answer = body.collect().await.context(BROKEN)?.to_bytes();
        let Refusal { error } =
            serde_json::from_slice(&answer).unwrap_or_else(|_| Refusal { error: head.status.to_string() });
        bail!(Refused { status: head.status, words: shown(&error) });
    }
}

/// The daemon that is meant.
async fn daemon_of(options: &Options) -> anyhow::Result<Socket> {
    let sockets = match &options.socket {
        Some(socket) => vec![socket.clone()],
        None => sockets(&probable_state_dir(options)),
    };
    Ok(connect(&sockets).await?.ok_or_else(|| nobody(&sockets))?)
}

/// Whether a daemon runs with this state directory and lets itself be asked.
///
/// # Errors
/// Where there is one that this user may not ask.
pub(super) fn is_running(state_dir: &Path) -> anyhow::Result<bool> {
    runtime()?.block_on(async { Ok(connect(&sockets(state_dir)).await?.is_some()) })
}

/// The state directory that is meant.
///
/// # Errors
/// Where the configuration that would name it has errors.
pub(super) fn state_dir(options: &Options) -> anyhow::Result<PathBuf> {
    if let Some(named) = &options.state_dir {
        return Ok(named.clone());
    }
    let Ok(path) = config::find(options.config.clone()) else {
        return Ok(PathBuf::from(config::STATE_DIR));
    };
    crate::complain!("reading {}", path.display());
    let loaded = config::load_without_secrets(&Sources::from_process(path.clone(), None));
    let config = loaded.config.map_err(|_| NoStateDirectory(path))?;
    Ok(config.state_dir)
}

/// The state directory of a daemon that is only to be asked: whatever else is wrong with the configuration, and also
/// where the operator is not allowed to read the secrets. Where the file tells nothing, it is the usual one.
fn probable_state_dir(options: &Options) -> PathBuf {
    let named = options.state_dir.clone().or_else(|| {
        let path = config::find(options.config.clone()).ok()?;
        // Some commands ask more than once.
        static TOLD: Once = Once::new();
        TOLD.call_once(|| crate::complain!("reading {}", path.display()));
        config::state_dir(&Sources::from_process(path, None))
    });
    named.unwrap_or_else(|| PathBuf::from(config::STATE_DIR))
}

/// Where a daemon with this state directory may listen: beside its ledger, or where systemd puts it. Whoever names
/// another state directory does not mean the system's daemon. A command of a service means its own.
fn sockets(state_dir: &Path) -> Vec<PathBuf> {
    let own_runtime = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let mut directories: Vec<&Path> = own_runtime.iter().map(PathBuf::as_path).collect();
    if state_dir == Path::new(config::STATE_DIR) {
        directories.push(Path::new(SYSTEM_RUNTIME));
    }
    directories.push(state_dir);
    directories.iter().map(|directory| directory.join(SOCKET)).collect()
}

/// The connection to the daemon, if one runs.
async fn connect(sockets: &[PathBuf]) -> anyhow::Result<Option<Socket>> {
    for socket in sockets {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(Some(Socket { path: socket.clone(), stream })),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                bail!("{}: this user may not talk to the running Votive; use sudo", socket.display());
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The configuration cannot tell where the ledger is.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: has errors, so it cannot say where the ledger lives. Correct them (`votive check` names them), or name the directory with --state-dir",
    .0.display()
)]
pub(super) struct NoStateDirectory(PathBuf);

/// No daemon runs that could be asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "no Votive is running that could be asked (tried {0}). Start it with `votive run` or `systemctl start votive`, and name its --config or --state-dir here"
)]
pub(super) struct Nobody(String);

fn nobody(sockets: &[PathBuf]) -> Nobody {
    let tried: Vec<_> = sockets.iter().map(|socket| Path::display(socket).to_string()).collect();
    Nobody(tried.join(" and "))
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(super) struct Refused {
    /// How it said so.
    pub(super) status: StatusCode,
    /// Its own words.
    words: String,
}
