//! The one loader: what passes `votive check` starts with `votive run`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::problem::{At, Level, Position, Problem, Problems};
use super::yaml::{self, Node, Value};
use super::{Config, build, overrides};

/// Where a configuration is looked for when nobody says where it is, in this order.
const PLACES: [&str; 2] = ["rewards.yaml", "/etc/votive/rewards.yaml"];

/// No configuration is larger, in bytes; something that is has been named by mistake.
const LARGEST: u64 = 1024 * 1024;

/// Everything that a configuration is read from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file, as the user gave it.
    pub path: PathBuf,
    /// `--state-dir`, which wins over every other source.
    pub state_dir: Option<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Whether they are read again for a daemon that runs: then a secret that systemd did not hand out at its start
    /// arrives only with a restart.
    pub again: bool,
}

impl Sources {
    /// The sources of this process: its environment, and what its command line says. Bytes of the environment that
    /// are no UTF-8 become U+FFFD, which is an error in every variable that is ours.
    pub fn from_process(path: PathBuf, state_dir: Option<PathBuf>) -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Sources {
            path,
            state_dir,
            env: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            again: false,
        }
    }

    /// The directory with the secrets that systemd has handed out, if it has.
    pub fn credentials(&self) -> Option<&Path> {
        self.env.get("CREDENTIALS_DIRECTORY").filter(|text| !text.is_empty()).map(Path::new)
    }

    /// The directory of the file, to which relative paths in it refer.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// What came of loading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// What is odd, in the order of the file.
    pub warnings: Vec<Problem>,
    /// The configuration, or everything that is wrong with it, in the order of the file.
    pub config: Result<Config, Vec<Problem>>,
}

/// The configuration file to read: the one that the user named, else the first that there is of `./rewards.yaml` and
/// `/etc/votive/rewards.yaml`.
///
/// # Errors
/// A [`Problem`] that names both where there is neither.
pub fn find(explicit: Option<PathBuf>) -> Result<PathBuf, Box<Problem>> {
    let found = explicit.or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.exists()));
    let [here, system] = PLACES;
    found.ok_or_else(|| {
        Box::new(Problem {
            level: Level::Error,
            file: PathBuf::from(here),
            at: At::Whole,
            key: String::new(),
            message: format!("there is no configuration: neither ./{here} nor {system}"),
            remedy: "copy the rewards.yaml that came with Votive to one of the two, or name yours with --config FILE".to_owned(),
        })
    })
}

/// Loads a configuration.
pub fn load(sources: &Sources) -> Loaded {
    load_with(sources, Some(sources))
}

/// Loads a configuration for somebody who may not read its secrets and does not need them: those in it are empty.
pub fn load_without_secrets(sources: &Sources) -> Loaded {
    load_with(sources, None)
}

fn load_with(sources: &Sources, secrets: Option<&Sources>) -> Loaded {
    let mut problems = Problems::new(sources.path.clone());
    let config = read(sources, secrets, &mut problems);
    let (errors, warnings) = problems.finish();
    Loaded {
        warnings,
        config: match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(errors),
        },
    }
}

/// The state directory that the sources name, also where they have errors that have nothing to do with it; `None` where
/// they cannot be read at all.
pub fn state_dir(sources: &Sources) -> Option<PathBuf> {
    let mut problems = Problems::new(sources.path.clone());
    let root = tree(sources, &mut problems)?;
    build::state_dir(&root, sources, &mut problems)
}

fn read(sources: &Sources, secrets: Option<&Sources>, problems: &mut Problems) -> Option<Config> {
    let root = tree(sources, problems)?;
    build::build(&root, sources, secrets, problems)
}

/// The file with the variables of the environment put into it.
fn tree(sources: &Sources, problems: &mut Problems) -> Option<Node> {
    let text = match text(&sources.path) {
        Ok(text) => text,
        Err((at, message, remedy)) => {
            problems.error((&at, ""), message, remedy);
            return None;
        }
    };
    let mut root = yaml::read(&text, problems)?;
    if matches!(root.value, Value::Nothing) {
        let message = "the file is empty, or everything in it is a comment";
        problems.error((&At::Whole, ""), message, "begin with the rewards.yaml that came with Votive");
        return None;
    }
    overrides::apply(&mut root, &sources.env, problems);
    Some(root)
}

/// The text of the file, or what is wrong with it.
fn text(path: &Path) -> Result<String, (At, String, &'static str)> {
    let (bytes, _) = bytes(path, LARGEST).map_err(|error| {
        let message = match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => format!("it cannot be read: {error}"),
        };
        let remedy = "name the file with --config FILE, and let the user that Votive runs as read it";
        (At::Whole, message, remedy)
    })?;
    // Some editors begin a file with a byte order mark; nobody sees it.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    std::str::from_utf8(bytes).map(with_line_feeds).map_err(|error| {
        let good = with_line_feeds(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]));
        let line = good.rsplit('\n').next().unwrap_or_default();
        let at = Position { line: good.matches('\n').count() + 1, column: line.chars().count() + 1 };
        let remedy = "save it as UTF-8 in your editor (not as ANSI, Windows-1251 or UTF-16)";
        (At::File(at), "the file is not UTF-8 from here on".to_owned(), remedy)
    })
}

/// The text with one kind of line break. YAML knows three, and a line has one number whoever counts.
fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What a file holds that is no larger than `most` bytes, and who can do what with it.
pub(super) fn bytes(path: &Path, most: u64) -> io::Result<(Vec<u8>, u32)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.len() > most {
        return Err(io::Error::other(format!("it is larger than {} KiB", most / 1024)));
    }
    Ok((fs::read(path)?, metadata.permissions().mode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the errors of a file are.
    fn places(text: &[u8]) -> Vec<At> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, text).unwrap();
        let loaded = load(&Sources { path, state_dir: None, env: BTreeMap::new(), again: false });
        loaded.config.unwrap_err().into_iter().map(|problem| problem.at).collect()
    }

    #[test]
    fn lines_are_counted_alike_however_they_end() {
        let file = "webhook:\n  path: @a\n  lisen: b\nservers:\n  a: {id: 1, colour: red}\n";
        let expected = places(file.as_bytes());
        assert!(expected.contains(&At::File(Position { line: 2, column: 9 })), "{expected:?}");
        assert!(expected.contains(&At::File(Position { line: 5, column: 14 })), "{expected:?}");
        for line_break in ["\r\n", "\r"] {
            let file = file.replace('\n', line_break);
            assert_eq!(places(file.as_bytes()), expected, "{line_break:?}");
            let no_text = [file.as_bytes(), b"a\xff"].concat();
            assert_eq!(places(&no_text), [At::File(Position { line: 6, column: 2 })], "{line_break:?}");
        }
    }
}
