//! `votive demo`: the real daemon between a simulated platform and two simulated game servers, and a check of all that
//! was claimed.

mod check;
mod keep;
mod log;
mod scenes;
mod screen;
mod stage;

use std::io;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use self::check::Check;
use self::scenes::{Scene, Story};
use self::stage::{Daemon, Stage};
use super::{Options, Outcome};

/// Longer than any scene takes on a busy machine, short enough that the whole demo ends in time.
const PATIENCE: Duration = Duration::from_secs(10);

const SUMMARY: &str = "Checked against what the game servers and the platform have recorded";

/// What the demo shows beyond its scenes.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Stay up after the scenes, with command lines to try, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Show the daemon's own log, too
    #[arg(long)]
    log: bool,
}

/// Plays the scenes and says whether everything came as claimed.
pub(super) fn run(options: &Options, args: &Args) -> anyhow::Result<Outcome> {
    if options.config.is_some() || options.state_dir.is_some() {
        bail!(
            "the demo brings its own rewards.yaml and its own ledger; leave --config and --state-dir out, or use `votive check` and `votive run`"
        );
    }
    if args.log {
        log::show();
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(play(args.keep))
}

async fn play(keep: bool) -> anyhow::Result<Outcome> {
    let mut end = End::new()?;
    let stage = Stage::set().await?;
    let (mut story, mut daemon) = (Story::new(&stage), stage.daemon);
    screen::opening()?;
    scenes(&mut story, &mut daemon, &mut end).await?;
    let hold = if keep {
        let hold = summary(SUMMARY, &story.checks())?;
        keep::invite(&story)?;
        tokio::select! {
            shown = story.survival.follow() => shown?,
            shown = story.skyblock.follow() => shown?,
            error = daemon.ended() => return Err(error.context("the daemon ended before the demo")),
            () = end.told() => {}
        }
        summary("The end", &[stop(daemon).await])? && hold
    } else {
        // Nothing runs any more once the daemon has stopped, so the records are final then.
        let stopped = stop(daemon).await;
        let mut checks = story.checks();
        checks.push(stopped);
        let hold = summary(SUMMARY, &checks)?;
        screen::paragraph("To try it yourself: votive demo --keep")?;
        hold
    };
    Ok(if hold { Outcome::Success } else { Outcome::Failed })
}

async fn scenes(story: &mut Story, daemon: &mut Daemon, end: &mut End) -> anyhow::Result<()> {
    for (number, scene) in (1..).zip(Scene::ALL) {
        let (title, about) = scene.about();
        screen::title(&format!("{number}. {title}"))?;
        screen::paragraph(about)?;
        tokio::select! {
            played = timeout(PATIENCE, story.play(scene)) => played.map_err(|_| anyhow!(
                "scene {number} ({title}) was not over after {} s; `votive demo --log` shows what the daemon said",
                PATIENCE.as_secs()
            ))??,
            error = daemon.ended() => return Err(error.context("the daemon ended before the demo")),
            () = end.told() => bail!("stopped in scene {number}, before the end"),
        }
    }
    Ok(())
}

/// Shows the checks; whether all of them hold.
fn summary(title: &str, checks: &[Check]) -> io::Result<bool> {
    screen::title(title)?;
    checks.iter().try_for_each(screen::check)?;
    let failed = checks.iter().filter(|check| !check.holds()).count();
    screen::paragraph(&match failed {
        0 => "Everything came as it should.".to_owned(),
        _ => format!("{failed} of {} checks FAILED.", checks.len()),
    })?;
    Ok(failed == 0)
}

async fn stop(daemon: Daemon) -> Check {
    let stopped = daemon.stop().await;
    Check {
        claim: "the daemon stopped cleanly when it was told to".to_owned(),
        against: stopped.err().map(|error| format!("{error:#}")).into_iter().collect(),
    }
}

/// Whoever runs the demo can end it at any time.
struct End {
    terminate: Signal,
    interrupt: Signal,
}

impl End {
    fn new() -> io::Result<Self> {
        Ok(End { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for SIGTERM or Ctrl-C.
    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
