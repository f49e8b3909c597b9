//! The rules of a reward: when it applies.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan};

use super::lints;
use super::problem::{Problems, listed};
use super::read::{Section, quoted};
use super::rewards::{self, Context};
use super::units::{self, DAY, MINUTE};
use super::yaml::{Node, Value};
use crate::domain::counter::Scope;
use crate::domain::player::PlayerName;
use crate::domain::reward::Command;
use crate::domain::rule::{Chance, Period, Rule, WEEKDAYS};

const SCOPES: [(&str, Scope); 2] = [("server", Scope::Server), ("network", Scope::Network)];

/// What the keys of a reward say about when it applies.
pub(super) struct Rules {
    pub(super) scope: Scope,
    pub(super) rules: Vec<Rule>,
    /// The commands of single milestones.
    pub(super) milestones: BTreeMap<u64, Vec<Command>>,
}

/// Reads the rules of a reward.
pub(super) fn read(problems: &mut Problems, section: &Section<'_>, context: &Context<'_>) -> Rules {
    let scope = problems.choice(section.get("counts"), &SCOPES).unwrap_or_default();
    let mut rules = Vec::new();
    rules.extend(chance(problems, section.get("chance")));
    if problems.boolean(section.get("first_vote"), false) {
        rules.push(Rule::FirstVote);
    }
    rules.extend(problems.number(section.get("every_votes"), "10").map(Rule::EveryVotes));
    let milestones = milestones(problems, section.get("milestones"), context);
    if let Some(milestones) = &milestones {
        rules.push(Rule::Milestones(milestones.keys().copied().collect()));
    }
    rules.extend(problems.number(section.get("streak_days"), "7").map(Rule::StreakDays));
    rules.extend(problems.number(section.get("every_streak_days"), "7").map(Rule::EveryStreakDays));
    let days = problems.several(section.get("days"), "[saturday, sunday]").iter();
    let days: Vec<_> = days.filter_map(|node| problems.choice(Some(node), &WEEKDAYS)).collect();
    if !days.is_empty() {
        rules.push(Rule::Days(days));
    }
    rules.extend(between(problems, section.get("between")));
    rules.extend(moment(problems, section.get("from"), 0).map(Rule::From));
    rules.extend(until(problems, section.get("until"), context));
    rules.extend(players(problems, section.get("players"), context).map(Rule::Players));
    rules.extend(players(problems, section.get("except_players"), context).map(Rule::ExceptPlayers));
    if let Some(node) = section.get("max_age") {
        rules.push(Rule::MaxAge(problems.duration(Some(node), MINUTE..=365 * DAY, DAY)));
    }
    // The last one: it tells how often the player had the reward, which matters only if all else holds.
    rules.extend(limit(problems, section.get("limit")));
    if let Some((node, why)) = never(section, &rules) {
        let remedy = match why.0 {
            "until" => "correct one of the dates",
            "except_players" => "correct the names",
            _ => "take one of the two out, or make two rewards",
        };
        problems.error(node.place(), format!("this can never come: {}", why.1), remedy);
    }
    for (key, message) in rules.iter().filter_map(lints::needless) {
        if let Some(node) = section.get(key) {
            problems.warning(node.place(), message, "take the line out");
        }
    }
    Rules { scope, rules, milestones: milestones.unwrap_or_default() }
}

fn chance(problems: &mut Problems, node: Option<&Node>) -> Option<Rule> {
    let parse = |text: &str| units::percent(text).filter(|chance| (1..=Chance::WHOLE).contains(chance));
    let form =
        "a chance: a number above 0 and up to 100 with `%` behind it, and at most 4 digits behind a `.`";
    let example = match node.map(|node| &node.value) {
        Some(Value::Text(text)) => meant_chance(&text.text).filter(|meant| parse(meant).is_some()),
        _ => None,
    };
    let example = example.as_deref().unwrap_or("5%");
    problems.parsed(node, form, example, parse).map(|chance| Rule::Chance(Chance(chance)))
}

