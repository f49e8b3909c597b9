//! `votive demo`, as a newcomer runs it.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What the demo promises to take at most.
const IN_TIME: Duration = Duration::from_secs(20);

fn demo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_votive"));
    command.arg("demo").args(args);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn assert_green(output: &Output) {
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}\n{said}");
    assert_eq!(said, "");
    assert!(!shown.contains("FAILED"), "{shown}");
}

#[test]
fn it_ends_green_in_time_and_shows_what_it_promises() {
    let start = Instant::now();
    let output = demo(&[]).output().unwrap();
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    assert_green(&output);
    let shown = text(&output.stdout);
    assert!(!shown.contains('\u{1b}'), "a pipe takes no colours");
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    for line in [
        "survival    > give Steve minecraft:diamond 3",
        "Gave 3 [Diamond] to Noor",
        "skyblock    > xp add Zuri 100 points",
    ] {
        let times = lines.iter().filter(|shown| **shown == line).count();
        assert_eq!(times, 1, "{line}\n{shown}");
    }
    let answers = lines.iter().filter_map(|line| line.strip_prefix("answered"));
    let answers: Vec<&str> = answers.map(|answer| &answer.trim()[..3]).collect();
    assert_eq!(answers, ["204", "204", "204", "401", "204", "204", "204", "204", "503", "422"]);
    for claim in [
        "✓ ok      survival ran each of 6 commands exactly once",
        "✓ ok      survival ran nothing else; ",
        "✓ ok      skyblock ran each of 6 commands exactly once",
        "✓ ok      skyblock ran nothing else; ",
        "✓ ok      on survival, Alex, Noor, Steve have their rewards, no more and no less",
        "✓ ok      on skyblock, Kai, Sunny, Zuri have their rewards, no more and no less",
        "✓ ok      all 10 deliveries were answered as they should be",
        "✓ ok      the API was asked once for each of 7 votes, never for a forged or a test delivery",
        "✓ ok      no game server found fault with a login or a frame",
        "✓ ok      the daemon stopped cleanly when it was told to",
    ] {
        let claimed = lines.iter().filter(|line| line.starts_with(claim)).count();
        assert_eq!(claimed, 1, "{claim}\n{shown}");
    }
    assert!(lines.contains(&"Everything came as it should."));
}

#[test]
fn colours_are_shown_where_they_are_wanted_and_nowhere_else() {
    let coloured = demo(&[]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert_green(&coloured);
    assert!(text(&coloured.stdout).contains("\u{1b}[32m✓ ok"));
    let plain = (demo(&[]).env("CLICOLOR_FORCE", "1")).env("NO_COLOR", "1").output().unwrap();
    assert_green(&plain);
    assert!(!text(&plain.stdout).contains('\u{1b}'));
}

#[test]
fn the_daemons_own_log_is_shown_on_request() {
    let output = demo(&["--log"]).output().unwrap();
    assert_green(&output);
    let shown = text(&output.stdout);
    assert!(shown.contains("   log         WARN a delivery was refused: "), "{shown}");
}

#[test]
fn what_keeps_it_from_starting_is_said() {
    let output = demo(&[]).env("TMPDIR", "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("cannot make a directory in /nowhere; set TMPDIR"), "{said}");

    let output = demo(&["--config", "rewards.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the demo brings its own rewards.yaml"));
}

/// A demo that stays up. Killed when dropped.
struct Kept {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Kept {
    fn start() -> Kept {
        let mut child = demo(&["--keep"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Kept { child, lines }
    }

    /// The lines up to the one that holds `text`, without it.
    fn until(&mut self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        for line in &mut self.lines {
            let line = line.unwrap();
            if line.contains(text) {
                return before;
            }
            before.push(line);
        }
        panic!("{text:?} never came:\n{}", before.join("\n"));
    }

    fn terminate(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn it_stays_up_on_request_and_the_lines_to_copy_do_what_they_say() {
    let mut kept = Kept::start();
    let summary = kept.until("Now you");
    assert!(summary.iter().any(|line| line.contains("✓ ok")));
    let offers = kept.until("The game consoles");
    let offers: Vec<(&str, &str)> = (offers.windows(2))
        .filter_map(|pair| Some((pair[0].strip_prefix("# ")?.get(..3)?, pair[1].as_str())))
        .collect();
    let promised: Vec<&str> = offers.iter().map(|(status, _)| *status).collect();
    assert_eq!(promised, ["204", "204", "204", "401", "204", "502", "200"]);
    assert_eq!(offers[0].1, offers[1].1, "the same vote again");
    for (status, line) in offers {
        let output = Command::new("sh").args(["-c", line]).output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let first = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&first), "{line}\n{answer}");
    }
    kept.terminate();
    let consoles: Vec<String> = kept.until("The end");
    let ran: Vec<&str> =
        consoles.iter().filter_map(|line| line.split_once("> ")).map(|(_, command)| command).collect();
    assert_eq!(
        ran,
        [
            "say Steve voted for survival. Thank you!",
            "give Steve minecraft:diamond 3",
            "give Kai minecraft:emerald 5",
            "xp add Kai 100 points",
        ]
    );
    kept.until("✓ ok      the daemon stopped");
    assert_eq!(kept.child.wait().unwrap().code(), Some(0));
}
