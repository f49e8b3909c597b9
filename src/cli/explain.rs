//! `votive explain`: why a player got something or nothing, as a time line.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::builder::NonEmptyStringValueParser;

use super::table::cell;
use super::{Format, Options, Outcome, client, json, when};
use crate::control::Explain;
use crate::domain::event::{REPLAY, TEST_VOTE};
use crate::domain::outline;
use crate::domain::plan::Verdict;
use crate::domain::reply::plain;
use crate::domain::story::{CommandState, CommandStory, Explained, State, Story};
use crate::text::{broken, counted, visible};

/// The width that text is broken to.
const WIDTH: usize = 100;
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const HELD: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What to explain.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The id of a vote or of any other delivery, or a player's nickname
    #[arg(value_name = "PLAYER|EVENT_ID", value_parser = NonEmptyStringValueParser::new())]
    asked: String,
    /// Of a player, so many of the last votes; the newest comes last
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    last: u64,
    /// For a person, or as one JSON document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints the stories.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    let last = usize::try_from(args.last)?;
    let explained = client::ask(options, &Explain { asked: args.asked.clone(), last })?;
    match args.format {
        Format::Json => json::pretty(&explained)?,
        Format::Text => print(&mut anstream::stdout().lock(), &args.asked, &explained)?,
    }
    Ok(if explained.stories.is_empty() { Outcome::Failed } else { Outcome::Success })
}

fn print(out: &mut impl Write, asked: &str, explained: &Explained) -> io::Result<()> {
    let Explained { stories, more, notes } = explained;
    if *more > 0 {
        // No more are told of at once.
        let all = (more + stories.len()).min(100);
        let older = counted(more, "older vote");
        writeln!(out, "{DIM}({older} not shown: votive explain '{}' --last {all}){DIM:#}\n", visible(asked))?;
    }
    for (place, story) in stories.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        tell(out, story)?;
    }
    if stories.is_empty() {
        writeln!(out, "Votive knows no vote with the id {0}, and none of a player {0}.", cell(asked))?;
    } else if !notes.is_empty() {
        writeln!(out)?;
    }
    notes.iter().try_for_each(|note| hanging(out, "- ", note))
}

fn tell(out: &mut impl Write, story: &Story) -> io::Result<()> {
    let style = match story.state {
        State::Test | State::Grant(outline::State::Granted) => GOOD,
        State::NotRewarded | State::Grant(outline::State::Waiting) => HELD,
        State::NotAccepted | State::Grant(outline::State::InDoubt | outline::State::Refused) => BAD,
        State::Grant(outline::State::Closed | outline::State::Pruned) => DIM,
    };
    writeln!(out, "{BOLD}{}{BOLD:#}", title(story))?;
    write!(out, "{style}")?;
    hanging(out, "  ", &story.summary)?;
    write!(out, "{style:#}")?;

    if !story.timeline.is_empty() {
        writeln!(out)?;
    }
    for moment in &story.timeline {
        hanging(out, &format!("  {}  ", when::shown(moment.time)), &moment.text)?;
    }
    if !story.verdicts.is_empty() {
        writeln!(out, "\n  {BOLD}Rewards{BOLD:#}")?;
        let width = longest(story.verdicts.iter().map(|verdict| verdict.reward.as_str()));
        story.verdicts.iter().try_for_each(|verdict| judged(out, verdict, width))?;
    }
    if !story.commands.is_empty() {
        writeln!(out, "\n  {BOLD}Commands{BOLD:#}")?;
        let width = longest(story.commands.iter().map(|command| command.reward.as_str()));
        story.commands.iter().try_for_each(|command| fared(out, command, width))?;
    }
    if !story.awaited.is_empty() {
        writeln!(out, "\n  {BOLD}Waiting for{BOLD:#}")?;
        story.awaited.iter().try_for_each(|awaited| hanging(out, "  - ", awaited))?;
    }
    writeln!(out, "\n  {BOLD}What to do{BOLD:#}")?;
    story.next.iter().try_for_each(|next| advised(out, next))
}

/// What to do. A command that ends it is never broken, so that it can be copied.
fn advised(out: &mut impl Write, advice: &str) -> io::Result<()> {
    match advice.split_once(": votive ") {
        Some((what, command)) if advice.chars().count() + "  - ".len() > WIDTH => {
            hanging(out, "  - ", &format!("{what}:"))?;
            writeln!(out, "    votive {}", visible(command))
        }
        _ => hanging(out, "  - ", advice),
    }
}

/// What is told, in one line.
fn title(story: &Story) -> String {
    let what = match (story.state, story.event_type.as_deref()) {
        (State::Test | State::NotRewarded | State::NotAccepted, _) => "Delivery",
        (_, Some(TEST_VOTE)) => "Test vote",
        (_, Some(REPLAY)) => "Replay",
        _ => "Vote",
    };
    let mut title = format!("{what} {}", cell(&story.event_id));
    if let Some(player) = &story.player {
        title.push_str(&format!(" of {}", cell(player)));
    }
    if let Some(server) = &story.server {
        title.push_str(&format!(" for {}", cell(server)));
    }
    title
}

fn judged(out: &mut impl Write, verdict: &Verdict, width: usize) -> io::Result<()> {
    let (style, given) = if verdict.applies { (GOOD, "yes") } else { (DIM, "no ") };
    write!(out, "  {style}{given}{style:#}")?;
    let reward = visible(&verdict.reward);
    hanging_from(out, "     ", &format!("  {reward:width$}  "), &verdict.reason)
}

fn fared(out: &mut impl Write, command: &CommandStory, width: usize) -> io::Result<()> {
    // When it ran stands in the time line.
    let CommandStory { number, reward, command, state, told, reply, time: _ } = command;
    let style = match state {
        CommandState::Ran => GOOD,
        CommandState::PassedOver | CommandState::NotSent => DIM,
        CommandState::Waiting | CommandState::Sending => HELD,
        CommandState::InDoubt | CommandState::Unknown | CommandState::Refused => BAD,
    };
    // Never broken, so that it can be copied.
    writeln!(out, "  {number:>3}  {:width$}  {}", visible(reward), visible(command))?;
    let indent = " ".repeat("  123  ".len() + width + 2);
    let told = match reply {
        Some(reply) => format!("{told}; the reply: \"{}\"", plain(reply)),
        None => told.clone(),
    };
    write!(out, "{style}")?;
    hanging(out, &indent, &told)?;
    write!(out, "{style:#}")
}

/// Text that begins behind `first` and goes on below its own beginning.
fn hanging(out: &mut impl Write, first: &str, text: &str) -> io::Result<()> {
    hanging_from(out, "", first, text)
}

/// The same where something of the width of `before` is on the line already.
fn hanging_from(out: &mut impl Write, before: &str, first: &str, text: &str) -> io::Result<()> {
    let indent = before.chars().count() + first.chars().count();
    let text = visible(text);
    let mut lines = broken(&text, WIDTH.saturating_sub(indent)).into_iter();
    writeln!(out, "{first}{}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "{:indent$}{line}", ""))
}

fn longest<'t>(texts: impl Iterator<Item = &'t str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
