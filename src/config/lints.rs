//! What the owner of a command or of a rule may not know about it. None of it is an error: it can be done, and is
//! seldom what was meant.
//!
//! A message repeats nothing of a command but the word that it is about, so that nothing secret gets into it.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::reward::{Command, InDoubtRule};
use crate::domain::rule::{Chance, Rule};
use crate::domain::template::Placeholder;

/// A message, and what to do about it.
pub(super) type Lint = (String, String);

/// Commands that take a text: nothing in it is an argument.
const TALK: [&str; 7] = ["say", "me", "broadcast", "bc", "bcast", "announce", "alert"];
/// Commands that show something: normal for everybody.
const SHOW: [&str; 11] = [
    "tellraw",
    "title",
    "tell",
    "msg",
    "w",
    "teammsg",
    "tm",
    "playsound",
    "stopsound",
    "particle",
    "bossbar",
];
/// Commands that do something to the player whom they name.
const NAME_A_PLAYER: [&str; 7] = ["give", "xp", "experience", "effect", "eco", "economy", "advancement"];
/// What plug-ins keep a number of, each with a word of its own for adding to it.
const ACCOUNTS: [&str; 11] =
    ["eco", "economy", "money", "bal", "balance", "bank", "points", "tokens", "coins", "gems", "credits"];

/// A constant pattern: the tests below use each of them.
#[allow(clippy::unwrap_used)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

static STRING: LazyLock<Regex> = LazyLock::new(|| pattern(r#""(?:[^"\\]|\\.)*""#));

/// A part of `execute` that is about the voter alone.
static ABOUT_VOTER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(?:as|at|if entity|facing entity) (?:\{player\}|@[ae]\[[^\]]*\{player\})"));

/// The voter's name in quotes, as an argument.
static QUOTED_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\s(?:"\{player\}"|'\{player\}')(?:\s|$)"#));

/// A placeholder, ours or not, of which something else is told.
static LIKE_A_PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\{[A-Za-z_]+\}|%[A-Za-z0-9_.:-]+%"));

/// How other programs write a placeholder: `${user-name}`, `<player>`, `&player&`, `$player`, `{playerName}`.
static HABIT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\$\{([A-Za-z_-]+)\}|<([A-Za-z_-]+)>|&([A-Za-z_-]+)&|\$([A-Za-z_-]+)|\{([A-Za-z_-]*[A-Z-][A-Za-z_-]*)\}",
    )
});

/// What other programs call what Votive has, too.
const OTHER_NAMES: [(&str, &str); 33] = [
    ("username", "player"),
    ("user_name", "player"),
    ("user", "player"),
    ("playername", "player"),
    ("player_name", "player"),
    ("player_displayname", "player"),
    ("displayname", "player"),
    ("name", "player"),
    ("nick", "player"),
    ("nickname", "player"),
    ("nick_name", "player"),
    ("voter", "player"),
    ("servername", "server"),
    ("server_name", "server"),
    ("serverid", "server_id"),
    ("voteid", "vote_id"),
    ("userid", "user_id"),
    ("total", "votes"),
    ("total_votes", "votes"),
    ("votes_total", "votes"),
    ("vote_count", "votes"),
    ("votecount", "votes"),
    ("daily_votes", "votes_today"),
    ("votes_daily", "votes_today"),
    ("votes_day", "votes_today"),
    ("monthly_votes", "votes_month"),
    ("votes_monthly", "votes_month"),
    ("streak_days", "streak"),
    ("vote_streak", "streak"),
    ("votes_streak", "streak"),
    ("votes_left", "votes_to_next"),
    ("votes_needed", "votes_to_next"),
    ("reward_name", "reward"),
];

/// The placeholder that another program's name stands for.
pub(super) fn meant_by(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase().replace('-', "_");
    OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, ours)| *ours)
}

