//! JSON on standard output, for programs. It may end up on a terminal all the same.

use std::io::{self, Write};

use serde::Serialize;

/// Prints a document on a line of its own.
pub(super) fn line(document: &impl Serialize) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", harmless(&serde_json::to_string(document)?))
}

/// Prints a document on several lines.
pub(super) fn pretty(document: &impl Serialize) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", harmless(&serde_json::to_string_pretty(document)?))
}

/// The same JSON, in which what does not show, or turns what is beside it around, is escaped as JSON escapes: a terminal
/// obeys more than JSON has escaped. Only strings hold anything but ASCII.
pub(super) fn harmless(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for c in json.chars() {
        if (c.is_ascii() && c != '\x7f') || c.escape_debug().count() == 1 {
            harmless.push(c);
        } else {
            harmless.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_reads_the_same() {
        let text = "Стив \u{9b}31m \u{7f} \u{202e} \u{e0001} \" \\ \n";
        let json = harmless(&serde_json::to_string(text).unwrap());
        assert_eq!(json, r#""Стив \u009b31m \u007f \u202e \udb40\udc01 \" \\ \n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
