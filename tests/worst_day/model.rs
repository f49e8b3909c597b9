//! Who earns what, told once more and as simply as can be: from the order in which the votes of a player were planned, and
//! from nothing that the ledger or the rules remember. Written without the code that decides it in the daemon.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use sha2::{Digest, Sha256};
use votive::domain::counter::Counter;
use votive::domain::grant::Grant;
use votive::domain::plan::Plan;
use votive::domain::vote::ServerRef;

use crate::Rules;
use crate::api::is_told;

/// What the counters of a ledger say, by scope and player.
pub type Counters = BTreeMap<(&'static str, &'static str), Counter>;

/// One condition of a reward.
enum When {
    First,
    Every(usize),
    Milestones(&'static [usize]),
    OncePerDay,
    Streak(usize),
    EveryStreak(usize),
    Chance(u64),
}

/// A reward of the simulated owner.
struct Promise {
    reward: &'static str,
    network: bool,
    when: &'static [When],
}

const fn always(reward: &'static str) -> Promise {
    Promise { reward, network: false, when: &[] }
}

/// The rewards of both servers, in the order of the file.
fn promises(rules: Rules) -> &'static [Promise] {
    use When::{Chance, Every, EveryStreak, First, Milestones, OncePerDay, Streak};
    const NONE: &[Promise] = &[always("daily"), always("score"), always("twice"), always("never-mind")];
    const VOTES: &[Promise] = &[
        always("gift"),
        always("late"),
        Promise { reward: "second", network: false, when: &[Every(2)] },
        Promise { reward: "third", network: true, when: &[Every(3)] },
        Promise { reward: "marks", network: true, when: &[Milestones(&[2, 7])] },
        Promise { reward: "first", network: false, when: &[First] },
    ];
    const DAYS: &[Promise] = &[
        always("gift"),
        always("late"),
        Promise { reward: "today", network: false, when: &[OncePerDay] },
        Promise { reward: "anywhere", network: true, when: &[OncePerDay] },
        Promise { reward: "streak", network: true, when: &[Streak(3)] },
        Promise { reward: "streaks", network: false, when: &[EveryStreak(2)] },
        Promise { reward: "lucky", network: true, when: &[Chance(500_000), OncePerDay] },
        always("box"),
    ];
    match rules {
        Rules::None => NONE,
        Rules::Votes => VOTES,
        Rules::Days => DAYS,
    }
}

/// What a player did in one scope, up to a vote.
#[derive(Default)]
struct Past {
    /// The day of every vote, in the order in which they were planned.
    days: Vec<i64>,
    /// The day of every time that a reward was earned.
    earned: BTreeMap<&'static str, Vec<i64>>,
}

/// What a vote is in one scope.
struct Seen {
    votes: usize,
    today: usize,
    month: usize,
    streak: usize,
    streak_before: usize,
}

/// Days since the first of 1970 where it is three hours later than in Greenwich, as it is for the owner.
fn day(grant: &Grant, plan: &Plan) -> i64 {
    let at = plan.vote.created_at.unwrap_or(grant.received_at);
    (at.as_second() + 3 * 60 * 60).div_euclid(24 * 60 * 60)
}

fn civil(day: i64) -> Date {
    date(1970, 1, 1).checked_add(day.days()).unwrap()
}

/// The length of the longest run in a set of days, of those that lie between the two ends.
fn longest(days: &BTreeSet<i64>, first: i64, last: i64) -> usize {
    let length = |from: i64| (from..=last).take_while(|day| days.contains(day)).count();
    (first..=last).map(length).max().unwrap_or(0)
}

impl Past {
    fn with(&self, day: i64) -> Seen {
        let before: BTreeSet<i64> = self.days.iter().copied().collect();
        let mut after = before.clone();
        after.insert(day);
        let (mut first, mut last) = (day, day);
        while after.contains(&(first - 1)) {
            first -= 1;
        }
        while after.contains(&(last + 1)) {
            last += 1;
        }
        let month = |day: i64| (civil(day).year(), civil(day).month());
        Seen {
            votes: self.days.len() + 1,
            today: self.days.iter().filter(|other| **other == day).count() + 1,
            month: self.days.iter().filter(|other| month(**other) == month(day)).count() + 1,
            streak: longest(&after, first, last),
            streak_before: longest(&before, first, last),
        }
    }
}

/// The first eight bytes of what the three say, as a share of `below`.
fn drawn(grant: &Grant, reward: &str, purpose: &str, below: u64) -> u64 {
    let text = format!("{}\0{}\0{reward}\0{purpose}", grant.event.event_type, grant.event.event_id);
    let digest = Sha256::digest(text);
    let number = digest[..8].iter().fold(0_u128, |number, byte| number * 256 + u128::from(*byte));
    u64::try_from(number * u128::from(below) / (1 << 64)).unwrap()
}

impl When {
    fn holds(&self, promise: &Promise, seen: &Seen, past: &Past, day: i64, grant: &Grant) -> bool {
        match *self {
            When::First => seen.votes == 1,
            When::Every(every) => seen.votes.is_multiple_of(every),
            When::Milestones(milestones) => milestones.contains(&seen.votes),
            When::OncePerDay => !past.earned.get(promise.reward).is_some_and(|days| days.contains(&day)),
            When::Streak(days) => seen.streak_before < days && days <= seen.streak,
            When::EveryStreak(days) => (seen.streak_before + 1..=seen.streak).any(|n| n % days == 0),
            When::Chance(millionths) => drawn(grant, promise.reward, "chance", 1_000_000) < millionths,
        }
    }
}

