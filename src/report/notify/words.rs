//! What happens in words for the owner, from the records: pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::gather::Oldest;
use super::message::{Line, escaped};
use crate::config::{About, Announce, Config, GameServer};
use crate::dispatch::servers::Hindrance;
use crate::domain::award::{Award, AwardState, Step};
use crate::domain::event::{EventKey, SERVER_VOTE, TEST_VOTE};
use crate::domain::grant::{Grant, Stage};
use crate::domain::plan::Plan;
use crate::domain::standing;
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
    let (reason, remedy) = refusal(event, reason, award.until_retried);
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
    let (reason, remedy) = refusal(event, reason, until_retried);
    let player = if nickname.is_empty() { String::new() } else { format!("{}, ", Outside(nickname)) };
    Line {
        about: About::Refused,
        what: format!("Refused: {reason}"),
        which: format!("{player}vote {event}{remedy}"),
    }
}

/// What is wrong, in words that are the same for many events; and what is to be done about this one.
fn refusal(event: &EventKey, reason: &str, until_retried: bool) -> (String, String) {
    if event.is_own() {
        return (standing::cause(reason), format!("; votive explain {event} says what to do"));
    }
    let remedy = if until_retried { format!("; votive retry {event}") } else { String::new() };
    (reason.to_owned(), remedy)
}

