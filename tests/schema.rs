//! The schema for editors says what the loader says.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use tempfile::TempDir;
use votive::config::{self, SCHEMA, Sources};
use votive::domain::rule::{Period, WEEKDAYS};

/// Every key that there is, and each form that a value can have.
const EVERYTHING: &str = r#"
state_dir: /tmp/x
gamemonitoring: {signing_token_file: [token, second], api_url: 'https://api.gamemonitoring.net'}
webhook: {listen: '[::1]:8787', path: /votes, public_url: 'https://votes.example.org/votes', acknowledge: granted, answer_within: 4s}
players: {bedrock_prefix: '.', poll_every: 5s}
calendar: {time_zone: Europe/Moscow, grace: 1d}
values: {prefix: '[Votes]', from_2026: x}
servers:
  survival:
    id: [1, '7']
    rcon: 127.0.0.1:25575
    password_file: survival.rcon
    rewards: [chances, counts, streaks, time, people, drawn, 5]
    values:
      prefix: '[Survival]'
    in_doubt: repeat
    receipts: always
    receipts_keep: 30d
    pace: 20/s
    replies: {success: '^$', offline: [a, b], failure: [], list: 'online: (.*)$'}
    timeouts: {connect: 2s, login: 3 s, command: 1m}
  lobby-2:
    rcon: mc.lan:25575
    password_file: lobby.rcon
    rewards: [counts]
    replies:
    timeouts:
rewards:
  chances:
    counts: network
    chance: 0.25 %
    first_vote: true
    commands: ['say {prefix} {from_2026}']
  counts:
    every_votes: 10
    milestones: [50, '100']
    commands:
      - 'say a'
      - run: 'say b'
        require_online: false
        optional: true
        in_doubt: hold
        receipt: false
  streaks:
    streak_days: 14
    every_streak_days: '7'
    limit: 1/week
    max_age: 24h
    commands: ['say {"text":"hi"}']
  time:
    days: [saturday, sunday]
    between: 22:00-02:00
    from: 2026-12-24
    until: 2035-12-26T18:00
    commands: ['say a']
  people:
    players: [Steve, 123]
    except_players: Alex
    days: monday
    milestones:
      50: ['say a', {run: 'say b', optional: true}]
      100:
        - 'say c'
  drawn:
    milestones: 5
    one_of:
      - weight: 3
        commands: ['say a']
      - commands: ['say b']
      - {run: 'say c', require_online: false}
      - 'say d'
  5:
    chance: 100%
    commands: ['say a']
notify:
  discord: {url_file: [discord, second]}
  command: [/usr/local/bin/tell-me, '--loud', 5]
  about: [refused, in_doubt, server_down, queue, forged, forgotten]
  every: 5m
  server_down_for: 10 m
  queue_older_than: 1h
  announce:
    url_file: votes
    text: '{player} voted for {server}, {votes} times {from_2026}'
"#;

/// Mistakes: what stands in the text above, and what stands in its place.
const BROKEN: [(&str, &str); 54] = [
    ("state_dir: /tmp/x", "state_dirr: /tmp/x"),
    ("gamemonitoring: {signing_token_file: [token, second],", "gamemonitoring: {"),
    ("[token, second]", "[]"),
    ("api_url: 'https://", "api_url: 'ftp://"),
    ("listen: '[::1]:8787'", "listen: 8787"),
    ("path: /votes", "path: votes"),
    ("acknowledge: granted", "acknowledge: given"),
    ("answer_within: 4s", "answer_within: 4"),
    ("bedrock_prefix: '.'", "bedrock_prefix: '*'"),
    ("poll_every: 5s", "poll_every: 5sec"),
    ("grace: 1d", "grace: 1"),
    ("time_zone: Europe/Moscow", "zone: Europe/Moscow"),
    ("{prefix: '[Votes]',", "{Prefix: '[Votes]',"),
    ("  survival:\n", "  Survival:\n"),
    ("id: [1, '7']", "id: [0]"),
    ("id: [1, '7']", "id: one"),
    ("rcon: 127.0.0.1:25575", "rcon: 25575"),
    ("    rcon: mc.lan:25575\n", ""),
    ("    password_file: survival.rcon\n", ""),
    ("rewards: [counts]", "rewards: counts"),
    ("in_doubt: repeat", "in_doubt: again"),
    ("receipts: always", "receipts: yes"),
    ("pace: 20/s", "pace: 20"),
    ("replies: {success", "replies: {sucess"),
    ("connect: 2s", "connect: 2"),
    ("counts: network", "counts: all"),
    ("chance: 0.25 %", "chance: 0.25"),
    ("chance: 0.25 %", "chance: 0%"),
    ("chance: 0.25 %", "chance: 101%"),
    ("first_vote: true", "first_vote: yes"),
    ("every_votes: 10", "every_votes: 0"),
    ("milestones: [50, '100']", "milestones: [0]"),
    ("milestones: [50, '100']", "milestones: []"),
    ("streak_days: 14", "streak_days: 14d"),
    ("limit: 1/week", "limit: 1/year"),
    ("limit: 1/week", "limit: 0/week"),
    ("days: [saturday, sunday]", "days: [Saturday]"),
    ("between: 22:00-02:00", "between: 22-02"),
    ("from: 2026-12-24\n", "from: 24.12.2026\n"),
    ("      100:\n        - 'say c'", "      100: 'say c'"),
    ("      100:\n", "      many:\n"),
    ("weight: 3", "weight: 0"),
    ("        require_online: false\n", "        requires_online: false\n"),
    ("      - run: 'say b'\n", "      - runs: 'say b'\n"),
    ("commands: ['say {\"text\":\"hi\"}']", "commands: 'say hi'"),
    ("    chance: 100%\n    commands: ['say a']\n", "    chance: 100%\n"),
    ("discord: {url_file: [discord, second]}", "discord: {}"),
    ("url_file: [discord, second]", "url_files: [discord, second]"),
    ("command: [/usr/local/bin/tell-me, '--loud', 5]", "command: 'tell-me --loud'"),
    ("about: [refused, in_doubt,", "about: [refused, in-doubt,"),
    ("every: 5m", "every: 5"),
    ("server_down_for: 10 m", "server_down_for: ten minutes"),
    ("queue_older_than: 1h", "queue_older: 1h"),
    ("    url_file: votes\n    text:", "    text:"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A file as an editor reads it: by YAML 1.2, for which `yes` is a text.
fn parsed(yaml: &str) -> Value {
    let yaml = yaml.strip_prefix('\u{feff}').unwrap_or(yaml);
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(yaml, options).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// What the schema says of files.
struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn new() -> Schema {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("rewards.schema.json", serde_json::from_str(SCHEMA).unwrap()).unwrap();
        let index = compiler.compile("rewards.schema.json", &mut schemas).unwrap();
        Schema { schemas, index }
    }

    /// What is wrong with a file.
    fn against(&self, yaml: &str) -> Option<String> {
        let file = parsed(yaml);
        let verdict = self.schemas.validate(&file, self.index);
        verdict.err().map(|error| format!("{error:#}"))
    }
}

/// How many errors the loader finds.
fn errors(yaml: &str) -> usize {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, yaml).unwrap();
    let sources = Sources { path, state_dir: None, env: Default::default(), again: false };
    config::load_without_secrets(&sources).config.err().map_or(0, |errors| errors.len())
}

#[test]
fn it_is_printed_and_is_a_schema() {
    let printed = Command::new(env!("CARGO_BIN_EXE_votive")).arg("schema").output().unwrap();
    assert!(printed.status.success());
    assert_eq!(printed.stdout, SCHEMA.as_bytes());
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    Schema::new();
}

#[test]
fn good_files_are_good_for_both() {
    let schema = Schema::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("tests/config")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("good-") && name.ends_with(".yaml")
    });
    assert!(files.len() >= 5, "{files:?}");
    files.push(root().join("rewards.yaml"));
    let mut texts: Vec<String> = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let shipped = texts.last().unwrap();
    assert!(shipped.contains("\n# yaml-language-server: $schema=rewards.schema.json\n"));
    texts.push(EVERYTHING.to_owned());
    for text in &texts {
        assert_eq!(errors(text), 0, "{text}");
        assert_eq!(schema.against(text), None, "{text}");
    }
}

