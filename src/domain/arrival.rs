//! A delivery that reached the webhook, as far as it is remembered: what it claimed to be about, and how it was answered.

use jiff::Timestamp;

use super::event::{Delivery, LONGEST_ID, SERVER_VOTE, is_event_id};

/// What a delivery says it is about, whoever has sent it: never more than an id and a name, each of a bounded length and
/// of harmless characters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// The event's id, if it can be one.
    pub event_id: Option<String>,
    /// The event's type, if it can be one.
    pub event_type: Option<String>,
}

impl Claim {
    /// What is left of an id and a type.
    pub fn of(event_id: Option<&str>, event_type: Option<&str>) -> Self {
        let is_type = |text: &&str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
            (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(allowed)
        };
        Claim {
            event_id: event_id.filter(|id| is_event_id(id)).map(str::to_owned),
            event_type: event_type.filter(is_type).map(str::to_owned),
        }
    }
}

/// A delivery that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// When it arrived.
    pub at: Timestamp,
    /// What it says it is about.
    pub claim: Claim,
    /// What it is.
    pub kind: Kind,
    /// The status of the answer.
    pub status: u16,
}

/// What a delivery is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A vote that is rewarded.
    Vote,
    /// A test of the platform.
    Test,
    /// An event of a type that is not rewarded.
    Unrewarded,
    /// It was not accepted: why, in words for the owner.
    Refused(String),
}

impl Arrival {
    /// A delivery that the platform has signed.
    pub fn signed(delivery: &Delivery, at: Timestamp, status: u16) -> Self {
        let Delivery { key, is_test } = delivery;
        let kind = match key.event_type.as_str() {
            _ if *is_test => Kind::Test,
            SERVER_VOTE => Kind::Vote,
            _ if key.is_own() => Kind::Refused("The delivery has an event type of Votive's own.".to_owned()),
            _ => Kind::Unrewarded,
        };
        Arrival { at, claim: Claim::of(Some(&key.event_id), Some(&key.event_type)), kind, status }
    }

    /// Whether it says that it is about the event with this id.
    pub fn is_about(&self, event_id: &str) -> bool {
        self.claim.event_id.as_deref() == Some(event_id)
    }

    /// Why it was not accepted, if it was not.
    pub fn refused(&self) -> Option<&str> {
        match &self.kind {
            Kind::Refused(why) => Some(why),
            Kind::Vote | Kind::Test | Kind::Unrewarded => None,
        }
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
