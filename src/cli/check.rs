//! `votive check`: what is wrong with a configuration, without starting anything.

use std::io::Write;

use super::{Options, Outcome};
use crate::config::{self, Loaded, Sources};
use crate::text::counted;

/// Prints the file that was read, every problem, and a summary.
pub(super) fn run(options: Options) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let path = match config::find(options.config) {
        Ok(path) => path,
        Err(problem) => {
            writeln!(out, "{problem}")?;
            return Ok(Outcome::BadConfiguration);
        }
    };
    writeln!(out, "checking {}", path.display())?;
    let Loaded { warnings, config } = config::load(&Sources::from_process(path, options.state_dir));
    let errors = config.as_ref().err().map_or(&[][..], Vec::as_slice);
    for problem in errors.iter().chain(&warnings) {
        writeln!(out, "{problem}")?;
    }
    let counts = format!("{}, {}", counted(errors.len(), "error"), counted(warnings.len(), "warning"));
    match &config {
        Ok(config) => {
            writeln!(out, "{counts}: Votive can start, with {}", config.summary())?;
            Ok(Outcome::Success)
        }
        Err(_) => {
            writeln!(out, "{counts}: Votive does not start with this configuration")?;
            Ok(Outcome::BadConfiguration)
        }
    }
}
