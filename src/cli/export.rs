//! `votive export`: all votes, for a spreadsheet or a script.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use jiff::Timestamp;

use super::{Options, Outcome, client, progress, when};
use crate::control::{EXPORT_PATH, Export, Row};
use crate::text::visible;

/// Which votes, and as what.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Only those that were received from this time on: 3h, 2d, 2026-11-20, 2026-11-20T18:30
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<Timestamp>,
    /// As a JSON document for each vote, a line each; or as a table with commas, in which control characters are escaped,
    /// and text that a spreadsheet would take for a formula begins with an apostrophe
    #[arg(long, value_enum)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// The columns of a table.
const COLUMNS: [&str; 10] = [
    "event_id",
    "event_type",
    "received_at",
    "voted_at",
    "player",
    "server",
    "state",
    "waiting_for",
    "rewards",
    "reason",
];

/// Prints them, the oldest first.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let out = BufWriter::new(io::stdout().lock());
    let progress = progress::counting("votes exported");
    let mut lines = Lines::default();
    let mut printer = match args.format {
        Format::Jsonl => Printer::Lines(out),
        Format::Csv => Printer::Table(Box::new(csv::Writer::from_writer(out)), true),
    };
    let request = Export { since: args.since };
    client::stream(options, EXPORT_PATH, &request, |piece| {
        printer.begin()?;
        for line in lines.add(piece) {
            printer.print(&line)?;
            progress.inc(1);
        }
        Ok(())
    })?;
    progress.finish_and_clear();
    // Also where there are none.
    printer.begin()?;
    printer.flush().context("standard output")?;
    Ok(Outcome::Success)
}

/// Prints votes that come as lines of JSON.
enum Printer<W: Write> {
    Lines(W),
    /// And whether its head is still to come.
    Table(Box<csv::Writer<W>>, bool),
}

impl<W: Write> Printer<W> {
    fn begin(&mut self) -> anyhow::Result<()> {
        if let Printer::Table(table, head @ true) = self {
            table.write_record(COLUMNS)?;
            *head = false;
        }
        Ok(())
    }

    fn print(&mut self, line: &[u8]) -> anyhow::Result<()> {
        match self {
            Printer::Lines(out) => out.write_all(line)?,
            Printer::Table(table, _) => table.write_record(cells(serde_json::from_slice(line)?))?,
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Printer::Lines(out) => out.flush(),
            Printer::Table(table, _) => table.flush(),
        }
    }
}

/// Pieces of text become whole lines.
#[derive(Default)]
struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// The lines that are whole with another piece, each with its end.
    fn add(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        self.unfinished.extend_from_slice(piece);
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.unfinished.split_off(end);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }
}

fn cells(vote: Row) -> [String; COLUMNS.len()] {
    let awaited: Vec<&str> = vote.waiting_for.iter().map(|awaited| awaited.words()).collect();
    [
        vote.event_id,
        vote.event_type,
        vote.received_at.to_string(),
        vote.voted_at.map(|at| at.to_string()).unwrap_or_default(),
        no_formula(visible(&vote.player.unwrap_or_default())),
        vote.server.unwrap_or_default(),
        vote.state.name().to_owned(),
        awaited.join("; "),
        vote.rewards.join("; "),
        no_formula(visible(&vote.reason.unwrap_or_default())),
    ]
}

/// Text from outside, so that no spreadsheet takes it for a formula.
fn no_formula(mut text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        text.insert(0, '\'');
    }
    text
}
