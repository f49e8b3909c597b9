//! The ledger: what it keeps, and when it refuses to open.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::task::JoinSet;
use votive::domain::act::{Act, Deed};
use votive::domain::counter::{Counter, CounterKey, Scoped};
use votive::domain::event::EventKey;
use votive::domain::grant::{Fact, Grant};
use votive::domain::player::PlayerName;
use votive::domain::vote::ServerRef;
use votive::ledger::{By, Ledger, LedgerError, OpenError, Opened, Revision};

fn event(number: usize) -> EventKey {
    EventKey::new("server.vote", &format!("e-{number}"))
}

fn grant(number: usize) -> Grant {
    Grant::received(event(number), Timestamp::UNIX_EPOCH)
}

fn refused(number: usize) -> Grant {
    let fact = Fact::Mismatch { reason: "no".to_owned() };
    grant(number).apply(fact, Timestamp::UNIX_EPOCH).unwrap()
}

fn open(directory: &Path) -> Ledger {
    Ledger::open(directory).unwrap().ledger
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let opened = Ledger::open(directory.path()).unwrap();
    assert!(opened.created);
    let revision = opened.ledger.put(&grant(1), Revision::NONE).await.unwrap();
    opened.ledger.put(&refused(2), Revision::NONE).await.unwrap();
    drop(opened);

    let opened = reopen(directory.path());
    assert!(!opened.created);
    let record = opened.ledger.get(&event(1)).unwrap().unwrap();
    assert_eq!((record.grant, record.revision), (grant(1), revision));
    assert_eq!(opened.ledger.find("e-2").unwrap().unwrap().grant, refused(2));
    assert_eq!(opened.ledger.find("e-3").unwrap(), None);
    let open: Vec<Grant> =
        opened.ledger.attended_grants().unwrap().into_iter().map(|record| record.grant).collect();
    assert_eq!(open, [grant(1)], "what is refused is not open");
}

#[tokio::test]
async fn grants_are_read_in_parts_without_a_gap_and_none_twice() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    // Some of them arrived at the same moment.
    for number in 0..7 {
        let received_at = Timestamp::from_second(i64::try_from(number / 3).unwrap()).unwrap();
        ledger.put(&Grant { received_at, ..grant(number) }, Revision::NONE).await.unwrap();
    }
    for most in 1..9 {
        let (mut reached, mut parts) = (None, Vec::new());
        loop {
            let all = Timestamp::MIN..Timestamp::MAX;
            let part = ledger.next_grants(&By::Time, all, &mut reached, most).unwrap();
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= most);
            parts.extend(part.into_iter().map(|record| record.grant.event));
        }
        assert_eq!(parts, (0..7).map(event).collect::<Vec<_>>(), "{most} at a time");
    }
    let second = Timestamp::from_second(1).unwrap()..Timestamp::from_second(2).unwrap();
    let mut reached = None;
    let part = ledger.next_grants(&By::Time, second, &mut reached, 9).unwrap();
    assert_eq!(part.len(), 3, "of the time that is meant");
}

#[tokio::test]
async fn who_hears_of_grants_is_told_of_those_that_stand_differently() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    let mut written = ledger.written();
    let same = |grant: Option<&Grant>| Ok::<Grant, Infallible>(grant.cloned().unwrap());
    let act = Act { at: Timestamp::UNIX_EPOCH, uid: 0, deed: Deed::Retried };
    let acted = |grant: Option<&Grant>| Ok::<Grant, Infallible>(grant.cloned().unwrap().acted(act.clone()));
    let mend = |_: Option<&Grant>| Ok::<Grant, Infallible>(refused(1));
    ledger.put(&grant(1), Revision::NONE).await.unwrap();
    ledger.update(&event(1), same).await.unwrap().unwrap();
    ledger.update(&event(1), acted).await.unwrap().unwrap();
    assert_eq!(written.try_recv().ok(), Some(event(1)));
    assert!(written.try_recv().is_err(), "neither of the others is to be seen");
    ledger.update(&event(1), mend).await.unwrap().unwrap();
    assert_eq!(written.try_recv().ok(), Some(event(1)));
}

/// Opens the ledger once nobody else has it open: a writer lets go a moment after its last client has gone.
fn open_at_rest(directory: &Path) -> Result<Opened, OpenError> {
    drop(at_rest(&directory.join("ledger.redb")));
    Ledger::open(directory)
}

