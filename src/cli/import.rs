//! `votive import`: how often players have voted before Votive.

mod table;

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};

use super::{Options, Outcome, client, configuration};
use crate::config::{Config, GameServer};
use crate::domain::counter::{Counter, CounterKey, Scoped};
use crate::ledger::{self, Ledger};
use crate::text::counted;
use table::Row;

/// So many mistakes are told; whoever has more has made one mistake many times.
const MOST_TOLD: usize = 20;
/// From so many players on, it is told what takes its time.
const MANY: usize = 10_000;

/// From what, and for which game server.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The table, with the names of its columns in the first line
    file: PathBuf,
    /// For which game server the votes were, by its name in rewards.yaml; needed where there are several
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Change the ledger; without this it is only said what would change
    #[arg(long)]
    apply: bool,
}

/// Says what the import changes, and with `--apply` changes it: all of it, or nothing.
pub(super) fn run(options: Options, args: &Args) -> anyhow::Result<Outcome> {
    let Some(config) = configuration(options) else { return Ok(Outcome::BadConfiguration) };
    let server = target(&config, args.server.as_deref())?;
    if client::is_running(&config.state_dir)? {
        bail!(
            "{}: Votive is running with this state directory. Stop it first (systemctl stop votive)",
            config.state_dir.display()
        );
    }
    let rows = read(args, &config)?;
    if rows.len() >= MANY {
        crate::complain!("{} players read; comparing them with what is known", rows.len());
    }
    let ledger = open(&config, args.apply)?;
    let changes = compare(&rows, server, ledger.as_ref())?;
    tell(args, &rows, server, &changes)?;
    if !args.apply {
        crate::say!("Nothing was changed. To take the counts over: the same with --apply.");
    } else if let Some(ledger) = &ledger {
        if rows.len() >= MANY {
            crate::complain!("writing");
        }
        apply(&rows, server, ledger)?;
        crate::say!("Done: the counts of {} were changed.", counted(changes.players, "player"));
    }
    Ok(Outcome::Success)
}

/// The game server that is meant.
fn target<'c>(config: &'c Config, name: Option<&str>) -> anyhow::Result<&'c GameServer> {
    match (name, config.servers.as_slice()) {
        (Some(name), _) => config.server_named(name).context("--server"),
        (None, [only]) => Ok(only),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|server| server.name.as_str()).collect();
            bail!("for which server are these votes? Add --server and one of {}", names.join(", "))
        }
    }
}

/// The rows of the file, or what is wrong with them.
fn read(args: &Args, config: &Config) -> anyhow::Result<Vec<Row>> {
    let file = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| file.to_string())?;
    table::read(&bytes, config.players.bedrock_prefix, &config.calendar).map_err(|mistakes| {
        for mistake in mistakes.iter().take(MOST_TOLD) {
            crate::complain!("{file}:{}: {}", mistake.line, mistake.message);
        }
        if mistakes.len() > MOST_TOLD {
            crate::complain!("and {} more", mistakes.len() - MOST_TOLD);
        }
        anyhow!(
            "{file}: {} in it. Correct that and try again; nothing was changed",
            counted(mistakes.len(), "mistake")
        )
    })
}

/// The ledger. Where there is none yet, only an import makes one.
fn open(config: &Config, apply: bool) -> anyhow::Result<Option<Ledger>> {
    let path = config.state_dir.join(ledger::NAME);
    if !apply && !path.try_exists().with_context(|| path.display().to_string())? {
        return Ok(None);
    }
    Ok(Some(Ledger::open(&config.state_dir)?.ledger))
}

/// What an import changes.
#[derive(Default)]
struct Changes {
    /// Players whose counts change.
    players: usize,
    /// Players of whom there was an import for this server.
    imported: usize,
    /// Players whose votes for this server Votive has counted.
    counted: usize,
}

fn keys(row: &Row, server: &GameServer) -> Scoped<CounterKey> {
    CounterKey::both(&server.counted_as, &row.player)
}

fn compare(rows: &[Row], server: &GameServer, ledger: Option<&Ledger>) -> anyhow::Result<Changes> {
    let mut changes = Changes::default();
    for row in rows {
        let keys = keys(row, server);
        let mut before = Scoped::<Counter>::default();
        if let Some(ledger) = ledger {
            (before.server, _) = ledger.counter(&keys.server)?;
            (before.network, _) = ledger.counter(&keys.network)?;
        }
        changes.players += usize::from(before.import(&keys.server.scope, &row.imported) != before);
        changes.imported += usize::from(before.server.imported.contains_key(&keys.server.scope));
        changes.counted += usize::from(before.server.votes.total > 0);
    }
    Ok(changes)
}

fn tell(args: &Args, rows: &[Row], server: &GameServer, changes: &Changes) -> anyhow::Result<()> {
    let votes: u64 = rows.iter().map(|row| row.imported.total).sum();
    crate::say!(
        "{}: {} with {} for {}.",
        args.file.display(),
        counted(rows.len(), "player"),
        counted(votes, "vote"),
        server.name
    );
    if let Some(most) = rows.iter().max_by_key(|row| row.imported.total) {
        crate::say!("The most has {}: {}.", most.player, most.imported.total);
    }
    let last_votes = || rows.iter().filter_map(|row| row.last_vote);
    if let (Some(first), Some(last)) = (last_votes().min(), last_votes().max()) {
        crate::say!("Their last votes were made from {first} to {last}.");
    }
    let odd = rows.iter().filter(|row| u64::from(row.imported.streak_days()) > row.imported.total).count();
    if odd > 0 {
        crate::say!(
            "{} with a streak that is longer than their total: are the columns right?",
            counted(odd, "player")
        );
    }
    let Changes { players, imported, counted: counted_here } = changes;
    crate::say!("Counts that change: those of {}.", counted(players, "player"));
    if *imported > 0 {
        crate::say!("{} with an import before, which this one replaces.", counted(imported, "player"));
    }
    if *counted_here > 0 {
        crate::say!(
            "{} with votes that Votive has counted, which stay and are added.",
            counted(counted_here, "player")
        );
    }
    Ok(())
}

/// Stores what the rows say, in one transaction.
fn apply(rows: &[Row], server: &GameServer, ledger: &Ledger) -> anyhow::Result<()> {
    let counters = rows.iter().flat_map(|row| {
        let Scoped { server, network } = keys(row, server);
        let by = (server.scope.clone(), &row.imported);
        [(server, by.clone()), (network, by)]
    });
    let import = |counter: &Counter, (scope, imported): (String, &_)| counter.import(&scope, imported);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(ledger.update_counters(counters, import))?;
    Ok(ledger.close()?)
}
