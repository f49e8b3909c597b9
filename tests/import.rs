//! `votive import`: counts from before Votive come into the ledger, all of them or none.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rig::{Rig, VOTIVE};
use votive::domain::counter::{Counter, CounterKey};
use votive::ledger::Ledger;

const TABLE: &str = "player,total,streak,last_vote\nSteve,49,6,2026-11-20\nAlex,3,0,2026-11-02\n";
const REWARDS: &str = "
  round:
    milestones: [50]
    commands: ['give {player} minecraft:diamond {votes}']
  everywhere:
    counts: network
    every_votes: 57
    commands: ['give {player} minecraft:emerald {votes}']
";
/// A second game server, without an id.
const LOBBY: &str = "  lobby: {rcon: '127.0.0.1:1', password_file: password, rewards: [round]}\n";

/// Where it ended, and all that it said.
fn told(output: &Output) -> (i32, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

async fn import(rig: &Rig, table: &str, args: &[&str]) -> (i32, String) {
    let path = rig.path("votes.csv");
    fs::write(&path, table).unwrap();
    told(&rig.votive(&[&["import", path.to_str().unwrap()], args].concat()).await)
}

/// What the ledger knows. It is closed again after that, so that somebody else can have it.
fn look<T>(rig: &Rig, look: impl FnOnce(&Ledger) -> T) -> T {
    let ledger = Ledger::open(&rig.path("state")).unwrap().ledger;
    let seen = look(&ledger);
    drop(ledger);
    // Its writer goes a moment later.
    let file = fs::File::open(rig.path("state/ledger.redb")).unwrap();
    while file.try_lock().is_err() {
        std::thread::yield_now();
    }
    seen
}

/// What the ledger knows of a player, in a scope.
fn counter(rig: &Rig, scope: &str, player: &str) -> Counter {
    let key = CounterKey { scope: scope.to_owned(), player: player.to_owned() };
    look(rig, |ledger| ledger.counter(&key).unwrap().0)
}

/// So many players, each with as many votes as their number.
fn crowd(players: u32) -> String {
    let rows = (1..=players).map(|n| format!("player_{n},{n},3,2026-11-20\n"));
    "player,total,streak,last_vote\n".to_owned() + &rows.collect::<String>()
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let rig = Rig::new().await;
    let (code, said) = import(&rig, TABLE, &[]).await;
    assert_eq!(code, 0, "{said}");
    for line in [
        "2 players with 52 votes for survival.",
        "The most has Steve: 49.",
        "Their last votes were made from 2026-11-02 to 2026-11-20.",
        "Counts that change: those of 2 players.",
        "Nothing was changed.",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("are the columns right?"), "{said}");
    let (_, swapped) = import(&rig, "player,total,streak,last_vote\nSteve,8,60,2026-11-20\n", &[]).await;
    assert!(swapped.contains("1 player with a streak that is longer than their total"), "{swapped}");
    assert!(!rig.path("state").exists(), "there is no ledger yet, and none was made");

    assert_eq!(import(&rig, TABLE, &["--apply"]).await.0, 0);
    let before = counter(&rig, "id 1", "steve");
    let (_, said) = import(&rig, "player;total\nSteve;7\nHerobrine;1\n", &[]).await;
    assert!(
        said.contains("Counts that change: those of 2 players.\n1 player with an import before"),
        "{said}"
    );
    assert_eq!(counter(&rig, "id 1", "steve"), before);
    assert_eq!(counter(&rig, "id 1", "herobrine"), Counter::default());
}

#[tokio::test]
async fn the_same_file_twice_is_as_good_as_once() {
    let rig = Rig::new().await;
    let (code, said) = import(&rig, TABLE, &["--apply"]).await;
    assert!(code == 0 && said.contains("Done: the counts of 2 players were changed."), "{said}");
    let once = [counter(&rig, "id 1", "steve"), counter(&rig, "network", "steve")];
    assert_eq!(once[0].imported["id 1"].total, 49);
    let (code, said) = import(&rig, TABLE, &["--apply"]).await;
    assert!(code == 0 && said.contains("Done: the counts of 0 players were changed."), "{said}");
    assert_eq!([counter(&rig, "id 1", "steve"), counter(&rig, "network", "steve")], once);
}

#[tokio::test]
async fn a_vote_after_the_import_is_the_milestone() {
    let mut rig = Rig::new().await;
    rig.configure("", LOBBY, REWARDS);
    assert_eq!(import(&rig, TABLE, &["--server", "survival", "--apply"]).await.0, 0);
    let elsewhere = "player,total\nSTEVE,7\n";
    assert_eq!(import(&rig, elsewhere, &["--server", "lobby", "--apply"]).await.0, 0);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    // The server counts 49 before it, the network 7 more.
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (50, 57));
    rig.stop().await;

    // What Votive has counted stays when the file comes again.
    let (_, said) = import(&rig, TABLE, &["--server", "survival", "--apply"]).await;
    assert!(said.contains("1 player with votes that Votive has counted"), "{said}");
    let counter = counter(&rig, "id 1", "steve");
    assert_eq!((counter.imported["id 1"].total, counter.votes.total), (49, 1));
}

#[tokio::test]
async fn the_table_of_the_guide_can_be_imported() {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migrating.md")).unwrap();
    let table = guide.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let rig = Rig::new().await;
    let (code, said) = import(&rig, table, &["--apply"]).await;
    assert!(code == 0 && said.contains("2 players with 123 votes"), "{said}");
    // As `mysql --batch` writes it, without its `tr`.
    assert_eq!(import(&rig, &table.replace(',', "\t"), &[]).await.0, 0);
}

