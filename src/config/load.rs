//! The one loader: what passes `votive check` starts with `votive run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::problem::{At, Level, Origin, Position, Problem, Problems};
use super::yaml::{self, Value};
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
        }
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
    found.ok_or_else(|| {
        Box::new(Problem {
            level: Level::Error,
            origin: Origin::File {
                path: PathBuf::from(PLACES[0]),
                position: None,
            },
            key: String::new(),
            message: format!("there is no configuration: neither ./{} nor {}", PLACES[0], PLACES[1]),
            remedy: "copy the rewards.yaml that came with Votive to one of the two, or name yours with --config FILE".to_owned(),
        })
    })
}

/// Loads a configuration.
pub fn load(sources: &Sources) -> Loaded {
    let mut problems = Problems::new(sources.path.clone());
    let config = read(sources, &mut problems);
    let (errors, warnings) = problems.finish();
    Loaded {
        warnings,
        config: match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(errors),
        },
    }
}

fn read(sources: &Sources, problems: &mut Problems) -> Option<Config> {
    let text = text(&sources.path, problems)?;
    let mut root = yaml::read(&text, problems)?;
    if matches!(root.value, Value::Nothing) {
        problems.file(
            "the file is empty, or everything in it is a comment",
            "begin with the rewards.yaml that came with Votive",
        );
        return None;
    }
    overrides::apply(&mut root, &sources.env, problems);
    build::build(&root, sources, problems)
}

/// The text of the file.
fn text(path: &Path, problems: &mut Problems) -> Option<String> {
    let remedy = "name the file with --config FILE, and let the user that Votive runs as read it";
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            problems.file("this is not a file", "name a file with --config FILE");
            return None;
        }
        Ok(metadata) if metadata.len() > LARGEST => {
            problems.file(
                "this is larger than any configuration (1 MiB)",
                "name the right file with --config FILE",
            );
            return None;
        }
        Ok(_) => std::fs::read(path),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            problems.file("there is no such file", "name the file with --config FILE");
            return None;
        }
        Err(error) => {
            problems.file(format!("it cannot be read: {error}"), remedy);
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            // Some editors begin a file with a byte order mark; nobody sees it.
            if text.starts_with('\u{feff}') {
                text.remove(0);
            }
            Some(text)
        }
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let good = String::from_utf8_lossy(good);
            let line = good.rsplit('\n').next().unwrap_or_default();
            let at = Position { line: good.matches('\n').count() + 1, column: line.chars().count() + 1 };
            problems.error(
                &At::File(at),
                "",
                "the file is not UTF-8 from here on",
                "save it as UTF-8 in your editor (not as ANSI, Windows-1251 or UTF-16)",
            );
            None
        }
    }
}
