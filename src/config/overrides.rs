//! Environment variables that take the place of keys: `VOTIVE_SERVERS__SURVIVAL__RCON` for `servers.survival.rcon`.

use std::collections::{BTreeMap, HashMap};

use super::keys::{KEYS, Override};
use super::problem::{At, Problems, listed, nearest};
use super::yaml::{self, Entry, Map, Node, Style, Text, Value, join};

/// A variable that there can be for this file, and the key that it is for.
struct Variable {
    name: String,
    keys: Vec<String>,
    how: Override,
}

/// Puts the values of all `VOTIVE_…` variables into the tree; each that names no known key is an error.
pub(super) fn apply(root: &mut Node, env: &BTreeMap<String, String>, problems: &mut Problems) {
    let variables = variables(root);
    let mut taken: HashMap<String, &str> = HashMap::new();
    for (name, text) in env.iter().filter(|(name, _)| name.starts_with("VOTIVE_")) {
        let at = At::Variable(name.clone());
        let ours = spelled(name);
        let mut meant = variables.iter().filter(|variable| variable.name == ours);
        let Some(variable) = meant.next() else {
            let remedy = match nearest(&ours, variables.iter().map(|variable| variable.name.as_str())) {
                Some(near) => format!("did you mean {near}?"),
                None => {
                    "write VOTIVE_ and the keys with `__` between them, as in VOTIVE_WEBHOOK__LISTEN, or unset it"
                        .to_owned()
                }
            };
            let message = "there is no key of this name, or no such server or reward in the file";
            problems.error((&at, ""), message, remedy);
            continue;
        };
        let key = variable.keys.iter().fold(String::new(), |path, key| join(&path, key));
        let place = (&at, key.as_str());
        if meant.next().is_some() {
            let remedy = "give what has two spellings of one name names that differ in more than `-` and `_`";
            problems.error(place, "this can mean another key, too", remedy);
        } else if text.contains(char::REPLACEMENT_CHARACTER) {
            // The process's environment is read lossily; only then can this character be in a value.
            problems.error(place, "its value is not text (UTF-8)", "set it anew");
        } else if let Some(other) = taken.insert(key.clone(), name) {
            let message = format!("{} sets the same key", listed([other]));
            problems.error(place, message, "unset one of the two");
        } else {
            let value = if variable.how == Override::Yaml && text.starts_with(['[', '{']) {
                yaml::read_variable(text, place, problems)
            } else {
                Value::Text(Text { text: text.clone(), style: Style::Variable, folded: false, comment: None })
            };
            set(root, &variable.keys, value, at);
        }
    }
}

/// A name in the form of a variable's.
fn spelled(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn variables(root: &Node) -> Vec<Variable> {
    let mut variables = Vec::new();
    for (key, how) in KEYS.into_iter().filter(|(_, how)| *how != Override::None) {
        // The one `*` of a key that can be set from outside stands right under a section of the file.
        let names: Vec<&str> = match key.split_once(".*.").and_then(|(section, _)| root.get(section)) {
            Some(Node { value: Value::Map(map), .. }) => map.entries.iter().map(|e| e.key.as_str()).collect(),
            None if !key.contains('*') => vec![""],
            _ => Vec::new(),
        };
        for ours in names {
            let keys: Vec<String> =
                key.split('.').map(|part| if part == "*" { ours } else { part }.to_owned()).collect();
            variables.push(Variable { name: spelled(&format!("VOTIVE_{}", keys.join("__"))), keys, how });
        }
    }
    variables
}

/// Puts `value` where `keys` lead, and makes the sections on the way to it that the file does not have.
fn set(node: &mut Node, keys: &[String], value: Value, at: At) {
    let [key, rest @ ..] = keys else {
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
        let other = key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), str::to_owned);
        map.entries.retain(|entry| entry.key != other || matches!(entry.node.at, At::Variable(_)));
    }
    let index = map.entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
        let node = Node { at: at.clone(), path: join(&node.path, key), value: Value::Nothing };
        map.entries.push(Entry { key: key.clone(), at: at.clone(), node });
        map.entries.len() - 1
    });
    set(&mut map.entries[index].node, rest, value, at);
}
