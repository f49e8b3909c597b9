//! What `votive check` says, from the real binary: golden files in `tests/config`, environment variables, and that no
//! secret is ever part of it.
//!
//! `UPDATE_GOLDEN=1 cargo test --test config` writes the expected output anew; read the difference before it is kept.

// In a test an `unwrap` that fails is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;
use votive::config::{self, Level, Sources};

/// Stands in the secrets of the cases, and may stand in no output.
const MARKER: &str = "SECRETMARKER";

const SHIPPED: &str = include_str!("../rewards.yaml");

/// A directory with the secrets that the cases name.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let secrets = directory.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::create_dir(secrets.join("directory")).unwrap();
    let long = format!("{MARKER}{}", "x".repeat(1500));
    for (name, mode, content) in [
        ("signing_token", 0o600, "SECRETMARKER-token\n".as_bytes()),
        ("second_token", 0o600, b"SECRETMARKER-second\r\n"),
        ("survival.rcon", 0o640, b"SECRETMARKER-survival"),
        ("skyblock.rcon", 0o600, b"SECRETMARKER-skyblock\n"),
        ("readable.rcon", 0o644, b"SECRETMARKER-readable\n"),
        ("empty", 0o600, b"\n"),
        ("two-lines", 0o600, b"SECRETMARKER\nSECRETMARKER\n"),
        ("latin1", 0o600, b"SECRETMARKER\xe4\n"),
        ("long", 0o600, long.as_bytes()),
        ("discord", 0o600, b"https://discord.com/api/webhooks/1/SECRETMARKER\n"),
        ("votes", 0o600, b"https://discord.com/api/webhooks/2/SECRETMARKER?thread_id=3\n"),
        ("here", 0o600, b"http://127.0.0.1:8080/SECRETMARKER\n"),
        ("plaintext", 0o600, b"http://chat.example.com/SECRETMARKER\n"),
    ] {
        let path = secrets.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    directory
}

/// Runs `votive` in `directory` with nothing but `env` in its environment: what it prints, and its exit code.
fn votive(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_votive"))
        .args(args)
        .current_dir(directory)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code().unwrap())
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    cases
}

#[test]
fn golden_files() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let directory = directory();
    let mut failed = Vec::new();
    let cases = cases();
    for case in &cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        fs::copy(case, directory.path().join(name)).unwrap();
        let (output, code) = votive(directory.path(), &["check", "--config", name], &[]);
        assert!(!output.contains(MARKER), "{name} shows a secret:\n{output}");
        assert_eq!(code, if output.contains(": error: ") { 78 } else { 0 }, "{name}:\n{output}");
        let good = name.starts_with("good-");
        assert_eq!(good, !output.contains("    help: "), "{name}:\n{output}");
        let golden = case.with_extension("expected");
        if update {
            fs::write(&golden, &output).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != output {
            failed.push(format!("--- {name}\n{output}"));
        }
    }
    assert!(cases.len() >= 150, "only {} cases were found", cases.len());
    assert!(failed.is_empty(), "other output than expected:\n{}", failed.join("\n"));
}

/// What every message has to have.
#[test]
fn every_problem_has_a_place_and_a_remedy() {
    let directory = directory();
    let mut seen = 0;
    for case in cases() {
        let path = directory.path().join("rewards.yaml");
        fs::copy(&case, &path).unwrap();
        let loaded = config::load(&sources(&path, &[]));
        for problem in loaded.config.err().unwrap_or_default().iter().chain(&loaded.warnings) {
            assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem}");
            assert_eq!(problem.to_string().lines().count(), 2, "{problem}");
            seen += 1;
        }
    }
    assert!(seen >= 500, "only {seen} problems were seen");
}

fn sources(path: &Path, env: &[(&str, &str)]) -> Sources {
    Sources {
        path: path.to_owned(),
        state_dir: None,
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        again: false,
    }
}

#[test]
fn the_shipped_file_has_nothing_wrong() {
    let directory = directory();
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, SHIPPED).unwrap();
    let loaded = config::load(&sources(&path, &[]));
    assert_eq!(loaded.warnings, []);
    let config = loaded.config.unwrap();
    let servers: Vec<(&str, &str, &[u64])> = config
        .servers
        .iter()
        .map(|server| (server.name.as_str(), server.rcon.as_str(), server.ids.as_slice()))
        .collect();
    assert_eq!(
        servers,
        [("survival", "127.0.0.1:25575", &[1][..]), ("skyblock", "127.0.0.1:25576", &[2][..])]
    );
    let (output, code) = votive(directory.path(), &["check"], &[]);
    assert_eq!(
        output,
        "checking rewards.yaml\n0 errors, 0 warnings: Votive can start, with 2 game servers and 2 rewards\n"
    );
    assert_eq!(code, 0);
}