/// What is odd about a command; `waits_knowingly` where `require_online` is written beside it.
pub(super) fn of(command: &Command, waits_knowingly: bool) -> Vec<Lint> {
    let text = command.run.to_string();
    let mut lints: Vec<Lint> = habits(&text).into_iter().map(not_filled_in).collect();
    let selector = selector(&text);
    lints.extend(selector.map(not_the_voter));
    if QUOTED_NAME.is_match(&text) && !is_one_of(name(&text), &TALK) && !is_one_of(name(&text), &SHOW) {
        let message = "the name of the player is in quotes, which most commands take for a part of the name";
        lints.push((message.to_owned(), "write {player} without quotes around it".to_owned()));
    }
    lints.extend(silent(command, &text));
    if command.in_doubt == Some(InDoubtRule::Repeat) && adds_up(&text) {
        let message = "`in_doubt: repeat` may run this command twice, and then it gives twice";
        let remedy = if text.contains("addtemp ") {
            "write `replace` at the end of the command, so that running twice does no harm, or `in_doubt: hold`"
        } else {
            "write `in_doubt: hold`, or use a command that does no harm when it runs twice"
        };
        lints.push((message.to_owned(), remedy.to_owned()));
    }
    // An unknown placeholder may have been meant to be the player, and is told.
    let may_name = command.run.has(Placeholder::Player) || LIKE_A_PLACEHOLDER.is_match(&text);
    if selector.is_none() && lints.is_empty() && !may_name {
        lints.extend(without_player(command, &text, waits_knowingly));
    }
    lints
}

/// Why a rule changes nothing, and its key.
pub(super) fn needless(rule: &Rule) -> Option<(&'static str, &'static str)> {
    match rule {
        Rule::Chance(Chance(Chance::WHOLE)) => {
            Some(("chance", "every vote draws within 100%, so this line changes nothing"))
        }
        Rule::EveryVotes(every) if every.get() == 1 => {
            Some(("every_votes", "every vote is one of every 1, so this line changes nothing"))
        }
        _ => None,
    }
}

/// Whether a command that runs twice gives twice as much.
pub(super) fn adds_up(text: &str) -> bool {
    let text = innermost(text);
    let mut words = text.split_whitespace().skip(1);
    let (second, third) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match name(text) {
        "give" | "summon" | "loot" | "kit" | "spawnmob" | "pay" => true,
        "xp" | "experience" | "exp" => !matches!(second, "set" | "query" | "reset" | "show"),
        "scoreboard" => second == "players" && matches!(third, "add" | "remove" | "operation"),
        "time" | "worldborder" => second == "add",
        "lp" | "luckperms" => {
            // What it does otherwise depends on its settings.
            let harmless = |word| matches!(word, "replace" | "deny");
            text.contains("addtemp ") && !text.split_whitespace().any(harmless)
        }
        name if is_one_of(name, &TALK) || is_one_of(name, &SHOW) || name == "effect" => false,
        name => {
            let account = is_one_of(name, &ACCOUNTS);
            [second, third].iter().any(|word| match *word {
                "give" | "givekey" | "givekeys" | "giveall" | "deposit" => true,
                "add" | "take" | "remove" => account,
                _ => false,
            })
        }
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.contains(&name)
}

/// The name of a command, without what a game server may take before it to tell plug-ins apart.
fn name(text: &str) -> &str {
    let name = text.split_whitespace().next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or(name)
}

/// The command that `execute` runs in the end.
fn innermost(text: &str) -> &str {
    if name(text) == "execute" { text.rsplit_once(" run ").map_or("", |(_, inner)| inner) } else { text }
}

/// The other programs' placeholders in a command, each with ours.
fn habits(text: &str) -> Vec<(String, &'static str)> {
    let ours = |found: regex::Captures<'_>| {
        let whole = found.get_match().as_str().to_owned();
        let name = (1..=5).find_map(|group| found.get(group))?.as_str().to_lowercase();
        let known = Placeholder::ALL.iter().find(|(known, _)| *known == name).map(|(known, _)| *known);
        // `{Player}` is told as a placeholder with capital letters.
        let known = known.filter(|_| !whole.starts_with('{'));
        Some((whole, known.or_else(|| meant_by(&name))?))
    };
    HABIT.captures_iter(text).filter_map(ours).collect()
}

fn not_filled_in((whole, ours): (String, &str)) -> Lint {
    (format!("`{whole}` goes to the game as it stands"), format!("write `{{{ours}}}`"))
}

/// A target selector that does not stand for the voter.
fn selector(text: &str) -> Option<char> {
    let text = STRING.replace_all(text, "\"\"");
    let inner = innermost(&text);
    let executes = name(&text) == "execute";
    let before = if executes { text.strip_suffix(inner).unwrap_or_default() } else { "" };
    let bare = |word: &str, letters: &str| {
        let letter = word.strip_prefix('@').and_then(|rest| rest.chars().next())?;
        let narrowed = word.get(2..).is_some_and(|rest| rest.starts_with('['));
        // Whoever narrows a selector down knows what it stands for; but the console stands nowhere and is no player.
        let chosen = narrowed && !matches!(letter, 'p' | 's');
        let whole = narrowed || word.len() == 2;
        (whole && !chosen && letters.contains(letter)).then_some(letter)
    };
    let first = |part: &str, letters: &str| part.split_whitespace().find_map(|word| bare(word, letters));
    // After `execute as` or `at`, `@s` and `@p` are who was meant.
    let letters = match (executes, is_one_of(name(inner), &SHOW)) {
        (true, true) => "er",
        (true, false) => "aer",
        (false, true) => "eprsn",
        (false, false) => "aeprsn",
    };
    let talks = is_one_of(name(inner), &TALK);
    first(before, "aer").or_else(|| if talks { None } else { first(inner, letters) })
}

