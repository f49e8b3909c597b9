//! The bytes of the ledger: versioned JSON of ours, so that no library's encoding is part of the format.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::counter::{Counter, CounterKey};
use crate::domain::event::EventKey;
use crate::domain::grant::Grant;
use crate::domain::pause::Pauses;

/// The version that this program writes, and the only one that it reads.
pub(super) const VERSION: u32 = 1;

/// A grant as it was read, with the revision that a later write has to name.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The grant.
    pub grant: Grant,
    /// How often it was written.
    pub revision: Revision,
}

/// A counter as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterRecord {
    /// Whose it is, and of which votes.
    pub key: CounterKey,
    /// What was counted.
    pub counter: Counter,
    /// How often it was written, before it was read.
    pub revision: Revision,
}

/// How often a record was written; [`Revision::NONE`] for one that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision(u64);

impl Revision {
    /// The revision of a record that does not exist yet.
    pub const NONE: Revision = Revision(0);

    /// Its number, which each write raises by one.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<G> {
    v: u32,
    revision: Revision,
    grant: G,
}

#[derive(Serialize, Deserialize)]
struct StoredCounter<K, C> {
    v: u32,
    revision: Revision,
    key: K,
    counter: C,
}

/// Why bytes of the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A later program wrote them.
    #[error(
        "it was written by a newer Votive (format {0}, this program knows format {VERSION}); install that version again"
    )]
    Newer(u32),
    /// Nobody knows what they are.
    #[error("a record is not what Votive wrote: {0}")]
    Garbled(#[from] serde_json::Error),
}

impl From<Unreadable> for redb::Error {
    fn from(why: Unreadable) -> Self {
        redb::Error::Corrupted(why.to_string())
    }
}

/// The bytes of a grant.
pub(super) fn encode(grant: &Grant, revision: Revision) -> Result<Vec<u8>, Unreadable> {
    Ok(serde_json::to_vec(&Stored { v: VERSION, revision, grant })?)
}

/// The grant in these bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, Unreadable> {
    let stored: Stored<&RawValue> = serde_json::from_slice(bytes)?;
    check_version(stored.v)?;
    Ok(Record { grant: serde_json::from_str(stored.grant.get())?, revision: stored.revision })
}

/// The bytes of a counter, with the revision after the one that it was read with.
pub(super) fn encode_counter(record: &CounterRecord) -> Result<Vec<u8>, Unreadable> {
    let CounterRecord { key, counter, revision } = record;
    Ok(serde_json::to_vec(&StoredCounter { v: VERSION, revision: revision.next(), key, counter })?)
}

/// The counter in these bytes.
pub(super) fn decode_counter(bytes: &[u8]) -> Result<CounterRecord, Unreadable> {
    let stored: StoredCounter<&RawValue, &RawValue> = serde_json::from_slice(bytes)?;
    check_version(stored.v)?;
    let (key, counter) =
        (serde_json::from_str(stored.key.get())?, serde_json::from_str(stored.counter.get())?);
    Ok(CounterRecord { key, counter, revision: stored.revision })
}

/// What a line of a backup holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Saved {
    /// A vote and what became of it.
    Vote(Box<Record>),
    /// How often a player has voted.
    Counter(Box<CounterRecord>),
}

/// The record in a line of a backup.
pub(super) fn decode_any(bytes: &[u8]) -> Result<Saved, Unreadable> {
    #[derive(Deserialize)]
    struct Head {
        v: u32,
        #[serde(default)]
        counter: Option<IgnoredAny>,
    }
    let head: Head = serde_json::from_slice(bytes)?;
    check_version(head.v)?;
    Ok(match head.counter {
        None => Saved::Vote(Box::new(decode(bytes)?)),
        Some(_) => Saved::Counter(Box::new(decode_counter(bytes)?)),
    })
}

/// The revision in these bytes, without reading the rest.
pub(super) fn revision(bytes: &[u8]) -> Result<Revision, Unreadable> {
    #[derive(Deserialize)]
    struct Head {
        v: u32,
        revision: Revision,
    }
    let head: Head = serde_json::from_slice(bytes)?;
    check_version(head.v)?;
    Ok(head.revision)
}

fn check_version(version: u32) -> Result<(), Unreadable> {
    if version == VERSION { Ok(()) } else { Err(Unreadable::Newer(version)) }
}

/// The key of a grant: neither part can hold a zero.
pub(super) fn key(event: &EventKey) -> Vec<u8> {
    [event.event_type.as_bytes(), b"\0", event.event_id.as_bytes()].concat()
}

/// The event that a grant's key is of.
pub(super) fn event(key: &[u8]) -> Option<EventKey> {
    let (event_type, event_id) = std::str::from_utf8(key).ok()?.split_once('\0')?;
    Some(EventKey::new(event_type, event_id))
}

/// The key of a counter: neither part can hold a zero.
pub(super) fn counter_key(key: &CounterKey) -> Vec<u8> {
    [key.scope.as_bytes(), b"\0", key.player.as_bytes()].concat()
}

/// What says which game servers are paused.
#[derive(Serialize, Deserialize)]
struct StoredPauses {
    v: u32,
    revision: Revision,
    pauses: Pauses,
}

/// The bytes that say which game servers are paused.
pub(super) fn encode_pauses(pauses: &Pauses, revision: Revision) -> Result<Vec<u8>, Unreadable> {
    Ok(serde_json::to_vec(&StoredPauses { v: VERSION, revision, pauses: pauses.clone() })?)
}

/// What these bytes say of game servers.
pub(super) fn decode_pauses(bytes: &[u8]) -> Result<(Pauses, Revision), Unreadable> {
    let stored: StoredPauses = serde_json::from_slice(bytes)?;
    check_version(stored.v)?;
    Ok((stored.pauses, stored.revision))
}

/// The bytes of a time.
pub(super) fn encode_time(time: Timestamp) -> Result<Vec<u8>, Unreadable> {
    Ok(serde_json::to_vec(&time)?)
}

/// The time in these bytes.
pub(super) fn decode_time(bytes: &[u8]) -> Result<Timestamp, Unreadable> {
    Ok(serde_json::from_slice(bytes)?)
}

/// What tells one ledger from another, and an old copy from the newest: kept in the ledger and in its marker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    v: u32,
    /// Drawn when the ledger was created.
    pub(super) id: String,
    /// Raised at every start and with every commit.
    pub(super) count: u64,
}

impl Identity {
    pub(super) fn new() -> Self {
        Identity { v: VERSION, id: format!("{:032x}", fastrand::u128(..)), count: 0 }
    }

    pub(super) fn raised(&self) -> Self {
        Identity { count: self.count + 1, ..self.clone() }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, Unreadable> {
        Ok(serde_json::to_vec(self)?)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Head {
            v: u32,
        }
        check_version(serde_json::from_slice::<Head>(bytes)?.v)?;
        Ok(serde_json::from_slice(bytes)?)
    }
}
