//! `votive check`: what is wrong with a configuration, without starting anything.

use std::io::Write;

use super::{Options, Outcome};
use crate::config::{self, Config, Loaded, Sources};

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
            writeln!(out, "{counts}: Votive can start, with {}", summary(config))?;
            Ok(Outcome::Success)
        }
        Err(_) => {
            writeln!(out, "{counts}: Votive does not start with this configuration")?;
            Ok(Outcome::BadConfiguration)
        }
    }
}

/// What the configuration amounts to, for somebody who wants to know that it was understood.
fn summary(config: &Config) -> String {
    let mut rewards: Vec<&str> =
        config.servers.iter().flat_map(|server| &server.rewards).map(|reward| reward.name.as_str()).collect();
    rewards.sort_unstable();
    rewards.dedup();
    format!("{} and {}", counted(config.servers.len(), "game server"), counted(rewards.len(), "reward"))
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
