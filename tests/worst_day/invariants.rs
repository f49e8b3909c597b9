//! What has to hold after every history: the promises of the design, checked against the game servers' own record.

use std::collections::BTreeMap;

use votive::domain::act::Deed;
use votive::domain::award::{Award, AwardState, Finish, MOST_REPEATS, Receipt, Step};
use votive::domain::grant::{Grant, Stage};
use votive::domain::reward::InDoubtRule;
use votive::domain::standing::Standing;

use crate::api::{HOMELESS, NAMELESS, event};
use crate::history::{NONSENSE, VOTES};
use crate::life::{Answer, Effect, Life};
use crate::model;

/// How often each command took effect: in all, and in a world that still knows of it.
type Ran = BTreeMap<String, (usize, usize)>;

/// Lets everything heal and checks; then has the operator settle what is in doubt and checks again, and delivers every
/// vote once more.
///
/// # Errors
/// Which promise was broken, and how.
pub async fn check(life: &mut Life) -> Result<(), String> {
    life.heal().await?;
    life.operated().await?;
    let grants = life.all_grants().await?;
    nobody_is_forgotten(&life.answers(), &grants)?;
    model::agrees(&votes(&grants), &life.counters().await?, life.rules)?;
    let doubts = stand(&grants, life)?;
    if doubts > life.most_doubts {
        return Err(format!("{doubts} doubts, and no more than {} can have been", life.most_doubts));
    }
    if life.has_receipts() && !life.went_back && !life.misbehaved && !life.operator.retried {
        nothing_is_unproven(&grants)?;
    }
    if !life.went_back && !life.misbehaved {
        nothing_is_missed(&grants)?;
    }
    // The order of plans is that of the clock, once a daemon has been started anew; what a world forgot, and what the
    // operator found not to have run, or has tried again, comes again later.
    if !life.clock_was_set() && !life.went_back && !life.resolved && !life.operator.retried {
        in_order(&votes(&grants), life)?;
    }

    life.settle_everything().await;
    let grants = life.all_grants().await?;
    if stand(&grants, life).map_err(|why| format!("settled: {why}"))? > 0 {
        return Err("something is still in doubt after it was settled".to_owned());
    }

    let answers = life.deliver_everything().await;
    life.retry_replays().await?;
    let closed = |vote| {
        let grant = grants.iter().find(|grant| grant.event == event(vote));
        grant.is_some_and(|grant| matches!(grant.stage, Stage::Closed { .. }))
    };
    let refused = |vote| !closed(vote) && (vote == NAMELESS || vote == HOMELESS && !life.adopted);
    for vote in 0..VOTES {
        let statuses: Vec<u16> =
            answers.iter().filter(|answer| answer.vote == vote).map(|answer| answer.status).collect();
        if statuses != [if refused(vote) { 422 } else { 204 }] {
            return Err(format!("vote {vote} is answered with {statuses:?} in the end"));
        }
    }
    let grants = life.all_grants().await?;
    stand(&grants, life).map_err(|why| format!("in the end: {why}"))?;
    grants.iter().try_for_each(nothing_is_refused)?;
    life.operated().await?;
    let too_early = life.api.asked_too_early();
    if !too_early.is_empty() {
        return Err(format!("the API was asked too early for {too_early:?}"));
    }
    let known = model::agrees(&votes(&grants), &life.counters().await?, life.rules)?;
    match ran(life).keys().find(|command| !known.contains(*command)) {
        Some(command) => Err(format!("{command:?} ran and nobody earned it")),
        None => Ok(()),
    }
}

/// Those that the platform delivered.
fn votes(grants: &[Grant]) -> Vec<Grant> {
    grants.iter().filter(|grant| grant.replays.is_none()).cloned().collect()
}

/// Whether a command belongs to a reward, and is no question to the game or note in its storage.
pub fn is_reward(command: &str) -> bool {
    !["list", "data "].iter().any(|question| command.starts_with(question))
}

