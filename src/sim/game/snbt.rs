//! The values of data storage, in the text form that commands have them in (SNBT): read, printed, matched. Of the
//! kinds of numbers, those that receipts and their like need; all others are taken for text.

use std::collections::BTreeMap;
use std::fmt;

use super::reader::{Reader, Refusal};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Byte(i8),
    Int(i32),
    Long(i64),
    Text(String),
    List(Vec<Value>),
    Compound(BTreeMap<String, Value>),
}

/// What a storage holds that nobody has written to.
pub(super) static EMPTY: Value = Value::Compound(BTreeMap::new());

/// Characters of keys and values that need no quotes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.+".contains(c)
}

impl Value {
    /// Reads the value at which the reader stands.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Value, Refusal> {
        reader.skip_spaces();
        match reader.peek() {
            Some('{') => Value::compound(reader),
            Some('[') => Value::list(reader),
            Some('"' | '\'') => reader.quoted().map(Value::Text),
            _ => match reader.take_while(is_plain) {
                "" => Err(reader.wrong_here("Expected value")),
                word => Ok(Value::of(word)),
            },
        }
    }

    /// Reads a compound and nothing else.
    pub(super) fn compound(reader: &mut Reader<'_>) -> Result<Value, Refusal> {
        let mut compound = BTreeMap::new();
        reader.expect('{')?;
        reader.skip_spaces();
        while reader.peek() != Some('}') {
            let key = match reader.peek() {
                Some('"' | '\'') => reader.quoted()?,
                _ => reader.take_while(is_plain).to_owned(),
            };
            if key.is_empty() {
                return Err(reader.wrong_here("Expected key"));
            }
            reader.skip_spaces();
            reader.expect(':')?;
            compound.insert(key, Value::read(reader)?);
            if !reader.comma() {
                break;
            }
        }
        reader.expect('}')?;
        Ok(Value::Compound(compound))
    }

    fn list(reader: &mut Reader<'_>) -> Result<Value, Refusal> {
        let mut list = Vec::new();
        reader.expect('[')?;
        reader.skip_spaces();
        while reader.peek() != Some(']') {
            list.push(Value::read(reader)?);
            if !reader.comma() {
                break;
            }
        }
        reader.expect(']')?;
        Ok(Value::List(list))
    }

    /// What a word without quotes means.
    fn of(word: &str) -> Value {
        let lower = word.to_ascii_lowercase();
        let number = match lower.as_str() {
            "true" => Some(Value::Byte(1)),
            "false" => Some(Value::Byte(0)),
            _ => match (lower.strip_suffix('b'), lower.strip_suffix('l')) {
                (Some(byte), _) => byte.parse().ok().map(Value::Byte),
                (_, Some(long)) => long.parse().ok().map(Value::Long),
                _ => lower.parse().ok().map(Value::Int),
            },
        };
        number.unwrap_or_else(|| Value::Text(word.to_owned()))
    }

    /// Whether this has all that `pattern` has. What a compound has besides, or a list, does not matter; numbers of
    /// different kinds are never the same.
    pub(super) fn matches(&self, pattern: &Value) -> bool {
        match (self, pattern) {
            (Value::Compound(own), Value::Compound(pattern)) => {
                (pattern.iter()).all(|(key, wanted)| own.get(key).is_some_and(|value| value.matches(wanted)))
            }
            (Value::List(own), Value::List(pattern)) if pattern.is_empty() => own.is_empty(),
            (Value::List(own), Value::List(pattern)) => {
                pattern.iter().all(|wanted| own.iter().any(|value| value.matches(wanted)))
            }
            (own, pattern) => own == pattern,
        }
    }

    /// Puts everything of `other` in here, compounds into compounds, all else over what was there.
    pub(super) fn merge(&mut self, other: Value) {
        match (self, other) {
            (Value::Compound(own), Value::Compound(other)) => {
                for (key, value) in other {
                    match own.get_mut(&key) {
                        Some(old) => old.merge(value),
                        None => drop(own.insert(key, value)),
                    }
                }
            }
            (own, other) => *own = other,
        }
    }

    /// What the value is to `execute store result`: a number itself, of all else the length.
    pub(super) fn result(&self) -> i64 {
        let length = match self {
            Value::Byte(number) => return i64::from(*number),
            Value::Int(number) => return i64::from(*number),
            Value::Long(number) => return *number,
            Value::Text(text) => text.encode_utf16().count(),
            Value::List(list) => list.len(),
            Value::Compound(compound) => compound.len(),
        };
        i64::try_from(length).unwrap_or(i64::MAX)
    }
}

