//! A ledger that has forgotten votes would pay them again: it is refused, whatever happened to it, and `votive restore`
//! is the way that works.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rig::{DAILY, Daemon, PATIENCE, Rig, VOTIVE, counters};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use votive::sim::game::Habit;
use votive::sim::platform::{ApiAnswer, Delivery, vote_body};

/// The state directory of the rig's daemon.
fn state(rig: &Rig) -> PathBuf {
    rig.path("state")
}

fn ledger(rig: &Rig) -> PathBuf {
    state(rig).join("ledger.redb")
}

fn marker(rig: &Rig) -> PathBuf {
    state(rig).join("ledger.marker")
}

/// A rig whose daemon has rewarded a vote, and was stopped.
async fn used() -> Rig {
    let mut rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    rig.stop().await;
    rig
}

/// What the daemon says that does not start.
async fn refusal(rig: &Rig) -> String {
    refusal_of(rig, Command::new(VOTIVE)).await
}

async fn refusal_of(rig: &Rig, command: Command) -> String {
    let (status, log) = Daemon::spawn(command, &rig.path("rewards.yaml")).ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    let said = log.lines().filter_map(|line| line.split_once("ERROR ")).next_back();
    said.unwrap_or_else(|| panic!("no reason was given:\n{log}")).1.to_owned()
}

/// What a command says that went well.
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

/// What a command says that did not.
fn complained(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A vote that was made at a moment, in seconds.
fn vote_of(rig: &Rig, id: &str, nickname: &str, created_at: i64) -> Delivery {
    let mut body = vote_body(id, nickname, 1);
    body["response"]["created_at"] = created_at.into();
    rig.platform.answer(id, ApiAnswer::json(&body));
    rig.platform.delivery("server.vote", id)
}

/// A vote that is made an hour from now: after everything that happens here.
fn new_vote(rig: &Rig, id: &str, nickname: &str) -> Delivery {
    vote_of(rig, id, nickname, jiff::Timestamp::now().as_second() + 3600)
}

/// Every file of a directory with its content, but for the socket.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// The same without the byte in which redb notes that it has to check the file.
fn but_for_a_flag(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = contents(directory);
    for content in contents.values_mut().filter(|content| content.len() > 4096) {
        content.remove(28);
    }
    contents
}

/// The votes of a backup, by their ids.
fn records(backup: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(backup).unwrap();
    let lines = text.lines().filter(|line| line.contains("\"grant\":"));
    let id = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["grant"]["event"]["event_id"].as_str().unwrap().to_owned()
    };
    lines.map(|line| (id(line), line.to_owned())).collect()
}

fn store_in_meta(path: &Path, key: &[u8], bytes: &[u8]) {
    let meta: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
    let database = redb::Database::open(path).unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(meta).unwrap().insert(key, bytes).unwrap();
    writing.commit().unwrap();
}

