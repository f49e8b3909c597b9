//! Another `rewards.yaml` for a daemon that runs: on request it holds at once and as a whole, or not at all.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::Duration;

use rig::{DAILY, Daemon, PATIENCE, Rig, VOTIVE};
use tokio::net::UnixDatagram;
use tokio::time::timeout;
use votive::sim::game::{Game, GameOptions, Habit};

const PASSWORD: &str = "rcon-password-of-the-tests";
const EMERALDS: &str = "
  weekly:
    commands:
      - 'give {player} minecraft:emerald 1'
";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `votive reload`, which has to succeed.
async fn reload(rig: &Rig) -> String {
    let output = rig.votive(&["reload"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    said(&output)
}

/// `votive reload`, which has to be refused because of the configuration.
async fn refused(rig: &Rig) -> String {
    let output = rig.votive(&["reload"]).await;
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    let said = said(&output);
    assert!(said.contains("nothing has changed"), "{said}");
    said
}

fn read(rig: &Rig) -> String {
    std::fs::read_to_string(rig.path("rewards.yaml")).unwrap()
}

fn write(rig: &Rig, yaml: &str) {
    std::fs::write(rig.path("rewards.yaml"), yaml).unwrap();
}

/// The line of a file that has this text in it.
fn line_of(yaml: &str, text: &str) -> usize {
    yaml.lines().position(|line| line.contains(text)).unwrap() + 1
}

#[tokio::test]
async fn the_next_vote_earns_what_the_new_file_says_and_what_is_planned_stays() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Alex").await, 204, "Alex is awaited");
    rig.configure("", "", EMERALDS);
    let told = reload(&rig).await;
    assert!(told.contains("rewards.yaml: 1 game server and 1 reward"), "{told}");
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (0, 1));
    rig.game.join("Alex");
    rig.until(|record| record.ran("give Alex").len() == 1).await;
    assert_eq!(rig.deliver_vote("e-1", "Alex").await, 204, "it is delivered again");
    assert_eq!((rig.has("Alex", "diamond"), rig.has("Alex", "emerald")), (3, 0));

    rig.configure("", "", DAILY);
    rig.daemon().signal("HUP");
    rig.daemon().log_line("1 game server and 1 reward").await;
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 204);
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (3, 1));
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_why() {
    let mut rig = Rig::running().await;
    rig.configure(
        "",
        "    pace: fast",
        "
  weekly:
    commands:
      - 'give {player} minecraft:emerald 1'
    colour: red
",
    );
    let yaml = read(&rig);
    let places = ["pace: fast", "colour: red"].map(|text| format!("rewards.yaml:{}:", line_of(&yaml, text)));
    let told = refused(&rig).await;
    assert!(places.iter().all(|place| told.contains(place)), "{told}");
    assert!(told.contains("2 errors"), "{told}");
    rig.daemon().signal("HUP");
    rig.daemon().log_line("2 errors: nothing has changed").await;
    let log = rig.daemon().log();
    assert!(places.iter().all(|place| log.contains(place)), "{log}");
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!((rig.has("Steve", "diamond"), rig.has("Steve", "emerald")), (3, 0));

    // Not even YAML, and no file at all.
    write(&rig, "servers: [\n  a: {\n");
    assert!(refused(&rig).await.contains("rewards.yaml:"));
    std::fs::remove_file(rig.path("rewards.yaml")).unwrap();
    assert!(refused(&rig).await.contains("there is no such file"));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let (status, log) = rig.stop().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn what_is_in_use_since_the_start_needs_a_restart() {
    let rig = Rig::running().await;
    let good = read(&rig);
    let api = rig.platform.api_url();
    for (key, from, to) in [
        ("webhook.listen", "listen: 127.0.0.1:0", "listen: 127.0.0.1:1"),
        ("metrics.listen", "players:\n", "metrics: {listen: 127.0.0.1:1}\nplayers:\n"),
        ("gamemonitoring.api_url", api.as_str(), "http://127.0.0.1:1"),
    ] {
        write(&rig, &good.replace(from, to).replace("diamond 3", "diamond 9"));
        let told = refused(&rig).await;
        assert!(told.contains(&format!("error: {key}: ")), "{told}");
        assert!(told.contains("systemctl restart votive"), "{told}");
    }
    // Where the file names another ledger, its daemon is asked where it is.
    write(&rig, &good.replace("state_dir: state", "state_dir: elsewhere"));
    let state = rig.path("state");
    let output = rig.votive(&["reload", "--state-dir", state.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("error: state_dir: "), "{}", said(&output));
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 3);
    assert!(!rig.path("elsewhere").exists());
}

#[tokio::test]
async fn a_secret_that_systemd_has_not_handed_out_needs_a_restart() {
    let mut rig = Rig::new().await;
    let credentials = rig.path("credentials");
    std::fs::create_dir(&credentials).unwrap();
    for (from, to) in [("token", "secrets_token"), ("password", "password")] {
        std::fs::rename(rig.path("secrets").join(from), credentials.join(to)).unwrap();
    }
    let mut command = Command::new("env");
    command.arg(format!("CREDENTIALS_DIRECTORY={}", credentials.display())).arg(VOTIVE);
    rig.start_as(command).await;
    let good = read(&rig);
    write(&rig, &good.replace("password_file: password", "password_file: another"));
    let told = refused(&rig).await;
    assert!(told.contains("servers.survival.password_file: "), "{told}");
    assert!(told.contains("restart instead") && told.contains("systemctl restart votive"), "{told}");
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    // What it has been given is enough for everything else.
    rig.configure("", "", EMERALDS);
    let told = reload(&rig).await;
    assert!(told.contains("systemctl restart votive"), "{told}");
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "emerald"), 1);
}

