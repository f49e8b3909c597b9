//! The state machine against a model that is simple enough to be seen to be right: a counter of finished steps, the
//! name of the state, and a table of what may follow what.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod steered;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use proptest::prelude::*;
use votive::domain::award::{
    AwardFact, AwardState, Finish, MOST_OFFLINE_REPLIES, MOST_REPEATS, MOST_SILENT_FAILURES, Step,
};
use votive::domain::calendar::Calendar;
use votive::domain::counter::Scoped;
use votive::domain::event::EventKey;
use votive::domain::grant::{Action, Fact, Grant, Stage};
use votive::domain::plan::Planning;
use votive::domain::receipt::Reading;
use votive::domain::reward::{Choice, Command, InDoubtRule, ReceiptRule, Reward, Target};
use votive::domain::rule::{Chance, Rule};
use votive::domain::standing::{self, Standing, Wait};
use votive::domain::template::Template;
use votive::domain::vote::{ServerRef, Vote};

static CALENDAR: LazyLock<Calendar> = LazyLock::new(Calendar::default);
static VALUES: BTreeMap<String, String> = BTreeMap::new();

#[derive(Clone, Copy, Debug)]
struct Shape {
    needs_player: bool,
    optional: bool,
    in_doubt: InDoubtRule,
    /// Whether it can leave a receipt.
    receipt: bool,
    /// Whether its success always says something.
    told: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Model {
    finished: usize,
    state: &'static str,
    needs_player: Vec<bool>,
    repeats: u8,
    offline: u8,
    silent: u8,
    /// Whether the next step was announced when it was last sent, and its receipt can be read.
    announced: bool,
    /// Whether the game takes the next step only without a guard.
    plain: bool,
    /// Whether the next step was in doubt when it was cancelled.
    doubted: bool,
    /// How many receipts of finished steps the game may have.
    receipts: usize,
}

impl Model {
    fn new(shapes: &[Shape]) -> Model {
        let needs_player = shapes.iter().map(|shape| shape.needs_player).collect();
        Model {
            finished: 0,
            state: "planned",
            needs_player,
            repeats: 0,
            offline: 0,
            silent: 0,
            announced: false,
            plain: false,
            doubted: false,
            receipts: 0,
        }
    }

    fn next(mut self) -> Model {
        self.finished += 1;
        self.receipts += usize::from(self.announced);
        self.state = if self.finished == self.needs_player.len() { "done" } else { "planned" };
        (self.repeats, self.offline, self.silent) = (0, 0, 0);
        (self.announced, self.plain) = (false, false);
        self
    }

    fn to(mut self, state: &'static str) -> Model {
        self.state = state;
        self
    }

    /// The model after a fact; `None` where the fact is illegal.
    fn after(mut self, fact: &AwardFact, shapes: &[Shape], rule: ReceiptRule) -> Option<Model> {
        let shape = *shapes.get(self.finished)?;
        let may_be_plain = !self.plain && shape.leaves_receipt() && rule == ReceiptRule::Auto;
        let needs_player = self.needs_player[self.finished];
        Some(match (self.state, fact) {
            ("planned", AwardFact::Intent { announced_to }) => {
                self.announced = announced_to.is_some();
                self.to("sending")
            }
            ("sending", AwardFact::NotGuardable | AwardFact::FailedSilently) if !self.announced => {
                return None;
            }
            ("sending", AwardFact::NotGuardable) if may_be_plain => {
                self.plain = true;
                self.to("planned")
            }
            ("sending", AwardFact::NotGuardable) => self.to("refused"),
            ("sending", AwardFact::FailedSilently) => {
                self.silent += 1;
                if may_be_plain && !shape.told {
                    self.plain = true;
                    self.to("planned")
                } else if self.silent < MOST_SILENT_FAILURES {
                    let index = self.finished;
                    self.needs_player[index] = true;
                    self.to("planned")
                } else {
                    self.to("refused")
                }
            }
            ("planned", AwardFact::Rejected { .. }) => self.to("refused"),
            ("in doubt", AwardFact::Read(_)) if !self.announced => return None,
            ("in doubt", AwardFact::Read(Reading::Ran)) => self.next(),
            ("in doubt", AwardFact::Read(Reading::NotRun)) => self.to("planned"),
            ("in doubt", AwardFact::Read(Reading::Missing | Reading::Unreadable)) => {
                self.announced = false;
                self.to("in doubt")
            }
            ("sending", AwardFact::NotSent) => self.to("planned"),
            ("sending", AwardFact::Ran { .. }) => self.next(),
            ("sending", AwardFact::Rejected { .. }) if shape.optional => self.next(),
            ("sending", AwardFact::Rejected { .. }) => self.to("refused"),
            ("sending", AwardFact::Offline) if shape.optional && !needs_player => self.next(),
            ("sending", AwardFact::Offline) if self.offline == MOST_OFFLINE_REPLIES - 1 => {
                if shape.optional {
                    self.next()
                } else {
                    self.to("refused")
                }
            }
            ("sending", AwardFact::Offline) => {
                let index = self.finished;
                self.needs_player[index] = true;
                self.offline += 1;
                self.to("planned")
            }
            ("sending", AwardFact::NoOutcome { .. }) if shape.optional => self.next(),
            ("sending", AwardFact::NoOutcome { .. }) => match shape.in_doubt {
                InDoubtRule::Skip => self.next(),
                InDoubtRule::Repeat if self.repeats < MOST_REPEATS => {
                    self.repeats += 1;
                    self.to("planned")
                }
                InDoubtRule::Hold | InDoubtRule::Repeat => self.to("in doubt"),
            },
            ("in doubt", AwardFact::Settled { ran: true }) => self.next(),
            ("in doubt", AwardFact::Settled { ran: false }) => self.to("planned"),
            ("planned" | "in doubt" | "refused", AwardFact::Cancelled) => {
                self.doubted = self.state == "in doubt";
                self.to("closed")
            }
            _ => return None,
        })
    }