#[tokio::test]
async fn whatever_happened_to_the_ledger_it_is_refused_and_left_alone() {
    let rig = used().await;
    let other = used().await;
    let good = contents(&state(&rig));
    type Damage = fn(&Path, &Path);
    let damages: [(&str, Damage, &str, &str); 13] = [
        ("cut in half", |path, _| cut(path, 2), "damaged", "votive restore"),
        ("cut shorter", |path, _| cut(path, 5), "damaged", "votive restore"),
        ("cut very short", |path, _| cut(path, 20), "damaged", "votive restore"),
        ("cut short", |path, _| cut(path, 3), "damaged", "votive restore"),
        ("emptied", |path, _| fs::write(path, []).unwrap(), "damaged", "votive restore"),
        ("another file", |path, _| fs::write(path, "votes").unwrap(), "damaged", "votive restore"),
        ("altered", |path, _| alter(path), "damaged", "votive restore"),
        ("deleted", |path, _| fs::remove_file(path).unwrap(), "missing", "votive restore"),
        (
            "replaced",
            |path, other| assert!(fs::copy(other, path).unwrap() > 0),
            "not the ledger",
            "votive restore",
        ),
        (
            "of a newer version",
            |path, _| store_in_meta(path, b"identity", br#"{"v":2,"id":"x","count":1,"more":[]}"#),
            "a newer Votive",
            "Install that version",
        ),
        (
            "marker emptied",
            |path, _| fs::write(beside(path), []).unwrap(),
            "cannot be read",
            "delete ledger.marker",
        ),
        ("marker cut", |path, _| cut(&beside(path), 4), "cannot be read", "delete ledger.marker"),
        (
            "marker of a newer version",
            |path, _| fs::write(beside(path), r#"{"v":2}"#).unwrap(),
            "a newer Votive",
            "Install that version",
        ),
    ];
    for (what, damage, wrong, remedy) in damages {
        damage(&ledger(&rig), &ledger(&other));
        let damaged = but_for_a_flag(&state(&rig));
        let refusal = refusal(&rig).await;
        assert!(refusal.contains("state/ledger."), "{what}: {refusal}");
        assert!(refusal.contains(wrong) && refusal.contains(remedy), "{what}: {refusal}");
        let mut now = but_for_a_flag(&state(&rig));
        if !["replaced", "of a newer version"].contains(&what) {
            assert!(now == damaged, "{what}: something was changed");
        }
        // redb tidies up a ledger that is whole, before anybody can see whose it is.
        assert!(now.remove(&marker(&rig)) == damaged.get(&marker(&rig)).cloned());
        for (path, content) in &good {
            fs::write(path, content).unwrap();
        }
    }
}

fn beside(ledger: &Path) -> PathBuf {
    ledger.with_file_name("ledger.marker")
}

fn cut(path: &Path, parts: usize) {
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..whole.len() / parts]).unwrap();
}

/// Changes the name of the player in the record of the vote, wherever it is.
fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len() - 5).filter(|&at| bytes[at..].starts_with(b"Steve")).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_refused_with_the_reason() {
    let rig = used().await;
    let on = |mount: &str| {
        let mut shell = Command::new("unshare");
        let script = format!("set -e; {mount}; shift; exec \"$@\"");
        shell.args(["--mount", "sh", "-c", &script, "sh"]).arg(state(&rig)).arg(VOTIVE);
        shell
    };
    if !on("mount -t tmpfs none \"$1\"; shift; set -- \"$@\" true")
        .output()
        .is_ok_and(|tried| tried.status.success())
    {
        println!("skipped: nothing can be mounted here");
        return;
    }
    let read_only = on("mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"");
    let refusal = refusal_of(&rig, read_only).await;
    assert!(refusal.contains("state/ledger.redb") && refusal.contains("mounted read-only"), "{refusal}");

    let full = on(
        "cp -a \"$1\" \"$1.copy\"; mount -t tmpfs -o size=2m none \"$1\"; cp -a \"$1.copy/.\" \"$1\"; head -c 4m /dev/zero >\"$1/rest\" 2>/dev/null || true",
    );
    let refusal = refusal_of(&rig, full).await;
    assert!(refusal.contains("state/ledger.") && refusal.contains("Make room"), "{refusal}");
}

#[tokio::test]
async fn an_older_copy_of_the_same_run_is_refused_also_after_a_kill() {
    let mut rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let (older, older_marker) = (fs::read(ledger(&rig)).unwrap(), fs::read(marker(&rig)).unwrap());
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    rig.kill().await;
    let newest = fs::read(ledger(&rig)).unwrap();
    fs::write(ledger(&rig), older).unwrap();
    let refusal = refusal(&rig).await;
    assert!(refusal.contains("an older copy") && refusal.contains("votive restore"), "{refusal}");
    // What a power failure may leave: a marker that is behind.
    fs::write(ledger(&rig), newest).unwrap();
    fs::write(marker(&rig), older_marker).unwrap();
    rig.start().await;
    for id in ["e-1", "e-2"] {
        assert_eq!(rig.deliver_vote(id, "Steve").await, 204);
    }
    assert_eq!(rig.has("Steve", "diamond"), 6);
}

#[tokio::test]
async fn an_older_copy_can_be_gone_on_with_by_a_backup_of_it() {
    let mut rig = used().await;
    let older = fs::read(ledger(&rig)).unwrap();
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    rig.stop().await;
    fs::write(ledger(&rig), older).unwrap();
    let backup = rig.path("votes").display().to_string();
    assert!(said(&rig.votive(&["backup", &backup]).await).contains("an older copy"));
    said(&rig.votive(&["restore", &backup]).await);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 422);
    assert_eq!(rig.has("Steve", "diamond"), 6);
}

