//! `votive test-notify`: whether those who are to be told can be told.

use anyhow::bail;

use super::{Options, Outcome, client};
use crate::control::{NotifyTarget, NotifyTested, TestNotify};
use crate::text::visible;

/// Prints what became of a message to each of them.
pub(super) fn run(options: &Options) -> anyhow::Result<Outcome> {
    let NotifyTested { targets } = client::ask(options, &TestNotify {})?;
    if targets.is_empty() {
        bail!(
            "rewards.yaml names nobody who is told: write `notify:`, and below it `discord:` or `command:`, and run: votive reload"
        );
    }
    for NotifyTarget { key, failure } in &targets {
        crate::say!("{key}: {}", visible(failure.as_deref().unwrap_or("was told")));
    }
    let all = targets.iter().all(|target| target.failure.is_none());
    Ok(if all { Outcome::Success } else { Outcome::Failed })
}
