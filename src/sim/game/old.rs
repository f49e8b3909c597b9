//! The commands of 1.12: another grammar and other words.

use super::reader::Refusal;
use super::world::{Player, World, effect, item};

/// What a command says when it worked: one message for each line that the game would print.
type Said = Result<Vec<String>, Refusal>;

const UNKNOWN: &str = "Unknown command. Try /help for a list of commands";

/// Runs a command as 1.12 does. Selectors other than `@a` and `@p` find nobody.
pub(super) fn run(world: &mut World, command: &str) -> Said {
    let words: Vec<&str> = command.split(' ').collect();
    match words[..] {
        ["give", whom, id, ref rest @ ..] => give(world, whom, id, rest),
        ["xp", amount, whom] => xp(world, amount, whom),
        ["effect", whom, id, ref rest @ ..] => add_effect(world, whom, id, rest),
        ["say", _, ..] => Ok(Vec::new()),
        ["tellraw", whom, _, ..] => players(world, whom).map(|_| Vec::new()),
        ["title", whom, "title" | "subtitle" | "actionbar", _, ..] => {
            players(world, whom).map(|_| vec!["Title command successfully executed".to_owned()])
        }
        ["list"] => Ok(world.list()),
        ["op", whom] => match world.players.get(&whom.to_lowercase()) {
            Some(player) => {
                world.operators.insert(player.name.clone());
                Ok(vec![format!("Opped {}", player.name)])
            }
            None => Err(Refusal::failed(format!("Could not op {whom}"))),
        },
        ["give", ..] => usage("/give <player> <item> [amount] [data] [dataTag]"),
        ["xp", ..] => usage("/xp <amount> [player] OR /xp <amount>L [player]"),
        ["effect", ..] => usage("/effect <player> <effect> [seconds] [amplifier] [hideParticles]"),
        ["execute", ..] => usage("/execute <entity> <x> <y> <z> <command>"),
        _ => Err(Refusal::failed(UNKNOWN)),
    }
}

fn usage(usage: &str) -> Said {
    Err(Refusal::failed(format!("Usage: {usage}")))
}

/// The keys of those whom `whom` means; an error where nobody is online.
fn players(world: &World, whom: &str) -> Result<Vec<String>, Refusal> {
    let online = world.online().map(|player| player.name.to_lowercase());
    let found: Vec<String> = match whom {
        "@a" => online.collect(),
        "@p" => online.take(1).collect(),
        name => online.filter(|key| *key == name.to_lowercase()).collect(),
    };
    match found.is_empty() {
        true => Err(Refusal::failed(format!("Player '{whom}' cannot be found"))),
        false => Ok(found),
    }
}

fn number(word: Option<&&str>, default: u64) -> Result<u64, Refusal> {
    word.map_or(Ok(default), |word| {
        word.parse().map_err(|_| Refusal::failed(format!("'{word}' is not a valid number")))
    })
}

/// Does `act` to each player and gives a message for each of them.
fn each(world: &mut World, keys: &[String], mut act: impl FnMut(&mut Player) -> String) -> Said {
    let mut messages = Vec::new();
    for key in keys {
        messages.extend(world.players.get_mut(key).map(&mut act));
    }
    Ok(messages)
}

fn give(world: &mut World, whom: &str, id: &str, rest: &[&str]) -> Said {
    let keys = players(world, whom)?;
    let (id, shown) =
        item(id).ok_or_else(|| Refusal::failed(format!("There is no such item with name {id}")))?;
    let count = number(rest.first(), 1)?;
    each(world, &keys, |player| {
        *player.inventory.entry(id.to_owned()).or_default() += count;
        format!("Given [{shown}] * {count} to {}", player.name)
    })
}

fn xp(world: &mut World, amount: &str, whom: &str) -> Said {
    let (amount, unit) = match amount.strip_suffix('L') {
        Some(levels) => (levels, "levels"),
        None => (amount, "experience"),
    };
    let amount = number(Some(&amount), 0)?;
    let keys = players(world, whom)?;
    each(world, &keys, |player| {
        player.experience += amount;
        format!("Given {amount} {unit} to {}", player.name)
    })
}

fn add_effect(world: &mut World, whom: &str, id: &str, rest: &[&str]) -> Said {
    // Effects are for any entity, so the text is another one than that of `give`.
    let keys =
        players(world, whom).map_err(|_| Refusal::failed(format!("Entity '{whom}' cannot be found")))?;
    let (id, shown, number_of_it) =
        effect(id).ok_or_else(|| Refusal::failed(format!("There is no such mob effect with ID {id}")))?;
    let seconds = number(rest.first(), 30)?;
    let amplifier = number(rest.get(1), 0)?;
    each(world, &keys, |player| {
        player.effects.insert(id.to_owned(), amplifier);
        let name = &player.name;
        format!("Given {shown} (ID {number_of_it}) * {amplifier} to {name} for {seconds} seconds")
    })
}
