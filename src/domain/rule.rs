//! When a reward applies. Every rule gives its reason, whether it holds or not.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time, Weekday};

use super::counter::{Count, Tally};
use super::draw::Draw;
use super::event::EventKey;
use super::player::PlayerName;

/// One rule of a reward; the reward applies where all of them hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Drawn from the event.
    Chance(Chance),
    /// The player's first vote.
    FirstVote,
    /// Every so many votes.
    EveryVotes(NonZeroU64),
    /// With these votes; sorted.
    Milestones(Vec<u64>),
    /// When a streak reaches so many days.
    StreakDays(NonZeroU32),
    /// Each time that a streak has gone on for so many days.
    EveryStreakDays(NonZeroU32),
    /// On these days of the week.
    Days(Vec<Weekday>),
    /// From one time of the day until before another, over midnight if the second is not later.
    Between(Time, Time),
    /// From this moment on.
    From(DateTime),
    /// Before this moment.
    Until(DateTime),
    /// At most so often in a period.
    Limit(u32, Period),
    /// For these players, by [`PlayerName::key`].
    Players(Vec<String>),
    /// For all but these players.
    ExceptPlayers(Vec<String>),
    /// For votes that arrived when they were no older.
    MaxAge(Duration),
}

/// A chance, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(pub u32);

impl Chance {
    /// Certainty.
    pub const WHOLE: u32 = 1_000_000;
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / 10_000, format!("{:04}", self.0 % 10_000));
        match rest.trim_end_matches('0') {
            "" => write!(f, "{percent}%"),
            rest => write!(f, "{percent}.{rest}%"),
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The civil day of the vote.
    Day,
    /// Its week, from Monday.
    Week,
    /// Its month.
    Month,
    /// For ever.
    Total,
}

impl Period {
    /// Every period by its name.
    pub const ALL: [(&'static str, Period); 4] =
        [("day", Period::Day), ("week", Period::Week), ("month", Period::Month), ("total", Period::Total)];
}

/// The days of the week by their names.
pub const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What the rules of one reward ask about one vote.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The event of the vote.
    pub event: &'a EventKey,
    /// The reward's name.
    pub reward: &'a str,
    /// The voter.
    pub player: &'a PlayerName,
    /// When the vote was made, in the owner's time zone.
    pub voted_at: DateTime,
    /// How old the vote was when its event arrived.
    pub age: SignedDuration,
    /// What the vote counts as, in the scope of the reward.
    pub count: &'a Count,
    /// How often the player has earned the reward, in that scope.
    pub earned: Option<&'a Tally>,
}

/// Whether all rules hold, and why: where one does not, the reasons of all that do not.
pub fn judge(rules: &[Rule], case: &Case<'_>) -> (bool, String) {
    let (mut held, mut failed) = (Vec::new(), Vec::new());
    for rule in rules {
        match rule.holds(case) {
            Ok(reason) => held.push(reason),
            Err(reason) => failed.push(reason),
        }
    }
    match (failed.is_empty(), held.is_empty()) {
        (true, true) => (true, "every vote for this server earns it".to_owned()),
        (true, false) => (true, held.join("; ")),
        (false, _) => (false, failed.join("; ")),
    }
}

impl Rule {
    /// Why it holds.
    ///
    /// # Errors
    /// Why it does not.
    fn holds(&self, case: &Case<'_>) -> Result<String, String> {
        let Case { event, reward, player, voted_at, age, count, earned } = *case;
        let Count { votes, streak, streak_before, .. } = *count;
        let either = |holds: bool, yes: String, no: String| if holds { Ok(yes) } else { Err(no) };
        match self {
            Rule::Chance(chance) => {
                let drawn = Chance(Draw::of(event, reward, "chance").below(Chance::WHOLE));
                either(
                    drawn.0 < chance.0,
                    format!("it drew {drawn}, which is within the chance of {chance}"),
                    format!("it drew {drawn}, which is not within the chance of {chance}"),
                )
            }
            Rule::FirstVote => either(
                votes == 1,
                "it is the player's first vote".to_owned(),
                format!("it is vote {votes} of the player, not the first"),
            ),
            Rule::EveryVotes(every) => either(
                votes.is_multiple_of(every.get()),
                format!("it is vote {votes} of the player, and every {every} votes earn it"),
                format!("it is vote {votes} of the player; vote {} earns it", next_multiple(*every, votes)),
            ),
            Rule::Milestones(milestones) => either(
                milestones.contains(&votes),
                format!("it is vote {votes} of the player, a milestone"),
                match milestones.iter().find(|milestone| **milestone > votes) {
                    Some(next) => {
                        format!("it is vote {votes} of the player; the next milestone is vote {next}")
                    }
                    None => format!("it is vote {votes} of the player, and all milestones are behind it"),
                },
            ),
            Rule::StreakDays(days) => either(
                streak_before < days.get() && days.get() <= streak,
                format!("with it the streak has reached {days} days"),
                not_reached(count, *days),
            ),
            Rule::EveryStreakDays(days) => either(
                streak / days.get() > streak_before / days.get(),
                format!("with it the streak has reached {streak} days, and every {days} days earn it"),
                not_reached(count, *days),
            ),
            Rule::Days(days) => {
                let weekday = named(&WEEKDAYS, &voted_at.weekday());
                let holds = days.contains(&voted_at.weekday());
                either(
                    holds,
                    format!("it was made on a {weekday}"),
                    format!("it was made on a {weekday}, which is none of its days"),
                )
            }
            Rule::Between(from, until) => {
                let time = voted_at.time();
                let (begun, ended) = (time >= *from, time >= *until);
                let holds = if from < until { begun && !ended } else { begun || !ended };
                let [time, from, until] = [time, *from, *until].map(clock);
                either(
                    holds,
                    format!("it was made at {time}, between {from} and {until}"),
                    format!("it was made at {time}, not between {from} and {until}"),
                )
            }
            Rule::From(from) => either(
                voted_at >= *from,
                format!("it was made from {} on", moment(*from)),
                format!("it was made before {}", moment(*from)),
            ),
            Rule::Until(until) => either(
                voted_at < *until,
                format!("it was made before {}", moment(*until)),
                format!("it was made when {} had begun, and by then it was over", moment(*until)),
            ),
            Rule::Limit(limit, period) => {
                let date = voted_at.date();
                let times = earned.map_or(0, |earned| earned.within(*period, date));
                let name = named(&Period::ALL, period);
                either(
                    times < u64::from(*limit),
                    format!("of {limit}/{name}, the player has had {times} before"),
                    format!("of {limit}/{name}, the player has had {times}"),
                )
            }
            Rule::Players(players) => either(
                players.contains(&player.key()),
                "the player is one of its players".to_owned(),
                "the player is not one of its players".to_owned(),
            ),
            Rule::ExceptPlayers(players) => either(
                !players.contains(&player.key()),
                "the player is none of those who do not get it".to_owned(),
                "the player is one of those who do not get it".to_owned(),
            ),
            Rule::MaxAge(most) => {
                let most = SignedDuration::try_from(*most).unwrap_or(SignedDuration::MAX);
                let [age_in_words, most_in_words] = [age.max(SignedDuration::ZERO), most].map(in_words);
                either(
                    age <= most,
                    format!("it was {age_in_words} old when it arrived, and may be {most_in_words}"),
                    format!("it was {age_in_words} old when it arrived, and may be {most_in_words} at most"),
                )
            }
        }
    }
}

impl Tally {
    fn within(&self, period: Period, date: Date) -> u64 {
        match period {
            Period::Day => self.on(date).into(),
            Period::Week => self.in_week(date).into(),
            Period::Month => self.in_month(date).into(),
            Period::Total => self.total,
        }
    }
}

/// Whether the player's votes lead up to the rules.
pub fn counts_votes(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| matches!(rule, Rule::EveryVotes(_) | Rule::Milestones(_)))
}