#[tokio::test]
async fn votes_for_a_server_that_is_gone_wait_until_it_is_back() {
    let rig = Rig::running().await;
    let good = read(&rig);
    assert_eq!(rig.deliver_vote("e-1", "Alex").await, 204, "Alex is awaited");
    write(&rig, &good.replace("survival:", "creative:").replace("id: 1", "id: 2"));
    let told = reload(&rig).await;
    assert!(told.contains("1 vote waits for a game server that is not in it any more"), "{told}");
    let line = rig.daemon().log_line("waits: no server in rewards.yaml has the").await;
    assert!(line.contains("e-1") && line.contains("reload Votive"), "{line}");
    rig.game.join("Alex");
    let answer = rig.deliver(&rig.platform.delivery("server.vote", "e-1")).await;
    assert_eq!(answer.status, Some(503), "{}", answer.body);
    assert!(answer.body.contains("reload Votive"), "{}", answer.body);
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 422, "there is no such server");
    assert_eq!(rig.game.record().ran("give"), [""; 0]);
    write(&rig, &good);
    let told = reload(&rig).await;
    assert!(!told.contains("wait"), "{told}");
    rig.until(|record| record.ran("give Alex").len() == 1).await;
    for (id, player) in [("e-1", "Alex"), ("e-2", "Steve")] {
        assert_eq!(rig.deliver_vote(id, player).await, 204);
        assert_eq!(rig.has(player, "diamond"), 3);
    }
}

#[tokio::test]
async fn a_password_that_is_corrected_is_tried_at_once() {
    let mut rig = Rig::new().await;
    rig.write_secret("password", "wrong");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    // After some failures, the wait before the next attempt is longer than this test may take.
    timeout(PATIENCE, rig.game.until(|record| record.refusals >= 7)).await.unwrap();
    rig.write_secret("password", PASSWORD);
    reload(&rig).await;
    let granted = rig.game.until(|record| record.ran("give").len() == 1);
    timeout(Duration::from_secs(10), granted).await.expect("it was not tried at once");
}

#[tokio::test]
async fn the_service_manager_hears_of_a_reload_good_or_bad() {
    let mut rig = Rig::new().await;
    let path = rig.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut command = Command::new("env");
    command.arg(format!("NOTIFY_SOCKET={}", path.display())).arg(VOTIVE);
    rig.start_as(command).await;
    let told = async || {
        let mut message = [0; 256];
        let length = timeout(PATIENCE, socket.recv(&mut message)).await.expect("it said nothing").unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    assert_eq!(told().await, "READY=1\n");
    for good in [true, false] {
        if !good {
            write(&rig, "no: configuration\n");
        }
        rig.daemon().signal("HUP");
        let reloading = told().await;
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(told().await, "READY=1\n");
    }
    rig.daemon().log_line("nothing has changed").await;
}

#[tokio::test]
async fn a_request_during_start_or_shutdown_does_no_harm() {
    let mut rig = Rig::new().await;
    let daemon = Daemon::spawn(Command::new(VOTIVE), &rig.path("rewards.yaml"));
    // As early as somebody can know that it is there: its first line is written before the file is read.
    daemon.log_line("reading ").await;
    for _ in 0..3 {
        daemon.signal("HUP");
    }
    rig.daemon = Some(daemon.listening().await.unwrap_or_else(|log| panic!("{log}")));
    rig.daemon().log_line("1 game server and 1 reward").await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);

    // It stops while a command is on the wire, and so not at once.
    rig.game.once("give", Habit::Withheld);
    let answer = tokio::spawn(rig.delivering(&rig.vote("e-2", "Steve")));
    rig.until(|record| record.ran("give").len() == 2).await;
    rig.daemon().signal("TERM");
    rig.daemon().log_line("stopping").await;
    rig.daemon().signal("HUP");
    rig.game.release_replies();
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains("in doubt"), "{log}");
    drop(answer.await);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 6);
}

