//! Receipts: with them nothing stays in doubt that the game can tell, nothing is given twice, and what a world has
//! forgotten is told.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::time::{Duration, Instant};

use rig::{DAILY, Rig};
use votive::sim::game::{Habit, Record, Style};

const AUTO: &str = "    receipts: auto\n    pace: 1000/s";
const ONLY_GIVE: &str = "
  daily:
    commands:
      - 'give {player} minecraft:diamond 1'
";
/// What is said of a reward that a world has lost.
const FORGOTTEN: &str = "the world has forgotten this";

/// A daemon that leaves receipts on a game server of this style.
async fn running(style: Style, server: &str, rewards: &str) -> Rig {
    let mut rig = Rig::with_style(style).await;
    rig.configure("", server, rewards);
    rig.start().await;
    rig
}

/// The commands that ran and have `text` in them.
fn with<'a>(record: &'a Record, text: &str) -> Vec<&'a str> {
    let commands = record.console.iter().map(|executed| executed.command.as_str());
    commands.filter(|command| command.contains(text)).collect()
}

fn lines(log: &str, text: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// A vote whose command runs, and whose reply does not come before the daemon is killed.
async fn killed_at_the_worst_instant(rig: &mut Rig, id: &str, player: &str) {
    let before = rig.game.record().took_effect("give").len();
    rig.game.once("give", Habit::Withheld);
    let answer = tokio::spawn(rig.delivering(&rig.vote(id, player)));
    rig.until(|record| record.took_effect("give").len() > before).await;
    rig.kill().await;
    rig.game.release_replies();
    assert_eq!(answer.await.unwrap().status, None);
}

/// Kills the daemon so often after a command ran and before its reply: how many gifts arrived, how many players have
/// exactly one, how many are in doubt at the end.
async fn killed_again_and_again(receipts: &str) -> (usize, usize, usize) {
    let kills: usize = std::env::var("KILLS").map_or(5, |kills| kills.parse().unwrap());
    let begun = Instant::now();
    let mut rig = running(Style::Modern, &format!("    receipts: {receipts}"), ONLY_GIVE).await;
    for number in 0..kills {
        let (id, player) = (format!("e-{number}"), format!("P{number}"));
        rig.game.join(&player);
        killed_at_the_worst_instant(&mut rig, &id, &player).await;
        rig.start().await;
        let expected = if receipts == "never" { 503 } else { 204 };
        assert_eq!(rig.deliver_vote(&id, &player).await, expected, "{}", rig.daemon().log());
    }
    rig.stop().await;
    rig.start().await;
    // What is in doubt is said again at every start.
    assert_eq!(rig.deliver_vote("e-last", "Steve").await, 204);
    let doubts = lines(&rig.daemon().log(), "in doubt: ").len();
    let once = (0..kills).filter(|number| rig.has(&format!("P{number}"), "diamond") == 1).count();
    let gifts = rig.game.record().took_effect("give P").len();
    println!(
        "receipts: {receipts}: {kills} kills after a command ran and before its reply, {gifts} gifts, {once} players with exactly one, {doubts} in doubt, in {:.0?}",
        begun.elapsed()
    );
    assert_eq!((gifts, once), (kills, kills), "none twice, none lost");
    (kills, once, doubts)
}

#[tokio::test]
async fn killed_at_the_worst_instant_with_receipts_nothing_is_in_doubt() {
    let (_, _, doubts) = killed_again_and_again("auto").await;
    assert_eq!(doubts, 0);
}

#[tokio::test]
async fn killed_at_the_worst_instant_without_receipts_exactly_that_is_in_doubt() {
    let (kills, _, doubts) = killed_again_and_again("never").await;
    assert_eq!(doubts, kills);
}

#[tokio::test]
async fn a_connection_that_breaks_on_either_side_of_the_command_leaves_no_doubt() {
    for (ran, habit) in
        [(true, Habit::ClosesAfter(0)), (true, Habit::ClosesAfter(9)), (false, Habit::ClosesBeforeRun)]
    {
        let rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
        rig.game.once("give", habit.clone());
        assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204, "{habit:?}: {}", rig.daemon().log());
        assert_eq!(rig.has("Steve", "diamond"), 1, "{habit:?}");
        assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
        let record = rig.game.record();
        assert_eq!(record.connections, 2, "{habit:?}");
        assert_eq!(with(&record, "give Steve").len(), 1, "a gift that ran is not sent again: {ran}");
        assert!(!rig.daemon().log().contains("in doubt: "));
    }
}