/// The chance that `5`, `5,5%` or `0.05` was probably meant to be.
fn meant_chance(text: &str) -> Option<String> {
    let text = text.replace(',', ".");
    let number = text.trim_end_matches(['%', ' ']);
    let percent = units::percent(&format!("{number}%"))?;
    // A part of one, as a program counts chances.
    let of_one = !text.contains('%') && percent < 10_000;
    Some(Chance(if of_one { percent * 100 } else { percent }).to_string())
}

/// The milestones and the commands of each, which has none in a list of numbers.
fn milestones(
    problems: &mut Problems,
    node: Option<&Node>,
    context: &Context<'_>,
) -> Option<BTreeMap<u64, Vec<Command>>> {
    let node = node?;
    let mut milestones = BTreeMap::new();
    if let Value::Map(map) = &node.value {
        if map.entries.is_empty() {
            let remedy = "write `milestones: [50, 100]`, or take the line out";
            problems.error(node.place(), "there are no milestones", remedy);
        }
        for entry in &map.entries {
            let Some(votes) = units::whole(&entry.key) else {
                let remedy =
                    "write the number of votes, and below it, indented, its commands with a `-` before each";
                problems.error(entry.place(), "a milestone is a whole number from 1 up", remedy);
                continue;
            };
            milestones.insert(votes, rewards::commands(problems, &entry.node, context));
        }
    } else {
        for node in problems.several(Some(node), "[50, 100]") {
            if let Value::Map(map) = &node.value {
                let message = "a milestone with commands has no `-` before it";
                let key = map.entries.iter().find_map(|entry| units::whole::<u64>(&entry.key)).unwrap_or(50);
                let remedy =
                    format!("write `{key}:` and below it, indented, its commands with a `-` before each");
                problems.error(node.place(), message, remedy);
                continue;
            }
            let Some(votes) = problems.number(Some(node), "50") else { continue };
            if milestones.insert(votes, Vec::new()).is_some() {
                problems.error(
                    node.place(),
                    format!("the milestone {votes} is there twice"),
                    "take one of the two out",
                );
            }
        }
    }
    (!milestones.is_empty()).then_some(milestones)
}

fn between(problems: &mut Problems, node: Option<&Node>) -> Option<Rule> {
    let form = "two different times of the day with `-` between them";
    problems.parsed(node, form, "18:00-22:00", |text| {
        let (from, until) = text.split_once('-')?;
        let (from, until) = (from.trim_end(), until.trim_start());
        // The end of the day is the beginning of the next.
        let until = if until == "24:00" { Time::midnight() } else { clock(until)? };
        let from = clock(from)?;
        (from != until).then_some(Rule::Between(from, until))
    })
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    if minute.len() != 2 {
        return None;
    }
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

fn until(problems: &mut Problems, node: Option<&Node>, context: &Context<'_>) -> Option<Rule> {
    let until = moment(problems, node, 1)?;
    if let Some(node) = node
        && until <= context.calendar.civil(Timestamp::now())
    {
        problems.warning(
            node.place(),
            "this time is over, so the reward does not come any more",
            "give it another date, or take the reward out",
        );
    }
    Some(Rule::Until(until))
}

/// The beginning of a date, so many `days` after it, or a moment.
fn moment(problems: &mut Problems, node: Option<&Node>, days: i64) -> Option<DateTime> {
    let form = "a day of the calendar, written year-month-day, or such a day with a time behind it: 2026-12-24T18:00";
    let example = match node.map(|node| &node.value) {
        Some(Value::Text(text)) if text.text.contains('T') => Some("2026-12-24T18:00".to_owned()),
        Some(Value::Text(text)) => meant_date(&text.text),
        _ => None,
    };
    let example = example.as_deref().unwrap_or("2026-12-24");
    problems.parsed(node, form, example, |text| match text.split_once(['T', ' ']) {
        Some((day, time)) => Some(date(day)?.to_datetime(clock(time)?)),
        None => Some(date(text)?.checked_add(days.days()).ok()?.to_datetime(Time::midnight())),
    })
}

/// The date that `24.12.2026` was meant to be.
fn meant_date(text: &str) -> Option<String> {
    let mut parts = text.split('.');
    let (day, month, year) = (parts.next()?.trim(), parts.next()?.trim(), parts.next()?.trim());
    let meant = format!("{year}-{month:0>2}-{day:0>2}");
    date(&meant).map(|_| meant)
}

fn date(text: &str) -> Option<Date> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shape.then(|| text.parse().ok()).flatten()
}

