//! Where the real binary does not get to, or not without waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock};

use super::*;
use crate::domain::act::{Act, Deed};
use crate::domain::arrival::{Claim, Kind, Refusals};
use crate::domain::award::AwardFact;
use crate::domain::calendar::Calendar;
use crate::domain::counter::Scoped;
use crate::domain::event::{EventKey, SERVER_VOTE};
use crate::domain::grant::Fact;
use crate::domain::outline;
use crate::domain::plan::Planning;
use crate::domain::receipt::Reading;
use crate::domain::reward::{Command, InDoubtRule, ReceiptRule, Reward, Target};
use crate::domain::rule::Rule;
use crate::domain::template::Template;
use crate::domain::vote::{ServerRef, Vote};

const START: Timestamp = Timestamp::constant(1_000, 0);
static CALENDAR: LazyLock<Calendar> = LazyLock::new(Calendar::default);
static VALUES: BTreeMap<String, String> = BTreeMap::new();

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START.as_second() + seconds).unwrap()
}

/// A reward of these commands, which all need the player.
fn reward(name: &str, commands: &[&str], in_doubt: InDoubtRule) -> Arc<Reward> {
    let command = |run: &&str| Command {
        run: Template::parse(run, &BTreeSet::new()).0,
        require_online: true,
        optional: false,
        in_doubt: Some(in_doubt),
        receipt: None,
    };
    let commands = commands.iter().map(command).collect();
    Arc::new(Reward { name: name.to_owned(), commands, ..Reward::default() })
}

fn received(event_type: &str) -> Grant {
    Grant::received(EventKey::new(event_type, "e-1"), START)
}

/// A vote of Steve that is planned with these rewards.
fn planned(rewards: &[Arc<Reward>]) -> Grant {
    let target = Target {
        name: "survival",
        in_doubt: InDoubtRule::Hold,
        receipts: ReceiptRule::Auto,
        rewards,
        bedrock_prefix: None,
        counted_as: &ServerRef::Id(1),
        calendar: &CALENDAR,
        values: &VALUES,
    };
    let planning = Planning { target: Some(target), order: 1, counters: Scoped::default() };
    let vote =
        Vote { nickname: "Steve".to_owned(), server: ServerRef::Id(1), user_id: None, created_at: None };
    received(SERVER_VOTE).apply(Fact::Fetched { vote, planning, restored_at: None }, at(1)).unwrap()
}

fn daily() -> Grant {
    planned(&[reward("daily", &["give {player} diamond 1", "give {player} emerald 1"], InDoubtRule::Hold)])
}

/// The grant after facts about one of its awards, one each second.
fn after(grant: &Grant, award: usize, facts: &[AwardFact]) -> Grant {
    let apply = |grant: Grant, (fact, second): (&AwardFact, i64)| {
        grant.apply(Fact::Award(award, fact.clone()), at(second)).unwrap()
    };
    facts.iter().zip(2..).fold(grant.clone(), apply)
}

fn intent(announced: bool) -> AwardFact {
    AwardFact::Intent { announced_to: announced.then(|| "127.0.0.1:1".to_owned()) }
}

fn ran() -> AwardFact {
    AwardFact::Ran { reply: "Gave 3 [Diamond] to Steve".to_owned() }
}

fn no_outcome() -> AwardFact {
    AwardFact::NoOutcome { reason: "the connection broke".to_owned() }
}

fn story_in(grant: &Grant, wait: Wait, down: Option<Down<'_>>, arrivals: &[Arrival]) -> Story {
    let wait = move |_: &Award, _: &PlayerName| wait;
    let circumstances = Circumstances {
        now: at(100),
        server: Some("survival"),
        replies: Some(&ReplyRules::default()),
        bedrock_prefix: None,
        wait: &wait,
        down,
        pause: None,
        arrivals,
    };
    Story::of(grant, &circumstances)
}

fn story(grant: &Grant, wait: Wait) -> Story {
    story_in(grant, wait, None, &[])
}