/// Keys that are commented out in the shipped file are as good as the others, and show the defaults.
#[test]
fn the_shipped_file_has_nothing_wrong_in_its_comments() {
    let key = regex::Regex::new(r"(?m)^(?P<indent> *)#(?P<line>(?:- )?[a-z_]+:(?: .*)?)$").unwrap();
    let full = key
        .replace_all(SHIPPED, "$indent$line")
        .replace("rewards: [daily]", "rewards: [daily, vip, lucky, tenth, round, week]");
    assert!(full.matches('#').count() < SHIPPED.matches('#').count() - 15);
    let directory = directory();
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, full).unwrap();
    let loaded = config::load(&sources(&path, &[]));
    assert_eq!(loaded.warnings, []);
    let full = loaded.config.unwrap();
    fs::write(&path, SHIPPED).unwrap();
    let shipped = config::load(&sources(&path, &[])).config.unwrap();
    let facts = |config: &config::Config| {
        // An example, and no default.
        let webhook = config::Webhook { public_url: None, ..config.webhook.clone() };
        let server = &config.servers[0];
        format!(
            "{:?} {:?} {:?} {:?} {:?} {} {:?} {:?}",
            config.state_dir,
            config.calendar,
            config.gamemonitoring,
            webhook,
            config.players.poll_every,
            server.pace,
            server.in_doubt,
            server.timeouts
        )
    };
    assert_eq!(facts(&full), facts(&shipped));
}

