//! What the commands of 1.13 and later do in a [`World`], and what they say. Only those that rewards are made of.

use super::execute::{self, Source};
use super::reader::{Reader, Refusal};
use super::world::{Player, Style, World, effect, item};
use super::{old, plain, plugins};

/// What became of a command that worked.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What it says: one message for each line that the game would print.
    messages: Vec<String>,
    /// What `execute store result` stores.
    result: i64,
    /// The commands that took effect, see [`super::Executed::effects`].
    effects: Vec<String>,
}

pub(super) type Said = Result<Done, Refusal>;

impl Done {
    pub(super) fn says(text: impl Into<String>, result: i64) -> Self {
        Done { messages: vec![text.into()], result, effects: Vec::new() }
    }

    fn silently() -> Self {
        Done { result: 1, ..Done::default() }
    }

    /// What became of it on behalf of somebody else.
    pub(super) fn add(&mut self, other: Done) {
        self.messages.extend(other.messages);
        self.effects.extend(other.effects);
    }
}

/// Runs one console command, and gives its reply as RCON returns it and the commands that took effect.
pub(super) fn run(world: &mut World, command: &str) -> (String, Vec<String>) {
    // The game takes a command with and without its slash.
    let command = command.strip_prefix('/').unwrap_or(command);
    let said = match world.style {
        Style::Old112 => old::run(world, command).map(|messages| Done {
            messages,
            effects: vec![command.to_owned()],
            ..Done::default()
        }),
        _ => dispatch(world, Reader::new(command), &Source::default()),
    };
    let (messages, effects) = match said {
        Ok(done) => (done.messages, done.effects),
        Err(Refusal::Syntax(messages)) => (messages, Vec::new()),
        Err(Refusal::Failed(text)) => (vec![text], Vec::new()),
    };
    (world.style.join(&messages), effects)
}

/// Runs the command that begins where the reader stands.
pub(super) fn dispatch(world: &mut World, mut reader: Reader<'_>, source: &Source) -> Said {
    let (start, word) = reader.word()?;
    let effect = plain(reader.from(start)).to_owned();
    if let Some(said) = plugins::run(world, word, &mut reader) {
        // To the game, a plug-in's command has worked once the plug-in was asked, whatever that says.
        let (messages, effects) = match said {
            Ok(messages) => (messages, vec![effect]),
            Err(Refusal::Syntax(messages)) => (messages, Vec::new()),
            Err(Refusal::Failed(text)) => (vec![text], Vec::new()),
        };
        return complete(world, source, Ok(Done { messages, result: 1, effects }));
    }
    let word = match word.strip_prefix("minecraft:") {
        Some(own) if world.style.takes_prefix() => own,
        _ => word,
    };
    if word == "execute" {
        return execute::run(world, reader, source);
    }
    let mut act = Act { world, reader, source };
    let said = match word {
        "give" => act.give(),
        "xp" | "experience" => act.xp(),
        "effect" => act.effect(),
        // `say` goes to the players and the log, not to who said it.
        "say" => act.reader.rest().map(|_| Done::silently()),
        "tellraw" => act.tellraw(),
        "title" => act.title(),
        "list" => act.list(),
        "data" => act.data(),
        "scoreboard" => act.scoreboard(),
        "op" => act.op(),
        "whitelist" => act.whitelist(),
        "longreply" => act.long_reply(),
        _ if start == 0 => Err(act.reader.unknown(0)),
        _ => Err(act.reader.wrong(start, "Incorrect argument for command")),
    };
    complete(world, source, said.map(|done| Done { effects: vec![effect], ..done }))
}

/// The end of a command: stores what became of it as its source wants it. Of one that does not parse, nothing became.
pub(super) fn complete(world: &mut World, source: &Source, said: Said) -> Said {
    match &said {
        Ok(done) => source.store(world, Some(done.result)),
        Err(Refusal::Failed(_)) => source.store(world, None),
        Err(Refusal::Syntax(_)) => (),
    }
    said
}

