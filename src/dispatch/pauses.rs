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

    /// Why the game server of this name, or with one of these ids, is paused, if it is.
    pub fn of(&self, server: &str, ids: &[u64]) -> Option<Paused> {
        let state = self.state();
        let by = state.paused.iter().find(|(name, pause)| is_meant(name, pause, server, ids));
        let by = by.map(|(_, pause)| Paused::By(pause.clone()));
        by.or_else(|| (state.hold && !state.resumed.contains(server)).then_some(Paused::Hold))
    }

    /// The names under which it was paused.
    pub(crate) fn names(&self, server: &str, ids: &[u64]) -> Vec<String> {
        let state = self.state();
        let meant = state.paused.iter().filter(|(name, pause)| is_meant(name, pause, server, ids));
        meant.map(|(name, _)| name.clone()).collect()
    }

    /// Pauses a game server, once the ledger knows it.
    pub(crate) fn pause(&self, server: &str, pause: Pause) {
        self.state().paused.insert(server.to_owned(), pause);
    }

    /// Lets a game server go on that was paused under these names, once the ledger knows it.
    pub(crate) fn resume(&self, server: &str, names: &[String]) {
        let mut state = self.state();
        state.paused.retain(|name, _| !names.contains(name));
        state.resumed.insert(server.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was paused under a name is the game server of this name, or with one of these ids.
fn is_meant(name: &str, pause: &Pause, server: &str, ids: &[u64]) -> bool {
    name == server || pause.ids.iter().any(|id| ids.contains(id))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn kept(ids: &[u64]) -> (BTreeMap<String, Pause>, Pause) {
        let pause = Pause { since: Timestamp::UNIX_EPOCH, uid: 7, ids: ids.to_vec() };
        (BTreeMap::from([("a".to_owned(), pause.clone())]), pause)
    }

    #[test]
    fn who_is_resumed_is_not_on_hold_any_more_and_can_be_paused_again() {
        let (kept, pause) = kept(&[]);
        let pauses = Pauses::new(kept.clone(), true);
        assert_eq!(pauses.of("a", &[]), Some(Paused::By(pause.clone())));
        assert_eq!(pauses.of("b", &[]), Some(Paused::Hold));
        pauses.resume("a", &pauses.names("a", &[]));
        pauses.resume("b", &[]);
        assert_eq!((pauses.of("a", &[]), pauses.of("b", &[])), (None, None));
        assert_eq!(pauses.of("c", &[]), Some(Paused::Hold));
        pauses.pause("b", pause.clone());
        assert_eq!(pauses.of("b", &[]), Some(Paused::By(pause)));
        assert_eq!(Pauses::new(kept, false).of("b", &[]), None);
    }

    #[test]
    fn who_has_an_id_of_the_paused_one_is_paused_under_whatever_name() {
        let (kept, pause) = kept(&[1, 2]);
        let pauses = Pauses::new(kept, false);
        assert_eq!(pauses.of("renamed", &[2, 3]), Some(Paused::By(pause)));
        assert_eq!(pauses.of("other", &[3]), None);
        pauses.resume("renamed", &pauses.names("renamed", &[2, 3]));
        assert_eq!(pauses.of("a", &[1]), None);
    }
}