/// Variables, and parts of what is said about them; nothing for good ones.
type Variables = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const VARIABLES: &[Variables] = &[
    (&[("VOTIVE_SERVERS__SURVIVAL__RCON", "127.0.0.1:1")], &[]),
    (&[("VOTIVE_servers__Survival__rcon", "127.0.0.1:1")], &[]),
    (&[("VOTIVE_WEBHOOK__LISTEN", "[::1]:8787")], &[]),
    (&[("VOTIVE_SERVERS__SURVIVAL__ID", "[5, 6]")], &[]),
    (&[("VOTIVE_SERVERS__SURVIVAL__ID", "5")], &[]),
    (&[("VOTIVE_SERVERS__SURVIVAL__REPLIES", "{success: ['^$']}")], &[]),
    (&[("VOTIVE_SERVERS__SURVIVAL__TIMEOUTS__CONNECT", "1s")], &[]),
    (&[("VOTIVE_SERVERS__SURVIVAL__PASSWORD", "[SECRETMARKER")], &[]),
    (&[("VOTIVE_GAMEMONITORING__SIGNING_TOKEN", "{SECRETMARKER: x")], &[]),
    (&[("VOTIVE_REWARDS__DAILY__COMMANDS", "['say {player}']")], &[]),
    (&[("UNRELATED", "x"), ("VOTIVEX", "y")], &[]),
    (&[("VOTIVE_REWARDS__DAILY__CHANCE", "5%")], &[]),
    (&[("VOTIVE_REWARDS__DAILY__MILESTONES", "{50: ['say {player}']}")], &[]),
    (&[("VOTIVE_REWARDS__DAILY__DAYS", "[saturday, sunday]"), ("VOTIVE_CALENDAR__TIME_ZONE", "UTC")], &[]),
    (
        &[("VOTIVE_VALUES", "{prefix: x}"), ("VOTIVE_REWARDS__DAILY__COMMANDS", "['say {player} {prefix}']")],
        &[],
    ),
    (
        &[("VOTIVE_REWARDS__DAILY__CHANCE", "5")],
        &[
            "VOTIVE_REWARDS__DAILY__CHANCE: error: rewards.daily.chance: `5` is not a chance",
            "help: write `5%`",
        ],
    ),
    (
        &[("VOTIVE_REWARDS__DAILY__PLAYERS", "Steve, Alex")],
        &[
            "VOTIVE_REWARDS__DAILY__PLAYERS: error: rewards.daily.players: several values",
            "help: write `[Steve, Alex]`",
        ],
    ),
    (
        &[("VOTIVE_CALENDAR__TIME_ZONE", "Europe/Berln")],
        &[
            "VOTIVE_CALENDAR__TIME_ZONE: error: calendar.time_zone: `Europe/Berln` is no time zone",
            "`Europe/Berlin`",
        ],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__RCON", "localhost")],
        &[
            "VOTIVE_SERVERS__SURVIVAL__RCON: error: servers.survival.rcon: `localhost` is not an address and a port",
        ],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__RCNO", "x")],
        &[
            "VOTIVE_SERVERS__SURVIVAL__RCNO: error: there is no key",
            "did you mean VOTIVE_SERVERS__SURVIVAL__RCON?",
        ],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVL__RCON", "127.0.0.1:1")],
        &[
            "VOTIVE_SERVERS__SURVIVL__RCON: error: there is no key of this name, or no such server or reward",
            "did you mean VOTIVE_SERVERS__SURVIVAL__RCON?",
        ],
    ),
    (
        &[("VOTIVE_COLOUR", "SECRETMARKER")],
        &["VOTIVE_COLOUR: error: there is no key of this name", "VOTIVE_WEBHOOK__LISTEN"],
    ),
    (
        &[("VOTIVE_GAMEMONITORING__SIGNING_TOKN", "SECRETMARKER")],
        &["did you mean VOTIVE_GAMEMONITORING__SIGNING_TOKEN?"],
    ),
    (
        &[("VOTIVE_WEBHOOK__ANSWER_WITHIN", "4")],
        &["VOTIVE_WEBHOOK__ANSWER_WITHIN: error: webhook.answer_within: `4` has no unit", "write `4s`"],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__ID", "[5, ")],
        &["VOTIVE_SERVERS__SURVIVAL__ID: error: servers.survival.id: the value begins like a YAML list"],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__REWARDS", "[dayly]")],
        &["VOTIVE_SERVERS__SURVIVAL__REWARDS: error: servers.survival.rewards[1]: `dayly` is no reward"],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__RCON", "a:1"), ("VOTIVE_servers__survival__rcon", "a:2")],
        &[
            "VOTIVE_servers__survival__rcon: error: servers.survival.rcon: `VOTIVE_SERVERS__SURVIVAL__RCON` sets the same",
        ],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__PASSWORD", "")],
        &["VOTIVE_SERVERS__SURVIVAL__PASSWORD: error: servers.survival.password: the secret is empty"],
    ),
    (
        &[("VOTIVE_GAMEMONITORING__SIGNING_TOKEN", "SECRETMARKER\nSECRETMARKER")],
        &[
            "VOTIVE_GAMEMONITORING__SIGNING_TOKEN: error: gamemonitoring.signing_token: the secret has a line break",
        ],
    ),
    (
        &[
            ("VOTIVE_SERVERS__SURVIVAL__PASSWORD", "SECRETMARKER"),
            ("VOTIVE_SERVERS__SURVIVAL__PASSWORD_FILE", "x"),
        ],
        &[
            "VOTIVE_SERVERS__SURVIVAL__PASSWORD_FILE: error: servers.survival.password_file: `password` is given too",
        ],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__PASSWORD_FILE", "nothing"), ("CREDENTIALS_DIRECTORY", "/nowhere")],
        &["looked for /nowhere/nothing, /nowhere/secrets_nothing, secrets/nothing"],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL__REPLIES", "{succes: 'x'}")],
        &[
            "VOTIVE_SERVERS__SURVIVAL__REPLIES: error: servers.survival.replies.succes",
            "did you mean `success`?",
        ],
    ),
    (
        &[("VOTIVE_SERVERS__SURVIVAL", "{rcon: 'x'}")],
        &["VOTIVE_SERVERS__SURVIVAL: error: there is no key of this name"],
    ),
    (
        &[
            ("VOTIVE_NOTIFY__DISCORD__URL", "https://discord.com/api/webhooks/1/SECRETMARKER"),
            ("VOTIVE_NOTIFY__ABOUT", "[in_doubt, queue]"),
            ("VOTIVE_NOTIFY__COMMAND", "[/bin/true, a]"),
        ],
        &[],
    ),
    (
        &[("VOTIVE_NOTIFY__ANNOUNCE__URL", "discord.com/api/webhooks/1/SECRETMARKER")],
        &["VOTIVE_NOTIFY__ANNOUNCE__URL: error: notify.announce.url: the secret is no web address"],
    ),
    (
        &[("VOTIVE_NOTIFY__DISCORD__URL_FILE", "https://discord.com/api/webhooks/1/SECRETMARKER")],
        &["VOTIVE_NOTIFY__DISCORD__URL_FILE: error: notify.discord.url_file: a web address stands where"],
    ),
    (
        &[("VOTIVE_REWARDS__DAILY__COMMANDS", "[say {player}]")],
        &[
            "VOTIVE_REWARDS__DAILY__COMMANDS: error: rewards.daily.commands: the value begins like a YAML list",
        ],
    ),
];

#[test]
fn environment_variables() {
    let directory = directory();
    fs::write(directory.path().join("rewards.yaml"), SHIPPED).unwrap();
    for (env, expected) in VARIABLES {
        let (output, code) = votive(directory.path(), &["check"], env);
        assert!(!output.contains(MARKER), "{env:?} shows a secret:\n{output}");
        assert_eq!(code, if expected.is_empty() { 0 } else { 78 }, "{env:?}\n{output}");
        assert_eq!(output.contains("    help: "), !expected.is_empty(), "{env:?}\n{output}");
        for part in *expected {
            assert!(output.contains(part), "{env:?}: expected {part}\n{output}");
        }
    }
}

#[test]
fn only_the_wrong_part_of_a_variable_is_corrected() {
    let directory = directory();
    let text = SHIPPED.replace("survival:", "server1:");
    fs::write(directory.path().join("rewards.yaml"), text).unwrap();
    let (output, _) =
        votive(directory.path(), &["check"], &[("VOTIVE_SERVERS__SERVER__RCON", "127.0.0.1:1")]);
    assert!(output.contains("did you mean VOTIVE_SERVERS__SERVER1__RCON?"), "{output}");
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let directory = directory();
    fs::write(directory.path().join("rewards.yaml"), SHIPPED).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_votive"))
        .arg("check")
        .current_dir(directory.path())
        .env_clear()
        .env("VOTIVE_SERVERS__SURVIVAL__PASSWORD", std::ffi::OsStr::from_bytes(b"SECRETMARKER\xff"))
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains(
        "VOTIVE_SERVERS__SURVIVAL__PASSWORD: error: servers.survival.password: its value is not text"
    ));
    assert!(!output.contains(MARKER));
}

