//! What is wrong with a configuration, told so that its owner can put it right.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Whether Votive starts in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It does not.
    Error,
    /// It does, and says so.
    Warning,
}

/// A place in a text, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Where a value stands, or a problem is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// The file as a whole.
    Whole,
    /// In the file.
    File(Position),
    /// In the environment variable of this name.
    Variable(String),
}

impl At {
    /// The start of the file, for what is missing from it.
    pub(super) const START: At = At::File(Position { line: 1, column: 1 });
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Whole => f.write_str("the file"),
            At::File(position) => write!(f, "line {}", position.line),
            At::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong, or odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// The file, as the user gave its path.
    pub file: PathBuf,
    /// Where it is.
    pub at: At,
    /// The path of its key (`servers.survival.rcon`, list entries counted from 1); empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Whole => write!(f, "{}", self.file.display())?,
            At::File(Position { line, column }) => write!(f, "{}:{line}:{column}", self.file.display())?,
            At::Variable(name) => f.write_str(&shown(name))?,
        }
        f.write_str(match self.level {
            Level::Error => ": error: ",
            Level::Warning => ": warning: ",
        })?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}\n    help: {}", self.message, self.remedy)
    }
}

/// Where a problem is, and the path of its key.
pub(super) type Place<'a> = (&'a At, &'a str);

/// Collects problems.
pub(super) struct Problems {
    file: PathBuf,
    /// Lines that were changed to be readable at all. Their one problem is told; what follows from it is not.
    mended: HashSet<usize>,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: PathBuf) -> Self {
        Problems { file, mended: HashSet::new(), list: Vec::new() }
    }

    /// Something that keeps Votive from starting.
    pub(super) fn error(&mut self, place: Place<'_>, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(Level::Error, place, message.into(), remedy.into());
    }

    /// Something that the owner should know.
    pub(super) fn warning(
        &mut self,
        place: Place<'_>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Level::Warning, place, message.into(), remedy.into());
    }

    fn add(&mut self, level: Level, (at, key): Place<'_>, message: String, remedy: String) {
        if !matches!(at, At::File(position) if self.mended.contains(&position.line)) {
            let (file, at, key) = (self.file.clone(), at.clone(), key.to_owned());
            self.list.push(Problem { level, file, at, key, message, remedy });
        }
    }

    /// Whatever else is wrong with this line follows from what was told of it.
    pub(super) fn mended(&mut self, line: usize) {
        self.mended.insert(line);
    }

    /// Errors and warnings, each in the order of the file, those of the environment after them.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        self.list.sort_by(|one, other| one.at.cmp(&other.at));
        self.list.into_iter().partition(|problem| problem.level == Level::Error)
    }
}

/// The longest piece of the owner's text that a message repeats, in characters.
const LONGEST_SHOWN: usize = 60;

/// The owner's text, fit for one line of a message: cut, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let cut = if text.chars().nth(LONGEST_SHOWN).is_some() { "…" } else { "" };
    text.chars().take(LONGEST_SHOWN).map(escaped).chain([cut.to_owned()]).collect()
}

/// The one of `known` that `name` was probably meant to be.
pub(super) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let name = plain(name);
    // A third of the letters may be wrong, but never so many that any short name is like any other.
    let allowed = (name.chars().count() / 3).min(4);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Names for a message: `a`, `b` and `c`.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{}`", shown(name))).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_recognised_and_another_word_is_not() {
        let known = ["rcon", "rewards", "password_file", "id"];
        assert_eq!(nearest("rcno", known), Some("rcon"));
        assert_eq!(nearest("Password-File", known), Some("password_file"));
        assert_eq!(nearest("reward", known), Some("rewards"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", ["yz"]), None);
    }

    #[test]
    fn a_message_stays_on_its_line() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
