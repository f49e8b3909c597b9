//! What the owner of a command may not know about it.

use crate::domain::reward::{Command, InDoubtRule};

/// A message and what to do about it, for each thing that is odd about a command.
pub(super) fn of(_command: &Command) -> Vec<(String, &'static str)> {
    let _ = InDoubtRule::Repeat;
    Vec::new()
}
