//! A command as the owner wrote it, with placeholders.
//!
//! A placeholder is a lower-case name in braces; `%player%` is an alias of `{player}`. All other braces pass
//! through, so JSON and SNBT need no care; `{{name}}`, and only that form, yields a literal `{name}`.

use std::sync::LazyLock;

use regex::Regex;

/// The longest command in bytes: vanilla reads 1460 at a time, 14 of them are the frame's (contract/rcon.md).
pub const LONGEST_COMMAND: usize = 1446;

/// A placeholder that templates know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{player}`: the checked name of the voter.
    Player,
    /// `{server}`: the name of the game server in `rewards.yaml`.
    Server,
}

impl Placeholder {
    /// Every placeholder by its name.
    pub const ALL: [(&'static str, Placeholder); 2] =
        [("player", Placeholder::Player), ("server", Placeholder::Server)];

    fn named(name: &str) -> Option<Placeholder> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, placeholder)| *placeholder)
    }
}

/// What a placeholder stands for, for one vote.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// For `{player}`.
    pub player: &'a str,
    /// For `{server}`.
    pub server: &'a str,
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
    /// Parses a command. All findings are given at once; a template with an unknown placeholder keeps it as text.
    pub fn parse(command: &str) -> (Template, Vec<Finding>) {
        let mut parts = Vec::new();
        let mut findings = Vec::new();
        let mut text = String::new();
        let mut end = 0;
        for token in TOKENS.captures_iter(command) {
            // Group 0 is the whole match and always there.
            let whole = token.get_match();
            text.push_str(&command[end..whole.start()]);
            end = whole.end();
            let placeholder = if let Some(name) = token.get(1) {
                text.push_str(&format!("{{{}}}", name.as_str()));
                None
            } else if let Some(name) = token.get(2) {
                let known = Placeholder::named(name.as_str());
                if known.is_none() {
                    findings.push(Finding::UnknownPlaceholder(name.as_str().to_owned()));
                    text.push_str(whole.as_str());
                }
                known
            } else if whole.as_str() == "%player%" {
                Some(Placeholder::Player)
            } else {
                findings.push(Finding::PercentWord(whole.as_str().to_owned()));
                text.push_str(whole.as_str());
                None
            };
            if let Some(placeholder) = placeholder {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Placeholder(placeholder));
            }
        }
        text.push_str(&command[end..]);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        (Template { parts }, findings)
    }

    /// The console command for one vote.
    ///
    /// # Errors
    /// [`Unsendable`] where the result has a control character or is longer than a game server reads.
    pub fn render(&self, values: Values<'_>) -> Result<String, Unsendable> {
        let command: String = (self.parts.iter())
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Placeholder(Placeholder::Player) => values.player,
                Part::Placeholder(Placeholder::Server) => values.server,
            })
            .collect();
        if command.chars().any(char::is_control) {
            return Err(Unsendable::ControlCharacter);
        }
        if command.len() > LONGEST_COMMAND {
            return Err(Unsendable::TooLong(command.len()));
        }
        Ok(command)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values<'_> = Values { player: "Steve", server: "survival" };

    fn render(command: &str) -> String {
        let (template, findings) = Template::parse(command);
        assert_eq!(findings, []);
        template.render(VALUES).unwrap()
    }

    #[test]
    fn placeholders_and_their_alias() {
        assert_eq!(render("give {player} minecraft:diamond 3"), "give Steve minecraft:diamond 3");
        assert_eq!(render("say %player% voted for {server}"), "say Steve voted for survival");
        assert_eq!(render("{player}{player}"), "SteveSteve");
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
        assert_eq!(render("{{player} {player}}"), "{Steve Steve}");
    }

    #[test]
    fn findings_name_what_is_unknown_and_all_of_it() {
        let (_, findings) = Template::parse("{nick} {player} {votes_x} %vault_eco% %player%");
        let unknown = |name: &str| Finding::UnknownPlaceholder(name.to_owned());
        assert_eq!(
            findings,
            [unknown("nick"), unknown("votes_x"), Finding::PercentWord("%vault_eco%".to_owned())]
        );
    }

    #[test]
    fn what_a_console_could_misread_is_never_rendered() {
        let (template, _) = Template::parse("say a\nop {player}");
        assert_eq!(template.render(VALUES), Err(Unsendable::ControlCharacter));
        let (template, _) = Template::parse(&"ж".repeat(723));
        assert_eq!(template.render(VALUES).unwrap().len(), 1446);
        let (template, _) = Template::parse(&format!("{}x", "ж".repeat(723)));
        assert_eq!(template.render(VALUES), Err(Unsendable::TooLong(1447)));
    }
}
