//! A delivery that reached the webhook, as far as it is remembered: what it claimed to be about, and how it was answered.

use jiff::Timestamp;

use super::event::Delivery;

/// What a delivery says it is about, whoever has sent it: never more than an id and a name, each of a bounded length and
/// of harmless characters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// The event's id, if it can be one.
    pub event_id: Option<String>,
    /// The event's type, if it can be one.
    pub event_type: Option<String>,
}

/// A delivery that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// When it arrived.
    pub at: Timestamp,
    /// What it says it is about.
    pub claim: Claim,
    /// What it is, as the platform has signed it; or why it was not accepted, in words for the owner.
    pub accepted: Result<Delivery, String>,
    /// The status of the answer.
    pub status: u16,
}

impl Arrival {
    /// Whether it says that it is about the event with this id.
    pub fn is_about(&self, event_id: &str) -> bool {
        self.claim.event_id.as_deref() == Some(event_id)
    }

    /// Whether it is one that can be rewarded, or could if its type were.
    pub(super) fn is_meant(&self) -> bool {
        self.accepted.as_ref().is_ok_and(|delivery| !delivery.is_test)
    }
}

/// The deliveries that were refused in this run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refusals {
    /// How many.
    pub total: u64,
    /// The last one.
    pub last: Option<Arrival>,
}
