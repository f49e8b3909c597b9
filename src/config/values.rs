//! The owner's own placeholders: `values` at the top of the file, and those of each server.

use std::collections::BTreeMap;

use super::problem::Problems;
use super::yaml::{Node, Value};
use crate::domain::template::Placeholder;

/// Reads a section of placeholders and what they stand for; nothing, where the value has an error.
pub(super) fn read(problems: &mut Problems, node: Option<&Node>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for entry in problems.named(node) {
        let name = entry.key.as_str();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(allowed) {
            let message = "the name of a placeholder has only small letters a-z, digits and `_`, and begins with a letter";
            problems.error(entry.place(), message, "give it another name, here and in the commands");
        } else if Placeholder::ALL.iter().any(|(known, _)| *known == name) {
            let message = format!("`{{{name}}}` is a placeholder of Votive's own");
            problems.error(entry.place(), message, "give it another name, here and in the commands");
        } else {
            values.insert(name.to_owned(), value(problems, &entry.node).unwrap_or_default());
        }
    }
    values
}

fn value(problems: &mut Problems, node: &Node) -> Option<String> {
    let text = &problems.verbatim(node, "'[Votes]'")?.text;
    if text.chars().any(char::is_control) {
        let message = "the value has a line break or another control character in it, which a console could take for the end of a command";
        problems.error(node.place(), message, "write it on one line, in single quotes");
        return None;
    }
    if let Some((name, _)) = Placeholder::ALL.iter().find(|(name, _)| text.contains(&format!("{{{name}}}"))) {
        let message = format!("a value is plain text: `{{{name}}}` in it goes to the game as it stands");
        problems.warning(
            node.place(),
            message,
            format!("write `{{{name}}}` in the commands, beside this value"),
        );
    }
    Some(text.clone())
}

/// Every placeholder that the file gives a value anywhere, with the longest of its values.
pub(super) fn longest(global: &BTreeMap<String, String>, servers: Option<&Node>) -> BTreeMap<String, String> {
    let mut longest = global.clone();
    let Some(Value::Map(servers)) = servers.map(|node| &node.value) else { return longest };
    for values in servers.entries.iter().filter_map(|server| server.node.get("values")) {
        let Value::Map(values) = &values.value else { continue };
        for entry in &values.entries {
            if let Value::Text(text) = &entry.node.value
                && !text.text.chars().any(char::is_control)
            {
                let known = longest.entry(entry.key.clone()).or_default();
                if text.text.len() > known.len() {
                    known.clone_from(&text.text);
                }
            }
        }
    }
    longest
}
