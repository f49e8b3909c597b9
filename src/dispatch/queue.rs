//! What waits for one game server, and whose turn it is.
//!
//! Steps that need nobody online wait for nobody. Those that need the player go in the order of their plans, player
//! by player; a player who is not there holds up nobody else.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::contact::Contact;
use crate::domain::event::EventKey;
use crate::domain::player::PlayerName;
use crate::domain::presence::{Online, Presence};

/// The next step of an award, lined up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) player: PlayerName,
    /// Whether the step waits until the player is online.
    pub(super) needs_player: bool,
}

/// Where a job stands in line: by the order of the plans, then by the award's place in its plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) order: u64,
    pub(super) event: EventKey,
    pub(super) award: usize,
}

/// Everything that waits for one game server.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Jobs that need nobody online.
    anytime: BTreeMap<Place, Job>,
    /// Jobs that need their player online, by the player's key.
    players: BTreeMap<String, Waiting>,
    /// For each player who is not known to be away: the place of the first job. Who was away already comes after who
    /// was not, so that those who wait hold up nobody.
    turns: BTreeMap<(bool, Place), String>,
    /// Is told who is away.
    contact: Contact,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: BTreeMap<Place, Job>,
    /// Whether the player was away when last looked for.
    away: bool,
    /// Whether it was said that the player is awaited.
    told: bool,
    /// When the youngest job came.
    since: Option<Instant>,
}

impl Queue {
    /// An empty one, that tells of who is away.
    pub(super) fn new(contact: &Contact) -> Self {
        Queue { contact: contact.clone(), ..Queue::default() }
    }

    /// Lines a job up, in the place of an earlier one for the same award. For one that was not there yet, the player
    /// is looked for again.
    pub(super) fn push(&mut self, job: Job, now: Instant) {
        if !job.needs_player {
            self.anytime.insert(job.place.clone(), job);
            return;
        }
        self.anytime.remove(&job.place);
        self.change(&job.player.key(), |waiting| {
            if waiting.jobs.insert(job.place.clone(), job).is_none() {
                (waiting.away, waiting.told, waiting.since) = (false, false, Some(now));
            }
        });
    }

    /// The job whose turn it is: one that needs nobody, else the first of a player who may be there.
    pub(super) fn next(&self) -> Option<&Job> {
        self.anytime.values().next().or_else(|| {
            let ((_, place), key) = self.turns.first_key_value()?;
            self.players.get(key)?.jobs.get(place)
        })
    }

    /// Whether nothing waits, not even for somebody who is away.
    pub(super) fn is_empty(&self) -> bool {
        self.anytime.is_empty() && self.players.is_empty()
    }

    /// Takes a job out.
    pub(super) fn remove(&mut self, job: &Job) {
        self.remove_at(&job.place, &job.player);
    }

    /// Takes the job of a player out that is at this place, if there is one.
    pub(super) fn remove_at(&mut self, place: &Place, player: &PlayerName) {
        self.anytime.remove(place);
        let key = player.key();
        if self.players.contains_key(&key) {
            self.change(&key, |waiting| drop(waiting.jobs.remove(place)));
        }
    }

    /// Notes who is there and who is not. Returns the youngest job of each player who is awaited from now on.
    pub(super) fn seen(&mut self, online: &Online) -> Vec<Job> {
        let mut awaited = Vec::new();
        let keys: Vec<String> = self.players.keys().cloned().collect();
        for key in keys {
            self.change(&key, |waiting| {
                let Some(job) = waiting.jobs.values().next() else {
                    return;
                };
                match online.of(&job.player) {
                    Presence::Online => (waiting.away, waiting.told) = (false, false),
                    Presence::Offline => awaited.extend(waiting.leaves()),
                    Presence::Unknown => {}
                }
            });
        }
        awaited
    }

    /// Notes that one player is away, by other means than a list; as [`seen`](Self::seen).
    pub(super) fn away(&mut self, player: &PlayerName) -> Option<Job> {
        let mut awaited = None;
        self.change(&player.key(), |waiting| awaited = waiting.leaves());
        awaited
    }

    /// Gives everybody who is away another turn, once all who got one the last time have had it.
    pub(super) fn ask_again(&mut self) {
        if self.turns.last_key_value().is_some_and(|((told, _), _)| *told) {
            return;
        }
        let keys: Vec<String> = self.players.keys().cloned().collect();
        for key in keys {
            self.change(&key, |waiting| waiting.away = false);
        }
    }

    /// When the youngest job came that waits for a player who is away.
    pub(super) fn youngest_wait(&self) -> Option<Instant> {
        self.players.values().filter(|waiting| waiting.away).filter_map(|waiting| waiting.since).max()
    }

    /// Changes what waits for a player, and keeps `turns` true.
    fn change(&mut self, key: &str, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.players.remove(key).unwrap_or_default();
        if let Some(first) = waiting.jobs.keys().next() {
            self.turns.remove(&(waiting.told, first.clone()));
        }
        change(&mut waiting);
        // Who is looked for once more is as far away as before until that is over.
        self.contact.set_away(key, waiting.told && !waiting.jobs.is_empty());
        if let Some(first) = waiting.jobs.keys().next() {
            if !waiting.away {
                self.turns.insert((waiting.told, first.clone()), key.to_owned());
            }
            self.players.insert(key.to_owned(), waiting);
        }
    }
}

