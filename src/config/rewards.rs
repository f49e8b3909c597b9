//! The `rewards:` section.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::keys::under;
use super::problem::{At, listed, nearest, shown};
use super::read::Reader;
use super::yaml::{Entry, Map, Node, Style, Value};
use crate::domain::player::LONGEST_NAME;
use crate::domain::reward::{Command, InDoubtRule, Reward};
use crate::domain::template::{Finding, Placeholder, Template, Unsendable, Values};

/// The words of `in_doubt`.
pub(super) const IN_DOUBT: [(&str, InDoubtRule); 3] =
    [("hold", InDoubtRule::Hold), ("repeat", InDoubtRule::Repeat), ("skip", InDoubtRule::Skip)];

/// A reward, and where it and its commands stand.
pub(super) struct Read {
    pub(super) reward: Arc<Reward>,
    pub(super) at: At,
    /// The place and key path of each command.
    commands: Vec<(At, String)>,
}

/// `{Player}`: no placeholder, but meant as one.
// A constant pattern: the tests of the messages use it.
#[allow(clippy::unwrap_used)]
static OTHER_CASE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{([A-Za-z]+)\}").unwrap());

/// Reads every reward. Those with errors are among them, so that a server that names one is not told it is unknown.
pub(super) fn read(reader: &mut Reader<'_>, node: Option<&Node>) -> Vec<Read> {
    reader.named(node).iter().map(|entry| reward(reader, entry)).collect()
}

fn reward(reader: &mut Reader<'_>, entry: &Entry) -> Read {
    let node = &entry.node;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if entry.key.is_empty() || !entry.key.bytes().all(allowed) {
        reader.problems.error(
            &entry.at,
            &node.path,
            "the name of a reward has only small letters a-z, digits, `-` and `_`",
            "give it another name, here and in the `rewards` of the servers",
        );
    }
    let mut commands = Vec::new();
    let mut places = Vec::new();
    // A plain list under the name is what other plug-ins take: say where it belongs.
    if let Value::List(_) = node.value {
        reader.error(
            node,
            "a list stands where the key `commands` belongs",
            "write `commands:` above the list",
        );
    } else if let Some(section) = reader.section(node, "rewards.*") {
        match section.get("commands") {
            Some(list) => {
                for node in entries(reader, list) {
                    if let Some(command) = command(reader, node) {
                        commands.push(command);
                        places.push((node.at.clone(), node.path.clone()));
                    }
                }
            }
            None => reader.missing(
                &entry.at,
                &node.path,
                "it has no commands",
                "write `commands:` and below it one line per command, like `- 'give {player} minecraft:diamond 3'`",
            ),
        }
    }
    Read {
        reward: Arc::new(Reward { name: entry.key.clone(), commands }),
        at: entry.at.clone(),
        commands: places,
    }
}

fn entries<'n>(reader: &mut Reader<'_>, node: &'n Node) -> &'n [Node] {
    const REMEDY: &str = "write one command per line below it, with a space behind the `-`: `- 'give {player} minecraft:diamond 3'`";
    match &node.value {
        Value::List(list) => {
            if list.entries.is_empty() {
                reader.error(node, "the list is empty", REMEDY);
            }
            &list.entries
        }
        Value::Nothing => {
            reader.missing(&node.at, &node.path, "the list is empty", REMEDY);
            &[]
        }
        Value::Text(_) | Value::Map(_) => {
            reader.error(node, "this is no list", REMEDY);
            &[]
        }
        Value::Broken => &[],
    }
}

