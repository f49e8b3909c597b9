//! `votive reload`: another configuration for the running daemon.

use hyper::StatusCode;

use super::client::{self, Refused};
use super::{Options, Outcome};
use crate::config::{self, Sources};
use crate::control::{Done, Reload};

/// Prints what has changed, or why nothing has.
pub(super) fn run(options: &Options) -> anyhow::Result<Outcome> {
    let error = match client::ask(options, &Reload {}) {
        Ok(Done { message }) => {
            crate::say!("{message}");
            return Ok(Outcome::Success);
        }
        Err(error) => error,
    };
    let why = match error.downcast::<Refused>() {
        Ok(refused) if refused.status == StatusCode::UNPROCESSABLE_ENTITY => refused.to_string(),
        Ok(refused) => return Err(refused.into()),
        Err(nobody) => told_anyway(options, &nobody).ok_or(nobody)?,
    };
    crate::say!("{why}");
    Ok(Outcome::BadConfiguration)
}

/// Nobody was found to ask: because of errors the file may not tell where the daemon is. Then what is wrong with it, as the
/// daemon would say it.
fn told_anyway(options: &Options, nobody: &anyhow::Error) -> Option<String> {
    let path = config::find(options.config.clone()).ok().filter(|_| options.state_dir.is_none())?;
    let problems = config::load_without_secrets(&Sources::from_process(path, None)).config.err()?;
    let told: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    Some(format!("{told}nothing has changed: {nobody}"))
}
