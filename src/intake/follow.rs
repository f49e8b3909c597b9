//! Votes as they come to stand differently, for whoever watches.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Intake;
use super::inspect::row;
use crate::control::{Follow, Row};
use crate::domain::event::EventKey;
use crate::ledger::LedgerError;

/// How often it is looked what those that wait wait for, which no record says.
const EVERY: Duration = Duration::from_secs(1);

/// Hears of votes as they come to stand differently.
#[derive(Debug)]
pub struct News {
    intake: Arc<Intake>,
    which: Follow,
    written: broadcast::Receiver<EventKey>,
    /// Those that wait, as they were told last.
    waiting: HashMap<EventKey, Row>,
    ticks: Interval,
}

impl Intake {
    /// Hears of votes from now on.
    pub fn news(self: &Arc<Self>, which: Follow) -> News {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let written = self.ledger.written();
        News { intake: Arc::clone(self), which, written, waiting: HashMap::new(), ticks }
    }
}

impl News {
    /// Waits for votes that are meant and stand differently, as they stand then. `None` once Votive is stopped, or where so
    /// many were written that some were missed.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, LedgerError> {
        loop {
            let events: Vec<EventKey> = tokio::select! {
                event = self.written.recv() => match event {
                    Ok(event) => vec![event],
                    Err(_) => return Ok(None),
                },
                _ = self.ticks.tick() => self.waiting.keys().cloned().collect(),
                () = self.intake.shutdown.cancelled() => return Ok(None),
            };
            let mut news = Vec::new();
            for event in events {
                news.extend(self.look_at(event)?);
            }
            if !news.is_empty() {
                return Ok(Some(news));
            }
        }
    }

    /// How a vote stands, if it is meant and was not told so.
    fn look_at(&mut self, event: EventKey) -> Result<Option<Row>, LedgerError> {
        let Some(record) = self.intake.ledger.get(&event)? else { return Ok(None) };
        let row = row(&record.grant, &self.intake.config.now(), &self.intake.servers);
        if !self.which.includes(&row) || self.waiting.get(&event) == Some(&row) {
            return Ok(None);
        }
        match record.grant.is_open() {
            true => drop(self.waiting.insert(event, row.clone())),
            false => drop(self.waiting.remove(&event)),
        }
        Ok(Some(row))
    }
}