#[tokio::test]
async fn a_restore_pays_nothing_twice() {
    let mut rig = Rig::running().await;
    rig.game.leave("Alex");
    let (granted, waiting) = (rig.vote("granted", "Steve"), rig.vote("waiting", "Alex"));
    assert_eq!(rig.deliver(&granted).await.status, Some(204));
    assert_eq!(rig.deliver(&waiting).await.status, Some(204));
    rig.game.once("give", Habit::Says("Unknown or incomplete command".to_owned()));
    let refused = rig.vote("refused", "Steve");
    assert_eq!(rig.deliver(&refused).await.status, Some(422));
    let backup = rig.path("votes").display().to_string();
    let told = said(&rig.votive(&["backup", &backup]).await);
    assert!(told.contains("backed up 3 votes"), "{told}");

    // All that the backup does not know.
    rig.game.join("Alex");
    rig.until(|record| record.ran("give Alex").len() == 1).await;
    assert_eq!(rig.deliver(&refused).await.status, Some(204), "mended, and delivered again");
    let later = rig.vote("later", "Steve");
    assert_eq!(rig.deliver(&later).await.status, Some(204));
    let gifts = rig.game.record().ran("give").len();
    rig.kill().await;
    fs::remove_file(ledger(&rig)).unwrap();
    assert!(refusal(&rig).await.contains("missing"));

    let told = said(&rig.votive(&["restore", &backup]).await);
    assert!(told.contains("restored 3 votes") && told.contains("1 of their rewards"), "{told}");
    rig.start().await;
    let line = rig.daemon().log_line("in doubt: the ledger was restored").await;
    assert!(line.contains("give Alex") && line.contains("votive resolve waiting"), "{line}");
    for _ in 0..2 {
        assert_eq!(rig.deliver(&granted).await.status, Some(204));
        assert_eq!(rig.deliver(&waiting).await.status, Some(503));
        for (delivery, id) in [(&refused, "refused"), (&later, "later")] {
            let answered = rig.deliver(delivery).await;
            assert_eq!(answered.status, Some(422), "{}", answered.body);
            assert!(answered.body.trim_end().ends_with(&format!("votive retry {id}")), "{}", answered.body);
        }
    }
    assert_eq!(rig.game.record().ran("give").len(), gifts, "something was paid twice");

    // Life goes on, and the owner decides.
    assert_eq!(rig.deliver(&new_vote(&rig, "new", "Steve")).await.status, Some(204));
    said(&rig.votive(&["test-vote", "--player", "Steve", "--server", "survival"]).await);
    said(&rig.votive(&["resolve", "waiting", "--ran"]).await);
    assert_eq!(rig.deliver(&waiting).await.status, Some(204));
    assert_eq!(rig.game.record().ran("give").len(), gifts + 2);
    assert!(said(&rig.votive(&["retry", "later"]).await).contains("Granted on survival"));
    assert_eq!(rig.game.record().ran("give").len(), gifts + 3);
    let again = complained(&rig.votive(&["retry", "later"]).await);
    assert!(again.contains("nothing to try again: it is granted"), "{again}");
    assert_eq!(rig.deliver(&later).await.status, Some(204));
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver(&rig.vote("earlier", "Steve")).await.status, Some(422), "after every start");
    assert_eq!(rig.game.record().ran("give").len(), gifts + 3);
}

