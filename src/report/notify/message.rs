//! What is gathered for one target, and the message that it becomes: pure text.

use crate::config::About;
use crate::text::counted;

/// The most characters of a message to Discord. It counts characters; this counts UTF-16 units, which are no fewer.
const LONGEST: usize = 2000;
/// Room for the line that counts what had no room.
const RESERVE: usize = 100;
/// The most characters of one line. Each may need a backslash, and then a few lines have room all the same.
const LONGEST_LINE: usize = 400;
/// How many different things are told in one message; of more it only says how many there were.
const MOST_LINES: usize = 12;

/// One thing that happened, in words. Text from outside went through [`crate::text::Outside`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) struct Line {
    pub(super) about: About,
    /// What it is: equal ones are counted.
    pub(super) what: String,
    /// Which one it is; empty where there is only one.
    pub(super) which: String,
}

/// A message, once it is time for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// What it is about, each once; nothing for announcements.
    pub(super) about: Vec<About>,
    /// As people read it.
    pub(super) text: String,
    /// As Discord is given it, so that people read the same.
    pub(super) markdown: String,
    /// How many happenings it tells.
    pub(super) tells: u64,
}

/// What happened and was not told yet. It has a bounded size, whatever happens.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// What is different, in the order in which it first happened.
    lines: Vec<(Line, u64)>,
    /// Happenings that found no place among the lines.
    others: u64,
    /// Happenings of which nothing but their number is known.
    missed: u64,
    /// Happenings whose message was given up.
    untold: u64,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.missed == 0
    }

    pub(super) fn add(&mut self, line: Line) {
        let equal = |(known, _): &&mut (Line, u64)| known.about == line.about && known.what == line.what;
        if let Some((_, count)) = self.lines.iter_mut().find(equal) {
            *count += 1;
        } else if self.lines.len() < MOST_LINES {
            self.lines.push((line, 1));
        } else {
            self.others += 1;
        }
    }

    /// So many more happened, and came too fast to be noted.
    pub(super) fn miss(&mut self, count: u64) {
        self.missed += count;
    }

    /// So many could not be told; this is not a reason for a message, but belongs in the next.
    pub(super) fn give_up(&mut self, count: u64) {
        self.untold += count;
    }

    /// The message; nothing is gathered after it.
    pub(super) fn take(&mut self) -> Message {
        let Gathered { lines, others, missed, untold } = std::mem::take(self);
        let mut about: Vec<About> = Vec::new();
        let mut texts = Vec::new();
        for (line, count) in &lines {
            if !about.contains(&line.about) {
                about.push(line.about);
            }
            texts.push(sentence(line, *count));
        }
        let mut rest = Vec::new();
        if others > 0 {
            rest.push(format!("And {others} more; the log has each."));
        }
        if missed > 0 {
            rest.push(format!(
                "{} came too fast to be noted here; the log has each.",
                counted(missed, "happening")
            ));
        }
        if untold > 0 {
            let earlier = counted(untold, "earlier happening");
            rest.push(format!("{earlier} could not be told; the log has each."));
        }
        let tells = lines.iter().map(|(_, count)| count).sum::<u64>() + others + missed + untold;
        let escaped: Vec<String> = texts.iter().chain(&rest).map(|text| escaped(text)).collect();
        let markdown = joined(&escaped, |left| format!("And {left} more lines; the log has each."));
        texts.append(&mut rest);
        Message { about, text: texts.join("\n"), markdown, tells }
    }
}

