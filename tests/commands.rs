//! The command line as it is documented: every command has its row, its page and its completion, and exit codes hold.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use regex::Regex;
use rig::{Rig, VOTIVE};
use tempfile::TempDir;

fn votive(args: &[&str]) -> Output {
    Command::new(VOTIVE).env_clear().args(args).output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = votive(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Every subcommand that `--help` names, but for `help`.
fn subcommands() -> BTreeSet<String> {
    let mut subcommands = found(r"(?m)^  ([a-z][a-z-]*)  ", &printed(&["--help"]));
    assert!(subcommands.remove("help") && subcommands.len() > 15, "{subcommands:?}");
    subcommands
}

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md")).unwrap()
}

/// Feeds a program; `None` where there is none of that name.
fn fed(program: &str, args: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn every_command_has_one_row_and_every_option_that_a_row_names_exists() {
    let row = Regex::new(r"(?m)^\| `votive ([a-z-]+)[^`]*` \| (.+) \|$").unwrap();
    let document = document();
    let mut told = BTreeSet::new();
    for found in row.captures_iter(&document) {
        assert!(told.insert(found[1].to_owned()), "{} has two rows", &found[1]);
        let help = printed(&[&found[1], "--help"]);
        for option in self::found(r"`(--[a-z-]+)", &found[2]) {
            assert!(help.contains(&option), "votive {} has no {option}", &found[1]);
        }
    }
    assert_eq!(told, subcommands());
}

#[test]
fn every_command_has_a_manual_page_with_each_of_its_options() {
    let directory = TempDir::new().unwrap();
    let pages = directory.path().join("man/man1");
    assert_eq!(printed(&["man", pages.to_str().unwrap()]), "");
    let read = |name: &str| fs::read_to_string(pages.join(name)).unwrap();
    let first = read("votive.1");
    assert_eq!(first, printed(&["man"]));
    let mut names = BTreeSet::from(["votive.1".to_owned()]);
    for subcommand in subcommands() {
        let name = format!("votive-{subcommand}.1");
        assert!(first.contains(&name.trim_end_matches(".1").replace('-', "\\-")), "{name}");
        let (page, help) = (read(&name), printed(&[&subcommand, "--help"]));
        for option in found(r"(?m)^ +(?:-[a-zA-Z], )?(--[a-z-]+)", &help) {
            assert!(page.contains(&option.replace('-', "\\-")), "{name} says nothing of {option}");
        }
        names.insert(name);
    }
    let written: BTreeSet<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(written, names);
    for name in &names {
        // Not every machine has it; what it warns of is a mistake.
        let Some(checked) = fed("groff", &["-man", "-ww", "-z", "-Tutf8"], &read(name)) else { continue };
        let warned = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success() && warned.is_empty(), "{name}: {warned}");
    }

    let taken = directory.path().join("file");
    fs::write(&taken, "").unwrap();
    let refused = votive(&["man", taken.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot write the manual pages there"));
}

#[test]
fn every_shell_can_complete_every_command() {
    let subcommands = subcommands();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        assert!(document().contains(&format!("`{shell}`")), "{shell}");
        for subcommand in &subcommands {
            assert!(script.contains(subcommand.as_str()), "{shell}: {subcommand}");
        }
        let can_check = matches!(shell, "bash" | "fish" | "zsh");
        if let Some(checked) = can_check.then(|| fed(shell, &["-n"], &script)).flatten() {
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        }
    }
    assert_eq!(votive(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn bash_completes_commands_options_and_their_values() {
    let script = printed(&["completions", "bash"]);
    let complete = |words: &[&str]| -> BTreeSet<String> {
        let ask = format!(
            "COMP_WORDS=({}); COMP_CWORD={}; _votive votive '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2]
        );
        let output = fed("bash", &["--norc"], &format!("{script}\n{ask}\n")).expect("bash");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(complete(&["votive", "test-"]), set(&["test-notify", "test-vote", "test-webhook"]));
    assert_eq!(complete(&["votive", "run", "--lo"]), set(&["--log"]));
    assert_eq!(complete(&["votive", "run", "--log", "j"]), set(&["json"]));
}

#[test]
fn the_exit_codes_of_the_help_are_those_of_the_document() {
    let help = printed(&["--help"]);
    let told = found(r"(?m)^ +([0-9]+)  ", help.split("Exit codes:").nth(1).unwrap());
    assert_eq!(told, found(r"(?m)^\| ([0-9]+) \| ", &document()));
    assert_eq!(told, ["0", "1", "2", "69", "78"].map(str::to_owned).into());
}

#[tokio::test]
async fn exit_codes_hold() {
    let mut rig = Rig::new().await;
    let code = async |args: &[&str]| rig.votive(args).await.status.code();
    // Nobody runs; tests/control.rs tries every other command that asks.
    assert_eq!(code(&["status"]).await, Some(69));
    for wrong in [&["frobnicate"][..], &["run", "--log", "xml"], &["resolve", "e-1"], &["status", "extra"]] {
        assert_eq!(code(wrong).await, Some(2), "{wrong:?}");
    }
    assert_eq!(code(&["check"]).await, Some(0));
    fs::write(rig.path("rewards.yaml"), "servers: 7\n").unwrap();
    for wrong in [&["check"][..], &["run"], &["reload"], &["backup", "-"], &["restore", "backup"]] {
        assert_eq!(code(wrong).await, Some(78), "{wrong:?}");
    }
    rig.configure("", "", rig::DAILY);
    rig.start().await;
    let code = async |args: &[&str]| rig.votive(args).await.status.code();
    for good in [
        &["status"][..],
        &["votes"],
        &["reload"],
        &["test-vote", "--player", "Steve", "--server", "survival"],
        &["test-webhook", &rig.daemon().url],
        &["pause", "survival"],
        &["resume", "survival"],
    ] {
        assert_eq!(code(good).await, Some(0), "{good:?}");
    }
    for vain in [
        &["resolve", "e-9", "--ran"][..],
        &["retry", "e-9"],
        &["cancel", "e-9"],
        &["pause", "nowhere"],
        &["test-vote", "--player", "@a", "--server", "survival"],
        &["test-webhook", "http://127.0.0.1:1/"],
        // It runs already.
        &["run"],
    ] {
        assert_eq!(code(vain).await, Some(1), "{vain:?}");
    }
}