fn story_after(grant: &Grant, arrivals: &[Arrival]) -> Story {
    story_in(grant, Wait::Turn, None, arrivals)
}

fn texts(story: &Story) -> Vec<&str> {
    story.timeline.iter().map(|moment| moment.text.as_str()).collect()
}

fn told(story: &Story) -> Vec<(u64, CommandState, &str)> {
    story.commands.iter().map(|command| (command.number, command.state, command.told.as_str())).collect()
}

#[test]
fn every_reward_has_its_verdict_and_every_command_its_line() {
    let never = Reward { rules: vec![Rule::EveryVotes(NonZeroU64::MAX)], ..Reward::default() };
    let never = Arc::new(Reward { name: "never".to_owned(), ..never });
    let grant = planned(&[
        never,
        reward("one", &["say 1"], InDoubtRule::Hold),
        reward("two", &["say 2", "say 3"], InDoubtRule::Hold),
    ]);
    let story = story(&grant, Wait::Turn);
    let verdicts: Vec<_> =
        story.verdicts.iter().map(|verdict| (verdict.reward.as_str(), verdict.applies)).collect();
    assert_eq!(verdicts, [("never", false), ("one", true), ("two", true)]);
    let commands: Vec<_> = story.commands.iter().map(|c| (c.number, c.command.as_str())).collect();
    assert_eq!(commands, [(1, "say 1"), (2, "say 2"), (3, "say 3")]);
    assert_eq!(story.awaited, ["its turn on survival"], "once, for both rewards");
    assert_eq!(story.next, ["Nothing: it goes on by itself."]);
    let down = story_in(&grant, Wait::Server, None, &[]);
    assert_eq!((down.awaited.len(), down.next.len()), (1, 2), "so is what to do: {:?}", down.next);
}

#[test]
fn rewards_that_stand_differently_are_told_apart() {
    let mut grant = planned(&[
        reward("done", &["say 1"], InDoubtRule::Hold),
        reward("typo", &["say 2"], InDoubtRule::Hold),
        reward("lost", &["say 3"], InDoubtRule::Hold),
        reward("late", &["say 4"], InDoubtRule::Hold),
    ]);
    let rejected =
        AwardFact::Rejected { reason: "The game said no. Mend it.".to_owned(), reply: String::new() };
    grant = after(&grant, 0, &[intent(false), ran()]);
    grant = after(&grant, 1, &[intent(false), rejected]);
    grant = after(&grant, 2, &[intent(false), no_outcome()]);
    let story = story(&grant, Wait::Player);
    assert_eq!(
        story.summary,
        "Steve got done on survival. Nobody knows whether a command of lost ran on survival. The game said no. Steve has not got all of late yet: waiting for the player."
    );
    assert_eq!(story.state, State::Grant(outline::State::InDoubt));
    assert_eq!(
        story.awaited,
        ["you, to say whether command 3 (lost) ran", "Steve to come online on survival"]
    );
    assert_eq!(story.next[0], "Mend it.");
    assert!(story.next.contains(&"If it ran: votive resolve e-1 --step 3 --ran".to_owned()), "{story:?}");
    assert!(
        !story.next.iter().any(|next| next.starts_with("Nothing")),
        "there is something to do: {story:?}"
    );
}

