//! `votive simulate`: what votes would bring, without a game server, a ledger or the daemon.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;

use super::{Format, Options, Outcome, configuration};
use crate::config::{self, GameServer};
use crate::domain::award::{Award, AwardState, Step};
use crate::domain::calendar::Calendar;
use crate::domain::counter::{Count, Counter, CounterKey, Imported, MOST_IMPORTED, Scoped};
use crate::domain::event::EventKey;
use crate::domain::plan::{Plan, Verdict};
use crate::domain::player::PlayerName;
use crate::domain::simulation::Simulation;
use crate::text::counted;

/// Of more votes than this, only the sums are shown.
const MOST_SHOWN: u32 = 20;

/// Whose votes, how many, and when.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The player who votes
    #[arg(long, value_name = "NAME")]
    player: String,
    /// The game server, by its name in rewards.yaml
    #[arg(long, value_name = "NAME")]
    server: String,
    /// How many votes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    votes: u32,
    /// When the first one is made, by the clock of calendar.time_zone, like 2026-12-24T19:00; now, without it
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime>,
    /// How far they are apart, like 12h or 1d
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = interval)]
    every: Duration,
    /// How many votes the player has given before, as if they were imported
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=MOST_IMPORTED))]
    total: u64,
    /// How many days in a row, up to the day before the first vote, the player has voted before
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    streak: u32,
    /// How it is shown: with json, a line for each vote
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How far votes are apart: in whole seconds, as the platform tells the time of a vote.
fn interval(text: &str) -> Result<Duration, String> {
    let whole =
        |time: &Duration| time.subsec_nanos() == 0 && (1..=365 * 24 * 60 * 60).contains(&time.as_secs());
    let told = || "write a whole number with s, m, h or d behind it, from 1s to 365d".to_owned();
    config::duration(text).filter(whole).ok_or_else(told)
}

/// Prints what the votes would bring.
pub(super) fn run(options: Options, args: &Args) -> anyhow::Result<Outcome> {
    let Some(config) = configuration(options) else { return Ok(Outcome::BadConfiguration) };
    let server = config.server_named(&args.server).context("--server")?;
    let player = PlayerName::parse(&args.player, config.players.bedrock_prefix).map_err(|why| {
        anyhow!(
            "--player: {why}, so a vote with it would be refused. Give the name that a player has in the game"
        )
    })?;
    let zone = &config.calendar.time_zone;
    let at = match args.at {
        Some(at) => zone.to_timestamp(at).context("--at")?,
        None => Timestamp::now(),
    };
    let at = Timestamp::from_second(at.as_second()).context("--at")?;
    at.checked_add(args.every.saturating_mul(args.votes)).map_err(|_| {
        anyhow!("the last of these votes would be made after the year 9999; take fewer --votes, or a shorter --every")
    })?;
    let before = config.calendar.civil(at).date().yesterday().context("--at")?;
    let imported = Imported::new(args.total, args.streak, before)
        .ok_or_else(|| anyhow!("--streak: no calendar goes back that far"))?;
    let scope = CounterKey::both(&server.counted_as, &player).server.scope;
    let counters = Scoped::<Counter>::default().import(&scope, &imported);
    let votes = Simulation::new(config.target(server), &args.player, at, args.every, counters);
    let votes = votes.filter_map(|grant| Some((grant.plan()?.clone(), grant.event)));
    let votes = (1..=args.votes).zip(votes);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => {
            for (_, (plan, event)) in votes {
                serde_json::to_writer(&mut out, &Line::of(&plan, &event))?;
                writeln!(out)?;
            }
        }
        Format::Text if args.votes <= MOST_SHOWN => {
            for (number, (plan, event)) in votes {
                show(&mut out, number, &plan, &event)?;
            }
        }
        Format::Text => summary(&mut out, votes.map(|(_, (plan, _))| plan), server, &config.calendar)?,
    }
    out.flush()?;
    Ok(Outcome::Success)
}

/// A vote, as `--format json` shows it.
#[derive(Serialize)]
struct Line<'a> {
    event_id: &'a str,
    /// As the platform would tell it.
    created_at: Option<i64>,
    voted_at: DateTime,
    player: &'a str,
    server: &'a Count,
    network: &'a Count,
    rewards: Vec<LineReward<'a>>,
}