#[tokio::test]
async fn killed_between_the_announcement_and_the_command() {
    let mut rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
    rig.game.once("data modify", Habit::Withheld);
    let answer = tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| with(record, "data modify").len() == 1).await;
    rig.kill().await;
    rig.game.release_replies();
    assert_eq!(answer.await.unwrap().status, None);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let record = rig.game.record();
    assert_eq!((with(&record, "data modify").len(), record.took_effect("give").len()), (2, 1));
    assert!(!rig.daemon().log().contains("in doubt: "));
}

#[tokio::test]
async fn what_a_world_forgot_is_told_once_and_not_given_again() {
    let mut rig = running(Style::Modern, AUTO, DAILY).await;
    let players = ["Alex", "Steve", "Olga", "Ivan", "Mia", "Zoe"];
    players.iter().for_each(|player| rig.game.join(player));
    assert_eq!(rig.deliver_vote("e-0", players[0]).await, 204);
    let save = rig.game.save();
    for number in [1, 2] {
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), players[number]).await, 204);
    }
    rig.game.stop().await;
    rig.game.go_back_to(&save);
    rig.game.start_again().unwrap();
    assert_eq!(rig.deliver_vote("e-3", players[3]).await, 204);
    let told = lines(&rig.daemon().log(), FORGOTTEN);
    assert_eq!(told.len(), 2, "{told:#?}");
    for number in [1, 2] {
        let line = told.iter().find(|line| line.contains(&format!("e-{number}"))).unwrap();
        let command = format!("give {} minecraft:diamond 3", players[number]);
        for part in [players[number], "survival", "daily", &command] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    rig.game.disconnect();
    assert_eq!(rig.deliver_vote("e-4", players[4]).await, 204);
    let (_, log) = rig.stop().await;
    assert_eq!(lines(&log, FORGOTTEN).len(), 2, "told once:\n{log}");
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-5", players[5]).await, 204);
    for number in [1, 2] {
        assert_eq!(rig.deliver_vote(&format!("e-{number}"), players[number]).await, 204);
    }
    assert!(!rig.daemon().log().contains(FORGOTTEN));
    let record = rig.game.record();
    assert_eq!(record.took_effect("give").len(), players.len(), "nothing is given again");
}

#[tokio::test]
async fn a_world_that_was_replaced_leaves_a_doubt_that_says_so() {
    let mut rig = Rig::new().await;
    rig.configure("", AUTO, ONLY_GIVE);
    let new_world = rig.game.save();
    rig.start().await;
    for (id, found, gifts) in [("e-1", "--ran", 1), ("e-2", "--not-run", 3)] {
        killed_at_the_worst_instant(&mut rig, id, "Steve").await;
        rig.game.stop().await;
        rig.game.go_back_to(&new_world);
        rig.game.start_again().unwrap();
        rig.start().await;
        let line = rig.daemon().log_line("its receipt is not in the world").await;
        for part in ["in doubt: ", id, "Steve", "went back in time or was replaced", "votive resolve"] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(rig.deliver_vote(id, "Steve").await, 503);
        let settled = rig.votive(&["resolve", id, found]).await;
        assert!(settled.status.success(), "{settled:?}");
        rig.until(|record| record.took_effect("give").len() == gifts).await;
        assert_eq!(rig.deliver_vote(id, "Steve").await, 204);
    }
    assert_eq!(rig.game.record().took_effect("give").len(), 3);
}

#[tokio::test]
async fn the_receipt_knows_better_than_an_operator_who_is_wrong() {
    let mut rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
    killed_at_the_worst_instant(&mut rig, "e-1", "Steve").await;
    rig.game.stop().await;
    rig.start().await;
    // The game server is down, so nobody can read the receipt yet.
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 503);
    let settled = rig.votive(&["resolve", "e-1", "--not-run"]).await;
    assert!(settled.status.success(), "{settled:?}");
    rig.game.start_again().unwrap();
    rig.daemon().log_line("granted").await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let record = rig.game.record();
    assert_eq!((with(&record, "give Steve").len(), record.took_effect("give").len()), (2, 1));
    assert_eq!(rig.has("Steve", "diamond"), 1);
}