fn sentence(Line { what, which, .. }: &Line, count: u64) -> String {
    let text = match (count, which.as_str()) {
        (1, "") => what.clone(),
        (1, which) => format!("{what} ({which})"),
        (count, "") => format!("{what} ({count} times)"),
        (count, which) => format!("{what} ({count} times; the first: {which})"),
    };
    cut(&text)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// As many of the lines as have room, and how many had none.
fn joined(lines: &[String], left: impl Fn(usize) -> String) -> String {
    let units = |text: &str| text.encode_utf16().count();
    let all = lines.join("\n");
    if units(&all) <= LONGEST {
        return all;
    }
    let mut text = String::new();
    for (told, line) in lines.iter().enumerate() {
        if units(&text) + units(line) + RESERVE > LONGEST {
            text.push_str(&left(lines.len() - told));
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Votes to be announced. It has a bounded size, however many there are.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    texts: Vec<String>,
    others: u64,
}

impl Announcements {
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.others == 0
    }

    /// One more, in the owner's markdown.
    pub(super) fn add(&mut self, text: String) {
        let units: usize = self.texts.iter().map(|text| text.encode_utf16().count() + 1).sum();
        if units + text.encode_utf16().count() + RESERVE <= LONGEST && self.others == 0 {
            self.texts.push(text);
        } else {
            self.others += 1;
        }
    }

    /// So many more, of which nothing but their number is known.
    pub(super) fn miss(&mut self, count: u64) {
        self.others += count;
    }

    /// The message; nothing is gathered after it.
    pub(super) fn take(&mut self) -> Message {
        let Announcements { mut texts, others } = std::mem::take(self);
        let tells = texts.len() as u64 + others;
        if others > 0 {
            texts.push(format!("… and {}.", counted(others, "more vote")));
        }
        let text = texts.join("\n");
        Message { about: Vec::new(), markdown: text.clone(), text, tells }
    }
}

/// Text that Discord shows as it stands: no emphasis, link, mention, emoji or quotation comes of it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Discord takes a backslash away from anything that is no letter, digit or space.
        if matches!(
            c,
            '\\' | '*'
                | '_'
                | '~'
                | '`'
                | '|'
                | '>'
                | '<'
                | '#'
                | '-'
                | '+'
                | '['
                | ']'
                | '('
                | ')'
                | '@'
                | ':'
                | '/'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: &str, which: &str) -> Line {
        Line { about: About::Refused, what: what.to_owned(), which: which.to_owned() }
    }

    #[test]
    fn equal_ones_are_counted_and_the_first_is_named() {
        let mut gathered = Gathered::default();
        gathered.add(line("refused", "vote 1"));
        gathered.add(Line { about: About::InDoubt, ..line("doubt", "vote 2") });
        for vote in 3..14 {
            gathered.add(line("refused", &format!("vote {vote}")));
        }
        let message = gathered.take();
        assert_eq!(message.text, "refused (12 times; the first: vote 1)\ndoubt (vote 2)");
        assert_eq!((message.about, message.tells), (vec![About::Refused, About::InDoubt], 13));
        assert!(gathered.is_empty(), "it is told once");
    }

    #[test]
    fn what_was_not_noted_or_not_told_is_a_number() {
        let mut gathered = Gathered::default();
        gathered.give_up(3);
        assert!(gathered.is_empty(), "that the target could not be told is nothing to tell it alone");
        gathered.miss(1);
        let message = gathered.take();
        assert_eq!(
            message.text,
            "1 happening came too fast to be noted here; the log has each.\n3 earlier happenings could not be told; the log has each."
        );
        assert_eq!(message.tells, 4);
    }

    #[test]
    fn a_message_and_what_it_is_made_of_are_bounded() {
        let mut gathered = Gathered::default();
        for n in 0..1000 {
            gathered.add(line(&format!("{n} {}", "𝄞_".repeat(1000)), &"x".repeat(1000)));
        }
        assert_eq!(gathered.lines.len(), MOST_LINES);
        let message = gathered.take();
        assert!(message.markdown.encode_utf16().count() <= LONGEST, "{}", message.markdown.len());
        assert!(message.markdown.starts_with("0 𝄞\\_"), "{}", message.markdown);
        assert!(message.markdown.ends_with("more lines; the log has each."), "{}", message.markdown);
        assert!(message.text.ends_with("And 988 more; the log has each."), "{}", message.text);
        assert_eq!(message.tells, 1000);

        let mut votes = Announcements::default();
        for n in 0..1000 {
            votes.add(format!("{n} {}", "𝄞".repeat(300)));
        }
        let message = votes.take();
        assert!(message.markdown.encode_utf16().count() <= LONGEST);
        assert!(message.markdown.ends_with("… and 997 more votes."), "{}", message.markdown);
        assert!(votes.is_empty());
    }

    #[test]
    fn nothing_in_a_text_is_markdown() {
        assert_eq!(escaped("_x_ **b** `c` ~~d~~"), r"\_x\_ \*\*b\*\* \`c\` \~\~d\~\~");
        assert_eq!(escaped("[a](https://b) <@1> @everyone"), r"\[a\]\(https\:\/\/b\) \<\@1\> \@everyone");
        assert_eq!(escaped("> # - \\ ||s|| :smile:"), r"\> \# \- \\ \|\|s\|\| \:smile\:");
        assert_eq!(escaped("Стив, 12; 3% 'x' \"y\""), "Стив, 12; 3% 'x' \"y\"");
    }
}
