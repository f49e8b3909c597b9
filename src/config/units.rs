//! Values with a unit: `5s`, `20/s`.

use std::str::FromStr;
use std::time::Duration;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// Reads a number per second: `20/s`.
pub(super) fn per_second(text: &str) -> Option<u32> {
    match split(text)? {
        (number, "/s") => u32::try_from(number).ok(),
        _ => None,
    }
}

/// Reads a share of a hundred, in millionths of the whole: `5%`, `0.25%`.
pub(super) fn percent(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(rest) || rest.len() > 4 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let rest: u32 = format!("{rest:0<4}").parse().ok()?;
    whole.checked_mul(10_000)?.checked_add(rest)
}

/// Reads a number per period, by the periods' names: `1/day`.
pub(super) fn per<T: Copy>(text: &str, periods: &[(&str, T)]) -> Option<(u32, T)> {
    let (number, unit) = split(text)?;
    let period = unit.strip_prefix('/')?;
    let (_, period) = periods.iter().find(|(name, _)| *name == period)?;
    Some((u32::try_from(number).ok()?, *period))
}

/// Reads a whole number from 1 up, written without anything in front of it.
pub(super) fn whole<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| !text.starts_with(['0', '+']))
}

/// A whole number and what follows it, with a space between them or without.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.strip_prefix(' ').unwrap_or(unit)))
}

/// A duration as one would write it, in the largest unit that fits.
pub(super) fn written(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds >= size && milliseconds.is_multiple_of(size) {
            return format!("{}{unit}", milliseconds / size);
        }
    }
    format!("{milliseconds}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5 s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("12h"), Some(Duration::from_secs(43_200)));
        assert_eq!(duration("30d"), Some(Duration::from_secs(2_592_000)));
        for wrong in
            ["", "5", "s", "-5s", "1.5s", "5sec", "5  s", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn they_are_written_as_they_are_read() {
        for text in ["500ms", "1500ms", "5s", "90s", "10m", "12h", "30d"] {
            assert_eq!(duration(text).map(written).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_chance_is_in_percent() {
        assert_eq!(percent("5%"), Some(50_000));
        assert_eq!(percent("0.25 %"), Some(2_500));
        assert_eq!(percent("12.3456%"), Some(123_456));
        assert_eq!(percent("100%"), Some(1_000_000));
        for wrong in ["5", "%", ".5%", "5.%", "-5%", "1.23456%", "1,5%", "5  %", "429497%"] {
            assert_eq!(percent(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_per_period() {
        let periods = [("day", 'd'), ("total", 't')];
        assert_eq!(per("1/day", &periods), Some((1, 'd')));
        assert_eq!(per("12 /total", &periods), Some((12, 't')));
        for wrong in ["1", "day", "1/hour", "1/ day", "/day", "99999999999/day"] {
            assert_eq!(per(wrong, &periods), None, "{wrong}");
        }
    }

    #[test]
    fn a_pace_is_per_second() {
        assert_eq!(per_second("20/s"), Some(20));
        assert_eq!(per_second("20"), None);
        assert_eq!(per_second("20/m"), None);
        assert_eq!(per_second("99999999999/s"), None);
    }
}