/// How often each command took effect that belongs to a reward.
fn ran(life: &Life) -> Ran {
    let mut ran = Ran::new();
    for Effect { command, lasts } in life.effects() {
        if is_reward(&command) {
            let (all, lasting) = ran.entry(command).or_default();
            *all += 1;
            *lasting += usize::from(lasts);
        }
    }
    ran
}

/// What the platform was told is recorded, is there.
fn nobody_is_forgotten(answers: &[Answer], grants: &[Grant]) -> Result<(), String> {
    for Answer { vote, standing, status } in answers {
        let there = grants.iter().any(|grant| grant.event == event(*vote));
        if *standing != Standing::Unrecorded && !there {
            return Err(format!("vote {vote} was answered with {status} and is gone"));
        }
    }
    Ok(())
}

/// A world that never went back has forgotten nothing.
fn nothing_is_missed(grants: &[Grant]) -> Result<(), String> {
    let awards = grants.iter().filter_map(Grant::plan).flat_map(|plan| &plan.awards);
    match awards.flat_map(|award| &award.steps).find(|step| step.receipt == Receipt::Lost) {
        Some(step) => {
            Err(format!("the receipt of {:?} is missed, and the world never went back", step.command))
        }
        None => Ok(()),
    }
}

/// A game that keeps receipts leaves no doubt. What it refuses without a word is sent once more without a receipt, so that
/// it says why: that is `late` alone.
fn nothing_is_unproven(grants: &[Grant]) -> Result<(), String> {
    let mut awards = grants.iter().filter_map(Grant::plan).flat_map(|plan| &plan.awards);
    match awards.find(|award| matches!(award.state, AwardState::InDoubt { .. }) && award.reward != "late") {
        Some(award) => Err(format!("{} is in doubt, although the game kept receipts", award.reward)),
        None => Ok(()),
    }
}

/// Whether all grants have come to an end, with each command as often as they say together. Gives the number of doubts.
fn stand(grants: &[Grant], life: &Life) -> Result<usize, String> {
    let mut doubts = 0;
    let mut claims: BTreeMap<&str, Vec<Claim<'_>>> = BTreeMap::new();
    for grant in grants {
        doubts += stands(grant).map_err(|why| format!("{}: {why}", grant.event))?;
        for award in grant.plan().map_or(&[][..], |plan| &plan.awards) {
            for step in &award.steps {
                claims.entry(&step.command).or_default().push(Claim { grant, award, step });
            }
        }
    }
    let ran = ran(life);
    claims.values().try_for_each(|claims| as_often_as_they_say(claims, &ran, life))?;
    Ok(doubts)
}

/// Whether a grant has come to an end. Gives the number of its doubts.
fn stands(grant: &Grant) -> Result<usize, String> {
    let plan = match &grant.stage {
        Stage::Received { .. } => return Err("its vote was never fetched".to_owned()),
        // A replica that lagged for too long; delivering again helps, which is checked in the end.
        Stage::Refused { .. } | Stage::Closed { .. } | Stage::Pruned => return Ok(0),
        Stage::Planned(plan) => plan,
    };
    let mut doubts = 0;
    for award in &plan.awards {
        let why = |why: String| format!("{}: {why}", award.reward);
        match &award.state {
            AwardState::Done | AwardState::Closed => {}
            // Its objective was missing; delivering again helps, which is checked in the end.
            AwardState::Refused { .. } if award.reward == "late" => {}
            AwardState::InDoubt { .. } if award.awaits_receipt() => {
                return Err(why("its receipt was not read".to_owned()));
            }
            AwardState::InDoubt { .. } => doubts += 1,
            other => return Err(why(format!("it is {other:?} in the end"))),
        }
    }
    Ok(doubts)
}

