//! Receipts: marks in the game's own storage that prove whether a step ran (contract/rcon.md).
//!
//! A step is announced first: its mark says `0b`. The command that follows runs only while the mark does not say `1b`,
//! and turns it into `1b` in the same moment in which it takes effect. So the mark tells afterwards which it was, and a
//! mark that is missing tells that the world went back to a time before the announcement, or never was this one: it
//! proves nothing.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::event::EventKey;
use super::reply::plain;
use super::template::LONGEST_COMMAND;

/// What Paper takes before its game's own commands.
const PREFIX: &str = "minecraft:";
/// Where all marks are.
const STORAGE: &str = "votive:receipts";

/// The mark of one step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// The step ran.
    Ran,
    /// It did not run, or it ran into an error of the game and did nothing.
    NotRun,
    /// There is no mark: the world is not the one in which the step was announced, or one from before it.
    Missing,
    /// The answer is none that a game with data storage gives.
    Unreadable,
}

impl Key {
    /// The mark of the step with this serial number of one award; no two steps share one, as serial numbers are never
    /// reused.
    pub fn of(event: &EventKey, reward: &str, serial: u32) -> Self {
        // None of the parts can hold a zero.
        let parts = [&event.event_type, &event.event_id, reward, &serial.to_string()].join("\0");
        let digest = Sha256::digest(parts.as_bytes());
        Key(base16ct::lower::encode_string(&digest[..16]))
    }

    fn path(&self) -> String {
        format!("v.\"{}\"", self.0)
    }

    fn unless_ran(&self) -> String {
        format!("execute unless data storage {STORAGE} {{v:{{\"{}\":1b}}}}", self.0)
    }

    /// The command that announces the step. It changes nothing where the step ran.
    pub fn announce(&self) -> String {
        format!("{} run data modify storage {STORAGE} {} set value 0b", self.unless_ran(), self.path())
    }

    /// The command that runs `command` unless it ran, and turns the mark.
    pub fn guard(&self, command: &str) -> String {
        let store = format!("store success storage {STORAGE} {} byte 1", self.path());
        format!("{} {store} run {command}", self.unless_ran())
    }

    /// The command that asks what the mark says.
    pub fn ask(&self) -> String {
        format!("data get storage {STORAGE} {}", self.path())
    }

    /// The command that takes the mark out of the game.
    pub fn remove(&self) -> String {
        format!("data remove storage {STORAGE} {}", self.path())
    }
}

// Constant patterns: `tests` use each of them.
#[allow(clippy::unwrap_used)]
mod texts {
    use super::{LazyLock, Regex};

    pub(super) static CONTENTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^Storage votive:receipts has the following contents: ([01])b$").unwrap()
    });
}

/// Reads the answer to [`Key::ask`].
pub fn read(reply: &str) -> Reading {
    let reply = plain(reply);
    match texts::CONTENTS.captures(&reply) {
        Some(contents) if &contents[1] == "1" => Reading::Ran,
        Some(_) => Reading::NotRun,
        // It names the path as far as there is one: `v`, or `v."…"`.
        None if reply.starts_with("Found no elements matching v") => Reading::Missing,
        None => Reading::Unreadable,
    }
}

/// Whether the answer to [`Key::announce`] shows that the game keeps marks. Where it does not, it may still be that the
/// mark was there already, which is said by silence.
pub fn is_announced(reply: &str) -> bool {
    plain(reply) == format!("Modified storage {STORAGE}")
}

/// Commands that are the game's own, whatever plug-ins there are, and whose success is what a mark takes for it. Not
/// among them is `function`: one that returns nothing stores nothing, so its mark would say `0b` although it ran.
const VANILLA: [&str; 23] = [
    "advancement",
    "attribute",
    "bossbar",
    "clear",
    "data",
    "effect",
    "enchant",
    "experience",
    "fill",
    "give",
    "item",
    "loot",
    "particle",
    "playsound",
    "recipe",
    "scoreboard",
    "setblock",
    "summon",
    "tag",
    "team",
    "tellraw",
    "title",
    "xp",
];

