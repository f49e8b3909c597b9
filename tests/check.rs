//! What `votive check --online` and `--format json` say, from the real binary, of game servers and APIs of every kind.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use rig::{DAILY, Rig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use votive::config::{self, GameServer, Sources};
use votive::dispatch::survey::{self, Failure};
use votive::sim::game::{Game, GameOptions, Habit, Logins, Looks, Style};
use votive::sim::network::SimulatedNetwork;
use votive::sim::platform::{ApiAnswer, End, vote_body};

const NO_VOTE: &str = "00000000-0000-0000-0000-000000000000";

/// Keys of a server that have it keep receipts, where it can.
const AUTO: &str = "    receipts: auto";

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What the check says to a person, and its exit code.
async fn text(rig: &Rig) -> (String, i32) {
    let output = rig.votive(&["check", "--online"]).await;
    (stdout(&output), output.status.code().unwrap())
}

/// The document of the check, which is all that is on stdout, and its exit code.
async fn document(rig: &Rig, args: &[&str]) -> (Value, i32) {
    let output = rig.votive(&[&["check", "--format", "json"], args].concat()).await;
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

/// What was found of the one game server, and the exit code.
async fn server(rig: &Rig) -> (Value, i32) {
    let (document, code) = document(rig, &["--online"]).await;
    let servers = document["online"]["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 1, "{document}");
    (servers[0].clone(), code)
}

/// The one finding about something.
fn finding(found: &Value) -> (&str, &str, &str) {
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{found}");
    let text = |name: &str| findings[0][name].as_str().unwrap();
    (text("level"), text("message"), text("remedy"))
}

/// Nothing ran but questions, and nothing was left.
fn is_untouched(game: &Game) {
    let questions =
        ["list", "minecraft:list", "execute if entity Votive", "data get storage votive:receipts "];
    for executed in game.console() {
        let command = executed.command;
        assert!(questions.iter().any(|question| command.starts_with(question)), "{command}");
        assert!(!command.contains(" run "), "{command}");
    }
    assert_eq!(game.storage("votive:receipts"), "{}");
    assert!(game.inventory("Steve").is_empty() && game.experience("Steve") == 0);
    assert_eq!(game.record().violations, Vec::<String>::new());
}

#[tokio::test]
async fn every_style_is_told_apart_and_left_as_it_was() {
    for (style, list, takes_names, keeps_receipts) in [
        (Style::Modern, "vanilla", false, true),
        (Style::Old112, "vanilla", false, false),
        (Style::Paper, "vanilla", true, true),
        (Style::Essentials, "vanilla", true, true),
        (Style::NoPlayersOnline, "vanilla", false, false),
        (Style::PlayersCounted, "players_counted", false, false),
    ] {
        let rig = Rig::with_style(style).await;
        rig.configure("", AUTO, DAILY);
        let (found, code) = server(&rig).await;
        assert_eq!((code, &found["state"]), (0, &json!("ready")), "{style:?}: {found}");
        let can = &found["can"];
        assert_eq!(can["list_style"], list, "{style:?}");
        assert_eq!(can["players_online"], 1, "{style:?}");
        assert_eq!((&can["list_is_complete"], &can["tells_of_players"]), (&json!(true), &json!(true)));
        assert_eq!(can["takes_minecraft_names"], takes_names, "{style:?}");
        assert_eq!(can["keeps_receipts"], keeps_receipts, "{style:?}");
        assert!(can["answer_ms"].as_u64().unwrap() < 10_000, "{style:?}");
        assert_eq!(found["findings"], json!([]), "{style:?}");
        assert!(!rig.game.console().is_empty());
        is_untouched(&rig.game);
    }
}

#[tokio::test]
async fn an_empty_server_that_is_not_vanilla_is_understood() {
    let rig = Rig::with_style(Style::NoPlayersOnline).await;
    rig.game.leave("Steve");
    let (found, code) = server(&rig).await;
    assert_eq!((code, &found["can"]["list_style"]), (0, &json!("no_players_online")));
    assert_eq!(found["can"]["players_online"], 0);
}

#[tokio::test]
async fn a_person_reads_what_a_server_can_do() {
    let rig = Rig::new().await;
    rig.configure("", AUTO, DAILY);
    let (said, code) = text(&rig).await;
    let times = regex::Regex::new(r"within \d+ ms").unwrap();
    let said = times.replace_all(&said, "within N ms");
    let said = said.replace(&rig.directory.path().display().to_string(), "DIR");
    let said = said.replace(&rig.game.address().to_string(), "RCON").replace(&rig.platform.api_url(), "API");
    assert_eq!(
        said,
        "checking DIR/rewards.yaml
0 errors, 0 warnings: Votive can start, with 1 game server and 1 reward

survival (RCON): logged in, and it answers within N ms
    players: it tells who is online in vanilla's form, now 1
    names: it does not take `minecraft:give` and the like, so commands go out as you wrote them
    receipts: it keeps them, so that a command that breaks off is settled without you
    advice: write broadcast-rcon-to-ops=false into its server.properties: otherwise every operator in the game sees each reward's commands in chat
the API (API): it answers within N ms
online: 1 game server and the API answer
"
    );
    assert_eq!(code, 0);
    assert_eq!(rig.platform.record().requests, [format!("GET /votes/{NO_VOTE} HTTP/1.1")]);
}

#[tokio::test]
async fn essentials_list_is_understood_and_single_players_are_asked_for() {
    let rig = Rig::with_style(Style::Essentials).await;
    rig.game.always("minecraft:list", Habit::Says("Unknown command".to_owned()));
    rig.game.join_as("Alex", Looks { nickname: Some("Lexi".to_owned()), ..Looks::default() });
    let (found, code) = server(&rig).await;
    let can = &found["can"];
    assert_eq!((code, &can["list_style"], &can["players_online"]), (0, &json!("essentials"), &json!(2)));
    assert_eq!((&can["list_is_complete"], &can["tells_of_players"]), (&json!(false), &json!(true)));
    let (said, _) = text(&rig).await;
    assert!(said.contains("in EssentialsX's form, now 2; who is not in its list is asked for"), "{said}");
    is_untouched(&rig.game);

    rig.game.always("execute if entity", Habit::Silent);
    let (found, code) = server(&rig).await;
    let (level, message, remedy) = finding(&found);
    assert_eq!((code, level), (0, "warning"), "those whom it shows are rewarded");
    assert!(message.contains("whoever is not seen is taken to be away"), "{message}");
    assert!(remedy.contains("`servers.survival.replies.list: "), "{remedy}");
}

#[tokio::test]
async fn a_list_that_nobody_can_read_is_told_with_its_remedy() {
    let rig = Rig::new().await;
    for command in ["list", "minecraft:list"] {
        rig.game.always(command, Habit::Says("Online now: [Steve]".to_owned()));
    }
    let (found, code) = server(&rig).await;
    let (level, message, remedy) = finding(&found);
    assert_eq!((code, level), (0, "warning"), "single players can be asked for");
    assert!(message.contains("its answer to `list` cannot be read"), "{message}");
    assert!(remedy.contains("`servers.survival.replies.list: "), "{remedy}");
    assert_eq!((&found["can"]["list_style"], &found["can"]["players_online"]), (&Value::Null, &Value::Null));

    rig.game.always("execute if entity", Habit::Says("Unknown command".to_owned()));
    let (said, code) = text(&rig).await;
    assert_eq!(code, 1, "{said}");
    for part in
        ["nobody knows who is online", "`servers.survival.replies.list: ", "1 of 2 did not pass: survival"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }

    rig.configure("", "    replies:\n      list: 'Online now: \\[(.*)\\]'", DAILY);
    let (found, code) = server(&rig).await;
    assert_eq!((code, &found["can"]["list_style"]), (0, &json!("own_pattern")), "{found}");
    assert_eq!(found["can"]["players_online"], 1);
    is_untouched(&rig.game);
}

#[tokio::test]
async fn receipts_that_have_to_be_kept_and_cannot_are_a_failure() {
    let rig = Rig::with_style(Style::Old112).await;
    rig.configure("", "    receipts: always", DAILY);
    let (found, code) = server(&rig).await;
    let (level, message, remedy) = finding(&found);
    assert_eq!((code, level), (1, "error"));
    assert!(message.contains("it keeps no receipts"), "{message}");
    assert!(remedy.contains("`servers.survival.receipts: auto`"), "{remedy}");
    rig.configure("", "    receipts: never", DAILY);
    assert_eq!(server(&rig).await.1, 0);
}

#[tokio::test]
async fn a_wrong_password_is_told_with_where_it_comes_from() {
    for (logins, state) in [
        (Logins::Vanilla, "wrong_password"),
        (Logins::RefuseAndClose, "wrong_password"),
        (Logins::Close, "login_broken"),
    ] {
        let rig = Rig::new().await;
        rig.game.set_logins(logins);
        rig.write_secret("password", "another-password");
        let (found, code) = server(&rig).await;
        let (level, message, remedy) = finding(&found);
        let source = rig.path("secrets/password").display().to_string();
        assert_eq!((code, level, &found["state"]), (1, "error", &json!(state)), "{logins:?}");
        assert!(message.contains("password") && remedy.contains(&source), "{message} {remedy}");
        assert!(remedy.contains("rcon.password"), "{remedy}");
        assert!(!found.to_string().contains("another-password"), "{found}");
        assert_eq!(found["can"], Value::Null);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_told_with_its_address() {
    let rig = Rig::new().await;
    rig.game.stop().await;
    let (said, code) = text(&rig).await;
    assert_eq!(code, 1, "{said}");
    let address = rig.game.address().to_string();
    for part in [
        format!("survival ({address}): failed\n    error: cannot be reached: "),
        format!("enable-rcon=true, and an rcon.port that is the one of {address} (`servers.survival.rcon`)"),
        "online: 1 of 2 did not pass: survival\n".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert_eq!(server(&rig).await.0["state"], "unreachable");
}

#[tokio::test]
async fn what_takes_no_login_is_told() {
    let rig = Rig::new().await;
    rig.configure("", "    timeouts: {login: 200ms}", DAILY);
    rig.game.set_logins(Logins::Silent);
    let (found, code) = server(&rig).await;
    assert_eq!((code, &found["state"]), (1, &json!("no_answer")), "{found}");
    assert!(finding(&found).2.contains("firewall"), "{found}");

    // Something else listens there: it answers anything with a page.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let other = listener.local_addr().unwrap().to_string();
    std::fs::write(rig.path("rewards.yaml"), yaml.replace(&rig.game.address().to_string(), &other)).unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            drop(socket.read(&mut [0; 64]).await);
            drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let (found, code) = server(&rig).await;
    assert_eq!((code, &found["state"]), (1, &json!("login_broken")), "{found}");
    assert!(finding(&found).2.contains(&format!("see what listens on {other}")), "{found}");
}

#[tokio::test]
async fn a_server_that_takes_the_login_and_stays_silent_is_told() {
    let rig = Rig::new().await;
    rig.configure("", "    timeouts: {command: 1s}", DAILY);
    rig.game.always("", Habit::Silent);
    let (found, code) = server(&rig).await;
    let (level, message, remedy) = finding(&found);
    assert_eq!((code, level, &found["state"]), (1, "error", &json!("silent")));
    assert_eq!(message, "takes the login and does not answer commands");
    assert!(remedy.contains("`servers.survival.timeouts.command`"), "{remedy}");

    rig.game.behave();
    rig.game.always("data get", Habit::ClosesBeforeRun);
    assert_eq!(server(&rig).await.0["state"], "broke_off");
    is_untouched(&rig.game);
}

#[tokio::test]
async fn an_api_that_does_not_know_the_vote_that_there_is_not_answers_and_any_other_fails() {
    let rig = Rig::new().await;
    let existing = ApiAnswer::json(&vote_body(NO_VOTE, "Steve", 1));
    let other = ApiAnswer::json(&vote_body("e-1", "Steve", 1));
    for (answer, expected) in [
        (ApiAnswer::new(500, ""), "the API answered 500"),
        (ApiAnswer::new(200, "<html>hello"), "JSON"),
        (ApiAnswer::redirect("https://example.org/"), "the API answered 302"),
        (existing, "it tells of a vote that there is not"),
        (other, "vote"),
        (ApiAnswer::new(404, "").ending(End::Closed), "the API's answer broke off"),
    ] {
        rig.platform.set_outage(Some(answer.clone()));
        let (document, code) = document(&rig, &["--online"]).await;
        let api = &document["online"]["api"];
        let (level, message, remedy) = finding(api);
        assert_eq!((code, level, &api["answers"]), (1, "error", &json!(false)), "{answer:?}");
        assert!(message.contains(expected), "{answer:?}: {message}");
        assert!(remedy.contains("`gamemonitoring.api_url`"), "{remedy}");
        assert_eq!(document["online"]["servers"][0]["state"], "ready", "that does not concern the servers");
    }
    rig.platform.set_outage(None);
    rig.platform.stop().await;
    let (said, code) = text(&rig).await;
    assert_eq!(code, 1);
    let api = format!("the API ({}): failed\n    error: the API cannot be reached: ", rig.platform.api_url());
    assert!(said.contains(&api) && said.ends_with("online: 1 of 2 did not pass: the API\n"), "{said}");
    rig.platform.start_again().unwrap();
    let (document, code) = document(&rig, &["--online"]).await;
    assert_eq!((code, &document["online"]["api"]["answers"]), (0, &json!(true)));
}

/// A further server of the configuration.
fn another(name: &str, id: u64, address: impl std::fmt::Display) -> String {
    format!(
        "  {name}:\n    id: {id}\n    rcon: {address}\n    password_file: password\n    rewards: [daily]\n"
    )
}

#[tokio::test]
async fn two_names_with_one_address_are_asked_once() {
    let rig = Rig::new().await;
    rig.configure("", &another("lobby", 2, rig.game.address()), DAILY);
    let (found, code) = server(&rig).await;
    assert_eq!((code, &found["names"]), (0, &json!(["survival", "lobby"])));
    let record = rig.game.record();
    assert_eq!((record.connections, record.logins), (1, 1));
    let (said, _) = text(&rig).await;
    assert!(said.contains(&format!("\nsurvival, lobby ({}): logged in", rig.game.address())), "{said}");
}

#[tokio::test]
async fn one_server_that_fails_is_named_and_all_are_asked_at_the_same_time() {
    let rig = Rig::new().await;
    let password = std::fs::read_to_string(rig.path("secrets/password")).unwrap().trim_end().to_owned();
    let skyblock = Game::start(GameOptions { password, ..GameOptions::default() }).unwrap();
    let lobby = Game::start(GameOptions::default()).unwrap();
    lobby.stop().await;
    let down = lobby.address();
    rig.configure("", &(another("skyblock", 2, skyblock.address()) + &another("lobby", 3, down)), DAILY);
    // Neither is answered before the other was asked as well.
    for game in [&rig.game, &skyblock] {
        game.always("", Habit::Withheld);
    }
    let check = text(&rig);
    let release = async {
        for game in [&rig.game, &skyblock] {
            let asked = game.until(|record| record.received > 0);
            tokio::time::timeout(Duration::from_secs(30), asked).await.expect("one waited for the other");
        }
        for game in [&rig.game, &skyblock] {
            game.behave();
            game.release_replies();
        }
    };
    let ((said, code), ()) = tokio::join!(check, release);
    assert_eq!(code, 1);
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text}: {said}"));
    assert!(at("\nsurvival (") < at("\nskyblock ("), "{said}");
    assert!(at("\nskyblock (") < at(&format!("\nlobby ({down}): failed")), "{said}");
    assert!(said.ends_with("online: 1 of 4 did not pass: lobby\n"), "{said}");
}

#[tokio::test]
async fn a_running_daemon_and_the_ledger_are_left_alone() {
    let mut rig = Rig::new().await;
    assert_eq!(text(&rig).await.1, 0);
    assert!(!rig.path("state").exists(), "a check makes no ledger");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let before = rig.game.record();
    let (document, code) = document(&rig, &["--online"]).await;
    let (online, found) = (&document["online"], &document["online"]["servers"][0]);
    assert_eq!((code, &online["daemon_runs"]), (0, &json!(true)));
    assert_eq!((&found["state"], &found["can"]), (&json!("logged_in"), &Value::Null));
    let after = rig.game.record();
    assert_eq!(after.logins, before.logins + 1);
    let asked = |record: &votive::sim::game::Record| {
        record.console.iter().filter(|executed| executed.connection > before.connections).count()
    };
    assert_eq!(asked(&after), 0, "its answers could get into the daemon's");
    let (said, _) = text(&rig).await;
    assert!(said.contains("Stop Votive to have them asked."), "{said}");
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 6);

    rig.write_secret("password", "another-password");
    assert_eq!(text(&rig).await.1, 1, "a login tells of the password all the same");
    rig.stop().await;
}

#[tokio::test]
async fn the_document_of_a_broken_configuration() {
    let rig = Rig::new().await;
    let file = rig.path("rewards.yaml").display().to_string();
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let yaml = yaml.replace("    id: 1", "    id: x\n    paces: 20/s");
    std::fs::write(rig.path("rewards.yaml"), yaml + "  spare:\n    commands: ['tell {player} hi']\n")
        .unwrap();
    let (document, code) = document(&rig, &["--online"]).await;
    assert_eq!(code, 78);
    let lines: Vec<_> =
        document["errors"].as_array().unwrap().iter().map(|e| (&e["key"], &e["line"])).collect();
    let (id, paces) = (json!("servers.survival.id"), json!("servers.survival.paces"));
    assert_eq!(lines, [(&id, &json!(12)), (&paces, &json!(13))], "{document}");
    assert_eq!(
        document["errors"][0],
        json!({
            "level": "error",
            "file": file,
            "line": 12,
            "column": 9,
            "variable": null,
            "key": "servers.survival.id",
            "message": document["errors"][0]["message"].as_str().unwrap(),
            "remedy": document["errors"][0]["remedy"].as_str().unwrap(),
        })
    );
    let warnings = document["warnings"].as_array().unwrap();
    assert_eq!((warnings.len(), &warnings[0]["level"]), (1, &json!("warning")), "{document}");
    assert_eq!(warnings[0]["key"], "rewards.spare");
    for (name, value) in [
        ("file", json!(file)),
        ("can_start", json!(false)),
        ("servers", Value::Null),
        ("rewards", Value::Null),
        ("online", Value::Null),
    ] {
        assert_eq!(document[name], value, "{name}");
    }
    assert_eq!(rig.game.record().connections, 0, "there is nothing to ask with");
}

#[tokio::test]
async fn the_document_of_a_good_configuration_and_of_none() {
    let rig = Rig::new().await;
    let (good, code) = document(&rig, &[]).await;
    let file = rig.path("rewards.yaml").display().to_string();
    assert_eq!(
        (code, good),
        (
            0,
            json!({
                "file": file, "can_start": true, "servers": 1, "rewards": 1,
                "errors": [], "warnings": [], "online": null,
            })
        )
    );
    assert_eq!((rig.game.record().connections, rig.platform.record().requests.len()), (0, 0));

    let mut command = std::process::Command::new(rig::VOTIVE);
    command.env_clear().env("VOTIVE_NONSENSE", "1").args(["check", "--format", "json", "--config"]);
    let output = command.arg(rig.path("rewards.yaml")).output().unwrap();
    let wrong: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(78));
    let error = &wrong["errors"][0];
    assert_eq!((&error["variable"], &error["line"]), (&json!("VOTIVE_NONSENSE"), &Value::Null));

    // Nobody has said where the configuration is, and there is none in the usual places.
    if !std::path::Path::new("/etc/votive/rewards.yaml").exists() {
        let mut command = std::process::Command::new(rig::VOTIVE);
        command.env_clear().current_dir(rig.path("secrets")).args(["check", "--format", "json", "--online"]);
        let output = command.output().unwrap();
        let none: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &none["file"]), (Some(78), &Value::Null));
        assert!(none["errors"][0]["message"].as_str().unwrap().contains("there is no configuration"));
        assert_eq!((&none["can_start"], output.stderr.len()), (&json!(false), 0));
    }
}

