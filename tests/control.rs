//! The commands that ask the running daemon: with one, without one, and with something else in its place.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use rig::{DAILY, PATIENCE, Rig, VOTIVE};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;
use votive::sim::game::Habit;

/// A reward that nobody has to be online for.
const CALL: &str = "
  call:
    commands:
      - run: 'say called {player}'
        require_online: false
";

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What a command prints that has to succeed.
async fn good(rig: &Rig, args: &[&str]) -> String {
    let (code, out, err) = told(&rig.votive(args).await);
    assert_eq!(code, Some(0), "votive {args:?}: {out}{err}");
    out
}

/// What a command says on standard error that has to fail with this exit code, and prints nothing.
async fn bad(rig: &Rig, args: &[&str], expected: i32) -> String {
    let (code, out, err) = told(&rig.votive(args).await);
    assert_eq!((code, out.as_str()), (Some(expected), ""), "votive {args:?}: {err}");
    err
}

async fn json(rig: &Rig, args: &[&str]) -> Value {
    serde_json::from_str(&good(rig, args).await).unwrap()
}

/// Votes as `--format json` prints them, a line each.
async fn votes(rig: &Rig, args: &[&str]) -> Vec<Value> {
    let args = [&["votes", "--format", "json"], args].concat();
    good(rig, &args).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(votes: &[Value]) -> Vec<&str> {
    votes.iter().map(|vote| vote["event_id"].as_str().unwrap()).collect()
}

/// The record of a vote in a backup.
async fn record(rig: &Rig, id: &str) -> Value {
    let backup = good(rig, &["backup", "-"]).await;
    let records = backup.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut of_id = records.filter(|record| record["grant"]["event"]["event_id"] == id);
    of_id.next().unwrap_or_else(|| panic!("no {id} in {backup}"))["grant"].take()
}

fn own_uid() -> u32 {
    std::fs::metadata("/proc/self").unwrap().uid()
}

/// Every command that asks a daemon.
const COMMANDS: [&[&str]; 17] = [
    &["status"],
    &["votes"],
    &["votes", "--follow"],
    &["explain", "Steve"],
    &["export", "--format", "csv"],
    &["reload"],
    &["test-notify"],
    &["test-webhook"],
    &["test-vote", "--player", "Steve", "--server", "survival"],
    &["resolve", "e-1", "--ran"],
    &["retry", "e-1"],
    &["retry", "--refused"],
    &["cancel", "e-1"],
    &["replay", "--server", "survival", "--since", "1h", "--yes"],
    &["pause", "survival"],
    &["resume", "survival"],
    &["prune", "--older-than", "1y"],
];

#[tokio::test]
async fn without_a_daemon_each_command_says_so_and_where_it_looked() {
    let rig = Rig::new().await;
    for args in COMMANDS {
        let err = bad(&rig, args, 69).await;
        let socket = rig.path("state/votive.sock").display().to_string();
        assert!(err.contains("no Votive is running") && err.contains(&socket), "{args:?}: {err}");
        assert!(err.contains("systemctl start votive"), "{args:?}: {err}");
    }
    let socket = rig.path("elsewhere.sock");
    let err = bad(&rig, &["status", "--socket", socket.to_str().unwrap()], 69).await;
    assert!(err.contains(socket.to_str().unwrap()) && !err.contains("state/votive.sock"), "{err}");
}

/// The document says of each command whether it asks the daemon.
#[test]
fn no_command_that_asks_a_daemon_is_left_out() {
    let document = include_str!("../docs/commands.md");
    let rows = document.lines().filter(|line| line.starts_with("| `votive ") && line.ends_with("| yes |"));
    let documented: BTreeSet<&str> = rows.filter_map(|row| row.split(['`', ' ']).nth(3)).collect();
    assert_eq!(documented, COMMANDS.iter().map(|args| args[0]).collect());
}

#[tokio::test]
async fn what_is_left_of_a_killed_daemon_is_nobody() {
    let mut rig = Rig::running().await;
    rig.kill().await;
    // Whatever the daemon left when it was killed is nobody.
    assert!(rig.path("state/votive.sock").exists());
    assert!(bad(&rig, &["status"], 69).await.contains("no Votive is running"));
}

#[tokio::test]
async fn something_else_on_the_socket_is_told_from_votive() {
    let rig = Rig::new().await;
    let socket = rig.path("foreign.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let answers = [
        ("SSH-2.0-OpenSSH_9.2\r\n", "is not Votive"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "is not Votive"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "is not Votive"),
        ("", "broke off"),
    ];
    thread::spawn(move || {
        for (answer, _) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            // Whoever wants to say something first is heard.
            let _heard = stream.read(&mut [0; 4096]).unwrap();
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    for (_, expected) in answers {
        let err = bad(&rig, &["status", "--socket", socket.to_str().unwrap()], 1).await;
        assert!(err.contains(expected), "{err}");
        assert!(expected != "is not Votive" || err.contains("foreign.sock"), "{err}");
    }
}

#[tokio::test]
async fn the_socket_of_a_running_daemon_is_not_taken_and_neither_is_a_file() {
    let runtime = tempfile::tempdir().unwrap();
    let socket = runtime.path().join("votive.sock");
    let start = |rig: &Rig| {
        let mut command = Command::new("env");
        command.arg(format!("RUNTIME_DIRECTORY={}", runtime.path().display())).arg(VOTIVE);
        rig::Daemon::spawn(command, &rig.path("rewards.yaml"))
    };
    let (first, second) = (Rig::new().await, Rig::new().await);
    std::fs::write(&socket, "mine").unwrap();
    let (status, log) = start(&first).ended().await;
    assert!(!status.success() && log.contains("nothing but a socket that a Votive left behind"), "{log}");
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "mine");
    std::fs::remove_file(&socket).unwrap();

    let mut daemon = start(&first).listening().await.unwrap();
    let (status, log) = start(&second).ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("votive.sock: another program answers at this control socket"), "{log}");
    good(&first, &["status", "--socket", socket.to_str().unwrap()]).await;
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    assert!(start(&second).listening().await.is_ok(), "a socket that was left is nobody's");
}

#[tokio::test]
async fn the_socket_is_for_its_owner_and_group() {
    let rig = Rig::running().await;
    let socket = rig.path("state/votive.sock").metadata().unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
}

#[tokio::test]
async fn a_wrong_id_or_a_vote_that_is_final_is_a_clear_error() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let mut tried = 0;
    for args in [&["resolve", "ID", "--ran"][..], &["retry", "ID"], &["cancel", "ID"]] {
        let with = |id: &'static str| -> Vec<&str> {
            args.iter().map(|arg| if *arg == "ID" { id } else { arg }).collect()
        };
        let unknown = bad(&rig, &with("e-404"), 1).await;
        assert!(unknown.contains("has no vote with the id e-404"), "{unknown}");
        let last = bad(&rig, &with("e-1"), 1).await;
        assert!(last.contains("the vote e-1") && last.contains("nothing to"), "{last}");
        tried += 1;
    }
    assert_eq!(tried, 3);
    for args in [
        &["pause", "nether"][..],
        &["resume", "nether"],
        &["votes", "--server", "nether"],
        &["retry", "--refused", "--server", "nether"],
        &["replay", "--server", "nether", "--since", "1h", "--yes"],
        &["test-vote", "--player", "Steve", "--server", "nether"],
    ] {
        let err = bad(&rig, args, 1).await;
        assert!(err.contains("no server \"nether\"; it has: survival"), "{args:?}: {err}");
    }
    let future = ["replay", "--server", "survival", "--since", "9999-01-01", "--yes"];
    assert!(bad(&rig, &future, 1).await.contains("--since 9999-01-01 00:00:00 has to be before --until"));
    for args in [
        &["votes", "--since", "yesterday"][..],
        &["votes", "--limit", "0"],
        &["explain", ""],
        &["votes", "--state", "gone"],
        // Such votes are in no list.
        &["votes", "--state", "pruned"],
        &["prune"],
        &["prune", "--older-than", "1"],
        &["prune", "--older-than", "99999y"],
        &["resolve", "e-1"],
        &["retry"],
        &["retry", "e-1", "--refused"],
        &["retry", "--server", "survival"],
        &["export"],
    ] {
        bad(&rig, args, 2).await;
    }
}