#[tokio::test]
async fn silence_is_told_from_failure_by_the_receipt() {
    let rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
    rig.game.once("give", Habit::Says(String::new()));
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(with(&rig.game.record(), "give Steve").len(), 1);
    assert!(!rig.daemon().log().contains("in doubt: "));
}

#[tokio::test]
async fn a_player_who_leaves_between_the_list_and_the_guarded_gift_is_waited_for() {
    let rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
    rig.game.once("data modify", Habit::Withheld);
    let answer = tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| with(record, "data modify").len() == 1).await;
    rig.game.leave("Steve");
    rig.game.release_replies();
    assert_eq!(answer.await.unwrap().status, Some(204), "waiting for the player");
    rig.daemon().log_line("waiting for the player").await;
    let record = rig.game.record();
    assert_eq!((with(&record, "give Steve").len(), record.took_effect("give").len()), (1, 0));
    rig.game.join("Steve");
    rig.until(|record| record.took_effect("give").len() == 1).await;
    rig.daemon().log_line("granted").await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(rig.has("Steve", "diamond"), 1);
}

#[tokio::test]
async fn what_fails_silently_is_sent_once_more_so_that_the_game_says_why() {
    const REWARDS: &str = "
  score:
    commands:
      - {run: 'scoreboard players add {player} votes 1', require_online: false}
";
    let rig = running(Style::Modern, AUTO, REWARDS).await;
    let answer = rig.deliver(&rig.vote("e-1", "Steve")).await;
    assert_eq!(answer.status, Some(422), "{}", answer.body);
    for part in ["survival", "score", "rewards.yaml", "deliver again"] {
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    let line = rig.daemon().log_line("refused: ").await;
    assert!(line.contains(r"Unknown scoreboard objective \'votes\'"), "the game's own words: {line}");
    rig.game.console_command("scoreboard objectives add votes dummy");
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204, "a redelivery tries again");
    let record = rig.game.record();
    assert_eq!(record.took_effect("scoreboard").len(), 1);
    let sent = with(&record, "scoreboard");
    assert_eq!(sent.len(), 3, "guarded, plain, guarded: {sent:#?}");
    assert!(sent[1].starts_with("scoreboard"), "{sent:#?}");
}

#[tokio::test]
async fn a_command_that_finds_nothing_to_do_is_done() {
    // Not among those that leave a receipt by themselves.
    const REWARDS: &str = "
  listed:
    commands:
      - {run: 'whitelist add {player}', require_online: false, receipt: true}
";
    let rig = running(Style::Modern, AUTO, REWARDS).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(with(&rig.game.record(), "whitelist").len(), 1, "guarded, and it worked");
    assert!(with(&rig.game.record(), "whitelist")[0].starts_with("execute unless data storage"));
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let record = rig.game.record();
    assert_eq!(with(&record, "whitelist")[2..], ["whitelist add Steve"], "once more, plain");
    assert_eq!(record.took_effect("whitelist").len(), 1);
}

#[tokio::test]
async fn a_gift_that_fails_silently_twice_while_the_player_is_there_is_refused() {
    const REWARDS: &str = "
  speed:
    commands:
      - 'effect give {player} minecraft:speed 30'
";
    let rig = running(Style::Modern, AUTO, REWARDS).await;
    rig.game.console_command("effect give Steve minecraft:speed 30 5");
    let delivery = rig.vote("e-1", "Steve");
    for sent in [2, 4] {
        let answer = rig.deliver(&delivery).await;
        assert_eq!(answer.status, Some(422), "{}", answer.body);
        assert!(
            answer.body.contains("speed failed twice") && answer.body.contains("by hand"),
            "{}",
            answer.body
        );
        assert_eq!(with(&rig.game.record(), "effect give").len(), sent);
    }
    let record = rig.game.record();
    assert!(record.took_effect("effect").is_empty());
    assert!(record.ran("effect").is_empty(), "its success is always told, so it is never sent plain");
}

