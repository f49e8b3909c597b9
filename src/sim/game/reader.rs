//! Reads the arguments of a console command with a cursor, and says what is wrong in the words of the game.

/// Why a command did not do what it says.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// It does not parse: nothing ran. The messages already name the place (`<--[HERE]`).
    Syntax(Vec<String>),
    /// It parses, and failed when it ran. `execute as … run` swallows this.
    Failed(String),
}

impl Refusal {
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Refusal::Failed(text.into())
    }
}

/// Whom a command is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Name(String),
    /// `@a`, and `@e`, as there are no other creatures here.
    All,
    /// `@p` and `@r`: one of those who are online.
    One,
    /// `@s`: whoever executes; from the console, nobody.
    Executor,
}

#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    input: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        Reader { input, at: 0 }
    }

    /// An error at `at`: the text, then up to ten characters before the place and all after it, as two messages.
    pub(super) fn wrong(&self, at: usize, text: impl Into<String>) -> Refusal {
        let before: Vec<char> = self.input[..at].chars().collect();
        let shown: String = before[before.len().saturating_sub(10)..].iter().collect();
        let dots = if before.len() > 10 { "..." } else { "" };
        let context = format!("{dots}{shown}{}<--[HERE]", &self.input[at..]);
        Refusal::Syntax(vec![text.into(), context])
    }

    /// The command is not known, or stops short.
    pub(super) fn unknown(&self, at: usize) -> Refusal {
        self.wrong(at, "Unknown or incomplete command, see below for error")
    }

    /// What has not been read, without the space before it.
    pub(super) fn rest(&mut self) -> Result<&'a str, Refusal> {
        if self.at == 0 {
            self.at = self.input.len();
            return Ok(self.input);
        }
        match self.input[self.at..].strip_prefix(' ') {
            Some(rest) if !rest.is_empty() => {
                self.at = self.input.len();
                Ok(rest)
            }
            _ => Err(self.unknown(self.at)),
        }
    }

    /// Steps over the space before the next argument, and gives where it begins.
    pub(super) fn argument(&mut self) -> Result<usize, Refusal> {
        match self.at {
            0 => (),
            at if self.input[at..].starts_with(' ') => self.at += 1,
            at => return Err(self.unknown(at)),
        }
        Ok(self.at)
    }

    /// The next word and where it begins.
    pub(super) fn word(&mut self) -> Result<(usize, &'a str), Refusal> {
        let start = self.argument()?;
        let length = self.input[start..].find(' ').unwrap_or(self.input.len() - start);
        if length == 0 {
            return Err(self.unknown(start));
        }
        self.at = start + length;
        Ok((start, &self.input[start..self.at]))
    }

    /// A word that has to be one of `known`.
    pub(super) fn keyword(&mut self, known: &[&'static str]) -> Result<&'static str, Refusal> {
        let (start, word) = self.word()?;
        (known.iter().copied().find(|candidate| *candidate == word))
            .ok_or_else(|| self.wrong(start, "Incorrect argument for command"))
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == self.input.len()
    }

    pub(super) fn done(&self) -> Result<(), Refusal> {
        match self.input.len() - self.at {
            0 => Ok(()),
            1 => Err(self.wrong(self.at, "Incorrect argument for command")),
            // The place is behind the space.
            _ => Err(self.wrong(self.at + 1, "Incorrect argument for command")),
        }
    }

    /// A whole number of at least `least`, or `default` where the command ends.
    pub(super) fn number(&mut self, least: u64, default: Option<u64>) -> Result<u64, Refusal> {
        if let (true, Some(default)) = (self.is_done(), default) {
            return Ok(default);
        }
        let (start, word) = self.word()?;
        match word.parse::<i64>() {
            Ok(number) => (u64::try_from(number).ok().filter(|number| *number >= least)).ok_or_else(|| {
                let text = format!("Integer must not be less than {least}: found {number}");
                self.wrong(start, text)
            }),
            Err(_) => Err(self.wrong(start, "Expected integer")),
        }
    }

    /// A player's name or a selector. Characters that names cannot have end it, as in the game.
    pub(super) fn target(&mut self) -> Result<Target, Refusal> {
        let (start, word) = self.word()?;
        if let Some(selector) = word.strip_prefix('@') {
            // What stands in brackets is not looked at.
            return match selector.split('[').next() {
                Some("a" | "e") => Ok(Target::All),
                Some("p" | "r") => Ok(Target::One),
                Some("s") => Ok(Target::Executor),
                _ => Err(self.wrong(start, format!("Unknown selector type '{word}'"))),
            };
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.+".contains(c);
        let length = word.find(|c| !allowed(c)).unwrap_or(word.len());
        if length == 0 || length > 16 {
            return Err(self.wrong(start, "Invalid name or UUID"));
        }
        if length < word.len() {
            let text = "Expected whitespace to end one argument, but found trailing data";
            return Err(self.wrong(start + length, text));
        }
        Ok(Target::Name(word.to_owned()))
    }

    /// An item's id and where it begins; its components or tags, in brackets, are passed over.
    pub(super) fn item_id(&mut self) -> Result<(usize, &'a str), Refusal> {
        let (start, word) = self.word()?;
        let Some(bracket) = word.find(['[', '{']) else {
            return Ok((start, word));
        };
        let mut depth = 0i32;
        for (offset, c) in self.input[start + bracket..].char_indices() {
            depth += match c {
                '[' | '{' => 1,
                ']' | '}' => -1,
                _ => 0,
            };
            if depth == 0 {
                self.at = start + bracket + offset + 1;
                return Ok((start, &word[..bracket]));
            }
        }
        Err(self.wrong(self.input.len(), "Expected ']'"))
    }

    /// The command from `start` to its end.
    pub(super) fn from(&self, start: usize) -> &'a str {
        &self.input[start..]
    }

    /// What has been read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.input[start..self.at]
    }

    /// The next character, which stays unread.
    pub(super) fn peek(&self) -> Option<char> {
        self.input[self.at..].chars().next()
    }

    /// An error at the next character.
    pub(super) fn wrong_here(&self, text: impl Into<String>) -> Refusal {
        self.wrong(self.at, text)
    }

    pub(super) fn expect(&mut self, c: char) -> Result<(), Refusal> {
        if self.peek() != Some(c) {
            return Err(self.wrong_here(format!("Expected '{c}'")));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    pub(super) fn take_while(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        self.at += self.input[start..].find(|c| !allowed(c)).unwrap_or(self.input.len() - start);
        self.since(start)
    }

    pub(super) fn skip_spaces(&mut self) {
        self.take_while(|c| c == ' ');
    }

    /// Steps over a comma and the spaces around it, and says whether there was one.
    pub(super) fn comma(&mut self) -> bool {
        self.skip_spaces();
        let comma = self.expect(',').is_ok();
        self.skip_spaces();
        comma
    }

    /// A text in quotes of either kind.
    pub(super) fn quoted(&mut self) -> Result<String, Refusal> {
        let mut text = String::new();
        let mut characters = self.input[self.at..].char_indices();
        let quote = characters.next().map(|(_, quote)| quote);
        while let Some((offset, c)) = characters.next() {
            match c {
                _ if Some(c) == quote => {
                    self.at += offset + c.len_utf8();
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, escaped)) if escaped == '\\' || Some(escaped) == quote => text.push(escaped),
                    Some((_, escaped)) => {
                        let text = format!("Invalid escape sequence '{escaped}' in quoted string");
                        return Err(self.wrong(self.at + offset, text));
                    }
                    None => break,
                },
                _ => text.push(c),
            }
        }
        Err(self.wrong(self.input.len(), "Unclosed quoted string"))
    }

    /// A storage's name, with the game's own namespace where none is given.
    pub(super) fn id(&mut self) -> Result<String, Refusal> {
        let (start, word) = self.word()?;
        let (space, path) = word.split_once(':').unwrap_or(("minecraft", word));
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
        if !space.chars().all(allowed) || !path.chars().all(|c| allowed(c) || c == '/') {
            return Err(self.wrong(start, "Invalid ID"));
        }
        Ok(format!("{space}:{path}"))
    }

    /// A number with or without a point.
    pub(super) fn double(&mut self) -> Result<f64, Refusal> {
        let (start, word) = self.word()?;
        word.parse().map_err(|_| self.wrong(start, "Expected double"))
    }
}