#[tokio::test]
async fn with_a_mistake_anywhere_nothing_is_written() {
    let rig = Rig::new().await;
    let (code, said) = import(&rig, &format!("{TABLE}@a,1,0,\nB,x,0,\nalex,1,0,\n"), &["--apply"]).await;
    assert_eq!(code, 1);
    for line in [
        "votes.csv:4: \"@a\" is no player: the nickname has characters that no Minecraft name has",
        "votes.csv:5: the total \"x\" of B is no whole number",
        "votes.csv:6: alex is in line 3 already",
        "nothing was changed",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let many: String = (0..50).map(|n| format!("P{n},x\n")).collect();
    let (code, said) = import(&rig, &format!("player,total\nSteve,1\n{many}"), &["--apply"]).await;
    assert_eq!(code, 1);
    assert_eq!(said.matches("is no whole number").count(), 20);
    assert!(said.contains("votes.csv:22: ") && said.contains("and 30 more"), "{said}");
    assert!(!rig.path("state").exists());

    let absent = told(&rig.votive(&["import", "/nonexistent.csv"]).await);
    assert!(absent.0 == 1 && absent.1.contains("/nonexistent.csv: "), "{absent:?}");
}

#[tokio::test]
async fn the_game_server_has_to_be_known() {
    let rig = Rig::new().await;
    rig.configure("", LOBBY, REWARDS);
    for (args, said) in [
        (&["--apply"][..], "Add --server and one of survival, lobby"),
        (&["--apply", "--server", "skyblock"], "no server \"skyblock\"; it has: survival, lobby"),
    ] {
        let told = import(&rig, TABLE, args).await;
        assert!(told.0 == 1 && told.1.contains(said), "{told:?}");
    }
    assert!(!rig.path("state").exists());
    rig.configure("", "    idd: 3\n", REWARDS);
    let told = import(&rig, TABLE, &["--apply"]).await;
    assert!(told.0 == 78 && told.1.contains("did you mean `id`?"), "{told:?}");
}

#[tokio::test]
async fn a_running_daemon_is_not_disturbed() {
    let rig = Rig::running().await;
    for args in [&[][..], &["--apply"]] {
        let (code, said) = import(&rig, TABLE, args).await;
        assert!(code == 1 && said.contains("Stop it first (systemctl stop votive)"), "{said}");
    }
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
}

/// How many of the crowd the ledger knows.
fn known(rig: &Rig, players: u32) -> u32 {
    let knows = |ledger: &Ledger, scope: &str, n: u32| {
        let key = CounterKey { scope: scope.to_owned(), player: format!("player_{n}") };
        u32::from(
            ledger
                .counter(&key)
                .unwrap()
                .0
                .imported
                .get("id 1")
                .is_some_and(|imported| imported.total == u64::from(n)),
        )
    };
    look(rig, |ledger| {
        let both = |n| knows(ledger, "id 1", n) + knows(ledger, "network", n);
        let found: u32 = (1..=players).map(both).sum();
        assert_eq!(found % 2, 0, "one scope without the other");
        found / 2
    })
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_nothing_or_all() {
    const PLAYERS: u32 = 10_000;
    let begun = |rig: &Rig, line: &str| {
        let path = rig.path("votes.csv");
        fs::write(&path, crowd(PLAYERS)).unwrap();
        let mut import = Command::new(VOTIVE)
            .env_clear()
            .args(["import".as_ref(), path.as_os_str(), "--apply".as_ref()])
            .args(["--config".as_ref(), rig.path("rewards.yaml").as_os_str()])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(import.stderr.take().unwrap()).lines();
        assert!(said.any(|said| said.unwrap().contains(line)), "it never said {line}");
        (import, Instant::now())
    };
    let untouched = Rig::new().await;
    let (mut whole, writing) = begun(&untouched, "writing");
    assert!(whole.wait().unwrap().success());
    let writes_for = writing.elapsed();

    let rig = Rig::new().await;
    let mut left = Vec::new();
    let moments =
        [("comparing", 0), ("writing", 0), ("writing", 1), ("writing", 2), ("writing", 4), ("writing", 8)];
    for (line, quarters) in moments {
        let (mut import, since) = begun(&rig, line);
        while since.elapsed() < writes_for * quarters / 4 {
            std::hint::spin_loop();
        }
        import.kill().unwrap();
        import.wait().unwrap();
        let known = known(&rig, PLAYERS);
        assert!(known == 0 || known == PLAYERS, "{known} players");
        left.push(known);
    }
    println!("known after each kill: {left:?}; a whole import writes for {writes_for:.0?}");
    let (code, said) = import(&rig, &crowd(PLAYERS), &["--apply"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(known(&rig, PLAYERS), PLAYERS);
}

/// Right before the commit and right after it, of which nobody was told.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_crash_around_the_commit_leaves_nothing_or_all() {
    const PLAYERS: u32 = 50;
    for (point, expected) in [("commit-begins", 0), ("commit-done", PLAYERS)] {
        let rig = Rig::new().await;
        let path = rig.path("votes.csv");
        fs::write(&path, crowd(PLAYERS)).unwrap();
        let output = Command::new(VOTIVE)
            .env_clear()
            .env(votive::failpoint::CRASH_AT, point)
            .args(["import".as_ref(), path.as_os_str(), "--apply".as_ref()])
            .args(["--config".as_ref(), rig.path("rewards.yaml").as_os_str()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(known(&rig, PLAYERS), expected, "{point}");
        assert_eq!(import(&rig, &crowd(PLAYERS), &["--apply"]).await.0, 0);
        assert_eq!(known(&rig, PLAYERS), PLAYERS);
    }
}
