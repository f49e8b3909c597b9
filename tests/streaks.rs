//! Streaks against a model that knows nothing but a set of numbered days.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use votive::domain::calendar::{Calendar, Days};

/// Every day by itself, asked one by one.
fn naive(days: &BTreeSet<i64>, day: i64, grace: u32) -> u32 {
    let near = i64::from(grace) + 1;
    let (mut low, mut high, mut count) = (day, day, u32::from(days.contains(&day)));
    while let Some(next) = (1..=near).map(|n| low - n).find(|day| days.contains(day)) {
        (low, count) = (next, count + 1);
    }
    while let Some(next) = (1..=near).map(|n| high + n).find(|day| days.contains(day)) {
        (high, count) = (next, count + 1);
    }
    count
}

/// Time zones with and without daylight saving time, on both sides of the world and of noon.
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];

proptest! {
    /// Votes at any moment of three years, in any order, against a set of numbered days.
    #[test]
    fn streaks_are_those_of_a_set_of_days(
        zone in prop::sample::select(&ZONES[..]),
        grace in 0..8_u32,
        begin in 1_700_000_000..1_790_000_000_i64,
        // Near enough to each other that there are streaks, and a daylight saving time may be among them.
        hours in prop::collection::vec(0..24 * 45_i64, 1..60),
    ) {
        let calendar = Calendar { time_zone: TimeZone::get(zone).unwrap(), grace };
        let (mut days, mut model) = (Days::default(), BTreeSet::new());
        for hour in hours {
            let date = calendar.civil(Timestamp::from_second(begin + hour * 3600).unwrap()).date();
            let number = i64::from((date - civil::date(2020, 1, 1)).get_days());
            let without = model.clone();
            model.insert(number);
            let (after, before) = days.streak_with(date, grace);
            prop_assert_eq!(after, naive(&model, number, grace));
            // Without the day, the longest of the streaks that it joins.
            let near = i64::from(grace) + 1;
            let parts = (number - near..=number + near).filter(|day| without.contains(day));
            prop_assert_eq!(before, parts.map(|day| naive(&without, day, grace)).max().unwrap_or(0));
            days.add(date, date);
        }
    }
    /// Votes in order for a long time, of which only the last are remembered one by one.
    #[test]
    fn long_streaks_are_those_of_a_set_of_days(
        grace in 0..4_u32,
        steps in prop::collection::vec(prop_oneof![8 => 1..3_i64, 1 => 0..9_i64], 1..250),
    ) {
        let (mut days, mut model, mut number) = (Days::default(), BTreeSet::new(), 0_i64);
        for step in steps {
            number += step;
            let date = civil::date(2026, 1, 1).checked_add(jiff::ToSpan::days(number)).unwrap();
            let before = model.clone();
            model.insert(number);
            let streak = naive(&model, number, grace);
            let known = u32::from(before.contains(&number));
            prop_assert_eq!(days.streak_with(date, grace), (streak, streak - 1 + known));
            days.add(date, date);
            days.forget(grace);
        }
    }
}
