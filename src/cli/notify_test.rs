//! `votive notify-test`: whether those who are to be told can be told.

use super::{Options, Outcome, client};
use crate::http::admin::NOTIFY_TEST_PATH;

/// Prints what became of a message to each of them.
pub(super) fn run(options: &Options) -> anyhow::Result<Outcome> {
    let text = client::ask(options, NOTIFY_TEST_PATH, &())?;
    anstream::print!("{text}");
    Ok(Outcome::Success)
}
