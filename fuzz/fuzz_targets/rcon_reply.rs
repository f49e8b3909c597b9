//! What a game server answers to a command: nothing but the player's own gift counts as given.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use regex::Regex;
use votive::domain::player::PlayerName;
use votive::domain::reply::{Meaning, ReplyRules, plain, read};

/// Commands that say something when they work, and whom they are for (contract/rcon.md).
const SPEAKING: [&str; 7] = [
    "give Steve minecraft:diamond 5",
    "minecraft:give Steve diamond",
    "effect give Steve minecraft:speed 30",
    "effect Steve speed 30",
    "xp add Steve 10",
    "xp 10 Steve",
    "experience add Steve 10",
];

/// Commands that may stay silent.
const SILENT: [&str; 3] = ["lp user Steve parent add vip", "say hi", "execute as Steve run give @s diamond"];

// A command on the first line, the reply to it below; the reply is also read as one to each of the commands above.
fuzz_target!(|text: &str| {
    let player = PlayerName::parse("Steve", None).expect("a good name");
    let rules = ReplyRules::default();
    let (command, reply) = text.split_once('\n').unwrap_or(("", text));
    let said = plain(reply);
    assert_eq!(plain(&said), said);
    assert!(!said.starts_with(char::is_whitespace) && !said.ends_with(char::is_whitespace));

    let any = read(reply, command, &player, &rules);
    assert_eq!(any, read(&said, command, &player, &rules), "colours make a difference");
    let middle = ["Error executing:", "An unexpected error", "An internal error"];
    let broke_off = middle.iter().any(|text| said.starts_with(text));
    assert!(!broke_off || matches!(any, Meaning::InDoubt(_)));

    for command in SPEAKING {
        let meaning = read(reply, command, &player, &rules);
        if said.is_empty() || broke_off {
            assert!(matches!(meaning, Meaning::InDoubt(_)), "{meaning:?} for {command}");
        }
        if meaning == Meaning::Done {
            // EssentialsX shows the name that the player goes by, which proves nothing either way.
            let giving = said.starts_with("Giving ");
            assert!(giving || words(&said).any(|word| word.eq_ignore_ascii_case("Steve")), "nobody got it");
        }
        // Some servers count the players that they found.
        if said.strip_prefix("Gave ").is_some_and(|rest| rest.ends_with(" to 0")) {
            assert_eq!(meaning, Meaning::Offline);
        }
    }
    for command in SILENT {
        let meaning = read(reply, command, &player, &rules);
        assert!(!said.is_empty() || meaning == Meaning::Done, "{meaning:?} for {command}");
    }

    // The owner's rules come first.
    let [success, offline, failure] = &*OWN;
    assert_eq!(read(reply, command, &player, success), Meaning::Done);
    assert_eq!(read(reply, command, &player, offline), Meaning::Offline);
    assert!(matches!(read(reply, command, &player, failure), Meaning::Rejected(_)));
});

/// An owner's rules for any reply: for success alone, for offline as well, for failure as well.
static OWN: LazyLock<[ReplyRules; 3]> = LazyLock::new(|| {
    let any = || vec![Regex::new("^").expect("a good pattern")];
    let success = ReplyRules { success: any(), ..ReplyRules::default() };
    let offline = ReplyRules { offline: any(), ..success.clone() };
    let failure = ReplyRules { failure: any(), ..offline.clone() };
    [success, offline, failure]
});

/// What could be names in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}