/// A command of the game's own in the form that reaches it past plug-ins, where the game takes that form; any other as
/// it is. Behind an `execute` a plug-in's `give` always counts as success.
pub fn past_plugins(command: &str) -> Cow<'_, str> {
    if is_vanilla(command) && !command.starts_with(PREFIX) {
        format!("{PREFIX}{command}").into()
    } else {
        command.into()
    }
}

/// Whether a command is too long to be sent with a guard before it.
pub fn is_too_long(command: &str) -> bool {
    let any = Key("0".repeat(32));
    any.guard(command).len() + PREFIX.len() > LONGEST_COMMAND
}

/// Whether a command is the game's own and can leave a receipt.
pub fn is_vanilla(command: &str) -> bool {
    let name = command.split(' ').next().unwrap_or_default();
    VANILLA.contains(&name.strip_prefix(PREFIX).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(event_type: &str, id: &str, reward: &str, serial: u32) -> Key {
        Key::of(&EventKey::new(event_type, id), reward, serial)
    }

    #[test]
    fn every_step_has_a_mark_of_its_own() {
        let mut keys = vec![
            key("server.vote", "e-1", "daily", 0),
            key("server.vote", "e-1", "daily", 1),
            key("server.vote", "e-1", "daily1", 0),
            key("server.vote", "e-11", "daily", 0),
            key("server.vote", "e-1", "daily", 10),
            key("votive.test", "e-1", "daily", 0),
        ];
        assert!(keys.iter().all(|Key(key)| key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit())));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 6);
    }

    #[test]
    fn the_commands_of_the_fact_sheet() {
        let key = Key("00ff".to_owned());
        assert_eq!(
            key.guard("give Steve diamond 5"),
            r#"execute unless data storage votive:receipts {v:{"00ff":1b}} store success storage votive:receipts v."00ff" byte 1 run give Steve diamond 5"#
        );
        assert_eq!(
            key.announce(),
            r#"execute unless data storage votive:receipts {v:{"00ff":1b}} run data modify storage votive:receipts v."00ff" set value 0b"#
        );
        assert_eq!(key.ask(), r#"data get storage votive:receipts v."00ff""#);
        assert_eq!(key.remove(), r#"data remove storage votive:receipts v."00ff""#);
    }

    #[test]
    fn readings() {
        for (reply, reading) in [
            ("Storage votive:receipts has the following contents: 1b", Reading::Ran),
            ("§7Storage votive:receipts has the following contents: 1b\n", Reading::Ran),
            ("Storage votive:receipts has the following contents: 0b", Reading::NotRun),
            ("Found no elements matching v.\"00ff\"", Reading::Missing),
            ("Found no elements matching v", Reading::Missing),
            ("", Reading::Unreadable),
            ("Storage votive:receipts has the following contents: {v: 1b}", Reading::Unreadable),
            ("Incorrect argument for command at position 9: data get <--[HERE]", Reading::Unreadable),
        ] {
            assert_eq!(read(reply), reading, "{reply}");
        }
        assert!(is_announced("Modified storage votive:receipts\n"));
        assert!(!is_announced("") && !is_announced("Unknown command. Type /help"));
    }

    #[test]
    fn a_guard_takes_its_part_of_the_longest_command() {
        let guard = Key("0".repeat(32)).guard("").len();
        assert!((150..180).contains(&guard), "{guard}");
        let longest = LONGEST_COMMAND - guard - PREFIX.len();
        assert!(!is_too_long(&"x".repeat(longest)) && is_too_long(&"x".repeat(longest + 1)));
    }

    #[test]
    fn what_is_vanillas_own() {
        for command in ["give Steve diamond", "minecraft:give Steve diamond", "xp add Steve 1"] {
            assert!(is_vanilla(command), "{command}");
        }
        for command in
            ["lp user Steve parent add vip", "function votes:daily", "essentials:give Steve", "", "give"]
        {
            assert_eq!(is_vanilla(command), command == "give", "{command}");
        }
        for (command, form) in [
            ("give Steve diamond", "minecraft:give Steve diamond"),
            ("minecraft:give Steve diamond", "minecraft:give Steve diamond"),
            ("eco give Steve 5", "eco give Steve 5"),
        ] {
            assert_eq!(past_plugins(command), form);
        }
    }
}
