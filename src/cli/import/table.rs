//! The file of `votive import`: a table with a player in each row.

use std::collections::HashMap;
use std::str::FromStr;

use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::domain::calendar::Calendar;
use crate::domain::counter::{Imported, MOST_IMPORTED};
use crate::domain::player::PlayerName;

/// The columns that there can be; the first two have to be there.
const COLUMNS: [&str; 4] = ["player", "total", "streak", "last_vote"];

/// What one row says.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) player: PlayerName,
    pub(super) imported: Imported,
    pub(super) last_vote: Option<Date>,
}

/// What is wrong in a line, and what to do.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    pub(super) line: u64,
    pub(super) message: String,
}

/// Reads the whole table.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(
    bytes: &[u8],
    bedrock_prefix: Option<char>,
    calendar: &Calendar,
) -> Result<Vec<Row>, Vec<Mistake>> {
    let at = |line: u64, message: String| vec![Mistake { line, message }];
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        at(before as u64 + 1, "this is not UTF-8; save the file as UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = text.lines().next().unwrap_or_default();
    let separator = [b'\t', b';'].into_iter().find(|separator| head.contains(char::from(*separator)));
    let mut records = ReaderBuilder::new()
        .delimiter(separator.unwrap_or(b','))
        .has_headers(false)
        // Rows of another length get a message of ours.
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes())
        .into_records();
    let first = records.next().and_then(Result::ok).unwrap_or_default();
    let columns = columns(&first).map_err(|message| at(1, message))?;

    let (mut rows, mut mistakes, mut lines) = (Vec::new(), Vec::new(), HashMap::new());
    for record in records {
        // The text is UTF-8, and rows may have any length: there is nothing else that could be wrong.
        let Ok(record) = record else { continue };
        let line = line_of(text, &record);
        let row = if record.len() == first.len() {
            row(&record, columns, bedrock_prefix, calendar)
        } else {
            Err(format!("it has {} fields, and the first line names {}", record.len(), first.len()))
        };
        let row = row.and_then(|row| match lines.insert(row.player.key(), line) {
            Some(before) => {
                Err(format!("{} is in line {before} already; leave one of the two in", row.player))
            }
            None => Ok(row),
        });
        match row {
            Ok(row) => rows.push(row),
            Err(message) => mistakes.push(Mistake { line, message }),
        }
    }
    if rows.is_empty() && mistakes.is_empty() {
        mistakes = at(1, "there are no players below the names of the columns".to_owned());
    }
    if mistakes.is_empty() { Ok(rows) } else { Err(mistakes) }
}

/// The line in which a record begins: empty ones before it belong to it, for the library.
fn line_of(text: &str, record: &StringRecord) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let from = usize::try_from(position.byte()).ok().and_then(|from| text.get(from..)).unwrap_or_default();
    let empty = from.chars().take_while(|c| matches!(c, '\n' | '\r')).filter(|c| *c == '\n').count();
    position.line() + empty as u64
}

/// The place of each of the columns.
fn columns(head: &StringRecord) -> Result<[Option<usize>; 4], String> {
    let names = || COLUMNS.join(", ");
    let mut places = [None; 4];
    for (place, name) in head.iter().enumerate() {
        let Some(column) = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name)) else {
            return Err(format!(
                "the first line has to name the columns, and they can be {}; {name:?} is none of them",
                names()
            ));
        };
        if places[column].replace(place).is_some() {
            return Err(format!("the column {} is there twice", COLUMNS[column]));
        }
    }
    for (place, name) in places.iter().zip(COLUMNS).take(2) {
        if place.is_none() {
            return Err(format!(
                "there is no column {name}; the first line has to name the columns: {}",
                names()
            ));
        }
    }
    Ok(places)
}

fn row(
    record: &StringRecord,
    columns: [Option<usize>; 4],
    bedrock_prefix: Option<char>,
    calendar: &Calendar,
) -> Result<Row, String> {
    let [player, total, streak, last_vote] =
        columns.map(|column| column.and_then(|column| record.get(column)).unwrap_or_default());
    let player = PlayerName::parse(player, bedrock_prefix)
        .map_err(|why| format!("{player:?} is no player: {why}; correct it, or take the row out"))?;
    let total = whole(total).filter(|total| *total <= MOST_IMPORTED).ok_or_else(|| {
        format!("the total {total:?} of {player} is no whole number from 0 to {MOST_IMPORTED}")
    })?;
    let streak: u32 = if streak.is_empty() { Some(0) } else { whole(streak) }
        .ok_or_else(|| format!("the streak {streak:?} of {player} is no whole number of days"))?;
    let last_vote = date(last_vote, calendar).map_err(|()| {
        format!("the last_vote {last_vote:?} of {player} is no date like 2026-11-20, no time like 2026-11-20T18:00:00Z, and no Unix time in seconds or milliseconds")
    })?;
    let imported = match (streak, last_vote) {
        (0, _) => Imported { total, streak: None },
        (_, None) => {
            return Err(format!(
                "nobody knows when the streak of {player} ended, as there is no last_vote; write that, or 0 as the streak"
            ));
        }
        (_, Some(last_vote)) => Imported::new(total, streak, last_vote)
            .ok_or_else(|| format!("a streak of {streak} days is longer than any calendar"))?,
    };
    Ok(Row { player, imported, last_vote })
}

