//! The command line: one file per subcommand.

mod backup;
mod cancel;
mod check;
mod client;
mod completions;
mod demo;
mod explain;
mod export;
mod import;
mod json;
mod lines;
mod man;
mod pause;
mod progress;
mod prune;
mod reload;
mod replay;
mod resolve;
mod restore;
mod retry;
mod run;
mod schema;
mod simulate;
mod status;
mod table;
mod test_notify;
mod test_vote;
mod test_webhook;
mod votes;
mod when;

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Sources};

/// Writes a line to stderr. That nobody can read it is no reason to stop, let alone to panic.
#[macro_export]
macro_rules! complain {
    ($($text:tt)*) => {
        drop(std::io::Write::write_fmt(&mut anstream::stderr(), format_args!("{}\n", format_args!($($text)*))))
    };
}

/// Writes a line to stdout, and returns where that cannot be: what is not read is not done, to the caller.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        std::io::Write::write_fmt(&mut anstream::stdout(), format_args!("{}\n", format_args!($($text)*)))?
    };
}

/// How a command ended that did what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Success,
    /// The configuration has errors, which were told.
    BadConfiguration,
    /// It did not come to what was asked, or something was found wrong, which was told.
    Failed,
    /// No daemon runs that could be asked, which was told.
    NobodyThere,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  it did not come to what was asked; the message says why
   2  the command line is wrong
  69  no Votive runs that could be asked
  78  the configuration is wrong";

#[derive(Parser)]
#[command(version, about, after_long_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, clap::Args)]
struct Options {
    /// The configuration; without it ./rewards.yaml, then /etc/votive/rewards.yaml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the ledger lives, whatever the configuration says
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The control socket, where it is neither in the state directory nor in /run/votive
    #[arg(long, global = true, value_name = "FILE")]
    socket: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon: take deliveries in and issue their rewards
    Run(run::Args),
    /// Check rewards.yaml: every error with its place and what to do
    Check(check::Args),
    /// Have the running daemon read rewards.yaml again, without a restart
    ///
    /// The new configuration takes the place of the old one as a whole, or not at all: where it has errors or needs a
    /// restart, everything stays as it is, and the exit code is 78. What has been planned stays as it was planned.
    Reload,
    /// See it work: votes, faults and what comes of them, without any Minecraft
    Demo(demo::Args),
    /// Have the running daemon issue what a vote would earn, without the platform
    TestVote(test_vote::Args),
    /// Have the running daemon post a test delivery to its public address, and say what came of it
    ///
    /// The delivery is signed as the platform signs its own, and the daemon watches whether it arrives. A test is never
    /// rewarded. The exit code is 0 where deliveries arrive, and 1 where they do not.
    TestWebhook(test_webhook::Args),
    /// Have the running daemon send a message to everybody whom rewards.yaml has notified
    TestNotify,
    /// See what votes would bring: every command, and why each reward comes or does not
    ///
    /// Touches no game server, no ledger and no daemon, and needs no secrets. The events are simulate-1, simulate-2 and so
    /// on: what they draw is what a real vote with that id would draw.
    Simulate(simulate::Args),
    /// Print a JSON Schema of rewards.yaml, with which editors complete keys and mark mistakes
    Schema,
    /// Tell the running daemon whether a command ran that is in doubt
    Resolve(resolve::Args),
    /// Have the running daemon try again what is refused or closed about a vote
    ///
    /// The rewards are rendered anew from today's rewards.yaml; commands that are known to have run do not run again. You
    /// decide here that the player shall have them: if the reward was issued in a time of which the ledger knows nothing,
    /// because it was restored from a backup, it is issued a second time.
    Retry(retry::Args),
    /// Show how the running daemon and its game servers fare
    Status(status::Args),
    /// Show votes, the newest first
    Votes(votes::Args),
    /// Tell the story of a vote, or of a player's last votes: why something came or did not, and what to do
    ///
    /// A time line, the reason for each reward, each command with its reply, what is awaited and what to do next. Also of
    /// the last 256 deliveries that were refused since the daemon was started. The exit code is 1 where nothing is known.
    Explain(explain::Args),
    /// Have the running daemon give up what is still to come of a vote, also what is in doubt or refused
    ///
    /// What has been issued stays issued. Only a retry reopens what was cancelled; a redelivery does not.
    Cancel(cancel::Args),
    /// Have the running daemon issue again what was issued, for a world that was wiped or went back in time
    ///
    /// Shows what it would be, and asks. Every command that ran within the time is sent again as it was, as part of a vote of
    /// its own that counts for nothing. All of it begins at once, or nothing does. What was issued again before is left out.
    Replay(replay::Args),
    /// Have the running daemon send nothing more to a game server, also after a restart
    Pause(pause::Args),
    /// Have the running daemon go on with a game server that was paused
    Resume(pause::Args),
    /// Print all votes, the oldest first
    Export(export::Args),
    /// Have the running daemon give up the details of old votes that are granted or closed
    ///
    /// What is open, in doubt or refused stays, and so does what keeps each vote from being rewarded a second time.
    Prune(prune::Args),
    /// Save all that Votive knows of votes to a file, also while the daemon runs
    Backup(backup::Args),
    /// Replace the ledger by one from a backup; the daemon has to be stopped
    ///
    /// Nothing is issued twice because of it: what was still to be issued when the backup was taken is in doubt then, and
    /// votes from before the restore that are not in the backup are refused until you retry them. The ledger that was there
    /// is kept beside the new one.
    Restore(restore::Args),
    /// Take over how often players have voted before Votive, from a CSV file; the daemon has to be stopped
    ///
    /// The file has the columns player, total, streak and last_vote; the last two can be left out. Without --apply,
    /// nothing is changed and you see what would be. A second import replaces the counts of the first; what Votive has
    /// counted itself stays, and is added.
    Import(import::Args),
    /// Print a script with which a shell completes commands and options
    Completions(completions::Args),
    /// Print the manual page, or write the pages of all commands into a directory
    Man(man::Args),
}