#[test]
fn variables_win_over_the_file_and_name_their_secrets() {
    let directory = directory();
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, SHIPPED).unwrap();
    let env = [
        ("VOTIVE_SERVERS__SURVIVAL__PASSWORD", "*plain [text]"),
        ("VOTIVE_GAMEMONITORING__SIGNING_TOKEN", "token"),
        ("VOTIVE_GAMEMONITORING__API_URL", "http://127.0.0.1:1"),
        ("VOTIVE_SERVERS__SKYBLOCK__ID", "[7, 8]"),
        ("VOTIVE_SERVERS__SKYBLOCK__REPLIES__LIST", "[{](.*)[}]"),
        ("VOTIVE_PLAYERS__BEDROCK_PREFIX", "."),
    ];
    let config = config::load(&sources(&path, &env)).config.unwrap();
    assert_eq!(config.servers[0].password.expose(), "*plain [text]");
    assert_eq!(config.servers[0].password_source, "VOTIVE_SERVERS__SURVIVAL__PASSWORD");
    assert_eq!(config.servers[1].password.expose(), "SECRETMARKER-skyblock");
    let file = directory.path().join("secrets/skyblock.rcon");
    assert_eq!(config.servers[1].password_source, file.to_str().unwrap());
    assert_eq!(config.servers[1].ids, [7, 8]);
    assert_eq!(config.servers[1].replies.list.as_ref().unwrap().as_str(), "[{](.*)[}]");
    assert_eq!(config.gamemonitoring.signing_tokens.len(), 1);
    assert_eq!(config.gamemonitoring.signing_tokens[0].expose(), "token");
    assert_eq!(config.gamemonitoring.api_url.as_str(), "http://127.0.0.1:1/");
    assert_eq!(config.players.bedrock_prefix, Some('.'));
}

/// As `votive demo` runs it: nothing but the file, everything else from variables.
#[test]
fn the_shipped_file_needs_no_secrets_file_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, SHIPPED).unwrap();
    let env = [
        ("VOTIVE_STATE_DIR", "state"),
        ("VOTIVE_GAMEMONITORING__API_URL", "http://127.0.0.1:40001"),
        ("VOTIVE_GAMEMONITORING__SIGNING_TOKEN", "token"),
        ("VOTIVE_WEBHOOK__LISTEN", "127.0.0.1:0"),
        ("VOTIVE_SERVERS__SURVIVAL__RCON", "127.0.0.1:40002"),
        ("VOTIVE_SERVERS__SURVIVAL__PASSWORD", "one"),
        ("VOTIVE_SERVERS__SKYBLOCK__RCON", "127.0.0.1:40003"),
        ("VOTIVE_SERVERS__SKYBLOCK__PASSWORD", "two"),
    ];
    let loaded = config::load(&sources(&path, &env));
    assert_eq!(loaded.warnings, []);
    let config = loaded.config.unwrap();
    assert_eq!(config.webhook.listen.port(), 0);
    let addresses: Vec<&str> = config.servers.iter().map(|server| server.rcon.as_str()).collect();
    assert_eq!(addresses, ["127.0.0.1:40002", "127.0.0.1:40003"]);
}

