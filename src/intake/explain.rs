//! The stories of votes, from all that is known of them. Nothing is changed.

use jiff::{SignedDuration, Timestamp};

use super::Intake;
use crate::dispatch::servers::{Hindrance, Paused};
use crate::domain::arrival::Arrival;
use crate::domain::event::is_event_id;
use crate::domain::grant::{Grant, Stage};
use crate::domain::standing::Wait;
use crate::domain::story::{Besides, Circumstances, Down, Explained, Nameless, Story};
use crate::ledger::{self, By, Ledger, LedgerError, Place, Record};

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
    /// The story of the vote with this id; or else of the last `most` votes of the player with this nickname; or else of
    /// the deliveries with this id that were not recorded.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger fails.
    pub async fn explain(&self, asked: &str, most: usize) -> Result<Explained, LedgerError> {
        let (ledger, owned) = (self.ledger.clone(), asked.to_owned());
        let bedrock_prefix = self.config.now().players.bedrock_prefix;
        let found = ledger::reading(move || find(&ledger, &owned, most, bedrock_prefix)).await?;
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
        let hindrance = server.and_then(|server| self.servers.hindrance(server));
        let (pause, down) = match &hindrance {
            Some(Hindrance::Paused(Paused::By(pause))) => (Some(pause), None),
            Some(Hindrance::Down(down)) => {
                let lasted = SignedDuration::try_from(down.since.elapsed()).unwrap_or(SignedDuration::ZERO);
                let since = now.checked_sub(lasted).unwrap_or(now);
                (None, Some(Down { why: &down.why, since }))
            }
            Some(Hindrance::Paused(Paused::Hold)) | None => (None, None),
        };
        let circumstances = Circumstances {
            now,
            server: server.map(|server| server.name.as_str()),
            replies: server.map(|server| &server.replies),
            bedrock_prefix: config.players.bedrock_prefix,
            wait: &|award, player| {
                server.map_or(Wait::Turn, |server| self.servers.wait(server, award, player))
            },
            down,
            pause,
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
    let newest = ledger.grants(&by, Timestamp::MIN..Timestamp::MAX, Place::Any)?.rev().take(most);
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
    let mut nameless = Vec::new();
    ledger.each_open(|Record { grant, .. }| {
        if matches!(grant.stage, Stage::Received { .. }) {
            nameless.push((grant.received_at, grant.event.event_id));
        }
    })?;
    nameless.sort();
    let total = nameless.len();
    let newest = nameless.into_iter().rev().take(MOST_NAMELESS).map(|(_, event_id)| event_id).collect();
    Ok(Nameless { newest, total })
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