#[tokio::test]
async fn each_command_of_a_restored_reward_is_asked_about() {
    let mut rig = Rig::new().await;
    let two = "
  two:
    commands:
      - 'give {player} minecraft:diamond 1'
      - 'give {player} minecraft:emerald 1'
";
    rig.configure("", "", two);
    rig.start().await;
    rig.game.leave("Steve");
    for id in ["e-1", "e-2"] {
        assert_eq!(rig.deliver_vote(id, "Steve").await, 204);
    }
    let backup = rig.path("votes").display().to_string();
    said(&rig.votive(&["backup", &backup]).await);
    rig.stop().await;
    said(&rig.votive(&["restore", &backup]).await);
    rig.game.join("Steve");
    rig.start().await;
    let first = said(&rig.votive(&["resolve", "e-1", "--ran"]).await);
    assert!(
        first.contains("give Steve minecraft:emerald 1") && first.contains("votive resolve e-1"),
        "{first}"
    );
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    assert!(rig.game.record().ran("give").is_empty());
    said(&rig.votive(&["resolve", "e-1", "--ran"]).await);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert!(rig.game.record().ran("give").is_empty());
    // Without the first command, the second cannot have run.
    said(&rig.votive(&["resolve", "e-2", "--not-run"]).await);
    rig.until(|record| record.ran("give").len() == 2).await;
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (1, 1));
}

#[tokio::test]
async fn without_any_backup_old_votes_are_refused_and_new_ones_rewarded() {
    let mut rig = used().await;
    fs::write(ledger(&rig), "damaged").unwrap();
    fs::write(marker(&rig), "damaged").unwrap();
    let told = said(&rig.votive(&["restore", "--without-backup"]).await);
    assert!(told.contains("the ledger is empty now"), "{told}");
    let kept = told.split("The ledger that was there is now ").nth(1).unwrap();
    let kept = kept.split(".\n").next().unwrap();
    assert!(kept.starts_with(&format!("{}.before-restore-", ledger(&rig).display())), "{kept}");
    assert_eq!(fs::read(kept).unwrap(), b"damaged");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    assert_eq!(rig.deliver(&new_vote(&rig, "e-2", "Steve")).await.status, Some(204));
    assert_eq!(rig.has("Steve", "diamond"), 6);
}

#[tokio::test]
async fn a_backup_is_whole_and_of_one_moment_while_deliveries_go_on() {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s", DAILY);
    rig.start().await;
    let mut known = 0;
    let mut backups = Vec::new();
    for round in 0..4 {
        let ids: Vec<String> = (0..30).map(|number| format!("e-{round}-{number}")).collect();
        let deliveries: Vec<_> =
            ids.iter().map(|id| tokio::spawn(rig.delivering(&rig.vote(id, "Steve")))).collect();
        let path = rig.path(&format!("votes-{round}"));
        let told = said(&rig.votive(&["backup", path.to_str().unwrap()]).await);
        let records = records(&path);
        assert!(told.contains(&format!("backed up {} votes", records.len())), "{told}");
        assert!(records.len() >= known, "a vote that was answered is missing");
        let planned = records.values().filter(|record| record.contains("\"planned\"")).count();
        let counted = counters(&fs::read_to_string(&path).unwrap());
        assert_eq!(counted.len(), if planned == 0 { 0 } else { 2 });
        assert!(counted.values().all(|votes| *votes == planned as u64), "{counted:?} of {planned} votes");
        for delivery in deliveries {
            // Recorded, if not granted: the machine may be busy.
            assert!(matches!(delivery.await.unwrap().status, Some(204 | 504)));
        }
        known += ids.len();
        backups.push((path, records));
    }
    rig.stop().await;

    for (path, records_then) in backups {
        let other = path.with_extension("restored");
        let directory = ["--state-dir", other.to_str().unwrap()];
        said(&rig.votive(&[&["restore", path.to_str().unwrap()], &directory[..]].concat()).await);
        let again = path.with_extension("again");
        said(&rig.votive(&[&["backup", again.to_str().unwrap()], &directory[..]].concat()).await);
        let records_now = records(&again);
        assert!(records_then.keys().eq(records_now.keys()));
        let counted = |path: &Path| counters(&fs::read_to_string(path).unwrap());
        assert_eq!(counted(&path), counted(&again));
        for (id, record) in records_then {
            assert!(
                record == records_now[&id] || record.contains("\"planned\"") && !record.contains("\"done\"")
            );
        }
    }
}

