//! What docs/rewards.md says of keys, defaults and placeholders is what the loader does with them, every piece of
//! `rewards.yaml` in the documents is one that it takes, and every test that the documents name is there.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::ValueEnum;
use regex::Regex;
use tempfile::TempDir;
use votive::config::{self, Config, Problem, Sources};
use votive::domain::counter::Count;
use votive::domain::template::{Placeholder, Template, Values};
use votive::failpoint::Point;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A directory with the secrets that the files below name.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    let secrets = directory.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    for name in ["signing_token", "survival.rcon", "skyblock.rcon", "discord", "votes"] {
        // An address where one is needed, and a secret like any other elsewhere.
        fs::write(secrets.join(name), "https://discord.com/secret\n").unwrap();
        fs::set_permissions(secrets.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

/// What a file says, or its errors; and its warnings. That a date has passed by now is nobody's mistake.
fn load(directory: &TempDir, text: &str) -> (Result<Config, Vec<Problem>>, Vec<Problem>) {
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, text).unwrap();
    let loaded = config::load(&Sources { path, state_dir: None, env: BTreeMap::new(), again: false });
    let has_passed = |problem: &Problem| problem.message.starts_with("this time is over");
    (loaded.config, loaded.warnings.into_iter().filter(|problem| !has_passed(problem)).collect())
}

/// The configuration in a file without any problem.
fn without_problem(directory: &TempDir, text: &str) -> Config {
    let (config, warnings) = load(directory, text);
    assert_eq!(warnings, [], "{text}");
    config.unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
}

/// A piece of `rewards.yaml` with what it needs around it to be a whole one.
fn completed(piece: &str) -> String {
    let mut whole = "gamemonitoring:\n  signing_token_file: signing_token\n".to_owned();
    let has = |section: &str| piece.lines().any(|line| line == format!("{section}:"));
    if !has("calendar") {
        whole.push_str("calendar:\n  time_zone: Europe/Berlin\n");
    }
    if !has("servers") && !has("rewards") {
        whole.push_str("rewards:\n  daily:\n    commands: ['say {player}']\n");
        whole.push_str("servers:\n  survival:\n    id: 1\n    rcon: 127.0.0.1:25575\n    password_file: survival.rcon\n    rewards: [daily]\n");
    } else if !has("servers") {
        let rewards = piece.split("rewards:\n").nth(1).unwrap();
        let name = Regex::new(r"(?m)^  ([a-z0-9_-]+):").unwrap();
        let names: Vec<&str> =
            name.captures_iter(rewards).map(|found| found.get(1).unwrap().as_str()).collect();
        assert!(!names.is_empty(), "no reward in\n{piece}");
        let server =
            "servers:\n  survival:\n    id: 1\n    rcon: 127.0.0.1:25575\n    password_file: survival.rcon\n";
        whole.push_str(&format!("{server}    rewards: [{}]\n", names.join(", ")));
    }
    whole + piece
}

/// A row of the table of keys.
struct Row {
    key: String,
    default: String,
    example: String,
}

fn rows() -> Vec<Row> {
    let row = Regex::new(r"(?m)^\| `([a-z_.*]+)` \| (.+?) \| `([^`]+)` \| .+ \|$").unwrap();
    let text = |found: &regex::Captures<'_>, group: usize| found.get(group).unwrap().as_str().to_owned();
    let document = read("docs/rewards.md");
    row.captures_iter(&document)
        .map(|found| Row { key: text(&found, 1), default: text(&found, 2), example: text(&found, 3) })
        .collect()
}

/// A file that has `line` where `key` stands; without the key where the line is empty.
fn with(key: &str, line: &str) -> String {
    let give = "'give {player} minecraft:diamond 1'";
    let commands = format!("    commands: [{give}]\n");
    let reward = |lines: String| format!("rewards:\n  daily:\n{lines}");
    let last = key.rsplit('.').next().unwrap();
    completed(&match key {
        "calendar.time_zone" => format!("calendar:\n  {line}\n{}", reward(commands)),
        "calendar.grace" => {
            format!("calendar:\n  time_zone: Europe/Berlin\n  {line}\n{}", reward(commands))
        }
        "values" => format!("{line}\n{}", reward(commands)),
        "values.*" => format!("values:\n  {line}\n{}", reward(commands)),
        "rewards.*.commands" => reward(format!("    {line}\n")),
        "rewards.*.commands.*" => reward(format!("    commands:\n      - {line}\n")),
        "rewards.*.commands.*.run" => {
            reward(format!("    commands:\n      - require_online: false\n        {line}\n"))
        }
        "rewards.*.milestones.*" => reward(format!("{commands}    milestones:\n      {line}\n")),
        "rewards.*.one_of.*" => reward(format!("    one_of:\n      - {line}\n      - {give}\n")),
        "rewards.*.one_of.*.weight" => {
            reward(format!("    one_of:\n      - commands: [{give}]\n        {line}\n      - {give}\n"))
        }
        "rewards.*.one_of.*.commands" => {
            reward(format!("    one_of:\n      - weight: 2\n        {line}\n      - {give}\n"))
        }
        _ if key == format!("rewards.*.commands.*.{last}") => {
            let run = "run: 'whitelist add {player}'";
            reward(format!("    commands:\n      - {run}\n        {line}\n"))
        }
        _ if key == format!("rewards.*.{last}") => reward(format!("    {line}\n{commands}")),
        _ => panic!("{key} stands nowhere"),
    })
}

#[test]
fn every_key_of_rewards_has_one_row() {
    let known: BTreeSet<&str> = config::keys()
        .filter(|key| ["rewards.", "calendar.", "values"].iter().any(|section| key.starts_with(section)))
        .collect();
    let rows = rows();
    let told: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(told, known);
    assert_eq!(rows.len(), told.len(), "a key has two rows");
}

#[test]
fn every_example_is_one_that_the_loader_takes() {
    let directory = directory();
    for Row { key, example, .. } in rows() {
        let last = key.rsplit('.').next().unwrap();
        assert!(last == "*" || example.starts_with(&format!("{last}: ")), "{key}: {example}");
        without_problem(&directory, &with(&key, &example));
    }
}

/// A default in code letters is what leaving the key out gives, and an example is something else.
#[test]
fn every_default_is_what_holds_without_the_key() {
    let directory = directory();
    let config = |text: &str| format!("{:?}", without_problem(&directory, text));
    let mut values = 0;
    for Row { key, default, example } in rows() {
        let without = with(&key, "");
        match default.as_str() {
            "required" => assert!(load(&directory, &without).0.is_err(), "{key} is not required"),
            // The key changes something, or stands for a thing that there need not be.
            "none" if key.ends_with('*') || key == "rewards.*.commands" => {}
            "none" | "the server's" | "by the command" => {
                assert_ne!(config(&with(&key, &example)), config(&without), "{key}");
            }
            _ => {
                let default = default.strip_prefix('`').unwrap().strip_suffix('`').unwrap();
                let line = format!("{}: {default}", key.rsplit('.').next().unwrap());
                assert_eq!(config(&with(&key, &line)), config(&without), "{key}: {default}");
                assert_ne!(config(&with(&key, &example)), config(&without), "{key}: {example}");
                values += 1;
            }
        }
    }
    assert!(values >= 7, "only {values} defaults are values");
}

#[test]
fn every_placeholder_has_a_row_with_what_it_gives() {
    let document = read("docs/rewards.md");
    let row = Regex::new(r"(?m)^\| `\{([a-z_]+)\}` \| `([^`]+)` \| .+ \|$").unwrap();
    let values = Values {
        player: "Steve",
        server: "survival",
        server_id: 1,
        vote_id: "e-1024",
        user_id: 42,
        count: Count { votes: 49, today: 1, month: 12, streak: 5, streak_before: 4 },
        votes_to_next: 1,
        voted_at: jiff::civil::date(2026, 12, 24).at(19, 5, 59, 0),
        reward: "daily",
        own: &BTreeMap::new(),
    };
    let mut told = Vec::new();
    for found in row.captures_iter(&document) {
        let (name, example) = (&found[1], &found[2]);
        let (template, findings) = Template::parse(&format!("{{{name}}}"), &BTreeSet::new());
        assert_eq!(findings, [], "{name}");
        assert_eq!(template.render(&values).unwrap(), example, "{name}");
        told.push(name.to_owned());
    }
    assert_eq!(told, Placeholder::ALL.map(|(name, _)| name));
}

#[test]
fn every_piece_of_rewards_yaml_in_the_documents_has_no_problem() {
    let directory = directory();
    let mut seen = 0;
    for name in
        ["README.md", "docs/rewards.md", "docs/migrating.md", "docs/notifications.md", "docs/metrics.md"]
    {
        let document = read(name);
        for block in document.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            // A whole file is checked with README's other promises.
            if !block.starts_with("gamemonitoring:") {
                without_problem(&directory, &completed(block));
                seen += 1;
            }
        }
    }
    assert!(seen >= 12, "only {seen} pieces were found");
}

