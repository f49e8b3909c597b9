//! What the operator can do to a grant: cancel it, try it again, have it issued again; and how it stands then.

use jiff::Timestamp;
use votive::domain::act::{Act, Deed};
use votive::domain::award::{AwardFact, AwardState, Finish, Receipt, Step};
use votive::domain::doubts::Doubts;
use votive::domain::event::{EventKey, REPLAY, TEST_VOTE};
use votive::domain::grant::{Action, Fact, Grant, Stage};
use votive::domain::outline::{Awaited, State};
use votive::domain::receipt::Reading;
use votive::domain::replay::{Replay, Selection};
use votive::domain::standing::{self, Standing, Wait};

use crate::{
    ANYTIME, INTENT, PLAIN, Shape, apply, facts, fetched, planned, planning, ran, received, rejected, reward,
    state, target,
};

/// What was in doubt in one place must not be in doubt in another, or it could be sent again there.
#[test]
fn what_was_cancelled_in_doubt_is_tried_again_only_with_its_command_in_its_place() {
    let doubt = AwardFact::NoOutcome { reason: "?".to_owned() };
    let old = [reward("a", &[("say 1", ANYTIME), ("say 2", ANYTIME), ("say 3", ANYTIME)])];
    let closed = facts(&planned(&old), 0, &[INTENT, ran(), INTENT, doubt, AwardFact::Cancelled]);
    let again = |commands: &[&str]| {
        let commands: Vec<(&str, Shape)> = commands.iter().map(|command| (*command, ANYTIME)).collect();
        let rewards = [reward("a", &commands)];
        state(&apply(&closed, Fact::Retried(planning(target(&rewards), 9))))
    };
    assert_eq!(again(&["say 1", "say 2", "say 3"]), "in doubt");
    assert_eq!(again(&["say 1", "say 2", "other"]), "in doubt");
    for moved in [&["say 1", "new", "say 2"][..], &["say 1", "say 3"], &["say 1"]] {
        assert_eq!(again(moved), "refused", "{moved:?}");
    }
    let moved = [reward("a", &[("say 1", ANYTIME), ("new", ANYTIME), ("say 2", ANYTIME)])];
    let refused = apply(&closed, Fact::Retried(planning(target(&moved), 9)));
    let once_more = apply(&refused, Fact::Redelivered(planning(target(&old), 9)));
    assert_eq!(state(&once_more), "in doubt", "the doubt is still known");
}

#[test]
fn a_vote_that_is_cancelled_before_it_was_planned_is_closed_until_it_is_retried() {
    let rewards = [reward("a", &[("x", ANYTIME)])];
    let again = || planning(target(&rewards), 9);
    let closed = apply(&received(), Fact::Cancelled);
    assert_eq!((closed.stage.clone(), closed.actions()), (Stage::Closed { vote: None }, vec![]));
    assert!(closed.apply(fetched("Steve", target(&rewards), 0), Timestamp::UNIX_EPOCH).is_err());
    assert_eq!(apply(&closed, Fact::Redelivered(again())), closed);
    assert_eq!(apply(&closed, Fact::Retried(again())).actions(), [Action::Fetch]);
    let refused = apply(&received(), fetched("Steve", None, 0));
    let closed = apply(&refused, Fact::Cancelled);
    assert_eq!(apply(&closed, Fact::Redelivered(again())), closed);
    assert_eq!(apply(&closed, Fact::Retried(again())).plan().unwrap().order, 9);
    for grant in [&closed, &apply(&closed, Fact::Pruned)] {
        assert!(grant.apply(Fact::Cancelled, Timestamp::UNIX_EPOCH).is_err());
    }
    assert!(received().apply(Fact::Pruned, Timestamp::UNIX_EPOCH).is_err());
    assert!(refused.apply(Fact::Pruned, Timestamp::UNIX_EPOCH).is_err());
    let pruned = apply(&closed, Fact::Pruned);
    assert_eq!(apply(&pruned, Fact::Redelivered(again())), pruned);
    assert!(pruned.apply(Fact::Retried(again()), Timestamp::UNIX_EPOCH).is_err());
    assert_eq!(standing::of(&pruned, "", |_, _| Wait::Turn), Standing::Granted);
}