fn not_the_voter(letter: char) -> Lint {
    let (what, remedy) = match letter {
        'a' => (
            "everybody in the game, not only the voter",
            "write `{player}`, or `@a[]` if really everybody is meant",
        ),
        'e' => (
            "all that lives or lies in the game, not only the voter",
            "write `{player}`, or narrow it down like `@e[type=item]`",
        ),
        'r' => (
            "anybody in the game by chance, not the voter",
            "write `{player}`, or `@r[]` if really anybody is meant",
        ),
        's' => ("nobody where the console runs the command, and not the voter", "write `{player}`"),
        'p' => ("whoever is nearest to the place where the world begins, not the voter", "write `{player}`"),
        _ => ("what is nearest to the place where the world begins, not the voter", "write `{player}`"),
    };
    (format!("`@{letter}` is {what}"), remedy.to_owned())
}

/// Where `execute` does nothing and says nothing once the player is gone (contract/rcon.md).
fn silent(command: &Command, text: &str) -> Option<Lint> {
    let before = text.strip_suffix(innermost(text))?;
    if command.optional || name(text) != "execute" || !ABOUT_VOTER.is_match(before) {
        return None;
    }
    let (message, remedy) = if command.require_online {
        (
            "if the player leaves in this very moment, `execute` does nothing and says nothing, and Votive takes that for done",
            "name {player} in the command itself, without `execute`; where that cannot be, write `optional: true` below it to say that it may get lost",
        )
    } else {
        (
            "while the player is offline, `execute` does nothing and says nothing, and Votive takes that for done",
            "take `require_online: false` out, so that it waits for the player",
        )
    };
    Some((message.to_owned(), remedy.to_owned()))
}

