//! Where YAML gives up, and how to read on.
//!
//! A parser stops at its first error, and the owner should see all of them. Most come from a text that begins with a
//! character that YAML keeps for itself, or has a `: ` in it. So every value that YAML cannot read by itself is put in
//! quotes and told, and the file is read once more. Lines are never moved: every position stays true.

use std::sync::LazyLock;

use granit_parser::ErrorKind;
use regex::Regex;

use super::keys;
use super::problem::Position;
use super::yaml::{DEEPEST, events};

/// What was changed on a line so that the file can be read.
pub(super) struct Mended {
    /// Where the text begins that YAML does not read as its owner meant.
    pub(super) at: Position,
    /// Its first character; `None`: it is a `key:value` that lacked its space.
    first: Option<char>,
}

/// `  - key: value`, of which everything but the value may be missing.
// Constant patterns: every test of a trap uses them.
#[allow(clippy::unwrap_used)]
static LINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^( *(?:- +)*)((?:[\w.-]+|"[^"]*"|'[^']*') *: +)?(.*)$"#).unwrap());

/// `key:value`, which YAML reads as one text.
#[allow(clippy::unwrap_used)]
static NO_SPACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^( *(?:- +)*)([a-z_]+):\S").unwrap());

/// The text with quotes around every value that cannot be read without, and what was changed.
pub(super) fn mend(text: &str) -> (String, Vec<Mended>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut readable, mut mended) = (String::new(), Vec::new());
    let (mut good_until, mut bad_until, mut outer) = (0, 0, Vec::new());
    for (n, line) in lines.iter().enumerate() {
        let mut line = (*line).to_owned();
        if n < bad_until {
            line.clear();
        } else if n >= good_until {
            let mut tell = |column, first| {
                mended.push(Mended { at: Position { line: n + 1, column: column + 1 }, first });
            };
            if let Some((key, colon)) = missing_space(&line) {
                line.insert(colon + 1, ' ');
                tell(key, None);
            }
            match value(&line, &lines[n + 1..], &mut outer) {
                Value::Reads(more) => good_until = n + 1 + more,
                Value::Trap(start, more) => {
                    bad_until = n + 1 + more;
                    tell(line[..start].chars().count(), line[start..].chars().next());
                    let quoted = line[start..].trim_end().replace('\'', "''");
                    line.replace_range(start.., &format!("'{quoted}'"));
                }
            }
        }
        readable.push_str(&line);
        readable.push('\n');
    }
    (readable, mended)
}

/// Where a known key begins, and the colon behind it without a space.
fn missing_space(line: &str) -> Option<(usize, usize)> {
    let found = NO_SPACE.captures(line)?;
    let (lead, key) = (found.get(1)?, found.get(2)?);
    // `minecraft:give` is no key, and in a list only the options of a command and of a choice are.
    let known = match lead.as_str().contains('-') {
        true => ["rewards.*.commands.*", "rewards.*.one_of.*"]
            .iter()
            .any(|section| keys::under(section).contains(&key.as_str())),
        false => keys::is_known(key.as_str()),
    };
    known.then_some((key.start(), key.end()))
}

/// What the value of a line is by itself.
enum Value {
    /// Nothing that would have to be changed, on this line and so many below that belong to it.
    Reads(usize),
    /// From this byte on, and on so many lines below, it is nothing that YAML can read.
    Trap(usize, usize),
}

/// Reads the value of a line by itself, and if it cannot be read so, with the lines `below` that belong to it. `outer`
/// has the columns of the lines that it belongs to, and gets its own.
fn value(line: &str, below: &[&str], outer: &mut Vec<usize>) -> Value {
    let Some(found) = LINE.captures(line) else { return Value::Reads(0) };
    let [lead, value] = [1, 3].map(|n| found.get(n).map_or("", |part| part.as_str()));
    // The column that the lines of this value are indented from, and the place to try it in.
    let (column, place) = match (found.get(2), lead.rfind('-')) {
        (Some(_), _) => (lead.len(), "key: "),
        (None, Some(dash)) => (dash, "- "),
        (None, None) => return Value::Reads(0),
    };
    outer.truncate(outer.partition_point(|other| *other < column));
    outer.push(column);
    // Each level has what is below it read once more, so there is an end to them.
    if value.is_empty() || value.starts_with('#') || outer.len() > DEEPEST {
        return Value::Reads(0);
    }
    let single = format!("{place}{value}\n");
    let alone = events(&single);
    if alone.is_ok() && !value.starts_with(['|', '>']) {
        return Value::Reads(0);
    }
    // A bracket may be closed in the column of its key.
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', ']', '}']).len();
    let belongs = |line: &&&str| line.trim().is_empty() || indent(line) > column;
    let more: Vec<&str> = below.iter().take_while(belongs).copied().collect();
    if events(&format!("{single}{}\n", more.join("\n"))).is_ok() {
        return Value::Reads(more.len());
    }
    let start = line.len() - value.len();
    match alone {
        Err(error) if *error.kind() == ErrorKind::RecursionLimitExceeded => Value::Reads(0),
        // Nobody can tell where the list or map was meant to end: the lines that belong to it are left out.
        Err(_) if value.starts_with(['[', '{']) => Value::Trap(start, more.len()),
        Err(_) if value.starts_with(RESERVED) => Value::Trap(start, 0),
        Err(_) if value.contains(": ") || value.trim_end().ends_with(':') => Value::Trap(start, 0),
        _ => Value::Reads(0),
    }
}

