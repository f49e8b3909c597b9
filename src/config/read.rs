//! Reading values of a kind from the tree: each wrong one is told, with what to write instead.

use std::time::Duration;

use super::keys::{self, RULES_OF_LATER_VERSIONS, is_secret, section_of};
use super::problem::{At, Problems, listed, nearest, shown};
use super::units;
use super::yaml::{Entry, Map, Node, Style, Text, Value};

/// What reading needs everywhere.
pub(super) struct Reader<'p> {
    pub(super) problems: &'p mut Problems,
}

/// A map whose keys are known.
pub(super) struct Section<'n> {
    pub(super) at: &'n At,
    pub(super) path: &'n str,
    entries: &'n [Entry],
}

impl<'n> Section<'n> {
    /// The value of a key, where it is given at all.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

impl Reader<'_> {
    pub(super) fn error(&mut self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.error(&node.at, &node.path, message, remedy);
    }

    pub(super) fn warning(&mut self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.warning(&node.at, &node.path, message, remedy);
    }

    /// Something is missing.
    pub(super) fn missing(
        &mut self,
        at: &At,
        path: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.problems.error(at, path, message, remedy);
    }

    /// The entries of a section whose keys are the owner's names; none where it is absent or empty.
    pub(super) fn named<'n>(&mut self, node: Option<&'n Node>) -> &'n [Entry] {
        match node {
            Some(node) => self.map(node).map_or(&[], |map| map.entries.as_slice()),
            None => &[],
        }
    }

    /// A section with the known keys of `pattern` (`servers.*`); every other key is told.
    pub(super) fn section<'n>(&mut self, node: &'n Node, pattern: &str) -> Option<Section<'n>> {
        let entries = match &node.value {
            // `webhook:` with every key commented out leaves every default as it is.
            Value::Nothing => &[],
            _ => self.map(node)?.entries.as_slice(),
        };
        for entry in entries {
            self.known(entry, pattern);
        }
        Some(Section { at: &node.at, path: &node.path, entries })
    }

    fn known(&mut self, entry: &Entry, pattern: &str) {
        let known = keys::under(pattern);
        let key = entry.key.as_str();
        if known.contains(&key) {
            return;
        }
        let later = pattern.starts_with("rewards.") && RULES_OF_LATER_VERSIONS.contains(&key);
        let (message, remedy) = if later {
            (
                "this version of Votive has no rules yet: every vote for a server earns all rewards of that server".to_owned(),
                "take the key out".to_owned(),
            )
        } else {
            let remedy = match (nearest(key, known.iter().copied()), section_of(key)) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Some(section)) => format!(
                    "it belongs under `{}`; check how far the line is indented",
                    section.replace(".*", ".NAME")
                ),
                (None, None) if pattern.is_empty() => {
                    format!("the top of the file has {}; check how far the line is indented", listed(known))
                }
                (None, None) => format!("here one can write {}", listed(known)),
            };
            ("there is no key of this name".to_owned(), remedy)
        };
        self.problems.error(&entry.at, &entry.node.path, message, remedy);
    }

    fn map<'n>(&mut self, node: &'n Node) -> Option<&'n Map> {
        match &node.value {
            Value::Map(map) => Some(map),
            Value::Broken | Value::Nothing => None,
            // The text is not repeated: it may be `password:secret` with its space forgotten.
            Value::Text(_) => {
                self.error(
                    node,
                    "a text stands where keys with values belong",
                    "write one `key: value` per line below it, indented, with a space behind each colon",
                );
                None
            }
            Value::List(_) => {
                self.error(
                    node,
                    "a list stands where keys with values belong",
                    "write one `key: value` per line below it, without `-`",
                );
                None
            }
        }
    }

    /// A text on one line, whose form is checked by the caller. `example` is how such a value looks.
    pub(super) fn text<'n>(&mut self, node: &'n Node, example: &str) -> Option<&'n Text> {
        match &node.value {
            Value::Text(text) => Some(text),
            Value::Broken => None,
            Value::Nothing => {
                self.missing(
                    &node.at,
                    &node.path,
                    "it has no value",
                    format!("write {}", instance(node, example)),
                );
                None
            }
            Value::List(_) => {
                self.error(
                    node,
                    "a list stands where one value belongs",
                    format!("write {}", instance(node, example)),
                );
                None
            }
            Value::Map(_) => {
                self.error(
                    node,
                    "keys with values stand where one value belongs",
                    format!(
                        "write {}; a text with a colon or a brace in it belongs in single quotes",
                        instance(node, example)
                    ),
                );
                None
            }
        }
    }

    /// A text that is taken as it stands: a command, a secret, a pattern. What YAML cuts off or could take for
    /// something else is told.
    pub(super) fn verbatim<'n>(&mut self, node: &'n Node, example: &str) -> Option<&'n Text> {
        let text = self.text(node, example)?;
        let plain = text.style == Style::Plain;
        if plain && let Some(at) = &text.comment {
            self.problems.error(
                at,
                &node.path,
                "YAML cuts the text off here: a space and `#` begin a comment",
                "put the whole text in single quotes; a real comment belongs on the line above",
            );
        }
        if plain && text.folded {
            self.warning(
                node,
                "this text goes on over several lines, which YAML joins to one",
                "put it in single quotes on one line; if a new entry was meant, begin its line with `-`",
            );
        }
        if plain && looks_typed(&text.text) {
            self.warning(
                node,
                "without quotes YAML takes this for a number or for true/false, not for a text",
                "put it in single quotes",
            );
        }
        Some(text)
    }

    /// A value in the form of `example`, which `parse` recognises.
    pub(super) fn parsed<T>(
        &mut self,
        node: &Node,
        what: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(node, example)?;
        let value = parse(&text.text);
        if value.is_none() {
            self.error(
                node,
                format!("{}is not {what}", quoted(node, text)),
                format!("write {}", instance(node, example)),
            );
        }
        value
    }

    /// A duration between `least` and `most`.
    pub(super) fn duration(
        &mut self,
        node: &Node,
        least: Duration,
        most: Duration,
        default: Duration,
    ) -> Duration {
        let example = units::written(default);
        let Some(text) = self.text(node, &example) else {
            return default;
        };
        let written = text.text.as_str();
        match units::duration(written) {
            Some(duration) if (least..=most).contains(&duration) => return duration,
            Some(_) => self.error(
                node,
                format!("{}is too short or too long", quoted(node, text)),
                format!("take something between {} and {}", units::written(least), units::written(most)),
            ),
            None if !written.is_empty() && written.bytes().all(|b| b.is_ascii_digit()) => self.error(
                node,
                format!("{}has no unit", quoted(node, text)),
                format!("write {}", instance(node, &format!("{}s", shown(written)))),
            ),
            None => self.error(
                node,
                format!("{}is not a time", quoted(node, text)),
                format!("write a whole number with ms, s, m, h or d behind it, like {example}"),
            ),
        }
        default
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node, default: bool) -> bool {
        let example = if default { "true" } else { "false" };
        let Some(text) = self.text(node, example) else {
            return default;
        };
        match text.text.as_str() {
            "true" => return true,
            "false" => return false,
            other => {
                let meant = match other.to_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" | "true" => "true",
                    "no" | "off" | "n" | "0" | "false" => "false",
                    _ => "true or false",
                };
                self.error(
                    node,
                    format!("{}is neither true nor false", quoted(node, text)),
                    format!("write {meant}"),
                );
            }
        }
        default
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let text = self.text(node, choices.first().map_or("", |(word, _)| word))?;
        let chosen = choices.iter().find(|(word, _)| *word == text.text).map(|(_, value)| *value);
        if chosen.is_none() {
            let remedy = match nearest(&text.text, words()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("take one of {}", listed(words())),
            };
            self.error(node, format!("{}is none of its values", quoted(node, text)), remedy);
        }
        chosen
    }

    /// The entries of a list, or the one value that stands in its place.
    pub(super) fn one_or_more<'n>(&mut self, node: &'n Node) -> Vec<&'n Node> {
        match &node.value {
            Value::List(list) => list.entries.iter().collect(),
            Value::Broken => Vec::new(),
            _ => vec![node],
        }
    }
}

