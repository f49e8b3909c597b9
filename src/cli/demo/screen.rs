//! What the demo shows, line by line on standard output: a column that says who, a column that says what. In colour
//! where the terminal takes it (and `NO_COLOR` allows it), and as clear without.

use std::fmt::Arguments;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hyper::StatusCode;

use super::check::Check;
use crate::sim::platform::Answered;
use crate::text::broken;

/// The width that text is broken to.
const WIDTH: usize = 100;
/// Where the second column begins.
const COLUMN: usize = 15;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const HELD: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CONSOLE: Style = AnsiColor::Cyan.on_default();

/// One line. Written under one lock, so that the lines of the daemon's own log stay lines.
fn put(line: Arguments<'_>) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{line}")
}

/// A line of two columns.
fn columns(who: &str, style: Style, what: &str) -> io::Result<()> {
    let width = COLUMN - 3;
    put(format_args!("   {DIM}{who:width$}{DIM:#}{style}{what}{style:#}"))
}

/// What there is to see.
pub(super) fn opening() -> io::Result<()> {
    put(format_args!("{BOLD}votive demo{BOLD:#}"))?;
    paragraph(
        "The real daemon with the rewards.yaml that it ships with, between a simulated GAMEMONITORING and two \
         simulated Minecraft servers, survival and skyblock. Everything stays on this machine.",
    )
}

/// A heading.
pub(super) fn title(text: &str) -> io::Result<()> {
    put(format_args!("\n{BOLD}{text}{BOLD:#}"))
}

/// A paragraph, indented like the lines below a heading.
pub(super) fn paragraph(text: &str) -> io::Result<()> {
    broken(text, WIDTH - 3).iter().try_for_each(|line| put(format_args!("   {line}")))
}

/// Something that happens outside Votive.
pub(super) fn happens(who: &str, what: &str) -> io::Result<()> {
    columns(who, PLAIN, what)
}

/// A command that took effect, and what the game said to it.
pub(super) fn console(server: &str, command: &str, reply: &str) -> io::Result<()> {
    columns(server, CONSOLE, &format!("> {command}"))?;
    let reply = reply.lines().filter(|line| !line.is_empty());
    reply.into_iter().try_for_each(|line| columns("", DIM, &format!("  {line}")))
}

/// Neither console received anything.
pub(super) fn quiet() -> io::Result<()> {
    columns("consoles", DIM, "(nothing)")
}

/// What the platform was answered.
pub(super) fn answer(answered: &Answered) -> io::Result<()> {
    let Some(status) = answered.status else {
        return columns("answered", BAD, &format!("nothing: {}", answered.body));
    };
    let name =
        StatusCode::from_u16(status).map_or("", |status| status.canonical_reason().unwrap_or_default());
    let style = match status {
        200..300 => GOOD,
        500.. => HELD,
        _ => BAD,
    };
    columns("answered", style, &format!("{status} {name}"))?;
    broken(answered.body.trim_end(), WIDTH - COLUMN).iter().try_for_each(|line| columns("", PLAIN, line))
}

/// A line of the daemon's own log.
pub(super) fn log(line: &str) -> io::Result<()> {
    columns("log", DIM, line)
}

/// A command line to copy: nothing but it stands on its line.
pub(super) fn to_copy(line: &str) -> io::Result<()> {
    put(format_args!("{line}"))
}

/// A claim, whether it holds, and what speaks against it.
pub(super) fn check(check: &Check) -> io::Result<()> {
    let (style, mark) = match check.holds() {
        true => (GOOD, "✓ ok    "),
        false => (BAD, "✗ FAILED"),
    };
    put(format_args!("   {style}{mark}{style:#}  {}", check.claim))?;
    let against = check.against.iter();
    against.into_iter().try_for_each(|line| put(format_args!("             {style}{line}{style:#}")))
}