/// What begins something else than a text in YAML.
const RESERVED: [char; 18] =
    ['&', '*', '!', '%', '@', '`', ',', ']', '}', '?', '-', '|', '>', '\'', '"', '[', '{', ':'];

const NO_TEXT: &str = "YAML does not read this value as plain text";
const QUOTE_IT: &str =
    "put the whole text in single quotes: 'text' (and write '' for a single quote inside it)";

impl Mended {
    /// What to tell of it, the value of the key at `path`. Of a secret not even the first character is shown.
    pub(super) fn explain(&self, path: &str) -> (String, &'static str) {
        let Some(first) = self.first else {
            return ("a space is missing behind the colon".to_owned(), "write `key: value`");
        };
        // Without a path nobody can tell whether it is a secret.
        if path.is_empty() || keys::is_secret(path) {
            return (NO_TEXT.to_owned(), QUOTE_IT);
        }
        let message = match first {
            '[' => "`[` begins a list in YAML, and this does not read as one".to_owned(),
            '{' => "`{` begins a map in YAML, and this does not read as one".to_owned(),
            '|' | '>' => format!("`{first}` begins a text of several lines in YAML, and this is none"),
            '\'' | '"' => {
                "the text does not end where its quotes end, or a closing quote is missing".to_owned()
            }
            '`' => "a text that begins with a backtick is not read as text by YAML".to_owned(),
            _ if RESERVED.contains(&first) => {
                format!("a text that begins with `{first}` is not read as text by YAML")
            }
            _ => "a colon and a space inside a text without quotes make a map of it in YAML".to_owned(),
        };
        let remedy = match first {
            '[' if !keys::is_text(path) => {
                "put every entry in single quotes, separate them by commas, and close the bracket: ['first', 'second']"
            }
            '{' if !keys::is_text(path) => {
                "put every text in it in single quotes, and close the bracket: {key: 'value', other: 'value'}"
            }
            _ => QUOTE_IT,
        };
        (message, remedy)
    }
}

/// What to tell of an anchor (`&`), an alias (`*`) or a tag (`!`).
pub(super) fn explain_mark(mark: char, secret: bool) -> (String, String) {
    if secret {
        return (NO_TEXT.to_owned(), QUOTE_IT.to_owned());
    }
    let what = match mark {
        '&' => "an anchor",
        '*' => "an alias",
        _ => "a tag",
    };
    (
        format!(
            "a text that begins with `{mark}` is not read as text by YAML: it is {what}, and this file knows none"
        ),
        format!("{QUOTE_IT}; if {what} is what you meant, write the values out instead"),
    )
}

/// Whether a line stands in the wrong column, whatever in it the parser stumbled over.
pub(super) fn out_of_line(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::MappingValueNotAllowed
            | E::InvalidIndentation
            | E::ExpectedBlockMappingKey
            | E::ExpectedBlockSequenceEntry
    )
}

/// The parser's error in plain words, and what to do. It repeats nothing of the file.
pub(super) fn explain(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as E;
    match kind {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabInPlainScalar => (
            "there is a tab here, and YAML takes only spaces for indentation",
            "replace every tab in the file by two spaces",
        ),
        E::DirectiveDisallowed => (
            "a line that begins with `%` is an instruction to YAML, and this file knows none",
            "take the line out; a command belongs in single quotes",
        ),
        E::UnexpectedCharacter { character } if character.is_control() => {
            ("there is a character here that cannot be seen, and YAML does not take it", "type the line anew")
        }
        E::RecursionLimitExceeded => (
            "the file is nested deeper than any configuration needs to be",
            "compare it with the rewards.yaml that came with Votive",
        ),
        kind if out_of_line(kind) => (
            "this line does not line up with the lines above it",
            "keys of one section begin in one column, and so do the `-` of one list; count the spaces in front",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => (
            "a `key: value` is expected here, and there is no colon with a space behind it",
            "write `key: value`, with a space behind the `-` if it is an entry of a list; or indent the line if it belongs to the text above",
        ),
        _ => (
            "YAML cannot be read from here on",
            "compare this line and the one above with the rewards.yaml that came with Votive: indentation, quotes, brackets",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_read_is_changed() {
        let good = "- |\n  {player} @a\n- [a,\n   b\n  ]\n- 'it''s\n  one'\n- k: &a x\n  l: {m: n\n  }\n- list:x\n@a: b\n";
        assert_eq!(mend(good).0, good);
        let (mended, changes) = mend("a:\n  - ä: it's: {x\n  rcon:@b\n");
        assert_eq!(mended, "a:\n  - ä: 'it''s: {x'\n  rcon: '@b'\n");
        let columns: Vec<usize> = changes.iter().map(|change| change.at.column).collect();
        assert_eq!(columns, [8, 3, 9]);
    }
}
