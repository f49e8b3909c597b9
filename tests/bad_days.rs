//! Servers that restart, players who are away, daemons that are killed: the game server's own record is the oracle.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::time::{Duration, Instant};

use rig::{DAILY, Rig};
use votive::sim::game::{Executed, Habit, When};
use votive::sim::platform::ApiAnswer;

const ONLY_GIVE: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
";

fn times(console: &[Executed], command: &str) -> usize {
    console.iter().filter(|executed| executed.command == command).count()
}

#[tokio::test]
async fn two_hundred_votes_while_the_game_server_is_down_arrive_once_and_in_order() {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s", ONLY_GIVE);
    rig.start().await;
    rig.game.stop().await;
    let players: Vec<String> = (0..200).map(|number| format!("P{number}")).collect();
    for player in &players {
        rig.game.join(player);
        assert_eq!(rig.deliver_vote(&format!("e-{player}"), player).await, 503);
    }
    rig.game.start_again().unwrap();
    let record = rig.until(|record| record.ran("give").len() >= 200).await;
    let expected: Vec<String> =
        players.iter().map(|player| format!("give {player} minecraft:diamond 1")).collect();
    assert_eq!(record.ran("give"), expected);
    for player in &players {
        assert_eq!(rig.deliver_vote(&format!("e-{player}"), player).await, 204);
    }
    assert_eq!(rig.game.record().ran("give").len(), 200);
    assert!(!rig.daemon().log().contains("in doubt"));
}

#[tokio::test]
async fn a_player_who_is_away_gets_everything_in_order_on_coming_back() {
    let mut rig = Rig::new().await;
    rig.configure(
        "",
        "",
        "
  first:
    commands:
      - 'give {player} minecraft:diamond 1'
      - 'xp add {player} 10 points'
  second:
    commands:
      - 'give {player} minecraft:emerald 1'
",
    );
    rig.start().await;
    for id in ["e-1", "e-2"] {
        assert_eq!(rig.deliver_vote(id, "alex").await, 204);
    }
    // Somebody else does not wait for that.
    assert_eq!(rig.deliver_vote("e-3", "Steve").await, 204);
    assert!(rig.game.record().ran("give alex").is_empty());
    rig.game.join("Alex");
    rig.until(|record| record.ran("give alex").len() == 4).await;
    let record = rig.until(|record| record.ran("xp add alex").len() == 2).await;
    let alex: Vec<&str> = (record.console.iter())
        .map(|executed| executed.command.as_str())
        .filter(|command| command.contains("alex") && !command.starts_with("execute"))
        .collect();
    let once = ["give alex minecraft:diamond 1", "xp add alex 10 points", "give alex minecraft:emerald 1"];
    assert_eq!(alex, [once, once].concat());
}

#[tokio::test]
async fn a_player_who_leaves_between_the_list_and_the_gift_is_waited_for() {
    let rig = Rig::running().await;
    rig.game.once("give", Habit::Says("No player was found".to_owned()));
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(
        rig.game.record().ran("give").len(),
        1,
        "answered as soon as it waits, not tried again at once"
    );
    rig.until(|record| record.ran("give").len() == 2).await;
    rig.daemon().log_line("granted").await;
}

#[tokio::test]
async fn a_game_that_keeps_contradicting_its_own_list_is_believed_in_the_end() {
    let rig = Rig::running().await;
    rig.game.always("give", Habit::Says("No player was found".to_owned()));
    let delivery = rig.vote("e-1", "Steve");
    assert_eq!(rig.deliver(&delivery).await.status, Some(204));
    rig.daemon().log_line("refused: The game said 5 times").await;
    assert_eq!(rig.game.record().ran("give").len(), 5);
    rig.game.behave();
    assert_eq!(rig.deliver(&delivery).await.status, Some(204), "a redelivery tries again");
    assert_eq!(rig.game.record().ran("give").len(), 6);
}

#[tokio::test]
async fn a_game_server_restarted_between_two_votes_leaves_no_doubt() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    for number in 2..6 {
        rig.game.stop().await;
        rig.game.start_again().unwrap();
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), "Steve").await, 204);
    }
    assert_eq!(rig.has("Steve", "diamond"), 15);
    assert!(!rig.daemon().log().contains("in doubt"));
}

#[tokio::test]
async fn an_idle_server_is_left_in_peace() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let before = rig.game.record().received;
    // More than two polls of a server where somebody is awaited.
    let more = rig.game.until(|record| record.received > before);
    assert!(tokio::time::timeout(Duration::from_millis(2500), more).await.is_err(), "it was asked something");
}

