//! Data storage and `execute` in the simulated game server, what commands come of it, and a world that goes back in
//! time: all that receipts are made of, as `contract/rcon.md` has it.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod raw;

use raw::Raw;
use votive::sim::game::{Game, GameOptions, Habit, Style};

const STORAGE: &str = "votive:receipts";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const DIAMOND: &str = "give Steve diamond";
const UNCHANGED: &str = "Nothing changed. The specified properties already have these values";

/// A game of that style with Steve in it; Ann has been there and is offline.
fn game(style: Style) -> Game {
    let game = Game::start(GameOptions { style, ..GameOptions::default() }).unwrap();
    game.join("Steve");
    game.join("Ann");
    game.leave("Ann");
    game
}

/// The command of a receipt, around `command`.
fn guarded(command: &str) -> String {
    format!(
        "execute unless data storage {STORAGE} {{v:{{\"{KEY}\":1b}}}} store success storage {STORAGE} v.\"{KEY}\" \
         byte 1 run {command}"
    )
}

/// How to read it.
fn receipt() -> String {
    format!("data get storage {STORAGE} v.\"{KEY}\"")
}

/// How many diamonds Steve has.
fn diamonds(game: &Game) -> u64 {
    game.inventory("Steve").get("diamond").copied().unwrap_or(0)
}

/// What a storage holds that has nothing but the receipt, as it is printed.
fn only(value: &str) -> String {
    format!("{{v: {{\"{KEY}\": {value}}}}}")
}

