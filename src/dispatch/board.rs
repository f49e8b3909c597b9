//! Where those who wait for a grant learn how it stands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::domain::event::EventKey;
use crate::domain::standing::Standing;

/// One entry for each event that somebody follows at the moment: all who follow it share one answer.
#[derive(Clone, Debug, Default)]
pub struct Board {
    entries: Arc<Mutex<HashMap<EventKey, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    standing: watch::Sender<Standing>,
    nudge: Arc<Notify>,
    followers: usize,
}

impl Board {
    /// Follows an event. The first to do so is told that it is the first: it has to set things going.
    pub fn follow(&self, event: &EventKey) -> (Follower, bool) {
        let mut entries = self.entries();
        let first = !entries.contains_key(event);
        let entry = entries.entry(event.clone()).or_insert_with(|| Entry {
            standing: watch::Sender::new(Standing::Working),
            nudge: Arc::default(),
            followers: 0,
        });
        entry.followers += 1;
        let follower = Follower {
            board: self.clone(),
            event: event.clone(),
            standing: entry.standing.subscribe(),
            nudge: Arc::clone(&entry.nudge),
        };
        (follower, first)
    }

    /// Tells those who follow the event how it stands.
    pub fn publish(&self, event: &EventKey, standing: Standing) {
        if let Some(entry) = self.entries().get(event) {
            entry.standing.send_replace(standing);
        }
    }

    /// Tells those who still wait that they wait in vain.
    pub fn give_up(&self, event: &EventKey) {
        if let Some(entry) = self.entries().get(event) {
            entry.change(&Standing::Working, Standing::Unrecorded);
        }
    }

    /// Whether anybody follows the event.
    pub fn is_followed(&self, event: &EventKey) -> bool {
        self.entries().contains_key(event)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<EventKey, Entry>> {
        // No code that holds the lock can leave the map half changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn change(&self, from: &Standing, to: Standing) {
        self.standing.send_if_modified(|standing| {
            let fits = standing == from;
            if fits {
                *standing = to;
            }
            fits
        });
    }
}

/// Follows one event; the event's entry goes with its last follower.
#[derive(Debug)]
pub struct Follower {
    board: Board,
    event: EventKey,
    standing: watch::Receiver<Standing>,
    nudge: Arc<Notify>,
}

impl Follower {
    /// How the event stands as soon as nothing is happening any more, or [`Standing::Working`] at the deadline.
    pub async fn outcome(&mut self, deadline: Instant) -> Standing {
        let known = self.standing.wait_for(|standing| *standing != Standing::Working);
        match timeout_at(deadline, known).await {
            Ok(Ok(standing)) => standing.clone(),
            Ok(Err(_)) | Err(_) => Standing::Working,
        }
    }

    /// Asks whoever waits for the API to come back to try now, so that this follower learns how it is today.
    pub fn nudge(&self) {
        if let Some(entry) = self.board.entries().get(&self.event) {
            entry.change(&Standing::ApiDown, Standing::Working);
        }
        self.nudge.notify_one();
    }

    /// Waits for a [`nudge`](Self::nudge).
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut entries = self.board.entries();
        if let Some(entry) = entries.get_mut(&self.event) {
            entry.followers -= 1;
            if entry.followers == 0 {
                entries.remove(&self.event);
            }
        }
    }
}