#[test]
fn mistakes_are_mistakes_for_both() {
    let schema = Schema::new();
    for (good, wrong) in BROKEN {
        let file = EVERYTHING.replacen(good, wrong, 1);
        assert_ne!(file, EVERYTHING, "{good}");
        assert_ne!(errors(&file), 0, "{wrong}");
        assert!(schema.against(&file).is_some(), "{wrong}");
    }
}

/// Every key of the schema below `at`, written as the loader writes them.
fn walk<'s>(schema: &'s Value, node: &'s Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = node["$ref"].as_str() {
        let name = name.strip_prefix("#/definitions/").unwrap();
        walk(schema, &schema["definitions"][name], at, found);
    }
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    for (name, node) in node["properties"].as_object().into_iter().flatten() {
        let key = below(name);
        assert!(node["description"].is_string(), "{key} has no description");
        walk(schema, node, &key, found);
        found.insert(key);
    }
    for node in node["patternProperties"].as_object().into_iter().flat_map(|map| map.values()) {
        walk(schema, node, &below("*"), found);
        found.insert(below("*"));
    }
    // The places of a list that holds more than plain values.
    let items = &node["items"];
    if items["anyOf"].is_array() {
        walk(schema, items, &below("*"), found);
        found.insert(below("*"));
    }
    for part in ["allOf", "anyOf"].iter().flat_map(|key| node[*key].as_array().into_iter().flatten()) {
        // A condition names keys that are known already.
        if part["required"].is_null() || part["type"] == "object" {
            walk(schema, part, at, found);
        }
    }
}

#[test]
fn it_has_the_keys_of_the_loader_and_no_others() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut found = BTreeSet::new();
    walk(&schema, &schema, "", &mut found);
    let commands = |key: String| {
        // The loader knows the options of a command under the one list that every reward has.
        let mut key = key.replace("rewards.*.milestones.*.*", "rewards.*.commands.*");
        key = key.replace("rewards.*.one_of.*.commands.*", "rewards.*.commands.*");
        match key.strip_prefix("rewards.*.one_of.*.") {
            Some(option) if !matches!(option, "weight" | "commands") => {
                format!("rewards.*.commands.*.{option}")
            }
            _ => key,
        }
    };
    let found: BTreeSet<String> = found.into_iter().map(commands).collect();
    let known: BTreeSet<String> = config::keys().map(str::to_owned).collect();
    let is_section = |key: &String| known.iter().any(|known| known.starts_with(&format!("{key}.")));
    let found: BTreeSet<String> =
        found.into_iter().filter(|key| known.contains(key) || !is_section(key)).collect();
    assert_eq!(found, known);
}

#[test]
fn its_words_are_those_of_the_rules() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let reward = &schema["definitions"]["reward"]["properties"];
    assert_eq!(reward["days"]["anyOf"][0]["enum"], Value::from(WEEKDAYS.map(|(name, _)| name).to_vec()));
    let periods = Period::ALL.map(|(name, _)| name).join("|");
    assert!(reward["limit"]["pattern"].as_str().unwrap().contains(&periods));
}