#[tokio::test]
async fn status_tells_how_things_stand() {
    let mut rig = Rig::running().await;
    let fresh = json(&rig, &["status", "--format", "json"]).await;
    assert_eq!(fresh["servers"][0]["answered_seconds"], Value::Null, "nothing was asked of it yet");
    assert_eq!(fresh["webhook"], rig.daemon().url);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.deliver_vote("e-2", "Alex").await, 204);
    assert_eq!(rig.deliver_vote("e-3", "no name").await, 422);
    let status = json(&rig, &["status", "--format", "json"]).await;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["config"], rig.path("rewards.yaml").to_str().unwrap());
    assert!(status["ledger_bytes"].as_u64().unwrap() > 0);
    assert_eq!(status["waiting"], serde_json::json!({"player": 1}));
    assert_eq!(status["oldest"]["event_id"], "e-2");
    assert_eq!(status["refused"], 1);
    let last: Vec<Value> = status["last"].as_array().unwrap().clone();
    assert_eq!(ids(&last), ["e-3", "e-2", "e-1"]);
    let server = &status["servers"][0];
    assert_eq!(
        (&server["name"], &server["online"], &server["waiting"]),
        (&"survival".into(), &1.into(), &1.into())
    );
    assert_eq!((&server["pace"], &server["receipts"]), (&20.into(), &"never".into()));
    assert!(server["answered_seconds"].as_u64().is_some() && server["down"].is_null());

    let text = good(&rig, &["status"]).await;
    for part in
        ["survival", "up", "1 reward waiting for the player", "the vote of Alex", "1 vote refused", "e-1"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // What waits for its game server is told so, and what keeps that from being used.
    rig.game.stop().await;
    assert_eq!(rig.deliver_vote("e-4", "Steve").await, 503);
    let status = json(&rig, &["status", "--format", "json"]).await;
    assert_eq!(status["waiting"]["server"], 2, "{status}");
    assert!(status["servers"][0]["down"].as_str().unwrap().contains("cannot be reached"), "{status}");
    assert!(good(&rig, &["status"]).await.contains("down for"));
    rig.kill().await;
}

