//! The `rewards:` section.

use std::sync::Arc;

use super::keys::{NAMES_OF_RUN, under};
use super::problem::{Problems, listed, nearest, shown};
use super::yaml::{Entry, Map, Node, Style, Value};
use crate::domain::player::LONGEST_NAME;
use crate::domain::reward::{Command, InDoubtRule, Reward};
use crate::domain::template::{Finding, Placeholder, Template, Unsendable, Values};

/// The words of `in_doubt`.
pub(super) const IN_DOUBT: [(&str, InDoubtRule); 3] =
    [("hold", InDoubtRule::Hold), ("repeat", InDoubtRule::Repeat), ("skip", InDoubtRule::Skip)];

/// A reward, and where it stands.
pub(super) type Read<'n> = (Arc<Reward>, &'n Entry);

/// Reads every reward. Those with errors are among them, so that a server that names one is not told it is unknown.
pub(super) fn read<'n>(
    problems: &mut Problems,
    node: Option<&'n Node>,
    servers: Option<&Node>,
) -> Vec<Read<'n>> {
    let names = match servers.map(|node| &node.value) {
        Some(Value::Map(map)) => map.entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    };
    let server = names.into_iter().max_by_key(|name| name.len()).unwrap_or_default();
    let longest = Values { player: &"x".repeat(LONGEST_NAME), server };
    problems.named(node).iter().map(|entry| (Arc::new(reward(problems, entry, longest)), entry)).collect()
}

fn reward(problems: &mut Problems, entry: &Entry, longest: Values<'_>) -> Reward {
    let node = &entry.node;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if entry.key.is_empty() || !entry.key.bytes().all(allowed) {
        problems.error(
            entry.place(),
            "the name of a reward has only small letters a-z, digits, `-` and `_`",
            "give it another name, here and in the `rewards` of the servers",
        );
    }
    let mut list: &[Node] = &[];
    // A plain list under the name is what other plug-ins take: say where it belongs.
    if let Value::List(_) = node.value {
        let message = "a list stands where the key `commands` belongs";
        problems.error(node.place(), message, "write `commands:` above the list");
    } else if let Some(section) = problems.section(Some(node), "rewards.*") {
        match section.get("commands") {
            Some(node) => list = entries(problems, node),
            None => problems.error(
                entry.place(),
                "it has no commands",
                "write `commands:` and below it one line per command, like `- 'give {player} minecraft:diamond 3'`",
            ),
        }
    }
    let commands = list.iter().filter_map(|node| {
        let command = command(problems, node)?;
        check_length(problems, node, &command, longest);
        Some(command)
    });
    Reward { name: entry.key.clone(), commands: commands.collect() }
}

fn entries<'n>(problems: &mut Problems, node: &'n Node) -> &'n [Node] {
    let message = match &node.value {
        Value::List(list) if !list.entries.is_empty() => return &list.entries,
        Value::Broken => return &[],
        Value::List(_) | Value::Nothing => "the list is empty",
        Value::Text(_) | Value::Map(_) => "this is no list",
    };
    let remedy = "write one command per line below it, with a space behind the `-`: `- 'give {player} minecraft:diamond 3'`";
    problems.error(node.place(), message, remedy);
    &[]
}

fn command(problems: &mut Problems, node: &Node) -> Option<Command> {
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
            Some(Command { run: template(problems, run)?, require_online, optional, in_doubt, receipt })
        }
        _ => {
            let run = template(problems, node)?;
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

fn template(problems: &mut Problems, node: &Node) -> Option<Template> {
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
    let (template, findings) = Template::parse(command);
    let known = || Placeholder::ALL.iter().map(|(name, _)| *name);
    let braced: Vec<String> = known().map(|name| format!("{{{name}}}")).collect();
    let all = || listed(braced.iter().map(String::as_str));
    for finding in findings {
        match finding {
            Finding::UnknownPlaceholder(name) => {
                let remedy = match nearest(&name, known()) {
                    Some(near) => format!("did you mean `{{{near}}}`?"),
                    None => {
                        format!("there are {}; if the braces are meant for the game, write them twice", all())
                    }
                };
                problems.error(node.place(), format!("`{{{}}}` is no placeholder", shown(&name)), remedy);
            }
            Finding::PercentWord(word) => {
                let name = word.trim_matches('%').to_lowercase();
                let remedy = match known().find(|known| *known == name) {
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

/// Tells of a command that could not be sent for a player and a server with the longest names.
fn check_length(problems: &mut Problems, node: &Node, command: &Command, longest: Values<'_>) {
    let (message, remedy) = match command.run.render(longest) {
        Ok(_) => return,
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