#[tokio::test]
async fn data_is_read_written_merged_and_removed() {
    let game = game(Style::Modern);
    let mut raw = Raw::logged_in(&game).await;
    let merged = r#"{v: {x: 1b, y: [1, "two"]}, w: 3L}"#;
    let contents = |id: &str, value: &str| format!("Storage {id} has the following contents: {value}");
    for (command, reply, state) in [
        ("data get storage a:b", contents("a:b", "{}").as_str(), "{}"),
        ("data get storage a:b v.x", "Found no elements matching v", "{}"),
        ("data modify storage a:b v.x set value 1b", "Modified storage a:b", "{v: {x: 1b}}"),
        ("data modify storage a:b v.x set value 1b", UNCHANGED, "{v: {x: 1b}}"),
        ("data get storage a:b v.x", contents("a:b", "1b").as_str(), "{v: {x: 1b}}"),
        (r#"data get storage a:b v."x""#, contents("a:b", "1b").as_str(), "{v: {x: 1b}}"),
        (r#"data get storage a:b v."y".z"#, r#"Found no elements matching v."y""#, "{v: {x: 1b}}"),
        ("data get storage a:b v.x.y", "Found no elements matching v.x.y", "{v: {x: 1b}}"),
        ("data get storage a:b {v:{x:1b}}.v", contents("a:b", "{x: 1b}").as_str(), "{v: {x: 1b}}"),
        ("data get storage a:b v{x:0b}", "Found no elements matching v{x:0b}", "{v: {x: 1b}}"),
        ("data modify storage a:b v.x.y set value 1b", UNCHANGED, "{v: {x: 1b}}"),
        ("data modify storage a:b v.x.y.z set value 1b", "Found no elements matching v.x.y", "{v: {x: 1b}}"),
        ("data merge storage a:b {v:{y:[1, two]},w:3L}", "Modified storage a:b", merged),
        ("data merge storage a:b {w:3L}", UNCHANGED, merged),
        (r#"data remove storage a:b v."z""#, UNCHANGED, merged),
        ("data remove storage a:b v{x:0b}.y", UNCHANGED, merged),
        ("data remove storage a:b y.z", UNCHANGED, merged),
        ("data remove storage a:c v", UNCHANGED, merged),
        ("data modify storage a:b v{x:0b} set value 1b", UNCHANGED, merged),
        ("data remove storage a:b v{x:1b}.y", "Modified storage a:b", "{v: {x: 1b}, w: 3L}"),
        ("data remove storage a:b v", "Modified storage a:b", "{w: 3L}"),
        ("data modify storage b v set value {}", "Modified storage minecraft:b", "{w: 3L}"),
        ("data get storage minecraft:b", contents("minecraft:b", "{v: {}}").as_str(), "{w: 3L}"),
    ] {
        assert_eq!(raw.ask(command).await, reply, "{command}");
        assert_eq!(game.storage("a:b"), state, "{command}");
    }
}

#[tokio::test]
async fn a_condition_asks_data_storage() {
    let game = game(Style::Modern);
    let mut raw = Raw::logged_in(&game).await;
    raw.ask("data merge storage a:b {v:{x:1b}}").await;
    for (command, reply) in [
        ("execute if data storage a:b v.x", "Test passed, count: 1"),
        ("execute if data storage a:b v.y", "Test failed"),
        ("execute if data storage a:b {v:{x:1b}}", "Test passed, count: 1"),
        ("execute if data storage a:b {v:{x:0b}}", "Test failed"),
        ("execute if data storage a:c {}", "Test passed, count: 1"),
        ("execute unless data storage a:b v{x:0b}", "Test passed"),
        ("execute unless data storage a:b v{x:1b}", "Test failed, count: 1"),
        ("execute if data storage a:b v.x if entity Steve", "Test passed, count: 1"),
        // Behind a condition, errors are swallowed.
        ("execute if data storage a:b v.x if entity Ann", ""),
        ("execute if data storage a:b v.x run give Steve diamond", "Gave 1 [Diamond] to Steve"),
        ("execute unless data storage a:b v.x run give Steve diamond", ""),
    ] {
        assert_eq!(raw.ask(command).await, reply, "{command}");
    }
    assert_eq!(diamonds(&game), 1);
    assert_eq!(game.record().took_effect(""), ["data merge storage a:b {v:{x:1b}}", DIAMOND]);
}

#[tokio::test]
async fn what_became_of_a_command_is_stored() {
    let game = game(Style::Modern);
    game.join("Alex");
    let (diamonds, xp) = ("Gave 1 [Diamond] to 2 players", "Gave 3 experience points to 2 players");
    let list = "There are 2 of a max of 20 players online: Alex, Steve";
    let mut raw = Raw::logged_in(&game).await;
    for (command, reply, stored) in [
        ("store success storage a:b v int 1 run give @a diamond", diamonds, "1"),
        ("store result storage a:b v int 1 run give @a diamond", diamonds, "2"),
        (
            "store result storage a:b v byte 100.5 run give @a diamond",
            "Gave 1 [Diamond] to 2 players",
            "-55b",
        ),
        ("store result storage a:b v long 10000000000 run xp add @a 3", xp, "20000000000L"),
        // Without a condition, an error is said.
        ("store success storage a:b v byte 1 run give Ann diamond", "No player was found", "0b"),
        ("store success storage a:b v byte 1 as @a run say hi", "", "1b"),
        ("store result storage a:b v int 1 if entity @a", "Test passed, count: 2", "2"),
        ("store result storage a:b v int 1 if entity Ann", "Test failed", "0"),
        ("store success storage a:b v.x byte 1 run say hi", "", "0"),
        ("store success storage a:b v int -3 store result storage a:c v int 1 run list", list, "-3"),
    ] {
        assert_eq!(raw.ask(&format!("execute {command}")).await, reply, "{command}");
        assert_eq!(game.storage("a:b"), format!("{{v: {stored}}}"), "{command}");
    }
    assert_eq!(game.storage("a:c"), "{v: 2}");
}

#[tokio::test]
async fn a_guarded_command_runs_once_and_its_guard_trips_in_silence() {
    for (style, give, gave) in [
        (Style::Modern, DIAMOND, "Gave 1 [Diamond] to Steve"),
        (Style::Paper, "minecraft:give Steve diamond", "Gave 1 [Diamond] to Steve\n"),
        (Style::Essentials, "minecraft:give Steve diamond", "Gave 1 [Diamond] to Steve\n"),
        (Style::Essentials, DIAMOND, "§6Giving§c 1 §6of§c diamond §6to§c Steve§6.\n"),
    ] {
        let game = game(style);
        let mut raw = Raw::logged_in(&game).await;
        assert!(raw.ask(&receipt()).await.starts_with("Found no elements matching v"));
        assert_eq!(raw.ask(&guarded(give)).await, gave, "{style:?}");
        assert!(raw.ask(&receipt()).await.contains("has the following contents: 1b"));
        for _ in 0..2 {
            assert_eq!(raw.ask(&guarded(give)).await, "", "{style:?}");
        }
        assert_eq!((game.storage(STORAGE), diamonds(&game)), (only("1b"), 1), "{style:?}");
        let record = game.record();
        assert_eq!((record.took_effect(give), record.ran("execute").len()), (vec![DIAMOND], 3), "{style:?}");
    }
}

#[tokio::test]
async fn a_guarded_command_that_fails_says_nothing_and_can_be_tried_again() {
    let game = game(Style::Modern);
    let mut raw = Raw::logged_in(&game).await;
    game.leave("Steve");
    for _ in 0..2 {
        assert_eq!(raw.ask(&guarded(DIAMOND)).await, "");
        assert_eq!(raw.ask(&receipt()).await, "Storage votive:receipts has the following contents: 0b");
    }
    assert!(game.record().took_effect("give").is_empty());
    game.join("Steve");
    assert_eq!(raw.ask(&guarded(DIAMOND)).await, "Gave 1 [Diamond] to Steve");
    assert_eq!((game.storage(STORAGE), diamonds(&game)), (only("1b"), 1));
    // Gone is gone: without its receipt, the command runs again.
    raw.ask(&format!("data remove storage {STORAGE} v.\"{KEY}\"")).await;
    raw.ask(&guarded(DIAMOND)).await;
    assert_eq!(diamonds(&game), 2);
}

#[tokio::test]
async fn a_syntax_error_is_said_runs_nothing_and_stores_nothing() {
    let game = game(Style::Modern);
    let guard = |path: &str, store: &str, run: &str| {
        format!(
            "execute unless data storage {STORAGE} {path} store success storage {STORAGE} {store} run {run}"
        )
    };
    let mut raw = Raw::logged_in(&game).await;
    for (command, error) in [
        (guarded("give Steve diamnd"), "Unknown item 'minecraft:diamnd'...ive Steve diamnd<--[HERE]"),
        (guarded("give Steve diamond x"), "Expected integer"),
        (guarded("minecraft:give Steve diamond"), "Incorrect argument for command"),
        (guarded("lp user Steve parent add vip"), "Incorrect argument for command"),
        (guarded("execute as @a run foo"), "Incorrect argument for command"),
        (guarded(""), "Unknown or incomplete command"),
        (guard("{v:{a:1b}", "v.a byte 1", DIAMOND), "Expected '}'"),
        (guard("v[0]", "v.a byte 1", DIAMOND), "Invalid NBT path element"),
        (guard("v", "v..a byte 1", DIAMOND), "Invalid NBT path element"),
        (guard("v", "v\"a\" byte 1", DIAMOND), "Expected '.'"),
        (guard("v", "v.a bit 1", DIAMOND), "Incorrect argument for command"),
        (guard("v", "v.a byte x", DIAMOND), "Expected double"),
        (format!("execute unless data storage {STORAGE}"), "Unknown or incomplete command"),
        (format!("data modify storage {STORAGE} v set value"), "Unknown or incomplete command"),
        (format!("data modify storage {STORAGE} v set value {{}}}}"), "Incorrect argument for command"),
        (format!("data merge storage {STORAGE} 1b"), "Expected '{'"),
        ("data get storage Votive:receipts".to_owned(), "Invalid ID"),
        ("data get entity Steve".to_owned(), "Incorrect argument for command"),
    ] {
        let reply = raw.ask(&command).await;
        assert!(reply.starts_with(error) && reply.ends_with("<--[HERE]"), "{command}: {reply}");
    }
    assert_eq!((game.storage(STORAGE), diamonds(&game)), ("{}".to_owned(), 0));
    // The same where the guard trips: the whole command is parsed first.
    raw.ask(&guarded(DIAMOND)).await;
    let reply = raw.ask(&guarded("give Steve diamnd")).await;
    assert_eq!(reply, "Unknown item 'minecraft:diamnd'...ive Steve diamnd<--[HERE]");
    assert_eq!((game.storage(STORAGE), diamonds(&game)), (only("1b"), 1));
    assert_eq!(game.record().took_effect(""), [DIAMOND]);
}

#[tokio::test]
async fn a_canary_is_written_once() {
    let game = game(Style::Modern);
    let mut raw = Raw::logged_in(&game).await;
    let canary = format!(
        "execute unless data storage {STORAGE} {{v:{{\"{KEY}\":1b}}}} run data modify storage {STORAGE} v.\"{KEY}\" \
         set value 1b"
    );
    assert_eq!(raw.ask(&canary).await, "Modified storage votive:receipts");
    assert_eq!(raw.ask(&canary).await, "");
    assert_eq!(game.storage(STORAGE), only("1b"));
    assert_eq!(game.record().took_effect("data modify").len(), 1);
}

#[tokio::test]
async fn a_plug_ins_command_always_counts_as_a_success() {
    for (command, reply, stored, effects) in [
        ("give Nobody diamond", "§cError: §4Player not found.\n", "1b", &[][..]),
        ("give Steve diamnd", "§cError: §4Unknown item name: diamnd.\n", "1b", &[]),
        ("lp user Nobody parent add vip", "", "1b", &["lp user Nobody parent add vip"]),
        // The game's own one fails in silence, as everywhere.
        ("minecraft:give Nobody diamond", "", "0b", &[]),
    ] {
        let game = game(Style::Essentials);
        assert_eq!(Raw::logged_in(&game).await.ask(&guarded(command)).await, reply, "{command}");
        assert_eq!(game.storage(STORAGE), only(stored), "{command}");
        assert_eq!(game.record().took_effect(""), effects, "{command}");
    }
}

#[tokio::test]
async fn servers_without_data_storage_do_not_know_the_commands() {
    for (style, get, guard) in [
        (Style::Old112, "Unknown command. Try /help", "Usage: /execute"),
        (Style::NoPlayersOnline, "Incorrect argument for command", "Incorrect argument for command"),
        (Style::PlayersCounted, "Incorrect argument for command", "Incorrect argument for command"),
    ] {
        let game = game(style);
        let mut raw = Raw::logged_in(&game).await;
        assert!(raw.ask(&receipt()).await.starts_with(get), "{style:?}");
        assert!(raw.ask(&guarded(DIAMOND)).await.starts_with(guard), "{style:?}");
        assert_eq!((game.storage(STORAGE), diamonds(&game)), ("{}".to_owned(), 0), "{style:?}");
    }
}

#[tokio::test]
async fn only_what_worked_is_an_effect() {
    for (style, commands, effects) in [
        (
            Style::Modern,
            &[
                "/give Steve diamond",
                "give Ann diamond",
                "give Steve diamnd",
                "say hi",
                "foo",
                "execute as @a run say ho",
            ][..],
            &[DIAMOND, "say hi", "say ho"][..],
        ),
        (Style::Old112, &[DIAMOND, "give Ann diamond", "say hi"], &[DIAMOND, "say hi"]),
        (Style::Essentials, &[DIAMOND, "minecraft:give Ste diamond", "give Nobody diamond"], &[DIAMOND]),
        // Neither says so, but nothing was given.
        (Style::NoPlayersOnline, &["give Ann diamond", DIAMOND], &[DIAMOND]),
        (Style::PlayersCounted, &["give Ann diamond", "give Steve diamnd", DIAMOND], &[DIAMOND]),
    ] {
        let game = game(style);
        let mut raw = Raw::logged_in(&game).await;
        for command in commands {
            raw.ask(command).await;
        }
        let record = game.record();
        assert_eq!(record.took_effect(""), effects, "{style:?}");
        assert_eq!(record.took_effect("minecraft:give"), [DIAMOND], "{style:?}");
        assert_eq!(record.console.len(), commands.len());
    }
}

#[tokio::test]
async fn a_habit_befalls_the_command_inside_too() {
    let game = game(Style::Paper);
    let says = |text: &str| Habit::Says(text.to_owned());
    let mut raw = Raw::logged_in(&game).await;
    game.once("give", says("one"));
    assert_eq!(raw.ask(&guarded("minecraft:give Steve diamond")).await, "one");
    game.once("minecraft:give", says("two"));
    assert_eq!(raw.ask(&guarded("minecraft:give Steve diamond")).await, "two");
    game.once("execute unless", says("three"));
    assert_eq!(raw.ask(&guarded("say hi")).await, "three");
    // By itself, a command is what it is written as.
    game.once("give", says("four"));
    assert_eq!(raw.ask("minecraft:give Steve diamond").await, "Gave 1 [Diamond] to Steve\n");
    assert_eq!(raw.ask("say give").await, "");
    assert_eq!(raw.ask("give Steve diamond").await, "four");
    assert_eq!(diamonds(&game), 3);
}

#[tokio::test]
async fn a_guarded_command_that_was_cut_off_has_left_its_receipt() {
    let game = game(Style::Modern);
    for (habit, stored, owned) in [
        (Habit::ClosesBeforeRun, "{}".to_owned(), 0),
        (Habit::ClosesAfter(0), only("1b"), 1),
        (Habit::ClosesAfter(7), only("1b"), 1),
    ] {
        game.once("give", habit.clone());
        let mut raw = Raw::logged_in(&game).await;
        raw.send(&guarded(DIAMOND)).await;
        raw.bytes_until_closed().await;
        assert_eq!((game.storage(STORAGE), diamonds(&game)), (stored, owned), "{habit:?}");
    }
}

#[tokio::test]
async fn storage_survives_a_restart_and_not_a_world_that_goes_back() {
    let game = game(Style::Modern);
    let mut raw = Raw::logged_in(&game).await;
    raw.ask("scoreboard objectives add votes dummy").await;
    game.join("Old");
    let before = game.save();
    game.leave("Old");
    raw.ask("scoreboard players add Steve votes 1").await;
    raw.ask("xp add Steve 5").await;
    raw.ask(&guarded(DIAMOND)).await;
    game.stop().await;
    game.start_again().unwrap();
    let mut raw = Raw::logged_in(&game).await;
    assert_eq!(raw.ask(&guarded(DIAMOND)).await, "");
    assert_eq!((game.storage(STORAGE), diamonds(&game)), (only("1b"), 1));

    game.join("New");
    raw.ask("give New diamond").await;
    raw.ask("op New").await;
    game.stop().await;
    game.go_back_to(&before);
    assert_eq!((game.storage(STORAGE), diamonds(&game), game.experience("Steve")), ("{}".to_owned(), 0, 0));
    assert!(game.inventory("New").is_empty() && !game.is_operator("New"));
    let record = game.record();
    assert_eq!((record.rewinds, record.console.len()), (vec![7], 7));
    game.start_again().unwrap();
    let mut raw = Raw::logged_in(&game).await;
    // Nobody has left or come because of it.
    assert_eq!(raw.ask("list").await, "There are 2 of a max of 20 players online: New, Steve");
    assert_eq!(raw.ask("scoreboard players add Steve votes 1").await, "Added 1 to [votes] for Steve (now 1)");
    assert_eq!(raw.ask(&guarded(DIAMOND)).await, "Gave 1 [Diamond] to Steve");
    let record = game.record();
    assert_eq!(record.took_effect("give Steve"), [DIAMOND, DIAMOND]);
    let after = record.console[record.rewinds[0]..].iter().flat_map(|executed| &executed.effects);
    assert_eq!(after.filter(|effect| effect.starts_with("give")).count(), 1);
}

#[tokio::test]
async fn a_crash_can_keep_the_storage_and_lose_the_players_and_the_other_way_round() {
    let game = game(Style::Modern);
    let mut raw = Raw::logged_in(&game).await;
    let before = game.save();
    raw.ask(&guarded(DIAMOND)).await;
    let after = game.save();
    game.go_back_to(&before.players_only());
    assert_eq!((game.storage(STORAGE), diamonds(&game)), (only("1b"), 0));
    game.go_back_to(&after);
    assert_eq!((game.storage(STORAGE), diamonds(&game)), (only("1b"), 1));
    game.go_back_to(&before.storage_only());
    assert_eq!((game.storage(STORAGE), diamonds(&game)), ("{}".to_owned(), 1));
    assert_eq!(game.record().rewinds, [1, 1, 1]);
}
