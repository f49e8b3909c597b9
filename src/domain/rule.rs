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
                format!("with it the streak has reached {}", in_days(days.get())),
                not_reached(streak, days.get()),
            ),
            Rule::EveryStreakDays(days) => either(
                streak / days.get() > streak_before / days.get(),
                format!(
                    "with it the streak has reached {}, and every {} earn it",
                    in_days(streak),
                    in_days(days.get())
                ),
                not_reached(streak, (streak / days.get() + 1).saturating_mul(days.get())),
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
                format!("it was made after the beginning, {}", from.strftime(MOMENT)),
                format!("it was made before the beginning, {}", from.strftime(MOMENT)),
            ),
            Rule::Until(until) => either(
                voted_at < *until,
                format!("it was made before the end, {}", until.strftime(MOMENT)),
                format!("it was not made before the end, {}", until.strftime(MOMENT)),
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
    // A reward has at most one rule of each kind.
    let milestones = rules.iter().find_map(|rule| match rule {
        Rule::Milestones(milestones) => Some(milestones),
        _ => None,
    });
    let every = rules.iter().find_map(|rule| match rule {
        Rule::EveryVotes(every) => Some(*every),
        _ => None,
    });
    let fits = |at: u64| every.is_none_or(|every| at.is_multiple_of(every.get()));
    let next = match milestones {
        Some(milestones) => milestones.iter().copied().find(|at| *at > votes && fits(*at)),
        None => every.map(|every| next_multiple(every, votes)),
    };
    next.map(|next| next - votes)
}

fn next_multiple(every: NonZeroU64, votes: u64) -> u64 {
    (votes / every + 1) * every.get()
}

/// Why a streak of so many days does not earn what the `next` day earns.
fn not_reached(streak: u32, next: u32) -> String {
    format!("with it the streak is {} long; the first vote of day {next} earns it", in_days(streak))
}

