//! What a game server's reply to a command means. The first rule that matches decides (contract/rcon.md).

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::player::PlayerName;

/// The owner's own rules for one game server, looked at before the built-in ones.
#[derive(Clone, Debug, Default)]
pub struct ReplyRules {
    /// The command ran.
    pub success: Vec<Regex>,
    /// The command did not run because the player is not online.
    pub offline: Vec<Regex>,
    /// The command did not run and will not.
    pub failure: Vec<Regex>,
    /// Reads the answer to `list`: its first group holds the names.
    pub list: Option<Regex>,
}

/// What became of a command that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It ran.
    Done,
    /// It ran, as far as anybody can tell: a text that no rule knows.
    Unrecognised,
    /// It did not run: the player is not online.
    Offline,
    /// It did not run: the reason, without the game's own words.
    Rejected(&'static str),
    /// It may have run: the reason, without the game's own words.
    InDoubt(&'static str),
}

/// Commands whose success is never silent, so that silence leaves them in doubt.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Give,
    Effect,
    Xp,
}

// Constant patterns: `tests` use each of them.
#[allow(clippy::unwrap_used)]
mod texts {
    use super::{LazyLock, Regex};

    pub(super) static COLOURS: LazyLock<Regex> = LazyLock::new(|| Regex::new("§.").unwrap());
    pub(super) static RAN_PARTLY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:Error executing:|An unexpected error|An internal error)").unwrap());
    pub(super) static NOT_A_COMMAND: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^Unknown (?:or incomplete )?command\b").unwrap());
    pub(super) static BAD_ARGUMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?s)<--\[HERE\]\s*$|^Unknown item '|^Incorrect argument for command|^Expected |^There is no such |^'[^']*' is not a valid number",
        )
        .unwrap()
    });
    pub(super) static REFUSED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:Unable to apply this effect|That player does not exist|Unknown scoreboard objective|Error: |Usage: )").unwrap()
    });
    pub(super) static OFFLINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:No (?:player|entity) was found|(?:Player|Entity) '[^']*' cannot be found|Error: Player not found)")
            .unwrap()
    });
    /// Vanilla's `Gave … to NAME`, 1.12's `Given … * 5 to NAME`, and their counterparts for effect and xp.
    pub(super) static GAVE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)^(?:Gave|Given|Applied effect) .* to (?P<who>[^\n]+?)(?: for \d+ seconds)?\.?\s*$")
            .unwrap()
    });
    /// EssentialsX names the display name there, so the name proves nothing.
    pub(super) static GIVING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^Giving .* to ").unwrap());
}

/// Reads `reply`, the game's answer to `command`, which was sent for `player`.
pub fn read(reply: &str, command: &str, player: &PlayerName, rules: &ReplyRules) -> Meaning {
    let plain = plain(reply);
    let any = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.is_match(&plain));
    if any(&rules.failure) {
        return Meaning::Rejected("its reply is a failure by the rules in replies.failure");
    }
    if any(&rules.offline) {
        return Meaning::Offline;
    }
    if any(&rules.success) {
        return Meaning::Done;
    }
    if texts::RAN_PARTLY.is_match(&plain) {
        return Meaning::InDoubt("the game reported an error in the middle of the command");
    }
    if texts::NOT_A_COMMAND.is_match(&plain) {
        return Meaning::Rejected("the game does not know this command");
    }
    if texts::BAD_ARGUMENT.is_match(&plain) {
        return Meaning::Rejected("the game does not accept the command as it is written");
    }
    if texts::OFFLINE.is_match(&plain) {
        return Meaning::Offline;
    }
    if texts::REFUSED.is_match(&plain) {
        return Meaning::Rejected("the game would not do it for this player");
    }
    if let Some(gave) = texts::GAVE.captures(&plain) {
        return who_got_it(&gave["who"], command, player);
    }
    if texts::GIVING.is_match(&plain) {
        return Meaning::Done;
    }
    match (plain.is_empty(), known_command(command)) {
        (false, _) => Meaning::Unrecognised,
        (true, None) => Meaning::Done,
        (true, Some(_)) => Meaning::InDoubt("the game stayed silent where it says something when it worked"),
    }
}

