//! Which game servers the operator has paused: nothing is sent to these.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::act::Pause;

/// What is paused at the moment. Clones say the same.
#[derive(Clone, Debug)]
pub struct Pauses(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Those that the ledger keeps, by the game server's name.
    paused: BTreeMap<String, Pause>,
    /// Whether this run began with every game server paused.
    hold: bool,
    /// Those that were resumed since.
    resumed: BTreeSet<String>,
}

/// Why a game server is paused.
#[derive(Clone, Debug, PartialEq)]
pub enum Paused {
    /// Somebody paused it.
    By(Pause),
    /// This run began with every game server paused.
    Hold,
}

impl Pauses {
    /// With those that the ledger keeps, and on `hold` with all others as well.
    pub fn new(paused: BTreeMap<String, Pause>, hold: bool) -> Self {
        Pauses(Arc::new(Mutex::new(State { paused, hold, resumed: BTreeSet::new() })))
    }

    /// Why the game server of this name is paused, if it is.
    pub fn of(&self, server: &str) -> Option<Paused> {
        let state = self.state();
        let by = state.paused.get(server).cloned().map(Paused::By);
        by.or_else(|| (state.hold && !state.resumed.contains(server)).then_some(Paused::Hold))
    }

    /// Pauses a game server, once the ledger knows it.
    pub(crate) fn pause(&self, server: &str, pause: Pause) {
        self.state().paused.insert(server.to_owned(), pause);
    }

    /// Lets a game server go on, once the ledger knows it. Nobody sees it go on before `first` is done.
    pub(crate) fn resume(&self, server: &str, first: impl FnOnce()) {
        let mut state = self.state();
        state.paused.remove(server);
        state.resumed.insert(server.to_owned());
        first();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn who_is_resumed_is_not_on_hold_any_more_and_can_be_paused_again() {
        let pause = Pause { since: Timestamp::UNIX_EPOCH, uid: 7 };
        let kept = BTreeMap::from([("a".to_owned(), pause.clone())]);
        let pauses = Pauses::new(kept.clone(), true);
        assert_eq!(pauses.of("a"), Some(Paused::By(pause.clone())));
        assert_eq!(pauses.of("b"), Some(Paused::Hold));
        pauses.resume("a", || {});
        pauses.resume("b", || {});
        assert_eq!((pauses.of("a"), pauses.of("b"), pauses.of("c")), (None, None, Some(Paused::Hold)));
        pauses.pause("b", pause.clone());
        assert_eq!(pauses.of("b"), Some(Paused::By(pause)));
        assert_eq!(Pauses::new(kept, false).of("b"), None);
    }
}