#[tokio::test]
async fn votes_are_found_by_player_state_server_and_time_and_come_in_pages() {
    let mut rig = Rig::running().await;
    for number in 0..7 {
        let player = if number % 2 == 0 { "Steve" } else { "Alex" };
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), player).await, 204);
    }
    assert_eq!(rig.deliver_vote("e-7", "no name").await, 422);
    let all = votes(&rig, &["--all"]).await;
    assert_eq!(ids(&all), ["e-7", "e-6", "e-5", "e-4", "e-3", "e-2", "e-1", "e-0"], "the newest first");
    assert_eq!(ids(&votes(&rig, &["--player", "sTEVE"]).await), ["e-6", "e-4", "e-2", "e-0"]);
    assert_eq!(ids(&votes(&rig, &["--player", "no name"]).await), ["e-7"]);
    assert_eq!(ids(&votes(&rig, &["--state", "refused"]).await), ["e-7"]);
    assert_eq!(ids(&votes(&rig, &["--state", "waiting", "--player", "Alex"]).await), ["e-5", "e-3", "e-1"]);
    assert_eq!(votes(&rig, &["--server", "survival"]).await.len(), 8);
    let since = all[2]["received_at"].as_str().unwrap();
    assert_eq!(ids(&votes(&rig, &["--since", since]).await), ["e-7", "e-6", "e-5"]);
    let (_, out, err) = told(&rig.votive(&["votes", "--limit", "2"]).await);
    assert!(out.contains("e-7") && out.contains("e-6") && !out.contains("e-5"), "{out}");
    let next = err.split("--next ").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(ids(&votes(&rig, &["--limit", "2", "--next", next]).await), ["e-5", "e-4"]);
    assert_eq!(good(&rig, &["votes", "--player", "Herobrine"]).await, "No votes.\n");
    let table = good(&rig, &["votes", "--limit", "3"]).await;
    for part in ["RECEIVED", "refused", "granted", "waiting for the player", "no name"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    rig.kill().await;
    rig.start().await;
    assert_eq!(votes(&rig, &["--all"]).await.len(), 8, "also after a restart");
}

