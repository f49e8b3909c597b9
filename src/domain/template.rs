//! A command as the owner wrote it, with placeholders.
//!
//! A placeholder is a lower-case name in braces; `%player%` is an alias of `{player}`. All other braces pass
//! through, so JSON and SNBT need no care; `{{name}}`, and only that form, yields a literal `{name}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use jiff::civil::DateTime;
use regex::Regex;

use super::counter::Count;
use super::rule::clock;

/// The longest command in bytes: vanilla reads 1460 at a time, 14 of them are the frame's (contract/rcon.md).
pub const LONGEST_COMMAND: usize = 1446;

/// A placeholder that templates know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{player}`: the checked name of the voter.
    Player,
    /// `{server}`: the name of the game server in `rewards.yaml`.
    Server,
    /// `{server_id}`: its id at the platform, or 0.
    ServerId,
    /// `{vote_id}`: the id of the vote.
    VoteId,
    /// `{user_id}`: the platform's id of the voter, or 0.
    UserId,
    /// `{votes}`: how many votes of the player there are with this one.
    Votes,
    /// `{votes_today}`: those of its day.
    VotesToday,
    /// `{votes_month}`: those of its month.
    VotesMonth,
    /// `{streak}`: the days of the player's streak.
    Streak,
    /// `{votes_to_next}`: how many more votes there are to the next reward that counts them.
    VotesToNext,
    /// `{date}`: the day of the vote.
    Date,
    /// `{time}`: its time of the day.
    Time,
    /// `{reward}`: the name of the reward.
    Reward,
}

impl Placeholder {
    /// Every placeholder by its name.
    pub const ALL: [(&'static str, Placeholder); 13] = [
        ("player", Placeholder::Player),
        ("server", Placeholder::Server),
        ("server_id", Placeholder::ServerId),
        ("vote_id", Placeholder::VoteId),
        ("user_id", Placeholder::UserId),
        ("votes", Placeholder::Votes),
        ("votes_today", Placeholder::VotesToday),
        ("votes_month", Placeholder::VotesMonth),
        ("streak", Placeholder::Streak),
        ("votes_to_next", Placeholder::VotesToNext),
        ("date", Placeholder::Date),
        ("time", Placeholder::Time),
        ("reward", Placeholder::Reward),
    ];

    fn named(name: &str) -> Option<Placeholder> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, placeholder)| *placeholder)
    }

    fn name(self) -> &'static str {
        // All of them are there.
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// What the placeholders stand for, for one vote. Of all text from outside, only the checked name of the player and the
/// checked id of the vote are among it.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// For `{player}`.
    pub player: &'a str,
    /// For `{server}`.
    pub server: &'a str,
    /// For `{server_id}`.
    pub server_id: u64,
    /// For `{vote_id}`.
    pub vote_id: &'a str,
    /// For `{user_id}`.
    pub user_id: u64,
    /// For `{votes}`, `{votes_today}`, `{votes_month}` and `{streak}`.
    pub count: Count,
    /// For `{votes_to_next}`.
    pub votes_to_next: u64,
    /// For `{date}` and `{time}`.
    pub voted_at: DateTime,
    /// For `{reward}`.
    pub reward: &'a str,
    /// The owner's own.
    pub own: &'a BTreeMap<String, String>,
}

impl Values<'_> {
    fn of(&self, placeholder: Placeholder) -> String {
        match placeholder {
            Placeholder::Player => self.player.to_owned(),
            Placeholder::Server => self.server.to_owned(),
            Placeholder::ServerId => self.server_id.to_string(),
            Placeholder::VoteId => self.vote_id.to_owned(),
            Placeholder::UserId => self.user_id.to_string(),
            Placeholder::Votes => self.count.votes.to_string(),
            Placeholder::VotesToday => self.count.today.to_string(),
            Placeholder::VotesMonth => self.count.month.to_string(),
            Placeholder::Streak => self.count.streak.to_string(),
            Placeholder::VotesToNext => self.votes_to_next.to_string(),
            Placeholder::Date => self.voted_at.date().to_string(),
            Placeholder::Time => clock(self.voted_at.time()),
            Placeholder::Reward => self.reward.to_owned(),
        }
    }
}

