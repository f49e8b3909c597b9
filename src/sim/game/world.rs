//! The world of a simulated game server: its players, what they own, and its dialect. Pure; `commands` acts on it.

use std::collections::{BTreeMap, BTreeSet};

use super::path::Path;
use super::reader::{Refusal, Target};
use super::snbt::{EMPTY, Value};

/// Which server software the simulated one speaks like. The texts are those of `contract/rcon.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Vanilla 1.15 and later. No plug-ins, and `minecraft:give` is not a command.
    #[default]
    Modern,
    /// Vanilla 1.12.
    Old112,
    /// Paper with LuckPerms: takes `minecraft:give`, ends every message with a line break.
    Paper,
    /// Paper with LuckPerms and EssentialsX, which replaces `give` and `list`; `minecraft:give` is vanilla's.
    Essentials,
    /// Not vanilla: `There are no players online.`, and giving to nobody is `Gave 1 * [Diamond] to 0`.
    NoPlayersOnline,
    /// Not vanilla: `Players (1): Steve`, and silence where `give` fails. (What it says on success is not on record;
    /// vanilla's text stands in.)
    PlayersCounted,
}

impl Style {
    /// Whether `minecraft:` before a command reaches vanilla's own one.
    pub(super) fn takes_prefix(self) -> bool {
        matches!(self, Style::Paper | Style::Essentials)
    }

    /// Whether commands can write into data storage.
    pub(super) fn has_storage(self) -> bool {
        matches!(self, Style::Modern | Style::Paper | Style::Essentials)
    }

    /// How the messages of one command become one reply: vanilla puts them side by side, CraftBukkit ends each with
    /// a line break.
    pub(super) fn join(self, messages: &[String]) -> String {
        match self {
            Style::Paper | Style::Essentials => {
                messages.iter().map(|message| format!("{message}\n")).collect()
            }
            _ => messages.concat(),
        }
    }
}

/// How EssentialsX shows a player in `list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// The permission group whose line the player stands in.
    pub group: String,
    /// Shown in place of the name, behind a `~`.
    pub nickname: Option<String>,
    /// Marked as away from the keyboard.
    pub afk: bool,
}

impl Default for Looks {
    fn default() -> Self {
        Looks { group: "default".to_owned(), nickname: None, afk: false }
    }
}

/// Somebody who has joined at least once.
#[derive(Clone, Debug)]
pub(super) struct Player {
    /// As the player writes it.
    pub(super) name: String,
    pub(super) online: bool,
    pub(super) looks: Looks,
    /// Items by their id without `minecraft:`.
    pub(super) inventory: BTreeMap<String, u64>,
    pub(super) experience: u64,
    /// The amplifier of each effect.
    pub(super) effects: BTreeMap<String, u64>,
    /// EssentialsX's money.
    pub(super) balance: u64,
}

/// Everything that a restart of the server keeps.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) style: Style,
    pub(super) max_players: u32,
    /// By lower-cased name: servers match names without regard to case.
    pub(super) players: BTreeMap<String, Player>,
    /// Scores by objective, then by the name that was written in the command.
    pub(super) objectives: BTreeMap<String, BTreeMap<String, i64>>,
    pub(super) operators: BTreeSet<String>,
    pub(super) whitelist: BTreeSet<String>,
    /// What commands have stored, by namespaced id. Each is a compound.
    pub(super) storage: BTreeMap<String, Value>,
}

impl World {
    pub(super) fn new(style: Style, max_players: u32) -> Self {
        World {
            style,
            max_players,
            players: BTreeMap::new(),
            objectives: BTreeMap::new(),
            operators: BTreeSet::new(),
            whitelist: BTreeSet::new(),
            storage: BTreeMap::new(),
        }
    }

    pub(super) fn join(&mut self, name: &str) -> &mut Player {
        let player = self.players.entry(name.to_lowercase()).or_insert_with(|| Player {
            name: name.to_owned(),
            online: false,
            looks: Looks::default(),
            inventory: BTreeMap::new(),
            experience: 0,
            effects: BTreeMap::new(),
            balance: 0,
        });
        player.online = true;
        player
    }

    pub(super) fn leave(&mut self, name: &str) {
        if let Some(player) = self.players.get_mut(&name.to_lowercase()) {
            player.online = false;
        }
    }

    /// Those who are in the game, in the order of their names.
    pub(super) fn online(&self) -> impl Iterator<Item = &Player> {
        self.players.values().filter(|player| player.online)
    }

    /// The keys of those whom `target` means and who are online. `executor` is the key of `@s`.
    pub(super) fn whom(&self, target: &Target, executor: Option<&str>) -> Vec<String> {
        let mut online = self.online().map(|player| player.name.to_lowercase());
        match target {
            Target::All => online.collect(),
            Target::One => online.next().into_iter().collect(),
            Target::Name(name) => online.filter(|key| *key == name.to_lowercase()).collect(),
            Target::Executor => online.filter(|key| Some(key.as_str()) == executor).collect(),
        }
    }

    /// What the storage of that name holds.
    pub(super) fn stored(&self, id: &str) -> &Value {
        self.storage.get(id).unwrap_or(&EMPTY)
    }

    /// Stores a value, and gives whether that changed anything.
    pub(super) fn store(&mut self, id: &str, path: &Path, value: Value) -> Result<bool, Refusal> {
        path.set(self.storage.entry(id.to_owned()).or_insert_with(|| EMPTY.clone()), value)
    }

    /// What `list` says.
    pub(super) fn list(&self) -> Vec<String> {
        let names: Vec<&str> = self.online().map(|player| player.name.as_str()).collect();
        let (count, max, joined) = (names.len(), self.max_players, names.join(", "));
        match self.style {
            Style::Old112 => vec![format!("There are {count}/{max} players online:"), joined],
            Style::NoPlayersOnline if count == 0 => vec!["There are no players online.".to_owned()],
            Style::PlayersCounted => vec![format!("Players ({count}): {joined}")],
            _ => vec![format!("There are {count} of a max of {max} players online: {joined}")],
        }
    }
}

/// Items by id, with the name that replies show. A small part of the game's own list.
const ITEMS: [(&str, &str); 12] = [
    ("apple", "Apple"),
    ("bread", "Bread"),
    ("cobblestone", "Cobblestone"),
    ("cookie", "Cookie"),
    ("diamond", "Diamond"),
    ("diamond_sword", "Diamond Sword"),
    ("emerald", "Emerald"),
    ("experience_bottle", "Bottle o' Enchanting"),
    ("gold_ingot", "Gold Ingot"),
    ("golden_apple", "Golden Apple"),
    ("iron_ingot", "Iron Ingot"),
    ("netherite_ingot", "Netherite Ingot"),
];

/// Effects by id, with the name that replies show and the number that 1.12 adds.
const EFFECTS: [(&str, &str, u32); 5] = [
    ("speed", "Speed", 1),
    ("haste", "Haste", 3),
    ("strength", "Strength", 5),
    ("regeneration", "Regeneration", 10),
    ("luck", "Luck", 26),
];

/// The id without `minecraft:` and the shown name of an item that exists.
pub(super) fn item(id: &str) -> Option<(&'static str, &'static str)> {
    let id = id.strip_prefix("minecraft:").unwrap_or(id);
    ITEMS.into_iter().find(|(known, _)| *known == id)
}

/// The id without `minecraft:`, the shown name and the number of an effect that exists.
pub(super) fn effect(id: &str) -> Option<(&'static str, &'static str, u32)> {
    let id = id.strip_prefix("minecraft:").unwrap_or(id);
    EFFECTS.into_iter().find(|(known, ..)| *known == id)
}
