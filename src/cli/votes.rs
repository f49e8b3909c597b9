//! `votive votes`: the votes that the ledger knows, the newest first.

use std::collections::HashMap;
use std::io;
use std::thread::sleep;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;

use super::lines::Lines;
use super::table::{self, cell};
use super::{Format, Options, Outcome, client, json, when};
use crate::control::{FOLLOW_PATH, Follow, List, Page, Row};
use crate::domain::outline::State;

/// How often it is looked whether a daemon that has stopped is back.
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
    #[arg(long, value_parser = PossibleValuesParser::new(State::LISTED.map(State::name)))]
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
    /// The next page: what the page before named
    #[arg(long, value_name = "PLACE")]
    next: Option<String>,
    /// Go on and show each vote that comes, and each that stands differently, until Ctrl+C
    #[arg(long, conflicts_with = "next")]
    follow: bool,
    /// As a table, or as one JSON document for each vote, a line each
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints them.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let state =
        args.state.as_ref().and_then(|name| State::LISTED.into_iter().find(|state| state.name() == name));
    let question = List {
        player: args.player.clone(),
        server: args.server.clone(),
        state,
        since: args.since,
        next: args.next.clone(),
        limit: PAGE,
    };
    let most = if args.all { usize::MAX } else { usize::try_from(args.limit)? };
    if args.follow {
        return follow(options, args.format, question, most);
    }
    let (votes, next) = take(options, &question, most)?;
    match args.format {
        Format::Json => votes.iter().try_for_each(json::line)?,
        Format::Text if votes.is_empty() => crate::say!("No votes."),
        Format::Text => {
            print(&votes)?;
        }
    }
    if let Some(next) = next {
        crate::complain!("there may be more: the same with --next {next}, or with --all");
    }
    Ok(Outcome::Success)
}

/// Prints votes as a table.
pub(super) fn print(votes: &[Row]) -> io::Result<()> {
    let mut table = table::with(&["RECEIVED", "PLAYER", "SERVER", "REWARDS", "STANDS", "EVENT"]);
    for vote in votes {
        table.add_row(cells(vote));
    }
    table::print(&table)
}

/// At most so many votes, and where the next ones begin, if there may be any.
fn take(options: &Options, question: &List, most: usize) -> anyhow::Result<(Vec<Row>, Option<String>)> {
    let (mut votes, mut question) = (Vec::new(), question.clone());
    loop {
        question.limit = PAGE.min(most - votes.len());
        let Page { votes: some, next } = client::ask(options, &question)?;
        votes.extend(some);
        if next.is_none() || votes.len() >= most {
            return Ok((votes, next));
        }
        question.next = next;
    }
}

/// Prints what there is, the oldest first, and then whatever is new or stands differently. It outlives the daemon.
fn follow(options: &Options, format: Format, mut question: List, mut most: usize) -> anyhow::Result<Outcome> {
    let which = Follow { player: question.player.clone(), server: question.server.clone() };
    let mut shown = Shown { format, state: question.state, open: HashMap::new(), ended: HashMap::new() };
    let mut news = client::open(options, FOLLOW_PATH, &which)?;
    loop {
        // After the daemon has begun to tell, so that nothing comes in between.
        if let Ok((votes, _)) = take(options, &question, most) {
            votes.into_iter().rev().try_for_each(|vote| shown.add(vote))?;
            let mut lines = Lines::default();
            while let Ok(Some(piece)) = news.next() {
                let mut lines = lines.add(&piece).into_iter();
                lines.try_for_each(|line| shown.add(serde_json::from_slice(&line)?))?;
            }
        }
        // Then all that may have come to stand differently meanwhile, however it stands now.
        let since = shown.open.values().map(|vote| vote.received_at).min().unwrap_or_else(Timestamp::now);
        (question.since, question.state, most) = (Some(since), None, usize::MAX);
        crate::complain!("the running Votive has stopped, or cannot keep up; waiting for it");
        news = loop {
            sleep(EVERY);
            match client::open(options, FOLLOW_PATH, &which) {
                Ok(news) => break news,
                Err(error) if error.is::<client::Refused>() => return Err(error),
                Err(_) => {}
            }
        };
    }
}

/// Votes as they were shown last.
struct Shown {
    format: Format,
    /// Only those are meant that stand so, or stood so when they were shown.
    state: Option<State>,
    open: HashMap<String, Row>,
    /// Of what has ended, that is enough to know.
    ended: HashMap<String, State>,
}

impl Shown {
    /// Shows a vote, if it is meant and was not shown so.
    fn add(&mut self, vote: Row) -> anyhow::Result<()> {
        let before = self.open.get(&vote.event_id);
        let is_meant = before.is_some() || self.state.is_none_or(|state| vote.stands(state));
        if !is_meant || before == Some(&vote) || self.ended.get(&vote.event_id) == Some(&vote.state) {
            return Ok(());
        }
        match self.format {
            Format::Json => json::line(&vote)?,
            Format::Text => crate::say!("{}", cells(&vote).join("  ")),
        }
        self.open.remove(&vote.event_id);
        self.ended.remove(&vote.event_id);
        match vote.state {
            State::Granted | State::Closed => drop(self.ended.insert(vote.event_id, vote.state)),
            _ => drop(self.open.insert(vote.event_id.clone(), vote)),
        }
        Ok(())
    }
}

/// What stands in the columns.
fn cells(vote: &Row) -> [String; 6] {
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