impl Waiting {
    /// The player is away; the youngest job, if that is news.
    fn leaves(&mut self) -> Option<Job> {
        self.away = true;
        if std::mem::replace(&mut self.told, true) { None } else { self.jobs.values().next_back().cloned() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::presence::read_list;
    use crate::domain::reply::ReplyRules;

    fn job(order: u64, player: &str, needs_player: bool) -> Job {
        Job {
            place: Place { order, event: EventKey::new("server.vote", &format!("e-{order}")), award: 0 },
            player: PlayerName::parse(player, None).unwrap(),
            needs_player,
        }
    }

    fn queue(jobs: &[(u64, &str, bool)]) -> Queue {
        let mut queue = Queue::default();
        for &(order, player, needs_player) in jobs {
            queue.push(job(order, player, needs_player), Instant::now());
        }
        queue
    }

    /// Takes every job whose turn comes.
    fn orders(queue: &mut Queue) -> Vec<u64> {
        let mut orders = Vec::new();
        while let Some(job) = queue.next().cloned() {
            queue.remove(&job);
            orders.push(job.place.order);
        }
        orders
    }

    fn listed(names: &str) -> Online {
        let count = names.split_whitespace().count();
        let names = names.replace(' ', ", ");
        let list = format!("There are {count} of a max of 20 players online: {names}");
        read_list(&list, &ReplyRules::default()).unwrap()
    }

    #[test]
    fn what_needs_nobody_goes_first_then_plans_in_order_whatever_order_they_came_in() {
        let mut queue =
            queue(&[(3, "Alex", true), (4, "Steve", false), (1, "Steve", true), (2, "Steve", true)]);
        assert_eq!(orders(&mut queue), [4, 1, 2, 3]);
    }

    #[test]
    fn who_is_away_holds_up_nobody_and_comes_back_in_order() {
        let mut queue = queue(&[(1, "Steve", true), (2, "STEVE", true), (3, "Alex", true)]);
        let awaited = queue.seen(&listed("Alex"));
        assert_eq!(awaited, [job(2, "STEVE", true)]);
        assert_eq!(orders(&mut queue), [3]);
        assert!(queue.contact.is_away(&PlayerName::parse("Steve", None).unwrap()));
        queue.ask_again();
        assert!(
            queue.contact.is_away(&PlayerName::parse("Steve", None).unwrap()),
            "until it is known otherwise"
        );
        assert_eq!(queue.seen(&listed("Alex")), [], "it was said already");
        assert_eq!(queue.next(), None);
        queue.seen(&listed("Steve"));
        assert!(!queue.contact.is_away(&PlayerName::parse("Steve", None).unwrap()));
        assert_eq!(orders(&mut queue), [1, 2]);
    }

    #[test]
    fn who_is_looked_for_again_comes_after_who_is_new() {
        let mut queue = queue(&[(1, "Steve", true)]);
        queue.seen(&listed(""));
        queue.ask_again();
        queue.push(job(2, "Alex", true), Instant::now());
        assert_eq!(orders(&mut queue), [2, 1]);
    }

    #[test]
    fn everybody_is_looked_for_once_before_anybody_is_again() {
        let mut queue = queue(&[(1, "Steve", true), (2, "Alex", true)]);
        queue.seen(&listed(""));
        queue.ask_again();
        queue.away(&PlayerName::parse("Steve", None).unwrap());
        queue.ask_again();
        assert_eq!(queue.next().map(|job| job.place.order), Some(2));
        queue.away(&PlayerName::parse("Alex", None).unwrap());
        queue.ask_again();
        assert_eq!(queue.next().map(|job| job.place.order), Some(1));
    }

    #[test]
    fn a_new_vote_makes_it_worth_asking_again() {
        let mut queue = queue(&[(1, "Steve", true)]);
        queue.seen(&listed(""));
        assert_eq!(queue.next(), None);
        queue.push(job(2, "Steve", true), Instant::now());
        assert_eq!(orders(&mut queue), [1, 2]);
    }

    #[test]
    fn a_job_that_comes_again_takes_its_own_place() {
        let mut queue = queue(&[(1, "Steve", false), (1, "Steve", true), (1, "Steve", true)]);
        assert_eq!(orders(&mut queue), [1]);
    }

    #[test]
    fn the_youngest_wait_is_that_of_the_latest_job() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        assert_eq!(queue.youngest_wait(), None);
        for (seconds, order, player) in [(0, 1, "Steve"), (9, 2, "Alex"), (99, 1, "Steve")] {
            queue.push(job(order, player, true), start + Duration::from_secs(seconds));
        }
        queue.away(&PlayerName::parse("Alex", None).unwrap());
        queue.seen(&listed(""));
        assert_eq!(queue.youngest_wait(), Some(start + Duration::from_secs(9)));
    }
}
