//! Who is online, read from what `list` and its substitutes answer (contract/rcon.md).

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::Serialize;

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

/// The form of an answer to `list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListStyle {
    /// What the owner's own pattern reads.
    OwnPattern,
    /// `There are 2 of a max of 20 players online: A, B`, and what older versions say.
    Vanilla,
    /// `There are no players online.`, from servers that are not vanilla.
    NoPlayersOnline,
    /// `Players (2): A, B`
    PlayersCounted,
    /// EssentialsX, which shows nicknames and hides who is vanished.
    Essentials,
}

/// What one answer to `list` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Online {
    style: ListStyle,
    /// How many players it speaks of, where that is a number.
    count: Option<usize>,
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

    /// The form in which it was said.
    pub fn style(&self) -> ListStyle {
        self.style
    }

    /// How many players are online; `None` for a number that no game has.
    pub fn count(&self) -> Option<usize> {
        self.count
    }

    /// Whether it tells of everybody who is not in it that they are not there. Of those whose name may decorate another
    /// it does not, even then.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// From the entries of a list. Where an entry has several words, any of them may be the name.
    fn from_entries(
        style: ListStyle,
        count: Option<usize>,
        entries: impl IntoIterator<Item = Vec<String>>,
        complete: bool,
    ) -> Self {
        let (names, perhaps) = (HashSet::new(), HashSet::new());
        let mut online = Online { style, count, names, perhaps, complete };
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
        let entries = names.iter().map(|name| entry(name));
        return Some(Online::from_entries(ListStyle::OwnPattern, Some(names.len()), entries, true));
    }
    if texts::NOBODY.is_match(&plain) {
        return Some(Online::from_entries(ListStyle::NoPlayersOnline, Some(0), [], true));
    }
    let count = |captures: &Captures<'_>| captures["count"].parse().ok();
    if let Some(captures) = texts::ESSENTIALS.captures(&plain) {
        // It shows nicknames, and hides who is vanished: absence proves nothing, even at 0.
        let groups = captures.name("names").map_or("", |names| names.as_str()).lines();
        let entries = groups.map(without_group).flat_map(|names| names.split(','));
        let style = ListStyle::Essentials;
        return Some(Online::from_entries(style, count(&captures), entries.map(entry), false));
    }
    let (style, captures) = match texts::VANILLA.captures(&plain) {
        Some(captures) => (ListStyle::Vanilla, captures),
        None => (ListStyle::PlayersCounted, texts::PLAYERS.captures(&plain)?),
    };
    let names = captures.name("names").map_or("", |names| names.as_str());
    let entries = names.split([',', '\n']).map(entry);
    // One that is nothing but decoration may be somebody all the same, and then the names are fewer than the count.
    let entries: Vec<Vec<String>> = entries.filter(|words| !words.is_empty()).collect();
    let count = count(&captures);
    let complete = count == Some(entries.len());
    Some(Online::from_entries(style, count, entries, complete))
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
    fn the_form_of_a_list_and_how_many_it_speaks_of() {
        let own = ReplyRules { list: Some(Regex::new(r"^Now: (.*)").unwrap()), ..ReplyRules::default() };
        for (reply, rules, style, count) in [
            ("There are 2 of a max of 20 players online: A, B", None, ListStyle::Vanilla, Some(2)),
            ("There are 1/20 players online:\nA", None, ListStyle::Vanilla, Some(1)),
            ("There are no players online.", None, ListStyle::NoPlayersOnline, Some(0)),
            ("Players (3): A, B", None, ListStyle::PlayersCounted, Some(3)),
            ("There are 1/2 out of maximum 20 players online.", None, ListStyle::Essentials, Some(1)),
            ("Now: A;B", Some(&own), ListStyle::OwnPattern, Some(2)),
            ("Players (99999999999999999999): A", None, ListStyle::PlayersCounted, None),
        ] {
            let online = read_list(reply, rules.unwrap_or(&ReplyRules::default())).unwrap();
            assert_eq!((online.style(), online.count()), (style, count), "{reply}");
            let complete = !matches!(style, ListStyle::PlayersCounted | ListStyle::Essentials);
            assert_eq!(online.is_complete(), complete, "{reply}");
        }
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