    /// The model after something that concerns the whole grant, which has this one award.
    fn after_all(self, whole: Whole, shapes: &[Shape], rule: ReceiptRule) -> Option<Model> {
        match (self.state, whole) {
            (_, Whole::Cancelled) => self.after(&AwardFact::Cancelled, shapes, rule),
            ("refused", Whole::Redelivered) | ("refused" | "closed", Whole::Retried) => {
                let fresh = Model::new(shapes);
                let (doubted, finished) = (self.doubted, self.finished);
                let mut needs_player = self.needs_player;
                needs_player[finished..].copy_from_slice(&fresh.needs_player[finished..]);
                let again = Model { finished, needs_player, receipts: self.receipts, ..fresh };
                // Nobody has found out meanwhile whether it ran.
                let unknown = AwardFact::NoOutcome { reason: String::new() };
                if doubted { again.to("sending").after(&unknown, shapes, rule) } else { Some(again) }
            }
            (_, Whole::Redelivered) => Some(self),
            ("done" | "closed", Whole::Pruned) if self.receipts == 0 && !self.announced => {
                Some(self.to("pruned"))
            }
            (_, Whole::Retried | Whole::Pruned) => None,
        }
    }
}

/// What concerns a whole grant.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Cancelled,
    Redelivered,
    Retried,
    Pruned,
}

/// Something happens to a grant of one award.
#[derive(Clone, Debug)]
enum Happens {
    Award(AwardFact),
    Whole(Whole),
}

impl Shape {
    fn leaves_receipt(self) -> bool {
        self.receipt && !self.optional && self.in_doubt != InDoubtRule::Skip
    }
}

fn state(grant: &Grant) -> &'static str {
    if grant.stage == Stage::Pruned {
        return "pruned";
    }
    match &grant.plan().unwrap().awards[0].state {
        AwardState::Planned => "planned",
        AwardState::Sending => "sending",
        AwardState::InDoubt { .. } => "in doubt",
        AwardState::Done => "done",
        AwardState::Refused { .. } => "refused",
        AwardState::Closed => "closed",
    }
}

fn steps(grant: &Grant) -> &[Step] {
    grant.plan().map_or(&[], |plan| &plan.awards[0].steps)
}

fn finished(grant: &Grant) -> usize {
    steps(grant).iter().filter(|step| step.finished.is_some()).count()
}

fn reward(name: &str, commands: &[(&str, Shape)]) -> Arc<Reward> {
    let command = |(run, shape): &(&str, Shape)| Command {
        run: Template::parse(run, &BTreeSet::new()).0,
        require_online: shape.needs_player,
        optional: shape.optional,
        in_doubt: Some(shape.in_doubt),
        receipt: Some(shape.receipt),
    };
    let commands = commands.iter().map(command).collect();
    Arc::new(Reward { name: name.to_owned(), commands, ..Reward::default() })
}

