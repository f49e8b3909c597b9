//! Issuing again what was issued, for a world that was wiped or went back in time.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::Intake;
use super::NotDone;
use crate::control::Replayed;
use crate::domain::grant::{Grant, Stage};
use crate::domain::replay::Selection;
use crate::failpoint::{Point, crash_at};
use crate::ledger::{self, By, LedgerError, Place, Revision};

/// The most votes that are issued again at once: all of them are stored in one transaction, so that a crash cannot
/// leave half of a replay, and nobody has to find out which half. A thousand with long commands take some 40 MiB.
const MOST_VOTES: usize = 1_000;
/// How often it is begun anew where something happened to one of the votes meanwhile.
const MOST_ATTEMPTS: usize = 10;

impl Intake {
    /// Issues again what is selected of votes for the game server of this name, as the operator `uid` wants it: all of it
    /// or nothing. Where `uid` is `None`, only finds out what it would be.
    ///
    /// # Errors
    /// [`NotDone`]; nothing is issued then.
    pub async fn replay(
        &self,
        server: &str,
        selection: Selection,
        uid: Option<u32>,
    ) -> Result<Replayed, NotDone> {
        for _ in 0..MOST_ATTEMPTS {
            let (replays, summary) = self.select(server, selection.clone(), uid).await?;
            let Some(uid) = uid.filter(|_| !replays.is_empty()) else { return Ok(summary) };
            let mut grants = Vec::with_capacity(2 * replays.len());
            for (revision, (original, mut replay)) in replays {
                if let Stage::Planned(plan) = &mut replay.stage {
                    plan.order = self.next_order();
                }
                grants.push((original, revision));
                grants.push((replay, Revision::NONE));
            }
            match self.ledger.put_all(&grants).await {
                // Something happened to one of them meanwhile.
                Err(LedgerError::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    crash_at(Point::ActRecorded);
                    self.surroundings.report.replayed(server, &summary, uid);
                    let replays = grants.iter().filter(|(grant, _)| grant.replays.is_some());
                    replays.for_each(|(replay, _)| drop(self.go_on(replay)));
                    return Ok(summary);
                }
            }
        }
        Err(NotDone::NotNow(
            "These votes change all the time at the moment, so nothing was done. Try again, or take a shorter time with --until."
                .to_owned(),
        ))
    }

    /// Every grant that is to be issued again, the oldest first, as it was read, and both as they will be.
    async fn select(
        &self,
        server: &str,
        selection: Selection,
        uid: Option<u32>,
    ) -> Result<(Vec<(Revision, (Grant, Grant))>, Replayed), NotDone> {
        let (ledger, config, now) = (self.ledger.clone(), self.config.now(), self.surroundings.clock.now());
        let server = server.to_owned();
        let select = move || {
            // What was issued then may have been received long before.
            let grants = ledger.grants(&By::Time, Timestamp::MIN..selection.issued.end, Place::Any)?;
            let (mut replays, mut summary, mut players) = (Vec::new(), Replayed::default(), BTreeSet::new());
            for found in grants {
                let (_, record) = found?;
                let of = record.grant.vote().and_then(|vote| config.server(&vote.server));
                if of.is_none_or(|of| of.name != server) {
                    continue;
                }
                let found =
                    record.grant.replay(&selection, ledger.restored_at(), uid.unwrap_or_default(), now);
                summary.before += usize::from(found.before > 0);
                if let Some(again) = found.again {
                    if summary.votes == MOST_VOTES {
                        return Ok(Err(NotDone::TooMuch(format!(
                            "More than {MOST_VOTES} votes are meant, and that is the most at once. Take a shorter time with --until, or name a --player or a --reward."
                        ))));
                    }
                    summary.add(&again.1, &mut players);
                    replays.push((record.revision, *again));
                }
            }
            summary.players = players.len();
            Ok(Ok((replays, summary)))
        };
        ledger::reading(select).await?
    }
}

impl Replayed {
    fn add(&mut self, replay: &Grant, players: &mut BTreeSet<String>) {
        let Some(plan) = replay.plan() else { return };
        self.votes += 1;
        players.insert(plan.player.key());
        for award in &plan.awards {
            *self.rewards.entry(award.reward.clone()).or_default() += 1;
            self.commands += award.steps.len();
        }
    }
}
