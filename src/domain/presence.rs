//! Who is online, read from what `list` and its substitutes answer (contract/rcon.md).

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::player::PlayerName;
use super::reply::{ReplyRules, plain};

/// Whether a player is online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The player is in the game.
    Online,
    /// The player is not.
    Offline,
    /// The answer does not tell.
    Unknown,
}

/// What one answer to `list` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Online {
    /// Lower-cased names.
    names: HashSet<String>,
    /// Lower-cased words that may be names, or decorations of names.
    perhaps: HashSet<String>,
    /// Whether a name that is missing proves that the player is not there.
    complete: bool,
}

impl Online {
    /// What the list says of one player.
    pub fn of(&self, player: &PlayerName) -> Presence {
        let key = player.key();
        if self.names.contains(&key) {
            Presence::Online
        } else if self.complete && !self.perhaps.contains(&key) {
            Presence::Offline
        } else {
            Presence::Unknown
        }
    }

    /// From the entries of a list. Where an entry has several words, any of them may be the name.
    fn from_entries(entries: impl IntoIterator<Item = Vec<String>>, complete: bool) -> Self {
        let mut online = Online { complete, ..Online::default() };
        for mut words in entries {
            online.perhaps.extend(words.clone());
            if words.len() == 1 {
                online.names.extend(words.drain(..));
            }
        }
        online
    }
}

// Constant patterns: `tests` use each of them.
#[allow(clippy::unwrap_used)]
mod texts {
    use super::{LazyLock, Regex};

    pub(super) static BRACKETS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[[^\]]*\]|\([^)]*\)").unwrap());
    /// `There are 2 of a max of 20 players online: A, B`, older `of a max 20`, and 1.12's `2/20 players online:`.
    pub(super) static VANILLA: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?s)^There are (?P<count>\d+)(?:/\d+| of a max(?: of)? \d+) players online\b[:.]?(?P<names>.*)$",
        )
        .unwrap()
    });
    pub(super) static NOBODY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^There are no players online\.?$").unwrap());
    /// `Players (1): VoterOne`
    pub(super) static PLAYERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s)^Players \((?P<count>\d+)\):(?P<names>.*)$").unwrap());
    /// EssentialsX, with `visible/all` where somebody is vanished, and a line for each group.
    pub(super) static ESSENTIALS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?s)^There are (?P<count>\d+)(?:/\d+)? out of maximum \d+ players online\b\.?(?P<names>.*)$",
        )
        .unwrap()
    });
}

/// Reads an answer to `list`; `None` where nobody can read it.
pub fn read_list(reply: &str, rules: &ReplyRules) -> Option<Online> {
    let plain = plain(reply);
    if let Some(pattern) = &rules.list {
        let captures = pattern.captures(&plain)?;
        let names = words(captures.get(1).map_or("", |group| group.as_str()));
        return Some(Online::from_entries(names.iter().map(|name| entry(name)), true));
    }
    if texts::NOBODY.is_match(&plain) {
        return Some(Online { complete: true, ..Online::default() });
    }
    if let Some(captures) = texts::ESSENTIALS.captures(&plain) {
        // It shows nicknames, and hides who is vanished: absence proves nothing, even at 0.
        let groups = captures.name("names").map_or("", |names| names.as_str()).lines();
        let entries = groups.map(without_group).flat_map(|names| names.split(','));
        return Some(Online::from_entries(entries.map(entry), false));
    }
    let captures = texts::VANILLA.captures(&plain).or_else(|| texts::PLAYERS.captures(&plain))?;
    let names = captures.name("names").map_or("", |names| names.as_str());
    let entries = names.split([',', '\n']).map(entry);
    // One that is nothing but decoration may be somebody all the same, and then the names are fewer than the count.
    let entries: Vec<Vec<String>> = entries.filter(|words| !words.is_empty()).collect();
    let complete = captures["count"].parse() == Ok(entries.len());
    Some(Online::from_entries(entries, complete))
}

/// Reads an answer to `execute if entity NAME`.
pub fn read_entity_test(reply: &str) -> Presence {
    let plain = plain(reply);
    if plain.starts_with("Test passed") {
        Presence::Online
    } else if plain.starts_with("Test failed") {
        Presence::Offline
    } else {
        Presence::Unknown
    }
}

/// A line of names without the name of their group.
fn without_group(line: &str) -> &str {
    line.split_once(": ").map_or(line, |(_group, names)| names)
}