/// `votive votes --follow`, which is killed in the end.
struct Following {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Following {
    fn begin(rig: &Rig, args: &[&str]) -> Self {
        let mut child = Command::new(VOTIVE)
            .env_clear()
            .args(["votes", "--follow", "--format", "json", "--config"])
            .arg(rig.path("rewards.yaml"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let (told, lines) = mpsc::unbounded_channel();
        thread::spawn(move || said.map_while(Result::ok).try_for_each(|line| told.send(line)));
        Following { child, lines }
    }

    async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.recv()).await.unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Waits for a vote that stands so. What it waits for may change before that: a line as well.
    async fn shows(&mut self, id: &str, state: &str) {
        self.until(|vote| vote["event_id"] == id && vote["state"] == state).await;
    }

    async fn until(&mut self, is_it: impl Fn(&Value) -> bool) {
        while !is_it(&self.next().await) {}
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn following_shows_what_is_new_and_what_stands_differently() {
    let mut rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Alex").await, 204);
    let mut following = Following::begin(&rig, &[]);
    following.shows("e-1", "waiting").await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    following.shows("e-2", "granted").await;
    // Nothing is written when something else is awaited.
    rig.game.stop().await;
    following.until(|vote| vote["event_id"] == "e-1" && vote["waiting_for"][0] == "server").await;
    rig.game.start_again().unwrap();
    rig.game.join("Alex");
    following.shows("e-1", "granted").await;
    // It waits for the daemon to be back.
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 204);
    following.shows("e-3", "granted").await;
    drop(following);
    // What was granted is neither pruned nor anybody else's before their eyes.
    let mut of_alex = Following::begin(&rig, &["--player", "alex", "--limit", "1"]);
    of_alex.shows("e-1", "granted").await;
    good(&rig, &["prune", "--older-than", "0s"]).await;
    assert_eq!(rig.deliver_vote("e-4", "Steve").await, 204);
    assert_eq!(rig.deliver_vote("e-5", "Alex").await, 204);
    assert_eq!(of_alex.next().await["event_id"], "e-5");
}

#[tokio::test]
async fn who_follows_is_let_go_when_they_hang_up() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let open = || std::fs::read_dir(format!("/proc/{}/fd", rig.daemon().child.id())).unwrap().count();
    let mut following = Following::begin(&rig, &[]);
    following.shows("e-1", "granted").await;
    let held = open();
    drop(following);
    let let_go = async {
        while open() >= held {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, let_go).await.expect("nothing is to be told, and the connection stays");
}

#[tokio::test]
async fn a_paused_server_gets_nothing_also_after_a_restart_until_it_is_resumed() {
    let mut rig = Rig::new().await;
    rig.configure("", "", CALL);
    rig.start().await;
    assert!(good(&rig, &["pause", "survival"]).await.starts_with("Paused survival"));
    assert_eq!(good(&rig, &["pause", "survival"]).await, "survival is paused already.\n");
    let answer = rig.deliver(&rig.vote("e-1", "Steve")).await;
    assert_eq!(answer.status, Some(503));
    assert!(answer.body.contains("survival is paused"), "{}", answer.body);
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-2", "Alex").await, 503);
    let status = json(&rig, &["status", "--format", "json"]).await;
    assert_eq!(status["waiting"], serde_json::json!({"resumption": 2}));
    assert!(!status["servers"][0]["paused_since"].is_null());
    assert_eq!(rig.game.record().logins, 0, "it is not even asked");
    assert_eq!(good(&rig, &["resume", "survival"]).await, "Resumed survival; 2 votes are open there.\n");
    rig.until(|record| record.ran("say").len() == 2).await;
    assert_eq!(good(&rig, &["resume", "survival"]).await, "survival is not paused.\n");
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 204);
}

#[tokio::test]
async fn on_hold_nothing_is_sent_anywhere_until_it_is_resumed() {
    let mut rig = Rig::new().await;
    rig.configure("", "", CALL);
    let mut hold = Command::new("sh");
    hold.args(["-c", &format!("exec {VOTIVE} \"$@\" --hold"), "sh"]);
    rig.start_as(hold).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    assert_eq!(rig.game.record().logins, 0);
    assert!(good(&rig, &["status"]).await.contains("paused since"));
    let err = bad(&rig, &["resume", "survivl"], 1).await;
    assert!(err.contains("no server \"survivl\"; it has: survival"), "{err}");
    good(&rig, &["resume", "survival"]).await;
    rig.until(|record| record.ran("say").len() == 1).await;
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204, "a hold is of one run");
}

#[tokio::test]
async fn a_pause_during_a_hold_outlives_it() {
    let mut rig = Rig::new().await;
    rig.configure("", "", CALL);
    let mut hold = Command::new("sh");
    hold.args(["-c", &format!("exec {VOTIVE} \"$@\" --hold"), "sh"]);
    rig.start_as(hold).await;
    assert!(good(&rig, &["pause", "survival"]).await.starts_with("Paused survival"));
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    assert_eq!(rig.game.record().logins, 0);
}

#[tokio::test]
async fn a_paused_server_stays_paused_under_another_name() {
    let mut rig = Rig::new().await;
    rig.configure("", "", CALL);
    rig.start().await;
    good(&rig, &["pause", "survival"]).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    let renamed =
        std::fs::read_to_string(rig.path("rewards.yaml")).unwrap().replace("  survival:", "  vanilla:");
    std::fs::write(rig.path("rewards.yaml"), renamed).unwrap();
    good(&rig, &["reload"]).await;
    assert!(rig.deliver(&rig.vote("e-2", "Steve")).await.body.contains("vanilla is paused"));
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 503);
    assert_eq!(rig.game.record().logins, 0);
    assert_eq!(good(&rig, &["resume", "vanilla"]).await, "Resumed vanilla; 3 votes are open there.\n");
    rig.until(|record| record.ran("say").len() == 3).await;
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-4", "Steve").await, 204, "and under the old one as well");
}

