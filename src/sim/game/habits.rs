//! How a simulated game server misbehaves, for which commands and how often.

use std::time::Duration;

use super::plain;
use crate::rcon::frame::REPLY;

/// One way in which a real server's RCON differs from the orderly one, or breaks.
#[derive(Clone, Debug, PartialEq)]
pub enum Habit {
    /// The command runs and is never answered.
    Silent,
    /// A second frame with the same id follows the reply.
    SecondFrame(String, When),
    /// The replies have this frame kind; some servers use 2 in place of 0.
    Kind(i32),
    /// The reply carries this id.
    Id(i32),
    /// The main thread needs this long before it runs the command; everything else waits for it.
    Lag(Duration),
    /// The reply leaves this long after the command ran.
    Late(Duration),
    /// The command runs, and its reply stays back until [`super::Game::release_replies`].
    Withheld,
    /// The command runs, and the reply says this instead: `Error executing: …`, or a text that nobody knows.
    Says(String),
    /// The reply has a byte in it that no UTF-8 text has.
    NotUtf8,
    /// In place of the reply these bytes are written, frame or not.
    Bytes(Vec<u8>),
    /// The connection is closed once the command was read; it does not run.
    ClosesBeforeRun,
    /// The command runs, and the connection is closed after this many bytes of the answer. 0: without any.
    ClosesAfter(usize),
    /// The login has expired: the answer has id −1, and the command does not run.
    Expired,
}

/// When a second frame leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Right behind the first one.
    AtOnce,
    /// So long after the first one, whatever happens on the connection in between.
    After(Duration),
    /// Right before the reply to the next command of this connection: the worst moment, and no clock is needed.
    BeforeNextReply,
}

/// What a simulated game server does with logins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logins {
    /// As vanilla: a wrong password is answered with id −1 and the connection stays open.
    #[default]
    Vanilla,
    /// A wrong password is answered with id −1, then the connection is closed.
    RefuseAndClose,
    /// A wrong password closes the connection without an answer.
    Close,
    /// No login is ever answered.
    Silent,
}

/// A habit, the commands that it befalls, and how often still.
#[derive(Debug)]
struct Rule {
    prefix: String,
    left: Option<u32>,
    habit: Habit,
}

/// The habits of one game server at the moment.
#[derive(Debug, Default)]
pub(super) struct Habits(Vec<Rule>);

impl Habits {
    pub(super) fn add(&mut self, prefix: &str, times: Option<u32>, habit: Habit) {
        self.0.push(Rule { prefix: prefix.to_owned(), left: times, habit });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What befalls `command`; every rule that matches it or the command inside it is used, and used up where it is
    /// counted.
    pub(super) fn befall(&mut self, command: &str) -> Manner {
        let mut manner = Manner::default();
        let inner = inner(command);
        for rule in &mut self.0 {
            let meant = [Some(command), inner, inner.map(plain)];
            let matches = meant.into_iter().flatten().any(|meant| meant.starts_with(&rule.prefix));
            if matches && rule.left != Some(0) {
                rule.left = rule.left.map(|left| left - 1);
                manner.take(&rule.habit);
            }
        }
        manner
    }
}

/// The command that an `execute` is there for: what stands behind its last `run`. `None` for any other command.
fn inner(command: &str) -> Option<&str> {
    let (_, run) = plain(command).strip_prefix("execute ")?.split_once(" run ")?;
    Some(inner(run).unwrap_or(run))
}

/// All that befalls one command.
#[derive(Debug)]
pub(super) struct Manner {
    pub(super) silent: bool,
    pub(super) second: Option<(String, When)>,
    pub(super) kind: i32,
    pub(super) id: Option<i32>,
    pub(super) lag: Duration,
    pub(super) late: Duration,
    pub(super) withheld: bool,
    pub(super) says: Option<String>,
    pub(super) not_utf8: bool,
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) closes_before_run: bool,
    pub(super) closes_after: Option<usize>,
    pub(super) expired: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner {
            silent: false,
            second: None,
            kind: REPLY,
            id: None,
            lag: Duration::ZERO,
            late: Duration::ZERO,
            withheld: false,
            says: None,
            not_utf8: false,
            bytes: None,
            closes_before_run: false,
            closes_after: None,
            expired: false,
        }
    }
}

impl Manner {
    fn take(&mut self, habit: &Habit) {
        match habit.clone() {
            Habit::Silent => self.silent = true,
            Habit::SecondFrame(text, when) => self.second = Some((text, when)),
            Habit::Kind(kind) => self.kind = kind,
            Habit::Id(id) => self.id = Some(id),
            Habit::Lag(lag) => self.lag = lag,
            Habit::Late(late) => self.late = late,
            Habit::Withheld => self.withheld = true,
            Habit::Says(text) => self.says = Some(text),
            Habit::NotUtf8 => self.not_utf8 = true,
            Habit::Bytes(bytes) => self.bytes = Some(bytes),
            Habit::ClosesBeforeRun => self.closes_before_run = true,
            Habit::ClosesAfter(bytes) => self.closes_after = Some(bytes),
            Habit::Expired => self.expired = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_inside_is_what_runs_behind_the_last_run() {
        for (command, expected) in [
            ("give Steve diamond", None),
            ("say run give Steve diamond", None),
            ("execute if entity Steve", None),
            ("execute as Steve run give @s diamond", Some("give @s diamond")),
            ("/minecraft:execute as Steve run minecraft:give @s diamond", Some("minecraft:give @s diamond")),
            ("execute if entity Steve run execute as Steve run say I run home", Some("say I run home")),
        ] {
            assert_eq!(inner(command), expected, "{command}");
        }
    }
}