#[test]
fn nothing_is_cancelled_while_a_command_is_on_its_way() {
    let rewards = [reward("a", &[("x", ANYTIME)]), reward("b", &[("y", ANYTIME)])];
    let sending = facts(&planned(&rewards), 0, &[INTENT]);
    assert!(sending.is_being_sent() && sending.apply(Fact::Cancelled, Timestamp::UNIX_EPOCH).is_err());
    let ran = facts(&sending, 0, &[ran()]);
    let cancelled = apply(&ran, Fact::Cancelled);
    let states: Vec<_> = cancelled.plan().unwrap().awards.iter().map(|award| award.state.clone()).collect();
    assert_eq!(states, [AwardState::Done, AwardState::Closed]);
    assert!(cancelled.apply(Fact::Cancelled, Timestamp::UNIX_EPOCH).is_err());
}

#[test]
fn only_a_retry_reopens_what_was_closed() {
    let rewards = [reward("a", &[("x", ANYTIME)])];
    let closed = facts(&planned(&rewards), 0, &[AwardFact::Cancelled]);
    assert_eq!(state(&closed), "closed");
    let grant = apply(&closed, Fact::Retried(planning(target(&rewards), 9)));
    assert_eq!(state(&grant), "planned");
}

#[test]
fn what_a_receipt_will_tell_is_asked_of_nobody_unless_it_is_named_or_all_that_there_is() {
    let rewards = [reward("told", &[("give {player} x", PLAIN)]), reward("asked", &[("y", ANYTIME)])];
    let announced = AwardFact::Intent { announced_to: Some("127.0.0.1:25575".to_owned()) };
    let doubt = AwardFact::NoOutcome { reason: "?".to_owned() };
    let told = facts(&planned(&rewards), 0, &[announced, doubt.clone()]);
    let both = facts(&told, 1, &[INTENT, doubt]);
    let of = |grant: &Grant, doubts: Doubts<'_>| -> Vec<usize> {
        doubts.of(grant).into_iter().map(|(index, ..)| index).collect()
    };
    assert_eq!(of(&told, Doubts::default()), [0]);
    assert_eq!(of(&both, Doubts::default()), [1]);
    assert_eq!(of(&both, Doubts { all: true, ..Doubts::default() }), [1]);
    assert_eq!(of(&both, Doubts { reward: Some("told"), ..Doubts::default() }), [0]);
    assert_eq!(of(&both, Doubts { serial: Some(0), ..Doubts::default() }), [0]);
    assert!(of(&both, Doubts { reward: Some("told"), serial: Some(1), all: false }).is_empty());
}

/// Something at a time.
fn at(grant: &Grant, second: i64, award: usize, steps: &[AwardFact]) -> Grant {
    let now = Timestamp::from_second(second).unwrap();
    let apply = |grant: Grant, fact: &AwardFact| grant.apply(Fact::Award(award, fact.clone()), now).unwrap();
    steps.iter().fold(grant.clone(), apply)
}

/// Two rewards: of the first, a step ran after 10 seconds, one after 20, and one is still to come; of the second, one was
/// passed over, and one ran after 30.
fn issued() -> Grant {
    let optional = Shape { optional: true, ..ANYTIME };
    let rewards = [
        reward("a", &[("say 1", ANYTIME), ("say 2", ANYTIME), ("give {player} x", PLAIN)]),
        reward("b", &[("say 3", optional), ("say 4", ANYTIME)]),
    ];
    let grant = at(&planned(&rewards), 10, 0, &[INTENT, ran()]);
    let doubt = AwardFact::NoOutcome { reason: "?".to_owned() };
    let grant = at(&grant, 20, 0, &[INTENT, doubt, AwardFact::Settled { ran: true }]);
    let grant = at(&grant, 25, 1, &[INTENT, rejected()]);
    let announced = AwardFact::Intent { announced_to: Some("127.0.0.1:25575".to_owned()) };
    let silent = AwardFact::NoOutcome { reason: "?".to_owned() };
    at(&grant, 30, 1, &[announced, silent, AwardFact::Read(Reading::Ran)])
}