/// A reply without colour codes (`§` and one character) and without white space around it.
pub fn plain(reply: &str) -> Cow<'_, str> {
    match texts::COLOURS.replace_all(reply, "") {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// `Gave … to NAME` counts only when it names the player, or whom the owner's command names instead.
fn who_got_it(who: &str, command: &str, player: &PlayerName) -> Meaning {
    if who == "0" {
        // Some servers count the players that they found (contract/rcon.md).
        return Meaning::Offline;
    }
    let target = target_of(command).unwrap_or_default();
    if names(who, player.as_str()) || names(who, target) || target.starts_with('@') {
        Meaning::Done
    } else {
        Meaning::InDoubt("the reply names somebody else")
    }
}

/// Whether `text` holds `name` as a whole word, in any case.
fn names(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (text, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    !name.is_empty()
        && text
            .match_indices(&name)
            .any(|(at, _)| !text[..at].ends_with(inside) && !text[at + name.len()..].starts_with(inside))
}

/// The words of a command, its first one without the `minecraft:` that Paper takes.
fn words(command: &str) -> impl Iterator<Item = &str> {
    command.trim_start_matches("minecraft:").split_ascii_whitespace()
}

/// Whether a command says something whenever it worked, so that silence proves nothing.
pub fn success_is_told(command: &str) -> bool {
    known_command(command).is_some()
}

/// Whether `reply` says that the command does not parse: nothing of it ran.
pub fn is_syntax_error(reply: &str) -> bool {
    let plain = plain(reply);
    texts::NOT_A_COMMAND.is_match(&plain) || texts::BAD_ARGUMENT.is_match(&plain)
}

fn known_command(command: &str) -> Option<Known> {
    match words(command).next()? {
        "give" => Some(Known::Give),
        "effect" => Some(Known::Effect),
        "xp" | "experience" => Some(Known::Xp),
        _ => None,
    }
}

/// Whom a give, effect or xp command is for: `give NAME …`, `effect give NAME …`, `xp add NAME …` (1.13 and later),
/// `effect NAME …`, `xp 5 NAME` (1.12).
fn target_of(command: &str) -> Option<&str> {
    let mut words = words(command).skip(1);
    let first = words.next()?;
    match known_command(command)? {
        Known::Give => Some(first),
        Known::Effect if first == "give" || first == "clear" => words.next(),
        Known::Effect => Some(first),
        Known::Xp => words.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steve(reply: &str, command: &str) -> Meaning {
        let player = PlayerName::parse("Steve", None).unwrap();
        read(reply, command, &player, &ReplyRules::default())
    }

    const GIVE: &str = "give Steve minecraft:diamond 5";

    #[test]
    fn success_in_every_dialect() {
        for (reply, command) in [
            ("Gave 5 [Diamond] to Steve", GIVE),
            ("Gave 5 [Diamond] to steve", GIVE),
            ("Gave 5 [Diamond] to [VIP] Steve", GIVE),
            ("Given [Diamond] * 5 to Steve", GIVE),
            ("§6Giving§c 5 §6of §cdiamond §6to §c~Nicky§6.", GIVE),
            ("Applied effect Speed to Steve", "effect give Steve minecraft:speed 30"),
            ("Given Speed (ID 1) * 0 to Steve for 30 seconds", "effect Steve speed 30"),
            ("Gave 10 experience points to Steve", "xp add Steve 10"),
            ("Given 10 experience to Steve", "xp 10 Steve"),
            ("Gave 1 [Diamond] to Alex", "give Alex diamond"),
            ("Gave 1 [Diamond] to 3 players", "minecraft:give @a diamond"),
        ] {
            assert_eq!(steve(reply, command), Meaning::Done, "{reply}");
        }
    }

    #[test]
    fn a_gift_to_somebody_else_proves_nothing() {
        for reply in ["Gave 5 [Diamond] to Alex", "Gave 5 [Diamond] to Steven", "Gave 5 [Diamond] to xSteve"]
        {
            assert!(matches!(steve(reply, GIVE), Meaning::InDoubt(_)), "{reply}");
        }
    }

    #[test]
    fn offline_in_every_dialect() {
        for reply in [
            "No player was found",
            "Player 'Steve' cannot be found",
            "§cError: §4Player not found.",
            "Gave 1 * [Diamond] to 0",
            "No entity was found",
            "Entity 'Steve' cannot be found",
        ] {
            assert_eq!(steve(reply, GIVE), Meaning::Offline, "{reply}");
        }
    }

    #[test]
    fn rejections() {
        for reply in [
            "Unknown command. Try /help for a list of commands",
            "Unknown command. Type \"/help\" for help.",
            "Unknown or incomplete command, see below for error\nfoo<--[HERE]",
            "Unknown item 'minecraft:diamnd'\n...minecraft:diamnd<--[HERE]",
            "Incorrect argument for command\n...<--[HERE]",
            "Expected integer\n…<--[HERE]",
            "anything at all <--[HERE]",
            "Unable to apply this effect (target is either immune to effects, or has something stronger)",
            "That player does not exist",
            "Unknown scoreboard objective 'votes'",
            "§cError: §4Unknown item name: diamnd",
            "Usage: /give <player> <item> [amount] [data] [dataTag]",
            "There is no such mob effect with ID 999",
            "'x' is not a valid number",
        ] {
            assert!(matches!(steve(reply, GIVE), Meaning::Rejected(_)), "{reply}");
        }
    }

    #[test]
    fn an_error_in_the_middle_leaves_a_doubt() {
        for reply in [
            "Error executing: give Steve (boom)",
            "An unexpected error occurred",
            "§cAn internal error occurred",
        ] {
            assert!(matches!(steve(reply, "say hi"), Meaning::InDoubt(_)), "{reply}");
        }
    }

    #[test]
    fn silence_is_normal_except_where_success_speaks() {
        for command in ["lp user Steve parent add vip", "say hi", "execute as Steve run give @s diamond"] {
            assert_eq!(steve("", command), Meaning::Done, "{command}");
            assert_eq!(steve("§r \n", command), Meaning::Done, "{command}");
        }
        for command in [GIVE, "minecraft:give Steve diamond", "effect give Steve speed", "xp add Steve 3"] {
            assert!(matches!(steve("", command), Meaning::InDoubt(_)), "{command}");
        }
    }

    #[test]
    fn a_text_that_nobody_knows_counts_and_is_told_apart() {
        assert_eq!(steve("Crate key given!", "crate give Steve 1"), Meaning::Unrecognised);
    }

    #[test]
    fn the_owners_rules_come_first_failure_before_offline_before_success() {
        let rule = |pattern: &str| vec![Regex::new(pattern).unwrap()];
        let player = PlayerName::parse("Steve", None).unwrap();
        let mut rules = ReplyRules { success: rule("^$"), ..ReplyRules::default() };
        assert_eq!(read("", GIVE, &player, &rules), Meaning::Done);
        rules.offline = rule("^$");
        assert_eq!(read("", GIVE, &player, &rules), Meaning::Offline);
        rules.failure = rule("^$");
        assert!(matches!(read("", GIVE, &player, &rules), Meaning::Rejected(_)));
        assert_eq!(read("Gave 5 [Diamond] to Steve", GIVE, &player, &rules), Meaning::Done);
    }
}
