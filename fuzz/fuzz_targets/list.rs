//! What game servers answer when they are asked who is online.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use votive::domain::player::PlayerName;
use votive::domain::presence::{Online, Presence, read_entity_test, read_list};
use votive::domain::reply::{ReplyRules, plain};

static OWN: LazyLock<ReplyRules> = LazyLock::new(|| ReplyRules {
    list: Some(regex::Regex::new(r"(?s)^Online: (.*)").expect("a good pattern")),
    ..ReplyRules::default()
});

// A player's name on the first line, the answer below; the name is Steve where there can be no such player.
fuzz_target!(|text: &str| {
    let (name, reply) = text.split_once('\n').unwrap_or(("", text));
    let steve = || PlayerName::parse("Steve", None);
    let player = PlayerName::parse(name, Some('.')).or_else(|_| steve()).expect("a good name");
    let said = plain(reply);

    if let Some(online) = read_list(reply, &ReplyRules::default()) {
        assert!(online.of(&player) != Presence::Offline || is_complete(&said), "absence is not proved");
    }
    for rules in [&ReplyRules::default(), &OWN] {
        let Some(online) = read_list(reply, rules) else { continue };
        assert_eq!(read_list(&said, rules).as_ref(), Some(&online), "colours make a difference");
        match online.of(&player) {
            Presence::Online => assert!(is_word(&said, &player), "{player} is not in the list"),
            Presence::Offline => assert!(!is_entry(&said, &player), "{player} is in the list"),
            Presence::Unknown => {}
        }
        same_in_any_case(&online, &player);
    }

    match read_entity_test(reply) {
        Presence::Online => assert!(said.starts_with("Test passed")),
        Presence::Offline => assert!(said.starts_with("Test failed")),
        Presence::Unknown => assert!(!said.starts_with("Test passed") && !said.starts_with("Test failed")),
    }
});

/// Whether the name stands in the text with nothing beside it that a name can have.
fn is_word(text: &str, player: &PlayerName) -> bool {
    let (text, name) = (text.to_ascii_lowercase(), player.key());
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(&name)
        .any(|(at, _)| !text[..at].ends_with(inside) && !text[at + name.len()..].starts_with(inside))
}

/// Whether the name is listed, with nothing beside it.
fn is_entry(text: &str, player: &PlayerName) -> bool {
    let names = text.split_once(':').map_or("", |(_, names)| names);
    names.split([',', '\n']).any(|entry| entry.trim().eq_ignore_ascii_case(player.as_str()))
}

/// Whether an answer can list everybody whom it counts. EssentialsX hides some, and shows nicknames.
fn is_complete(text: &str) -> bool {
    let end_of_header = if text.starts_with("Players (") { "):" } else { "players online" };
    let (header, names) = text.split_once(end_of_header).unwrap_or((text, ""));
    let listed = names.split([',', '\n']).filter(|entry| !entry.trim().is_empty()).count();
    let count = header.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
    let count: Result<usize, _> = count.map_or(Ok(0), str::parse);
    count.is_ok_and(|count| count <= listed) && !header.contains(" out of maximum ")
}

fn same_in_any_case(online: &Online, player: &PlayerName) {
    for other in [player.as_str().to_ascii_uppercase(), player.as_str().to_ascii_lowercase()] {
        let other = PlayerName::parse(&other, Some('.')).expect("a good name");
        assert_eq!(online.of(&other), online.of(player));
    }
}