/// Every name of a field in a document.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.keys().cloned());
            fields.values().for_each(|value| names(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_field_of_the_document_is_documented() {
    let docs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let section = docs.split("## Checking it").nth(1).unwrap();
    let rig = Rig::new().await;
    rig.configure("", "    receipts: always", DAILY);
    let mut found = BTreeSet::new();
    names(&document(&rig, &["--online"]).await.0, &mut found);
    rig.game.stop().await;
    names(&document(&rig, &["--online"]).await.0, &mut found);
    std::fs::write(rig.path("rewards.yaml"), "nonsense: 1").unwrap();
    names(&document(&rig, &[]).await.0, &mut found);
    for name in ["level", "variable", "list_style", "daemon_runs"] {
        assert!(found.contains(name), "{found:?}");
    }
    for name in found {
        assert!(section.contains(&format!("`{name}`")), "{name}");
    }
}

/// The one game server of a configuration with these keys, and a simulated one behind its address.
fn simulated(keys: &str) -> (GameServer, Game, Arc<SimulatedNetwork>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rewards.yaml");
    let yaml = format!(
        "gamemonitoring: {{signing_token: 'token'}}
servers:
  survival: {{id: 1, rcon: '127.0.0.1:1', password: 'rcon-password', rewards: [daily], {keys}}}
rewards:
  daily: {{commands: ['say hi']}}
"
    );
    std::fs::write(&path, yaml).unwrap();
    let server = config::load(&Sources::from_process(path, None)).config.unwrap().servers.remove(0);
    let game = Game::without_port(GameOptions::default());
    let network = SimulatedNetwork::new([("127.0.0.1:1".to_owned(), game.clone())]);
    (server, game, Arc::new(network))
}

#[tokio::test(start_paused = true)]
async fn a_survey_ends_within_two_minutes_whatever_the_timeouts_are() {
    let (server, game, network) = simulated("timeouts: {login: 1m, command: 10m}");
    game.always("", Habit::Silent);
    let began = tokio::time::Instant::now();
    let failure = survey::survey(&*network, &server).await.unwrap_err();
    assert!(matches!(failure, Failure::Unfinished), "{failure}");
    assert_eq!(began.elapsed().as_secs(), 120);
    assert!(!game.console().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lags_is_asked_again_and_its_lag_is_told() {
    let (server, game, network) = simulated("timeouts: {command: 60s}");
    game.always("", Habit::Lag(Duration::from_millis(1500)));
    game.once("data get", Habit::Lag(Duration::from_secs(3)));
    let survey = survey::survey(&*network, &server).await.unwrap();
    assert!(survey.keeps_receipts, "its late answer is no answer of a game without storage");
    assert_eq!(survey.took, Duration::from_millis(1500));
}
