//! `votive votes`: the votes that the ledger knows, the newest first.

use std::collections::HashMap;
use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;

use super::table::{self, Format, cell};
use super::{Options, Outcome, client, when};
use crate::control::{List, Page, Row};
use crate::domain::outline::State;

/// How often the daemon is asked for news.
const EVERY: Duration = Duration::from_secs(1);
/// The most votes that are asked for at once.
const PAGE: usize = 500;

/// Which votes, and how many.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Only those of this player, by the nickname as the platform tells it
    #[arg(long, value_name = "NAME")]
    player: Option<String>,
    /// Only those for this game server, by its name in rewards.yaml
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only those that stand so
    #[arg(long, value_parser = PossibleValuesParser::new(State::ALL.map(State::name)))]
    state: Option<String>,
    /// Only those that were received from this time on: 3h, 2d, 2026-11-20, 2026-11-20T18:30
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<Timestamp>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "all", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// All of them
    #[arg(long)]
    all: bool,
    /// Go on and show each vote that comes, and each that stands differently, until Ctrl+C
    #[arg(long)]
    follow: bool,
    /// As a table, or as one JSON document for each vote, a line each
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints them.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let state =
        args.state.as_ref().and_then(|name| State::ALL.into_iter().find(|state| state.name() == name));
    let question = List {
        player: args.player.clone(),
        server: args.server.clone(),
        state,
        since: args.since,
        next: None,
        limit: PAGE,
    };
    let most = if args.all { usize::MAX } else { usize::try_from(args.limit)? };
    let (votes, more) = take(options, &question, most)?;
    if args.follow {
        return follow(options, args.format, question, votes);
    }
    match args.format {
        Format::Json => votes.iter().try_for_each(print_json)?,
        Format::Text if votes.is_empty() => crate::say!("No votes."),
        Format::Text => {
            let mut table = table::with(&["RECEIVED", "PLAYER", "SERVER", "REWARDS", "STANDS", "EVENT"]);
            for vote in &votes {
                table.add_row(cells(vote));
            }
            table::print(&table)?;
        }
    }
    if more {
        crate::complain!("there are more: --limit N or --all shows them");
    }
    Ok(Outcome::Success)
}

/// So many votes, and whether there are more.
fn take(options: &Options, question: &List, most: usize) -> anyhow::Result<(Vec<Row>, bool)> {
    let (mut votes, mut question) = (Vec::new(), question.clone());
    loop {
        // One more than is wanted, to know whether there is one.
        question.limit = PAGE.min(most.saturating_sub(votes.len()).saturating_add(1));
        let Page { votes: some, next } = client::ask(options, &question)?;
        votes.extend(some);
        if votes.len() > most {
            votes.truncate(most);
            return Ok((votes, true));
        }
        if next.is_none() {
            return Ok((votes, false));
        }
        question.next = next;
    }
}

/// Prints what there is, the oldest first, and then whatever is new or stands differently.
fn follow(options: &Options, format: Format, mut question: List, votes: Vec<Row>) -> anyhow::Result<Outcome> {
    // A vote that stands differently may be none of those that are meant any more.
    let state = question.state.take();
    let mut shown: HashMap<String, Row> = HashMap::new();
    let mut news = votes;
    loop {
        for vote in news.iter().rev() {
            let before = shown.get(&vote.event_id);
            let meant = state.is_none_or(|state| state == vote.state) || before.is_some();
            if meant && before != Some(vote) {
                match format {
                    Format::Json => print_json(vote)?,
                    Format::Text => crate::say!("{}", cells(vote).join("  ")),
                }
                shown.insert(vote.event_id.clone(), vote.clone());
            }
        }
        // What is older than all that is still to change, and than the newest, need not be asked for again.
        let open = news.iter().filter(|vote| !matches!(vote.state, State::Granted | State::Closed));
        let oldest = open.chain(news.first()).map(|vote| vote.received_at).min();
        question.since = oldest.or(question.since);
        shown.retain(|_, vote| question.since.is_none_or(|since| vote.received_at >= since));
        sleep(EVERY);
        (news, _) = take(options, &question, usize::MAX)?;
    }
}

fn print_json(vote: &Row) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, vote)?;
    writeln!(out)?;
    Ok(())
}

/// What stands in the columns.
pub(super) fn cells(vote: &Row) -> [String; 6] {
    let or_dash = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| cell(text));
    let rewards = if vote.rewards.is_empty() { "-".to_owned() } else { vote.rewards.join(", ") };
    [
        when::shown(vote.received_at),
        or_dash(vote.player.as_ref()),
        or_dash(vote.server.as_ref()),
        rewards,
        stands(vote),
        vote.event_id.clone(),
    ]
}

/// How a vote stands, in words.
fn stands(vote: &Row) -> String {
    match vote.state {
        State::Granted if vote.rewards.is_empty() => "earned nothing".to_owned(),
        State::Granted => "granted".to_owned(),
        State::Waiting => {
            let awaited: Vec<&str> = vote.waiting_for.iter().map(|awaited| awaited.words()).collect();
            format!("waiting for {}", awaited.join(", "))
        }
        State::InDoubt => "in doubt".to_owned(),
        state => state.name().to_owned(),
    }
}
