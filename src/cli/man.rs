//! `votive man`: the manual pages, made of what `--help` says.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use super::{Cli, Outcome};

/// Where to.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A directory for the pages of all commands, such as /usr/local/share/man/man1; without it, the first page is printed
    dir: Option<PathBuf>,
}

/// Prints the first page, or writes all of them.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    // It has no page.
    let command = Cli::command().disable_help_subcommand(true);
    match &args.dir {
        Some(dir) => {
            let write = move || {
                std::fs::create_dir_all(dir)?;
                clap_mangen::generate_to(command, dir)
            };
            write().with_context(|| format!("{}: cannot write the manual pages there", dir.display()))?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            std::io::stdout().lock().write_all(&page)?;
        }
    }
    Ok(Outcome::Success)
}