/// A number in digits alone.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The owner's day of a time, however it is written; `None` where there is none.
fn date(text: &str, calendar: &Calendar) -> Result<Option<Date>, ()> {
    let day = |at: Timestamp| calendar.civil(at).date();
    let at = match whole::<i64>(text) {
        // What was never set.
        Some(0) => return Ok(None),
        // Between the years 2001 and 5138; 20261120 is neither of them.
        Some(seconds @ 1_000_000_000..100_000_000_000) => Timestamp::from_second(seconds).ok(),
        Some(milliseconds @ 1_000_000_000_000..100_000_000_000_000) => {
            Timestamp::from_millisecond(milliseconds).ok()
        }
        Some(_) => None,
        None if text.is_empty() => return Ok(None),
        // First with its offset: a `DateTime` takes a text with one as well, and forgets it.
        None => match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) => return text.parse::<DateTime>().map(|at| Some(at.date())).map_err(drop),
        },
    };
    at.map(|at| Some(day(at))).ok_or(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    fn read(text: &str) -> Result<Vec<Row>, Vec<Mistake>> {
        let calendar = Calendar { time_zone: TimeZone::get("Asia/Tokyo").unwrap(), grace: 0 };
        super::read(text.as_bytes(), Some('.'), &calendar)
    }

    /// The player, the total, the first day of the streak, and the day of the last vote.
    fn told(text: &str) -> Vec<(String, u64, Option<Date>, Option<Date>)> {
        let rows = read(text).unwrap().into_iter();
        let told = |row: Row| {
            let Imported { total, streak } = row.imported;
            (row.player.to_string(), total, streak.map(|(first, _)| first), row.last_vote)
        };
        rows.map(told).collect()
    }

    fn mistakes(text: &str) -> Vec<(u64, String)> {
        read(text).unwrap_err().into_iter().map(|mistake| (mistake.line, mistake.message)).collect()
    }

    #[test]
    fn every_separator_order_and_spelling_is_understood() {
        let steve = ("Steve".to_owned(), 120, Some(date(2026, 12, 19)), Some(date(2026, 12, 24)));
        let alex = (".Al_ex".to_owned(), 3, None, None);
        for text in [
            "player,total,streak,last_vote\nSteve,120,6,2026-12-24\n.Al ex,3,0,\n",
            "\u{feff}Player;TOTAL;Streak;Last_Vote\r\nSteve;120;6;2026-12-24\r\n.Al ex;3;;\r\n",
            "last_vote\tstreak\ttotal\tplayer\n2026-12-24\t6\t120\tSteve\n0\t0\t3\t.Al ex",
            "\"player\",\"total\", streak, last_vote\n\n\"Steve\",\"120\", 6, 2026-12-24\n\n.Al ex,3,0,0\n",
        ] {
            assert_eq!(told(text), [steve.clone(), alex.clone()], "{text}");
        }
        assert_eq!(told("player,total\nSteve,7\n"), [("Steve".to_owned(), 7, None, None)]);
    }

    #[test]
    fn a_last_vote_is_a_day_where_the_players_live() {
        for (text, day) in [
            ("2026-11-20", date(2026, 11, 20)),
            ("2026-11-20 23:59:59", date(2026, 11, 20)),
            ("2026-11-20T14:59:59Z", date(2026, 11, 20)),
            ("2026-11-20T15:00:00Z", date(2026, 11, 21)),
            ("2026-11-20T15:00:00+00:00", date(2026, 11, 21)),
            ("1795186799", date(2026, 11, 20)),
            ("1795186800", date(2026, 11, 21)),
            ("1795186799999", date(2026, 11, 20)),
        ] {
            let rows = told(&format!("player,total,last_vote\nSteve,1,{text}\n"));
            assert_eq!(rows[0].3, Some(day), "{text}");
        }
        for text in ["yesterday", "20.11.2026", "20261120", "-5", "99999999999999999999", "2026-02-30"] {
            let told = mistakes(&format!("player,total,last_vote\nSteve,1,{text}\n"));
            assert!(
                told[0].1.starts_with(&format!("the last_vote \"{text}\" of Steve is no date")),
                "{told:?}"
            );
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "player,total,streak,last_vote\n\nSteve,1,1,2026-12-24\nSt eve,1,0,\nAlex,-1,0,\nA,1.0,0,\nB,1000000001,0,\nC,,0,\nD,1,x,\nE,1,2,\nF,1,4000000000,2026-12-24\nG,1\nSTEVE,2,0,\n";
        let told = mistakes(text);
        let begin = [
            (4, "\"St eve\" is no player: "),
            (5, "the total \"-1\" of Alex is no whole number"),
            (6, "the total \"1.0\" of A "),
            (7, "the total \"1000000001\" of B "),
            (8, "the total \"\" of C "),
            (9, "the streak \"x\" of D "),
            (10, "nobody knows when the streak of E ended"),
            (11, "a streak of 4000000000 days is longer"),
            (12, "it has 2 fields, and the first line names 4"),
            (13, "STEVE is in line 3 already"),
        ];
        assert_eq!(told.len(), begin.len(), "{told:#?}");
        for ((line, message), (expected, begin)) in told.iter().zip(begin) {
            assert!(*line == expected && message.starts_with(begin), "{line}: {message}");
        }
    }

    #[test]
    fn a_file_that_is_no_table_is_told_from_one() {
        for (text, begin) in [
            ("", "there is no column player"),
            ("Steve,120\n", "the first line has to name the columns"),
            ("player,streak\nSteve,1\n", "there is no column total"),
            ("player,total,Total\nSteve,1,1\n", "the column total is there twice"),
            ("player,total\n", "there are no players"),
        ] {
            let told = mistakes(text);
            assert!(told[0].0 == 1 && told[0].1.starts_with(begin), "{told:?}");
        }
        let told = super::read(b"player,total\nSteve,1\n\xff,2\n", None, &Calendar::default()).unwrap_err();
        assert_eq!((told.len(), told[0].line), (1, 3));
    }
}
