//! What the simulated game server says in each of its dialects, as `contract/rcon.md` has it.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod raw;

use raw::Raw;
use votive::sim::game::{Game, GameOptions, Looks, Style};

/// A game of that style with Steve and Alex in it; Ann has been there and is offline.
fn game(style: Style) -> Game {
    let game = Game::start(GameOptions { style, ..GameOptions::default() }).unwrap();
    for name in ["Steve", "Alex", "Ann"] {
        game.join(name);
    }
    game.leave("Ann");
    game
}

/// Sends each command in turn to one game and compares what it says.
async fn converse(game: &Game, lines: &[(&str, &str)]) {
    let mut raw = Raw::logged_in(game).await;
    for (command, reply) in lines {
        assert_eq!(raw.ask(command).await, *reply, "{command}");
    }
}

const UNKNOWN: &str = "Unknown or incomplete command, see below for error";

#[tokio::test]
async fn vanilla() {
    let game = game(Style::Modern);
    converse(
        &game,
        &[
            ("list", "There are 2 of a max of 20 players online: Alex, Steve"),
            ("give Steve minecraft:diamond 5", "Gave 5 [Diamond] to Steve"),
            ("give sTEVE diamond", "Gave 1 [Diamond] to Steve"),
            ("/give Steve diamond", "Gave 1 [Diamond] to Steve"),
            ("give Ann diamond", "No player was found"),
            ("give Nobody diamond", "No player was found"),
            ("give Ste diamond", "No player was found"),
            ("give @a apple 2", "Gave 2 [Apple] to 2 players"),
            ("give @p apple", "Gave 1 [Apple] to Alex"),
            ("give @s apple", "No player was found"),
            (r#"give Steve diamond_sword[custom_name='"a b"',x={y:1}] 2"#, "Gave 2 [Diamond Sword] to Steve"),
            ("xp add Steve 10", "Gave 10 experience points to Steve"),
            ("experience add Steve 2 levels", "Gave 2 experience levels to Steve"),
            ("xp add Ann 10", "No player was found"),
            ("effect give Steve minecraft:speed 30 1", "Applied effect Speed to Steve"),
            (
                "effect give Steve speed",
                "Unable to apply this effect (target is either immune to effects, or has something stronger)",
            ),
            ("effect give Ann speed", "No entity was found"),
            ("say hello to everybody", ""),
            ("tellraw Steve {\"text\":\"a b\"}", ""),
            ("tellraw Ann \"x\"", "No player was found"),
            ("title Steve title \"x\"", "Showing new title for Steve"),
            ("title Ann title \"x\"", "No player was found"),
            ("execute if entity Steve", "Test passed, count: 1"),
            ("execute if entity Ann", "Test failed"),
            ("execute if entity Steve run give Steve bread", "Gave 1 [Bread] to Steve"),
            ("execute unless entity Steve run give Steve bread", ""),
            ("execute as Steve run give @s bread", "Gave 1 [Bread] to Steve"),
            ("execute as Ann run give Steve bread", ""),
            ("execute as Steve run give Ann bread", ""),
            ("scoreboard players add Ann votes 1", "Unknown scoreboard objective 'votes'"),
            ("scoreboard objectives add votes dummy", "Created new objective [votes]"),
            ("scoreboard players add Ann votes 1", "Added 1 to [votes] for Ann (now 1)"),
            ("scoreboard players add Ann votes 2", "Added 2 to [votes] for Ann (now 3)"),
            ("whitelist add Ann", "Added Ann to the whitelist"),
            ("whitelist add ann", "Player is already whitelisted"),
            ("op Nobody", "That player does not exist"),
        ],
    )
    .await;
    let steve = game.inventory("STEVE");
    assert_eq!((steve["diamond"], steve["apple"], steve["bread"], steve["diamond_sword"]), (7, 2, 2, 2));
    assert_eq!((game.inventory("Alex")["apple"], game.experience("Steve")), (3, 12));
    assert!(game.inventory("Ann").is_empty());
}

#[tokio::test]
async fn vanilla_names_the_place_of_an_error() {
    let game = game(Style::Modern);
    for (command, text, context) in [
        ("foo bar", UNKNOWN, "foo bar"),
        ("minecraft:give Steve diamond", UNKNOWN, "minecraft:give Steve diamond"),
        ("lp user Steve parent add vip", UNKNOWN, "lp user Steve parent add vip"),
        ("", UNKNOWN, ""),
        ("give", UNKNOWN, "give"),
        ("give Steve", UNKNOWN, "give Steve"),
        ("give Steve diamnd 5", "Unknown item 'minecraft:diamnd'", "...ive Steve diamnd 5"),
        ("give Steve minecraft:diamnd", "Unknown item 'minecraft:diamnd'", "...ive Steve minecraft:diamnd"),
        ("give Steve diamond x", "Expected integer", "...e diamond x"),
        ("give Steve diamond 0", "Integer must not be less than 1: found 0", "...e diamond 0"),
        ("give Steve diamond 1 x", "Incorrect argument for command", "...diamond 1 x"),
        ("give 12345678901234567 diamond", "Invalid name or UUID", "give 12345678901234567 diamond"),
        ("give Стив diamond", "Invalid name or UUID", "give Стив diamond"),
        (
            "give Steve; op x",
            "Expected whitespace to end one argument, but found trailing data",
            "give Steve; op x",
        ),
        ("execute as Ann run give Steve diamnd", "Unknown item 'minecraft:diamnd'", "...ive Steve diamnd"),
        ("execute as Steve run foo", "Incorrect argument for command", "...Steve run foo"),
        ("execute as Steve run give Steve diamnd", "Unknown item 'minecraft:diamnd'", "...ive Steve diamnd"),
        (
            "effect give Steve spede",
            "Can't find element 'spede' of type 'minecraft:mob_effect'",
            "...ive Steve spede",
        ),
    ] {
        let reply = Raw::logged_in(&game).await.ask(command).await;
        assert_eq!(reply, format!("{text}{context}<--[HERE]"), "{command}");
    }
    assert!(game.inventory("Steve").is_empty() && !game.is_operator("x"));
}

#[tokio::test]
async fn version_1_12() {
    let game = game(Style::Old112);
    converse(
        &game,
        &[
            ("list", "There are 2/20 players online:Alex, Steve"),
            ("give Steve minecraft:diamond 5", "Given [Diamond] * 5 to Steve"),
            ("give @a diamond", "Given [Diamond] * 1 to AlexGiven [Diamond] * 1 to Steve"),
            ("give Ann diamond", "Player 'Ann' cannot be found"),
            ("give Steve diamnd", "There is no such item with name diamnd"),
            ("xp 10 Steve", "Given 10 experience to Steve"),
            ("xp 2L Steve", "Given 2 levels to Steve"),
            ("effect Steve speed 30", "Given Speed (ID 1) * 0 to Steve for 30 seconds"),
            ("effect Ann speed", "Entity 'Ann' cannot be found"),
            ("say hi", ""),
            ("title Steve title \"x\"", "Title command successfully executed"),
            ("execute if entity Steve", "Usage: /execute <entity> <x> <y> <z> <command>"),
            ("foo", "Unknown command. Try /help for a list of commands"),
            ("minecraft:give Steve diamond", "Unknown command. Try /help for a list of commands"),
        ],
    )
    .await;
    assert_eq!((game.inventory("Steve")["diamond"], game.experience("Steve")), (6, 12));
}

#[tokio::test]
async fn paper() {
    let game = game(Style::Paper);
    let unknown = format!("{UNKNOWN}\nfoo<--[HERE]\n");
    converse(
        &game,
        &[
            ("minecraft:give Steve diamond", "Gave 1 [Diamond] to Steve\n"),
            ("minecraft:list", "There are 2 of a max of 20 players online: Alex, Steve\n"),
            ("lp user Ann parent add vip", ""),
            ("say hi", ""),
            ("foo", unknown.as_str()),
        ],
    )
    .await;
}

#[tokio::test]
async fn essentials() {
    let game = game(Style::Essentials);
    game.join_as("Boss", Looks { group: "admin".to_owned(), nickname: Some("Chef".to_owned()), afk: true });
    converse(
        &game,
        &[
            (
                "list",
                "§6There are §c3§6 out of maximum §c20§6 players online.\n§6admin§r: §7[AFK]§r§4~Chef§r\n§6default§r: §fAlex§r, §fSteve§r\n",
            ),
            ("minecraft:list", "There are 3 of a max of 20 players online: Alex, Boss, Steve\n"),
            ("give Steve diamond 5", "§6Giving§c 5 §6of§c diamond §6to§c Steve§6.\n"),
            ("give Boss golden_apple", "§6Giving§c 1 §6of§c golden apple §6to§c ~Chef§6.\n"),
            ("give Ann diamond", "§cError: §4Player not found.\n"),
            ("give Nobody diamond", "§cError: §4Player not found.\n"),
            // The trap of this plug-in: the beginning of a name will do.
            ("give Ste diamond", "§6Giving§c 1 §6of§c diamond §6to§c Steve§6.\n"),
            ("minecraft:give Ste diamond", "No player was found\n"),
            ("eco give Ann 100", "§a$100 added to Ann§a account. New balance: $100\n"),
            ("eco give Nobody 100", "§cError: §4Player not found.\n"),
        ],
    )
    .await;
    assert_eq!(game.inventory("Steve")["diamond"], 6);
}

#[tokio::test]
async fn servers_that_are_not_vanilla() {
    let game = game(Style::NoPlayersOnline);
    converse(
        &game,
        &[
            ("list", "There are 2 of a max of 20 players online: Alex, Steve"),
            ("give Steve diamond", "Gave 1 * [Diamond] to Steve"),
            ("give Ann diamond", "Gave 1 * [Diamond] to 0"),
        ],
    )
    .await;
    game.leave("Steve");
    game.leave("Alex");
    converse(&game, &[("list", "There are no players online.")]).await;

    let game = self::game(Style::PlayersCounted);
    converse(
        &game,
        &[
            ("list", "Players (2): Alex, Steve"),
            ("give Ann diamond", ""),
            ("give Steve diamnd", ""),
            ("give Steve diamond", "Gave 1 [Diamond] to Steve"),
        ],
    )
    .await;
}
