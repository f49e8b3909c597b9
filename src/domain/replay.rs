//! What was issued is issued again, because a world was wiped or went back in time: as grants of their own.
//!
//! A replay sends the commands that ran, as they were. It neither fetches the vote nor plans it, and counts nothing: the
//! player has voted once. Only the operator asks for one.

use std::ops::Range;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::act::{Act, Deed};
use super::award::{Award, Finish, Receipt, Step};
use super::event::{EventKey, REPLAY, SERVER_VOTE};
use super::grant::{Grant, Stage};
use super::plan::{Plan, Verdict};

/// What of the grants of a game server is issued again.
#[derive(Clone, Debug)]
pub struct Selection {
    /// When it was issued the first time.
    pub issued: Range<Timestamp>,
    /// Only to this player, by the player's key.
    pub player: Option<String>,
    /// Only of this reward.
    pub reward: Option<String>,
    /// Also what was issued again before.
    pub again: bool,
}

/// What a replay does about a grant.
#[derive(Debug, PartialEq)]
pub enum Replay {
    /// Nothing of it was issued then and is meant.
    Nothing,
    /// It was issued again before.
    Before,
    /// The original, which says so, and the grant that issues it again.
    Again(Box<(Grant, Grant)>),
}

impl Grant {
    /// This grant's replay, at the place `order` among all plans, for the operator with the number `uid`.
    pub fn replay(&self, selection: &Selection, order: u64, uid: u32, now: Timestamp) -> Replay {
        let Some(plan) = self.plan().filter(|_| self.event.event_type == SERVER_VOTE) else {
            return Replay::Nothing;
        };
        if selection.player.as_ref().is_some_and(|player| *player != plan.player.key()) {
            return Replay::Nothing;
        }
        let again = plan.again_as(selection, order, now);
        if again.awards.is_empty() {
            return Replay::Nothing;
        }
        let replays = self.acts.iter().filter(|act| matches!(act.deed, Deed::Replayed { .. })).count();
        if replays > 0 && !selection.again {
            return Replay::Before;
        }
        let event = key(&self.event, replays);
        let deed = Deed::Replayed { event_id: event.event_id.clone() };
        let original = self.clone().acted(Act { at: now, uid, deed });
        let stage = Stage::Planned(Box::new(again));
        let replay =
            Grant { event, received_at: now, stage, acts: Vec::new(), replays: Some(self.event.clone()) };
        Replay::Again(Box::new((original, replay)))
    }
}

/// The event of the replay after so many: always the same one, so that nothing is replayed twice by accident.
fn key(original: &EventKey, replays: usize) -> EventKey {
    let of = format!("{}\0{}\0{replays}", original.event_type, original.event_id);
    let id = base16ct::lower::encode_string(&Sha256::digest(of)[..8]);
    EventKey::new(REPLAY, &format!("replay-{id}"))
}

impl Plan {
    /// The plan that issues again what is selected of this one.
    fn again_as(&self, selection: &Selection, order: u64, now: Timestamp) -> Plan {
        let mut plan = Plan {
            order,
            planned_at: now,
            verdicts: Vec::new(),
            awards: Vec::new(),
            next_serial: 0,
            ..self.clone()
        };
        for award in &self.awards {
            let meant = selection.reward.as_ref().is_none_or(|reward| *reward == award.reward);
            let issued = award.steps.iter().filter(|step| meant && self.was_issued(step, selection));
            let steps: Vec<Step> =
                (plan.next_serial..).zip(issued).map(|(serial, step)| step.fresh(serial)).collect();
            let count = steps.len();
            let reason = match (count, meant) {
                (0, false) => "not asked for".to_owned(),
                (0, true) => "none of its commands ran then".to_owned(),
                _ => "it was issued before and is issued again".to_owned(),
            };
            plan.verdicts.push(Verdict { reward: award.reward.clone(), applies: count > 0, reason });
            if count > 0 {
                plan.next_serial += u32::try_from(count).unwrap_or(u32::MAX);
                plan.awards.push(Award::new(&award.reward, steps));
            }
        }
        plan
    }

    fn was_issued(&self, step: &Step, selection: &Selection) -> bool {
        let ran = matches!(step.finished, Some(Finish::Ran { .. } | Finish::Settled | Finish::Receipt));
        ran && selection.issued.contains(&step.finished_at.unwrap_or(self.planned_at))
    }
}

impl Step {
    /// The same command as a step that was never sent.
    pub(super) fn fresh(&self, serial: u32) -> Step {
        Step {
            serial,
            receipt: Receipt::None,
            finished: None,
            finished_at: None,
            doubt: None,
            ..self.clone()
        }
    }
}
