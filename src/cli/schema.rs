//! `votive schema`: what an editor needs to know of `rewards.yaml`.

use std::io::Write;

use super::Outcome;
use crate::config;

/// Prints the schema.
pub(super) fn run() -> anyhow::Result<Outcome> {
    std::io::stdout().lock().write_all(config::SCHEMA.as_bytes())?;
    Ok(Outcome::Success)
}