/// What a reward runs, in the order in which it does.
fn commands(reward: &str, name: &str, seen: &Seen, day: i64, grant: &Grant) -> Vec<String> {
    let id = &grant.event.event_id;
    let xp = |points: u32| vec![format!("xp add {name} {points} points")];
    match reward {
        "daily" => vec![
            format!("say {name} voted"),
            format!("give {name} minecraft:diamond 3"),
            format!("xp add {name} 5 points"),
        ],
        "gift" => vec![format!("give {name} minecraft:diamond 1")],
        "score" => ["votes", "wins"].map(|what| format!("scoreboard players add {name} {what} 1")).into(),
        "twice" => xp(1),
        "never-mind" => xp(2),
        "late" => vec![format!("scoreboard players add {name} late 1")],
        "marks" => xp(if seen.votes == 2 { 22 } else { 77 }),
        "box" => xp(if drawn(grant, reward, "one_of", 4) < 3 { 33 } else { 44 }),
        rule => {
            let Seen { votes, today, month, streak, .. } = seen;
            let day = civil(day);
            let words = format!("{rule}.{id}.{name}.{votes}.{today}.{month}.{streak}.{day}");
            vec![format!("scoreboard players add {words} votes 1")]
        }
    }
}

/// The counter under which a server's votes are.
pub fn scope(server: &ServerRef) -> &'static str {
    match server {
        ServerRef::Id(1) => "id 1",
        // It has got the other's id, too.
        ServerRef::Id(2 | 99) => "id 2",
        other => panic!("{other:?} has no rewards"),
    }
}

/// Whether the votes are counted, and rewarded, as they are here. Gives every command that the plans have.
///
/// # Errors
/// What is different.
pub fn agrees(grants: &[Grant], counters: &Counters, rules: Rules) -> Result<BTreeSet<String>, String> {
    let mut planned: Vec<(&Grant, &Plan)> =
        grants.iter().filter_map(|grant| Some((grant, grant.plan()?))).collect();
    // In the order in which they came into the ledger, for each player.
    planned.sort_by_key(|(_, plan)| plan.count.network.votes);
    let mut pasts: BTreeMap<(&str, String), Past> = BTreeMap::new();
    let mut all = BTreeSet::new();
    for (grant, plan) in planned {
        let wrong = |what: String| Err(format!("{}: {what}", grant.event));
        if !is_told(grant, &plan.vote) {
            return wrong(format!("the API never told {:?}", plan.vote));
        }
        let (name, day) = (plan.vote.nickname.as_str(), day(grant, plan));
        let scopes = [scope(&plan.vote.server), "network"];
        let seen = scopes.map(|scope| pasts.entry((scope, name.to_lowercase())).or_default().with(day));
        for (seen, count) in seen.iter().zip([plan.count.server, plan.count.network]) {
            let here = [seen.votes, seen.today, seen.month, seen.streak, seen.streak_before];
            let there = [count.votes, count.today.into(), count.month.into()]
                .into_iter()
                .chain([count.streak.into(), count.streak_before.into()]);
            if !there.clone().eq(here.map(|number| number as u64)) {
                return wrong(format!("it counts as {count:?}, and should as {here:?}"));
            }
        }
        let (mut verdicts, mut awards) = (plan.verdicts.iter(), plan.awards.iter());
        for promise in promises(rules) {
            let place = usize::from(promise.network);
            let past = &pasts[&(scopes[place], name.to_lowercase())];
            let earns = promise.when.iter().all(|when| when.holds(promise, &seen[place], past, day, grant));
            let verdict = verdicts.next().map(|verdict| (verdict.reward.as_str(), verdict.applies));
            if verdict != Some((promise.reward, earns)) {
                return wrong(format!("{} applies: {earns}, and the plan has {verdict:?}", promise.reward));
            }
            if !earns {
                continue;
            }
            let expected = commands(promise.reward, name, &seen[place], day, grant);
            let steps = awards.next().map_or(&[][..], |award| &award.steps);
            if !steps.iter().map(|step| &step.command).eq(&expected) {
                return wrong(format!("{} has to run {expected:?}, not {steps:?}", promise.reward));
            }
            all.extend(expected);
            for scope in scopes {
                let past = pasts.entry((scope, name.to_lowercase())).or_default();
                past.earned.entry(promise.reward).or_default().push(day);
            }
        }
        if let Some(award) = awards.next() {
            return wrong(format!("nobody promised {}", award.reward));
        }
        for scope in scopes {
            pasts.entry((scope, name.to_lowercase())).or_default().days.push(day);
        }
    }
    for ((scope, player), counter) in counters {
        let none = Past::default();
        let past = pasts.get(&(*scope, (*player).to_owned())).unwrap_or(&none);
        if !is_counted(counter, past) {
            return Err(format!("the counter of {player} for {scope} is {counter:?} after {:?}", past.days));
        }
    }
    Ok(all)
}

/// Whether a counter says what happened, and nothing else.
fn is_counted(counter: &Counter, past: &Past) -> bool {
    let fits = |total: u64, by_day: &BTreeMap<Date, u32>, days: &[i64]| {
        let mut expected = BTreeMap::new();
        days.iter().for_each(|day| *expected.entry(civil(*day)).or_default() += 1);
        total == days.len() as u64 && *by_day == expected
    };
    let rewards = past.earned.iter().all(|(reward, days)| {
        counter.rewards.get(*reward).is_some_and(|tally| fits(tally.total, &tally.days, days))
    });
    fits(counter.votes.total, &counter.votes.days, &past.days)
        && rewards
        && counter.rewards.len() == past.earned.len()
        && counter.imported.is_empty()
}
