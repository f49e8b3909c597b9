//! Which game servers are paused.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::vote::ServerRef;

/// What an operator has paused: nothing is sent there until somebody resumes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// The user who asked for it, by number.
    pub uid: u32,
    /// Its name in `rewards.yaml` and the platform's ids of it, as far as nobody has resumed them: with another name, it
    /// is still the one that was paused.
    pub of: BTreeSet<ServerRef>,
}

/// Every pause, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pauses(Vec<Pause>);

impl Pauses {
    /// Why the game server is paused that is known by these, if it is.
    pub fn of(&self, server: &BTreeSet<ServerRef>) -> Option<&Pause> {
        self.0.iter().find(|pause| !pause.of.is_disjoint(server))
    }

    /// Adds a pause. Gives `false` where there is one that holds for all of it.
    pub fn add(&mut self, pause: Pause) -> bool {
        let is_new = !self.0.iter().any(|other| pause.of.is_subset(&other.of));
        self.0.extend(is_new.then_some(pause));
        is_new
    }

    /// Lets the game server go on that is known by these, and no other. What is left of its pauses stays where something
    /// of it `is_configured`: else it was an earlier name of this game server.
    pub fn lift(&mut self, server: &BTreeSet<ServerRef>, is_configured: impl Fn(&ServerRef) -> bool) {
        for pause in self.0.iter_mut().filter(|pause| !pause.of.is_disjoint(server)) {
            pause.of.retain(|of| !server.contains(of));
            if !pause.of.iter().any(&is_configured) {
                pause.of.clear();
            }
        }
        self.0.retain(|pause| !pause.of.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The game server of this name, with these ids.
    fn server(name: &str, ids: &[u64]) -> BTreeSet<ServerRef> {
        let ids = ids.iter().map(|id| ServerRef::Id(*id));
        ids.chain([ServerRef::Name(name.to_owned())]).collect()
    }

    fn paused(servers: &[BTreeSet<ServerRef>]) -> Pauses {
        let mut pauses = Pauses::default();
        for of in servers {
            assert!(pauses.add(Pause { since: Timestamp::UNIX_EPOCH, uid: 7, of: of.clone() }));
        }
        pauses
    }

    /// Resumes one of the game servers that are configured.
    fn resume(pauses: &mut Pauses, configured: &[&BTreeSet<ServerRef>], which: usize) {
        pauses.lift(configured[which], |of| configured.iter().any(|server| server.contains(of)));
    }

    #[test]
    fn under_another_name_it_is_paused_until_that_one_is_resumed() {
        let mut pauses = paused(&[server("survival", &[1])]);
        let renamed = server("vanilla", &[1]);
        assert!(pauses.of(&renamed).is_some());
        resume(&mut pauses, &[&renamed], 0);
        assert_eq!(pauses, Pauses::default(), "nobody has the old name");
    }

    #[test]
    fn who_was_paused_as_one_is_resumed_one_by_one() {
        let mut pauses = paused(&[server("survival", &[1, 2])]);
        let (survival, creative) = (server("survival", &[1]), server("creative", &[2]));
        resume(&mut pauses, &[&survival, &creative], 1);
        assert!(pauses.of(&survival).is_some());
        assert!(pauses.of(&creative).is_none());
        resume(&mut pauses, &[&survival, &creative], 0);
        assert_eq!(pauses, Pauses::default());
    }

    #[test]
    fn a_pause_of_a_part_is_a_pause_of_its_own() {
        let (both, creative) = (server("survival", &[1, 2]), server("creative", &[2]));
        let mut pauses = paused(&[both.clone(), creative.clone()]);
        assert!(!pauses.add(Pause { since: Timestamp::MAX, uid: 7, of: creative.clone() }), "once is enough");
        resume(&mut pauses, &[&both], 0);
        assert!(pauses.of(&both).is_none(), "what is left concerns nobody");
        assert_eq!(pauses, Pauses::default());
    }

    #[test]
    fn a_new_server_with_the_name_of_one_that_is_paused_is_resumed_alone() {
        let mut pauses = paused(&[server("a", &[1])]);
        let (renamed, new) = (server("b", &[1]), server("a", &[9]));
        resume(&mut pauses, &[&renamed, &new], 1);
        assert!(pauses.of(&renamed).is_some());
        assert!(pauses.of(&new).is_none());
    }
}