fn target(rewards: &[Arc<Reward>]) -> Option<Target<'_>> {
    target_with(rewards, ReceiptRule::Auto)
}

fn target_with(rewards: &[Arc<Reward>], receipts: ReceiptRule) -> Option<Target<'_>> {
    Some(Target {
        name: "survival",
        in_doubt: InDoubtRule::Hold,
        receipts,
        rewards,
        bedrock_prefix: None,
        counted_as: &ServerRef::Id(1),
        calendar: &CALENDAR,
        values: &VALUES,
    })
}

/// For a player who has not voted before.
fn planning(target: Option<Target<'_>>, order: u64) -> Planning<'_> {
    Planning { target, order, counters: Scoped::default() }
}

fn vote(nickname: &str) -> Vote {
    Vote { nickname: nickname.to_owned(), server: ServerRef::Id(1), user_id: None, created_at: None }
}

fn received() -> Grant {
    Grant::received(EventKey::new("server.vote", "e-1"), Timestamp::UNIX_EPOCH)
}

fn apply(grant: &Grant, fact: Fact<'_>) -> Grant {
    grant.apply(fact, Timestamp::UNIX_EPOCH).unwrap()
}

fn fetched<'a>(nickname: &str, target: Option<Target<'a>>, order: u64) -> Fact<'a> {
    Fact::Fetched { vote: vote(nickname), planning: planning(target, order), restored_at: None }
}

fn planned(rewards: &[Arc<Reward>]) -> Grant {
    apply(&received(), fetched("Steve", target(rewards), 0))
}

const PLAIN: Shape =
    Shape { needs_player: true, optional: false, in_doubt: InDoubtRule::Hold, receipt: false, told: false };
const INTENT: AwardFact = AwardFact::Intent { announced_to: None };
const ANYTIME: Shape = Shape { needs_player: false, ..PLAIN };

fn ran() -> AwardFact {
    AwardFact::Ran { reply: "ok".to_owned() }
}

fn rejected() -> AwardFact {
    AwardFact::Rejected { reason: "no".to_owned(), reply: "no".to_owned() }
}

fn facts(grant: &Grant, award: usize, facts: &[AwardFact]) -> Grant {
    facts.iter().fold(grant.clone(), |grant, fact| apply(&grant, Fact::Award(award, fact.clone())))
}

fn any_fact() -> impl Strategy<Value = AwardFact> {
    prop_oneof![
        // Twice as likely, or few histories would come far.
        4 => any::<bool>().prop_map(|announced| AwardFact::Intent {
            announced_to: announced.then(|| "127.0.0.1:25575".to_owned()),
        }),
        1 => Just(AwardFact::NotGuardable),
        1 => Just(AwardFact::FailedSilently),
        2 => prop::sample::select(vec![Reading::Ran, Reading::NotRun, Reading::Missing, Reading::Unreadable])
            .prop_map(AwardFact::Read),
        1 => Just(AwardFact::NotSent),
        1 => Just(AwardFact::Offline),
        2 => Just(ran()),
        1 => Just(rejected()),
        2 => Just(AwardFact::NoOutcome { reason: "?".to_owned() }),
        1 => any::<bool>().prop_map(|ran| AwardFact::Settled { ran }),
        1 => Just(AwardFact::Cancelled),
    ]
}

fn anything() -> impl Strategy<Value = Happens> {
    let whole = vec![Whole::Cancelled, Whole::Redelivered, Whole::Retried, Whole::Retried, Whole::Pruned];
    prop_oneof![
        3 => any_fact().prop_map(Happens::Award),
        1 => prop::sample::select(whole).prop_map(Happens::Whole),
    ]
}

fn any_shapes() -> impl Strategy<Value = Vec<Shape>> {
    let rule = prop_oneof![Just(InDoubtRule::Hold), Just(InDoubtRule::Repeat), Just(InDoubtRule::Skip)];
    let shape = (any::<bool>(), any::<bool>(), rule, any::<bool>(), any::<bool>());
    let shape = shape.prop_map(|(needs_player, optional, in_doubt, receipt, told)| Shape {
        needs_player,
        optional,
        in_doubt,
        receipt,
        told,
    });
    prop::collection::vec(shape, 1..5).prop_map(|mut shapes| {
        shapes.sort_by_key(|shape| shape.needs_player);
        shapes
    })
}

