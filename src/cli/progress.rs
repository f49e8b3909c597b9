//! Progress of long work: drawn on standard error, and only where that is a terminal.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often it moves where nothing is counted.
const TICK: Duration = Duration::from_millis(100);

/// Counts what is done: votes, say.
pub(super) fn counting(what: &str) -> ProgressBar {
    drawn_as(&format!("{{human_pos}} {what}, {{elapsed}}"))
}

/// Shows that something is waited for.
pub(super) fn waiting(what: impl Into<Cow<'static, str>>) -> ProgressBar {
    let progress = drawn_as("{spinner} {msg}, {elapsed}");
    progress.set_message(what);
    progress.enable_steady_tick(TICK);
    progress
}

fn drawn_as(template: &str) -> ProgressBar {
    let progress = ProgressBar::no_length();
    match ProgressStyle::with_template(template) {
        Ok(style) => progress.with_style(style),
        // The templates are ours; without one it would look different.
        Err(_) => progress,
    }
}