#[tokio::test]
async fn a_backup_that_nobody_takes_holds_up_nobody() {
    let mut rig = Rig::new().await;
    // More than fits between the daemon and a client that does not read.
    let votes = rig.path("votes");
    fs::write(&votes, backup_of(3000)).unwrap();
    said(&rig.votive(&["restore", votes.to_str().unwrap()]).await);
    rig.start().await;
    let mut stalled = UnixStream::connect(state(&rig).join("votive.sock")).await.unwrap();
    stalled.write_all(b"POST /v1/backup HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    let mut head = [0; 15];
    stalled.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    for number in 0..20 {
        let vote = new_vote(&rig, &format!("e-{number}"), "Steve");
        assert_eq!(rig.deliver(&vote).await.status, Some(204));
    }
    let (status, log) = rig.stop().await;
    assert!(status.success(), "{log}");
    let mut rest = Vec::new();
    timeout(PATIENCE, stalled.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("sha256"), "it looks whole");
}

/// A backup of so many votes, as its format is written down.
fn backup_of(votes: usize) -> String {
    let mut text = format!(
        "{{\"votive_backup\":1,\"ledger\":\"{}\",\"taken_at\":\"2026-11-01T12:00:00Z\"}}\n",
        "0".repeat(32)
    );
    for number in 0..votes {
        let reason = "x".repeat(500);
        text += &format!(
            "{{\"v\":1,\"revision\":1,\"grant\":{{\"event\":{{\"event_type\":\"server.vote\",\"event_id\":\"o-{number}\"}},\"received_at\":\"2026-11-01T11:00:00Z\",\"stage\":{{\"refused\":{{\"reason\":\"{reason}\",\"vote\":null}}}}}}}}\n"
        );
    }
    let sum = base16ct::lower::encode_string(&Sha256::digest(&text));
    text + &format!("{{\"records\":{votes},\"sha256\":\"{sum}\"}}\n")
}

#[tokio::test]
async fn what_is_not_a_whole_backup_changes_nothing() {
    let rig = used().await;
    let before = contents(&state(&rig));
    let whole = backup_of(5);
    let altered = whole.replacen("o-3", "o-9", 1);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let cases = [
        ("empty", String::new(), "not a backup of Votive"),
        ("foreign", "{\"name\": \"x\"}\n".to_owned(), "not a backup of Votive"),
        ("newer", whole.replacen("\"votive_backup\":1", "\"votive_backup\":2", 1), "a newer Votive"),
        ("newer record", whole.replacen("{\"v\":1", "{\"v\":2", 1), "a newer Votive"),
        ("only a header", lines[0].to_owned(), "not complete"),
        ("without the end", lines[..6].concat(), "not complete"),
        ("cut in a record", whole[..whole.len() / 2].to_owned(), "not complete"),
        ("cut in the end", whole[..whole.len() - 1].to_owned(), "not complete"),
        ("a record less", [&lines[..3], &lines[4..]].concat().concat(), "damaged in line 6"),
        ("altered", altered, "damaged in line 7"),
        ("not JSON", whole.replacen("o-3", "o\"3", 1), "damaged in line 5"),
        ("twice", whole.repeat(2), "damaged in line 8"),
    ];
    let path = rig.path("votes");
    for (what, text, words) in cases {
        fs::write(&path, text).unwrap();
        let complaint = complained(&rig.votive(&["restore", path.to_str().unwrap()]).await);
        assert!(complaint.contains("/votes: ") && complaint.contains(words), "{what}: {complaint}");
        assert!(complaint.contains("Nothing was changed"), "{what}: {complaint}");
        assert!(contents(&state(&rig)) == before, "{what}: something was changed");
    }
    let complaint = complained(&rig.votive(&["restore", "no-such-file"]).await);
    assert!(complaint.contains("no-such-file: No such file"), "{complaint}");
    for args in [&["restore"][..], &["restore", "votes", "--without-backup"]] {
        assert_eq!(rig.votive(args).await.status.code(), Some(2));
    }
    fs::write(&path, &whole).unwrap();
    said(&rig.votive(&["restore", path.to_str().unwrap()]).await);
}

#[tokio::test]
async fn nothing_is_restored_under_a_running_daemon() {
    let mut rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let stop_first = |output: &Output| {
        let complaint = complained(output);
        assert!(complaint.contains("state") && complaint.contains("Stop it first"), "{complaint}");
    };
    // Also where it is the ledger's file that is gone.
    let aside = rig.path("aside");
    fs::rename(ledger(&rig), &aside).unwrap();
    stop_first(&rig.votive(&["restore", "--without-backup"]).await);
    fs::rename(&aside, ledger(&rig)).unwrap();
    // The ledger itself tells it as well.
    fs::remove_file(state(&rig).join("votive.sock")).unwrap();
    stop_first(&rig.votive(&["restore", "--without-backup"]).await);
    stop_first(&rig.votive(&["backup", "votes"]).await);
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    rig.stop().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 6);
}

