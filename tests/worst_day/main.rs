//! The worst day, ten thousand times: random histories of deliveries, outages, kills, power cuts and torn writes, through
//! the real domain, intake, dispatch, rcon and ledger, on one thread under simulated time. What a seed does, it does
//! again, but for the moment at which an operator's act has read much of the ledger: that goes on beside the rest.
//!
//! `SEED=17 HISTORIES=1 cargo test --locked --test worst_day random` replays a history; what fails is shrunk, and printed as
//! Rust, so that it can become a test of its own in `cases`.
#![allow(clippy::unwrap_used, clippy::expect_used)] // in a test, a panic is the report
#![allow(unreachable_pub)] // the modules are this test's own

mod api;
mod cases;
mod counted;
mod disk;
mod history;
mod invariants;
mod life;
mod model;
mod operator;
mod receipts;
mod steered;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use disk::{Disk, Loss};
use history::{Op, histories};
use life::Life;

/// How many histories are run where nobody says.
const HISTORIES: u64 = 400;
/// How long a history may take that takes milliseconds; it is told from one that goes round in circles.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is said of one that does; each costs a thread, so it is not shrunk.
const CIRCLES: &str = "it does not come to an end";
/// How often a history that fails is run again in order to shrink it, where nobody says.
const SHRINKS: u64 = 2_000;

/// The circumstances of a history.
#[derive(Clone, Copy, Debug)]
struct World {
    /// Whether the commands leave receipts.
    receipts: bool,
    /// When the rewards apply.
    rules: Rules,
    /// Whether the disk says that it has synced what it has not.
    lies: bool,
}

/// When the rewards of a world apply: see [`model`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rules {
    /// Always.
    None,
    /// It depends on how often the player has voted.
    Votes,
    /// It depends on the days of the votes, and on luck.
    Days,
}

/// Without receipts or rules, on an honest disk.
const PLAIN: World = World { receipts: false, rules: Rules::None, lies: false };
/// The same with receipts.
const RECEIPTS: World = World { receipts: true, ..PLAIN };
/// With rewards that count votes.
const COUNTING: World = World { rules: Rules::Votes, ..PLAIN };
/// With rewards that count days.
const DATED: World = World { rules: Rules::Days, ..PLAIN };

/// Lives through a history and checks every promise.
fn live(history: &[Op], world: World) -> Result<(), String> {
    let history = history.to_vec();
    // Chance is part of the history.
    let chance = history.len() as u64;
    tell(chance, world, async move |life| {
        for op in &history {
            life.perform(op).await;
        }
    })
}

/// Runs something under simulated time.
fn simulated<T>(life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(life)
}

/// How many operations of the disk a history takes.
fn operations(history: &[Op], world: World) -> u16 {
    simulated(async {
        let disk = Disk::default();
        let mut life = Life::new(disk.clone(), world).await;
        let before = disk.operations();
        for op in history {
            life.perform(op).await;
        }
        u16::try_from(disk.operations() - before).unwrap()
    })
}

/// Lives through a story and checks every promise.
fn tell(
    chance: u64,
    world: World,
    story: impl AsyncFnOnce(&mut Life) + Send + 'static,
) -> Result<(), String> {
    let (done, outcome) = mpsc::channel();
    let lived = move || {
        fastrand::seed(chance);
        simulated(async {
            let disk = Disk::default();
            let mut life = Life::new(disk.clone(), world).await;
            if world.lies {
                disk.lie();
            }
            story(&mut life).await;
            invariants::check(&mut life).await
        })
    };
    thread::spawn(move || drop(done.send(lived())));
    match outcome.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => Err(CIRCLES.to_owned()),
        Err(RecvTimeoutError::Disconnected) => Err("it panicked, as is said above".to_owned()),
    }
}

/// The history of a seed.
fn tree(seed: u64) -> impl ValueTree<Value = Vec<Op>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    histories().new_tree(&mut runner).unwrap()
}

/// The circumstances of a seed: every other one has receipts, and two of three have rules.
fn world(seed: u64) -> World {
    let rules = [Rules::None, Rules::Votes, Rules::Days][(seed / 2 % 3) as usize];
    World { receipts: seed.is_multiple_of(2), rules, lies: false }
}

/// The smallest history that still fails, and how.
fn shrink(mut tree: impl ValueTree<Value = Vec<Op>>, world: World, mut why: String) -> (Vec<Op>, String) {
    let mut smallest = tree.current();
    let mut goes_on = tree.simplify();
    for _ in 0..number("SHRINKS", SHRINKS) {
        if !goes_on || why.starts_with(CIRCLES) {
            break;
        }
        goes_on = match live(&tree.current(), world) {
            Err(still) => {
                (smallest, why) = (tree.current(), still);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    (smallest, why)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

#[test]
fn random_histories_break_no_promise() {
    let (first, count) = (number("SEED", 0), number("HISTORIES", HISTORIES));
    let (next, begun) = (AtomicU64::new(first), Instant::now());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let tree = tree(seed);
                    if let Err(why) = live(&tree.current(), world(seed)) {
                        next.store(first + count, Ordering::Relaxed);
                        let (smallest, why_smallest) = shrink(tree, world(seed), why.clone());
                        let world = world(seed);
                        panic!(
                            "seed {seed}: {why}\nshrunk, {world:?}: {smallest:#?}\nbreaks: {why_smallest}"
                        );
                    }
                }
            });
        }
    });
    println!("{count} histories from seed {first} in {:.0?}: no promise broken", begun.elapsed());
}

/// The method finds what it is for: with a sync that syncs nothing, promises break.
#[test]
fn a_disk_that_lies_is_found_out() {
    let lies = |seed| World { lies: true, ..world(seed) };
    let found = (0..HISTORIES).find_map(|seed| live(&tree(seed).current(), lies(seed)).err());
    println!("{}", found.expect("a power cut takes nothing from a disk that never syncs"));
}

#[test]
fn a_cut_at_any_operation_of_the_disk_breaks_no_promise() {
    let day =
        [Op::Deliver { vote: 0, copies: 2 }, Op::Deliver { vote: 2, copies: 1 }, Op::Wait { ms: 5_000 }];
    let mut images = 0;
    for (world, operations) in [PLAIN, RECEIPTS, COUNTING]
        .iter()
        .flat_map(|&world| (0..operations(&day, world)).map(move |at| (world, at)))
    {
        for loss in [Loss::Nothing, Loss::Torn(u64::from(operations))] {
            let cut = Op::CutAfter { operations, loss };
            let history: Vec<Op> = std::iter::once(cut).chain(day.iter().cloned()).collect();
            let outcome = live(&history, world);
            outcome.unwrap_or_else(|why| panic!("cut after {operations}, {loss:?}, {world:?}: {why}"));
            images += 1;
        }
    }
    println!("{images} images of the disk: no promise broken");
}