fn command(reader: &mut Reader<'_>, node: &Node) -> Option<Command> {
    let mut command =
        Command { run: Template::parse("").0, require_online: true, optional: false, in_doubt: None };
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
            reader.error(node, what, format!("put the whole command in single quotes{ours}"));
            return None;
        }
        Value::List(list) => {
            let what = if list.flow {
                "a `[` at its beginning makes a list of this command in YAML"
            } else {
                "a second `-` makes a list of this command in YAML"
            };
            reader.error(node, what, "put the whole command in single quotes, behind a single `-`");
            return None;
        }
        Value::Map(_) => {
            let section = reader.section(node, "rewards.*.commands.*")?;
            if let Some(node) = section.get("require_online") {
                command.require_online = reader.boolean(node, true);
            }
            if let Some(node) = section.get("optional") {
                command.optional = reader.boolean(node, false);
            }
            if let Some(node) = section.get("in_doubt") {
                command.in_doubt = reader.choice(node, &IN_DOUBT);
            }
            let Some(run) = section.get("run") else {
                reader.missing(
                    &node.at,
                    &node.path,
                    "the options have no command",
                    "write the command as `run: 'give {player} minecraft:diamond 3'` beside them",
                );
                return None;
            };
            command.run = template(reader, run)?;
        }
        _ => command.run = template(reader, node)?,
    }
    Some(command)
}

/// Whether a map is a command that was not meant to be one: not one key of it is an option, or nearly one.
fn is_trap(map: &Map) -> bool {
    let known = under("rewards.*.commands.*");
    !map.entries.is_empty()
        && map.entries.iter().all(|entry| nearest(&entry.key, known.iter().copied()).is_none())
}

fn template(reader: &mut Reader<'_>, node: &Node) -> Option<Template> {
    let text = reader.verbatim(node, "'give {player} minecraft:diamond 3'")?;
    let mut command = text.text.as_str();
    if text.style == Style::Block {
        // `|` and `>` end a text with a line break that nobody typed.
        command = command.trim_end_matches('\n');
    }
    command = command.trim_matches(' ');
    if let Some(rest) = command.strip_prefix('/') {
        reader.warning(
            node,
            "a console command has no `/` at its beginning; it is left out",
            "take the `/` away",
        );
        command = rest.trim_start_matches(' ');
    }
    if command.is_empty() {
        reader.error(node, "the command is empty", "write a command, or take the line out");
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
                reader.error(node, format!("`{{{}}}` is no placeholder", shown(&name)), remedy);
            }
            Finding::PercentWord(word) => {
                let name = word.trim_matches('%').to_lowercase();
                let remedy = match known().find(|known| *known == name) {
                    Some(known) => format!("write `{{{known}}}`"),
                    None => format!("leave it out; Votive fills in {}", all()),
                };
                reader.warning(
                    node,
                    format!(
                        "`{}` goes to the game as it stands: PlaceholderAPI does not work over RCON",
                        shown(&word)
                    ),
                    remedy,
                );
            }
        }
    }
    for word in OTHER_CASE.captures_iter(command).filter_map(|found| found.get(1)) {
        let lower = word.as_str().to_lowercase();
        if lower != word.as_str() && known().any(|known| known == lower) {
            reader.warning(
                node,
                format!(
                    "`{{{}}}` goes to the game as it stands: placeholders have small letters",
                    word.as_str()
                ),
                format!("write `{{{lower}}}`"),
            );
        }
    }
    Some(template)
}

/// Tells of every command that could not be sent for a player with the longest name on one of `servers`, which are
/// the names of those that give this reward.
pub(super) fn check_length(reader: &mut Reader<'_>, read: &Read, servers: &[&str]) {
    let server = servers.iter().max_by_key(|name| name.len()).copied().unwrap_or_default();
    let longest = Values { player: &"x".repeat(LONGEST_NAME), server };
    for (command, (at, path)) in read.reward.commands.iter().zip(&read.commands) {
        let (message, remedy) = match command.run.render(longest) {
            Ok(_) => continue,
            Err(Unsendable::ControlCharacter) => (
                "the command has a line break or another control character in it, which a console could take for the end of one command and the beginning of the next".to_owned(),
                "write every command on one line, with a `-` of its own",
            ),
            Err(Unsendable::TooLong(bytes)) => (
                format!("with a long player name the command has {bytes} bytes, and a game server reads at most 1446"),
                "make it shorter, or call a function of a data pack",
            ),
        };
        reader.problems.error(at, path, message, remedy);
    }
}