/// The bytes of the ledger, once nobody has it open. Nothing where it is missing.
fn at_rest(path: &Path) -> Vec<u8> {
    let Ok(file) = fs::File::open(path) else {
        return Vec::new();
    };
    file.lock().unwrap();
    fs::read(path).unwrap_or_default()
}

fn reopen(directory: &Path) -> Opened {
    open_at_rest(directory).unwrap()
}

fn refusal(directory: &Path) -> OpenError {
    open_at_rest(directory).expect_err("it opened")
}

#[tokio::test]
async fn of_two_writers_who_read_the_same_revision_one_wins() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    let mut writers = JoinSet::new();
    for _ in 0..20 {
        let ledger = ledger.clone();
        writers.spawn(async move { ledger.put(&grant(1), Revision::NONE).await });
    }
    let outcomes = writers.join_all().await;
    let conflicts = outcomes.iter().filter(|outcome| matches!(outcome, Err(LedgerError::Conflict))).count();
    assert_eq!((outcomes.len(), conflicts), (20, 19));

    let revision = ledger.get(&event(1)).unwrap().unwrap().revision;
    ledger.put(&refused(1), revision).await.unwrap();
    assert!(matches!(ledger.put(&grant(1), revision).await, Err(LedgerError::Conflict)));
    assert_eq!(ledger.attended_grants().unwrap(), []);
}

#[tokio::test]
async fn an_update_starts_again_where_somebody_was_faster() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    ledger.put(&grant(1), Revision::NONE).await.unwrap();
    let mut updates = JoinSet::new();
    for _ in 0..10 {
        let ledger = ledger.clone();
        updates.spawn(async move {
            let count = |grant: Option<&Grant>| {
                let fact = Fact::FetchFailed { seconds: 1, why: String::new() };
                grant.unwrap().apply(fact, Timestamp::UNIX_EPOCH)
            };
            ledger.update(&event(1), count).await.unwrap().unwrap();
        });
    }
    updates.join_all().await;
    let votive::domain::grant::Stage::Received { attempts, elapsed, .. } =
        ledger.get(&event(1)).unwrap().unwrap().grant.stage
    else {
        panic!("it is no longer received");
    };
    assert_eq!((attempts, elapsed), (10, 10), "no update was lost");
}

fn keys(server: u64) -> Scoped<CounterKey> {
    CounterKey::both(&ServerRef::Id(server), &PlayerName::parse("Steve", None).unwrap())
}

/// One more vote in both counters.
fn counted(counters: &Scoped<Counter>) -> Scoped<Counter> {
    let mut counters = counters.clone();
    counters.server.votes.total += 1;
    counters.network.votes.total += 1;
    counters
}

/// Stores a grant, and counts it in the counters of a game server. Gives the number that it has over all of them, and how
/// often that was decided.
async fn count(ledger: &Ledger, number: usize, server: u64) -> (u64, u64) {
    let (counted_as, decided) = (AtomicU64::new(0), AtomicU64::new(0));
    let decide = |_: Option<&Grant>, before: &Scoped<Counter>| {
        let after = counted(before);
        counted_as.store(after.network.votes.total, Ordering::Relaxed);
        decided.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>((grant(number), Some(after)))
    };
    ledger.update_counted(&event(number), Some(&keys(server)), decide).await.unwrap().unwrap();
    (counted_as.into_inner(), decided.into_inner())
}

fn total(ledger: &Ledger, key: &CounterKey) -> u64 {
    ledger.counter(key).unwrap().0.votes.total
}

#[tokio::test]
async fn many_votes_at_once_are_each_counted_under_a_number_of_their_own() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    let mut votes = JoinSet::new();
    for number in 0..60 {
        let ledger = ledger.clone();
        votes.spawn(async move { count(&ledger, number, number as u64 % 2).await });
    }
    let counted = votes.join_all().await;
    let numbers: BTreeSet<u64> = counted.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=60).collect(), "no two of them have one number");
    let decided: u64 = counted.iter().map(|(_, decided)| decided).sum();
    assert!(decided > 60, "nobody was in anybody's way");
    drop(ledger);
    let ledger = reopen(directory.path()).ledger;
    let totals = [&keys(0).server, &keys(1).server, &keys(0).network].map(|key| total(&ledger, key));
    assert_eq!((totals, ledger.attended_grants().unwrap().len()), ([30, 30, 60], 60));
}

