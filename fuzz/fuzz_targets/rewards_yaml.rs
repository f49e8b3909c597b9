//! Any file in the place of `rewards.yaml`: whatever is wrong with it is told where it is, and no secret is.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use regex::Regex;
use tempfile::TempDir;
use votive::config::{self, At, Level, Position, Problem, Sources};

/// Stands in the secrets files, and may stand in no message.
const IN_A_FILE: &str = "SECRET-IN-A-FILE";
/// Stands for a secret in the file itself: nothing that is told may change with it.
const INLINE: [&str; 2] = ["SECRETMARKER", "UNKNOWNWORDS"];

/// A directory with secrets files; the caller removes what is left of it with `TMPDIR`.
static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("no directory");
    let secrets = directory.path().join("secrets");
    fs::create_dir(&secrets).expect("no directory");
    for name in ["signing_token", "second_token", "survival.rcon", "skyblock.rcon"] {
        fs::write(secrets.join(name), format!("{IN_A_FILE}\n")).expect("no secrets file");
    }
    directory
});

/// A line with an inline secret, as an owner would write it, well or with a slip.
static SECRET_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^ *(?:- +)?(?:password|signing_token): *['"\[{&*!|>@`]{0,2}SECRETMARKER[^%{]*$"#)
        .expect("a good pattern")
});

fuzz_target!(|bytes: &[u8]| {
    let told = load(bytes);
    let text = String::from_utf8_lossy(bytes);
    let visible = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = visible.replace("\r\n", "\n").replace('\r', "\n");
    let widths: Vec<usize> = lines.split('\n').map(|line| line.chars().count()).collect();
    let quotes_files = text.contains(IN_A_FILE);
    for problem in &told {
        let shown = problem.to_string();
        assert!(quotes_files || !shown.contains(IN_A_FILE), "{shown}");
        check(problem, &shown, &widths);
    }
    // Of a file that is no text nothing is read.
    if std::str::from_utf8(bytes).is_ok()
        && text.contains(INLINE[0])
        && text.lines().all(|line| !line.contains(INLINE[0]) || SECRET_LINE.is_match(line))
    {
        let other = load(text.replace(INLINE[0], INLINE[1]).as_bytes());
        assert_eq!(told, other, "what is told depends on a secret");
    }
});

/// Everything that is told of a file, and whether it is told at all.
fn load(bytes: &[u8]) -> Vec<Problem> {
    let path = DIRECTORY.path().join("rewards.yaml");
    fs::write(&path, bytes).expect("no file");
    let loaded = config::load(&Sources { path, state_dir: None, env: BTreeMap::new(), again: false });
    assert!(loaded.warnings.iter().all(|problem| problem.level == Level::Warning));
    let mut told = loaded.warnings;
    match loaded.config {
        Ok(config) => {
            assert!(!config.servers.is_empty() && !config.gamemonitoring.signing_tokens.is_empty());
            for server in &config.servers {
                assert!(!server.password.expose().is_empty() && Path::new(&config.state_dir).is_absolute());
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|problem| problem.level == Level::Error));
            told.extend(errors);
        }
    }
    told
}

/// What holds for every message: it says what to do, stays on its two lines, and names a place in the file, whose
/// lines have these widths.
fn check(problem: &Problem, shown: &str, widths: &[usize]) {
    assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{shown}");
    assert!(shown.matches(char::is_control).eq(["\n"]), "{shown:?}");
    match problem.at {
        At::Whole => assert!(problem.key.is_empty(), "{shown}"),
        At::File(Position { line, column }) => {
            let width = line.checked_sub(1).and_then(|before| widths.get(before));
            assert!(width.is_some_and(|width| (1..=width + 1).contains(&column)), "no such place: {shown}");
        }
        At::Variable(_) => panic!("there are no variables: {shown}"),
    }
}