#[tokio::test]
async fn a_game_without_storage_is_refused_or_served_without_receipts() {
    let mut rig = running(Style::Old112, "    receipts: always", ONLY_GIVE).await;
    let answer = rig.deliver(&rig.vote("e-1", "Steve")).await;
    assert_eq!(answer.status, Some(422));
    for part in ["survival", "1.15", "servers.survival.receipts", "`auto`"] {
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    assert!(with(&rig.game.record(), "give").is_empty());
    rig.stop().await;
    rig.configure("", AUTO, ONLY_GIVE);
    rig.start().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204, "as it says: `auto`, and deliver again");
    killed_at_the_worst_instant(&mut rig, "e-2", "Steve").await;
    rig.start().await;
    rig.daemon().log_line("in doubt: ").await;
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 503);
    assert_eq!(rig.game.record().ran("give Steve").len(), 2);
}

#[tokio::test]
async fn on_paper_the_games_own_command_is_guarded_and_the_plug_ins_still_gets_what_only_it_knows() {
    const REWARDS: &str = "
  vanilla:
    commands:
      - 'give {player} minecraft:diamond 3'
  plugin:
    commands:
      - 'give {player} minecraft:emerald 2 name:&6Prize'
";
    for style in [Style::Paper, Style::Essentials] {
        let rig = running(style, AUTO, REWARDS).await;
        let answer = rig.deliver(&rig.vote("e-1", "Steve")).await;
        let record = rig.game.record();
        let sent = with(&record, "diamond");
        assert_eq!(sent.len(), 1);
        assert!(sent[0].ends_with(" byte 1 run minecraft:give Steve minecraft:diamond 3"), "{sent:#?}");
        assert_eq!(rig.has("Steve", "diamond"), 3);
        let sent = with(&record, "emerald");
        assert_eq!(sent.len(), 2, "{sent:#?}");
        assert_eq!(sent[1], "give Steve minecraft:emerald 2 name:&6Prize");
        let knows_it = style == Style::Essentials;
        assert_eq!(rig.has("Steve", "emerald"), if knows_it { 2 } else { 0 });
        assert_eq!(answer.status, Some(if knows_it { 204 } else { 422 }), "{}", answer.body);
    }
}

#[tokio::test]
async fn what_is_too_long_for_a_guard_is_sent_without() {
    let rewards = format!(
        "
  words:
    commands:
      - 'tellraw {{player}} \"{}\"'
",
        "x".repeat(1350)
    );
    let mut rig = running(Style::Modern, AUTO, &rewards).await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    let record = rig.game.record();
    assert_eq!((record.ran("tellraw Steve").len(), with(&record, "storage").len()), (1, 0));
    rig.stop().await;
    rig.configure("", "    receipts: always", &rewards);
    rig.start().await;
    let answer = rig.deliver(&rig.vote("e-2", "Steve")).await;
    assert_eq!(answer.status, Some(422));
    assert!(answer.body.contains("too long to leave a receipt"), "{}", answer.body);
    assert_eq!(rig.game.record().ran("tellraw").len(), 1);
}

/// The mark of the last command that was guarded.
fn newest_key(record: &Record) -> String {
    let guarded = with(record, "store success");
    guarded.last().unwrap().split('"').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn the_newest_receipt_is_asked_for_once_on_every_connection() {
    let mut rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
    assert_eq!(rig.deliver_vote("e-0", "Steve").await, 204);
    for number in 1..4 {
        let newest = format!("data get storage votive:receipts v.\"{}\"", newest_key(&rig.game.record()));
        if number == 2 {
            rig.game.disconnect();
        } else {
            rig.stop().await;
            rig.start().await;
        }
        let before = rig.game.record().console.len();
        for again in 0..2 {
            assert_eq!(rig.deliver_vote(&format!("e-{number}-{again}"), "Steve").await, 204);
        }
        let asked = rig.game.console().into_iter().skip(before).filter(|executed| executed.command == newest);
        assert_eq!(asked.count(), 1, "connection {}", number + 1);
    }
    assert_eq!(rig.game.record().took_effect("give").len(), 7);
    assert_eq!(rig.game.record().connections, 4);
}

#[tokio::test]
async fn a_game_that_lags_when_it_is_asked_for_receipts_still_keeps_them() {
    for rule in ["auto", "always"] {
        let mut rig = running(Style::Modern, &format!("    receipts: {rule}"), ONLY_GIVE).await;
        // Longer than a question may take that some servers never answer.
        rig.game.once("data get", Habit::Lag(Duration::from_millis(2500)));
        rig.deliver_vote("e-1", "Steve").await;
        rig.until(|record| record.took_effect("give").len() == 1).await;
        rig.daemon().log_line("granted").await;
        assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204, "{rule}");
        killed_at_the_worst_instant(&mut rig, "e-2", "Steve").await;
        rig.start().await;
        assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204, "{rule}: {}", rig.daemon().log());
        assert_eq!(rig.has("Steve", "diamond"), 2);
    }
}

