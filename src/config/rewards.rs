//! The `rewards:` section.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::DateTime;

use super::keys::{NAMES_OF_RUN, under};
use super::lints;
use super::problem::{Problems, listed, nearest, shown};
use super::read::one_or_more;
use super::rules::{self, Rules};
use super::units;
use super::yaml::{Entry, Map, Node, Style, Value};
use crate::domain::calendar::Calendar;
use crate::domain::counter::Count;
use crate::domain::event::LONGEST_ID;
use crate::domain::player::LONGEST_NAME;
use crate::domain::reward::{Choice, Command, InDoubtRule, Reward};
use crate::domain::template::{Finding, Placeholder, Template, Unsendable, Values};

/// More votes than a player ever gives.
const MANY: u64 = 9_999_999_999;
/// The greatest weight: as many as fit into the largest file still have a sum of 32 bits.
const HEAVIEST: u32 = 100_000;

/// The words of `in_doubt`.
pub(super) const IN_DOUBT: [(&str, InDoubtRule); 3] =
    [("hold", InDoubtRule::Hold), ("repeat", InDoubtRule::Repeat), ("skip", InDoubtRule::Skip)];

/// A reward, and where it stands.
pub(super) type Read<'n> = (Arc<Reward>, &'n Entry);

/// What the rest of the file says that matters to rewards.
pub(super) struct Context<'a> {
    pub(super) bedrock_prefix: Option<char>,
    pub(super) calendar: &'a Calendar,
    /// The longest name of a server.
    pub(super) server: &'a str,
    /// The owner's placeholders, each with the longest value that it has anywhere.
    pub(super) values: &'a BTreeMap<String, String>,
}

/// Reads every reward. Those with errors are among them, so that a server that names one is not told it is unknown.
pub(super) fn read<'n>(
    problems: &mut Problems,
    node: Option<&'n Node>,
    context: &Context<'_>,
) -> Vec<Read<'n>> {
    problems.named(node).iter().map(|entry| (Arc::new(reward(problems, entry, context)), entry)).collect()
}

fn reward(problems: &mut Problems, entry: &Entry, context: &Context<'_>) -> Reward {
    let node = &entry.node;
    let name = entry.key.clone();
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(allowed) {
        problems.error(
            entry.place(),
            "the name of a reward has only small letters a-z, digits, `-` and `_`",
            "give it another name, here and in the `rewards` of the servers",
        );
    }
    // A plain list under the name is what other plug-ins take: say where it belongs.
    if let Value::List(_) = node.value {
        let message = "a list stands where the key `commands` belongs";
        problems.error(node.place(), message, "write `commands:` above the list");
        return Reward { name, ..Reward::default() };
    }
    let Some(section) = problems.section(Some(node), "rewards.*") else {
        return Reward { name, ..Reward::default() };
    };
    let Rules { scope, rules, milestones } = rules::read(problems, &section, context);
    let commands = section.get("commands").map_or_else(Vec::new, |node| commands(problems, node, context));
    let one_of = section.get("one_of").map_or_else(Vec::new, |node| one_of(problems, node, context));
    let milestones_have_commands = match section.get("milestones").map(|node| &node.value) {
        Some(Value::Map(_)) => true,
        // It was told how these are written.
        Some(Value::List(list)) => list.entries.iter().any(|node| matches!(node.value, Value::Map(_))),
        _ => false,
    };
    if section.get("commands").is_none() && section.get("one_of").is_none() && !milestones_have_commands {
        problems.error(
            entry.place(),
            "it has no commands",
            "write `commands:` and below it one line per command, like `- 'give {player} minecraft:diamond 3'`",
        );
    }
    Reward { name, scope, rules, commands, one_of, milestones }
}

/// Reads a list of commands.
pub(super) fn commands(problems: &mut Problems, node: &Node, context: &Context<'_>) -> Vec<Command> {
    let remedy = "write one command per line below it, with a space behind the `-`: `- 'give {player} minecraft:diamond 3'`";
    let entries = entries(problems, node, remedy);
    entries.iter().filter_map(|node| checked_command(problems, node, context)).collect()
}

/// Reads a command, and tells of it what its owner may not know.
fn checked_command(problems: &mut Problems, node: &Node, context: &Context<'_>) -> Option<Command> {
    let command = command(problems, node, context)?;
    check_length(problems, node, &command, context);
    for (message, remedy) in lints::of(&command, node.get("require_online").is_some()) {
        problems.warning(node.place(), message, remedy);
    }
    Some(command)
}

