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
    /// Also what was issued again before, or may have been.
    pub again: bool,
}

/// What a replay does about a grant.
#[derive(Debug, Default, PartialEq)]
pub struct Replay {
    /// The original, which says so, and the grant that issues it again; `None` where nothing of it is meant that was not
    /// issued again before.
    pub again: Option<Box<(Grant, Grant)>>,
    /// How many of the commands that are meant were issued again before, or may have been, and are left out.
    pub before: usize,
}

impl Grant {
    /// This grant's replay, for the operator with the number `uid`; its plan has still to be given a place among all plans.
    /// What was issued again between a backup and the time at which the ledger was last restored from it, if it was,
    /// nobody knows.
    pub fn replay(
        &self,
        selection: &Selection,
        restored_at: Option<Timestamp>,
        uid: u32,
        now: Timestamp,
    ) -> Replay {
        let Some(plan) = self.plan().filter(|_| self.event.event_type == SERVER_VOTE) else {
            return Replay::default();
        };
        if selection.player.as_ref().is_some_and(|player| *player != plan.player.key()) {
            return Replay::default();
        }
        let meant: Vec<&Step> = plan.awards.iter().flat_map(|award| plan.issued(award, selection)).collect();
        let replays = self.acts.iter().filter_map(|act| match &act.deed {
            Deed::Replayed { serials, .. } => Some(serials),
            _ => None,
        });
        let is_before = |step: &Step| {
            replays.clone().any(|serials| serials.contains(&step.serial))
                || restored_at.is_some_and(|at| plan.issued_at(step) < at)
        };
        let is_meant = |step: &&&Step| selection.again || !is_before(step);
        let serials: Vec<u32> = meant.iter().filter(is_meant).map(|step| step.serial).collect();
        let before = meant.len() - serials.len();
        if serials.is_empty() {
            return Replay { again: None, before };
        }
        let act = |deed| Act { at: now, uid, deed };
        let replay = Grant {
            event: key(&self.event, replays.count(), restored_at),
            received_at: now,
            stage: Stage::Planned(Box::new(plan.of_steps(&serials, now))),
            acts: vec![act(Deed::AskedFor)],
            replays: Some(self.event.clone()),
        };
        let deed = Deed::Replayed { event_id: replay.event.event_id.clone(), serials };
        Replay { again: Some(Box::new((self.clone().acted(act(deed)), replay))), before }
    }
}

/// The event of the replay after so many: always the same one, so that nothing is replayed twice by accident. After a
/// restore it is another one, as the game may have the receipts of one that the ledger does not know.
fn key(original: &EventKey, replays: usize, restored_at: Option<Timestamp>) -> EventKey {
    let restored = restored_at.map_or_else(String::new, |at| format!("\0{at}"));
    let of = format!("{}\0{}\0{replays}{restored}", original.event_type, original.event_id);
    let id = base16ct::lower::encode_string(&Sha256::digest(of)[..8]);
    EventKey::new(REPLAY, &format!("replay-{id}"))
}

impl Plan {
    /// The steps of an award that were issued and are selected.
    fn issued<'a>(&'a self, award: &'a Award, selection: &'a Selection) -> impl Iterator<Item = &'a Step> {
        let meant = selection.reward.as_ref().is_none_or(|reward| *reward == award.reward);
        award.steps.iter().filter(move |step| {
            let ran = matches!(step.finished, Some(Finish::Ran { .. } | Finish::Settled | Finish::Receipt));
            meant && ran && selection.issued.contains(&self.issued_at(step))
        })
    }

    /// When a step was issued that was.
    fn issued_at(&self, step: &Step) -> Timestamp {
        step.finished_at.unwrap_or(self.planned_at)
    }

    /// The plan that issues these steps again.
    fn of_steps(&self, serials: &[u32], now: Timestamp) -> Plan {
        let mut plan = Plan {
            planned_at: now,
            verdicts: Vec::new(),
            awards: Vec::new(),
            next_serial: 0,
            ..self.clone()
        };
        for award in &self.awards {
            let issued = award.steps.iter().filter(|step| serials.contains(&step.serial));
            let steps: Vec<Step> =
                (plan.next_serial..).zip(issued).map(|(serial, step)| step.fresh(serial)).collect();
            let applies = !steps.is_empty();
            let reason = match applies {
                true => "it was issued before and is issued again",
                false => "nothing of it was to be issued again",
            };
            plan.verdicts.push(Verdict { reward: award.reward.clone(), applies, reason: reason.to_owned() });
            if applies {
                plan.next_serial += u32::try_from(steps.len()).unwrap_or(u32::MAX);
                plan.awards.push(Award::new(&award.reward, steps));
            }
        }
        plan
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
