//! Reading values of a kind from the tree: each wrong one is told, with what to write instead.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::keys::{self, NAMES_OF_RUN, is_secret, section_of};
use super::problem::{At, Problems, listed, nearest, shown};
use super::units;
use super::yaml::{Entry, Map, Node, Style, Text, Value};

/// A map whose keys are known.
#[derive(Default)]
pub(super) struct Section<'n>(&'n [Entry]);

impl<'n> Section<'n> {
    /// The value of a key, where it is given at all.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

impl Problems {
    /// The entries of a section whose keys are the owner's names; none where it is absent or empty.
    pub(super) fn named<'n>(&mut self, node: Option<&'n Node>) -> &'n [Entry] {
        node.and_then(|node| self.map(node)).map_or(&[], |map| map.entries.as_slice())
    }

    /// A section with the known keys of `pattern` (`servers.*`); every other key is told.
    pub(super) fn section<'n>(&mut self, node: Option<&'n Node>, pattern: &str) -> Option<Section<'n>> {
        let entries = match node {
            // `webhook:` with every key commented out leaves every default as it is.
            None | Some(Node { value: Value::Nothing, .. }) => &[],
            Some(node) => self.map(node)?.entries.as_slice(),
        };
        let known = keys::under(pattern);
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            self.unknown(entry, pattern, &known);
        }
        Some(Section(entries))
    }

    fn unknown(&mut self, entry: &Entry, pattern: &str, known: &[&'static str]) {
        let key = entry.key.as_str();
        // What is no word may be `password hunter2` with its colon forgotten: only its first word is repeated.
        let word =
            key.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).next().unwrap_or("");
        let path =
            entry.node.path.strip_suffix(key).map_or_else(String::new, |parent| format!("{parent}{word}"));
        if word != key {
            let remedy = "a key is one word, with `: ` between it and its value";
            return self.error((entry.place().0, &path), "this is no key", remedy);
        }
        let names = || listed(known.iter().copied());
        let remedy = match (nearest(key, known.iter().copied()), section_of(key)) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, _) if NAMES_OF_RUN.contains(&key) && known.contains(&"run") => {
                "did you mean `run`?".to_owned()
            }
            (None, _) if key == "run" && known.contains(&"commands") => {
                "did you mean `commands`? it takes a list: `commands: ['give {player} minecraft:diamond 3']`"
                    .to_owned()
            }
            (None, Some(section)) => {
                let of_a_list = ["rewards.*.commands.*", "rewards.*.one_of.*"].contains(&section);
                let (under, section) = match section.strip_suffix(".*").filter(|_| of_a_list) {
                    Some(list) => ("beside an entry of", list),
                    None => ("under", section),
                };
                let section = section.replace(".*", ".NAME");
                format!("it belongs {under} `{section}`; check how far the line is indented")
            }
            (None, None) if pattern.is_empty() => {
                format!("the top of the file has {}; check how far the line is indented", names())
            }
            (None, None) => format!("here one can write {}", names()),
        };
        self.error(entry.place(), "there is no key of this name", remedy);
    }

    fn map<'n>(&mut self, node: &'n Node) -> Option<&'n Map> {
        let (what, how) = match &node.value {
            Value::Map(map) => return Some(map),
            Value::Broken | Value::Nothing => return None,
            // The text is not repeated: it may be `password:secret` with its space forgotten.
            Value::Text(_) => ("a text", "indented, with a space behind each colon"),
            Value::List(_) => ("a list", "without `-`"),
        };
        self.error(
            node.place(),
            format!("{what} stands where keys with values belong"),
            format!("write one `key: value` per line below it, {how}"),
        );
        None
    }

    /// A text on one line, whose form is checked by the caller. `example` is how such a value looks.
    pub(super) fn text<'n>(&mut self, node: &'n Node, example: &str) -> Option<&'n Text> {
        let (message, more) = match &node.value {
            Value::Text(text) => return Some(text),
            Value::Broken => return None,
            Value::Nothing => ("it has no value", ""),
            Value::List(_) => ("a list stands where one value belongs", ""),
            Value::Map(_) => (
                "keys with values stand where one value belongs",
                "; a text with a colon or a brace in it belongs in single quotes",
            ),
        };
        self.error(node.place(), message, format!("write {}{more}", instance(node, example)));
        None
    }

    /// A text that is taken as it stands: a command, a secret, a pattern. What YAML cuts off or could take for
    /// something else is told.
    pub(super) fn verbatim<'n>(&mut self, node: &'n Node, example: &str) -> Option<&'n Text> {
        let text = self.text(node, example)?;
        let plain = text.style == Style::Plain;
        if plain && let Some(at) = &text.comment {
            self.error(
                (at, &node.path),
                "YAML cuts the text off here: a space and `#` begin a comment",
                "put the whole text in single quotes; a real comment belongs on the line above",
            );
        }
        if plain && text.folded {
            self.warning(
                node.place(),
                "this text goes on over several lines, which YAML joins to one",
                "put it in single quotes on one line; if a new entry was meant, begin its line with `-`",
            );
        }
        if plain && looks_typed(&text.text) {
            self.warning(
                node.place(),
                "without quotes YAML takes this for a number or for true/false, not for a text",
                "put it in single quotes",
            );
        }
        Some(text)
    }

    /// A whole number from 1 up, written without anything in front of it.
    pub(super) fn number<T: std::str::FromStr>(&mut self, node: Option<&Node>, example: &str) -> Option<T> {
        self.parsed(node, "a whole number from 1 up", example, units::whole)
    }

    /// A value in the form of `example`, which `parse` recognises.
    pub(super) fn parsed<T>(
        &mut self,
        node: Option<&Node>,
        what: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(node?, example)?;
        let value = parse(&text.text);
        if let (None, Some(node)) = (&value, node) {
            let message = format!("{}is not {what}", quoted(node, text));
            self.error(node.place(), message, format!("write {}", instance(node, example)));
        }
        value
    }

    /// A duration in `range`.
    pub(super) fn duration(
        &mut self,
        node: Option<&Node>,
        range: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let example = units::written(default);
        let Some((node, text)) = node.and_then(|node| Some((node, self.text(node, &example)?))) else {
            return default;
        };
        let written = text.text.as_str();
        let (what, remedy) = match units::duration(written) {
            Some(duration) if range.contains(&duration) => return duration,
            Some(_) => {
                let [least, most] = [range.start(), range.end()].map(|end| units::written(*end));
                ("is too short or too long", format!("take something between {least} and {most}"))
            }
            None if !written.is_empty() && written.bytes().all(|b| b.is_ascii_digit()) => {
                // Where seconds can be meant, they are.
                let in_range = |unit: &&str| {
                    units::duration(&format!("{written}{unit}")).is_some_and(|time| range.contains(&time))
                };
                let units: Vec<&str> = ["s", "m", "h", "d"].into_iter().filter(in_range).collect();
                let units = match units.as_slice() {
                    [] | ["s", ..] => vec!["s"],
                    _ => units,
                };
                let meant = |unit: &&str| instance(node, &format!("{}{unit}", shown(written)));
                let meant: Vec<String> = units.iter().map(meant).collect();
                ("has no unit", format!("write {}", meant.join(" or ")))
            }
            None => (
                "is not a time",
                format!("write a whole number with ms, s, m, h or d behind it, like {example}"),
            ),
        };
        self.error(node.place(), format!("{}{what}", quoted(node, text)), remedy);
        default
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: Option<&Node>, default: bool) -> bool {
        // Whoever writes it wants what does not hold without it.
        let example = if default { "false" } else { "true" };
        let Some((node, text)) = node.and_then(|node| Some((node, self.text(node, example)?))) else {
            return default;
        };
        let meant = match text.text.as_str() {
            "true" => return true,
            "false" => return false,
            other => match other.to_lowercase().as_str() {
                "yes" | "on" | "y" | "1" | "true" => "true",
                "no" | "off" | "n" | "0" | "false" => "false",
                _ => "true or false",
            },
        };
        let message = format!("{}is neither true nor false", quoted(node, text));
        self.error(node.place(), message, format!("write {meant}"));
        default
    }

    /// The entries of a list, or the one value that stands in its place. `example` is how such a list looks.
    pub(super) fn several<'n>(&mut self, node: Option<&'n Node>, example: &str) -> &'n [Node] {
        let Some(node) = node else { return &[] };
        match &node.value {
            Value::List(list) if list.entries.is_empty() => {
                let remedy = format!("write {}, or take the line out", instance(node, example));
                self.error(node.place(), "the list is empty", remedy);
            }
            Value::Text(text) if text.text.contains(',') && may_be_shown(node, text) => {
                let meant = format!("[{}]", shown(&text.text));
                let message = "several values need square brackets around them";
                self.error(node.place(), message, format!("write {}", instance(node, &meant)));
                return &[];
            }
            _ => {}
        }
        one_or_more(Some(node))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, node: Option<&Node>, choices: &[(&str, T)]) -> Option<T> {
        let node = node?;
        let words = || choices.iter().map(|(word, _)| *word);
        let text = self.text(node, choices.first().map_or("", |(word, _)| word))?;
        let chosen = choices.iter().find(|(word, _)| *word == text.text).map(|(_, value)| *value);
        if chosen.is_none() {
            let remedy = match nearest(&text.text, words()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("take one of {}", listed(words())),
            };
            self.error(node.place(), format!("{}is none of its values", quoted(node, text)), remedy);
        }
        chosen
    }
}

/// The entries of a list, or the one value that stands in its place.
pub(super) fn one_or_more(node: Option<&Node>) -> &[Node] {
    match node {
        None | Some(Node { value: Value::Broken, .. }) => &[],
        Some(Node { value: Value::List(list), .. }) => &list.entries,
        Some(node) => std::slice::from_ref(node),
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

/// Whether a message may repeat the value.
pub(super) fn may_be_shown(node: &Node, text: &Text) -> bool {
    // Over several lines the text may hold the next key with its value, whatever that is.
    // Without its line break it may do so on one line.
    // And the address of a webhook may stand where another value belongs.
    let other_key = ["password", "token", "/webhooks/"].iter().any(|word| text.text.contains(word));
    !is_secret(&node.path) && !text.folded && !other_key
}

/// The value at the head of a sentence, if it may be shown.
pub(super) fn quoted(node: &Node, text: &Text) -> String {
    if !may_be_shown(node, text) {
        "its value ".to_owned()
    } else if text.text.is_empty() {
        "an empty text ".to_owned()
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
