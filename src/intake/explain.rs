//! The stories of votes, from all that is known of them.

use jiff::{SignedDuration, Timestamp};

use super::{Grant, Intake, LedgerError, Stage, Wait};
use crate::dispatch::pauses::Paused;
use crate::domain::arrival::Arrival;
use crate::domain::story::{Besides, Circumstances, Down, Explained, Nameless, Story};
use crate::ledger::By;

/// How many votes are named whose player is not known yet.
const MOST_NAMELESS: usize = 5;

impl Intake {
    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }

    /// The story of the vote with this id; or else of the last `most` votes of the player with this nickname, and of
    /// deliveries of this run. It reads the ledger, which may take a moment.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub fn explain(&self, asked: &str, most: usize) -> Result<Explained, LedgerError> {
        let arrivals = self.surroundings.report.arrivals();
        if let Some(record) = self.ledger.find(asked)? {
            let story = self.story(&record.grant, &arrivals.about(asked));
            return Ok(Explained { stories: vec![story], ..Explained::default() });
        }
        let by = By::Player(asked.to_owned());
        let mut stories = Vec::new();
        for record in self.ledger.grants(&by, Timestamp::MIN..Timestamp::MAX, None)?.rev().take(most) {
            let (_, record) = record?;
            let about = arrivals.about(&record.grant.event.event_id);
            stories.push(self.story(&record.grant, &about));
        }
        stories.reverse();
        if stories.is_empty()
            && let Some(story) = Story::of_arrivals(asked, &arrivals.about(asked))
        {
            return Ok(Explained { stories: vec![story], ..Explained::default() });
        }
        let more = self.ledger.count(&by)? - stories.len();
        let besides = Besides {
            alike: &self.alike(asked)?,
            refusals: &arrivals.refusals(),
            nameless: &self.nameless()?,
            now: self.now(),
        };
        let notes = if stories.is_empty() { besides.of_nobody() } else { besides.of_player() };
        Ok(Explained { stories, more, notes })
    }

    fn story(&self, grant: &Grant, arrivals: &[Arrival]) -> Story {
        let (config, now) = (self.config.now(), self.now());
        let server = grant.vote().and_then(|vote| config.server(&vote.server));
        let paused = server.and_then(|server| self.pauses.of(&server.name));
        let contact = server.and_then(|server| self.dispatch.contact(&server.rcon));
        let known = contact.map(|contact| contact.known().clone()).unwrap_or_default();
        let down = known.down.as_ref().map(|down| {
            let lasted = SignedDuration::try_from(down.since.elapsed()).unwrap_or(SignedDuration::ZERO);
            Down { why: &down.why, since: now.checked_sub(lasted).unwrap_or(now) }
        });
        Story::of(
            grant,
            &Circumstances {
                now,
                server: server.map(|server| server.name.as_str()),
                bedrock_prefix: config.players.bedrock_prefix,
                wait: &|award, player| match paused {
                    Some(_) => Wait::Resumption,
                    None => known.awaited(award, player),
                },
                down,
                pause: match &paused {
                    Some(Paused::By(pause)) => Some(pause),
                    Some(Paused::Hold) | None => None,
                },
                arrivals,
            },
        )
    }

    /// Players who have voted under a nickname that is almost this one: with or without the Bedrock prefix, or with
    /// spaces that stand for what the game has in their place.
    fn alike(&self, asked: &str) -> Result<Vec<String>, LedgerError> {
        let Some(prefix) = self.config.now().players.bedrock_prefix else { return Ok(Vec::new()) };
        let bare = asked.strip_prefix(prefix).unwrap_or(asked);
        let spaced = bare.replace('_', " ");
        let mut alike = Vec::new();
        for name in [bare.to_owned(), format!("{prefix}{bare}"), format!("{prefix}{spaced}")] {
            if name != asked && !alike.contains(&name) && self.ledger.count(&By::Player(name.clone()))? > 0 {
                alike.push(name);
            }
        }
        Ok(alike)
    }

    /// Votes that nobody has told us the player of: the ids of the newest, and how many there are.
    fn nameless(&self) -> Result<Nameless, LedgerError> {
        let mut open = self.ledger.open_grants()?;
        open.retain(|record| matches!(record.grant.stage, Stage::Received { .. }));
        open.sort_by_key(|record| record.grant.received_at);
        let newest = open.iter().rev().take(MOST_NAMELESS).map(|record| record.grant.event.event_id.clone());
        Ok(Nameless { newest: newest.collect(), total: open.len() })
    }
}
