//! What is known of the game servers at the moment: which are paused or down, and what awards wait for there. Whoever
//! tells of that asks here, so that all of them say the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::contact::{Contacts, Down, Known};
use crate::config::GameServer;
use crate::domain::award::Award;
use crate::domain::pause::{Pause, Pauses};
use crate::domain::player::PlayerName;
use crate::domain::standing::Wait;
use crate::domain::vote::ServerRef;

/// What is known of the game servers. Clones know the same.
#[derive(Clone, Debug)]
pub struct Servers {
    state: Arc<Mutex<State>>,
    pub(super) contacts: Contacts,
}

#[derive(Debug)]
struct State {
    /// As the ledger keeps them.
    pauses: Pauses,
    /// Whether this run began with every game server paused.
    hold: bool,
    /// What was resumed since.
    resumed: BTreeSet<ServerRef>,
}

/// Why a game server is paused.
#[derive(Clone, Debug, PartialEq)]
pub enum Paused {
    /// Somebody paused it.
    By(Pause),
    /// This run began with every game server paused.
    Hold,
}

/// Why nothing is sent to a game server.
#[derive(Clone, Debug, PartialEq)]
pub enum Hindrance {
    /// It is paused.
    Paused(Paused),
    /// It cannot be used.
    Down(Down),
}

impl Servers {
    /// Nothing is known yet but the pauses that the ledger keeps; on `hold`, all other game servers are paused as well.
    pub fn new(pauses: Pauses, hold: bool) -> Self {
        let state = State { pauses, hold, resumed: BTreeSet::new() };
        Servers { state: Arc::new(Mutex::new(state)), contacts: Contacts::default() }
    }

    /// What its worker knows of a game server.
    pub fn known(&self, server: &GameServer) -> Known {
        self.contacts.at(&server.rcon).known().clone()
    }

    /// Why a game server is paused, if it is.
    pub fn paused(&self, server: &GameServer) -> Option<Paused> {
        let (state, known_by) = (self.state(), server.known_by());
        let on_hold = || state.hold && state.resumed.is_disjoint(&known_by);
        let by = state.pauses.of(&known_by).map(|pause| Paused::By(pause.clone()));
        by.or_else(|| on_hold().then_some(Paused::Hold))
    }

    /// Why nothing is sent to a game server, if nothing is.
    pub fn hindrance(&self, server: &GameServer) -> Option<Hindrance> {
        let down = || self.contacts.at(&server.rcon).known().down.clone().map(Hindrance::Down);
        self.paused(server).map(Hindrance::Paused).or_else(down)
    }

    /// What an award waits for that is planned, or whose receipt is to be read, on a game server.
    pub fn wait(&self, server: &GameServer, award: &Award, player: &PlayerName) -> Wait {
        let needs_player = !award.awaits_receipt() && award.next_step().is_some_and(|step| step.needs_player);
        match self.hindrance(server) {
            Some(Hindrance::Paused(_)) => Wait::Resumption,
            Some(Hindrance::Down(down)) => down.wait,
            None if needs_player && self.contacts.at(&server.rcon).is_away(player) => Wait::Player,
            None => Wait::Turn,
        }
    }

    /// Other pauses hold from now on, once the ledger knows them.
    pub(crate) fn set_pauses(&self, pauses: Pauses) {
        self.state().pauses = pauses;
    }

    /// The same, and a game server goes on.
    pub(crate) fn resume(&self, server: &GameServer, pauses: Pauses) {
        let mut state = self.state();
        state.pauses = pauses;
        state.resumed.extend(server.known_by());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