#[test]
fn a_command_on_its_way_and_one_whose_receipt_is_awaited() {
    let sending = story(&after(&daily(), 0, &[intent(false)]), Wait::Turn);
    assert_eq!(sending.awaited, ["the answer of survival to command 1 (daily)"]);
    assert_eq!(told(&sending)[0], (1, CommandState::Sending, "sent; survival has not answered yet"));
    assert_eq!(
        (sending.state, sending.next[0].as_str()),
        (State::Grant(outline::State::Waiting), "Nothing: it goes on by itself.")
    );

    let doubtful = after(&daily(), 0, &[intent(true), no_outcome()]);
    let down = Down { why: "does not answer", since: at(50) };
    let awaits = story_in(&doubtful, Wait::Server, Some(down), &[]);
    assert_eq!(
        awaits.awaited,
        ["the receipt of command 1 (daily), and so for survival to come back; it does not answer"]
    );
    assert_eq!(awaits.state, State::Grant(outline::State::Waiting));
    assert!(!awaits.next.iter().any(|next| next.contains("resolve")), "the receipt will tell: {awaits:?}");
    assert_eq!(texts(&awaits).last(), Some(&"From here on, survival could not be used."));
    let read = after(&doubtful, 0, &[AwardFact::Read(Reading::Ran)]);
    assert_eq!(told(&story(&read, Wait::Turn))[0].2, "ran, as its receipt in the game has shown");
}

#[test]
fn what_a_command_has_been_through() {
    let repeated = planned(&[reward("daily", &["say 1"], InDoubtRule::Repeat)]);
    let repeated = after(&repeated, 0, &[intent(false), no_outcome()]);
    let told_of = |grant: &Grant| told(&story(grant, Wait::Turn))[0].2.to_owned();
    assert_eq!(
        told_of(&repeated),
        "to be sent; waits for its turn on survival; it was sent once before without an outcome, and is repeated as in_doubt says"
    );
    let offline = [intent(false), AwardFact::Offline, intent(false), AwardFact::Offline];
    assert_eq!(
        told_of(&after(&daily(), 0, &offline)),
        "to be sent; waits for its turn on survival; survival has said 2 times that the player is not online"
    );
    let skipped = planned(&[reward("daily", &["say 1"], InDoubtRule::Skip)]);
    let skipped = story(&after(&skipped, 0, &[intent(false), no_outcome()]), Wait::Turn);
    assert_eq!(told(&skipped)[0], (1, CommandState::PassedOver, "passed over: the connection broke"));
    assert_eq!(texts(&skipped).last(), Some(&"Command 1 (daily) was passed over: the connection broke."));
    assert_eq!(skipped.state, State::Grant(outline::State::Granted));
}

#[test]
fn what_is_cancelled_in_doubt_says_so() {
    let grant = after(&daily(), 0, &[intent(false), no_outcome(), AwardFact::Cancelled]);
    let acted = grant.acted(Act { at: at(9), uid: 1000, deed: Deed::Cancelled });
    let story = story(&acted, Wait::Turn);
    let doubt = "cancelled while nobody knew whether it had run: the connection broke";
    assert_eq!(told(&story)[0], (1, CommandState::Unknown, doubt));
    assert_eq!(texts(&story).last(), Some(&"The user 1000 cancelled what was still to come."));
    assert_eq!(story.next, ["If the player should get daily after all: votive retry e-1"]);
}

/// Where the receipt was lost before anybody knew whether the command had run, it says nothing about the world of today.
#[test]
fn what_an_operator_has_settled_is_not_told_as_forgotten() {
    let one = planned(&[reward("daily", &["give {player} diamond 1"], InDoubtRule::Hold)]);
    let lost = [intent(true), no_outcome(), AwardFact::Read(Reading::Missing)];
    let settled = after(&one, 0, &[&lost[..], &[AwardFact::Settled { ran: true }]].concat());
    let settled = story(&settled, Wait::Turn);
    assert_eq!(settled.summary, "Steve got daily on survival.");
    assert_eq!(settled.next, ["Nothing."]);
    assert_eq!(told(&settled)[0].2, "ran, as an operator has said");

    let forgotten = after(&one, 0, &[intent(true), ran(), AwardFact::Lost { serial: 0 }]);
    let forgotten = story(&forgotten, Wait::Turn);
    assert_eq!(
        forgotten.summary,
        "Steve got daily on survival. But the world of survival has gone back to a time before daily."
    );
    assert_eq!(
        forgotten.next,
        [
            "Look in the game what Steve still has of daily.",
            "To issue again what is gone: votive replay --server survival --player Steve --reward daily --since 1970-01-01T00:16:43Z --until 1970-01-01T00:16:43.000000001Z"
        ]
    );
}

