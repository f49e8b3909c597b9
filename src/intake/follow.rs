//! Votes as they come to stand differently, for whoever watches.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Intake;
use super::inspect::row;
use crate::control::{Follow, Row};
use crate::domain::event::EventKey;
use crate::domain::grant::Stage;
use crate::ledger::{self, LedgerError, Record};

/// How often it is looked what has changed: what those that wait wait for is in no record.
const EVERY: Duration = Duration::from_secs(1);

/// Hears of votes as they come to stand differently.
#[derive(Debug)]
pub struct News {
    intake: Arc<Intake>,
    which: Arc<Follow>,
    written: broadcast::Receiver<EventKey>,
    ticks: Interval,
    /// How those stand that are open.
    open: HashMap<EventKey, Row>,
}

impl Intake {
    /// Hears of votes from now on.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn news(self: &Arc<Self>, which: Follow) -> Result<News, LedgerError> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (written, which) = (self.ledger.written(), Arc::new(which));
        let mut news = News { intake: Arc::clone(self), which, written, ticks, open: HashMap::new() };
        // How they stand now is no news.
        news.look(BTreeSet::new()).await?;
        Ok(news)
    }
}

impl News {
    /// Waits for votes that are meant and stand differently, as they stand then, the oldest first. `None` once Votive is
    /// stopped, or where so many were written that some were missed.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, LedgerError> {
        let mut written = BTreeSet::new();
        loop {
            tokio::select! {
                event = self.written.recv() => match event {
                    Ok(event) => drop(written.insert(event)),
                    Err(_) => return Ok(None),
                },
                () = self.intake.shutdown.cancelled() => return Ok(None),
                _ = self.ticks.tick() => {
                    let news = self.look(std::mem::take(&mut written)).await?;
                    if !news.is_empty() {
                        return Ok(Some(news));
                    }
                }
            }
        }
    }

    /// What stands differently than at the last look: of those that are open, and of those that were `written` since.
    async fn look(&mut self, written: BTreeSet<EventKey>) -> Result<Vec<Row>, LedgerError> {
        let (intake, which) = (Arc::clone(&self.intake), Arc::clone(&self.which));
        let read = move || {
            let (config, mut open, mut ended) = (intake.config.now(), HashMap::new(), Vec::new());
            let mut add = |Record { grant, .. }: Record| {
                let row = row(&grant, &config, &intake.servers);
                match which.includes(&row) {
                    true if grant.is_open() => drop(open.insert(grant.event, row)),
                    true if grant.stage != Stage::Pruned => ended.push(row),
                    _ => {}
                }
            };
            intake.ledger.each_open(&mut add)?;
            for event in &written {
                intake
                    .ledger
                    .get(event)?
                    .filter(|record| !record.grant.is_open())
                    .into_iter()
                    .for_each(&mut add);
            }
            Ok((open, ended))
        };
        let (open, mut news) = ledger::reading(read).await?;
        let differs = |(event, row): &(&EventKey, &Row)| self.open.get(event) != Some(row);
        news.extend(open.iter().filter(differs).map(|(_, row)| row.clone()));
        news.sort_by_key(|row| row.received_at);
        self.open = open;
        Ok(news)
    }
}
