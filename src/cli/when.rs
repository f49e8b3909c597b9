//! Times on the command line, and times that are shown: in the time zone of the system.

use anyhow::{Context, anyhow};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config;

const FORMS: &str = "write how long ago it is, like 90m, 2h or 3d, or a time like 2026-11-20, 2026-11-20T18:30 or 2026-11-20T18:30:00Z";

/// Reads a span: a whole number and `s`, `m`, `h`, `d`, `w` or `y`, which is 365 days.
fn span(text: &str) -> anyhow::Result<SignedDuration> {
    let days = |unit: char, days: u64| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        Some(std::time::Duration::from_secs(number.checked_mul(days * 24 * 60 * 60)?))
    };
    let span = days('y', 365).or_else(|| days('w', 7)).or_else(|| config::duration(text));
    let span = span.ok_or_else(|| {
        anyhow!("is no time: write a whole number with s, m, h, d, w or y behind it, like 90d")
    })?;
    SignedDuration::try_from(span).ok().context("is too long")
}

/// Reads how long ago it is.
pub(super) fn ago(text: &str) -> anyhow::Result<Timestamp> {
    Timestamp::now().checked_sub(span(text)?).ok().context("is too long ago")
}

/// Reads a moment: how long ago it is, or a date, with a time of day or without, in the time zone of the system unless it
/// says another one.
pub(super) fn moment(text: &str) -> anyhow::Result<Timestamp> {
    if span(text).is_ok() {
        return ago(text);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day = || text.parse::<Date>().map(|date| date.at(0, 0, 0, 0));
    let local = if text.len() > "2026-11-20".len() { text.parse::<DateTime>() } else { day() };
    let local = local.map_err(|_| anyhow!("is no time: {FORMS}"))?;
    let zoned = local.to_zoned_datetime(TimeZone::system()).ok().context("is too far from today")?;
    Ok(zoned.timestamp())
}

/// A time for a person.
pub(super) fn shown(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments() {
        assert_eq!(span("1y").unwrap(), SignedDuration::from_hours(365 * 24));
        assert_eq!(span("2w").unwrap(), SignedDuration::from_hours(14 * 24));
        assert_eq!(span("90 m").unwrap(), SignedDuration::from_mins(90));
        for wrong in ["", "y", "-1d", "1.5d", "1 year", "18446744073709551615y"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        let utc: Timestamp = "2026-11-20T18:30:00Z".parse().unwrap();
        assert_eq!(moment("2026-11-20T18:30:00Z").unwrap(), utc);
        assert_eq!(moment("2026-11-20T20:30:00+02:00").unwrap(), utc);
        let day = moment("2026-11-20").unwrap();
        assert!((day.as_second() - utc.as_second()).abs() < 48 * 60 * 60);
        assert_eq!(moment("2026-11-20T01:00").unwrap().as_second(), day.as_second() + 3_600);
        assert_eq!(moment("2026-11-20 01:00").unwrap().as_second(), day.as_second() + 3_600);
        assert!(Timestamp::now().as_second() - moment("2h").unwrap().as_second() < 7_300);
        for wrong in ["yesterday", "2026-13-01", "2026-11-20T", "20.11.2026", ""] {
            assert!(moment(wrong).unwrap_err().to_string().starts_with("is no time: "), "{wrong}");
        }
        assert_eq!(moment("99999y").unwrap_err().to_string(), "is too long ago");
    }
}
