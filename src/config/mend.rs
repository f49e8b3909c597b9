//! Where YAML gives up, and how to read on.
//!
//! A parser stops at its first error, and the owner should see all of them. Most errors come from a text that begins
//! with a character that YAML keeps for itself, or has a `: ` in it: the mender puts such a text in quotes, remembers
//! why, and has the file read again. Lines are never moved, so every position stays true.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use granit_parser::ErrorKind;
use regex::Regex;

use super::keys;
use super::problem::Position;

/// A file has at most this many lines mended; each costs reading it once more.
const MOST_MENDED: usize = 64;

/// Lines that were changed so that the file could be read.
pub(super) struct Mender {
    lines: Vec<String>,
    mended: Vec<Mended>,
    /// How often each line was changed: first it is quoted, then left out, then the file is given up.
    times: BTreeMap<usize, u8>,
}

/// One change.
pub(super) struct Mended {
    /// Where the text begins that YAML does not read as its owner meant.
    pub(super) at: Position,
    /// Whether the line was left out.
    pub(super) left_out: bool,
    trap: Trap,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trap {
    /// A text begins with a character that YAML keeps for itself.
    Begins(char),
    /// `[` or `{` begins what is no list or map.
    Bracket(char),
    /// `|` or `>` with text behind it.
    Block(char),
    /// Something goes on behind a closing quote, or there is none.
    Quote(char),
    /// `: ` in a text.
    Colon,
    /// `key:value`.
    NoSpace,
    /// Anything else: the parser's reason, in our words.
    Other(&'static str, &'static str),
}

/// `  - key: value`, of which everything but the value may be missing.
// A constant pattern: every test of a trap uses it.
#[allow(clippy::unwrap_used)]
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?P<lead>\s*(?:- +)*)(?P<key>(?:[\w.-]+|"[^"]*"|'[^']*') *:(?: +|$))?(?P<value>.*)$"#)
        .unwrap()
});

/// `key:value`, which YAML reads as one text.
#[allow(clippy::unwrap_used)]
static NO_SPACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*(?:- +)*([a-z_]+):\S").unwrap());

impl Mender {
    pub(super) fn new(text: &str) -> Self {
        Mender {
            lines: text.lines().map(str::to_owned).collect(),
            mended: Vec::new(),
            times: BTreeMap::new(),
        }
    }