#[test]
fn links_lead_somewhere() {
    let anchors = |document: &str| -> BTreeSet<String> {
        let title = Regex::new(r"(?m)^#+ (.+)$").unwrap();
        let anchor = |title: &str| title.to_lowercase().replace(' ', "-").replace(['`', '.', ','], "");
        title.captures_iter(document).map(|found| anchor(&found[1])).collect()
    };
    let link = Regex::new(r"\]\(([^)#:]*)(?:#([^)]+))?\)").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in documents.chain([root.join("README.md")]) {
        for found in link.captures_iter(&fs::read_to_string(&path).unwrap()) {
            let of_itself = found[1].is_empty();
            let target = if of_itself { path.clone() } else { path.parent().unwrap().join(&found[1]) };
            let document = fs::read_to_string(&target)
                .unwrap_or_else(|error| panic!("{}: {}: {error}", path.display(), &found[0]));
            if let Some(anchor) = found.get(2) {
                let known = anchors(&document);
                assert!(known.contains(anchor.as_str()), "{}: {}", path.display(), &found[0]);
            }
            seen += 1;
        }
    }
    assert!(seen >= 50, "only {seen} links were found");
}

#[test]
fn every_request_over_the_control_socket_has_one_row() {
    let path = |text: &str, pattern: &str| -> Vec<String> {
        let path = Regex::new(pattern).unwrap();
        let mut paths: Vec<String> = path.captures_iter(text).map(|found| found[1].to_owned()).collect();
        paths.sort();
        paths
    };
    let known = path(&read("src/control.rs"), r#""(/v1/[a-z-]+)""#);
    assert!(known.len() >= 17, "only {known:?} were found");
    assert_eq!(path(&read("docs/control.md"), r"(?m)^\| `(/v1/[a-z-]+)` \|"), known);
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    fn sources(directory: &Path, text: &mut String) {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                sources(&entry, text);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(entry).unwrap());
            }
        }
    }
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut text);
    let document = read("docs/guarantees.md");
    // No name of a key or a command has as many words.
    let name = Regex::new("`([a-z]+(?:_[a-z0-9]+){4,})`").unwrap();
    let names: BTreeSet<&str> =
        name.captures_iter(&document).map(|found| found.extract::<1>().1[0]).collect();
    assert!(names.len() >= 10, "only {names:?} were found");
    for name in names {
        assert!(
            text.contains(&format!("fn {name}(")),
            "docs/guarantees.md names {name}, and no test is called so"
        );
    }
    for point in Point::value_variants() {
        let point = point.to_possible_value().unwrap();
        assert!(
            document.contains(&format!("`{}`", point.get_name())),
            "{} is not in the table",
            point.get_name()
        );
    }
}