/// The grants are different, and so are the game servers: what both change is the counter over all of them.
#[tokio::test]
async fn a_conflict_about_a_counter_alone_stores_nothing_and_decides_again() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    let seen = Mutex::new(Vec::new());
    let decide = |stored: Option<&Grant>, before: &Scoped<Counter>| {
        assert_eq!(stored, None);
        let first = seen.lock().unwrap().is_empty();
        seen.lock().unwrap().push(before.network.votes.total);
        if first {
            // Somebody is faster, between the reading and the writing.
            let other = ledger.clone();
            let faster = std::thread::spawn(move || alone(count(&other, 2, 2)));
            faster.join().unwrap();
        }
        Ok::<_, Infallible>((grant(1), Some(counted(before))))
    };
    ledger.update_counted(&event(1), Some(&keys(1)), decide).await.unwrap().unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1]);
    let totals = [keys(1).server, keys(2).server, keys(1).network].map(|key| total(&ledger, &key));
    assert_eq!(totals, [1, 1, 2]);
}

/// Runs something to its end, on a thread that has nothing else to do.
fn alone<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[tokio::test]
async fn what_is_refused_or_as_it_was_changes_no_counter() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    count(&ledger, 1, 1).await;
    let refuse = |_: Option<&Grant>, _: &Scoped<Counter>| Err::<(Grant, _), _>("no");
    let refused = ledger.update_counted(&event(2), Some(&keys(1)), refuse).await.unwrap();
    assert_eq!(refused, Err("no"));
    let uncounted = |grant: Option<&Grant>, _: &Scoped<Counter>| {
        let fact = Fact::FetchFailed { seconds: 1, why: String::new() };
        Ok::<_, Infallible>((grant.unwrap().apply(fact, Timestamp::UNIX_EPOCH).unwrap(), None))
    };
    ledger.update_counted(&event(1), Some(&keys(1)), uncounted).await.unwrap().unwrap();
    assert_eq!((total(&ledger, &keys(1).server), total(&ledger, &keys(1).network)), (1, 1));
    assert_eq!(ledger.get(&event(2)).unwrap(), None);
}

#[tokio::test]
async fn many_records_at_once_are_all_stored() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    let mut writers = JoinSet::new();
    for number in 0..500 {
        let ledger = ledger.clone();
        writers.spawn(async move { ledger.put(&grant(number), Revision::NONE).await.unwrap() });
    }
    assert_eq!(writers.join_all().await.len(), 500);
    drop(ledger);
    assert_eq!(reopen(directory.path()).ledger.attended_grants().unwrap().len(), 500);
}

/// A state directory whose daemon has been started twice and has one grant.
async fn used() -> TempDir {
    let directory = TempDir::new().unwrap();
    drop(open(directory.path()));
    let ledger = reopen(directory.path()).ledger;
    ledger.put(&grant(1), Revision::NONE).await.unwrap();
    directory
}

fn says(error: &OpenError, words: &str) {
    let text = error.to_string();
    assert!(text.contains("ledger.redb") || text.contains("ledger.marker"), "{text}");
    assert!(text.contains(words), "{text}");
}

#[tokio::test]
async fn a_ledger_that_is_missing_is_never_replaced_by_an_empty_one() {
    let directory = used().await;
    fs::remove_file(directory.path().join("ledger.redb")).unwrap();
    let error = refusal(directory.path());
    assert!(matches!(error, OpenError::Missing(_)));
    says(&error, "votive restore");
    assert!(!directory.path().join("ledger.redb").exists());
}

#[tokio::test]
async fn another_ledger_or_an_older_copy_is_refused() {
    let (directory, other) = (used().await, used().await);
    let ledger = |directory: &TempDir| directory.path().join("ledger.redb");
    let old = at_rest(&ledger(&directory));
    for _ in 0..2 {
        drop(reopen(directory.path()));
    }
    let newest = at_rest(&ledger(&directory));

    fs::write(ledger(&directory), old).unwrap();
    let error = refusal(directory.path());
    assert!(matches!(error, OpenError::Older(_)), "{error}");
    says(&error, "older copy");

    fs::write(ledger(&directory), at_rest(&ledger(&other))).unwrap();
    let error = refusal(directory.path());
    assert!(matches!(error, OpenError::Replaced(_)), "{error}");
    says(&error, "not the ledger that was used here last");

    fs::write(ledger(&directory), newest).unwrap();
    assert_eq!(reopen(directory.path()).ledger.attended_grants().unwrap().len(), 1);
}

