//! How fast a game server may be sent commands.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The period that the pace counts in: a second, and a little because the way to the game server is not always the
/// same length.
const SECOND: Duration = Duration::from_millis(1050);

/// Keeps the number of commands in any one second under a limit. Holds one instant for each command of the last
/// second.
#[derive(Debug, Default)]
pub(super) struct Pace {
    sent: VecDeque<Instant>,
}

impl Pace {
    /// When the next command may be sent, at `per_second` (at least 1) commands in any one second.
    pub(super) fn next_at(&mut self, now: Instant, per_second: u32) -> Instant {
        while self.sent.front().is_some_and(|&at| at + SECOND <= now) {
            self.sent.pop_front();
        }
        let over = self.sent.len().checked_sub(per_second.max(1) as usize);
        over.and_then(|over| self.sent.get(over)).map_or(now, |&at| at + SECOND)
    }

    /// Counts a command.
    pub(super) fn sent(&mut self, now: Instant) {
        self.sent.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_than_the_limit() {
        let start = Instant::now();
        let (mut pace, mut now, mut times) = (Pace::default(), start, Vec::new());
        for step in 0..500 {
            // Commands take anything between no time and a third of a second.
            now = pace.next_at(now, 20).max(now);
            pace.sent(now);
            times.push(now);
            now += Duration::from_millis([0, 0, 0, 7, 333][step % 5]);
        }
        assert_eq!(times[19], start + Duration::from_millis(333 * 3 + 7 * 4));
        for window in times.windows(21) {
            assert!(window[20] - window[0] >= SECOND);
        }
    }
}