/// A delivery has brought again what was refused.
fn nothing_is_refused(grant: &Grant) -> Result<(), String> {
    let awards = grant.plan().map_or(&[][..], |plan| &plan.awards);
    match awards.iter().find(|award| matches!(award.state, AwardState::Refused { .. })) {
        Some(award) => Err(format!("{}: {} is refused in the end", grant.event, award.reward)),
        None => Ok(()),
    }
}

/// A step, which says how often its command ran.
struct Claim<'g> {
    grant: &'g Grant,
    award: &'g Award,
    step: &'g Step,
}

impl Claim<'_> {
    /// How often its command took effect, at least and at most.
    fn times(&self, life: &Life) -> (usize, usize) {
        let Claim { grant, award, step } = self;
        let retries = grant.acts.iter().filter(|act| act.deed == Deed::Retried).count();
        let most = match step.in_doubt {
            // After each time that the operator tries it again.
            InDoubtRule::Repeat => (1 + usize::from(MOST_REPEATS)) * (1 + retries),
            _ => 1,
        };
        // A game whose answers are wrong may keep to itself that it lacked the objective, or that the player had left in
        // this very moment.
        let nonsense = matches!(&step.finished, Some(Finish::Ran { reply }) if reply.starts_with(NONSENSE));
        let kept_silent = life.misbehaved && (award.reward == "late" || nonsense && step.needs_player);
        let is_next = award.next_step().is_some_and(|next| next.serial == step.serial);
        match &step.finished {
            Some(Finish::Ran { .. } | Finish::Settled | Finish::Receipt) => (usize::from(!kept_silent), most),
            Some(Finish::PassedOver { .. }) => (0, 1),
            None if is_next && matches!(award.state, AwardState::InDoubt { .. }) => (0, most),
            // It was in doubt when it was cancelled.
            None if is_next && step.doubt.is_some() => (0, most),
            None => (0, 0),
        }
    }
}

/// Whether a command took effect as often as the steps say that have it: that of the vote, and one for each replay.
fn as_often_as_they_say(claims: &[Claim<'_>], ran: &Ran, life: &Life) -> Result<(), String> {
    let command = &claims[0].step.command;
    let (times, lasting) = ran.get(command).copied().unwrap_or_default();
    let (least, most) = claims
        .iter()
        .map(|claim| claim.times(life))
        .fold((0, 0), |(least, most), times| (least + times.0, most + times.1));
    // What a world forgot may have run before the operator found that it had not.
    let fits = times >= least && lasting <= most && (most > 0 || times == 0 || life.went_back);
    if fits {
        return Ok(());
    }
    let say: Vec<_> = claims
        .iter()
        .map(|Claim { grant, award, step }| (&grant.event.event_id, &award.state, &step.finished))
        .collect();
    Err(format!("{command:?} took effect {times} times, {lasting} of them last, and these say: {say:?}"))
}

/// Votes of one player, on one server, are rewarded in the order of their plans: those that went through without a doubt.
fn in_order(grants: &[Grant], life: &Life) -> Result<(), String> {
    let effects = life.effects();
    let mut last: BTreeMap<(String, &'static str), (u64, usize)> = BTreeMap::new();
    let mut plans: Vec<_> = grants.iter().filter_map(Grant::plan).collect();
    plans.sort_by_key(|plan| plan.order);
    for plan in plans {
        let Some(award) = plan.awards.first() else { continue };
        let gift = award.steps.iter().find(|step| step.needs_player);
        let Some(step) = gift.filter(|step| matches!(step.finished, Some(Finish::Ran { .. }))) else {
            continue;
        };
        let at = effects.iter().position(|effect| effect.command == step.command).unwrap_or_default();
        // Of plans that are made at one moment, in microseconds, either may be the first to reach the worker.
        if let Some((order, before)) =
            last.insert((plan.player.key(), model::scope(&plan.vote.server)), (plan.order, at))
            && before > at
            && plan.order > order + 1_000
        {
            return Err(format!("{:?} came before the plan {order}, which is older", step.command));
        }
    }
    Ok(())
}
