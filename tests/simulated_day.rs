//! A day of votes, forgeries, outages and scrapes, after which Votive is as large as it was in the afternoon: not one series
//! more, and no bytes for what has passed. Alone in its process, of which every byte is counted.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod day;

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use cap::Cap;
use day::{AWAY, Daemon, MINUTE, SECOND, player};
use redb::StorageBackend;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use votive::sim::game::Game;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const HOUR: u64 = 60 * 60;
/// Seconds between two votes.
const EVERY: u64 = 30;
/// Forged deliveries of each hour, all in one moment.
const FORGED: u64 = 200;
/// By how many bytes the rest of the day may make it larger: some 27 for a vote.
const MOST: usize = 32 * 1024;
/// By this hour, what is remembered of the last deliveries is as much as it ever is: 1,024 of them.
const FULL: u64 = 14;
/// The hours in which `creative` is down.
const DOWN: [u64; 2] = [1, 6];
/// The hours in which nobody comes back who is away.
const DESERTED: [u64; 6] = [0, 1, 2, 8, 9, 10];

/// A file that is never synced: nobody pulls the plug here.
#[derive(Debug)]
struct Unsynced(File);

impl Unsynced {
    fn at(path: &Path) -> Unsynced {
        Unsynced(File::options().read(true).write(true).create_new(true).open(path).unwrap())
    }
}

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// Every series that Prometheus reads.
async fn series(daemon: &Daemon) -> BTreeSet<String> {
    let text = daemon.scrape().await;
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// Bytes that live at a moment at which nothing is happening, after so many votes.
async fn bytes(daemon: &Daemon, votes: u64) -> usize {
    // The ledger keeps the pages that were read last, up to its limit: after all of them were read, that is reached.
    for number in 0..votes {
        assert!(daemon.ledger.get(&day::event(number)).unwrap().is_some(), "{number}");
    }
    // What the simulated games remember is not of Votive.
    daemon.games.iter().for_each(Game::forget_console);
    daemon.scrape().await;
    ALLOCATOR.allocated()
}

#[tokio::test(start_paused = true)]
async fn a_day_leaves_no_series_and_no_bytes_behind() {
    fastrand::seed(1);
    let daemon = Daemon::start(|path| Unsynced::at(path)).await;
    let midnight = Instant::now();
    let (mut early, mut afternoon) = (BTreeSet::new(), 0);
    let (mut answers, mut asking) = (BTreeMap::<u16, u64>::new(), JoinSet::new());
    let creative = &daemon.games[1];
    for second in (0..24 * HOUR).step_by(EVERY as usize) {
        sleep_until(midnight + second as u32 * SECOND).await;
        let (hour, of_the_hour) = (second / HOUR, second % HOUR);
        match of_the_hour {
            0 if DOWN.contains(&hour) => creative.stop().await,
            0 => creative.start_again().unwrap(),
            600 => (0..FORGED).for_each(|number| drop(asking.spawn(daemon.forge(second * 1000 + number)))),
            3000 if !DESERTED.contains(&hour) => all_of_them(&daemon, Game::join),
            3480 => all_of_them(&daemon, Game::leave),
            _ => {}
        }
        if of_the_hour == 0 && [2, FULL].contains(&hour) {
            // What is on its way at the full hour arrives, and the next vote comes later.
            sleep(EVERY as u32 / 2 * SECOND).await;
            match hour {
                2 => early = series(&daemon).await,
                _ => afternoon = bytes(&daemon, second / EVERY).await,
            }
        }
        if of_the_hour.is_multiple_of(60) {
            daemon.scrape().await;
        }
        asking.spawn(daemon.deliver(second / EVERY));
        while let Some(answer) = asking.try_join_next() {
            *answers.entry(answer.unwrap()).or_default() += 1;
        }
    }
    sleep_until(midnight + 24 * 60 * MINUTE + EVERY as u32 / 2 * SECOND).await;
    for answer in asking.join_all().await {
        *answers.entry(answer).or_default() += 1;
    }
    let votes = 24 * HOUR / EVERY;
    let evening = bytes(&daemon, votes).await;
    let late = series(&daemon).await;
    println!(
        "{afternoon} bytes in the afternoon, {evening} in the evening; {} series; {answers:?}",
        late.len()
    );

    // It was a day on which all of that happened.
    let answered = |status| answers.get(&status).copied().unwrap_or(0);
    assert_eq!(answered(401), 24 * FORGED);
    assert_eq!(answers.values().sum::<u64>(), votes + 24 * FORGED);
    assert!(answered(204) > votes / 2 && answered(503) > 100, "{answers:?}");
    assert!(answered(502) > 50 && answered(422) > 50, "{answers:?}");
    let new: Vec<&String> = late.symmetric_difference(&early).take(5).collect();
    assert!(new.is_empty(), "{} series have become {}: {new:?}", early.len(), late.len());
    assert!(late.len() < 400, "{} series", late.len());
    assert!(afternoon > 0 && evening < afternoon + MOST, "{afternoon} bytes have become {evening}");
}

/// Has everybody come or leave who is away for most of the time.
fn all_of_them(daemon: &Daemon, come_or_leave: fn(&Game, &str)) {
    for game in &daemon.games {
        AWAY.for_each(|number| come_or_leave(game, &player(number)));
    }
}