/// After how many more votes the rules can hold next, as far as they count votes; `None` where they do not, or never
/// again.
pub fn votes_to_next(rules: &[Rule], votes: u64) -> Option<u64> {
    let milestones =
        rules.iter().find_map(|rule| if let Rule::Milestones(votes) = rule { Some(votes) } else { None });
    let every =
        rules.iter().find_map(|rule| if let Rule::EveryVotes(every) = rule { Some(*every) } else { None });
    let next = match (milestones, every) {
        (Some(milestones), every) => {
            let holds = |milestone: u64| every.is_none_or(|every| milestone.is_multiple_of(every.get()));
            milestones.iter().copied().find(|milestone| *milestone > votes && holds(*milestone))?
        }
        (None, Some(every)) => next_multiple(every, votes),
        (None, None) => return None,
    };
    Some(next - votes)
}

fn next_multiple(every: NonZeroU64, votes: u64) -> u64 {
    (votes / every + 1) * every.get()
}

fn not_reached(count: &Count, days: NonZeroU32) -> String {
    let Count { streak, streak_before, .. } = count;
    if streak == streak_before {
        format!("the streak was {streak} days long already, so it did not reach {days} with it")
    } else {
        format!("with it the streak is {streak} days long, and {days} earn it")
    }
}

/// The name of a value in a table of names.
fn named<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, named)| named == value).map_or("", |(name, _)| name)
}

/// A time of the day as an owner writes it.
pub fn clock(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

/// A moment as an owner writes it.
fn moment(at: DateTime) -> String {
    if at.time() == Time::midnight() {
        at.date().to_string()
    } else {
        at.strftime("%Y-%m-%dT%H:%M").to_string()
    }
}

/// A duration in its largest units, for a message.
fn in_words(time: SignedDuration) -> String {
    let minutes = time.as_mins();
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
