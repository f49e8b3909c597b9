//! What a server has on its disk, and a world that goes back to it: after a crash, or because somebody restored a copy.

use super::world::World;

/// What a server has saved of its world at one moment, see [`super::Game::save`].
#[derive(Clone, Debug)]
pub struct Save {
    world: World,
    parts: Parts,
}

#[derive(Clone, Copy, Debug)]
enum Parts {
    All,
    Storage,
    Players,
}

impl Save {
    pub(super) fn of(world: &World) -> Save {
        Save { world: world.clone(), parts: Parts::All }
    }

    /// Data storage and scoreboard alone, which the game keeps in files of their own. A server saves them and its
    /// players at different moments, so that a crash can keep the one and lose the other.
    pub fn storage_only(&self) -> Save {
        Save { parts: Parts::Storage, ..self.clone() }
    }

    /// The players alone: what they own, their experience, effects and money.
    pub fn players_only(&self) -> Save {
        Save { parts: Parts::Players, ..self.clone() }
    }
}

impl World {
    /// What the save has is as it was then; who is online does not change.
    pub(super) fn go_back_to(&mut self, save: &Save) {
        let then = save.world.clone();
        if let Parts::All | Parts::Players = save.parts {
            let now = std::mem::replace(&mut self.players, then.players);
            for player in self.players.values_mut() {
                player.online = false;
            }
            for player in now.into_values().filter(|player| player.online) {
                self.join(&player.name).looks = player.looks;
            }
        }
        if let Parts::All | Parts::Storage = save.parts {
            self.storage = then.storage;
            self.objectives = then.objectives;
        }
        if let Parts::All = save.parts {
            self.operators = then.operators;
            self.whitelist = then.whitelist;
        }
    }
}
