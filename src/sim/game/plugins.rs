//! What plug-ins make of a Paper server: LuckPerms, and EssentialsX in place of `give` and `list`.

use super::reader::{Reader, Refusal};
use super::world::{Style, World, item};

/// What a plug-in says.
type Said = Result<Vec<String>, Refusal>;

const NOT_FOUND: &str = "§cError: §4Player not found.";

/// Runs a command of a plug-in; `None` where no plug-in has it.
pub(super) fn run(world: &mut World, word: &str, reader: &mut Reader<'_>) -> Option<Said> {
    match (world.style, word) {
        // LuckPerms works asynchronously: its reply is empty, whatever becomes of the command.
        (Style::Paper | Style::Essentials, "lp" | "luckperms") => Some(reader.rest().map(|_| Vec::new())),
        (Style::Essentials, "give") => Some(give(world, reader)),
        (Style::Essentials, "list") => Some(Ok(list(world))),
        (Style::Essentials, "eco") => Some(eco(world, reader)),
        _ => None,
    }
}

/// EssentialsX takes the beginning of a name for the name where nobody is called exactly so.
fn find_online(world: &World, name: &str) -> Option<String> {
    let name = name.to_lowercase();
    if let Some(player) = world.players.get(&name) {
        return player.online.then_some(name);
    }
    let mut online = world.online().map(|player| player.name.to_lowercase());
    online.find(|key| key.starts_with(&name))
}

fn give(world: &mut World, reader: &mut Reader<'_>) -> Said {
    let (_, name) = reader.word()?;
    let (_, id) = reader.item_id()?;
    let count = reader.number(1, Some(1))?;
    let player = find_online(world, name).and_then(|key| world.players.get_mut(&key));
    let Some(player) = player else {
        return Err(Refusal::failed(NOT_FOUND));
    };
    let Some((id, _)) = item(id) else {
        return Err(Refusal::failed(format!("§cError: §4Unknown item name: {id}.")));
    };
    *player.inventory.entry(id.to_owned()).or_default() += count;
    let shown = match &player.looks.nickname {
        Some(nickname) => format!("~{nickname}"),
        None => player.name.clone(),
    };
    let words = id.replace('_', " ");
    Ok(vec![format!("§6Giving§c {count} §6of§c {words} §6to§c {shown}§6.")])
}

/// Works for everybody who has joined once, online or not.
fn eco(world: &mut World, reader: &mut Reader<'_>) -> Said {
    reader.keyword(&["give"])?;
    let (_, name) = reader.word()?;
    let amount = reader.number(1, None)?;
    let Some(player) = world.players.get_mut(&name.to_lowercase()) else {
        return Err(Refusal::failed(NOT_FOUND));
    };
    player.balance += amount;
    let text = format!("§a${amount} added to {}§a account. New balance: ${}", player.name, player.balance);
    Ok(vec![text])
}

/// The count, then a line for each group, with nicknames in place of names.
fn list(world: &World) -> Vec<String> {
    let count = world.online().count();
    let max = world.max_players;
    let mut lines = vec![format!("§6There are §c{count}§6 out of maximum §c{max}§6 players online.")];
    let mut groups: Vec<&str> = world.online().map(|player| player.looks.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let members = world.online().filter(|player| player.looks.group == group);
        let shown: Vec<String> = members
            .map(|player| {
                let afk = if player.looks.afk { "§7[AFK]§r" } else { "" };
                match &player.looks.nickname {
                    Some(nickname) => format!("{afk}§4~{nickname}§r"),
                    None => format!("{afk}§f{}§r", player.name),
                }
            })
            .collect();
        lines.push(format!("§6{group}§r: {}", shown.join(", ")));
    }
    lines
}