#[tokio::test]
async fn an_operator_who_is_faster_than_the_receipt_changes_nothing_for_the_player() {
    for found in ["--ran", "--not-run"] {
        let mut rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
        killed_at_the_worst_instant(&mut rig, "e-1", "Steve").await;
        let asked = with(&rig.game.record(), "data get").len();
        rig.game.once("data get", Habit::Withheld);
        rig.start().await;
        rig.until(|record| with(record, "data get").len() > asked).await;
        let settled = rig.votive(&["resolve", "e-1", found]).await;
        assert!(settled.status.success(), "{settled:?}");
        rig.game.release_replies();
        assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204, "{found}");
        assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204, "{found}: the daemon goes on");
        assert_eq!(rig.has("Steve", "diamond"), 2, "{found}");
        assert_eq!(rig.game.record().took_effect("give").len(), 2, "{found}");
    }
}

#[tokio::test]
async fn a_world_that_went_back_to_before_the_command_gets_it_again() {
    let rig = running(Style::Modern, AUTO, ONLY_GIVE).await;
    rig.game.once("data modify", Habit::Withheld);
    rig.game.once("give", Habit::Withheld);
    let answer = tokio::spawn(rig.delivering(&rig.vote("e-1", "Steve")));
    rig.until(|record| with(record, "data modify").len() == 1).await;
    let announced = rig.game.save();
    rig.game.release_replies();
    rig.until(|record| record.took_effect("give").len() == 1).await;
    rig.game.stop().await;
    rig.game.go_back_to(&announced);
    assert_eq!(rig.has("Steve", "diamond"), 0);
    rig.game.start_again().unwrap();
    answer.await.unwrap();
    rig.daemon().log_line("granted").await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!((rig.has("Steve", "diamond"), rig.game.record().took_effect("give").len()), (1, 2));
}

#[tokio::test]
async fn a_game_that_lags_longer_than_it_may_gives_once() {
    let rig = running(Style::Modern, "    receipts: auto\n    timeouts: {command: 1s}", ONLY_GIVE).await;
    rig.game.once("give", Habit::Lag(Duration::from_secs(4)));
    rig.deliver_vote("e-1", "Steve").await;
    rig.daemon().log_line("granted").await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert_eq!(with(&rig.game.record(), "give Steve").len(), 1);
    let log = rig.daemon().log();
    assert!(
        log.contains("did not answer in time. Its receipt will tell") && !log.contains("in doubt: "),
        "{log}"
    );
}

#[tokio::test]
async fn what_is_forgotten_names_its_own_server_of_several_at_one_address() {
    let mut rig = Rig::new().await;
    let creative = "  creative:\n    id: 2\n    password_file: password\n    rewards: [daily]";
    let servers = format!("    receipts: auto\n{creative}\n    rcon: {}", rig.game.address());
    rig.configure("", &servers, ONLY_GIVE);
    let new_world = rig.game.save();
    rig.start().await;
    rig.platform.vote("e-1", "Steve", 2);
    let vote = rig.platform.delivery("server.vote", "e-1");
    assert_eq!(rig.deliver(&vote).await.status, Some(204));
    rig.game.stop().await;
    rig.game.go_back_to(&new_world);
    rig.game.start_again().unwrap();
    assert_eq!(rig.deliver_vote("e-2", "Steve").await, 204);
    let told = lines(&rig.daemon().log(), FORGOTTEN);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("server=creative") || told[0].contains("server=\"creative\""), "{}", told[0]);
}
