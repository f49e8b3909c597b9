//! The daemon's own log, as lines of the demo.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use super::screen;

/// From now on, shows what the daemon logs where it happens.
pub(super) fn show() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("votive=info"))
        .with_target(false)
        .with_ansi(false)
        .without_time()
        .with_writer(|| Lines)
        .init();
}

/// Takes whole lines: the subscriber writes each event in one piece.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(bytes).lines() {
            screen::log(line.trim_start())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
