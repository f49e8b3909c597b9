//! The receipts that the world behind one address has, as far as anybody needs them: to find out whether it went back in
//! time, and to take them away in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::award::Receipt;
use crate::domain::event::EventKey;
use crate::domain::grant::Grant;
use crate::domain::receipt::Key;

/// One receipt in the game.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) event: EventKey,
    pub(super) award: usize,
    pub(super) serial: u32,
    pub(super) key: Key,
    /// When the game acknowledged it; `None` where it was only announced.
    acknowledged: Option<Timestamp>,
    /// When nobody needs it any more; `None` while its grant is open.
    expires: Option<Timestamp>,
}

/// Every receipt in the game.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    by_event: BTreeMap<EventKey, Vec<Kept>>,
}

impl Receipts {
    /// Takes over what a grant says about its receipts, which stay for so long once it is final.
    pub(super) fn note(&mut self, grant: &Grant, keep: Duration) {
        let Some(plan) = grant.plan() else { return };
        let kept: Vec<Kept> = grant
            .receipts()
            .map(|(award, step)| {
                let acknowledged = match step.receipt {
                    Receipt::Acknowledged { at } => Some(at),
                    _ => None,
                };
                // A time that no calendar has any more never comes.
                let expires = acknowledged.unwrap_or(plan.planned_at).checked_add(keep).ok();
                Kept {
                    event: grant.event.clone(),
                    award,
                    serial: step.serial,
                    key: Key::of(&grant.event, &plan.awards[award].reward, step.serial),
                    acknowledged,
                    expires: expires.filter(|_| !grant.is_open()),
                }
            })
            .collect();
        if kept.is_empty() {
            self.by_event.remove(&grant.event);
        } else {
            self.by_event.insert(grant.event.clone(), kept);
        }
    }

    /// Those that the game has acknowledged, the newest first. Not those that nobody needs any more: a connection may
    /// have broken while they were taken away, so that they are missing proves nothing.
    pub(super) fn acknowledged(&self, now: Timestamp) -> Vec<Kept> {
        let all = self.by_event.values().flatten();
        let counts = |kept: &&Kept| kept.acknowledged.is_some() && !kept.is_over(now);
        let mut kept: Vec<Kept> = all.filter(counts).cloned().collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.acknowledged));
        kept
    }

    /// Those of one grant that nobody needs any more.
    pub(super) fn expired(&self, now: Timestamp) -> Option<&[Kept]> {
        self.by_event.values().find(|kept| kept.iter().all(|kept| kept.is_over(now))).map(Vec::as_slice)
    }
}

impl Kept {
    /// Whether nobody needs it any more.
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_any_more_is_no_proof() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let kept = |id: &str, acknowledged: Option<i64>, expires: Option<i64>| {
            let event = EventKey::new("server.vote", id);
            let key = Key::of(&event, "daily", 0);
            let (acknowledged, expires) = (acknowledged.map(at), expires.map(at));
            (event.clone(), vec![Kept { event, award: 0, serial: 0, key, acknowledged, expires }])
        };
        let receipts = Receipts {
            by_event: [
                kept("e-1", Some(1), Some(11)),
                kept("e-2", Some(2), Some(12)),
                kept("e-3", Some(3), None),
                kept("e-4", None, Some(13)),
            ]
            .into(),
        };
        let acknowledged = |now| -> Vec<String> {
            receipts.acknowledged(at(now)).into_iter().map(|kept| kept.event.event_id).collect()
        };
        assert_eq!(acknowledged(10), ["e-3", "e-2", "e-1"]);
        assert_eq!(acknowledged(11), ["e-3", "e-2"]);
        assert_eq!(acknowledged(20), ["e-3"]);
        assert!(receipts.expired(at(10)).is_none());
        assert_eq!(receipts.expired(at(11)).unwrap()[0].event.event_id, "e-1");
    }
}
