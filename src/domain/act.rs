//! What an operator did about a grant: kept with it, so that nobody has to guess later.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The most acts that a grant keeps, besides its replays; the oldest go first.
const MOST_ACTS: usize = 100;

/// One act of an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// The user who asked for it, by number: who the system said is at the other end of the control socket.
    pub uid: u32,
    /// What was done.
    pub deed: Deed,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// This grant was asked for, which is a test vote or a replay.
    AskedFor,
    /// What was in doubt was settled.
    Settled {
        /// Of which reward.
        reward: String,
        /// The serial number of the step.
        serial: u32,
        /// Whether it ran.
        ran: bool,
    },
    /// What was refused or closed was tried again.
    Retried,
    /// What was still to come was cancelled.
    Cancelled,
    /// What was issued is issued again, as another grant.
    Replayed {
        /// The id of that one.
        event_id: String,
        /// The serial numbers of the steps that it sends again.
        serials: Vec<u32>,
    },
}

/// Adds an act to those of a grant.
pub(super) fn add(acts: &mut Vec<Act>, act: Act) {
    // How often it was replayed has to stay known: the next replay's id comes from that.
    let gone = acts.iter().position(|act| !matches!(act.deed, Deed::Replayed { .. }));
    if let Some(gone) = gone.filter(|_| acts.len() >= MOST_ACTS) {
        acts.remove(gone);
    }
    acts.push(act);
}