fn one_of(problems: &mut Problems, node: &Node, context: &Context<'_>) -> Vec<Choice> {
    let mut choices = Vec::new();
    let remedy = "write what can be drawn below it, each with a `-` before it: a command, or `commands:` and its `weight:`";
    for node in entries(problems, node, remedy) {
        if let Value::List(_) = node.value {
            let message = "a list stands where one command or the key `commands` belongs";
            problems.error(
                node.place(),
                message,
                "write `commands:` behind the `-`, and the list behind that",
            );
            continue;
        }
        let is_choice =
            |map: &Map| map.entries.iter().any(|entry| matches!(entry.key.as_str(), "commands" | "weight"));
        if !matches!(&node.value, Value::Map(map) if is_choice(map)) {
            let command = checked_command(problems, node, context);
            choices.extend(command.map(|command| Choice { weight: 1, commands: vec![command] }));
            continue;
        }
        let Some(section) = problems.section(Some(node), "rewards.*.one_of.*") else { continue };
        let parse = |text: &str| units::whole(text).filter(|weight| (1..=HEAVIEST).contains(weight));
        let form = format!("a weight: a whole number from 1 to {HEAVIEST}");
        let weight = problems.parsed(section.get("weight"), &form, "1", parse).unwrap_or(1);
        let commands = match section.get("commands") {
            Some(node) => commands(problems, node, context),
            None => {
                // A misspelt key was told.
                let meant = |key: &str| key == "run" || nearest(key, ["commands"]).is_some();
                if !matches!(&node.value, Value::Map(map) if map.entries.iter().any(|entry| meant(&entry.key)))
                {
                    let remedy = "write `commands:` beside `weight`, and below it one line per command";
                    problems.error(node.place(), "it has a weight and no commands", remedy);
                }
                Vec::new()
            }
        };
        choices.push(Choice { weight, commands });
    }
    if let ([_], [_]) = (choices.as_slice(), one_or_more(Some(node))) {
        let message = "of one entry, always the same one is drawn";
        let remedy = "write a second entry; or take `one_of` out, and write the commands below `commands`";
        problems.warning(node.place(), message, remedy);
    }
    choices
}

fn entries<'n>(problems: &mut Problems, node: &'n Node, remedy: &str) -> &'n [Node] {
    let message = match &node.value {
        Value::List(list) if !list.entries.is_empty() => return &list.entries,
        Value::Broken => return &[],
        Value::List(_) | Value::Nothing => "the list is empty",
        Value::Text(_) | Value::Map(_) => "this is no list",
    };
    problems.error(node.place(), message, remedy);
    &[]
}

fn command(problems: &mut Problems, node: &Node, context: &Context<'_>) -> Option<Command> {
    let quote_it = "put the whole command in single quotes";
    match &node.value {
        Value::Map(map) if is_trap(map) => {
            let (what, ours) = if map.flow {
                ("a `{` at its beginning makes a map of this command in YAML", "")
            } else {
                (
                    "a colon with a space or a line end behind it makes a map of this command in YAML",
                    ", or write `run: 'command'` if options follow",
                )
            };
            problems.error(node.place(), what, format!("{quote_it}{ours}"));
            None
        }
        Value::List(list) => {
            let what = if list.flow { "a `[` at its beginning" } else { "a second `-`" };
            let message = format!("{what} makes a list of this command in YAML");
            problems.error(node.place(), message, format!("{quote_it}, behind a single `-`"));
            None
        }
        Value::Map(_) => {
            let section = problems.section(Some(node), "rewards.*.commands.*")?;
            let require_online = problems.boolean(section.get("require_online"), true);
            let optional = problems.boolean(section.get("optional"), false);
            let in_doubt = problems.choice(section.get("in_doubt"), &IN_DOUBT);
            let receipt = section.get("receipt").map(|node| problems.boolean(Some(node), true));
            let Some(run) = section.get("run") else {
                problems.error(
                    node.place(),
                    "the options have no command",
                    "write the command as `run: 'give {player} minecraft:diamond 3'` beside them",
                );
                return None;
            };
            Some(Command {
                run: template(problems, run, context)?,
                require_online,
                optional,
                in_doubt,
                receipt,
            })
        }
        _ => {
            let run = template(problems, node, context)?;
            Some(Command { run, require_online: true, optional: false, in_doubt: None, receipt: None })
        }
    }
}

