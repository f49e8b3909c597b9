//! Which doubts about a vote an operator answers.

use jiff::Timestamp;

use super::award::{Award, AwardState, Step};
use super::grant::Grant;

/// What of a vote is meant to be settled: the one doubt that there is, or less, or all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doubts<'a> {
    /// Only of this reward.
    pub reward: Option<&'a str>,
    /// Only this step, by its serial number.
    pub serial: Option<u32>,
    /// Several at once, with one answer.
    pub all: bool,
}

impl Doubts<'_> {
    /// Which awards of a grant are meant, by their places, each with its next step, which is in doubt. What its receipt
    /// will tell is meant only where that is named, or where nothing else is in doubt.
    pub fn of<'g>(&self, grant: &'g Grant) -> Vec<(usize, &'g Award, &'g Step)> {
        let awards = grant.plan().map_or(&[][..], |plan| &plan.awards).iter().enumerate();
        let in_doubt = awards
            .filter(|(_, award)| award.in_doubt_since().is_some())
            .filter_map(|(index, award)| Some((index, award, award.next_step()?)))
            .filter(|(_, award, _)| self.reward.is_none_or(|name| name == award.reward))
            .filter(|(.., step)| self.serial.is_none_or(|serial| serial == step.serial));
        let (told, asked): (Vec<_>, Vec<_>) = in_doubt.partition(|(_, award, _)| award.awaits_receipt());
        if asked.is_empty() { told } else { asked }
    }
}

impl Award {
    /// Since when it is in doubt, if it is.
    pub fn in_doubt_since(&self) -> Option<Timestamp> {
        match self.state {
            AwardState::InDoubt { since, .. } => Some(since),
            _ => None,
        }
    }
}
