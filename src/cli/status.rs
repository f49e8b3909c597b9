//! `votive status`: how the running daemon and its game servers fare, at a glance.

use std::io::{self, Write};
use std::time::Duration;

use super::table::{self, cell};
use super::{Format, Options, Outcome, client, json, votes, when};
use crate::control::{GetStatus, Server, Status};
use crate::domain::outline::{Awaited, span};
use crate::text::{counted, visible};

/// How to print it.
#[derive(clap::Args)]
pub(super) struct Args {
    /// For a person, or as one JSON document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints it.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let status = client::ask(options, &GetStatus {})?;
    match args.format {
        Format::Json => json::pretty(&status)?,
        Format::Text => print(&status)?,
    }
    Ok(Outcome::Success)
}

fn print(status: &Status) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "votive {}, running since {}", status.version, when::shown(status.started_at))?;
    writeln!(out, "webhook        {}", status.webhook)?;
    let (config, read_at) = (status.config.display(), when::shown(status.config_read_at));
    writeln!(out, "configuration  {config}, read {read_at}")?;
    let size = status.ledger_bytes.div_ceil(1024);
    writeln!(out, "ledger         {}, {size} KiB", status.ledger.display())?;

    writeln!(out)?;
    let columns = ["SERVER", "RCON", "STANDS", "LAST ANSWER", "PLAYERS", "WAITING", "PACE", "RECEIPTS"];
    let mut servers = table::with(&columns);
    for server in &status.servers {
        servers.add_row(cells(server));
    }
    table::print(&servers)?;
    for server in &status.servers {
        if let (Some(why), None) = (&server.down, &server.paused_since) {
            writeln!(out, "{} {}", server.name, visible(why))?;
        }
    }

    writeln!(out)?;
    if status.waiting.is_empty() {
        writeln!(out, "Nothing waits.")?;
    }
    for (awaited, count) in &status.waiting {
        // What such a vote earns is not known yet.
        let what = if *awaited == Awaited::Api { "vote" } else { "reward" };
        writeln!(out, "{} waiting for {}", counted(count, what), awaited.words())?;
    }
    if let Some(oldest) = &status.oldest {
        let player = oldest.player.as_ref().map_or_else(|| "a player".to_owned(), |player| cell(player));
        let at = when::shown(oldest.received_at);
        writeln!(out, "The oldest of them: the vote of {player}, {at}. votive explain {}", oldest.event_id)?;
    }
    if status.refused > 0 {
        writeln!(out, "{} refused: votive votes --state refused", counted(status.refused, "vote"))?;
    }

    if !status.last.is_empty() {
        writeln!(out, "\nThe last votes:")?;
        votes::print(&status.last)?;
    }
    Ok(())
}

fn cells(server: &Server) -> [String; 8] {
    let ago = |seconds: u64| format!("{} ago", span(Duration::from_secs(seconds)));
    let stands = match (&server.paused_since, server.down_seconds, server.answered_seconds) {
        (Some(since), ..) => format!("paused since {}", when::shown(*since)),
        (None, Some(seconds), _) => format!("down for {}", span(Duration::from_secs(seconds))),
        (None, None, _) if server.was_down => "down when last needed".to_owned(),
        (None, None, Some(_)) => "up".to_owned(),
        (None, None, None) => "not needed yet".to_owned(),
    };
    let players = match (server.online, server.online_seconds) {
        (Some(count), Some(seconds)) => format!("{count} ({})", ago(seconds)),
        _ => "-".to_owned(),
    };
    let receipts = match server.keeps_receipts {
        Some(true) => format!("{} (kept)", server.receipts.name()),
        Some(false) => format!("{} (not kept)", server.receipts.name()),
        None => server.receipts.name().to_owned(),
    };
    [
        server.name.clone(),
        server.address.clone(),
        stands,
        server.answered_seconds.map_or_else(|| "-".to_owned(), ago),
        players,
        server.waiting.to_string(),
        format!("{}/s", server.pace),
        receipts,
    ]
}
