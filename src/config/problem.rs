//! What is wrong with a configuration, told so that its owner can put it right.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

/// Whether Votive starts in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It does not.
    Error,
    /// It does, and says so.
    Warning,
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file: the path as the user gave it; no position where the file as a whole is meant.
    File {
        /// The file.
        path: PathBuf,
        /// The place in it.
        position: Option<Position>,
    },
    /// In the environment variable of this name.
    Variable(String),
}

/// A place in a text, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One thing that is wrong, or odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// Where it is.
    pub origin: Origin,
    /// The path of its key (`servers.survival.rcon`, list entries counted from 1); empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { path, position } => {
                write!(f, "{}", path.display())?;
                if let Some(Position { line, column }) = position {
                    write!(f, ":{line}:{column}")?;
                }
            }
            Origin::Variable(name) => write!(f, "{}", shown(name))?,
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

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
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
            At::File(position) => write!(f, "line {}", position.line),
            At::Variable(name) => f.write_str(name),
        }
    }
}

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
    pub(super) fn error(
        &mut self,
        at: &At,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Level::Error, at, key, message.into(), remedy.into());
    }

    /// Something that the owner should know.
    pub(super) fn warning(
        &mut self,
        at: &At,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Level::Warning, at, key, message.into(), remedy.into());
    }

    /// The one problem of a line that had to be changed to be readable.
    pub(super) fn mended(
        &mut self,
        at: &At,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.error(at, key, message, remedy);
        if let At::File(position) = at {
            self.mended.insert(position.line);
        }
    }

    /// A problem of the file as a whole.
    pub(super) fn file(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.list.push(Problem {
            level: Level::Error,
            origin: Origin::File { path: self.file.clone(), position: None },
            key: String::new(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    fn add(&mut self, level: Level, at: &At, key: &str, message: String, remedy: String) {
        let origin = match at {
            At::File(position) if self.mended.contains(&position.line) => return,
            At::File(position) => Origin::File { path: self.file.clone(), position: Some(*position) },
            At::Variable(name) => Origin::Variable(name.clone()),
        };
        self.list.push(Problem { level, origin, key: key.to_owned(), message, remedy });
    }

    /// Errors and warnings, each in the order of the file, those of the environment after them.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        self.list.sort_by_key(|problem| match &problem.origin {
            Origin::File { position, .. } => (0, *position, String::new()),
            Origin::Variable(name) => (1, None, name.clone()),
        });
        self.list.into_iter().partition(|problem| problem.level == Level::Error)
    }
}

/// The longest piece of the owner's text that a message repeats, in characters.
const LONGEST_SHOWN: usize = 60;

/// The owner's text, fit for one line of a message: cut, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST_SHOWN {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
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
