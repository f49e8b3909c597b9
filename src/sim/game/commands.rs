//! What the commands of 1.13 and later do in a [`World`], and what they say. Only those that rewards are made of.

use super::reader::{Reader, Refusal, Target};
use super::world::{Player, Style, World, effect, item};
use super::{old, plugins};

/// What a command says when it worked: one message for each line that the game would print.
pub(super) type Said = Result<Vec<String>, Refusal>;

fn say(text: impl Into<String>) -> Said {
    Ok(vec![text.into()])
}

/// Runs one console command and gives its reply as RCON returns it.
pub(super) fn run(world: &mut World, command: &str) -> String {
    // The game takes a command with and without its slash.
    let command = command.strip_prefix('/').unwrap_or(command);
    let said = match world.style {
        Style::Old112 => old::run(world, command),
        _ => dispatch(world, Reader::new(command), None),
    };
    let messages = match said {
        Ok(messages) | Err(Refusal::Syntax(messages)) => messages,
        Err(Refusal::Failed(text)) => vec![text],
    };
    world.style.join(&messages)
}

/// Runs the command that begins where the reader stands as `executor`, or as the console.
fn dispatch(world: &mut World, mut reader: Reader<'_>, executor: Option<&str>) -> Said {
    let (start, word) = reader.word()?;
    if let Some(said) = plugins::run(world, word, &mut reader) {
        return said;
    }
    let word = match word.strip_prefix("minecraft:") {
        Some(own) if world.style.takes_prefix() => own,
        _ => word,
    };
    let mut act = Act { world, reader, executor };
    match word {
        "give" => act.give(),
        "xp" | "experience" => act.xp(),
        "effect" => act.effect(),
        // `say` goes to the players and the log, not to who said it.
        "say" => act.reader.rest().map(|_| Vec::new()),
        "tellraw" => act.tellraw(),
        "title" => act.title(),
        "list" => act.reader.done().map(|()| act.world.list()),
        "execute" => act.execute(),
        "scoreboard" => act.scoreboard(),
        "op" => act.op(),
        "whitelist" => act.whitelist(),
        "longreply" => act.long_reply(),
        _ if start == 0 => Err(act.reader.unknown(0)),
        _ => Err(act.reader.wrong(start, "Incorrect argument for command")),
    }
}

/// What is left of an `execute`, for one executor.
fn fork(world: &mut World, reader: Reader<'_>, executor: Option<&str>) -> Said {
    let mut act = Act { world, reader, executor };
    act.execute()
}

/// One command at work.
struct Act<'a> {
    world: &'a mut World,
    reader: Reader<'a>,
    executor: Option<&'a str>,
}