proptest! {
    #[test]
    fn an_award_does_what_the_model_does(
        shapes in any_shapes(),
        always in any::<bool>(),
        history in prop::collection::vec(anything(), 0..80),
    ) {
        let command = |&shape: &Shape| (if shape.told { "give {player} x" } else { "say {player}" }, shape);
        let commands: Vec<(&str, Shape)> = shapes.iter().map(command).collect();
        let rewards = [reward("daily", &commands)];
        let rule = if always { ReceiptRule::Always } else { ReceiptRule::Auto };
        let fetched = fetched("Steve", target_with(&rewards, rule), 0);
        let (mut grant, mut model) = (apply(&received(), fetched), Model::new(&shapes));
        for happens in history {
            let before = grant.clone();
            let again = || planning(target_with(&rewards, rule), 0);
            let fact = match &happens {
                Happens::Award(fact) => Fact::Award(0, fact.clone()),
                Happens::Whole(Whole::Cancelled) => Fact::Cancelled,
                Happens::Whole(Whole::Redelivered) => Fact::Redelivered(again()),
                Happens::Whole(Whole::Retried) => Fact::Retried(again()),
                Happens::Whole(Whole::Pruned) => Fact::Pruned,
            };
            let expected = match &happens {
                Happens::Award(fact) => model.clone().after(fact, &shapes, rule),
                Happens::Whole(whole) => model.clone().after_all(*whole, &shapes, rule),
            };
            match (grant.apply(fact, Timestamp::UNIX_EPOCH), expected) {
                (Ok(after), Some(expected)) => {
                    let action = match expected.state {
                        "planned" => vec![Action::Queue(0)],
                        "sending" => vec![Action::Send(0)],
                        "in doubt" if expected.announced => vec![Action::Read(0)],
                        _ => vec![],
                    };
                    prop_assert_eq!(after.actions(), action);
                    (grant, model) = (after, expected);
                }
                (Err(_), None) => {}
                (got, expected) => prop_assert!(false, "{:?} from {:?}: {:?}, expected {:?}", happens, model, got, expected),
            }
            prop_assert_eq!(state(&grant), model.state);
            prop_assert_eq!(finished(&grant), if model.state == "pruned" { 0 } else { model.finished });
            prop_assert_eq!(grant.is_open(), !matches!(model.state, "done" | "refused" | "closed" | "pruned"));
            prop_assert_eq!(grant.awaits_retry(), matches!(model.state, "refused" | "closed"));
            prop_assert_eq!(grant.is_refused(), model.state == "refused");
            // What is finished stays as it is, and what is rendered anew has numbers of its own.
            for (old, new) in steps(&before).iter().zip(steps(&grant)) {
                prop_assert!(old.finished.is_none() || old == new);
                prop_assert!(old.serial == new.serial || steps(&before).iter().all(|step| step.serial != new.serial));
            }
        }
    }
}

#[test]
fn the_steps_that_need_nobody_come_first_and_serials_are_unique() {
    let rewards = [
        reward(
            "a",
            &[("give {player} x", PLAIN), ("say 1", ANYTIME), ("tag {player}", PLAIN), ("say 2", ANYTIME)],
        ),
        reward("b", &[("say 3", ANYTIME)]),
    ];
    let grant = planned(&rewards);
    let plan = grant.plan().unwrap();
    let commands: Vec<&str> = plan.awards[0].steps.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(commands, ["say 1", "say 2", "give Steve x", "tag Steve"]);
    let serials: Vec<u32> =
        plan.awards.iter().flat_map(|award| &award.steps).map(|step| step.serial).collect();
    assert_eq!(serials, [0, 1, 2, 3, 4]);
    assert_eq!(plan.verdicts.len(), 2);
    assert!(plan.verdicts.iter().all(|verdict| verdict.applies && !verdict.reason.is_empty()));
}

#[test]
fn awards_of_one_grant_are_independent() {
    let rewards = [reward("a", &[("x", ANYTIME)]), reward("b", &[("y", ANYTIME)])];
    let grant = facts(&planned(&rewards), 0, &[INTENT, rejected()]);
    assert!(grant.is_open());
    let grant = facts(&grant, 1, &[INTENT, ran()]);
    assert!(!grant.is_open());
    let stands = standing::of(&grant, "survival", |_, _| Wait::Turn);
    assert_eq!(stands, Standing::Refused("no".to_owned()));
}

