//! The Python environment with the independent RCON implementations, made on first use by `setup.sh`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// A command that runs one of the scripts beside this file, or `None` where this machine cannot have the
/// environment; the reason is printed. With `CI=true` that is a failure.
pub(crate) fn script(name: &str) -> Option<Command> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(set_up) {
        Ok(python) => {
            let mut command = Command::new(python);
            command.arg(here().join(name));
            Some(command)
        }
        Err(reason) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{reason}"),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}

fn set_up() -> Result<PathBuf, String> {
    let modules = Command::new("python3")
        .args(["-c", "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))"])
        .output();
    if !modules.is_ok_and(|output| output.status.success()) {
        return Err("there is no python3 (3.10 or later) with venv".to_owned());
    }
    let Output { status, stderr, .. } = Command::new(here().join("setup.sh")).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    if !status.success() {
        // pip's words for a registry that it cannot reach. Anything else is a mistake of ours.
        assert!(stderr.contains("connection broken by"), "setup.sh failed:\n{stderr}");
        return Err("the package registry cannot be reached".to_owned());
    }
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/python"))
}