fn all() -> Selection {
    Selection { issued: Timestamp::MIN..Timestamp::MAX, player: None, reward: None, again: false }
}

fn between(first: i64, end: i64) -> Selection {
    Selection {
        issued: Timestamp::from_second(first).unwrap()..Timestamp::from_second(end).unwrap(),
        ..all()
    }
}

/// The original and its replay.
fn replayed(grant: &Grant, selection: &Selection) -> (Grant, Grant) {
    let replay = grant.replay(selection, None, 1_000, Timestamp::from_second(100).unwrap());
    *replay.again.unwrap_or_else(|| panic!("{} are left out", replay.before))
}

fn commands(grant: &Grant) -> Vec<(&str, Vec<&str>)> {
    let awards = grant.plan().unwrap().awards.iter();
    awards
        .map(|award| (award.reward.as_str(), award.steps.iter().map(|step| step.command.as_str()).collect()))
        .collect()
}

#[test]
fn a_replay_takes_what_ran_at_that_time_as_it_was() {
    let grant = issued();
    let of = |selection: &Selection| {
        let (_, replay) = replayed(&grant, selection);
        commands(&replay)
            .into_iter()
            .map(|(reward, steps)| format!("{reward}: {}", steps.join(", ")))
            .collect::<Vec<_>>()
    };
    // What is passed over may not have run, and what is still to come did not.
    assert_eq!(of(&all()), ["a: say 1, say 2", "b: say 4"]);
    assert_eq!(of(&between(10, 20)), ["a: say 1"], "the end of the time is not part of it");
    assert_eq!(of(&between(20, 31)), ["a: say 2", "b: say 4"]);
    assert_eq!(of(&Selection { reward: Some("b".to_owned()), ..all() }), ["b: say 4"]);
    assert_eq!(of(&Selection { player: Some("steve".to_owned()), ..all() }).len(), 2);
    for nothing in [
        between(31, 99),
        between(0, 10),
        Selection { reward: Some("c".to_owned()), ..all() },
        Selection { player: Some("alex".to_owned()), ..all() },
    ] {
        assert_eq!(grant.replay(&nothing, None, 0, Timestamp::UNIX_EPOCH), Replay::default(), "{nothing:?}");
    }
}

#[test]
fn a_replay_is_a_grant_of_its_own_that_was_never_sent_and_counts_nothing() {
    let grant = issued();
    let (original, replay) = replayed(&grant, &all());
    assert_eq!((original.stage.clone(), original.event.clone()), (grant.stage.clone(), grant.event.clone()));
    let deed = Deed::Replayed { event_id: replay.event.event_id.clone(), serials: vec![0, 1, 4] };
    let now = Timestamp::from_second(100).unwrap();
    assert_eq!(original.acts, [Act { at: now, uid: 1_000, deed }]);
    assert_eq!((replay.event.event_type.as_str(), &replay.replays), (REPLAY, &Some(grant.event.clone())));
    let asked_for = Act { at: now, uid: 1_000, deed: Deed::AskedFor };
    assert_eq!((replay.received_at, &replay.acts), (now, &vec![asked_for]));
    let plan = replay.plan().unwrap();
    assert_eq!((plan.next_serial, &plan.count), (3, &grant.plan().unwrap().count));
    let steps: Vec<&Step> = plan.awards.iter().flat_map(|award| &award.steps).collect();
    assert_eq!(steps.iter().map(|step| step.serial).collect::<Vec<_>>(), [0, 1, 2]);
    let unsent =
        |step: &&Step| step.finished.is_none() && step.receipt == Receipt::None && step.doubt.is_none();
    assert!(steps.iter().all(unsent), "{steps:?}");
    assert!(plan.awards.iter().all(|award| award.state == AwardState::Planned));
    assert_eq!(replay.actions(), [Action::Queue(0), Action::Queue(1)]);
}

