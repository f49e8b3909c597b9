//! `votive check`: what is wrong with a configuration, and what the game servers and the API can do, without starting
//! anything.

mod document;
mod found;
mod online;
mod words;

use std::io::{self, Write};
use std::path::PathBuf;

use super::{Format, Options, Outcome, json};
use crate::config::{self, Config, Loaded, Problem, Sources};
use crate::text::counted;
use document::Document;

/// How a configuration is checked.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How to print what was found: for a person, or as one JSON document
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also log in to every game server and ask the API, and say what each of them can do; nothing is changed
    #[arg(long)]
    online: bool,
}

/// What came of a configuration.
struct Checked {
    /// The file that was read; `None` where there is none.
    file: Option<PathBuf>,
    warnings: Vec<Problem>,
    config: Result<Config, Vec<Problem>>,
}

/// Prints the file that was read, every problem, and a summary; then what was found online.
pub(super) fn run(options: Options, args: &Args) -> anyhow::Result<Outcome> {
    let checked = Checked::new(options);
    if let Format::Text = args.format {
        checked.print()?;
    }
    let found = match &checked.config {
        Ok(config) if args.online => Some(online::look(config)?),
        _ => None,
    };
    let outcome = match (&checked.config, &found) {
        (Err(_), _) => Outcome::BadConfiguration,
        (Ok(_), Some(found)) if !found.failed().is_empty() => Outcome::Failed,
        (Ok(_), _) => Outcome::Success,
    };
    match args.format {
        Format::Text => found.iter().try_for_each(|found| writeln!(io::stdout(), "\n{found}"))?,
        Format::Json => json::pretty(&Document::of(&checked, found.as_ref()))?,
    }
    Ok(outcome)
}

impl Checked {
    fn new(options: Options) -> Self {
        let path = match config::find(options.config) {
            Ok(path) => path,
            Err(problem) => {
                return Checked { file: None, warnings: Vec::new(), config: Err(vec![*problem]) };
            }
        };
        let Loaded { warnings, config } =
            config::load(&Sources::from_process(path.clone(), options.state_dir));
        Checked { file: Some(path), warnings, config }
    }

    fn errors(&self) -> &[Problem] {
        self.config.as_ref().err().map_or(&[], Vec::as_slice)
    }

    fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if let Some(file) = &self.file {
            writeln!(out, "checking {}", file.display())?;
        }
        for problem in self.errors().iter().chain(&self.warnings) {
            writeln!(out, "{problem}")?;
        }
        if self.file.is_none() {
            return Ok(());
        }
        let counts =
            format!("{}, {}", counted(self.errors().len(), "error"), counted(self.warnings.len(), "warning"));
        match &self.config {
            Ok(config) => writeln!(out, "{counts}: Votive can start, with {}", config.summary()),
            Err(_) => writeln!(out, "{counts}: Votive does not start with this configuration"),
        }
    }
}
