//! What lies around the code holds: the systemd unit, and what README.md and docs/ say of commands, keys and files.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use tempfile::TempDir;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

fn votive(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_votive"))
        .args(args)
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()
        .unwrap()
}

/// The first group of every match.
fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let groups = pattern.captures_iter(text).map(|captures| captures[1].to_owned());
    let groups: BTreeSet<String> = groups.collect();
    assert!(!groups.is_empty(), "nothing matches {pattern}");
    groups
}

/// The code blocks of a document in a language.
fn blocks<'t>(document: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    let begun = document.split(&fence).skip(1);
    begun.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_unit_says_what_the_daemon_relies_on() {
    let unit = read("packaging/votive.service");
    let lines: BTreeSet<&str> = unit.lines().collect();
    for line in [
        // The daemon tells when it is ready and that it lives, over a local socket.
        "Type=notify",
        "WatchdogSec=30",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        // A wrong configuration ends with 78, anything that may get better with something else.
        "Restart=on-failure",
        "RestartPreventExitStatus=78",
        // The drain takes up to 10 seconds.
        "TimeoutStopSec=15",
        // Where the ledger and the control socket are looked for.
        "StateDirectory=votive",
        "RuntimeDirectory=votive",
        // The secrets arrive as secrets_NAME.
        "LoadCredential=secrets:/etc/votive/secrets",
        "DynamicUser=yes",
        "ExecStart=/usr/local/bin/votive run --config /etc/votive/rewards.yaml",
        // Whoever reloads learns whether it was refused.
        "ExecReload=/usr/local/bin/votive reload --config /etc/votive/rewards.yaml",
        "WantedBy=multi-user.target",
    ] {
        assert!(lines.contains(line), "the unit has no line {line}");
    }
}

#[test]
fn the_sandbox_is_rated_as_tight_as_a_network_daemon_can_be() {
    let rated = Command::new("systemd-analyze")
        // 15 stands for 1.5 of 10.
        .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
        .arg(path("packaging/votive.service"))
        .output();
    match rated {
        Ok(Output { status, stdout, .. }) => {
            assert!(status.success(), "{}", String::from_utf8_lossy(&stdout));
        }
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("systemd-analyze: {error}")
        }
        Err(error) => println!("skipped: systemd-analyze cannot be run: {error}"),
    }
}

#[test]
fn every_subcommand_and_option_that_is_written_about_exists() {
    let help = votive(&["--help"]);
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    let subcommands = found(r"(?m)^  ([a-z][a-z-]*)  ", &help);
    for name in [
        "README.md",
        "docs/backup.md",
        "docs/commands.md",
        "docs/configuration.md",
        "docs/guarantees.md",
        "docs/logging.md",
        "docs/notifications.md",
        "CHANGELOG.md",
        "rewards.yaml",
    ] {
        for subcommand in found(r"\bvotive ([a-z][a-z-]*)", &read(name)) {
            assert!(subcommands.contains(&subcommand), "{name}: votive {subcommand}");
        }
    }
    let mut options = found(r"(--[a-z-]+)", &help);
    for subcommand in subcommands.iter().filter(|name| *name != "help") {
        let help = votive(&[subcommand, "--help"]);
        options.extend(found(r"(--[a-z-]+)", &String::from_utf8_lossy(&help.stdout)));
    }
    // Those of cargo and systemctl.
    let others = ["--release", "--locked", "--features", "--test", "--show-output", "--now"];
    for option in found(r"[ `](--[a-z][a-z-]*)", &read("README.md")) {
        let known = options.contains(&option) || others.contains(&option.as_str());
        assert!(known, "README.md: {option}");
    }
}

#[test]
fn readmes_configuration_passes_the_check() {
    let readme = read("README.md");
    // Pieces of a file are checked with those of the other documents.
    let mut samples = blocks(&readme, "yaml");
    samples.retain(|sample| sample.starts_with("gamemonitoring:"));
    assert!(!samples.is_empty());
    for sample in samples {
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("rewards.yaml");
        fs::write(&config, sample).unwrap();
        fs::create_dir(directory.path().join("secrets")).unwrap();
        // README tells to make one file for each secret that it names.
        let installed = found(r"cat > /etc/votive/secrets/([a-z_.]+)", &readme);
        for secret in &installed {
            use std::os::unix::fs::PermissionsExt;
            let path = directory.path().join("secrets").join(secret);
            fs::write(&path, "secret\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        for file in found(r"(?m)_file: ([a-z_.]+)", &read("rewards.yaml")) {
            assert!(installed.contains(&file), "README.md makes no secrets/{file}");
        }
        let checked = votive(&["check", "--config", config.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&checked.stdout);
        assert_eq!(checked.status.code(), Some(0), "{said}");
        assert!(said.contains("0 errors, 0 warnings"), "{said}");
    }
}

#[test]
fn the_tables_of_keys_are_complete() {
    let known = found(r#"\("([a-z_.*]+)", (?:Text|Yaml|Override::None)\)"#, &read("src/config/keys.rs"));
    let [told, of_rewards] = ["docs/configuration.md", "docs/rewards.md"]
        .map(|name| found(r"(?m)^\| `([a-z_.*]+)` \|", &read(name)));
    assert_eq!(told.intersection(&of_rewards).next(), None, "a key is told twice");
    assert_eq!(&told | &of_rewards, known);
}

#[test]
fn links_and_commands_in_readme_lead_somewhere() {
    let readme = read("README.md");
    let anchors: BTreeSet<String> = found(r"(?m)^#+ (.+)$", &readme)
        .iter()
        .map(|title| title.to_lowercase().replace(' ', "-").replace('.', ""))
        .collect();
    for link in found(r"\]\(([^)]+)\)", &readme) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.contains(anchor), "{link}"),
            None => assert!(path(&link).exists(), "{link}"),
        }
    }
    for file in found(r"`((?:src|tests|docs|packaging|\.ci|CHANGELOG)[A-Za-z0-9_./]*)`", &readme) {
        assert!(path(&file).exists(), "{file}");
    }
    let toolchain = found(r#"rust-version = "([0-9.]+)""#, &read("Cargo.toml"));
    for rust in found(r"Rust ([0-9.]+[0-9])", &readme) {
        assert!(toolchain.contains(&rust), "README.md speaks of Rust {rust}");
    }
}
