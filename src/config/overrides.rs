//! Environment variables that take the place of keys: `VOTIVE_SERVERS__SURVIVAL__RCON` for `servers.survival.rcon`.

use std::collections::{BTreeMap, HashMap};

use super::keys::{KEYS, Override};
use super::problem::{At, Problems, listed, nearest};
use super::yaml::{self, Entry, Map, Node, Style, Text, Value, join};

const PREFIX: &str = "VOTIVE_";

/// Puts the values of all `VOTIVE_…` variables into the tree; each that names no known key is an error.
pub(super) fn apply(root: &mut Node, env: &BTreeMap<String, String>, problems: &mut Problems) {
    let mut taken: HashMap<String, &str> = HashMap::new();
    for (name, text) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let at = At::Variable(name.clone());
        let Some((path, how)) = resolve(root, &name[PREFIX.len()..], &at, problems) else {
            continue;
        };
        let key = path.iter().fold(String::new(), |path, part| join(&path, part));
        // The process's environment is read lossily; only then can this character be in a value.
        if text.contains(char::REPLACEMENT_CHARACTER) {
            problems.error(&at, &key, "its value is not text (UTF-8)", "set it anew");
            continue;
        }
        if let Some(other) = taken.insert(key.clone(), name) {
            problems.error(
                &at,
                &key,
                format!("{} sets the same key", listed([other])),
                "unset one of the two",
            );
            continue;
        }
        let value = match how {
            Override::Yaml if text.starts_with(['[', '{']) => {
                yaml::read_variable(text, name, &key, problems).value
            }
            _ => {
                Value::Text(Text { text: text.clone(), style: Style::Variable, folded: false, comment: None })
            }
        };
        set(root, &path, value, at);
    }
}

/// The keys that a variable's name stands for, as the file spells them.
fn resolve(root: &Node, name: &str, at: &At, problems: &mut Problems) -> Option<(Vec<String>, Override)> {
    let segments: Vec<String> = name.split("__").map(plain).collect();
    let pattern = KEYS.iter().find(|(key, how)| {
        let parts: Vec<&str> = key.split('.').collect();
        *how != Override::None
            && parts.len() == segments.len()
            && parts.iter().zip(&segments).all(|(part, segment)| *part == "*" || *part == segment.as_str())
    });
    let Some((pattern, how)) = pattern else {
        let variables = variables(root);
        let ours = format!("{PREFIX}{name}");
        let remedy = match nearest(&ours, variables.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => {
                "write VOTIVE_ and the keys with `__` between them, as in VOTIVE_WEBHOOK__LISTEN, or unset it"
                    .to_owned()
            }
        };
        problems.error(at, "", "there is no key of this name", remedy);
        return None;
    };
    let mut path = Vec::new();
    for (part, segment) in pattern.split('.').zip(&segments) {
        if part != "*" {
            path.push(part.to_owned());
            continue;
        }
        // The one `*` of a key that can be set from outside stands right under a section of the file.
        let section = path.concat();
        let names = names(root, &section);
        let mut matching = names.iter().filter(|name| plain(name) == *segment);
        match (matching.next(), matching.next()) {
            (Some(only), None) => path.push((*only).to_owned()),
            (Some(one), Some(other)) => {
                problems.error(
                    at,
                    "",
                    format!("this can mean {} of `{section}`", listed([*one, *other])),
                    "give the two names that differ in more than `-`, `_` and capital letters",
                );
                return None;
            }
            (None, _) => {
                let remedy = match nearest(segment, names.iter().copied()) {
                    Some(near) => {
                        let near =
                            name.to_uppercase().replace(&segment.to_uppercase(), &plain(near).to_uppercase());
                        format!("did you mean {PREFIX}{near}?")
                    }
                    None => format!("`{section}` has {}", listed(names.iter().copied())),
                };
                problems.error(
                    at,
                    "",
                    format!("there is no {} under `{section}` in the file", listed([segment.as_str()])),
                    remedy,
                );
                return None;
            }
        }
    }
    Some((path, *how))
}

/// A name without what a variable's name cannot say.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Every variable that there can be for this file.
fn variables(root: &Node) -> Vec<String> {
    let mut variables = Vec::new();
    for (key, _) in KEYS.iter().filter(|(_, how)| *how != Override::None) {
        let name = format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"));
        match key.split_once(".*.") {
            Some((section, _)) => variables.extend(
                names(root, section).into_iter().map(|ours| name.replace('*', &plain(ours).to_uppercase())),
            ),
            None => variables.push(name),
        }
    }
    variables
}

fn names<'n>(root: &'n Node, section: &str) -> Vec<&'n str> {
    let Value::Map(map) = &root.value else {
        return Vec::new();
    };
    let section = map.entries.iter().find(|entry| entry.key == section);
    match section.map(|entry| &entry.node.value) {
        Some(Value::Map(map)) => map.entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// Puts `value` where `path` leads, and makes the sections on the way to it that the file does not have.
fn set(node: &mut Node, path: &[String], value: Value, at: At) {
    let [key, rest @ ..] = path else {
        node.value = value;
        node.at = at;
        return;
    };
    if matches!(node.value, Value::Nothing) {
        node.value = Value::Map(Map::default());
    }
    // A section that is no map is told of when it is read.
    let Value::Map(map) = &mut node.value else { return };
    if rest.is_empty() {
        // A secret and its file exclude each other, and a variable wins over the file.
        let other = match key.strip_suffix("_file") {
            Some(inline) => inline.to_owned(),
            None => format!("{key}_file"),
        };
        map.entries.retain(|entry| entry.key != other || matches!(entry.node.at, At::Variable(_)));
    }
    let index = map.entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
        map.entries.push(Entry {
            key: key.clone(),
            at: at.clone(),
            node: Node { at: at.clone(), path: join(&node.path, key), value: Value::Nothing },
        });
        map.entries.len() - 1
    });
    set(&mut map.entries[index].node, rest, value, at);
}