#[test]
fn a_command_that_cannot_be_sent_is_refused_and_the_others_go_on() {
    let long = "x".repeat(2000);
    let rewards = [reward("long", &[(&long, ANYTIME)]), reward("short", &[("y", ANYTIME)])];
    let grant = planned(&rewards);
    assert!(matches!(grant.plan().unwrap().awards[0].state, AwardState::Refused { .. }));
    assert_eq!(grant.actions(), [Action::Queue(1)]);
}

#[test]
fn a_vote_that_cannot_be_rewarded_is_refused_and_kept_for_a_redelivery() {
    let rewards = [reward("a", &[("x", ANYTIME)])];
    let unknown_server = fetched("Steve", None, 0);
    let bad_name = fetched("@a", target(&rewards), 0);
    for fact in [unknown_server, bad_name] {
        let grant = apply(&received(), fact);
        assert!(matches!(grant.stage, Stage::Refused { vote: Some(_), .. }));
        assert!(!grant.is_open());
    }
    let grant = apply(&received(), fetched("Steve", None, 0));
    let grant = apply(&grant, Fact::Redelivered(planning(target(&rewards), 7)));
    assert_eq!(grant.plan().unwrap().order, 7);
}

#[test]
fn a_404_is_final_after_two_minutes_until_somebody_asks_again() {
    let not_found = |grant: &Grant, seconds| apply(grant, Fact::NotFound { seconds });
    let grant = not_found(&not_found(&received(), 0), 119);
    let why = Some("it does not know the vote, or not yet".to_owned());
    assert_eq!(grant.stage, Stage::Received { attempts: 2, elapsed: 119, retried: false, why });
    let grant = not_found(&grant, 1);
    assert!(matches!(grant.stage, Stage::Refused { vote: None, .. }));
    let grant = apply(&grant, Fact::Redelivered(planning(None, 0)));
    assert_eq!(grant.actions(), [Action::Fetch]);
    assert!(matches!(not_found(&grant, 0).stage, Stage::Refused { .. }));
    assert!(matches!(
        apply(&grant, Fact::FetchFailed { seconds: 0, why: String::new() }).stage,
        Stage::Received { .. }
    ));
}

#[test]
fn a_redelivery_renders_what_is_refused_anew_and_keeps_what_is_finished() {
    let old = [reward("a", &[("say 1", ANYTIME), ("typo", ANYTIME)])];
    let refused = facts(&planned(&old), 0, &[INTENT, ran(), INTENT, rejected()]);
    let fixed = [reward("a", &[("say 1", ANYTIME), ("fixed", ANYTIME), ("more", ANYTIME)])];
    let grant = apply(&refused, Fact::Redelivered(planning(target(&fixed), 9)));
    let award = &grant.plan().unwrap().awards[0];
    let steps: Vec<(&str, bool)> =
        award.steps.iter().map(|step| (step.command.as_str(), step.finished.is_some())).collect();
    assert_eq!(steps, [("say 1", true), ("fixed", false), ("more", false)]);
    assert_eq!(award.state, AwardState::Planned);
    let mut serials: Vec<u32> = award.steps.iter().map(|step| step.serial).collect();
    let next = grant.plan().unwrap().next_serial;
    assert!(serials.iter().all(|&serial| serial < next));
    serials.dedup();
    assert_eq!(serials.len(), 3);
    assert!(!serials[1..].contains(&1), "the serial of the rejected step is never used again");
    assert_eq!(grant.plan().unwrap().order, 0, "the plan keeps its place");
}

#[test]
fn a_redelivery_does_not_touch_what_has_run_if_the_file_says_otherwise_now() {
    let old = [reward("a", &[("say 1", ANYTIME), ("typo", ANYTIME)])];
    let refused = facts(&planned(&old), 0, &[INTENT, ran(), INTENT, rejected()]);
    let changed = [reward("a", &[("say 2", ANYTIME), ("fixed", ANYTIME)])];
    let shorter = [reward("a", &[])];
    let other = [reward("b", &[("say 1", ANYTIME)])];
    for rewards in [&changed[..], &shorter, &other] {
        let grant = apply(&refused, Fact::Redelivered(planning(target(rewards), 9)));
        let award = &grant.plan().unwrap().awards[0];
        assert!(matches!(&award.state, AwardState::Refused { reply: None, .. }));
        assert!(matches!(award.steps[0].finished, Some(Finish::Ran { .. })));
    }
    let grant = apply(&refused, Fact::Redelivered(planning(None, 9)));
    assert_eq!(state(&grant), "refused");
}