/// The configuration with two game servers in the place of one, which had both ids.
fn part(rig: &Rig) {
    let path = rig.path("rewards.yaml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let survival = whole.split("servers:\n").nth(1).unwrap().split("rewards:\n").next().unwrap();
    let creative = survival.replace("  survival:", "  creative:").replace("id: [1, 2]", "id: 2");
    let parted = whole.replace(survival, &format!("{}{creative}", survival.replace("id: [1, 2]", "id: 1")));
    assert_ne!(parted, whole);
    std::fs::write(path, parted).unwrap();
}

#[tokio::test]
async fn of_two_servers_that_were_paused_as_one_each_is_resumed_by_itself() {
    let mut rig = Rig::new().await;
    rig.configure("", "", CALL);
    let path = rig.path("rewards.yaml");
    let both = std::fs::read_to_string(&path).unwrap().replace("id: 1\n", "id: [1, 2]\n");
    std::fs::write(&path, both).unwrap();
    rig.start().await;
    good(&rig, &["pause", "survival"]).await;
    part(&rig);
    good(&rig, &["reload"]).await;
    assert_eq!(good(&rig, &["resume", "creative"]).await, "Resumed creative; 0 votes are open there.\n");
    rig.platform.vote("e-2", "Steve", 2);
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-2")).await.status, Some(204));
    let answer = rig.deliver(&rig.vote("e-1", "Steve")).await;
    assert!(answer.body.contains("survival is paused"), "{}", answer.body);
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 503, "nobody has resumed it");
    assert_eq!(good(&rig, &["resume", "survival"]).await, "Resumed survival; 2 votes are open there.\n");
    rig.until(|record| record.ran("say").len() == 3).await;
}