fn in_days(number: u32) -> String {
    if number == 1 { "1 day".to_owned() } else { format!("{number} days") }
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
const MOMENT: &str = "%Y-%m-%dT%H:%M";

/// A duration in its largest units, for a message; rounded up, so that what is too old never looks like the limit.
fn in_words(time: SignedDuration) -> String {
    let minutes = (time.as_millis() + 59_999) / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Vote 20 of Steve, on Wednesday 2026-09-30 at 22:15, half an hour old when it arrived.
    struct Given {
        voted_at: DateTime,
        age: SignedDuration,
        count: Count,
        earned: Option<Tally>,
    }

    impl Default for Given {
        fn default() -> Self {
            Given {
                voted_at: date(2026, 9, 30).at(22, 15, 0, 0),
                age: SignedDuration::from_mins(30),
                count: Count { votes: 20, today: 1, month: 5, streak: 7, streak_before: 6 },
                earned: None,
            }
        }
    }

    impl Given {
        fn votes(votes: u64) -> Given {
            Given { count: Count { votes, ..Given::default().count }, ..Given::default() }
        }

        fn streak(streak_before: u32, streak: u32) -> Given {
            Given { count: Count { streak, streak_before, ..Given::default().count }, ..Given::default() }
        }

        fn at(voted_at: DateTime) -> Given {
            Given { voted_at, ..Given::default() }
        }

        fn judge(&self, rules: &[Rule]) -> (bool, String) {
            let case = Case {
                event: &EventKey::new("server.vote", "e-1"),
                reward: "lucky",
                player: &PlayerName::parse("Steve", None).unwrap(),
                voted_at: self.voted_at,
                age: self.age,
                count: &self.count,
                earned: self.earned.as_ref(),
            };
            judge(rules, &case)
        }

        #[track_caller]
        fn holds(&self, rule: Rule, reason: &str) {
            assert_eq!(self.judge(&[rule]), (true, reason.to_owned()));
        }

        #[track_caller]
        fn fails(&self, rule: Rule, reason: &str) {
            assert_eq!(self.judge(&[rule]), (false, reason.to_owned()));
        }
    }

    fn every(votes: u64) -> Rule {
        Rule::EveryVotes(NonZeroU64::new(votes).unwrap())
    }

    fn days(days: u32) -> NonZeroU32 {
        NonZeroU32::new(days).unwrap()
    }

    #[test]
    fn all_rules_have_to_hold_and_each_that_does_not_says_why() {
        let given = Given::default();
        assert_eq!(given.judge(&[]), (true, "every vote for this server earns it".to_owned()));
        let (held, why) = given.judge(&[every(10), Rule::Days(vec![Weekday::Wednesday])]);
        assert_eq!(
            (held, why.as_str()),
            (true, "it is vote 20 of the player, and every 10 votes earn it; it was made on a wednesday")
        );
        let (held, why) = given.judge(&[every(10), Rule::FirstVote, every(7)]);
        assert_eq!(
            (held, why.as_str()),
            (
                false,
                "it is vote 20 of the player, not the first; it is vote 20 of the player; vote 21 earns it"
            )
        );
    }

    #[test]
    fn chance_is_in_millionths_and_its_bound_is_not_within_it() {
        let given = Given::default();
        // What the event of these tests draws: see the tests of `draw`.
        given
            .holds(Rule::Chance(Chance(942_163)), "it drew 94.2162%, which is within the chance of 94.2163%");
        given.fails(
            Rule::Chance(Chance(942_162)),
            "it drew 94.2162%, which is not within the chance of 94.2162%",
        );
        given.holds(
            Rule::Chance(Chance(Chance::WHOLE)),
            "it drew 94.2162%, which is within the chance of 100%",
        );
    }

    #[test]
    fn votes_are_counted() {
        Given::votes(1).holds(Rule::FirstVote, "it is the player's first vote");
        Given::votes(2).fails(Rule::FirstVote, "it is vote 2 of the player, not the first");
        Given::votes(20).holds(every(10), "it is vote 20 of the player, and every 10 votes earn it");
        Given::votes(21).fails(every(10), "it is vote 21 of the player; vote 30 earns it");
        let milestones = || Rule::Milestones(vec![5, 50]);
        Given::votes(5).holds(milestones(), "it is vote 5 of the player, a milestone");
        Given::votes(6).fails(milestones(), "it is vote 6 of the player; the next milestone is vote 50");
        Given::votes(51).fails(milestones(), "it is vote 51 of the player, and all milestones are behind it");
    }

    #[test]
    fn a_streak_is_reached_once() {
        let seven = || Rule::StreakDays(days(7));
        Given::streak(6, 7).holds(seven(), "with it the streak has reached 7 days");
        Given::streak(3, 9).holds(seven(), "with it the streak has reached 7 days");
        Given::streak(5, 6)
            .fails(seven(), "with it the streak is 6 days long; the first vote of day 7 earns it");
        Given::streak(7, 8)
            .fails(seven(), "with it the streak is 8 days long; the first vote of day 7 earns it");
        let already = "with it the streak is 7 days long; the first vote of day 7 earns it";
        Given::streak(7, 7).fails(seven(), already);
        let each = || Rule::EveryStreakDays(days(7));
        Given::streak(13, 14)
            .holds(each(), "with it the streak has reached 14 days, and every 7 days earn it");
        Given::streak(6, 20)
            .holds(each(), "with it the streak has reached 20 days, and every 7 days earn it");
        Given::streak(7, 13)
            .fails(each(), "with it the streak is 13 days long; the first vote of day 14 earns it");
        Given::streak(7, 7)
            .fails(each(), "with it the streak is 7 days long; the first vote of day 14 earns it");
    }

    #[test]
    fn days_and_hours_are_those_of_the_vote() {
        let given = Given::default();
        given.holds(Rule::Days(vec![Weekday::Monday, Weekday::Wednesday]), "it was made on a wednesday");
        given.fails(
            Rule::Days(vec![Weekday::Thursday]),
            "it was made on a wednesday, which is none of its days",
        );
        let hours = |from: i8, until: i8| {
            Rule::Between(jiff::civil::time(from, 0, 0, 0), jiff::civil::time(until, 0, 0, 0))
        };
        let at = |hour: i8| Given::at(date(2026, 9, 30).at(hour, 0, 0, 0));
        given.holds(hours(18, 23), "it was made at 22:15, between 18:00 and 23:00");
        given.fails(hours(18, 22), "it was made at 22:15, not between 18:00 and 22:00");
        let held = |rule: &Rule, hour: i8| at(hour).judge(std::slice::from_ref(rule)).0;
        let (by_day, by_night) = (hours(18, 22), hours(22, 2));
        assert_eq!([17, 18, 21, 22].map(|hour| held(&by_day, hour)), [false, true, true, false]);
        assert_eq!([21, 22, 0, 1, 2].map(|hour| held(&by_night, hour)), [false, true, true, true, false]);
    }

    #[test]
    fn a_season_includes_its_beginning_and_not_its_end() {
        let begin = date(2026, 9, 30).at(22, 15, 0, 0);
        let midnight = date(2026, 10, 1).at(0, 0, 0, 0);
        Given::at(begin).holds(Rule::From(begin), "it was made after the beginning, 2026-09-30T22:15");
        Given::at(begin).fails(Rule::From(midnight), "it was made before the beginning, 2026-10-01T00:00");
        Given::at(begin).holds(Rule::Until(midnight), "it was made before the end, 2026-10-01T00:00");
        Given::at(begin).fails(Rule::Until(begin), "it was not made before the end, 2026-09-30T22:15");
    }

    #[test]
    fn a_limit_is_one_of_its_own_period() {
        // Tuesday of the week and the month of the vote, Sunday of the week before, and the month before.
        let at = [date(2026, 9, 29), date(2026, 9, 27), date(2026, 8, 31)];
        let earned = Tally { total: 9, days: at.map(|day| (day, 1)).into() };
        let given = Given { earned: Some(earned), ..Given::default() };
        let held = |limit, period| given.judge(&[Rule::Limit(limit, period)]).0;
        assert_eq!([held(1, Period::Day), held(1, Period::Week), held(2, Period::Week)], [true, false, true]);
        assert_eq!([held(2, Period::Month), held(3, Period::Month)], [false, true]);
        assert_eq!([held(9, Period::Total), held(10, Period::Total)], [false, true]);
        given.fails(Rule::Limit(1, Period::Week), "of 1/week, the player has had 1");
        given.holds(Rule::Limit(1, Period::Day), "of 1/day, the player has had 0 before");
        // The first of a month, in the same week.
        let next = Given { voted_at: date(2026, 10, 1).at(0, 0, 0, 0), ..given };
        let held = |limit, period| next.judge(&[Rule::Limit(limit, period)]).0;
        assert_eq!([held(1, Period::Week), held(1, Period::Month)], [false, true]);
        assert!(Given::default().judge(&[Rule::Limit(1, Period::Total)]).0, "who never had it may have it");
    }

    #[test]
    fn players_are_told_by_their_keys() {
        let (one, other) = (|| vec!["steve".to_owned()], || vec!["alex".to_owned()]);
        let given = Given::default();
        given.holds(Rule::Players(one()), "the player is one of its players");
        given.fails(Rule::Players(other()), "the player is not one of its players");
        given.holds(Rule::ExceptPlayers(other()), "the player is none of those who do not get it");
        given.fails(Rule::ExceptPlayers(one()), "the player is one of those who do not get it");
    }

    #[test]
    fn a_vote_may_be_as_old_as_it_may_be() {
        let given = Given::default();
        let most = |minutes: u64| Rule::MaxAge(Duration::from_secs(minutes * 60));
        given.holds(most(30), "it was 30 min old when it arrived, and may be 30 min");
        given.fails(most(29), "it was 30 min old when it arrived, and may be 29 min at most");
        let old = Given { age: SignedDuration::from_mins(24 * 60 + 1), ..Given::default() };
        old.fails(most(24 * 60), "it was 24 h 1 min old when it arrived, and may be 24 h at most");
    }

    #[test]
    fn the_next_vote_that_earns_is_one_that_fits_all_rules() {
        let milestones = |votes: &[u64]| Rule::Milestones(votes.to_vec());
        assert_eq!(votes_to_next(&[every(10)], 0), Some(10));
        assert_eq!(votes_to_next(&[every(10)], 9), Some(1));
        assert_eq!(votes_to_next(&[every(10)], 10), Some(10), "this one has been earned");
        assert_eq!(votes_to_next(&[milestones(&[5, 50])], 5), Some(45));
        assert_eq!(votes_to_next(&[milestones(&[5, 50])], 50), None);
        assert_eq!(votes_to_next(&[every(4), milestones(&[10, 20])], 5), Some(15));
        assert_eq!(votes_to_next(&[milestones(&[4]), every(2)], 4), None, "the last milestone is behind it");
        assert_eq!(votes_to_next(&[Rule::FirstVote, Rule::Chance(Chance(1))], 5), None);
        assert!(counts_votes(&[Rule::FirstVote, every(2)]) && !counts_votes(&[Rule::FirstVote]));
    }
}