/// A parsed command.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Placeholder(Placeholder),
    /// One of the owner's own, by its name.
    Own(String),
}

/// What is wrong with a command, or odd about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// An error: `{name}` that we do not know.
    UnknownPlaceholder(String),
    /// A warning: `%word%`, which looks like PlaceholderAPI and is not resolved over RCON.
    PercentWord(String),
}

// Constant patterns: that they compile is shown by every test that parses a template.
#[allow(clippy::unwrap_used)]
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{\{([a-z][a-z0-9_]*)\}\}|\{([a-z][a-z0-9_]*)\}|%([A-Za-z0-9_.:-]+)%").unwrap()
});

impl Template {
    /// Parses a command; `own` are the names of the owner's placeholders. All findings are given at once; a template with
    /// an unknown placeholder keeps it as text.
    pub fn parse(command: &str, own: &BTreeSet<&str>) -> (Template, Vec<Finding>) {
        let mut parts = Vec::new();
        let mut findings = Vec::new();
        let mut text = String::new();
        let mut end = 0;
        for token in TOKENS.captures_iter(command) {
            // Group 0 is the whole match and always there.
            let whole = token.get_match();
            text.push_str(&command[end..whole.start()]);
            end = whole.end();
            let part = if let Some(name) = token.get(1) {
                text.push_str(&format!("{{{}}}", name.as_str()));
                None
            } else if let Some(name) = token.get(2).map(|name| name.as_str()) {
                let own = || own.contains(name).then(|| Part::Own(name.to_owned()));
                let known = Placeholder::named(name).map(Part::Placeholder).or_else(own);
                if known.is_none() {
                    findings.push(Finding::UnknownPlaceholder(name.to_owned()));
                    text.push_str(whole.as_str());
                }
                known
            } else if whole.as_str() == "%player%" {
                Some(Part::Placeholder(Placeholder::Player))
            } else {
                findings.push(Finding::PercentWord(whole.as_str().to_owned()));
                text.push_str(whole.as_str());
                None
            };
            if let Some(part) = part {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(part);
            }
        }
        text.push_str(&command[end..]);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        (Template { parts }, findings)
    }

    /// The names of the owner's placeholders in it.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Own(name) => Some(name.as_str()),
            Part::Text(_) | Part::Placeholder(_) => None,
        })
    }

    /// Whether it has this placeholder.
    pub fn has(&self, placeholder: Placeholder) -> bool {
        self.parts.contains(&Part::Placeholder(placeholder))
    }

    /// The console command for one vote.
    ///
    /// # Errors
    /// [`Unsendable`] where the result has a control character or is longer than a game server reads, or where a
    /// placeholder of the owner has no value.
    pub fn render(&self, values: &Values<'_>) -> Result<String, Unsendable> {
        let mut command = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => command.push_str(text),
                Part::Placeholder(placeholder) => command.push_str(&values.of(*placeholder)),
                Part::Own(name) => match values.own.get(name) {
                    Some(value) => command.push_str(value),
                    None => return Err(Unsendable::NoValue(name.clone())),
                },
            }
        }
        if command.chars().any(char::is_control) {
            return Err(Unsendable::ControlCharacter);
        }
        if command.len() > LONGEST_COMMAND {
            return Err(Unsendable::TooLong(command.len()));
        }
        Ok(command)
    }
}

/// As the owner wrote it, but with `{{name}}` as what it yields, and `%player%` as `{player}`.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Placeholder(placeholder) => write!(f, "{{{}}}", placeholder.name()),
            Part::Own(name) => write!(f, "{{{name}}}"),
        })
    }
}

