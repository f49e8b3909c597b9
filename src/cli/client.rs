//! Asks the running daemon, over its Unix socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;

use super::Options;
use crate::config::{self, Sources};
use crate::daemon::SOCKET;

/// Where the socket is when systemd runs the daemon.
const SYSTEM_RUNTIME: &str = "/run/votive";

/// Posts a question and gives the answer, a sentence for the operator.
///
/// # Errors
/// The daemon's own words where it refused, else why there is no answer.
pub(super) fn ask(options: &Options, path: &str, question: &impl Serialize) -> anyhow::Result<String> {
    let body = serde_json::to_vec(question)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = connect(&sockets(options)).await?;
        let (status, text) =
            post(stream, path, body).await.context("the running Votive broke off its answer")?;
        if status != StatusCode::OK {
            bail!("{}", text.trim_end());
        }
        Ok(text)
    })
}

/// Where the daemon that is meant may listen: beside its ledger, or where systemd puts it. Whoever names another state
/// directory does not mean the system's daemon.
fn sockets(options: &Options) -> Vec<PathBuf> {
    let mut state_dir = options.state_dir.clone();
    if state_dir.is_none()
        && let Ok(path) = config::find(options.config.clone())
    {
        crate::complain!("reading {}", path.display());
        // The operator may not be allowed to read the secrets; then the usual places have to do.
        state_dir =
            config::load(&Sources::from_process(path, None)).config.ok().map(|config| config.state_dir);
    }
    let state_dir = state_dir.unwrap_or_else(|| PathBuf::from(config::STATE_DIR));
    let mut directories = vec![state_dir];
    if directories[0].as_path() == Path::new(config::STATE_DIR) {
        directories.insert(0, PathBuf::from(SYSTEM_RUNTIME));
    }
    directories.iter().map(|directory| directory.join(SOCKET)).collect()
}

async fn connect(sockets: &[PathBuf]) -> anyhow::Result<UnixStream> {
    for socket in sockets {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                bail!("{}: this user may not talk to the running Votive; use sudo", socket.display());
            }
            Err(_) => {}
        }
    }
    let tried: Vec<_> = sockets.iter().map(|socket| Path::display(socket).to_string()).collect();
    bail!(
        "no Votive is running that could be asked (tried {}). Start it with `votive run` or `systemctl start votive`, and name its --config or --state-dir here",
        tried.join(" and ")
    );
}

async fn post(stream: UnixStream, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, String)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post(path).header(HOST, "votive").body(Full::new(Bytes::from(body)))?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let text = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}
