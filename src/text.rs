//! Text for people: from outside, made fit for a log line; and numbers of things.

use std::fmt::{self, Write};

/// The most characters of outside text in one line.
const LONGEST: usize = 200;

/// Shows text from outside with its control characters escaped, cut to a length that a log line bears: it can
/// neither forge a line nor flood one.
#[derive(Clone, Copy, Debug)]
pub struct Outside<'a>(pub &'a str);

impl fmt::Display for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(LONGEST) {
            write!(f, "{}", c.escape_debug())?;
        }
        f.write_str(if chars.next().is_some() { "…\"" } else { "\"" })
    }
}

/// A number of things: `1 error`, `2 errors`.
pub(crate) fn counted(number: impl fmt::Display, noun: &str) -> String {
    let number = number.to_string();
    let ending = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// `text` in lines of at most `width` characters, broken between words.
pub(crate) fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text with its control characters escaped, and all that does not show or that turns what is beside it around.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => visible.push(c),
            c => visible.extend(c.escape_debug()),
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_of_bounded_length() {
        assert_eq!(Outside("Стив").to_string(), "\"Стив\"");
        assert_eq!(Outside("a\nb\u{1b}[31m\"").to_string(), r#""a\nb\u{1b}[31m\"""#);
        assert_eq!(Outside("\u{202e}x").to_string(), "\"\\u{202e}x\"");
        assert_eq!(Outside(&"a".repeat(1000)).to_string().chars().count(), LONGEST + 3);
    }

    #[test]
    fn text_is_broken_between_words_and_loses_none() {
        assert_eq!(broken("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(broken("ümläüt b", 8), ["ümläüt b"]);
        assert_eq!(broken("too-long a", 3), ["too-long", "a"]);
        assert!(broken("", 3).is_empty());
    }

    #[test]
    fn what_misleads_is_visible_and_quotes_stay_as_they_are() {
        assert_eq!(visible(r#"say "it's \ C:\""#), r#"say "it's \ C:\""#);
        assert_eq!(visible("a\nb\u{1b}[31m\u{202e}"), r"a\nb\u{1b}[31m\u{202e}");
    }
}