fn limit(problems: &mut Problems, node: Option<&Node>) -> Option<Rule> {
    let parse = |text: &str| units::per(text, &Period::ALL).filter(|(limit, _)| *limit > 0);
    let form = "a limit: a whole number from 1 up and one of /day, /week, /month, /total";
    problems.parsed(node, form, "1/day", parse).map(|(limit, period)| Rule::Limit(limit, period))
}

fn players(problems: &mut Problems, node: Option<&Node>, context: &Context<'_>) -> Option<Vec<String>> {
    let node = node?;
    let mut players = Vec::new();
    for node in problems.several(Some(node), "[Steve, Alex]") {
        let Some(text) = problems.text(node, "Steve") else { continue };
        match PlayerName::parse(&text.text, context.bedrock_prefix) {
            Ok(player) => players.push(player.key()),
            Err(_) => {
                let remedy = "write the name that the player has in the game; one of a Bedrock player begins with players.bedrock_prefix";
                problems.error(node.place(), format!("{}is no name of a player", quoted(node, text)), remedy);
            }
        }
    }
    (!players.is_empty()).then_some(players)
}

/// Why no vote ever meets all of the rules, behind the key that shows it.
fn never<'n>(section: &Section<'n>, rules: &[Rule]) -> Option<(&'n Node, (&'static str, String))> {
    let pair = rules
        .iter()
        .enumerate()
        .find_map(|(index, one)| rules[index + 1..].iter().find_map(|other| exclude(one, other)));
    let why = pair.or_else(|| none_of_the_days(rules))?;
    Some((section.get(why.0)?, why))
}

/// Why none of the days of the week is between the first and the last date.
fn none_of_the_days(rules: &[Rule]) -> Option<(&'static str, String)> {
    let days = rules.iter().find_map(|rule| if let Rule::Days(days) = rule { Some(days) } else { None })?;
    let from = rules.iter().find_map(|rule| if let Rule::From(from) = rule { Some(*from) } else { None })?;
    let until =
        rules.iter().find_map(|rule| if let Rule::Until(until) = rule { Some(*until) } else { None })?;
    let mut dates =
        from.date().series(1.day()).take_while(|date| date.to_datetime(Time::midnight()) < until).take(7);
    let found = dates.any(|date| days.contains(&date.weekday()));
    (!found).then(|| ("until", "none of its `days` is between `from` and `until`".to_owned()))
}

/// Why no vote meets two rules, given in the order in which they are read; and the key of the second.
fn exclude(one: &Rule, other: &Rule) -> Option<(&'static str, String)> {
    let found = match (one, other) {
        (Rule::FirstVote, Rule::EveryVotes(every)) if every.get() > 1 => {
            ("every_votes", format!("the first vote is not one of every {every}"))
        }
        (Rule::FirstVote, Rule::Milestones(votes)) if !votes.contains(&1) => {
            ("milestones", "the first vote is none of the milestones".to_owned())
        }
        (Rule::FirstVote, Rule::StreakDays(days)) if days.get() > 1 => {
            ("streak_days", format!("with the first vote no streak has {days} days"))
        }
        (Rule::FirstVote, Rule::EveryStreakDays(days)) if days.get() > 1 => {
            ("every_streak_days", format!("with the first vote no streak has {days} days"))
        }
        (Rule::EveryVotes(every), Rule::Milestones(votes)) => {
            let never = votes.iter().find(|votes| !votes.is_multiple_of(every.get()))?;
            ("milestones", format!("the milestone {never} is not one of every {every} votes"))
        }
        (Rule::From(from), Rule::Until(until)) if from >= until => {
            ("until", "it ends before it begins".to_owned())
        }
        (Rule::Players(players), Rule::ExceptPlayers(except))
            if players.iter().all(|player| except.contains(player)) =>
        {
            let names = listed(players.iter().map(String::as_str));
            ("except_players", format!("of its players, {names}, none is left"))
        }
        _ => return None,
    };
    Some(found)
}
