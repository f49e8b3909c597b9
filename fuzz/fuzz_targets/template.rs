//! A nickname, a command of `rewards.yaml`, and what becomes of both.
#![no_main]

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use libfuzzer_sys::fuzz_target;
use votive::domain::counter::Count;
use votive::domain::player::{BadName, LONGEST_NAME, PlayerName};
use votive::domain::template::{Finding, LONGEST_COMMAND, Template, Unsendable, Values};

// A nickname on the first line, a command below.
fuzz_target!(|text: &str| {
    let (nickname, command) = text.split_once('\n').unwrap_or(("Steve", text));
    let player = check_name(nickname).unwrap_or_else(|| "Steve".to_owned());
    // What is put in is never looked at again, whatever it looks like.
    let own = BTreeMap::from([("prefix".to_owned(), "{player}".to_owned())]);
    let values = |player, server| Values {
        player,
        server,
        server_id: 7,
        vote_id: "e-1",
        user_id: 42,
        count: Count { votes: 50, today: 2, month: 20, streak: 5, streak_before: 4 },
        votes_to_next: 3,
        voted_at: DateTime::constant(2026, 12, 24, 18, 5, 0, 0),
        reward: "daily",
        own: &own,
    };
    for values in [values(&player, "survival"), values("{server}", "{{player}}")] {
        let (template, findings) = Template::parse(command, &own.keys().map(String::as_str).collect());
        let (expected, expected_findings) = fill_in(command, values);
        assert_eq!(findings, expected_findings);
        match template.render(&values) {
            Ok(rendered) => {
                assert!(rendered.len() <= LONGEST_COMMAND && !rendered.contains(char::is_control));
                assert_eq!(rendered, expected);
            }
            Err(Unsendable::NoValue(name)) => panic!("{name} has one"),
            Err(Unsendable::ControlCharacter) => assert!(expected.contains(char::is_control)),
            Err(Unsendable::TooLong(length)) => {
                assert_eq!(length, expected.len());
                assert!(length > LONGEST_COMMAND);
            }
        }
    }
});

/// Whatever passes for a name is one, with a Bedrock prefix and without.
fn check_name(nickname: &str) -> Option<String> {
    for prefix in [None, Some('.'), Some('+'), Some('-'), Some('_')] {
        let Ok(name) = PlayerName::parse(nickname, prefix) else { continue };
        let text = name.as_str();
        let bare = prefix.and_then(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
        assert!(!bare.is_empty() && text.len() <= LONGEST_NAME);
        assert!(bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert_eq!(text, nickname.replace(' ', "_"), "another player's name");
        assert_eq!(PlayerName::parse(text, prefix).as_ref(), Ok(&name));
        assert!(!nickname.contains(' ') || bare != text, "only a Bedrock name can have spaces");
    }
    let java: Result<PlayerName, BadName> = PlayerName::parse(nickname, None);
    java.ok().map(|name| name.as_str().to_owned())
}

/// The rules of placeholders once more, character by character.
fn fill_in(command: &str, values: Values<'_>) -> (String, Vec<Finding>) {
    let (mut filled, mut findings, mut rest) = (String::new(), Vec::new(), command);
    while let Some(first) = rest.chars().next() {
        if let Some((name, after)) = between(rest, "{{", "}}", is_name) {
            filled += &format!("{{{name}}}");
            rest = after;
        } else if let Some((name, after)) = between(rest, "{", "}", is_name) {
            match name {
                "player" => filled += values.player,
                "server" => filled += values.server,
                "server_id" => filled += "7",
                "vote_id" => filled += "e-1",
                "user_id" => filled += "42",
                "votes" => filled += "50",
                "votes_today" => filled += "2",
                "votes_month" => filled += "20",
                "streak" => filled += "5",
                "votes_to_next" => filled += "3",
                "date" => filled += "2026-12-24",
                "time" => filled += "18:05",
                "reward" => filled += "daily",
                "prefix" => filled += "{player}",
                unknown => {
                    findings.push(Finding::UnknownPlaceholder(unknown.to_owned()));
                    filled += &format!("{{{unknown}}}");
                }
            }
            rest = after;
        } else if let Some((word, after)) = between(rest, "%", "%", is_percent_word) {
            if word == "player" {
                filled += values.player;
            } else {
                findings.push(Finding::PercentWord(format!("%{word}%")));
                filled += &format!("%{word}%");
            }
            rest = after;
        } else {
            filled.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    (filled, findings)
}

/// What stands between `open` at the start of a text and the next `close`, if it fits; and all behind it.
fn between<'a>(text: &'a str, open: &str, close: &str, fits: fn(&str) -> bool) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(open)?.split_once(close).filter(|(inner, _)| fits(inner))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_percent_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    !text.is_empty() && text.bytes().all(allowed)
}