#[test]
fn a_redelivery_changes_nothing_in_any_other_state() {
    let rewards = [reward("a", &[("x", ANYTIME)])];
    let doubt = AwardFact::NoOutcome { reason: "?".to_owned() };
    let histories: [&[AwardFact]; 5] =
        [&[], &[INTENT], &[INTENT, doubt], &[INTENT, ran()], &[AwardFact::Cancelled]];
    for history in histories {
        let grant = facts(&planned(&rewards), 0, history);
        let again = Fact::Redelivered(planning(target(&rewards), 9));
        assert_eq!(apply(&grant, again), grant);
    }
    let again = Fact::Redelivered(planning(target(&rewards), 9));
    assert_eq!(apply(&received(), again), received());
}

#[test]
fn a_plan_is_made_once() {
    let rewards = [reward("a", &[("x", ANYTIME)])];
    let again = fetched("Alex", target(&rewards), 9);
    assert!(planned(&rewards).apply(again, Timestamp::UNIX_EPOCH).is_err());
    assert!(
        planned(&rewards)
            .apply(Fact::FetchFailed { seconds: 1, why: String::new() }, Timestamp::UNIX_EPOCH)
            .is_err()
    );
}

/// Also one that is planned again, because it was not recorded the first time.
#[test]
fn the_same_event_draws_the_same_whenever_it_is_planned() {
    let command = |run| reward("a", &[(run, ANYTIME)]).commands.clone();
    let choice = |run| Choice { weight: 1, commands: command(run) };
    let lucky = Reward {
        rules: vec![Rule::Chance(Chance(Chance::WHOLE / 2))],
        one_of: vec![choice("heads"), choice("tails")],
        ..Reward::clone(&reward("lucky", &[]))
    };
    let rewards = [Arc::new(lucky)];
    let planned_at = |number: u32, second: i64| {
        let event = EventKey::new("server.vote", &format!("e-{number}"));
        let fact = fetched("Steve", target(&rewards), 0);
        let grant = Grant::received(event, Timestamp::UNIX_EPOCH);
        let plan =
            grant.apply(fact, Timestamp::from_second(second).unwrap()).unwrap().plan().unwrap().clone();
        (plan.verdicts, plan.awards)
    };
    let mut drawn = BTreeSet::new();
    for number in 0..50 {
        let (verdicts, awards) = planned_at(number, 0);
        assert_eq!((verdicts, awards.clone()), planned_at(number, 86_400), "event {number}");
        drawn.insert(awards.first().map(|award| award.steps[0].command.clone()));
    }
    assert_eq!(drawn.len(), 3, "nothing, heads and tails");
}

#[test]
fn a_vote_that_earns_nothing_is_granted() {
    let grant = planned(&[]);
    assert!(!grant.is_open());
    assert_eq!(standing::of(&grant, "survival", |_, _| Wait::Turn), Standing::Granted);
}

#[test]
fn the_answer_speaks_of_what_most_needs_attention() {
    let rewards = [reward("a", &[("x", ANYTIME)]), reward("b", &[("y {player}", PLAIN)])];
    let grant = planned(&rewards);
    let of = |grant: &Grant, wait: Wait| {
        standing::of(grant, "survival", |award, _| if award.reward == "b" { wait } else { Wait::Turn })
    };
    assert_eq!(of(&grant, Wait::Player), Standing::Working);
    let grant = facts(&grant, 0, &[INTENT, ran()]);
    assert_eq!(of(&grant, Wait::Player), Standing::AwaitsPlayer);
    assert_eq!(of(&grant, Wait::Server), Standing::ServerDown("survival".to_owned()));
    let doubt = facts(&grant, 1, &[INTENT, AwardFact::NoOutcome { reason: "?".to_owned() }]);
    assert_eq!(of(&doubt, Wait::Turn), Standing::InDoubt("survival".to_owned()));
}