#[tokio::test]
async fn output_that_nobody_takes_is_an_error_and_no_crash() {
    let rig = Rig::running().await;
    for args in [&["pause", "survival"][..], &["resume", "survival"], &["status"], &["votes"]] {
        let mut command = Command::new(VOTIVE);
        command.env_clear().args(args).args(["--config".as_ref(), rig.path("rewards.yaml").as_os_str()]);
        command.stdout(std::fs::File::create("/dev/full").unwrap());
        let (code, _, err) =
            told(&tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
        assert_eq!(code, Some(1), "votive {args:?}: {err}");
        assert!(err.contains("No space left"), "votive {args:?}: {err}");
    }
}

#[tokio::test]
async fn what_is_cancelled_is_not_sent_and_only_a_retry_reopens_it() {
    let mut rig = Rig::running().await;
    let alex = rig.vote("e-1", "Alex");
    assert_eq!(rig.deliver(&alex).await.status, Some(204));
    assert!(good(&rig, &["cancel", "e-1"]).await.starts_with("Cancelled what was left of daily."));
    assert_eq!(ids(&votes(&rig, &["--state", "closed"]).await), ["e-1"]);
    rig.game.join("Alex");
    assert_eq!(rig.deliver(&alex).await.status, Some(204), "closed is answered like granted");
    assert_eq!(rig.deliver_vote("e-2", "Alex").await, 204);
    assert_eq!(rig.has("Alex", "diamond"), 3, "that of e-2 alone");
    assert!(good(&rig, &["retry", "e-1"]).await.starts_with("Granted on survival."));
    assert_eq!(rig.has("Alex", "diamond"), 6);
    let record = record(&rig, "e-1").await;
    let deeds: Vec<&Value> = record["acts"].as_array().unwrap().iter().map(|act| &act["deed"]).collect();
    assert_eq!(deeds, ["cancelled", "retried"]);
    assert_eq!(record["acts"][0]["uid"], own_uid());
    rig.kill().await;
}

#[tokio::test]
async fn a_vote_that_is_still_fetched_can_be_cancelled() {
    let rig = Rig::running().await;
    rig.platform.answer("e-1", votive::sim::platform::ApiAnswer::new(500, ""));
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-1")).await.status, Some(502));
    assert_eq!(
        good(&rig, &["cancel", "e-1"]).await,
        "Cancelled the vote e-1. Only votive retry e-1 reopens it.\n"
    );
    rig.platform.vote("e-1", "Steve", 1);
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-1")).await.status, Some(204));
    assert_eq!(rig.has("Steve", "diamond"), 0);
    assert!(good(&rig, &["retry", "e-1"]).await.starts_with("Granted on survival."));
    assert_eq!(rig.has("Steve", "diamond"), 3);
}

#[tokio::test]
async fn a_doubt_outlives_its_cancellation() {
    let rig = Rig::running().await;
    rig.game.once("give", Habit::ClosesAfter(0));
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    assert_eq!(ids(&votes(&rig, &["--state", "in_doubt"]).await), ["e-1"]);
    assert_eq!(rig.has("Steve", "diamond"), 3, "it did run");
    good(&rig, &["cancel", "e-1"]).await;
    // The retry asks instead of sending it a second time.
    let err = bad(&rig, &["retry", "e-1"], 1).await;
    assert!(err.contains("In doubt"), "{err}");
    assert!(bad(&rig, &["resolve", "e-1", "--step", "9", "--ran"], 1).await.contains("nothing to settle"));
    good(&rig, &["resolve", "e-1", "--ran"]).await;
    assert_eq!(rig.has("Steve", "diamond"), 3);
    assert_eq!(ids(&votes(&rig, &["--state", "granted"]).await), ["e-1"]);
}

#[tokio::test]
async fn where_several_commands_are_in_doubt_one_has_to_be_named() {
    let rig = Rig::new().await;
    let second = DAILY.replace("daily", "second").replace("diamond", "emerald");
    rig.configure("", "", &format!("{DAILY}{second}"));
    let mut rig = rig;
    rig.start().await;
    rig.game.once("give Steve minecraft:diamond", Habit::ClosesAfter(0));
    rig.game.once("give Steve minecraft:emerald", Habit::ClosesBeforeRun);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    let err = bad(&rig, &["resolve", "e-1", "--ran"], 1).await;
    assert!(err.contains("Several commands are in doubt") && err.contains("(daily), command"), "{err}");
    assert_eq!(ids(&votes(&rig, &["--state", "in_doubt"]).await), ["e-1"], "nothing was settled");
    good(&rig, &["resolve", "e-1", "--reward", "daily", "--ran"]).await;
    good(&rig, &["resolve", "e-1", "--not-run"]).await;
    rig.until(|_| rig.has("Steve", "emerald") == 3).await;
    assert_eq!(rig.has("Steve", "diamond"), 3);
    // One answer for all of them has to be asked for.
    rig.game.once("give Steve minecraft:diamond", Habit::ClosesAfter(0));
    rig.game.once("give Steve minecraft:emerald", Habit::ClosesAfter(0));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 503);
    assert!(good(&rig, &["resolve", "e-2", "--all", "--ran"]).await.starts_with("Settled daily, second"));
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (6, 6));
}

