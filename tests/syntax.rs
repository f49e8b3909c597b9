//! Every command that Votive makes by itself parses in every version of Minecraft that an independent parser knows.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

#[path = "peers/python.rs"]
mod python;
mod rig;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use rig::Rig;
use votive::domain::event::EventKey;
use votive::domain::receipt::{Key, past_plugins};
use votive::sim::game::Habit;

/// What is wrong with a command, by the version of Minecraft; `None` where it parses.
type Problems = BTreeMap<String, Option<String>>;

/// The versions that the parser knows and what it finds in each command; `None` where this machine cannot run it.
fn parse(commands: &[String]) -> Option<(Vec<String>, Vec<Problems>)> {
    let mut script = python::script("parse_commands.py")?;
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input: String = commands.iter().map(|command| format!("{command}\n")).collect();
    // It reads to the end before its answers fill a pipe: the commands are few.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (versions, problems) = text.split_once('\n').unwrap();
    let problems: Vec<Problems> = problems.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(problems.len(), commands.len());
    Some((serde_json::from_str(versions).unwrap(), problems))
}

fn parse_everywhere(commands: &[String]) {
    let Some((versions, problems)) = parse(commands) else { return };
    assert!(versions.len() >= 6 && versions[1] == "1.17", "{versions:?}");
    for (command, problems) in commands.iter().zip(&problems) {
        for version in &versions {
            assert_eq!(problems[version], None, "{version}: {command}");
        }
    }
    println!("{} commands parse in {}", commands.len(), versions.join(", "));
}

#[test]
fn receipts_parse_around_every_kind_of_command() {
    let inner = [
        "give Steve minecraft:diamond 5",
        "xp add Steve 5 points",
        "scoreboard players add Steve votes 1",
        "effect give Steve minecraft:speed 30 1",
        r#"title Steve title {"text":"Thank you, Steve"}"#,
        r#"tellraw Steve ["",{"text":"run execute","color":"gold"}]"#,
    ];
    let mut commands = Vec::new();
    for serial in 0..8 {
        // Keys that begin with a digit and with a letter.
        let key = Key::of(&EventKey::new("server.vote", "e-1"), "daily", serial);
        commands.extend([key.announce(), key.ask(), key.remove()]);
        for command in inner {
            commands.push(key.guard(command));
            // The parser knows vanilla only, where nothing is before the names.
            let papers = key.guard(&past_plugins(command));
            let (guard, rest) = papers.split_once(" run minecraft:").unwrap();
            assert_eq!(*commands.last().unwrap(), format!("{guard} run {rest}"));
        }
    }
    parse_everywhere(&commands);
}

#[test]
fn the_parser_finds_what_is_wrong() {
    let key = Key::of(&EventKey::new("server.vote", "e-1"), "daily", 0);
    let good = key.guard("give Steve minecraft:diamond 5");
    let broken: Vec<String> = [
        good.replace(":1b}}", ":1b}"),
        good.replace(" byte 1", " byte"),
        good.replace(" unless data storage", " unless storage"),
        good.replace("votive:receipts", "votive receipts"),
        good.replace(" run give", " run"),
        key.announce().replace(" set value", " value"),
        "execute if entity Steve Stone".to_owned(),
    ]
    .into();
    let Some((_, problems)) = parse(&broken) else { return };
    for (command, problems) in broken.iter().zip(problems) {
        assert!(problems.values().all(Option::is_some), "{command}: {problems:?}");
    }
}

#[tokio::test]
async fn all_that_the_daemon_says_to_a_game_parses() {
    let mut rig = Rig::new().await;
    let rewards = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
      - {run: 'scoreboard players add {player} votes 1', require_online: false}
";
    rig.configure("", "    receipts: auto", rewards);
    rig.game.console_command("scoreboard objectives add votes dummy");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    // A list that nobody can read, and a connection that breaks.
    rig.game.always("list", Habit::Says("?".to_owned()));
    rig.game.disconnect();
    rig.game.once("give", Habit::ClosesAfter(0));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let console = rig.game.console();
    // Asked on purpose of games that do not know it: that is what it is to find out.
    let known = console.iter().filter(|executed| !executed.command.starts_with("minecraft:list"));
    let mut commands: Vec<String> = known.map(|executed| executed.command.clone()).collect();
    commands.sort();
    commands.dedup();
    for shape in ["list", "execute if entity Steve", "data get storage", "execute unless data storage"] {
        assert!(commands.iter().any(|command| command.starts_with(shape)), "{shape}: {commands:#?}");
    }
    parse_everywhere(&commands);
}