#[test]
fn what_was_issued_again_is_passed_over_unless_that_is_asked_for() {
    let grant = issued();
    let (once, first) = replayed(&grant, &all());
    let (_, same) = replayed(&grant, &all());
    assert_eq!(first.event, same.event, "the same replay has the same event, however often it is begun");
    for selection in [all(), between(20, 31)] {
        let replay = once.replay(&selection, None, 0, Timestamp::UNIX_EPOCH);
        assert!(replay.again.is_none() && replay.before > 0, "{replay:?}");
    }
    let nothing = once.replay(&between(31, 99), None, 0, Timestamp::UNIX_EPOCH);
    assert_eq!(nothing, Replay::default());
    // Another part of it was not.
    let (part, _) = replayed(&grant, &between(10, 20));
    let rest = part.replay(&all(), None, 0, Timestamp::UNIX_EPOCH);
    let both = rest.again.unwrap();
    assert_eq!((commands(&both.1), rest.before), (vec![("a", vec!["say 2"]), ("b", vec!["say 4"])], 1));
    let whole = both.0.replay(&all(), None, 0, Timestamp::UNIX_EPOCH);
    assert_eq!(whole, Replay { again: None, before: 3 });
    let again = Selection { again: true, ..all() };
    let mut ids = vec![first.event];
    let mut grant = once;
    // More often than acts are kept.
    for _ in 0..120 {
        let (original, replay) = replayed(&grant, &again);
        assert!(!ids.contains(&replay.event), "the replay after {} is one of its own", ids.len());
        ids.push(replay.event);
        grant = original;
    }
    let retried = Act { at: Timestamp::UNIX_EPOCH, uid: 0, deed: Deed::Retried };
    for _ in 0..3 {
        grant = grant.acted(retried.clone());
    }
    assert_eq!(grant.acts.iter().filter(|act| matches!(act.deed, Deed::Replayed { .. })).count(), ids.len());
}

#[test]
fn what_may_have_been_issued_again_before_a_restore_is_passed_over_as_well() {
    let grant = issued();
    let replay = |restored: i64, again| {
        let restored_at = Some(Timestamp::from_second(restored).unwrap());
        grant.replay(&Selection { again, ..all() }, restored_at, 0, Timestamp::from_second(100).unwrap())
    };
    let issued = |replay: &Replay| replay.again.as_ref().map_or(0, |both| commands(&both.1).len());
    let later = replay(99, false);
    assert_eq!((issued(&later), later.before), (0, 3));
    let within = replay(20, false);
    assert_eq!(
        (issued(&within), within.before),
        (2, 1),
        "what ran after the restore was not issued again before it"
    );
    let again = replay(99, true);
    assert_eq!((issued(&again), again.before), (2, 0));
}

#[test]
fn only_votes_that_were_issued_are_replayed() {
    let (_, replay) = replayed(&issued(), &all());
    let replay = at(&replay, 110, 0, &[INTENT, ran(), INTENT, ran()]);
    let test_vote = Grant { event: EventKey::new(TEST_VOTE, "test-1"), ..issued() };
    let rewards = [reward("a", &[("x", ANYTIME)])];
    let pruned = Grant { stage: Stage::Pruned, ..issued() };
    for grant in [replay, test_vote, received(), planned(&rewards), pruned] {
        assert_eq!(
            grant.replay(&all(), None, 0, Timestamp::UNIX_EPOCH),
            Replay::default(),
            "{:?}",
            grant.event
        );
    }
}

#[test]
fn a_replay_that_is_tried_again_keeps_its_commands_whatever_the_file_says() {
    let (_, replay) = replayed(&issued(), &all());
    let refused = at(&replay, 110, 0, &[INTENT, ran(), INTENT, rejected()]);
    let doubt = AwardFact::NoOutcome { reason: "?".to_owned() };
    let refused = at(&refused, 120, 1, &[INTENT, doubt, AwardFact::Cancelled]);
    let other = [reward("a", &[("other", ANYTIME)])];
    for today in [target(&other), None] {
        let again = apply(&refused, Fact::Retried(planning(today, 9)));
        assert_eq!(commands(&again), commands(&replay));
        let plan = again.plan().unwrap();
        let serials: Vec<u32> =
            plan.awards.iter().flat_map(|award| &award.steps).map(|step| step.serial).collect();
        assert_eq!(
            (serials, plan.next_serial),
            (vec![0, 3, 4], 5),
            "what is sent again has a number of its own"
        );
        assert!(matches!(plan.awards[0].steps[0].finished, Some(Finish::Ran { .. })));
        assert_eq!(plan.awards[0].state, AwardState::Planned);
        assert!(matches!(plan.awards[1].state, AwardState::InDoubt { .. }), "{:?}", plan.awards[1].state);
    }
}