#[tokio::test]
async fn what_may_have_been_rewarded_before_a_restore_is_tried_again_by_its_id_alone() {
    let mut rig = Rig::running().await;
    let backup = rig.path("backup").to_str().unwrap().to_owned();
    good(&rig, &["backup", &backup]).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    rig.stop().await;
    good(&rig, &["restore", &backup]).await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 422);
    let told = good(&rig, &["retry", "--refused"]).await;
    assert!(told.starts_with("Left alone: 1 vote, which may have been rewarded before"), "{told}");
    assert_eq!(rig.has("Steve", "diamond"), 3);
    let acts = record(&rig, "e-1").await["acts"].take();
    assert_eq!(acts, Value::Null, "nothing was done about it");
    good(&rig, &["retry", "e-1"]).await;
    assert_eq!(rig.has("Steve", "diamond"), 6);
}

#[tokio::test]
async fn a_pause_comes_back_with_a_backup() {
    let mut rig = Rig::new().await;
    rig.configure("", "", CALL);
    rig.start().await;
    good(&rig, &["pause", "survival"]).await;
    let backup = rig.path("backup").to_str().unwrap().to_owned();
    good(&rig, &["backup", &backup]).await;
    good(&rig, &["resume", "survival"]).await;
    rig.stop().await;
    good(&rig, &["restore", &backup]).await;
    rig.start().await;
    let vote = ["test-vote", "--player", "Steve", "--server", "survival"];
    assert!(good(&rig, &vote).await.starts_with("Recorded: survival is paused"));
    assert_eq!(rig.game.record().logins, 0);
    // It can be changed as ever.
    good(&rig, &["resume", "survival"]).await;
    rig.until(|record| record.ran("say").len() == 1).await;
}

#[tokio::test]
async fn all_that_is_refused_is_tried_again_at_once() {
    let rig = Rig::new().await;
    rig.configure(
        "",
        "",
        "
  daily:
    commands:
      - 'give {player} minecraft:dimond 3'
",
    );
    let mut rig = rig;
    rig.start().await;
    for number in 0..3 {
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), "Steve").await, 422);
    }
    rig.configure("", "", DAILY);
    good(&rig, &["reload"]).await;
    assert!(
        good(&rig, &["retry", "--refused", "--server", "survival"])
            .await
            .starts_with("Tried again: 3 votes.")
    );
    rig.until(|_| rig.has("Steve", "diamond") == 9).await;
    assert_eq!(good(&rig, &["retry", "--refused"]).await, "Nothing is refused.\n");
}

