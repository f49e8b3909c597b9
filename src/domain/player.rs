//! The one piece of outside text that reaches a console: a player's name, checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name that the game knows, a Bedrock prefix included (contract/rcon.md).
pub const LONGEST_NAME: usize = 16;

/// A name that is safe in a console command: `[A-Za-z0-9_]{1,16}`, or the Bedrock prefix and such a name, with at
/// most 16 characters in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlayerName(String);

/// Why a nickname cannot be a player's name. Shown to the owner, so it does not repeat the nickname.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BadName {
    /// No characters at all.
    #[error("the nickname is empty")]
    Empty,
    /// More characters than the game allows.
    #[error("the nickname is longer than 16 characters")]
    TooLong,
    /// A character that no Minecraft name has.
    #[error("the nickname has characters that no Minecraft name has")]
    BadCharacter,
}

impl PlayerName {
    /// Checks a nickname as the voter typed it.
    ///
    /// With a `bedrock_prefix`, a nickname that begins with it may have single inner spaces, which become `_` as
    /// Floodgate does it. A name without the prefix is never given one.
    ///
    /// # Errors
    /// [`BadName`] for everything that is not a Minecraft name: it must never reach a console.
    pub fn parse(nickname: &str, bedrock_prefix: Option<char>) -> Result<Self, BadName> {
        let prefix = bedrock_prefix.filter(|&prefix| nickname.starts_with(prefix));
        let (name, rest) = match prefix {
            Some(prefix) => {
                let gamertag = join_single_spaces(&nickname[prefix.len_utf8()..]);
                (format!("{prefix}{gamertag}"), gamertag)
            }
            None => (nickname.to_owned(), nickname.to_owned()),
        };
        if rest.is_empty() {
            return Err(BadName::Empty);
        }
        if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(BadName::BadCharacter);
        }
        if name.len() > LONGEST_NAME {
            return Err(BadName::TooLong);
        }
        Ok(PlayerName(name))
    }

    /// The name as it goes into a command.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What identifies the player: game servers match names without regard to case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for PlayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Replaces each space that stands alone between two other characters; any other space stays and is refused.
fn join_single_spaces(gamertag: &str) -> String {
    let chars: Vec<char> = gamertag.chars().collect();
    let between_words = |i: usize| i > 0 && i + 1 < chars.len() && chars[i - 1] != ' ' && chars[i + 1] != ' ';
    chars.iter().enumerate().map(|(i, &c)| if c == ' ' && between_words(i) { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(nickname: &str) -> Result<String, BadName> {
        PlayerName::parse(nickname, None).map(|name| name.as_str().to_owned())
    }

    fn bedrock(nickname: &str) -> Result<String, BadName> {
        PlayerName::parse(nickname, Some('.')).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn minecraft_names_pass() {
        for name in ["a", "Steve", "_x_", "0123456789abcdef"] {
            assert_eq!(java(name).unwrap(), name);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use BadName::{BadCharacter, Empty, TooLong};
        for (name, why) in [
            ("", Empty),
            ("0123456789abcdefg", TooLong),
            ("@a", BadCharacter),
            ("Steve; op x", BadCharacter),
            ("Стив", BadCharacter),
            ("Ѕteve", BadCharacter),
            ("Steve\n", BadCharacter),
            ("Steve\nop x", BadCharacter),
            ("a b", BadCharacter),
            ("a\"b", BadCharacter),
            ("a\u{0}", BadCharacter),
            (".Steve", BadCharacter),
        ] {
            assert_eq!(java(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn a_bedrock_name_keeps_its_prefix_and_loses_its_spaces() {
        assert_eq!(bedrock(".Cool Guy 1").unwrap(), ".Cool_Guy_1");
        assert_eq!(bedrock("Steve").unwrap(), "Steve");
        assert_eq!(bedrock(".0123456789abcde").unwrap(), ".0123456789abcde");
        assert_eq!(bedrock(".0123456789abcdef"), Err(BadName::TooLong));
        assert_eq!(bedrock("."), Err(BadName::Empty));
        for bad in [". Steve", ".Steve ", ".a  b", "a b", ".@a", "..Steve", ".a\nb"] {
            assert_eq!(bedrock(bad), Err(BadName::BadCharacter), "{bad:?}");
        }
    }

    #[test]
    fn case_does_not_make_another_player() {
        assert_eq!(
            PlayerName::parse("STEVE", None).unwrap().key(),
            PlayerName::parse("steve", None).unwrap().key()
        );
    }
}