    /// The text as it stands now.
    pub(super) fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }

    /// What was changed so far.
    pub(super) fn mended(&self) -> &[Mended] {
        &self.mended
    }

    /// Changes the line that made the parser stop.
    ///
    /// # Errors
    /// Where to point at, if no change can help.
    pub(super) fn mend(&mut self, kind: &ErrorKind, at: Position) -> Result<(), Position> {
        let hopeless = tabs(kind) || *kind == ErrorKind::RecursionLimitExceeded;
        if hopeless || self.mended.len() == MOST_MENDED {
            return Err(at);
        }
        let (message, remedy) = explain(kind);
        let other = Trap::Other(message, remedy);
        let mended = if *kind == ErrorKind::DirectiveDisallowed {
            self.leave_out(at.line, Some(other))
        } else if let Some(line) = self.without_space(at.line) {
            self.put_space(line)
        } else if self.times.contains_key(&at.line) {
            // A line that was quoted and still does not read is left out; its one problem is told already.
            self.leave_out(at.line, None)
        } else if let Some((line, column, bracket)) = self.opening(kind, at.line) {
            let opening = Position { line, column: column + 1 };
            return self.quote(line, column, bracket).then_some(()).ok_or(opening);
        } else if let Some((line, column, quote)) = self.unclosed_quote(kind, at.line) {
            self.quote(line, column, quote)
        } else if let Some((column, trap)) = self.trap(kind, at) {
            self.quote(at.line, column, trap)
        } else {
            self.leave_out(at.line, Some(other))
        };
        mended.then_some(()).ok_or(at)
    }

    fn line(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|n| self.lines.get(n)).map_or("", String::as_str)
    }

    /// The text that the parser stumbled over: the column of its first character from 0, and why.
    fn trap(&self, kind: &ErrorKind, at: Position) -> Option<(usize, Trap)> {
        let (column, value) = value(self.line(at.line));
        // A line that is itself out of place: the parser stops before the value, or at its first character.
        let read = if out_of_line(kind) { column + 1 } else { column };
        if at.column <= read {
            return None;
        }
        let first = value.chars().next()?;
        let colon = value.contains(": ") || value.trim_end().ends_with(':');
        let trap = match first {
            '&' | '*' | '!' | '%' | '@' | '`' | ',' | ']' | '}' | '?' => Trap::Begins(first),
            '-' if !matches!(kind, ErrorKind::MappingValueNotAllowed) => Trap::Begins(first),
            '|' | '>' => Trap::Block(first),
            '\'' | '"' => Trap::Quote(first),
            '[' | '{' => Trap::Bracket(first),
            _ if colon => Trap::Colon,
            _ => return None,
        };
        Some((column, trap))
    }

    /// What begins with a bracket on this line, or on a line above where it was not closed, if the parser got lost in
    /// brackets: line, column from 0, and why.
    fn opening(&self, kind: &ErrorKind, last: usize) -> Option<(usize, usize, Trap)> {
        if !in_brackets(kind) {
            return None;
        }
        (1..=last).rev().find_map(|line| {
            let (column, value) = value(self.line(line));
            let bracket = value.chars().next().filter(|c| matches!(c, '[' | '{'))?;
            let closed = value.matches(['[', '{']).count() <= value.matches([']', '}']).count();
            (line == last || !closed).then_some((line, column, Trap::Bracket(bracket)))
        })
    }

    /// A quote above this line that was not closed on its own line, if the parser found a text behind a closing one:
    /// then the quote that begins a text on this line was taken for the closing one.
    fn unclosed_quote(&self, kind: &ErrorKind, last: usize) -> Option<(usize, usize, Trap)> {
        let behind = matches!(
            kind,
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar
        );
        let lines = if behind { 1..last } else { 0..0 };
        lines.rev().find_map(|line| {
            let (column, value) = value(self.line(line));
            let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            (value.matches(quote).count() % 2 == 1).then_some((line, column, Trap::Quote(quote)))
        })
    }

    /// This line, or the one above, if the space behind its colon is missing.
    fn without_space(&self, line: usize) -> Option<usize> {
        [line, line.saturating_sub(1)].into_iter().find(|line| {
            let key = NO_SPACE.captures(self.line(*line)).and_then(|found| found.get(1));
            // `minecraft:give` is no key.
            key.is_some_and(|key| keys::is_known(key.as_str())) && !self.times.contains_key(line)
        })
    }

    /// Puts the rest of a line in single quotes.
    fn quote(&mut self, line: usize, column: usize, trap: Trap) -> bool {
        let Some(text) = line.checked_sub(1).and_then(|n| self.lines.get_mut(n)) else {
            return false;
        };
        if spans_lines(&text.chars().skip(column).collect::<String>()) {
            return false;
        }
        let start = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
        let quoted = text[start..].trim_end().replace('\'', "''");
        text.replace_range(start.., &format!("'{quoted}'"));
        self.remember(line, column, false, Some(trap))
    }

    /// Puts the space behind the first colon of a line.
    fn put_space(&mut self, line: usize) -> bool {
        let Some(text) = line.checked_sub(1).and_then(|n| self.lines.get_mut(n)) else {
            return false;
        };
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        *text = text.replacen(':', ": ", 1);
        self.remember(line, indent, false, Some(Trap::NoSpace))
    }

    /// Makes a line empty, unless others may hang from it.
    fn leave_out(&mut self, line: usize, trap: Option<Trap>) -> bool {
        let Some(text) = line.checked_sub(1).and_then(|n| self.lines.get_mut(n)) else {
            return false;
        };
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        if text[..].contains('\t') || value(text).1.trim().is_empty() {
            return false;
        }
        text.clear();
        self.remember(line, indent, true, trap)
    }

    fn remember(&mut self, line: usize, column: usize, left_out: bool, trap: Option<Trap>) -> bool {
        *self.times.entry(line).or_default() += 1;
        match trap {
            Some(trap) => {
                self.mended.push(Mended { at: Position { line, column: column + 1 }, left_out, trap })
            }
            None => {
                for mended in self.mended.iter_mut().filter(|mended| mended.at.line == line) {
                    mended.left_out = left_out;
                }
            }
        }
        true
    }
}

/// The value of a line, and its column from 0.
fn value(line: &str) -> (usize, &str) {
    // The pattern matches every line.
    let value = LINE.captures(line).and_then(|parts| parts.name("value"));
    value.map_or((0, ""), |value| (line[..value.start()].chars().count(), value.as_str()))
}

/// Whether a value is a list or map in brackets that is meant to go on in the next line: nobody can tell how far, so
/// quoting it cannot help.
fn spans_lines(value: &str) -> bool {
    let value = value.trim_end();
    matches!(value, "[" | "{") || (value.starts_with(['[', '{']) && value.ends_with(','))
}

fn tabs(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(kind, E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabInPlainScalar)
}

/// Whether the parser waited for the next key or `-` of a section, and something else came.
fn out_of_line(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(kind, E::InvalidIndentation | E::ExpectedBlockMappingKey | E::ExpectedBlockSequenceEntry)
}

/// Whether the parser was inside `[]` or `{}`.
fn in_brackets(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::UnclosedFlowCollection { .. }
            | E::MismatchedFlowCollectionEnd { .. }
            | E::MisplacedFlowCollectionEnd
            | E::UnexpectedEofFlowSequence
            | E::UnexpectedEofFlowMapping
            | E::ExpectedFlowMappingSeparator
            | E::ExpectedFlowSequenceSeparator
            | E::BlockEntryInFlowCollection
            | E::InvalidColonPlacement
            | E::InvalidFlowScalarIndent
    )
}

