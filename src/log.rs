//! The log on stderr: for a person, for journald, or as JSON for programs; and the span that names a line's event.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Level, Metadata, Span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{self, Problem};
use crate::domain::event::EventKey;

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line per event, for a person
    #[default]
    Text,
    /// One JSON object per line, for programs
    Json,
}

/// The span that everything about one grant is in: each of its lines names the event, whatever task writes it. A span in
/// it is none of its children, so that no line names an event twice.
pub(crate) fn about(event: &EventKey) -> Span {
    // The highest level: where only errors are logged, they still name their event.
    tracing::error_span!(parent: None, "grant", %event)
}

/// Starts the log. `RUST_LOG=debug` shows more than `info`. To be called once, before anything else is logged.
pub fn start(format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let journal = is_journal(&io::stderr(), std::env::var("JOURNAL_STREAM").ok().as_deref());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // A full disk behind the log, or nobody who reads it, is no reason to stop.
        .log_internal_errors(false)
        .with_writer(Stderr { journal })
        .with_ansi(io::stderr().is_terminal());
    match format {
        Format::Json => lines.json().flatten_event(true).with_span_list(false).init(),
        // The journal has the time already.
        Format::Text if journal => lines.without_time().init(),
        Format::Text => lines.init(),
    }
}

/// Writes a line about each problem of a configuration.
pub(crate) fn problems(problems: &[Problem]) {
    for problem in problems {
        match problem.level {
            config::Level::Error => tracing::error!("{problem}"),
            config::Level::Warning => tracing::warn!("{problem}"),
        }
    }
}

/// Whether a stream is the one that systemd has connected to the journal, by what it says of that in `JOURNAL_STREAM`:
/// its device and inode (systemd.exec(5)). A child with another stderr inherits the variable as well.
fn is_journal(stream: &impl AsFd, journal_stream: Option<&str>) -> bool {
    let numbers = || {
        let stream = std::fs::File::from(stream.as_fd().try_clone_to_owned().ok()?);
        let metadata = stream.metadata().ok()?;
        Some(format!("{}:{}", metadata.dev(), metadata.ino()))
    };
    journal_stream.is_some_and(|named| numbers().as_deref() == Some(named))
}

/// Writes lines to stderr.
struct Stderr {
    /// Whether each line begins with its priority.
    journal: bool,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Lines<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines { priority: None, out: io::stderr() }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        let priority = self.journal.then(|| priority(*metadata.level()));
        Lines { priority, out: io::stderr() }
    }
}

/// What journald takes for the priority of a line that begins with it (sd-daemon(3)).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Writes what it is given in one piece, each line with the priority before it.
struct Lines<W> {
    priority: Option<&'static str>,
    out: W,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let Some(priority) = self.priority else { return self.out.write(text) };
        let mut lines = Vec::with_capacity(text.len() + priority.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            lines.extend_from_slice(priority.as_bytes());
            lines.extend_from_slice(line);
        }
        self.out.write_all(&lines)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::{DefaultGuard, set_default};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        pub(crate) fn lines(&self) -> Vec<String> {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
        }
    }

    /// The log of this thread until the guard is dropped.
    pub(crate) fn read_from_now_on(filter: &str) -> (DefaultGuard, Written) {
        let written = Written::default();
        let log = written.clone();
        let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_target(false);
        (
            set_default(lines.with_ansi(false).without_time().with_writer(move || log.clone()).finish()),
            written,
        )
    }

    #[test]
    fn a_line_names_its_event_once_also_where_only_errors_are_written() {
        let (_log, written) = read_from_now_on("error");
        let about = |id| about(&EventKey::new("server.vote", id));
        about("e-1").in_scope(|| {
            tracing::error!("first");
            about("e-2").in_scope(|| tracing::error!("second"));
            tracing::warn!("nothing");
        });
        assert_eq!(written.lines(), ["ERROR grant{event=e-1}: first", "ERROR grant{event=e-2}: second"]);
    }

    #[test]
    fn every_line_of_a_record_begins_with_its_priority() {
        let mut out = Vec::new();
        let mut lines = Lines { priority: Some(priority(Level::WARN)), out: &mut out };
        lines.write_all(b"rewards.yaml:1:1: warning\n    help: none\n").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "<4>rewards.yaml:1:1: warning\n<4>    help: none\n");
    }

    #[test]
    fn only_the_stream_that_systemd_names_is_the_journal() {
        let file = tempfile::tempfile().unwrap();
        let metadata = file.metadata().unwrap();
        let named = |dev: u64, ino: u64| is_journal(&file, Some(&format!("{dev}:{ino}")));
        assert!(named(metadata.dev(), metadata.ino()));
        assert!(!named(metadata.dev(), metadata.ino() + 1));
        assert!(!is_journal(&file, None));
        assert!(!is_journal(&file, Some("")));
    }
}