/// What a file says that is about to be put into the place of the last.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Good { elsewhere: bool, pace: u32 },
    Broken,
}

#[tokio::test]
async fn reloads_in_the_middle_of_five_hundred_deliveries_lose_and_double_nothing() {
    const VOTES: usize = 500;
    const AT_ONCE: usize = 20;
    let mut rig = Rig::new().await;
    let other = Game::start(GameOptions { password: PASSWORD.to_owned(), ..GameOptions::default() }).unwrap();
    let players: Vec<String> = (0..VOTES).map(|number| format!("P{number}")).collect();
    for player in &players {
        rig.game.join(player);
        other.join(player);
    }
    rig.write_secret("next-token", "another-signing-token");
    let rewards = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
      - run: 'scoreboard players add {player} votes 1'
        require_online: false
  second:
    commands:
      - 'xp add {player} 5 points'
";
    for game in [&rig.game, &other] {
        game.console_command("scoreboard objectives add votes dummy");
    }
    rig.configure("", "    receipts: auto\n    pace: 1000/s", rewards);
    let good = read(&rig);
    rig.start().await;

    let turns = [
        Turn::Good { elsewhere: true, pace: 1000 },
        Turn::Broken,
        Turn::Good { elsewhere: false, pace: 300 },
        Turn::Good { elsewhere: true, pace: 500 },
        Turn::Broken,
        Turn::Good { elsewhere: true, pace: 1000 },
        Turn::Good { elsewhere: false, pace: 1000 },
    ];
    let mut turns = turns.iter().cycle();
    let (mut reloads, mut refusals, mut again) = (0, 0, BTreeSet::new());
    for batch in players.chunks(AT_ONCE) {
        let deliveries: Vec<_> = (batch.iter())
            .map(|player| {
                let delivering = rig.delivering(&rig.vote(&format!("e-{player}"), player));
                (player, tokio::spawn(delivering))
            })
            .collect();
        for _ in 0..2 {
            let turn = *turns.next().unwrap();
            match turn {
                Turn::Broken => write(&rig, &good.replace("commands:", "comands:")),
                Turn::Good { elsewhere, pace } => {
                    let address = if elsewhere { other.address() } else { rig.game.address() };
                    let yaml = good.replace(&rig.game.address().to_string(), &address.to_string());
                    let yaml = yaml.replace("pace: 1000/s", &format!("pace: {pace}/s"));
                    let tokens = if elsewhere { "[next-token, token]" } else { "token" };
                    let yaml = yaml.replace("_file: token", &format!("_file: {tokens}"));
                    write(&rig, &yaml);
                }
            }
            let code = rig.votive(&["reload"]).await.status.code();
            match turn {
                Turn::Good { .. } => reloads += usize::from(code == Some(0)),
                Turn::Broken => refusals += usize::from(code == Some(78)),
            }
        }
        for (player, delivery) in deliveries {
            match delivery.await.unwrap().status {
                Some(204) => {}
                Some(503 | 504) => drop(again.insert(player.clone())),
                other => panic!("{player}: {other:?}"),
            }
        }
    }
    assert_eq!((reloads, refusals), (36, 14));
    assert!(again.len() < VOTES / 2, "{} votes had to be delivered again", again.len());
    for player in &players {
        let delivery = rig.platform.delivery("server.vote", &format!("e-{player}"));
        let answered = async {
            loop {
                match rig.deliver(&delivery).await {
                    answered if answered.status == Some(204) => break,
                    answered => assert!(matches!(answered.status, Some(503 | 504)), "{}", answered.body),
                }
            }
        };
        timeout(PATIENCE, answered).await.expect(player);
    }
    let (status, log) = rig.stop().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains("in doubt"), "{log}");
    let records = [rig.game.record(), other.record()];
    for player in &players {
        for command in [
            format!("give {player} minecraft:diamond 1"),
            format!("xp add {player} 5 points"),
            format!("scoreboard players add {player} votes 1"),
        ] {
            let times: usize = (records.iter())
                .flat_map(|record| record.took_effect(&command))
                .filter(|effect| **effect == command)
                .count();
            assert_eq!(times, 1, "{command}");
        }
    }
    for record in &records {
        assert!(record.took_effect("give").len() > VOTES / 10, "{}", record.took_effect("give").len());
        assert_eq!(record.violations, [""; 0]);
    }
}