/// The words of an entry of a list. It may be decorated, by a team's prefix, say: what is in brackets is no name.
fn entry(text: &str) -> Vec<String> {
    words(&texts::BRACKETS.replace_all(text, " "))
}

/// The words of a text, lower-cased.
fn words(text: &str) -> Vec<String> {
    let apart = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '~' | ':');
    text.split(apart).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(reply: &str, name: &str) -> Option<Presence> {
        let player = PlayerName::parse(name, Some('.')).unwrap();
        read_list(reply, &ReplyRules::default()).map(|online| online.of(&player))
    }

    #[test]
    fn complete_lists_prove_absence() {
        for list in [
            "There are 2 of a max of 20 players online: Steve, Alex",
            "There are 2 of a max 20 players online: Steve, Alex",
            "There are 2/20 players online:\nSteve, Alex",
            "There are 2/20 players online:Steve, Alex",
            "§6Players (2): §cSteve, Alex",
            "There are 2 of a max of 20 players online: [VIP] Steve, Alex [Mod]",
        ] {
            assert_eq!(ask(list, "steve"), Some(Presence::Online), "{list}");
            assert_eq!(ask(list, "Alex"), Some(Presence::Online), "{list}");
            assert_eq!(ask(list, "Ste"), Some(Presence::Offline), "{list}");
        }
        for list in [
            "There are no players online.",
            "There are 0 of a max of 20 players online: ",
            "Players (0):",
            "There are 0/20 players online:",
        ] {
            assert_eq!(ask(list, "Steve"), Some(Presence::Offline), "{list}");
        }
    }

    #[test]
    fn what_decorates_a_name_is_no_player() {
        let list = "There are 2 of a max of 20 players online: [VIP] Steve, Owner Alex";
        assert_eq!(ask(list, "Vip"), Some(Presence::Offline));
        assert_eq!(ask(list, "Steve"), Some(Presence::Online));
        for word in ["Owner", "Alex"] {
            assert_eq!(ask(list, word), Some(Presence::Unknown), "one of them is the player");
        }
    }

    #[test]
    fn a_bedrock_prefix_is_part_of_the_name() {
        let list = "There are 1 of a max of 20 players online: .Steve";
        assert_eq!(ask(list, ".Steve"), Some(Presence::Online));
        assert_eq!(ask(list, "Steve"), Some(Presence::Offline));
    }

    #[test]
    fn essentials_shows_nicknames_so_absence_proves_nothing() {
        let list = "§6There are §c2§6 out of maximum §c20§6 players online.\n§6admin§r: [AFK]§4~Boss§r\n§6default§r: Steve§f";
        assert_eq!(ask(list, "Steve"), Some(Presence::Online));
        assert_eq!(ask(list, "Alex"), Some(Presence::Unknown));
        assert_eq!(ask(list, "admin"), Some(Presence::Unknown), "that is a group");
        assert_eq!(ask("There are 0/1 out of maximum 20 players online.", "Alex"), Some(Presence::Unknown));
    }

    #[test]
    fn a_count_that_the_names_do_not_bear_out_proves_nothing() {
        assert_eq!(ask("There are 3 of a max of 20 players online: Steve", "Alex"), Some(Presence::Unknown));
        assert_eq!(ask("There are 2/20 players online: [Alex], Steve", "Alex"), Some(Presence::Unknown));
        assert_eq!(ask("Players (1)::", "Steve"), Some(Presence::Unknown));
    }

    #[test]
    fn what_nobody_can_read() {
        for reply in [
            "",
            "Unknown command",
            "Hello",
            "There are players",
            "There are 1/20 players onlineSteve",
            "There are 1 out of maximum 20 players onlineSteve",
        ] {
            assert_eq!(ask(reply, "Steve"), None, "{reply}");
        }
    }

    #[test]
    fn the_owners_own_pattern() {
        let rules =
            ReplyRules { list: Some(Regex::new(r"^Online now \[(.*)\]").unwrap()), ..ReplyRules::default() };
        let online = read_list("Online now [Steve;Alex Bob]", &rules).unwrap();
        assert_eq!(online.of(&PlayerName::parse("bob", None).unwrap()), Presence::Online);
        assert_eq!(online.of(&PlayerName::parse("Ann", None).unwrap()), Presence::Offline);
        assert_eq!(read_list("There are no players online.", &rules), None);
    }

    #[test]
    fn the_entity_test() {
        assert_eq!(read_entity_test("Test passed, count: 1"), Presence::Online);
        assert_eq!(read_entity_test("Test failed"), Presence::Offline);
        assert_eq!(read_entity_test(""), Presence::Unknown);
    }
}
