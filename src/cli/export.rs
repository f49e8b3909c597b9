//! `votive export`: all votes, for a spreadsheet or a script.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use jiff::Timestamp;

use super::lines::Lines;
use super::{Options, Outcome, client, json, progress, when};
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
    let mut export = client::open(options, EXPORT_PATH, &Export { since: args.since })?;
    let mut printer = Printer::new(args.format, BufWriter::new(io::stdout().lock()))?;
    let progress = progress::counting("votes exported");
    let mut lines = Lines::default();
    while let Some(piece) = export.next()? {
        for line in lines.add(&piece) {
            printer.print(&line)?;
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    printer.flush().context("standard output")?;
    Ok(Outcome::Success)
}

/// Prints votes that come as lines of JSON.
enum Printer<W: Write> {
    Lines(W),
    Table(Box<csv::Writer<W>>),
}

impl<W: Write> Printer<W> {
    fn new(format: Format, out: W) -> anyhow::Result<Self> {
        Ok(match format {
            Format::Jsonl => Printer::Lines(out),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(out);
                // Also where there are no votes.
                table.write_record(COLUMNS)?;
                Printer::Table(Box::new(table))
            }
        })
    }

    fn print(&mut self, line: &[u8]) -> anyhow::Result<()> {
        match self {
            Printer::Lines(out) => out.write_all(json::harmless(std::str::from_utf8(line)?).as_bytes())?,
            Printer::Table(table) => table.write_record(cells(serde_json::from_slice(line)?))?,
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Printer::Lines(out) => out.flush(),
            Printer::Table(table) => table.flush(),
        }
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