/// Why a rendered command is never sent.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Unsendable {
    /// A line break or the like, which a console could take for a second command.
    #[error("a command has a control character in it")]
    ControlCharacter,
    /// Its length in bytes.
    #[error("a command has {0} bytes, and a game server reads at most 1446")]
    TooLong(usize),
    /// The name of a placeholder of the owner's.
    #[error("{{{0}}} has no value for this server")]
    NoValue(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> BTreeMap<String, String> {
        [("prefix", "[Votes]"), ("votes_x", "{player}")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn values(own: &BTreeMap<String, String>) -> Values<'_> {
        Values {
            player: "Steve",
            server: "survival",
            server_id: 7,
            vote_id: "e-1",
            user_id: 42,
            count: Count { votes: 49, today: 2, month: 12, streak: 5, streak_before: 5 },
            votes_to_next: 1,
            voted_at: jiff::civil::date(2026, 12, 24).at(19, 5, 59, 0),
            reward: "daily",
            own,
        }
    }

    fn parse(command: &str) -> (Template, Vec<Finding>) {
        Template::parse(command, &["prefix"].into())
    }

    fn render(command: &str) -> String {
        let (template, findings) = parse(command);
        assert_eq!(findings, []);
        template.render(&values(&own())).unwrap()
    }

    #[test]
    fn placeholders_and_their_alias() {
        assert_eq!(render("give {player} minecraft:diamond 3"), "give Steve minecraft:diamond 3");
        assert_eq!(render("say %player% voted for {server}"), "say Steve voted for survival");
        assert_eq!(render("{player}{player}"), "SteveSteve");
    }

    #[test]
    fn every_placeholder() {
        let all: Vec<String> = Placeholder::ALL.iter().map(|(name, _)| format!("{{{name}}}")).collect();
        let rendered = "Steve survival 7 e-1 42 49 2 12 5 1 2026-12-24 19:05 daily";
        assert_eq!(render(&all.join(" ")), rendered);
        assert_eq!(render("{prefix} {{prefix}}"), "[Votes] {prefix}");
    }

    /// A value is text and no template, whatever is in it.
    #[test]
    fn a_value_of_the_owners_is_text() {
        let (template, findings) = Template::parse("say {votes_x}", &["votes_x"].into());
        assert_eq!(findings, []);
        assert_eq!(template.render(&values(&own())).unwrap(), "say {player}");
        assert_eq!(template.own().collect::<Vec<_>>(), ["votes_x"]);
        assert_eq!(template.to_string(), "say {votes_x}");
        assert_eq!(
            template.render(&values(&BTreeMap::new())),
            Err(Unsendable::NoValue("votes_x".to_owned()))
        );
    }

    #[test]
    fn json_and_snbt_pass_through() {
        for text in [
            r#"{"text":"hi","bold":true}"#,
            "{display:{Name:'x'}}",
            "{}",
            "{ player }",
            "{Player}",
            "{{}}",
            "50% off, 100%",
            "a{b c}d",
        ] {
            assert_eq!(render(text), text);
        }
        assert_eq!(render(r#"tellraw {player} {"text":"{server}"}"#), r#"tellraw Steve {"text":"survival"}"#);
        assert_eq!(render("{a:{player}}"), "{a:Steve}");
    }

    #[test]
    fn doubled_braces_are_literal_and_only_in_that_form() {
        assert_eq!(render("{{player}} {{anything}}"), "{player} {anything}");
        assert_eq!(parse("{{anything}} %player%").0.to_string(), "{anything} {player}");
        assert_eq!(render("{{player} {player}}"), "{Steve Steve}");
    }

    #[test]
    fn findings_name_what_is_unknown_and_all_of_it() {
        let (_, findings) = parse("{nick} {player} {votes_x} %vault_eco% %player%");
        let unknown = |name: &str| Finding::UnknownPlaceholder(name.to_owned());
        assert_eq!(
            findings,
            [unknown("nick"), unknown("votes_x"), Finding::PercentWord("%vault_eco%".to_owned())]
        );
    }

    #[test]
    fn what_a_console_could_misread_is_never_rendered() {
        let (template, _) = parse("say a\nop {player}");
        assert_eq!(template.render(&values(&own())), Err(Unsendable::ControlCharacter));
        let (template, _) = parse(&"ж".repeat(723));
        assert_eq!(template.render(&values(&own())).unwrap().len(), 1446);
        let (template, _) = parse(&format!("{}x", "ж".repeat(723)));
        assert_eq!(template.render(&values(&own())), Err(Unsendable::TooLong(1447)));
    }
}