#[tokio::test]
async fn what_a_wiped_world_had_is_issued_again_once() {
    let rig = Rig::new().await;
    let mut rig = rig;
    rig.configure("", "", &format!("{DAILY}{CALL}"));
    rig.start().await;
    for (id, player) in [("e-1", "Steve"), ("e-2", "Steve"), ("e-3", "Alex")] {
        assert_eq!(rig.deliver_vote(id, player).await, 204);
    }
    let replay = ["replay", "--server", "survival", "--since", "1h"];
    let (code, out, err) = told(&rig.votive(&replay).await);
    assert_eq!(code, Some(1), "nobody is there to be asked");
    assert!(
        out.contains("3 votes of 2 players") && out.contains("3 x daily") && out.contains("3 x call"),
        "{out}"
    );
    assert!(err.contains("--yes"), "{err}");
    assert_eq!(rig.has("Steve", "diamond"), 6, "nothing was done");

    let of_steve = [&replay[..], &["--reward", "daily", "--player", "steve", "--yes"]].concat();
    assert!(good(&rig, &of_steve).await.contains("2 votes of 1 player, 4 commands"));
    rig.until(|_| rig.has("Steve", "diamond") == 12).await;
    let again = good(&rig, &of_steve).await;
    assert!(again.contains("commands of 2 votes") && again.contains("Nothing was issued"), "{again}");
    let all = good(&rig, &[&replay[..], &["--yes"]].concat()).await;
    assert!(
        all.contains("3 votes of 2 players, 4 commands"),
        "the rest, also of what was issued in part: {all}"
    );
    assert!(all.contains("3 x call") && all.contains("1 x daily"), "{all}");
    let once_more = [&of_steve[..], &["--again"]].concat();
    good(&rig, &once_more).await;
    rig.until(|_| rig.has("Steve", "diamond") == 18).await;
    let early = ["replay", "--server", "survival", "--since", "2h", "--until", "1h", "--yes"];
    assert!(good(&rig, &early).await.contains("Nothing was issued"));
    let nobody = [&of_steve[..5], &["--player", "nobody", "--reward", "dayly"]].concat();
    assert!(good(&rig, &nobody).await.contains("Nothing was issued of dayly to nobody on survival from "));

    let original = record(&rig, "e-1").await;
    assert_eq!(original["acts"].as_array().unwrap().len(), 3);
    let id = original["acts"][0]["deed"]["replayed"]["event_id"].as_str().unwrap();
    let replayed = record(&rig, id).await;
    assert_eq!(replayed["replays"]["event_id"], "e-1");
    assert_eq!(
        (&replayed["acts"][0]["deed"], &replayed["acts"][0]["uid"]),
        (&"asked_for".into(), &own_uid().into())
    );
    let counted = rig::counters(&good(&rig, &["backup", "-"]).await);
    assert!(counted.values().all(|votes| *votes <= 3), "a replay is no vote: {counted:?}");
    rig.kill().await;
}

#[tokio::test]
async fn an_export_has_every_vote_whatever_stands_in_it() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.deliver_vote("e-2", "=a,\"b\"\n\u{1b}").await, 422);
    let lines = good(&rig, &["export", "--format", "jsonl"]).await;
    let exported: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ids(&exported), ["e-1", "e-2"], "the oldest first");
    let table = good(&rig, &["export", "--format", "csv"]).await;
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((&rows[0][0], &rows[0][6]), ("e-1", "granted"));
    assert_eq!(&rows[1][4], "'=a,\"b\"\\n\\u{1b}", "neither a formula nor anything that a terminal heeds");
    assert_eq!(good(&rig, &["export", "--format", "jsonl", "--since", "0s"]).await, "");
}

#[tokio::test]
async fn what_is_pruned_is_still_known() {
    let mut rig = Rig::running().await;
    let steve = rig.vote("e-1", "Steve");
    assert_eq!(rig.deliver(&steve).await.status, Some(204));
    assert_eq!(rig.deliver_vote("e-2", "Alex").await, 204);
    assert_eq!(rig.deliver_vote("e-3", "no name").await, 422);
    assert!(good(&rig, &["prune", "--older-than", "1y"]).await.starts_with("Pruned 0 votes"));
    assert!(good(&rig, &["prune", "--older-than", "0s"]).await.starts_with("Pruned 1 vote from before"));
    assert_eq!(ids(&votes(&rig, &["--all"]).await), ["e-3", "e-2"], "what is open or refused stays");
    assert_eq!(record(&rig, "e-1").await["stage"], "pruned");
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver(&steve).await.status, Some(204));
    assert_eq!(rig.has("Steve", "diamond"), 3, "it is not given again");
    let err = bad(&rig, &["retry", "e-1"], 1).await;
    assert!(err.contains("pruned"), "{err}");
}