#[test]
fn credentials_of_systemd_come_first() {
    let directory = directory();
    let path = directory.path().join("rewards.yaml");
    fs::write(&path, SHIPPED).unwrap();
    let credentials = tempfile::tempdir().unwrap();
    fs::write(credentials.path().join("signing_token"), "from systemd\n").unwrap();
    fs::write(credentials.path().join("secrets_survival.rcon"), "from systemd too\n").unwrap();
    let env = [("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap())];
    let loaded = config::load(&sources(&path, &env));
    assert_eq!(loaded.warnings, [], "systemd guards the directory of its credentials");
    let config = loaded.config.unwrap();
    assert_eq!(config.gamemonitoring.signing_tokens[0].expose(), "from systemd");
    assert_eq!(config.servers[0].password.expose(), "from systemd too");
    let file = credentials.path().join("secrets_survival.rcon");
    assert_eq!(config.servers[0].password_source, file.to_str().unwrap());
    assert_eq!(config.servers[1].password.expose(), "SECRETMARKER-skyblock");
}

#[test]
fn the_state_directory() {
    let directory = directory();
    let path = directory.path().join("rewards.yaml");
    let state_dir = |file: &str, env: &[(&str, &str)], option: Option<&str>| {
        fs::write(&path, format!("{SHIPPED}\n{file}\n")).unwrap();
        let mut sources = sources(&path, env);
        sources.state_dir = option.map(PathBuf::from);
        config::load(&sources).config.unwrap().state_dir
    };
    let systemd = [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")];
    let variable = [systemd[0], ("VOTIVE_STATE_DIR", "elsewhere")];
    assert_eq!(state_dir("", &[], None), Path::new("/var/lib/votive"));
    assert_eq!(state_dir("", &systemd, None), Path::new("/var/lib/a"));
    assert_eq!(state_dir("state_dir: state", &systemd, None), directory.path().join("state"));
    assert_eq!(state_dir("state_dir: /srv/votive", &systemd, None), Path::new("/srv/votive"));
    assert_eq!(state_dir("state_dir: /srv/votive", &variable, None), directory.path().join("elsewhere"));
    assert_eq!(state_dir("state_dir: /srv/votive", &variable, Some("here")), Path::new("here"));
}

#[test]
fn values_arrive_as_they_were_written() {
    let directory = directory();
    let path = directory.path().join("rewards.yaml");
    let everything = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good-everything.yaml");
    fs::copy(everything, &path).unwrap();
    let config = config::load(&sources(&path, &[])).config.unwrap();
    let survival = &config.servers[0];
    assert_eq!(config.gamemonitoring.signing_tokens.len(), 2);
    assert_eq!(config.gamemonitoring.signing_tokens[1].expose(), "SECRETMARKER-second");
    assert_eq!(config.webhook.answer_within.as_secs(), 3);
    assert_eq!(config.webhook.acknowledge, config::Acknowledge::Recorded);
    assert_eq!(survival.ids, [1, 7]);
    assert_eq!(survival.pace, 5);
    assert_eq!(survival.replies.offline.len(), 2);
    assert_eq!(survival.timeouts.connect.as_millis(), 500);
    assert_eq!(survival.timeouts.command.as_secs(), 120);
    let values = votive::domain::template::Values {
        player: "Steve",
        server: "lobby",
        server_id: 0,
        vote_id: "e-1",
        user_id: 0,
        count: votive::domain::counter::Count::default(),
        votes_to_next: 0,
        voted_at: jiff::civil::DateTime::default(),
        reward: "rank",
        own: &BTreeMap::new(),
    };
    let commands: Vec<String> = config.servers[1].rewards[0]
        .commands
        .iter()
        .map(|command| command.run.render(&values).unwrap())
        .collect();
    assert_eq!(commands, ["lp user Steve parent addtemp vip 1d replace", "say Steve voted: thanks!"]);
    let rank = &config.servers[1].rewards[0].commands[0];
    assert!(!rank.require_online && rank.optional && rank.in_doubt.is_some());
}

#[test]
fn without_any_file() {
    let directory = tempfile::tempdir().unwrap();
    // Only where the machine has no configuration of its own.
    if !Path::new("/etc/votive/rewards.yaml").exists() {
        let (output, code) = votive(directory.path(), &["check"], &[]);
        assert!(output.contains("neither ./rewards.yaml nor /etc/votive/rewards.yaml"), "{output}");
        assert_eq!(code, 78);
    }
    let (output, code) = votive(directory.path(), &["check", "--config", "no/such.yaml"], &[]);
    assert!(output.contains("no/such.yaml: error: there is no such file"), "{output}");
    assert_eq!(code, 78);
    let (output, code) = votive(directory.path(), &["check", "--config", "."], &[]);
    assert!(output.contains(".: error: it cannot be read: it is not a file"), "{output}");
    assert_eq!(code, 78);
}

/// Loads a text; whatever it says, a failure is never silent and shows no secret.
fn load_text(directory: &Path, text: &[u8], env: BTreeMap<String, String>) -> Result<(), TestCaseError> {
    let path = directory.join("rewards.yaml");
    fs::write(&path, text).unwrap();
    let loaded = config::load(&Sources { path, state_dir: None, env, again: false });
    let errors = loaded.config.err();
    prop_assert!(errors.as_ref().is_none_or(|errors| !errors.is_empty()));
    for problem in errors.iter().flatten() {
        prop_assert_eq!(problem.level, Level::Error);
    }
    for problem in errors.iter().flatten().chain(&loaded.warnings) {
        prop_assert_eq!(problem.to_string().lines().count(), 2);
        prop_assert!(!problem.to_string().contains(MARKER));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "[ \\PC\n\t'\"\\[\\]{}&*!%@`|>:,#-]{0,200}", bytes in any::<Vec<u8>>()) {
        let directory = tempfile::tempdir().unwrap();
        load_text(directory.path(), text.as_bytes(), BTreeMap::new())?;
        load_text(directory.path(), &bytes, BTreeMap::new())?;
    }

    /// Characters of the shipped file, with secrets written into it, are replaced, put in or taken out.
    #[test]
    fn a_damaged_file_is_answered(
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[\n\t '\"\\[\\]{}&*!%@`|>:,#a-]{0,3}", 0..3_usize), 1..6),
    ) {
        let text = SHIPPED
            .replace("signing_token_file: signing_token", "signing_token: SECRETMARKER")
            .replace("password_file: survival.rcon", "password: 'SECRETMARKER'");
        let mut characters: Vec<char> = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| line.chars().chain(['\n'])).collect();
        for (at, insert, remove) in edits {
            let at = at.index(characters.len());
            // A key that is no longer that of a secret leaves an ordinary value, which may be shown.
            let until = (at + remove).min(characters.len());
            let line = characters[..at].iter().rposition(|c| *c == '\n').map_or(0, |n| n + 1);
            let rest: String = characters[line..].iter().take_while(|c| **c != '\n').collect();
            let secret = ["SECRETMARKER"].iter().any(|word| rest.contains(word));
            let key_ends = line + rest.chars().position(|c| c == ':').map_or(0, |n| n + 2);
            if secret && at < key_ends {
                continue;
            }
            characters.splice(at..until, insert.chars());
        }
        let text: String = characters.into_iter().collect();
        let directory = tempfile::tempdir().unwrap();
        load_text(directory.path(), text.as_bytes(), BTreeMap::new())?;
    }

    #[test]
    fn any_variable_is_answered(name in "[A-Z_]{0,30}", value in "[ \\PC\n'\"\\[\\]{}&*!%@`|>:,#-]{0,40}") {
        let directory = directory();
        let env = [
            (format!("VOTIVE_{name}"), value.clone()),
            ("VOTIVE_SERVERS__SURVIVAL__REPLIES".to_owned(), value.clone()),
            ("VOTIVE_SERVERS__SURVIVAL__ID".to_owned(), value.clone()),
            ("VOTIVE_REWARDS__DAILY__COMMANDS".to_owned(), value.clone()),
            ("VOTIVE_SERVERS__SURVIVAL__PASSWORD".to_owned(), format!("SECRETMARKER{value}")),
        ];
        load_text(directory.path(), SHIPPED.as_bytes(), env.into())?;
    }
}