#[tokio::test]
async fn killed_after_the_command_ran_and_before_its_reply() {
    let mut rig = Rig::running().await;
    for (id, found, gifts) in [("e-1", "--ran", 1), ("e-2", "--not-run", 3)] {
        rig.game.once("give", Habit::Withheld);
        let answer = tokio::spawn(rig.delivering(&rig.vote(id, "Steve")));
        let before = rig.game.record().ran("give").len();
        rig.until(|record| record.ran("give").len() > before).await;
        rig.kill().await;
        assert_eq!(answer.await.unwrap().status, None);
        rig.game.release_replies();
        rig.start().await;
        let line = rig.daemon().log_line("in doubt: ").await;
        for part in [id, "Steve", "survival", "daily", "votive resolve", "give Steve minecraft:diamond 3"] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(rig.deliver_vote(id, "Steve").await, 503);
        let settled = rig.votive(&["resolve", id, found]).await;
        assert!(settled.status.success(), "{settled:?}");
        rig.until(|record| record.ran("give").len() == gifts).await;
        assert_eq!(rig.deliver_vote(id, "Steve").await, 204);
    }
    assert_eq!(rig.game.record().ran("say").len(), 2, "what was answered before the kill is not sent again");
}

#[tokio::test]
async fn after_a_restart_a_players_votes_go_on_in_the_order_in_which_they_came() {
    let mut rig = Rig::new().await;
    rig.configure("", "    pace: 1000/s", ONLY_GIVE);
    rig.start().await;
    rig.game.stop().await;
    // The ledger sorts by id, and the ids do not come in their order.
    let ids = ["m", "z", "a", "q", "b", "y", "c", "x"];
    for (number, id) in ids.iter().enumerate() {
        rig.platform.vote(id, if number % 2 == 0 { "Steve" } else { "STEVE" }, 1);
        assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", id)).await.status, Some(503));
    }
    rig.kill().await;
    rig.game.start_again().unwrap();
    rig.start().await;
    let record = rig.until(|record| record.ran("give").len() == ids.len()).await;
    let once = ["give Steve minecraft:diamond 1", "give STEVE minecraft:diamond 1"];
    assert_eq!(record.ran("give"), once.repeat(4));
}

#[tokio::test]
async fn killed_with_in_doubt_repeat_and_skip() {
    let mut rig = Rig::new().await;
    rig.configure(
        "",
        "",
        "
  repeat:
    commands:
      - run: 'xp add {player} 1 points'
        in_doubt: repeat
  skip:
    commands:
      - run: 'xp add {player} 2 points'
        in_doubt: skip
",
    );
    rig.start().await;
    for step in ["xp add Steve 1 points", "xp add Steve 2 points"] {
        rig.game.once(step, Habit::Withheld);
    }
    tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| record.ran("xp add Steve 1 points").len() == 1).await;
    rig.kill().await;
    rig.start().await;
    rig.until(|record| record.ran("xp add Steve 2 points").len() == 1).await;
    assert_eq!(rig.game.record().ran("xp add Steve 1 points").len(), 2);
    rig.kill().await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.game.record().ran("xp add Steve 2 points").len(), 1);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_command_on_the_wire() {
    let mut rig = Rig::running().await;
    rig.game.once("give", Habit::Late(Duration::from_secs(2)));
    let answer = tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| record.ran("give").len() == 1).await;
    rig.daemon().signal("TERM");
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains("in doubt"), "{log}");
    assert_eq!(answer.await.unwrap().status, Some(204));
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 3);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_forever() {
    let mut rig = Rig::running().await;
    rig.game.once("give", Habit::Withheld);
    tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| record.ran("give").len() == 1).await;
    let began = Instant::now();
    let (status, log) = rig.stop().await;
    assert!(began.elapsed() < Duration::from_secs(12), "longer than the service manager waits");
    assert!(status.success(), "{log}");
    assert!(log.contains("in doubt: Votive was stopped before the game answered"), "{log}");
    rig.start().await;
    rig.daemon().log_line("in doubt: ").await;
}

#[tokio::test]
async fn an_outage_of_the_api_ends_and_everything_arrives_also_after_a_restart() {
    let mut rig = Rig::running().await;
    rig.platform.set_outage(Some(ApiAnswer::new(500, "")));
    for number in 0..20 {
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), "Steve").await, 502);
    }
    rig.kill().await;
    rig.platform.set_outage(None);
    rig.start().await;
    rig.until(|record| record.ran("give").len() == 20).await;
    rig.platform.stop().await;
    rig.platform.vote("f-1", "Steve", 1);
    assert_eq!(rig.deliver_vote("f-1", "Steve").await, 502);
    rig.platform.start_again().unwrap();
    rig.until(|record| record.ran("give").len() == 21).await;
}