/// An award is in doubt, and only a person can settle it.
pub(in crate::report) fn in_doubt(
    event: &EventKey,
    plan: &Plan,
    award: &Award,
    server: &str,
    step: &Step,
    reason: &str,
) -> Line {
    Line {
        about: About::InDoubt,
        what: format!("In doubt on {server}: {reason}"),
        which: format!(
            "{}, reward {}; look in the game whether {} ran, then: votive resolve {event} --step {} --ran, or --not-run",
            plan.player,
            award.reward,
            Outside(&step.command),
            step.number()
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
        which: format!(
            "{}, reward {}: {}; votive explain {event} says how to give it again",
            plan.player,
            award.reward,
            Outside(command)
        ),
    }
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
    let [player, name, id] = [plan.player.as_str(), &server.name, &event.event_id].map(escaped);
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

/// The grants that wait for something that should come by itself: the API, a game server, their turn. Who waits for a
/// player or for the owner, as what is paused does, does not count: that can rightly take days, and is told otherwise.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// For how long the oldest has waited, and what it is. Less than nothing where the clock has gone back.
    oldest: Option<(SignedDuration, String)>,
    waiting: u64,
}

impl Queue {
    /// Looks at one grant, as it is `now`.
    pub(super) fn add(
        &mut self,
        grant: &Grant,
        config: &Config,
        hindrance: impl Fn(&GameServer) -> Option<Hindrance>,
        now: Timestamp,
    ) {
        let Some((awaited, at_most)) = awaited(grant, config, hindrance) else { return };
        self.waiting += 1;
        let age = now.duration_since(grant.received_at).min(at_most);
        if self.oldest.as_ref().is_none_or(|(oldest, _)| age > *oldest) {
            let player = grant.plan().map_or_else(String::new, |plan| format!(" of {}", plan.player));
            self.oldest = Some((age, format!("{}{player} waits for {awaited}", grant.event)));
        }
    }

    /// The oldest of those that wait, if any does.
    pub(super) fn oldest(self) -> Option<Oldest> {
        let (age, what) = self.oldest?;
        Some(Oldest { what, age: Duration::try_from(age).unwrap_or_default(), waiting: self.waiting })
    }
}

/// What an open grant waits for besides its player and its owner, if anything, and for how long at most it has: one that
/// needs only its player has waited for the game server since that is down.
fn awaited(
    grant: &Grant,
    config: &Config,
    hindrance: impl Fn(&GameServer) -> Option<Hindrance>,
) -> Option<(String, SignedDuration)> {
    let always = SignedDuration::MAX;
    let plan = match &grant.stage {
        Stage::Received { .. } => return Some(("the API of GAMEMONITORING".to_owned(), always)),
        Stage::Refused { .. } | Stage::Closed { .. } | Stage::Pruned => return None,
        Stage::Planned(_) if !grant.is_open() => return None,
        Stage::Planned(plan) => plan,
    };
    let Some(server) = config.server(&plan.vote.server) else {
        let gone = format!("a server that rewards.yaml does not have ({})", plan.vote.server);
        return Some((gone, always));
    };
    let needs_player = |award: &Award| award.next_step().is_some_and(|step| step.needs_player);
    let by_itself = |award: &Award| match award.state {
        AwardState::Planned => !needs_player(award),
        AwardState::Sending => true,
        AwardState::InDoubt { .. } => award.awaits_receipt(),
        AwardState::Done | AwardState::Refused { .. } | AwardState::Closed => false,
    };
    let planned = |award: &Award| award.state == AwardState::Planned;
    let at_most = match hindrance(server) {
        Some(Hindrance::Paused(_)) => return None,
        _ if plan.awards.iter().any(by_itself) => always,
        Some(Hindrance::Down(down)) if plan.awards.iter().any(planned) => {
            down.since.elapsed().try_into().unwrap_or(always)
        }
        Some(Hindrance::Down(_)) | None => return None,
    };
    Some((server.name.clone(), at_most))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::config::Notify;
    use crate::dispatch::contact::Down;
    use crate::dispatch::servers::Paused;
    use crate::domain::award::Receipt;
    use crate::domain::counter::{Count, Scoped};
    use crate::domain::event::REPLAY;
    use crate::domain::player::PlayerName;
    use crate::domain::reward::{InDoubtRule, ReceiptRule};
    use crate::domain::standing::Wait;
    use crate::domain::template::Template;
    use crate::domain::vote::Vote;
    use crate::report::notify::gather::tests::config;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// An award with one step.
    fn award(needs_player: bool, state: AwardState) -> Award {
        let step = Step {
            serial: 0,
            command: "give Steve minecraft:diamond 1".to_owned(),
            needs_player,
            optional: false,
            in_doubt: InDoubtRule::Hold,
            receipts: ReceiptRule::Never,
            receipt: Receipt::None,
            finished: None,
            finished_at: None,
            doubt: None,
        };
        Award { state, ..Award::new("daily", vec![step]) }
    }

    fn plan(player: &str, server: ServerRef, awards: Vec<Award>) -> Plan {
        Plan {
            vote: Vote { nickname: player.to_owned(), server, user_id: Some(42), created_at: None },
            player: PlayerName::parse(player, None).unwrap(),
            order: 1,
            planned_at: at(0),
            voted_at: date(2026, 12, 24).at(18, 0, 0, 0),
            count: Scoped { server: Count { votes: 7, ..Count::default() }, network: Count::default() },
            verdicts: Vec::new(),
            awards,
            next_serial: 1,
        }
    }

    fn grant(id: &str, received: i64, stage: Stage) -> Grant {
        Grant { stage, ..Grant::received(EventKey::new(SERVER_VOTE, id), at(received)) }
    }

    fn planned(id: &str, received: i64, server: u64, awards: Vec<Award>) -> Grant {
        grant(id, received, Stage::Planned(Box::new(plan("Steve", ServerRef::Id(server), awards))))
    }

    fn in_doubt() -> AwardState {
        AwardState::InDoubt { reason: "nobody knows".to_owned(), since: at(0) }
    }

    fn oldest<'g>(
        grants: impl Iterator<Item = &'g Grant>,
        hindrance: impl Fn(&GameServer) -> Option<Hindrance>,
        now: i64,
    ) -> Option<Oldest> {
        let (config, mut queue) = (config(Notify::default()), Queue::default());
        grants.for_each(|grant| queue.add(grant, &config, &hindrance, at(now)));
        queue.oldest()
    }

    #[test]
    fn what_waits_for_its_player_or_for_its_owner_is_not_in_the_queue() {
        let fetched = Stage::Received { attempts: 1, elapsed: 0, retried: false, why: None };
        let refused = Stage::Refused { reason: String::new(), vote: None, until_retried: false, since: None };
        let calm = [
            planned("e-player", 0, 1, vec![award(true, AwardState::Planned)]),
            planned("e-doubt", 0, 1, vec![award(false, in_doubt())]),
            planned("e-done", 0, 9, vec![award(false, AwardState::Done), award(false, AwardState::Closed)]),
            grant("e-refused", 0, refused),
        ];
        let well = |_: &GameServer| None;
        assert_eq!(oldest(calm.iter(), well, 100), None);
        let both = vec![award(true, AwardState::Planned), award(false, AwardState::Sending)];
        let waiting = [
            (grant("e-api", 90, fetched), "e-api waits for the API of GAMEMONITORING", 10),
            (planned("e-turn", 70, 1, both), "e-turn of Steve waits for survival", 30),
            (
                planned("e-gone", 80, 9, vec![award(true, AwardState::Planned)]),
                "e-gone of Steve waits for a server that rewards.yaml does not have (server id 9)",
                20,
            ),
        ];
        for (grant, what, age) in &waiting {
            let alone = oldest(calm.iter().chain([grant]), well, 100).unwrap();
            assert_eq!((alone.what.as_str(), alone.age.as_secs(), alone.waiting), (*what, *age, 1));
        }
        let all = oldest(waiting.iter().map(|(grant, ..)| grant), well, 0).unwrap();
        assert_eq!((all.what.as_str(), all.age, all.waiting), (waiting[1].1, Duration::ZERO, 3));
        let paused = |_: &GameServer| Some(Hindrance::Paused(Paused::Hold));
        assert_eq!(oldest([&waiting[1].0].into_iter(), paused, 100), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_needs_a_player_waits_for_the_server_while_that_is_down() {
        let grants = [
            planned("e-player", 0, 1, vec![award(true, AwardState::Planned)]),
            planned("e-doubt", 0, 1, vec![award(true, in_doubt())]),
            planned("e-late", 95, 1, vec![award(true, AwardState::Planned)]),
        ];
        let down = Down { why: "is away".to_owned(), wait: Wait::Server, since: Instant::now() };
        advance(Duration::from_secs(10)).await;
        let down = |_: &GameServer| Some(Hindrance::Down(down.clone()));
        let found = oldest(grants.iter(), down, 100).unwrap();
        assert_eq!(found.what, "e-player of Steve waits for survival");
        assert_eq!((found.age.as_secs(), found.waiting), (10, 2), "not for the time before");
        let late = oldest(grants[2..].iter(), down, 100).unwrap();
        assert_eq!(late.age.as_secs(), 5);
    }

    #[test]
    fn a_vote_is_announced_in_the_owners_markdown_with_names_as_text() {
        let text = "**{player}** {server_id} {votes} {user_id} {date} {vote_id}";
        let announce = Announce { hooks: Vec::new(), text: Template::parse(text, &BTreeSet::new()).0 };
        let config = config(Notify::default());
        let said = |event_type: &str, server: ServerRef| {
            let event = EventKey::new(event_type, "e_1");
            announced(&event, &plan("_a_", server, Vec::new()), &config.servers[0], &announce).unwrap()
        };
        let expected = Some(r"**\_a\_** 1 7 42 2026-12-24 e\_1".to_owned());
        assert_eq!(said(SERVER_VOTE, ServerRef::Id(1)), expected);
        assert_eq!(said(TEST_VOTE, ServerRef::Name("survival".to_owned())), expected);
        assert_eq!(said(REPLAY, ServerRef::Id(1)), None, "nobody has voted just now");
    }

    #[test]
    fn what_only_a_retry_reopens_names_it() {
        let event = EventKey::new(SERVER_VOTE, "e-1");
        let plan = plan("Steve", ServerRef::Id(1), Vec::new());
        let refused = Award { until_retried: true, ..award(true, AwardState::Planned) };
        let line = award_refused(&event, &plan, &refused, "survival", "No.");
        assert_eq!(line.which, "Steve, reward daily, vote e-1; votive retry e-1");
        let line = vote_refused(&event, "a\nb", "No.", true);
        assert_eq!(line.which, r#""a\nb", vote e-1; votive retry e-1"#);
        assert_eq!(vote_refused(&event, "", "No.", false).which, "vote e-1");
    }
}
