//! The stories of votes, from all that is known of them. Nothing is changed.

use jiff::{SignedDuration, Timestamp};

use super::Intake;
use crate::dispatch::pauses::Paused;
use crate::domain::arrival::Arrival;
use crate::domain::event::is_event_id;
use crate::domain::grant::{Grant, Stage};
use crate::domain::standing::Wait;
use crate::domain::story::{Besides, Circumstances, Down, Explained, Nameless, Story};
use crate::ledger::{By, Ledger, LedgerError};

/// How many votes are named whose player is not known yet.
const MOST_NAMELESS: usize = 5;

/// What the ledger has about an event or a player.
#[derive(Debug, Default)]
struct Found {
    /// The newest last.
    grants: Vec<Grant>,
    /// How many older ones there are.
    more: usize,
    /// Players of almost that name who have voted.
    alike: Vec<String>,
    /// Votes that may be anybody's.
    nameless: Nameless,
}

impl Intake {
    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }

    /// The story of the vote with this id; or else of the last `most` votes of the player with this nickname; or else of
    /// the deliveries with this id that were not recorded.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn explain(&self, asked: &str, most: usize) -> Result<Explained, LedgerError> {
        let (ledger, owned) = (self.ledger.clone(), asked.to_owned());
        let bedrock_prefix = self.config.now().players.bedrock_prefix;
        let found = self.reading(move || find(&ledger, &owned, most, bedrock_prefix)).await?;
        let arrivals = self.surroundings.report.arrivals();
        let told = |grant: &Grant| self.story(grant, &arrivals.about(&grant.event.event_id));
        let mut stories: Vec<Story> = found.grants.iter().map(told).collect();
        let besides = Besides {
            alike: &found.alike,
            refusals: &arrivals.refusals(),
            nameless: &found.nameless,
            now: self.now(),
        };
        let mut notes = besides.of_player();
        if stories.is_empty() {
            stories.extend(Story::of_arrivals(asked, &arrivals.about(asked)));
            notes = if stories.is_empty() { besides.of_nobody() } else { Vec::new() };
        }
        Ok(Explained { stories, more: found.more, notes })
    }

    fn story(&self, grant: &Grant, arrivals: &[Arrival]) -> Story {
        let (config, now) = (self.config.now(), self.now());
        let server = grant.vote().and_then(|vote| config.server(&vote.server));
        let paused = server.and_then(|server| self.pauses.of(&server.name, &server.ids));
        let contact = server.and_then(|server| self.dispatch.contact(&server.rcon));
        let down = contact.and_then(|contact| contact.known().down.clone());
        let down = down.as_ref().map(|down| {
            let lasted = SignedDuration::try_from(down.since.elapsed()).unwrap_or(SignedDuration::ZERO);
            Down { why: &down.why, since: now.checked_sub(lasted).unwrap_or(now) }
        });
        let circumstances = Circumstances {
            now,
            server: server.map(|server| server.name.as_str()),
            replies: server.map(|server| &server.replies),
            bedrock_prefix: config.players.bedrock_prefix,
            wait: &|award, player| server.map_or(Wait::Turn, |server| self.wait(server, award, player)),
            down,
            pause: match &paused {
                Some(Paused::By(pause)) => Some(pause),
                Some(Paused::Hold) | None => None,
            },
            arrivals,
        };
        Story::of(grant, &circumstances)
    }
}

fn find(
    ledger: &Ledger,
    asked: &str,
    most: usize,
    bedrock_prefix: Option<char>,
) -> Result<Found, LedgerError> {
    if is_event_id(asked)
        && let Some(record) = ledger.find(asked)?
    {
        return Ok(Found { grants: vec![record.grant], ..Found::default() });
    }
    let by = By::Player(asked.to_owned());
    let newest = ledger.grants(&by, Timestamp::MIN..Timestamp::MAX, None)?.rev().take(most);
    let mut grants = newest.map(|found| Ok(found?.1.grant)).collect::<Result<Vec<Grant>, LedgerError>>()?;
    grants.reverse();
    let more = ledger.count(&by)?.saturating_sub(grants.len());
    let mut alike = Vec::new();
    for name in almost(asked, bedrock_prefix) {
        if ledger.count(&By::Player(name.clone()))? > 0 {
            alike.push(name);
        }
    }
    Ok(Found { grants, more, alike, nameless: nameless(ledger)? })
}

/// Nicknames that an owner may mean by this one, other than it: with or without the Bedrock prefix, and with spaces where
/// the game has `_` in their place.
fn almost(asked: &str, bedrock_prefix: Option<char>) -> Vec<String> {
    let Some(prefix) = bedrock_prefix else { return Vec::new() };
    let bare = asked.strip_prefix(prefix).unwrap_or(asked);
    let mut almost =
        vec![bare.to_owned(), format!("{prefix}{bare}"), format!("{prefix}{}", bare.replace('_', " "))];
    almost.dedup();
    almost.retain(|name| name != asked);
    almost
}

/// Votes whose player the API has not told yet.
fn nameless(ledger: &Ledger) -> Result<Nameless, LedgerError> {
    let mut open: Vec<Grant> = ledger.open_grants()?.into_iter().map(|record| record.grant).collect();
    open.retain(|grant| matches!(grant.stage, Stage::Received { .. }));
    open.sort_by_key(|grant| grant.received_at);
    let newest = open.iter().rev().take(MOST_NAMELESS).map(|grant| grant.event.event_id.clone());
    Ok(Nameless { newest: newest.collect(), total: open.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_also_looked_for_as_that_of_a_bedrock_player() {
        assert_eq!(almost("Cool_Guy", Some('.')), [".Cool_Guy", ".Cool Guy"]);
        assert_eq!(almost(".Cool_Guy", Some('.')), ["Cool_Guy", ".Cool Guy"]);
        assert_eq!(almost("Steve", Some('.')), [".Steve"]);
        assert!(almost("Steve", None).is_empty());
    }
}