/// As the game prints it: a space behind every colon and comma, keys in quotes where they begin with a digit (1.21.5).
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Byte(number) => write!(f, "{number}b"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Long(number) => write!(f, "{number}L"),
            Value::Text(text) => write!(f, "{}", quote(text)),
            Value::List(list) => {
                let values: Vec<String> = list.iter().map(Value::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
            Value::Compound(compound) => {
                let pairs = compound.iter().map(|(key, value)| {
                    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || "_.".contains(c));
                    let key = if begins && key.chars().all(is_plain) { key.clone() } else { quote(key) };
                    format!("{key}: {value}")
                });
                write!(f, "{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// In double quotes, or in single ones where the text has only double ones.
fn quote(text: &str) -> String {
    let quote = if text.contains('"') && !text.contains('\'') { '\'' } else { '"' };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        if c == quote || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::read(&mut Reader::new(text)).expect(text)
    }

    #[test]
    fn values_are_printed_as_the_game_prints_them() {
        for (read, printed) in [
            ("1b", "1b"),
            ("-1B", "-1b"),
            ("true", "1b"),
            ("128b", r#""128b""#),
            ("7", "7"),
            ("7l", "7L"),
            ("a.b", r#""a.b""#),
            (r#""a 'b'""#, r#""a 'b'""#),
            (r#"'a "b"'"#, r#"'a "b"'"#),
            (r#""a\\ \"b' ""#, r#""a\\ \"b' ""#),
            ("[]", "[]"),
            ("[ 1b , x]", r#"[1b, "x"]"#),
            ("{}", "{}"),
            (r#"{ "v" : {"1f" : 1b, b:0b ,}}"#, r#"{v: {"1f": 1b, b: 0b}}"#),
        ] {
            assert_eq!(value(read).to_string(), printed, "{read}");
        }
    }

    #[test]
    fn what_is_not_a_value_is_named_with_its_place() {
        for (text, message, context) in [
            ("", "Expected value", ""),
            ("{a:1b", "Expected '}'", "{a:1b"),
            ("{a 1b}", "Expected ':'", "{a 1b}"),
            ("{:1b}", "Expected key", "{:1b}"),
            ("{a:}", "Expected value", "{a:}"),
            ("[1b", "Expected ']'", "[1b"),
            (r#""a"#, "Unclosed quoted string", r#""a"#),
            (r#""\n""#, "Invalid escape sequence 'n' in quoted string", r#""\n""#),
        ] {
            let refusal = Value::read(&mut Reader::new(text)).expect_err(text);
            let place = format!("{context}<--[HERE]");
            assert_eq!(refusal, Refusal::Syntax(vec![message.to_owned(), place]), "{text}");
        }
    }

    #[test]
    fn a_pattern_matches_what_has_more_and_not_what_has_another_value() {
        for (own, pattern, matches) in [
            ("{v:{a:1b,b:0b}}", "{v:{a:1b}}", true),
            ("{v:{a:1b}}", "{}", true),
            ("{v:{a:0b}}", "{v:{a:1b}}", false),
            ("{v:{a:1}}", "{v:{a:1b}}", false),
            ("{v:{}}", "{v:{a:1b}}", false),
            ("{v:1b}", "{v:{a:1b}}", false),
            ("[1b,2b]", "[2b]", true),
            ("[1b,2b]", "[3b]", false),
            ("[1b]", "[]", false),
            ("[]", "[]", true),
        ] {
            assert_eq!(value(own).matches(&value(pattern)), matches, "{own} {pattern}");
        }
    }
}