/// One command at work.
pub(super) struct Act<'a> {
    pub(super) world: &'a mut World,
    pub(super) reader: Reader<'a>,
    source: &'a Source,
}

impl Act<'_> {
    /// Does `act` to each player and gives how the reply names them, by name or as `3 players`, and how many they are.
    fn each(&mut self, keys: &[String], many: &str, mut act: impl FnMut(&mut Player)) -> (String, i64) {
        let mut name = String::new();
        for key in keys {
            if let Some(player) = self.world.players.get_mut(key) {
                act(player);
                name.clone_from(&player.name);
            }
        }
        let named = if keys.len() == 1 { name } else { format!("{} {many}", keys.len()) };
        (named, i64::try_from(keys.len()).unwrap_or(i64::MAX))
    }

    /// The keys of those whom the next argument means and who are online. Read the other arguments before asking
    /// whether there are any: nothing may run or fail that does not parse.
    fn target(&mut self) -> Result<Vec<String>, Refusal> {
        let target = self.reader.target()?;
        Ok(self.world.whom(&target, self.source.executor.as_deref()))
    }

    fn list(&mut self) -> Said {
        self.reader.done()?;
        let count = i64::try_from(self.world.online().count()).unwrap_or(i64::MAX);
        Ok(Done { messages: self.world.list(), result: count, effects: Vec::new() })
    }

    fn give(&mut self) -> Said {
        let keys = self.target()?;
        let (start, id) = self.reader.item_id()?;
        // One of them says nothing where it fails.
        let silent = self.world.style == Style::PlayersCounted;
        let Some((id, shown)) = item(id) else {
            let full = if id.contains(':') { id.to_owned() } else { format!("minecraft:{id}") };
            let wrong = self.reader.wrong(start, format!("Unknown item '{full}'"));
            return Err(if silent { Refusal::failed("") } else { wrong });
        };
        let count = self.reader.number(1, Some(1))?;
        self.reader.done()?;
        let style = self.world.style;
        if keys.is_empty() {
            return Err(match style {
                Style::PlayersCounted => Refusal::failed(""),
                Style::NoPlayersOnline => Refusal::failed(format!("Gave {count} * [{shown}] to 0")),
                _ => Refusal::failed("No player was found"),
            });
        }
        let (whom, number) = self.each(&keys, "players", |player| {
            *player.inventory.entry(id.to_owned()).or_default() += count;
        });
        let star = if style == Style::NoPlayersOnline { "* " } else { "" };
        Ok(Done::says(format!("Gave {count} {star}[{shown}] to {whom}"), number))
    }

    fn xp(&mut self) -> Said {
        self.reader.keyword(&["add"])?;
        let keys = self.target()?;
        let amount = self.reader.number(0, None)?;
        let unit = match self.reader.is_done() {
            true => "points",
            false => self.reader.keyword(&["points", "levels"])?,
        };
        self.reader.done()?;
        if keys.is_empty() {
            return Err(Refusal::failed("No player was found"));
        }
        // Levels are counted like points: nothing here asks for the difference.
        let (whom, number) = self.each(&keys, "players", |player| player.experience += amount);
        Ok(Done::says(format!("Gave {amount} experience {unit} to {whom}"), number))
    }

    fn effect(&mut self) -> Said {
        self.reader.keyword(&["give"])?;
        let keys = self.target()?;
        let (start, id) = self.reader.word()?;
        let Some((id, shown, _)) = effect(id) else {
            let text = format!("Can't find element '{id}' of type 'minecraft:mob_effect'");
            return Err(self.reader.wrong(start, text));
        };
        self.reader.number(1, Some(30))?;
        let amplifier = self.reader.number(0, Some(0))?;
        self.reader.done()?;
        // Effects are for any entity, so the text is another one than that of `give`.
        if keys.is_empty() {
            return Err(Refusal::failed("No entity was found"));
        }
        let mut applied = 0;
        let (whom, _) = self.each(&keys, "targets", |player| {
            let has = player.effects.get(id).copied();
            if has.is_none_or(|has| has <= amplifier) {
                player.effects.insert(id.to_owned(), amplifier);
                applied += 1;
            }
        });
        if applied == 0 {
            return Err(Refusal::failed(
                "Unable to apply this effect (target is either immune to effects, or has something stronger)",
            ));
        }
        Ok(Done::says(format!("Applied effect {shown} to {whom}"), applied))
    }

    fn tellraw(&mut self) -> Said {
        let keys = self.target()?;
        self.reader.rest()?;
        match keys.is_empty() {
            true => Err(Refusal::failed("No player was found")),
            false => Ok(Done::silently()),
        }
    }

    fn title(&mut self) -> Said {
        let keys = self.target()?;
        let part = self.reader.keyword(&["title", "subtitle", "actionbar"])?;
        self.reader.rest()?;
        if keys.is_empty() {
            return Err(Refusal::failed("No player was found"));
        }
        let part = if part == "actionbar" { "actionbar title" } else { part };
        let (whom, number) = self.each(&keys, "players", |_| ());
        Ok(Done::says(format!("Showing new {part} for {whom}"), number))
    }

    fn scoreboard(&mut self) -> Said {
        match self.reader.keyword(&["players", "objectives"])? {
            "objectives" => {
                self.reader.keyword(&["add"])?;
                let (_, name) = self.reader.word()?;
                self.reader.keyword(&["dummy"])?;
                if self.world.objectives.contains_key(name) {
                    return Err(Refusal::failed("An objective already exists by that name"));
                }
                self.world.objectives.insert(name.to_owned(), Default::default());
                Ok(Done::says(format!("Created new objective [{name}]"), 1))
            }
            _ => {
                self.reader.keyword(&["add"])?;
                // Score holders need not be players, nor online.
                let (_, holder) = self.reader.word()?;
                let (_, name) = self.reader.word()?;
                let amount = self.reader.number(0, None)?;
                self.reader.done()?;
                let Some(scores) = self.world.objectives.get_mut(name) else {
                    return Err(Refusal::failed(format!("Unknown scoreboard objective '{name}'")));
                };
                let score = scores.entry(holder.to_owned()).or_default();
                *score = score.saturating_add_unsigned(amount);
                Ok(Done::says(format!("Added {amount} to [{name}] for {holder} (now {score})"), *score))
            }
        }
    }

    /// Whoever has joined once has a profile here; the real game asks Mojang.
    fn profile(&mut self) -> Result<String, Refusal> {
        let (_, name) = self.reader.word()?;
        self.reader.done()?;
        (self.world.players.get(&name.to_lowercase()))
            .map(|player| player.name.clone())
            .ok_or_else(|| Refusal::failed("That player does not exist"))
    }

    fn op(&mut self) -> Said {
        let name = self.profile()?;
        match self.world.operators.insert(name.clone()) {
            true => Ok(Done::says(format!("Made {name} a server operator"), 1)),
            false => Err(Refusal::failed("Nothing changed. The player already is an operator")),
        }
    }

    fn whitelist(&mut self) -> Said {
        self.reader.keyword(&["add"])?;
        let name = self.profile()?;
        match self.world.whitelist.insert(name.clone()) {
            true => Ok(Done::says(format!("Added {name} to the whitelist"), 1)),
            false => Err(Refusal::failed("Player is already whitelisted")),
        }
    }

    /// `longreply N [C]`, known to no real game: says `N` characters `C` (`x` where none is given).
    fn long_reply(&mut self) -> Said {
        let length = self.reader.number(0, None)?;
        let character = if self.reader.is_done() { "x" } else { self.reader.rest()? };
        Ok(Done::says(character.repeat(usize::try_from(length).unwrap_or(usize::MAX)), 1))
    }
}
