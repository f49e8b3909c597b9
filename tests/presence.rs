//! Who is online, on game servers of every dialect, and servers that share an address.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::time::{Duration, Instant};

use rig::{DAILY, Rig};
use votive::sim::game::{Habit, Looks, Style};

async fn speaks(style: Style) {
    let mut rig = Rig::with_style(style).await;
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204, "{style:?}");
    assert_eq!(rig.has("Steve", "diamond"), 3, "{style:?}");
    assert_eq!(rig.deliver_vote("e-2", "Alex").await, 204, "{style:?}");
    assert!(rig.game.record().ran("give Alex").is_empty(), "{style:?}");
    rig.game.join("Alex");
    rig.until(|record| record.ran("give Alex").len() == 1).await;
    assert_eq!(rig.has("Alex", "diamond"), 3, "{style:?}");
}

#[tokio::test]
async fn every_dialect() {
    for style in [
        Style::Modern,
        Style::Old112,
        Style::Paper,
        Style::Essentials,
        Style::NoPlayersOnline,
        Style::PlayersCounted,
    ] {
        speaks(style).await;
    }
}

#[tokio::test]
async fn a_nickname_in_essentials_list_does_not_hide_the_player() {
    let mut rig = Rig::with_style(Style::Essentials).await;
    rig.game.leave("Steve");
    rig.game.join_as("Steve", Looks { nickname: Some("Stevie".to_owned()), ..Looks::default() });
    // Its plug-in answers to minecraft:list as well there.
    rig.game.always("minecraft:list", Habit::Says("Unknown command".to_owned()));
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 3);
    assert_eq!(rig.game.record().ran("execute if entity Steve").len(), 1);
}

#[tokio::test]
async fn a_list_that_nobody_can_read_is_told_once_and_the_owners_pattern_mends_it() {
    let mut rig = Rig::new().await;
    for command in ["list", "minecraft:list"] {
        rig.game.always(command, Habit::Says("Online now: [Steve]".to_owned()));
    }
    rig.game.always("execute if entity", Habit::Says("Unknown command".to_owned()));
    rig.start().await;
    for id in ["e-1", "e-2"] {
        assert_eq!(rig.deliver_vote(id, "Steve").await, 204);
    }
    let line = rig.daemon().log_line("cannot tell whether Steve is online").await;
    assert!(line.contains("servers.survival.replies.list"), "{line}");
    let (_, log) = rig.stop().await;
    assert_eq!(log.matches("cannot tell whether Steve is online").count(), 1, "{log}");
    assert!(rig.game.record().ran("give").is_empty());

    rig.configure("", "    replies:\n      list: 'Online now: \\[(.*)\\]'", DAILY);
    rig.start().await;
    rig.until(|record| record.ran("give").len() == 2).await;
}

#[tokio::test]
async fn a_server_that_never_answers_say_costs_a_second_and_nothing_else() {
    let rig = Rig::running().await;
    rig.game.always("say", Habit::Silent);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let connections = rig.game.record().connections;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    assert_eq!(rig.game.record().connections, connections, "the connection was kept");
    assert_eq!((rig.game.record().ran("say").len(), rig.has("Steve", "diamond")), (2, 6));
}

#[tokio::test]
async fn two_servers_with_one_address_share_one_connection() {
    let mut rig = Rig::new().await;
    let rcon = rig.game.address();
    let second =
        format!("  lobby:\n    id: 2\n    rcon: {rcon}\n    password_file: password\n    rewards: [daily]");
    rig.configure("", &second, DAILY);
    rig.start().await;
    for (id, server) in [("e-1", 1), ("e-2", 2), ("e-3", 1)] {
        rig.platform.vote(id, "Steve", server);
        assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", id)).await.status, Some(204));
    }
    let record = rig.game.record();
    assert_eq!(record.connections, 1);
    let lines = ["say Steve voted for survival", "say Steve voted for lobby", "say Steve voted for survival"];
    assert_eq!(record.ran("say"), lines);
}