const QUOTE_IT: &str =
    "put the whole text in single quotes: 'text' (and write '' for a single quote inside it)";

impl Mended {
    /// What to tell of it; of a secret not even its first character.
    pub(super) fn explain(&self, secret: bool) -> (String, String) {
        let message = match self.trap {
            Trap::Other(message, remedy) => return (message.to_owned(), remedy.to_owned()),
            Trap::NoSpace => {
                return ("a space is missing behind the colon".to_owned(), "write `key: value`".to_owned());
            }
            _ if secret => "YAML does not read this value as plain text".to_owned(),
            Trap::Begins('`') => "a text that begins with a backtick is not read as text by YAML".to_owned(),
            Trap::Begins(c) => format!("a text that begins with `{c}` is not read as text by YAML"),
            Trap::Bracket(c @ '[') => format!("`{c}` begins a list in YAML, and this does not read as one"),
            Trap::Bracket(c) => format!("`{c}` begins a map in YAML, and this does not read as one"),
            Trap::Block(c) => format!("`{c}` begins a text of several lines in YAML, and this is none"),
            Trap::Quote(_) => {
                "the text does not end where its quotes end, or a closing quote is missing".to_owned()
            }
            Trap::Colon => {
                "a colon and a space inside a text without quotes make a map of it in YAML".to_owned()
            }
        };
        let remedy = match self.trap {
            Trap::Bracket(_) if !secret => {
                format!(
                    "{QUOTE_IT}; if a list or map is meant, do so with every text in it, and close the bracket"
                )
            }
            _ => QUOTE_IT.to_owned(),
        };
        (message, remedy)
    }
}

/// What to tell of an anchor (`&`), an alias (`*`) or a tag (`!`).
pub(super) fn explain_mark(mark: char, secret: bool) -> (String, String) {
    if secret {
        return ("YAML does not read this value as plain text".to_owned(), QUOTE_IT.to_owned());
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

/// The parser's error in plain words, and what to do. It repeats nothing of the file.
pub(super) fn explain(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as E;
    match kind {
        kind if tabs(kind) => (
            "there is a tab here, and YAML takes only spaces for indentation",
            "replace every tab in the file by two spaces; nothing else could be checked",
        ),
        E::DirectiveDisallowed => (
            "a line that begins with `%` is an instruction to YAML, and this file knows none",
            "take the line out; a command belongs in single quotes",
        ),
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            ("a quote is opened here and never closed", "close it with the same quote")
        }
        E::UnknownQuotedScalarEscape | E::InvalidQuotedScalarHexEscape => (
            "there is a backslash in double quotes that YAML does not know",
            "use single quotes, in which a backslash is only a backslash",
        ),
        kind if in_brackets(kind) => (
            "a list in `[]` or a map in `{}` does not read as one: a comma or a closing bracket is missing",
            "separate entries by commas, close every bracket, put texts in single quotes",
        ),
        E::UnexpectedCharacter { character } if character.is_control() => {
            ("there is a character here that cannot be seen, and YAML does not take it", "type the line anew")
        }
        E::RecursionLimitExceeded => (
            "the file is nested deeper than any configuration needs to be",
            "compare it with the rewards.yaml that came with Votive",
        ),
        E::MappingValueNotAllowed
        | E::InvalidIndentation
        | E::ExpectedBlockMappingKey
        | E::ExpectedBlockSequenceEntry => (
            "this line does not line up with the lines above it",
            "keys of one section begin in one column, and so do the `-` of one list; count the spaces in front",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => (
            "a `key: value` is expected here, and there is no colon with a space behind it",
            "write `key: value`, or indent the line if it belongs to the text above",
        ),
        E::CommentInterceptedScalar => (
            "a comment stands in the middle of a text of several lines",
            "put the text in single quotes, on one line",
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
    fn the_value_of_a_line() {
        assert_eq!(value("  - run: say: hi"), (9, "say: hi"));
        assert_eq!(value("  - @a: x"), (4, "@a: x"));
        assert_eq!(value("- - x"), (4, "x"));
        assert_eq!(value("a-b.c:"), (6, ""));
        assert_eq!(value("'ä b': {x"), (7, "{x"));
        assert_eq!(value(""), (0, ""));
    }

    #[test]
    fn quoting_keeps_lines_and_the_column_of_the_text() {
        let mut mender = Mender::new("a:\n  - it's {x\n");
        assert!(mender.quote(2, 4, Trap::Colon));
        assert_eq!(mender.text(), "a:\n  - 'it''s {x'\n");
    }

    #[test]
    fn a_line_that_others_hang_from_is_never_left_out() {
        let mut mender = Mender::new("a:\n  b:\n");
        assert!(!mender.leave_out(2, None));
        assert!(!mender.leave_out(9, None));
    }
}