/// Nobody can deliver what the platform does not, and a replay sends what it sends.
#[test]
fn what_is_refused_has_advice_that_can_be_followed() {
    let refused = |grant: &Grant| {
        let reason = "survival refused the reward daily: x. Correct it, reload Votive and deliver again.";
        let rejected = AwardFact::Rejected { reason: reason.to_owned(), reply: String::new() };
        story(&after(grant, 0, &[intent(false), rejected]), Wait::Turn).next
    };
    let retry = "To try it again without a delivery: votive retry e-1";
    assert_eq!(refused(&daily()), ["Correct it, reload Votive and deliver again.", retry]);
    let test_vote = Grant { event: EventKey::new(TEST_VOTE, "e-1"), ..daily() };
    assert_eq!(refused(&test_vote), ["Mend that in rewards.yaml. Then: votive reload", retry]);
    let replay = EventKey::new(REPLAY, "e-1");
    let replay = Grant { event: replay, replays: Some(EventKey::new(SERVER_VOTE, "e-0")), ..daily() };
    assert_eq!(
        refused(&replay),
        [
            "It sends the commands as they were, whatever rewards.yaml says now. Run what is missing by hand.",
            "Then, to have done with it: votive cancel e-1"
        ]
    );
}

#[test]
fn a_start_on_hold_was_nobodys_pause() {
    let story = story(&daily(), Wait::Resumption);
    assert_eq!(story.awaited, ["somebody to resume survival; Votive was started with --hold"]);
    assert_eq!(story.next, ["To let it go on: votive resume survival"]);
}

#[test]
fn what_is_not_fetched_tells_how_often_the_api_was_asked() {
    let failed = |grant: &Grant| {
        let why = "the API answered 503".to_owned();
        grant.apply(Fact::FetchFailed { seconds: 1, why }, at(1)).unwrap()
    };
    let mut grant = received(SERVER_VOTE);
    let api = "GAMEMONITORING's API to tell the vote";
    assert_eq!(story(&grant, Wait::Turn).awaited, [format!("{api}; it is being asked")]);
    for _ in 0..5 {
        grant = failed(&grant);
    }
    let failing = story(&grant, Wait::Turn);
    assert_eq!(
        failing.awaited,
        [format!("{api}; it was asked 5 times, the last time: the API answered 503")]
    );
    assert!(failing.next[0].starts_with("Nothing") && failing.next[1].ends_with("votive check --online"));
    let closed = grant.apply(Fact::Cancelled, at(2)).unwrap();
    let closed = story(&closed, Wait::Turn);
    assert_eq!((closed.state, closed.player), (State::Grant(outline::State::Closed), None));
    assert_eq!(closed.next, ["If the player should get it after all: votive retry e-1"]);
}

fn arrival(second: i64, kind: Kind) -> Arrival {
    let claim = Claim::of(Some("e-1"), Some(SERVER_VOTE));
    let status = if matches!(kind, Kind::Refused(_)) { 401 } else { 204 };
    Arrival { at: at(second), claim, kind, status }
}

fn forged() -> Kind {
    Kind::Refused("forged".to_owned())
}

#[test]
fn many_deliveries_of_one_vote_are_not_told_one_by_one() {
    let mut arrivals: Vec<Arrival> = (-1..30).map(|second| arrival(second, Kind::Vote)).collect();
    arrivals.extend((30..60).map(|second| arrival(second, forged())));
    let grant = received(SERVER_VOTE);
    let story = story_after(&grant, &arrivals);
    let texts = texts(&story);
    assert_eq!(texts.len(), 1 + 1 + 10 + 1, "{texts:#?}");
    assert_eq!(texts[0], "The delivery arrived and was answered with 204.");
    assert_eq!(texts[1], "Delivered again, 20 times until the next line.");
    let last = "The last of 30 deliveries with this id that led to nothing was answered with 401. forged";
    assert_eq!(texts[12], last);
}

