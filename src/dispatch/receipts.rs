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

impl Kept {
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
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

    /// Those that the game has acknowledged and should still have, the newest first.
    pub(super) fn acknowledged(&self, now: Timestamp) -> Vec<Kept> {
        let stays = |kept: &&Kept| kept.acknowledged.is_some() && !kept.is_over(now);
        let mut kept: Vec<Kept> = self.by_event.values().flatten().filter(stays).cloned().collect();
        kept.sort_by_key(|kept| std::cmp::Reverse(kept.acknowledged));
        kept
    }

    /// Those of one grant that nobody needs any more.
    pub(super) fn expired(&self, now: Timestamp) -> Option<&[Kept]> {
        self.by_event.values().find(|kept| kept.iter().all(|kept| kept.is_over(now))).map(Vec::as_slice)
    }
}
