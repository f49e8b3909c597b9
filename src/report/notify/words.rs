//! What happens in words for the owner, from the records: pure.

use std::time::Duration;

use jiff::Timestamp;

use super::gather::Oldest;
use super::message::{Line, escaped};
use crate::config::{About, Announce, Config, GameServer};
use crate::domain::award::{Award, AwardState};
use crate::domain::event::{EventKey, SERVER_VOTE, TEST_VOTE};
use crate::domain::grant::{Grant, Stage};
use crate::domain::plan::Plan;
use crate::domain::template::{Unsendable, Values};
use crate::domain::vote::ServerRef;
use crate::text::Outside;

/// An award is refused.
pub(in crate::report) fn award_refused(
    event: &EventKey,
    plan: &Plan,
    award: &Award,
    server: &str,
    reason: &str,
) -> Line {
    let remedy = if award.until_retried { format!("; votive retry {event}") } else { String::new() };
    Line {
        about: About::Refused,
        what: format!("Refused on {server}: {reason}"),
        which: format!("{}, reward {}, vote {event}{remedy}", plan.player, award.reward),
    }
}

/// A vote as a whole is refused.
pub(in crate::report) fn vote_refused(
    event: &EventKey,
    nickname: &str,
    reason: &str,
    until_retried: bool,
) -> Line {
    let remedy = if until_retried { format!("; votive retry {event}") } else { String::new() };
    let player = if nickname.is_empty() { String::new() } else { format!("{}, ", Outside(nickname)) };
    Line {
        about: About::Refused,
        what: format!("Refused: {reason}"),
        which: format!("{player}vote {event}{remedy}"),
    }
}

/// An award is in doubt, and only a person can settle it.
pub(in crate::report) fn in_doubt(
    event: &EventKey,
    plan: &Plan,
    award: &Award,
    server: &str,
    reason: &str,
) -> Line {
    Line {
        about: About::InDoubt,
        what: format!("In doubt on {server}: {reason}"),
        which: format!(
            "{}, reward {}; look in the game whether {} ran, then: votive resolve {event} --ran, or --not-run",
            plan.player,
            award.reward,
            next_command(award)
        ),
    }
}

/// The world of a game server has forgotten a step.
pub(in crate::report) fn forgotten(
    event: &EventKey,
    plan: &Plan,
    award: &Award,
    server: &str,
    command: &str,
) -> Line {
    Line {
        about: About::Forgotten,
        what: format!(
            "The world of {server} went back in time and has forgotten rewards; they are not given again by themselves"
        ),
        which: format!("{}, reward {}, vote {event}: {}", plan.player, award.reward, Outside(command)),
    }
}

fn next_command(award: &Award) -> String {
    let command = award.next_step().map_or("", |step| &step.command);
    Outside(command).to_string()
}

/// What is announced of a vote, in the owner's markdown. `None` for one that nobody made just now: a replay.
///
/// # Errors
/// [`Unsendable`] where the owner's placeholders make it too long, or have no value.
pub(in crate::report) fn announced(
    event: &EventKey,
    plan: &Plan,
    server: &GameServer,
    announce: &Announce,
) -> Result<Option<String>, Unsendable> {
    if ![SERVER_VOTE, TEST_VOTE].contains(&event.event_type.as_str()) {
        return Ok(None);
    }
    let [player, name, id] = [plan.player.as_str(), &server.name, &event.event_id].map(|text| escaped(text));
    let values = Values {
        player: &player,
        server: &name,
        server_id: match plan.vote.server {
            ServerRef::Id(id) => id,
            ServerRef::Name(_) => server.ids.first().copied().unwrap_or(0),
        },
        vote_id: &id,
        user_id: plan.vote.user_id.unwrap_or(0),
        count: plan.count.server,
        // The loader takes no text with these two.
        votes_to_next: 0,
        reward: "",
        voted_at: plan.voted_at,
        own: &server.values,
    };
    announce.text.render(&values).map(Some)
}

/// The oldest of the grants that wait for something that should come by itself: the API, a game server, their turn. Who
/// waits for a player or for the owner does not count: that can rightly take days, and is told otherwise.
pub(super) fn oldest<'g>(
    grants: impl Iterator<Item = &'g Grant>,
    config: &Config,
    now: Timestamp,
) -> Option<Oldest> {
    let waiting: Vec<(&Grant, String)> =
        grants.filter_map(|grant| Some((grant, awaited(grant, config)?))).collect();
    let (grant, awaited) = waiting.iter().min_by_key(|(grant, _)| grant.received_at)?;
    let player = grant.plan().map_or_else(String::new, |plan| format!(" of {}", plan.player));
    Some(Oldest {
        what: format!("{}{player} waits for {awaited}", grant.event),
        // The clock may have gone back.
        age: Duration::try_from(now.duration_since(grant.received_at)).unwrap_or_default(),
        waiting: waiting.len() as u64,
    })
}

/// What an open grant waits for besides its player and its owner, if anything.
fn awaited(grant: &Grant, config: &Config) -> Option<String> {
    let plan = match &grant.stage {
        Stage::Received { .. } => return Some("the API of GAMEMONITORING".to_owned()),
        Stage::Refused { .. } => return None,
        Stage::Planned(_) if !grant.is_open() => return None,
        Stage::Planned(plan) => plan,
    };
    let Some(server) = config.server(&plan.vote.server) else {
        return Some(format!("a server with the {} in rewards.yaml", plan.vote.server));
    };
    let by_itself = |award: &Award| match award.state {
        AwardState::Planned => award.next_step().is_some_and(|step| !step.needs_player),
        AwardState::Sending => true,
        AwardState::InDoubt { .. } => award.awaits_receipt(),
        AwardState::Done | AwardState::Refused { .. } | AwardState::Closed => false,
    };
    plan.awards.iter().any(by_itself).then(|| server.name.clone())
}