#[tokio::test]
async fn a_grant_waits_for_a_server_that_is_gone_from_the_file() {
    let mut rig = Rig::running().await;
    let delivery = rig.vote("e-1", "Alex");
    assert_eq!(rig.deliver(&delivery).await.status, Some(204));
    rig.stop().await;
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    std::fs::write(rig.path("rewards.yaml"), yaml.replace("id: 1", "id: 9")).unwrap();
    rig.start().await;
    let line = rig.daemon().log_line("no server in rewards.yaml has the server id 1").await;
    assert!(line.contains("e-1"), "{line}");
    let answered = rig.deliver(&delivery).await;
    assert_eq!(answered.status, Some(503));
    assert!(answered.body.contains("server id 1"), "{}", answered.body);
    rig.stop().await;
    std::fs::write(rig.path("rewards.yaml"), yaml).unwrap();
    rig.game.join("Alex");
    rig.start().await;
    rig.until(|record| record.ran("give Alex").len() == 1).await;
}

#[tokio::test]
async fn a_bedrock_name_keeps_its_prefix() {
    let mut rig = Rig::new().await;
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let yaml = yaml.replace("  poll_every: 1s", "  poll_every: 1s\n  bedrock_prefix: '.'");
    std::fs::write(rig.path("rewards.yaml"), yaml).unwrap();
    rig.game.join(".Cool_Guy");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", ".Cool Guy").await, 204);
    assert_eq!(rig.game.record().ran("give"), ["give .Cool_Guy minecraft:diamond 3"]);
}

#[tokio::test]
async fn many_who_are_asked_for_one_by_one_hold_up_nobody_who_is_there() {
    let mut rig = Rig::with_style(Style::Essentials).await;
    // Its list proves nobody's absence, and each question takes its time.
    rig.game.always("minecraft:list", Habit::Says("Unknown command".to_owned()));
    rig.game.always("execute", Habit::Lag(Duration::from_millis(60)));
    rig.configure("", "    pace: 1000/s", DAILY);
    rig.start().await;
    for number in 0..100 {
        assert_eq!(rig.deliver_vote(&format!("away-{number}"), &format!("P{number}")).await, 204);
    }
    for number in 0..3 {
        assert_eq!(rig.deliver_vote(&format!("here-{number}"), "Steve").await, 204);
        assert_eq!(rig.game.record().ran("give Steve").len(), number + 1, "answered before it was given");
    }
}

#[tokio::test]
async fn a_server_that_takes_logins_and_answers_nothing_is_down() {
    let mut rig = Rig::new().await;
    rig.configure("", "    timeouts: {command: 1s}", DAILY);
    rig.game.always("", Habit::Silent);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    rig.daemon().log_line("takes the login and does not answer commands").await;
    rig.game.behave();
    rig.until(|record| record.ran("give").len() == 1).await;
    rig.daemon().log_line("the game server is back").await;
}

#[tokio::test]
async fn a_step_that_needs_nobody_waits_for_an_answer_too() {
    let mut rig = Rig::new().await;
    let rewards = "
  rank:
    commands:
      - run: 'whitelist add {player}'
        require_online: false
";
    rig.configure("", "    timeouts: {command: 1s}", rewards);
    rig.game.always("", Habit::Silent);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    rig.game.behave();
    rig.until(|record| record.ran("whitelist").len() == 1).await;
    rig.daemon().log_line("granted").await;
    assert!(!rig.daemon().log().contains("in doubt"), "a login is no answer");
}

#[tokio::test]
async fn who_is_away_is_looked_for_also_while_others_are_rewarded() {
    let mut rig = Rig::with_style(Style::Essentials).await;
    rig.game.always("minecraft:list", Habit::Says("Unknown command".to_owned()));
    rig.configure("", "    pace: 1000/s", DAILY);
    rig.start().await;
    assert_eq!(rig.deliver_vote("noor", "Noor").await, 204);
    // Its list shows another name, so that only a question for her finds her.
    rig.game.join_as("Noor", Looks { nickname: Some("Moon".to_owned()), ..Looks::default() });
    let began = Instant::now();
    let mut number = 0;
    while rig.game.record().ran("give Noor").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "she was never looked for");
        assert_eq!(rig.deliver_vote(&format!("steve-{number}"), "Steve").await, 204);
        number += 1;
    }
}