/// What may be missing in a command that says nothing of the voter.
fn without_player(command: &Command, text: &str, waits_knowingly: bool) -> Option<Lint> {
    let mut words = text.split_whitespace().skip(1);
    let ranks = matches!(name(text), "lp" | "luckperms") && words.next() == Some("user");
    let (message, remedy) = if (is_one_of(name(text), &NAME_A_PLAYER) || ranks) && !text.contains('@') {
        (
            "the command does not name the voter, so somebody else gets it, or nobody",
            "write {player} where the name of the player belongs",
        )
    } else if command.require_online && !waits_knowingly {
        (
            "the command waits until the voter is in the game, and has no {player} in it",
            "write it as `run: 'command'` with `require_online: false` below it, or `require_online: true` if it shall wait",
        )
    } else {
        return None;
    };
    Some((message.to_owned(), remedy.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::template::Template;

    fn command(text: &str) -> Command {
        let (run, _) = Template::parse(text, &["prefix"].into());
        Command { run, require_online: true, optional: false, in_doubt: None, receipt: None }
    }

    /// The messages about a command.
    fn messages(command: &Command) -> Vec<String> {
        of(command, false).into_iter().map(|(message, _)| message).collect()
    }

    #[test]
    fn nothing_is_said_of_what_is_usual() {
        for text in [
            "give {player} minecraft:diamond 3",
            "tellraw {player} {\"text\":\"Hello @a, <b> & <c>\",\"color\":\"green\"}",
            "tellraw {player} [\"\", \"{player}\" ]",
            "say \"{player}\" has voted, thank you @a!",
            "lp user {player} parent addtemp vip 1d replace",
            "give @a[name={player}] diamond",
            "give {player} minecraft:stick{display:{Name:'{\"text\":\"$5 <b> {prefix}\"}'}}",
            "effect give {player} minecraft:speed 60 1",
        ] {
            assert_eq!(messages(&command(text)), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_selector_is_seldom_the_voter() {
        for (text, letter) in [
            ("give @a diamond", Some('a')),
            ("minecraft:give @p diamond", Some('p')),
            ("give @p[distance=..5] diamond", Some('p')),
            ("tellraw @s \"thanks\"", Some('s')),
            ("tellraw @a \"thanks to {player} @s\"", None),
            ("title @a actionbar \"{player}\"", None),
            ("playsound minecraft:block.bell.use master @a", None),
            ("give @a[tag=party] cake", None),
            ("give @r[] cake", None),
            ("give @r cake", Some('r')),
            ("kill @e", Some('e')),
            ("kill @n", Some('n')),
            ("say hello @a", None),
            ("execute as {player} at @s run give @s cake", None),
            ("execute at {player} run give @p cake", None),
            ("execute at {player} run give @a cake", Some('a')),
            ("execute at {player} run playsound minecraft:block.bell.use master @a", None),
            ("execute as @a run give @s cake", Some('a')),
            ("execute as @a[tag=x] run give @s cake", None),
            ("mail send @admin hi", None),
            ("give @", None),
            ("give @é", None),
        ] {
            assert_eq!(selector(text), letter, "{text}");
        }
    }

    #[test]
    fn what_gives_twice_when_it_runs_twice() {
        for text in [
            "give {player} diamond",
            "minecraft:give {player} diamond",
            "essentials:eco give {player} 5",
            "xp add {player} 5",
            "xp 5 {player}",
            "scoreboard players add {player} votes 1",
            "crate give virtual vote 1 {player}",
            "crates key give {player} vote 1",
            "summon pig",
            "loot give {player} loot votes:a",
            "points add {player} 5",
            "lp user {player} parent addtemp vip 1d",
            "execute at {player} run summon pig",
        ] {
            assert!(adds_up(text), "{text}");
        }
        for text in [
            "say I give {player} a diamond",
            "tellraw {player} give",
            "lp user {player} parent add vip",
            "lp user {player} parent addtemp vip 1d replace",
            "xp set {player} 5",
            "scoreboard players set {player} votes 1",
            "effect give {player} speed",
            "whitelist add {player}",
            "tag {player} add voted",
            "execute at {player} run say give",
            "execute",
        ] {
            assert!(!adds_up(text), "{text}");
        }
        let repeated = |text| Command { in_doubt: Some(InDoubtRule::Repeat), ..command(text) };
        assert_eq!(messages(&repeated("give {player} diamond")).len(), 1);
        assert_eq!(messages(&repeated("whitelist add {player}")), [""; 0]);
    }

    #[test]
    fn execute_says_nothing_of_a_player_who_is_gone() {
        for (text, told) in [
            ("execute as {player} run give @s cake", true),
            ("execute at {player} run summon pig", true),
            ("execute if entity {player} run say {player} is here", true),
            ("execute as @a[name={player}] run give @s cake", true),
            ("execute unless entity {player} run say {player} is gone", false),
            ("execute in minecraft:overworld run give {player} cake", false),
        ] {
            assert_eq!(messages(&command(text)).len(), usize::from(told), "{text}");
            assert_eq!(messages(&Command { optional: true, ..command(text) }), [""; 0], "{text}");
        }
        let offline =
            Command { require_online: false, ..command("execute as {player} run function votes:thanks") };
        assert!(messages(&offline)[0].starts_with("while the player is offline"));
    }

    #[test]
    fn a_command_without_the_player_is_told_unless_it_says_that_it_waits() {
        let waits = command("function votes:party");
        assert!(messages(&waits)[0].contains("waits until the voter"));
        assert_eq!(of(&waits, true), []);
        assert_eq!(messages(&command("say {plyer} %vault_eco% {Player}")), [""; 0]);
        assert_eq!(messages(&Command { require_online: false, ..waits }), [""; 0]);
        for text in ["give Steve diamond", "eco give Steve 5", "lp user Steve parent add vip"] {
            let fixed = Command { require_online: false, ..command(text) };
            assert!(messages(&fixed)[0].contains("does not name the voter"), "{text}");
        }
    }

    #[test]
    fn other_programs_placeholders_are_known() {
        for (text, ours) in [
            ("give <player> cake", "player"),
            ("give &player& cake", "player"),
            ("give $player cake", "player"),
            ("say ${user-name} has voted", "player"),
            ("give {playerName} cake", "player"),
            ("say <total-votes>", "votes"),
        ] {
            assert_eq!(of(&command(text), false)[0].1, format!("write `{{{ours}}}`"), "{text}");
        }
        assert_eq!(habits("a <red> $5 &a&l {Player} {A-b}"), []);
        assert_eq!(messages(&command("give \"{player}\" cake")).len(), 1);
        for (other, ours) in OTHER_NAMES {
            assert!(Placeholder::ALL.iter().any(|(known, _)| *known == ours), "{other}");
            assert!(Placeholder::ALL.iter().all(|(known, _)| *known != other), "{other}");
        }
    }
}