#[test]
fn a_delivery_of_an_earlier_run_is_known_from_the_ledger() {
    let arrivals = [arrival(6, Kind::Vote)];
    let grant = after(&daily(), 0, &[intent(false), ran(), intent(false), ran()]);
    let told = |arrivals: &[Arrival]| {
        let story = story_after(&grant, arrivals);
        texts(&story).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&arrivals)[0], "The delivery arrived.");
    assert_eq!(told(&arrivals)[4], "Delivered again and answered with 204; nothing was issued twice.");
    assert!(!told(&[arrival(4, Kind::Vote)]).concat().contains("twice"), "it was not finished by then");
}

#[test]
fn a_test_delivery_that_borrows_an_id_is_none_of_the_vote() {
    let arrivals = [arrival(-1, Kind::Test)];
    let grant = received(SERVER_VOTE);
    let story = story_after(&grant, &arrivals);
    let test = "A test delivery with this id was answered with 204.";
    assert_eq!(texts(&story), [test, "The delivery arrived."]);
}

#[test]
fn a_good_delivery_says_more_of_an_event_than_forged_ones_after_it() {
    let arrivals = [arrival(1, Kind::Test), arrival(2, forged())];
    let story = Story::of_arrivals("e-1", &arrivals).unwrap();
    assert_eq!((story.state, story.timeline.len()), (State::Test, 2));
    assert_eq!(Story::of_arrivals("e-1", &[]), None);
    let unrecorded = Story::of_arrivals("e-1", &[arrival(1, Kind::Vote)]).unwrap();
    assert_eq!((unrecorded.state, unrecorded.next.len()), (State::NotAccepted, 1));
}

#[test]
fn votes_that_may_be_anybodys_are_named_up_to_a_number() {
    let notes = |newest: &[&str], total| {
        let nameless = Nameless { newest: newest.iter().map(ToString::to_string).collect(), total };
        let besides = Besides { alike: &[], refusals: &Refusals::default(), nameless: &nameless, now: START };
        besides.of_player().concat()
    };
    assert_eq!(notes(&[], 0), "");
    assert!(notes(&["a"], 1).contains("whose the vote a is"));
    assert!(notes(&["a", "b"], 2).ends_with("the player's as well: a and b."));
    assert!(notes(&["a", "b"], 9).ends_with("The newest: a and b."));
}

#[test]
fn a_nickname_with_the_usual_prefix_may_be_a_bedrock_players() {
    let next = |nickname: &str| {
        let reason = "The vote has no player to reward: no.".to_owned();
        let vote = Vote { nickname: nickname.to_owned(), ..daily().vote().unwrap().clone() };
        let stage = Stage::Refused { reason, vote: Some(vote), until_retried: false, since: Some(at(2)) };
        story(&Grant { stage, ..received(SERVER_VOTE) }, Wait::Turn).next.concat()
    };
    assert!(next(".Steve").contains("bedrock_prefix to '.'") && next(".Steve").contains("votive retry e-1"));
    assert!(next("@a").contains("can be given to nobody") && !next("@a").contains("bedrock"));
    assert!(next("Steve").contains("rewards.yaml has changed since"));
}

#[test]
fn a_refusal_that_says_nothing_of_what_to_do_is_mended_in_the_file() {
    let rejected = AwardFact::Rejected { reason: "It is gone.".to_owned(), reply: "no".to_owned() };
    let refused = story(&after(&daily(), 0, &[intent(false), rejected]), Wait::Turn);
    assert_eq!(refused.next[0], "Mend that in rewards.yaml. Then: votive reload");
    assert_eq!(refused.commands[0].reply.as_deref(), Some("no"));
    assert_eq!(told(&refused)[1], (2, CommandState::NotSent, "not sent"));
}