impl Act<'_> {
    /// The keys of those whom `target` means and who are online.
    fn online(&self, target: &Target) -> Vec<String> {
        let mut online = self.world.online().map(|player| player.name.to_lowercase());
        match target {
            Target::All => online.collect(),
            Target::One => online.next().into_iter().collect(),
            Target::Name(name) => online.filter(|key| *key == name.to_lowercase()).collect(),
            Target::Executor => online.filter(|key| Some(key.as_str()) == self.executor).collect(),
        }
    }

    /// Does `act` to each player and gives how the reply names them: by name, or as `3 players`.
    fn each(&mut self, keys: &[String], many: &str, mut act: impl FnMut(&mut Player)) -> String {
        let mut name = String::new();
        for key in keys {
            if let Some(player) = self.world.players.get_mut(key) {
                act(player);
                name.clone_from(&player.name);
            }
        }
        if keys.len() == 1 { name } else { format!("{} {many}", keys.len()) }
    }

    fn give(&mut self) -> Said {
        let target = self.reader.target()?;
        let (start, id) = self.reader.item_id()?;
        let silent = self.world.style == Style::PlayersCounted;
        let Some((id, shown)) = item(id) else {
            let full = if id.contains(':') { id.to_owned() } else { format!("minecraft:{id}") };
            let wrong = self.reader.wrong(start, format!("Unknown item '{full}'"));
            return if silent { Ok(Vec::new()) } else { Err(wrong) };
        };
        let count = self.reader.number(1, Some(1))?;
        self.reader.done()?;
        let keys = self.online(&target);
        if keys.is_empty() && self.world.style != Style::NoPlayersOnline {
            return if silent { Ok(Vec::new()) } else { Err(Refusal::failed("No player was found")) };
        }
        let many = if keys.is_empty() { "" } else { "players" };
        let whom = self.each(&keys, many, |player| {
            *player.inventory.entry(id.to_owned()).or_default() += count;
        });
        match self.world.style {
            Style::NoPlayersOnline => say(format!("Gave {count} * [{shown}] to {}", whom.trim_end())),
            _ => say(format!("Gave {count} [{shown}] to {whom}")),
        }
    }

    fn xp(&mut self) -> Said {
        self.reader.keyword(&["add"])?;
        let target = self.reader.target()?;
        let amount = self.reader.number(0, None)?;
        let unit = match self.reader.is_done() {
            true => "points",
            false => self.reader.keyword(&["points", "levels"])?,
        };
        self.reader.done()?;
        let keys = self.online(&target);
        if keys.is_empty() {
            return Err(Refusal::failed("No player was found"));
        }
        // Levels are counted like points: nothing here asks for the difference.
        let whom = self.each(&keys, "players", |player| player.experience += amount);
        say(format!("Gave {amount} experience {unit} to {whom}"))
    }

    fn effect(&mut self) -> Said {
        self.reader.keyword(&["give"])?;
        let target = self.reader.target()?;
        let (start, id) = self.reader.word()?;
        let Some((id, shown, _)) = effect(id) else {
            let text = format!("Can't find element '{id}' of type 'minecraft:mob_effect'");
            return Err(self.reader.wrong(start, text));
        };
        self.reader.number(1, Some(30))?;
        let amplifier = self.reader.number(0, Some(0))?;
        self.reader.done()?;
        let keys = self.online(&target);
        // Effects are for any entity, so the text is another one than that of `give`.
        if keys.is_empty() {
            return Err(Refusal::failed("No entity was found"));
        }
        let mut applied = false;
        let whom = self.each(&keys, "targets", |player| {
            let has = player.effects.get(id).copied();
            if has.is_none_or(|has| has <= amplifier) {
                player.effects.insert(id.to_owned(), amplifier);
                applied = true;
            }
        });
        if !applied {
            return Err(Refusal::failed(
                "Unable to apply this effect (target is either immune to effects, or has something stronger)",
            ));
        }
        say(format!("Applied effect {shown} to {whom}"))
    }

    fn tellraw(&mut self) -> Said {
        let target = self.reader.target()?;
        self.reader.rest()?;
        match self.online(&target).is_empty() {
            true => Err(Refusal::failed("No player was found")),
            false => Ok(Vec::new()),
        }
    }

    fn title(&mut self) -> Said {
        let target = self.reader.target()?;
        let part = self.reader.keyword(&["title", "subtitle", "actionbar"])?;
        self.reader.rest()?;
        let keys = self.online(&target);
        if keys.is_empty() {
            return Err(Refusal::failed("No player was found"));
        }
        let part = if part == "actionbar" { "actionbar title" } else { part };
        let whom = self.each(&keys, "players", |_| ());
        say(format!("Showing new {part} for {whom}"))
    }

    /// `execute if|unless entity NAME`, `execute as NAME run …`, and chains of them.
    fn execute(&mut self) -> Said {
        let word = self.reader.keyword(&["if", "unless", "as", "run"])?;
        if word == "run" {
            return dispatch(self.world, self.reader.clone(), self.executor);
        }
        if word != "as" {
            self.reader.keyword(&["entity"])?;
        }
        let target = self.reader.target()?;
        let keys = self.online(&target);
        let executors: Vec<Option<&str>> = match word {
            "as" => keys.iter().map(|key| Some(key.as_str())).collect(),
            // A test that passes goes on as whoever asked.
            _ if (word == "if") != keys.is_empty() => vec![self.executor],
            _ => Vec::new(),
        };
        if word != "as" && self.reader.is_done() {
            return match (word, executors.is_empty()) {
                (_, true) => Err(Refusal::failed("Test failed")),
                ("if", _) => say(format!("Test passed, count: {}", keys.len())),
                _ => say("Test passed"),
            };
        }
        if executors.is_empty() {
            // Nothing runs, but the whole command has been parsed by then.
            let said = fork(&mut self.world.clone(), self.reader.clone(), None);
            return if let Err(Refusal::Syntax(_)) = said { said } else { Ok(Vec::new()) };
        }
        let mut said = Vec::new();
        for executor in executors {
            match fork(self.world, self.reader.clone(), executor) {
                Ok(messages) => said.extend(messages),
                // Errors of a command that was forked are swallowed.
                Err(Refusal::Failed(_)) => (),
                syntax => return syntax,
            }
        }
        Ok(said)
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
                say(format!("Created new objective [{name}]"))
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
                say(format!("Added {amount} to [{name}] for {holder} (now {score})"))
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
            true => say(format!("Made {name} a server operator")),
            false => Err(Refusal::failed("Nothing changed. The player already is an operator")),
        }
    }

    fn whitelist(&mut self) -> Said {
        self.reader.keyword(&["add"])?;
        let name = self.profile()?;
        match self.world.whitelist.insert(name.clone()) {
            true => say(format!("Added {name} to the whitelist")),
            false => Err(Refusal::failed("Player is already whitelisted")),
        }
    }

    /// `longreply N [C]`, known to no real game: says `N` characters `C` (`x` where none is given).
    fn long_reply(&mut self) -> Said {
        let length = self.reader.number(0, None)?;
        let character = if self.reader.is_done() { "x" } else { self.reader.rest()? };
        say(character.repeat(usize::try_from(length).unwrap_or(usize::MAX)))
    }
}