#[test]
fn a_grant_stands_as_the_part_of_it_that_most_needs_somebody() {
    let rewards =
        [reward("a", &[("x", ANYTIME)]), reward("b", &[("y", ANYTIME)]), reward("c", &[("z", ANYTIME)])];
    let grant = planned(&rewards);
    let doubt = || AwardFact::NoOutcome { reason: "?".to_owned() };
    let announced = || AwardFact::Intent { announced_to: Some("127.0.0.1:25575".to_owned()) };
    let stands = |of: [&[AwardFact]; 3]| {
        of.iter().enumerate().fold(grant.clone(), |grant, (index, of)| facts(&grant, index, of)).state()
    };
    assert_eq!(stands([&[INTENT, ran()]; 3]), State::Granted);
    assert_eq!(stands([&[INTENT, ran()], &[AwardFact::Cancelled], &[INTENT, ran()]]), State::Closed);
    assert_eq!(stands([&[AwardFact::Cancelled], &[], &[INTENT, ran()]]), State::Waiting);
    assert_eq!(stands([&[INTENT], &[INTENT, ran()], &[INTENT, ran()]]), State::Waiting);
    assert_eq!(stands([&[INTENT, rejected()], &[], &[INTENT]]), State::Refused);
    assert_eq!(stands([&[INTENT, rejected()], &[INTENT, doubt()], &[]]), State::InDoubt);
    let settles_itself = [announced(), doubt()];
    assert_eq!(stands([&settles_itself, &[INTENT, ran()], &[INTENT, ran()]]), State::Waiting);
    assert_eq!(received().state(), State::Waiting);
    assert_eq!(planned(&[]).state(), State::Granted);
    assert_eq!(apply(&received(), fetched("Steve", None, 0)).state(), State::Refused);
    assert_eq!(apply(&received(), Fact::Cancelled).state(), State::Closed);
    assert_eq!(apply(&apply(&received(), Fact::Cancelled), Fact::Pruned).state(), State::Pruned);
}

#[test]
fn each_part_of_a_grant_waits_for_what_it_needs() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let rewards = names.map(|name| reward(name, &[("x", ANYTIME)]));
    let doubt = || AwardFact::NoOutcome { reason: "?".to_owned() };
    let announced = AwardFact::Intent { announced_to: Some("127.0.0.1:25575".to_owned()) };
    let grant = facts(&planned(&rewards), 0, &[INTENT, ran()]);
    let grant = facts(&grant, 1, &[INTENT, rejected()]);
    let grant = facts(&grant, 2, &[INTENT, doubt()]);
    let grant = facts(&grant, 3, &[announced, doubt()]);
    let grant = facts(&grant, 4, &[INTENT]);
    for (wait, planned, receipt) in [
        (Some(Wait::Turn), Awaited::Turn, Awaited::Receipt),
        (Some(Wait::Player), Awaited::Player, Awaited::Player),
        (Some(Wait::Server), Awaited::Server, Awaited::Server),
        (Some(Wait::Password), Awaited::Password, Awaited::Password),
        (Some(Wait::Resumption), Awaited::Resumption, Awaited::Resumption),
        (None, Awaited::ServerInFile, Awaited::ServerInFile),
    ] {
        let awaited = grant.awaited(|_, _| wait);
        assert_eq!(awaited, [Awaited::Operator, receipt, Awaited::Turn, planned], "{wait:?}");
    }
    let nobody = |_: &votive::domain::award::Award, _: &_| -> Option<Wait> { panic!("nothing is planned") };
    assert_eq!(received().awaited(nobody), [Awaited::Api]);
    assert_eq!(apply(&received(), Fact::Cancelled).awaited(nobody), []);
    assert_eq!(apply(&received(), fetched("Steve", None, 0)).awaited(nobody), []);
}