#[tokio::test]
async fn a_copy_from_before_a_clean_stop_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ledger.redb");
    let ledger = open(directory.path());
    ledger.put(&grant(1), Revision::NONE).await.unwrap();
    let copy = fs::read(&path).unwrap();
    ledger.put(&grant(2), Revision::NONE).await.unwrap();
    ledger.close().unwrap();
    drop(ledger);
    let newest = at_rest(&path);
    fs::write(&path, copy).unwrap();
    assert!(matches!(refusal(directory.path()), OpenError::Older(_)));
    fs::write(&path, newest).unwrap();
    assert_eq!(reopen(directory.path()).ledger.attended_grants().unwrap().len(), 2);
}

#[tokio::test]
async fn a_damaged_ledger_is_refused_and_left_as_it_is() {
    for damage in ["empty", "cut", "garbage", "not a file"] {
        let directory = used().await;
        let path = directory.path().join("ledger.redb");
        let whole = at_rest(&path);
        match damage {
            "empty" => fs::write(&path, []).unwrap(),
            "cut" => fs::write(&path, &whole[..whole.len() / 3]).unwrap(),
            "garbage" => fs::write(&path, vec![0x5a; whole.len()]).unwrap(),
            _ => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
        }
        let before = fs::read(&path).ok();
        let error = refusal(directory.path());
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Io { .. }), "{damage}: {error}");
        says(&error, "ledger.redb");
        assert_eq!(fs::read(&path).ok(), before, "{damage}");
    }
}

#[tokio::test]
async fn a_record_that_was_altered_is_noticed_also_after_a_clean_end() {
    let directory = used().await;
    let path = directory.path().join("ledger.redb");
    let mut bytes = at_rest(&path);
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"received_at")).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place] = b'R';
    }
    fs::write(&path, bytes).unwrap();
    assert!(matches!(refusal(directory.path()), OpenError::Damaged { .. }));
}

#[tokio::test]
async fn a_bit_that_flipped_is_noticed_or_does_not_matter() {
    let directory = TempDir::new().unwrap();
    let (path, marker) = (directory.path().join("ledger.redb"), directory.path().join("ledger.marker"));
    let ledger = open(directory.path());
    for number in 0..50 {
        ledger.put(&grant(number), Revision::NONE).await.unwrap();
    }
    let grants = ledger.attended_grants().unwrap();
    drop(ledger);
    let (whole, marked) = (at_rest(&path), fs::read(&marker).unwrap());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut noticed = 0;
    for flip in 0..60 {
        let mut bytes = whole.clone();
        // The header is small, and each of its bytes means something.
        let place = if flip < 20 { random.usize(..512) } else { random.usize(..bytes.len()) };
        bytes[place] ^= 1 << random.u8(..8);
        fs::write(&path, bytes).unwrap();
        fs::write(&marker, &marked).unwrap();
        match open_at_rest(directory.path()) {
            Ok(opened) => assert!(opened.ledger.attended_grants().unwrap() == grants, "byte {place}"),
            Err(error) => {
                says(&error, "votive restore");
                noticed += 1;
            }
        }
    }
    assert!(noticed > 0, "no flip was noticed");
}

#[tokio::test]
async fn a_marker_that_nobody_can_read_is_refused() {
    for (marker, words) in [
        ("", "delete ledger.marker"),
        ("{}", "delete ledger.marker"),
        (r#"{"v":2,"id":"x","count":1}"#, "newer Votive"),
    ] {
        let directory = used().await;
        drop(at_rest(&directory.path().join("ledger.redb")));
        fs::write(directory.path().join("ledger.marker"), marker).unwrap();
        says(&refusal(directory.path()), words);
    }
}

#[tokio::test]
async fn a_crash_while_the_ledger_was_made_leaves_a_clean_start() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("ledger.redb.new"), "half a file").unwrap();
    let opened = Ledger::open(directory.path()).unwrap();
    assert!(opened.created);
    drop(opened);
    // After the rename and before the marker.
    fs::remove_file(directory.path().join("ledger.marker")).unwrap();
    let opened = reopen(directory.path());
    assert!(!opened.created);
    assert!(directory.path().join("ledger.marker").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let error = Ledger::open(&directory.path().join("file/state")).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }));
    assert!(error.to_string().contains("file/state"), "{error}");
}
