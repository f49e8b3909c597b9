//! What a worker knows of its game server, for whoever asks how things stand. Nothing is decided by it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::domain::award::Award;
use crate::domain::player::PlayerName;
use crate::domain::standing::Wait;

/// The contact to the game server at one address. Clones are of the same one.
#[derive(Clone, Debug, Default)]
pub struct Contact(Arc<Mutex<Known>>);

/// What is known of a game server.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// When it last answered, if it did in this run.
    pub answered: Option<Instant>,
    /// What keeps it from being used, if it cannot be.
    pub down: Option<Down>,
    /// How many players its last list counted, and when; without a number where the list has none.
    pub online: Option<(Instant, Option<usize>)>,
    /// Whether it keeps receipts, where that was found out.
    pub keeps_receipts: Option<bool>,
    /// The keys of the players who are awaited there, and were not there when last looked for.
    away: BTreeSet<String>,
}

/// What keeps a game server from being used.
#[derive(Clone, Debug, PartialEq)]
pub struct Down {
    /// In words for the owner, that follow "the game server".
    pub why: String,
    /// What its rewards wait for.
    pub wait: Wait,
    /// Since when.
    pub since: Instant,
}

impl Contact {
    /// What is known. For a moment only: the worker waits for whoever holds it.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        // No code that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answered(&self) {
        let mut known = self.known();
        (known.answered, known.down) = (Some(Instant::now()), None);
    }

    pub(super) fn fails(&self, why: &str, wait: Wait) {
        let mut known = self.known();
        let since = known.down.as_ref().map_or_else(Instant::now, |down| down.since);
        known.down = Some(Down { why: why.to_owned(), wait, since });
    }

    pub(super) fn set_away(&self, player: &str, away: bool) {
        let mut known = self.known();
        if away {
            known.away.insert(player.to_owned());
        } else {
            known.away.remove(player);
        }
    }
}

impl Known {
    /// Whether a player is awaited who was not there when last looked for.
    pub fn is_away(&self, player: &PlayerName) -> bool {
        self.away.contains(&player.key())
    }

    /// What an award waits for that is planned, or whose receipt is to be read, on a game server that is not paused.
    pub fn awaited(&self, award: &Award, player: &PlayerName) -> Wait {
        let needs_player = !award.awaits_receipt() && award.next_step().is_some_and(|step| step.needs_player);
        match &self.down {
            Some(down) => down.wait,
            None if needs_player && self.is_away(player) => Wait::Player,
            None => Wait::Turn,
        }
    }
}