/// Runs what the command line asks for; ends the process where that is `--help`, `--version` or a mistake.
///
/// # Errors
/// What kept the command from doing its work.
pub fn run() -> anyhow::Result<Outcome> {
    let Cli { options, command } = Cli::parse();
    match perform(options, command) {
        Err(error) if error.is::<client::Nobody>() => {
            crate::complain!("votive: {error}");
            Ok(Outcome::NobodyThere)
        }
        Err(error) if error.is::<client::NoStateDirectory>() => {
            crate::complain!("votive: {error}");
            Ok(Outcome::BadConfiguration)
        }
        // Whoever read the output has seen enough.
        Err(error) if error.chain().any(is_broken_pipe) => Ok(Outcome::Failed),
        done => done,
    }
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe)
}

fn perform(options: Options, command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Run(args) => run::run(options, args),
        Command::Check(args) => check::run(options, &args),
        Command::Reload => reload::run(&options),
        Command::Demo(args) => demo::run(&options, &args),
        Command::TestNotify => test_notify::run(&options),
        Command::TestVote(args) => test_vote::run(&options, args),
        Command::TestWebhook(args) => test_webhook::run(&options, args),
        Command::Simulate(args) => simulate::run(options, &args),
        Command::Schema => schema::run(),
        Command::Resolve(args) => resolve::run(&options, args),
        Command::Retry(args) => retry::run(&options, args),
        Command::Status(args) => status::run(&options, &args),
        Command::Votes(args) => votes::run(&options, &args),
        Command::Explain(args) => explain::run(&options, &args),
        Command::Cancel(args) => cancel::run(&options, args),
        Command::Replay(args) => replay::run(&options, args),
        Command::Pause(args) => pause::pause(&options, args),
        Command::Resume(args) => pause::resume(&options, args),
        Command::Export(args) => export::run(&options, &args),
        Command::Prune(args) => prune::run(&options, &args),
        Command::Backup(args) => backup::run(&options, &args),
        Command::Restore(args) => restore::run(&options, &args),
        Command::Import(args) => import::run(options, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// The configuration, without its secrets; `None` where it has errors, which were told.
fn configuration(options: Options) -> Option<Config> {
    let told =
        |problems: &[config::Problem]| problems.iter().for_each(|problem| crate::complain!("{problem}"));
    let path = config::find(options.config).map_err(|problem| told(&[*problem])).ok()?;
    crate::complain!("reading {}", path.display());
    let loaded = config::load_without_secrets(&Sources::from_process(path, options.state_dir));
    loaded.config.map_err(|errors| told(&errors)).ok()
}

/// How to print what was found.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a script.
    Json,
}