#[tokio::test]
async fn a_backup_appears_whole_for_its_owner_alone_and_replaces_nothing_by_itself() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let directory = rig.path("backups");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("votes");
    let args = ["backup", path.to_str().unwrap()];
    said(&rig.votive(&args).await);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let complaint = complained(&rig.votive(&args).await);
    assert!(complaint.contains("votes: ") && complaint.contains("--force"), "{complaint}");
    assert_eq!(records(&path).len(), 1);
    said(&rig.votive(&[&args[..], &["--force"]].concat()).await);
    assert_eq!(records(&path).len(), 2);
    let printed = rig.votive(&["backup", "-"]).await;
    rig.stop().await;
    let at_rest = directory.join("at-rest");
    said(&rig.votive(&["backup", at_rest.to_str().unwrap()]).await);
    assert_eq!(contents(&directory).len(), 2, "something was left behind");
    let running: Vec<String> =
        fs::read_to_string(&path).unwrap().lines().skip(1).map(str::to_owned).collect();
    assert_eq!(records(&at_rest), records(&path));
    assert!(String::from_utf8(printed.stdout).unwrap().contains(&running[1]));
    // And it changed nothing about the ledger.
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 6);

    let empty = rig.path("empty");
    fs::create_dir(&empty).unwrap();
    let nothing = ["backup", "nothing", "--state-dir", empty.to_str().unwrap()];
    let complaint = complained(&rig.votive(&nothing).await);
    assert!(complaint.contains("there is no ledger"), "{complaint}");
    assert!(contents(&empty).is_empty());
}

#[tokio::test]
async fn a_retry_is_for_what_is_refused() {
    let rig = Rig::running().await;
    let unknown = complained(&rig.votive(&["retry", "e-9"]).await);
    assert!(unknown.contains("no vote with the id e-9"), "{unknown}");

    // No such server, then mended: by a retry in place of a redelivery.
    rig.platform.vote("e-1", "Steve", 9);
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-1")).await.status, Some(422));
    let still = complained(&rig.votive(&["retry", "e-1"]).await);
    assert!(still.contains("No server in rewards.yaml has the server id 9"), "{still}");

    // What the API told wrong is asked for again.
    rig.platform.answer("e-2", ApiAnswer::json(&vote_body("another", "Steve", 1)));
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-2")).await.status, Some(422));
    rig.platform.vote("e-2", "Steve", 1);
    assert!(said(&rig.votive(&["retry", "e-2"]).await).contains("Granted on survival"));
    assert_eq!(rig.has("Steve", "diamond"), 3);

    rig.game.leave("Alex");
    assert_eq!(rig.deliver_vote("e-3", "Alex").await, 204);
    let open = complained(&rig.votive(&["retry", "e-3"]).await);
    assert!(open.contains("nothing to try again: it is still being issued"), "{open}");
}
