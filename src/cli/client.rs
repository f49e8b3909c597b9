//! Asks the running daemon, over its Unix socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::Options;
use crate::config::{self, Sources};
use crate::daemon::SOCKET;

/// Where the socket is when systemd runs the daemon.
const SYSTEM_RUNTIME: &str = "/run/votive";
const BROKEN: &str = "the running Votive broke off its answer";

/// Posts a question and gives the answer, a sentence for the operator.
///
/// # Errors
/// The daemon's own words where it refused, else why there is no answer.
pub(super) fn ask(options: &Options, path: &str, question: &impl Serialize) -> anyhow::Result<String> {
    let body = serde_json::to_vec(question)?;
    runtime()?.block_on(async {
        let sockets = sockets(&probable_state_dir(options));
        let stream = connect(&sockets).await?.ok_or_else(|| nobody(&sockets))?;
        text(post(stream, path, body).await?).await
    })
}

/// Writes what the daemon of a state directory answers to a request without a question, in pieces. Gives whether
/// there is a daemon.
///
/// # Errors
/// As above, or where the answer broke off or cannot be written.
pub(super) fn fetch(
    state_dir: &Path,
    path: &str,
    mut write: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let Some(stream) = connect(&sockets(state_dir)).await? else { return Ok(false) };
        let mut body = post(stream, path, Vec::new()).await?;
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame.context(BROKEN)?.into_data() {
                write(&piece)?;
            }
        }
        Ok(true)
    })
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
    let config = loaded.config.map_err(|_| {
        anyhow!(
            "{}: has errors, so it cannot say where the ledger lives. Correct them (`votive check` names them), or name the directory with --state-dir",
            path.display()
        )
    })?;
    Ok(config.state_dir)
}

/// The state directory of a daemon that is only to be asked: whatever else is wrong with the configuration, and also
/// where the operator is not allowed to read the secrets. Where the file tells nothing, it is the usual one.
fn probable_state_dir(options: &Options) -> PathBuf {
    let named = options.state_dir.clone().or_else(|| {
        let path = config::find(options.config.clone()).ok()?;
        crate::complain!("reading {}", path.display());
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
async fn connect(sockets: &[PathBuf]) -> anyhow::Result<Option<UnixStream>> {
    for socket in sockets {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                bail!("{}: this user may not talk to the running Votive; use sudo", socket.display());
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

fn nobody(sockets: &[PathBuf]) -> anyhow::Error {
    let tried: Vec<_> = sockets.iter().map(|socket| Path::display(socket).to_string()).collect();
    anyhow!(
        "no Votive is running that could be asked (tried {}). Start it with `votive run` or `systemctl start votive`, and name its --config or --state-dir here",
        tried.join(" and ")
    )
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The body of a good answer.
///
/// # Errors
/// The daemon's own words where it refused.
async fn post(stream: UnixStream, path: &str, body: Vec<u8>) -> anyhow::Result<Incoming> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.context(BROKEN)?;
    tokio::spawn(connection);
    let request = Request::post(path).header(HOST, "votive").body(Full::new(Bytes::from(body)))?;
    let (head, body) = sender.send_request(request).await.context(BROKEN)?.into_parts();
    if head.status != StatusCode::OK {
        let words = text(body).await?.trim_end().to_owned();
        bail!(Refused { status: head.status, words });
    }
    Ok(body)
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

async fn text(body: Incoming) -> anyhow::Result<String> {
    let text = body.collect().await.context(BROKEN)?.to_bytes();
    Ok(String::from_utf8_lossy(&text).into_owned())
}