/// `key: example`, as it would stand in the file; an entry of a list alone.
fn instance(node: &Node, example: &str) -> String {
    let key = node.path.rsplit('.').next().unwrap_or_default();
    match (&node.at, key.contains('[')) {
        (At::File(_), false) => format!("`{key}: {example}`"),
        _ => format!("`{example}`"),
    }
}

/// The value at the head of a sentence, if it may be shown.
pub(super) fn quoted(node: &Node, text: &Text) -> String {
    // Over several lines the text may hold the next key with its value, whatever that is.
    // Without its line break it may do so on one line.
    let other_key = ["password", "token"].iter().any(|word| text.text.contains(word));
    if is_secret(&node.path) || text.folded || other_key {
        "its value ".to_owned()
    } else {
        format!("`{}` ", shown(&text.text))
    }
}

/// Whether YAML readers take this for a number or a boolean when it stands without quotes.
fn looks_typed(text: &str) -> bool {
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let boolean = matches!(text.to_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off");
    boolean || (number.starts_with(|c: char| c.is_ascii_digit()) && number_like(number))
}

fn number_like(text: &str) -> bool {
    let hex = |prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    text.parse::<f64>().is_ok() || hex("0x") || hex("0o")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_takes_for_something_else() {
        for text in ["yes", "No", "ON", "off", "true", "0123", "12", "-3", "1e3", "0x1F", "1.5"] {
            assert!(looks_typed(text), "{text}");
        }
        for text in ["yes please", "a1", "1.2.3", "nan", "inf", "-", "1_a"] {
            assert!(!looks_typed(text), "{text}");
        }
    }
}