/// A game server with every bad habit: no reply ever counts for another command.
#[tokio::test]
async fn a_thousand_mixed_commands_do_not_shift_replies() {
    let mut rig = Rig::new().await;
    let server = "    pace: 1000/s\n    timeouts: {command: 1s}";
    rig.configure(
        "",
        server,
        "
  mixed:
    commands:
      - run: 'whitelist add {player}'
        require_online: false
      - run: 'say {player}'
        require_online: false
        optional: true
      - 'xp add {player} 1 points'
      - 'give {player} minecraft:diamond 1'
",
    );
    rig.start().await;
    rig.game.always("whitelist", Habit::SecondFrame("Unknown command".to_owned(), When::BeforeNextReply));
    rig.game.always("xp", Habit::Kind(2));
    // Not empty, or each would cost the wait for a second frame.
    rig.game.always("say", Habit::Says("[Rcon]".to_owned()));
    rig.game.always("list", Habit::SecondFrame(String::new(), When::AtOnce));
    for number in 0..250 {
        let player = format!("P{number}");
        rig.game.join(&player);
        let (habit, expected) = match number % 10 {
            3 => (Some(Habit::ClosesAfter(20)), 503),
            6 => (Some(Habit::Says("Unknown item 'minecraft:diamond'".to_owned())), 422),
            8 => (Some(Habit::SecondFrame("No player was found".to_owned(), When::BeforeNextReply)), 204),
            9 => (Some(Habit::ClosesAfter(0)), 503),
            _ => (None, 204),
        };
        if let Some(habit) = habit {
            rig.game.once("give", habit);
        }
        if number % 25 == 0 {
            rig.game.once("say", Habit::Silent);
        }
        let answered = rig.deliver(&rig.vote(&format!("e-{number}"), &player)).await;
        assert_eq!(answered.status, Some(expected), "{number}: {}", answered.body);
    }
    let console = rig.game.console();
    for number in 0..250 {
        for command in [
            format!("whitelist add P{number}"),
            format!("say P{number}"),
            format!("xp add P{number} 1 points"),
            format!("give P{number} minecraft:diamond 1"),
        ] {
            assert_eq!(times(&console, &command), 1, "{command}");
        }
    }
}

#[tokio::test]
async fn a_wrong_rcon_password_is_told_with_its_file_and_nothing_is_lost() {
    let mut rig = Rig::new().await;
    rig.write_secret("password", "not-the-password");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    let line = rig.daemon().log_line("refuses the password").await;
    assert!(line.contains("secrets/password") && line.contains("survival"), "{line}");
    let (_, log) = rig.stop().await;
    assert!(!log.contains("not-the-password"), "{log}");
    rig.write_secret("password", "rcon-password-of-the-tests");
    rig.start().await;
    rig.until(|record| record.ran("give").len() == 1).await;
}

#[tokio::test]
async fn a_test_vote_goes_the_whole_way_but_the_platform() {
    let mut rig = Rig::new().await;
    let args = ["test-vote", "--player", "Steve", "--server", "survival"];
    let nobody = rig.votive(&args).await;
    let error = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(!nobody.status.success() && error.contains("no Votive is running"), "{error}");
    rig.start().await;
    let done = rig.votive(&args).await;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.starts_with("Granted on survival."), "{done:?}");
    assert_eq!(rig.has("Steve", "diamond"), 3);
    let waits = rig.votive(&["test-vote", "--player", "Alex", "--server", "survival"]).await;
    assert!(String::from_utf8_lossy(&waits.stdout).contains("waits for the player"), "{waits:?}");
    for (player, server, words) in
        [("@a", "survival", "no player's name"), ("Steve", "creative", "it has: survival")]
    {
        let refused = rig.votive(&["test-vote", "--player", player, "--server", server]).await;
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains(words), "{error}");
    }
    assert!(rig.platform.record().requests.is_empty());
}

#[tokio::test]
async fn two_daemons_do_not_share_a_ledger_or_an_address() {
    let rig = Rig::running().await;
    let second = rig.votive(&["run"]).await;
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(error.contains("another Votive is running with this state directory"), "{error}");
    let address = rig.daemon().address();
    rig.configure(&format!("state_dir: other\nwebhook: # {address}"), "", DAILY);
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let yaml = yaml.replace("127.0.0.1:0", &address).replacen("state_dir: state\n", "", 1);
    std::fs::write(rig.path("rewards.yaml"), yaml).unwrap();
    let third = rig.votive(&["run"]).await;
    let error = String::from_utf8_lossy(&third.stderr).into_owned();
    assert_eq!(third.status.code(), Some(1));
    assert!(error.contains("cannot listen there") && error.contains("webhook.listen"), "{error}");
}