/// Whether a map is a command that was not meant to be one: not one key of it is an option, or nearly one.
fn is_trap(map: &Map) -> bool {
    let known = under("rewards.*.commands.*");
    !map.entries.is_empty()
        && !map.entries.iter().any(|entry| NAMES_OF_RUN.contains(&entry.key.as_str()))
        && map.entries.iter().all(|entry| nearest(&entry.key, known.iter().copied()).is_none())
}

fn template(problems: &mut Problems, node: &Node, context: &Context<'_>) -> Option<Template> {
    let text = problems.verbatim(node, "'give {player} minecraft:diamond 3'")?;
    let mut command = text.text.as_str();
    if text.style == Style::Block {
        // `|` and `>` end a text with a line break that nobody typed.
        command = command.trim_end_matches('\n');
    }
    command = command.trim_matches(' ');
    if let Some(rest) = command.strip_prefix('/') {
        let message = "a console command has no `/` at its beginning; it is left out";
        problems.warning(node.place(), message, "take the `/` away");
        command = rest.trim_start_matches(' ');
    }
    if command.is_empty() {
        problems.error(node.place(), "the command is empty", "write a command, or take the line out");
        return None;
    }
    let own: BTreeSet<&str> = context.values.keys().map(String::as_str).collect();
    let (template, findings) = Template::parse(command, &own);
    let known = || Placeholder::ALL.iter().map(|(name, _)| *name).chain(own.iter().copied());
    let braced: Vec<String> = known().map(|name| format!("{{{name}}}")).collect();
    let all = || listed(braced.iter().map(String::as_str));
    for finding in findings {
        match finding {
            Finding::UnknownPlaceholder(name) => {
                let remedy = match lints::meant_by(&name).or_else(|| nearest(&name, known())) {
                    Some(near) => format!("did you mean `{{{near}}}`?"),
                    None => {
                        format!("there are {}; if the braces are meant for the game, write them twice", all())
                    }
                };
                problems.error(node.place(), format!("`{{{}}}` is no placeholder", shown(&name)), remedy);
            }
            Finding::PercentWord(word) => {
                let name = word.trim_matches('%').to_lowercase();
                let remedy = match known().find(|known| *known == name).or_else(|| lints::meant_by(&name)) {
                    Some(known) => format!("write `{{{known}}}`"),
                    None => format!("leave it out; Votive fills in {}", all()),
                };
                let why = "goes to the game as it stands: PlaceholderAPI does not work over RCON";
                problems.warning(node.place(), format!("`{}` {why}", shown(&word)), remedy);
            }
        }
    }
    let lower = command.to_lowercase();
    for name in braced.iter().filter(|name| lower.matches(*name).count() > command.matches(*name).count()) {
        let message = "a placeholder with capital letters goes to the game as it stands";
        problems.warning(node.place(), message, format!("write `{name}`"));
    }
    Some(template)
}

/// Tells of a command that could not be sent for a vote with the longest of everything.
fn check_length(problems: &mut Problems, node: &Node, command: &Command, context: &Context<'_>) {
    let longest = Values {
        player: &"x".repeat(LONGEST_NAME),
        server: context.server,
        server_id: u64::MAX,
        vote_id: &"x".repeat(LONGEST_ID),
        user_id: u64::MAX,
        count: Count { votes: MANY, today: u32::MAX, month: u32::MAX, streak: u32::MAX, streak_before: 0 },
        votes_to_next: MANY,
        voted_at: DateTime::constant(2026, 12, 24, 18, 0, 0, 0),
        reward: node.path.split('.').nth(1).unwrap_or_default(),
        own: context.values,
    };
    let (message, remedy) = match command.run.render(&longest) {
        // A placeholder without a value was told where it is used.
        Ok(_) | Err(Unsendable::NoValue(_)) => return,
        Err(Unsendable::ControlCharacter) => (
            "the command has a line break or another control character in it, which a console could take for the end of one command and the beginning of the next".to_owned(),
            "write every command on one line, with a `-` of its own",
        ),
        Err(Unsendable::TooLong(bytes)) => (
            format!("with a long player name the command has {bytes} bytes, and a game server reads at most 1446"),
            "make it shorter, or call a function of a data pack",
        ),
    };
    problems.error(node.place(), message, remedy);
}