#[derive(Serialize)]
struct LineReward<'a> {
    name: &'a str,
    applies: bool,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    commands: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn of(plan: &'a Plan, event: &'a EventKey) -> Self {
        let rewards = verdicts(plan).map(|(verdict, award)| LineReward {
            name: &verdict.reward,
            applies: verdict.applies,
            reason: &verdict.reason,
            refused: award.and_then(refused),
            commands: steps(award).iter().map(|step| step.command.as_str()).collect(),
        });
        Line {
            event_id: &event.event_id,
            created_at: plan.vote.created_at.map(Timestamp::as_second),
            voted_at: plan.voted_at,
            player: plan.player.as_str(),
            server: &plan.count.server,
            network: &plan.count.network,
            rewards: rewards.collect(),
        }
    }
}

/// What was decided about each reward, and what the vote gets of it.
fn verdicts(plan: &Plan) -> impl Iterator<Item = (&Verdict, Option<&Award>)> {
    let award = |verdict: &Verdict| plan.awards.iter().find(|award| award.reward == verdict.reward);
    plan.verdicts.iter().map(move |verdict| (verdict, award(verdict)))
}

/// What is sent for an award, in this order.
fn steps(award: Option<&Award>) -> &[Step] {
    award.map_or(&[], |award| &award.steps)
}

/// Why nothing of an award can be sent.
fn refused(award: &Award) -> Option<&str> {
    match &award.state {
        AwardState::Refused { reason, .. } => Some(reason),
        _ => None,
    }
}

/// Shows a vote with all that it would send.
fn show(out: &mut impl Write, number: u32, plan: &Plan, event: &EventKey) -> io::Result<()> {
    let Plan { voted_at, player, count, .. } = plan;
    writeln!(out, "vote {number} of {player}, made at {}, as event {event}", clock(*voted_at))?;
    writeln!(
        out,
        "  for this server it is vote {}, on day {} of a streak",
        count.server.votes, count.server.streak
    )?;
    for (verdict, award) in verdicts(plan) {
        let given = if verdict.applies { "yes" } else { "no" };
        writeln!(out, "  {}: {given}, {}", verdict.reward, verdict.reason)?;
        if let Some(why) = award.and_then(refused) {
            writeln!(out, "    REFUSED: {why}")?;
        }
        for step in steps(award) {
            let when = if step.needs_player { "when online" } else { "at once    " };
            writeln!(out, "    {when}  {}", step.command)?;
        }
    }
    Ok(())
}

/// What became of a reward in many votes.
#[derive(Default)]
struct Sum {
    name: String,
    given: u32,
    refused: u32,
    commands: usize,
    /// The first vote that earned it.
    first: Option<u32>,
    /// Why the last vote earned it, or not.
    reason: String,
}

/// Shows how often each reward came.
fn summary(
    out: &mut impl Write,
    plans: impl Iterator<Item = Plan>,
    server: &GameServer,
    calendar: &Calendar,
) -> io::Result<()> {
    let mut sums: Vec<Sum> =
        server.rewards.iter().map(|reward| Sum { name: reward.name.clone(), ..Sum::default() }).collect();
    let (mut votes, mut first, mut last) = (0, None, None);
    for plan in plans {
        votes += 1;
        first.get_or_insert(plan.voted_at);
        last = Some(plan.voted_at);
        // A plan has a verdict on every reward of the server.
        for (sum, (verdict, award)) in sums.iter_mut().zip(verdicts(&plan)) {
            sum.given += u32::from(verdict.applies);
            sum.refused += u32::from(award.and_then(refused).is_some());
            sum.commands += steps(award).len();
            sum.first = sum.first.or(verdict.applies.then_some(votes));
            sum.reason.clone_from(&verdict.reason);
        }
    }
    if let (Some(first), Some(last)) = (first, last) {
        let zone = calendar.time_zone.iana_name().unwrap_or("UTC");
        writeln!(
            out,
            "{votes} votes for {}, from {} to {} ({zone})",
            server.name,
            clock(first),
            clock(last)
        )?;
    }
    let width = sums.iter().map(|sum| sum.name.len()).max().unwrap_or(0);
    for Sum { name, given, refused, commands, first, reason } in sums {
        match first {
            Some(first) => write!(
                out,
                "  {name:width$}  {given:>7} of them, first with vote {first}; {}",
                counted(commands, "command")
            )?,
            None => write!(out, "  {name:width$}    never; of the last vote: {reason}")?,
        }
        let refused = if refused > 0 { format!("; {refused} of them REFUSED") } else { String::new() };
        writeln!(out, "{refused}")?;
    }
    writeln!(
        out,
        "Up to --votes {MOST_SHOWN}, each command is shown with its reason; with --format json, those of any number."
    )
}

fn clock(at: DateTime) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M")
}
