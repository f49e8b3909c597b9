//! The `calendar:` section.

use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneName, db};

use super::problem::{Problems, nearest};
use super::read::quoted;
use super::rewards;
use super::units::{self, DAY};
use super::yaml::{Entry, Node};
use crate::domain::calendar::Calendar;
use crate::domain::reward::Reward;
use crate::domain::rule::{Period, Rule};

/// Whoever forgives more does not mean days in a row.
const LONGEST_GRACE: Duration = Duration::from_secs(7 * DAY.as_secs());
/// The rules that ask for the day or the time of the day, by their keys: they need to know the owner's time zone.
const OF_THE_CALENDAR: [&str; 7] =
    ["streak_days", "every_streak_days", "days", "between", "from", "until", "limit"];

/// Reads the calendar, or takes that of UTC.
pub(super) fn read(problems: &mut Problems, node: Option<&Node>) -> Calendar {
    let section = problems.section(node, "calendar").unwrap_or_default();
    let zone = section.get("time_zone");
    let time_zone = zone.and_then(|node| {
        let text = problems.text(node, "Europe/Berlin")?;
        let found = TimeZone::get(&text.text);
        if found.is_err() {
            let message = format!("{}is no time zone", quoted(node, text));
            problems.error(node.place(), message, meant_zone(&text.text));
        } else if let Some((_, sign)) = text.text.to_lowercase().split_once("etc/gmt")
            && let Some(way) =
                [('+', "behind"), ('-', "ahead of")].iter().find(|(way, _)| sign.starts_with(*way))
        {
            let message = format!(
                "{}has its clocks {} UTC: in these names the signs are turned round",
                quoted(node, text),
                way.1
            );
            problems.warning(node.place(), message, "write a continent and a city, like Europe/Berlin");
        }
        found.ok()
    });
    let grace = |text: &str| {
        units::duration(text).filter(|grace| grace.as_secs() % DAY.as_secs() == 0 && *grace <= LONGEST_GRACE)
    };
    let grace = problems.parsed(section.get("grace"), "a number of days from 0d to 7d", "1d", grace);
    Calendar {
        time_zone: time_zone.unwrap_or(TimeZone::UTC),
        // At most seven.
        grace: grace.and_then(|grace| u32::try_from(grace.as_secs() / DAY.as_secs()).ok()).unwrap_or(0),
    }
}

/// What to write in place of a time zone that there is none of.
fn meant_zone(text: &str) -> String {
    let known: Vec<TimeZoneName<'_>> = db().available().collect();
    let names = || known.iter().map(TimeZoneName::as_str);
    let city = text.trim().replace(' ', "_").to_lowercase();
    let is_city = |name: &&str| name.to_lowercase().rsplit('/').next() == Some(city.as_str());
    let of_city = names().filter(|name| !name.starts_with("Etc/")).find(is_city);
    // A short name is like any other, and the nearest to `GMT+3` would be another hour.
    match of_city.or_else(|| nearest(text, names()).filter(|_| text.contains('/'))) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a continent and a city whose clocks go like those of your players, such as Europe/Moscow, or UTC".to_owned(),
    }
}

/// Tells which time zone holds where nobody has said, if a reward asks for the day or the time of the day.
pub(super) fn warn_of_utc(problems: &mut Problems, rewards: &[rewards::Read<'_>]) {
    let of_the_calendar = |reward: &Reward, entry: &Entry| {
        let for_ever = reward.rules.iter().any(|rule| matches!(rule, Rule::Limit(_, Period::Total)));
        let mut keys = OF_THE_CALENDAR.iter().filter(|key| **key != "limit" || !for_ever);
        keys.find_map(|key| Some((*key, entry.node.get(key)?.clone())))
    };
    if let Some((key, node)) = rewards.iter().find_map(|(reward, entry)| of_the_calendar(reward, entry)) {
        let message =
            format!("`{key}` goes by the clock of UTC, because nothing says where your players live");
        let remedy = "write `calendar:` at the top of the file, and below it, indented, `time_zone: Europe/Berlin` or what is yours";
        problems.warning(node.place(), message, remedy);
    }
}
