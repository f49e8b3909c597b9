//! What a worker knows of its game server, for whoever asks how things stand. Nothing is decided by it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::domain::player::PlayerName;
use crate::domain::standing::Wait;

/// The contacts to all game servers, by the address. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Contacts(Arc<Mutex<HashMap<String, Contact>>>);

impl Contacts {
    /// The contact to the game server at this address.
    pub(super) fn at(&self, address: &str) -> Contact {
        let mut contacts = lock(&self.0);
        match contacts.get(address) {
            Some(contact) => contact.clone(),
            None => contacts.entry(address.to_owned()).or_default().clone(),
        }
    }
}

/// No code that holds one of these locks can leave what it guards half changed.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The contact to the game server at one address. Clones are of the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    /// The keys of the players who are awaited there, and were not there when last looked for.
    away: Mutex<BTreeSet<String>>,
}

/// What is known of a game server.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// When it last answered, if it did in this run.
    pub answered: Option<Instant>,
    /// What keeps it from being used, if it cannot be and something is to be done there.
    pub down: Option<Down>,
    /// It was down when it was last needed; nothing has been to be done there since.
    pub was_down: bool,
    /// How many players its last list counted, and when; without a number where the list has none.
    pub online: Option<(Instant, Option<usize>)>,
    /// Whether it keeps receipts, where that was found out.
    pub keeps_receipts: Option<bool>,
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
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0.known)
    }

    /// Nothing is known any more.
    pub(super) fn forget(&self) {
        *self.known() = Known::default();
        lock(&self.0.away).clear();
    }

    /// It has answered. Gives whether it was down before that.
    pub(super) fn answers(&self) -> bool {
        let mut known = self.known();
        known.answered = Some(Instant::now());
        // Both are to be cleared.
        known.down.take().is_some() | std::mem::take(&mut known.was_down)
    }

    /// It cannot be used. Gives whether that is news: it could be until now, or the reason is another.
    pub(super) fn fails(&self, why: &str, wait: Wait) -> bool {
        let mut known = self.known();
        let before = known.down.take();
        let is_news = before.as_ref().is_none_or(|down| (down.why.as_str(), down.wait) != (why, wait));
        let since = before.map_or_else(Instant::now, |down| down.since);
        (known.down, known.was_down) = (Some(Down { why: why.to_owned(), wait, since }), false);
        is_news
    }

    /// Nothing is to be done there any more, so that nobody finds out when it is back. Gives whether it is down.
    pub(super) fn rests(&self) -> bool {
        let mut known = self.known();
        let is_down = known.down.take().is_some();
        known.was_down |= is_down;
        is_down
    }

    pub(super) fn set_away(&self, player: &str, away: bool) {
        let mut players = lock(&self.0.away);
        if away {
            players.insert(player.to_owned());
        } else {
            players.remove(player);
        }
    }

    /// Whether a player is awaited who was not there when last looked for.
    pub(super) fn is_away(&self, player: &PlayerName) -> bool {
        lock(&self.0.away).contains(&player.key())
    }
}

impl Known {
    /// Whether it could be used when it was last needed; `None` where it was not in this run.
    pub fn is_up(&self) -> Option<bool> {
        if self.down.is_some() || self.was_down { Some(false) } else { self.answered.map(|_| true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_nothing_waits_for_was_down_until_it_answers() {
        let contact = Contact::default();
        let stands = || {
            let known = contact.known();
            (known.is_up(), known.down.is_some(), known.was_down)
        };
        assert_eq!(stands(), (None, false, false));
        assert!(!contact.answers());
        assert_eq!(stands(), (Some(true), false, false));
        assert!(contact.fails("is away", Wait::Server));
        let since = contact.known().down.clone().unwrap().since;
        assert!(!contact.fails("is away", Wait::Server), "it is no news");
        assert!(contact.fails("refuses the password", Wait::Password));
        assert_eq!(contact.known().down.clone().unwrap().since, since);
        assert_eq!(stands(), (Some(false), true, false));
        assert!(contact.rests() && !contact.rests());
        assert_eq!(stands(), (Some(false), false, true));
        assert!(contact.fails("refuses the password", Wait::Password), "it was forgotten");
        assert!(contact.rests());
        assert!(contact.answers() && !contact.answers());
        assert_eq!(stands(), (Some(true), false, false));
    }
}
