//! What whoever watches Votive is told: the metrics of a day on which everything happens, what is made of them in
//! `packaging/` and `docs/`, and whether it is ready.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use regex::Regex;
use rig::{DAILY, Daemon, PATIENCE, Rig, VOTIVE};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use votive::sim::game::Habit;
use votive::sim::platform::ApiAnswer;

/// Switches the metrics on, at a port that the system chooses.
const METRICS: &str = "metrics:\n  listen: 127.0.0.1:0";
/// Everybody whose name is in a vote of [`a_day`].
const PLAYERS: [&str; 5] = ["Steve", "Alex", "Noor", "Maria", "Jeb_"];

/// Where the daemon is watched, as `host:port`.
async fn watched_at(rig: &Rig) -> String {
    let line = rig.daemon().log_line("metrics are at http://").await;
    line.split("http://").nth(1).unwrap().strip_suffix("/metrics").unwrap().to_owned()
}

/// What is answered at `address`: the status, the headers and the body.
async fn ask(address: &str, method: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

/// What Prometheus reads.
struct Scrape {
    text: String,
}

impl Scrape {
    async fn of(rig: &Rig) -> Scrape {
        let (status, head, text) = ask(&watched_at(rig).await, "GET", "/metrics").await;
        assert_eq!(status, 200, "{text}");
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
        Scrape { text }
    }

    /// The value of a series, written with its labels in the order of their names.
    fn find(&self, series: &str) -> Option<f64> {
        self.text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    fn get(&self, series: &str) -> f64 {
        self.find(series).unwrap_or_else(|| panic!("there is no {series} in\n{}", self.text))
    }

    /// The names of all metrics.
    fn metrics(&self) -> BTreeSet<String> {
        found(r"(?m)^# TYPE (\S+) ", &self.text)
    }

    /// The names of all series.
    fn series(&self) -> BTreeSet<String> {
        found(r"(?m)^([a-z_]+)[{ ]", &self.text)
    }

    /// Every value of each label.
    fn labels(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for found in Regex::new(r#"([a-z]+)="([^"]*)""#).unwrap().captures_iter(&self.text) {
            labels.entry(found[1].to_owned()).or_default().insert(found[2].to_owned());
        }
        labels
    }
}

/// The first group of every match.
fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|captures| captures[1].to_owned()).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Runs promtool; `None` where there is none and nobody insists.
fn promtool(args: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new("promtool");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    match spawned {
        Ok(mut child) => {
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            Some(child.wait_with_output().unwrap())
        }
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("promtool: {error}"),
        Err(error) => {
            println!("skipped: promtool cannot be run: {error}");
            None
        }
    }
}

/// Runs promtool, which has to have nothing to say against its input.
fn approves(args: &[&str], input: &str) {
    if let Some(Output { status, stdout, stderr }) = promtool(args, input) {
        let said = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert!(status.success(), "{args:?}: {said}");
        assert!(!said.contains(" error") && !said.contains(" should "), "{args:?}: {said}");
    }
}

/// A daemon with three game servers: one that is well, one whose rewards have a typing mistake, one that is down.
async fn watched() -> Rig {
    let mut rig = Rig::new().await;
    let servers = format!(
        "    receipts: never
    pace: 1000/s
  lobby:
    id: 2
    rcon: {}
    password_file: password
    rewards: [typo]
    receipts: never
  creative:
    id: 3
    rcon: 127.0.0.1:1
    password_file: password
    rewards: [daily]
    receipts: never",
        rig.game.address()
    );
    let typo = "
  typo:
    commands:
      - 'gvie {player} minecraft:diamond 3'
";
    rig.configure(METRICS, &servers, &format!("{DAILY}{typo}"));
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    std::fs::write(rig.path("rewards.yaml"), yaml.replace("[daily, typo]", "[daily]")).unwrap();
    rig.start().await;
    rig
}

/// A daemon that has seen everything: granted, refused, awaited, down, in doubt, forged, garbage, and an API that is down.
async fn a_day() -> Rig {
    let rig = watched().await;
    for player in ["Noor", "Maria", "Jeb_"] {
        rig.game.join(player);
    }
    let status = async |id: &str, player: &str, server: u64| {
        rig.platform.vote(id, player, server);
        rig.deliver(&rig.platform.delivery("server.vote", id)).await.status.unwrap()
    };
    rig.game.once("say", Habit::Says("Well, well.".to_owned()));
    assert_eq!(status("e-granted", "Steve", 1).await, 204);
    assert_eq!(status("e-granted", "Steve", 1).await, 204);
    assert_eq!(status("e-awaited", "Alex", 1).await, 204);
    assert_eq!(status("e-down", "Steve", 3).await, 503);
    assert_eq!(status("e-typo", "Maria", 2).await, 422);
    assert_eq!(status("e-unknown", "Jeb_", 99).await, 422);
    rig.game.once("give Noor", Habit::ClosesAfter(0));
    assert_eq!(status("e-doubt", "Noor", 1).await, 503);
    for _ in 0..3 {
        let forged = rig.platform.delivery("server.vote", "e-forged").forged();
        assert_eq!(rig.deliver(&forged).await.status, Some(401));
    }
    let garbage = rig.platform.delivery("server.vote", "e-garbage").raw("{");
    assert_eq!(rig.deliver(&garbage).await.status, Some(400));
    rig.platform.set_outage(Some(ApiAnswer::new(500, "")));
    assert_eq!(status("e-outage", "Steve", 1).await, 502);
    // Neither of them is a delivery.
    let webhook = rig.daemon().address();
    assert_eq!(ask(&webhook, "GET", "/healthz").await.0, 200);
    assert_eq!(ask(&webhook, "POST", "/elsewhere").await.0, 404);
    assert_eq!(ask(&webhook, "GET", "/gamemonitoring-webhook").await.0, 405);
    rig
}

#[tokio::test]
async fn a_day_on_which_everything_happens_is_told_in_figures() {
    let rig = a_day().await;
    let scrape = Scrape::of(&rig).await;
    for (series, value) in [
        ("votive_deliveries_total{status=\"204\"}", 3.0),
        ("votive_deliveries_total{status=\"400\"}", 1.0),
        ("votive_deliveries_total{status=\"401\"}", 3.0),
        ("votive_deliveries_total{status=\"422\"}", 2.0),
        ("votive_deliveries_total{status=\"502\"}", 1.0),
        ("votive_deliveries_total{status=\"503\"}", 2.0),
        ("votive_deliveries_total{status=\"504\"}", 0.0),
        ("votive_awards{server=\"\",state=\"received\"}", 1.0),
        ("votive_awards{server=\"survival\",state=\"awaits_player\"}", 1.0),
        ("votive_awards{server=\"survival\",state=\"in_doubt\"}", 1.0),
        ("votive_awards{server=\"survival\",state=\"planned\"}", 0.0),
        ("votive_awards{server=\"creative\",state=\"planned\"}", 0.0),
        ("votive_awards{server=\"creative\",state=\"awaits_server\"}", 1.0),
        ("votive_awards{server=\"creative\",state=\"awaits_player\"}", 0.0),
        ("votive_awards_ended_total{server=\"survival\",state=\"granted\"}", 1.0),
        ("votive_awards_ended_total{server=\"survival\",state=\"refused\"}", 0.0),
        ("votive_awards_ended_total{server=\"lobby\",state=\"refused\"}", 1.0),
        ("votive_awards_ended_total{server=\"creative\",state=\"granted\"}", 0.0),
        ("votive_votes_refused_total", 1.0),
        ("votive_steps_total{outcome=\"no_outcome\",server=\"survival\"}", 1.0),
        ("votive_steps_total{outcome=\"rejected\",server=\"lobby\"}", 1.0),
        ("votive_unrecognised_replies_total{server=\"survival\"}", 1.0),
        ("votive_grant_duration_seconds_count", 1.0),
        ("votive_api_request_duration_seconds_count{outcome=\"ok\"}", 6.0),
        ("votive_rcon_errors_total{kind=\"connection_lost\",server=\"survival\"}", 1.0),
        ("votive_server_up{server=\"survival\"}", 1.0),
        ("votive_server_up{server=\"lobby\"}", 1.0),
        ("votive_server_up{server=\"creative\"}", 0.0),
        ("votive_queue_length", 4.0),
        ("votive_queue_oldest_seconds{state=\"sending\"}", 0.0),
        ("votive_ready", 1.0),
        (concat!("votive_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(scrape.get(series), value, "{series} in\n{}", scrape.text);
    }
    for status in ["200", "404", "405"] {
        let series = format!("votive_deliveries_total{{status=\"{status}\"}}");
        assert_eq!(scrape.find(&series), None, "{series} counts what is no delivery");
    }
    let at_least =
        |series: &str, value: f64| assert!(scrape.get(series) >= value, "{series}\n{}", scrape.text);
    at_least("votive_steps_total{outcome=\"ran\",server=\"survival\"}", 2.0);
    at_least("votive_api_request_duration_seconds_count{outcome=\"failed\"}", 1.0);
    at_least("votive_rcon_errors_total{kind=\"unreachable\",server=\"creative\"}", 1.0);
    at_least("votive_rcon_command_duration_seconds_count{server=\"survival\"}", 5.0);
    at_least("votive_queue_oldest_seconds{state=\"awaits_player\"}", 0.001);
    at_least("votive_ledger_commits_total", 10.0);
    let commits = scrape.get("votive_ledger_commits_total");
    assert_eq!(scrape.get("votive_ledger_commit_duration_seconds_count"), commits);
    assert_eq!(scrape.get("votive_ledger_commit_records_count"), commits);
    at_least("votive_ledger_commit_records_sum", commits);
    let size = std::fs::metadata(rig.path("state/ledger.redb")).unwrap().len();
    assert_eq!(scrape.get("votive_ledger_size_bytes"), size as f64);
    let now = jiff::Timestamp::now().as_duration().as_secs_f64();
    for series in ["votive_start_time_seconds", "votive_config_loaded_timestamp_seconds"] {
        let age = now - scrape.get(series);
        assert!((0.0..PATIENCE.as_secs_f64()).contains(&age), "{series}: {age} s ago");
    }
}

#[tokio::test]
async fn what_is_settled_and_granted_later_is_counted_then_and_once() {
    let rig = a_day().await;
    let resolved = rig.votive(&["resolve", "e-doubt", "--ran"]).await;
    assert!(resolved.status.success(), "{}", String::from_utf8_lossy(&resolved.stderr));
    rig.game.join("Alex");
    rig.platform.set_outage(None);
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-outage")).await.status, Some(204));
    assert_eq!(rig.deliver(&rig.platform.delivery("server.vote", "e-awaited")).await.status, Some(204));
    rig.until(|record| record.ran("give Alex").len() == 1).await;
    let granted = "votive_awards_ended_total{server=\"survival\",state=\"granted\"}";
    let scrape = timeout(PATIENCE, async {
        loop {
            let scrape = Scrape::of(&rig).await;
            if scrape.get(granted) >= 4.0 {
                return scrape;
            }
        }
    });
    let scrape = scrape.await.expect("it was never counted");
    for (series, value) in [
        (granted, 4.0),
        ("votive_grant_duration_seconds_count", 4.0),
        ("votive_queue_length", 1.0),
        ("votive_awards{server=\"\",state=\"received\"}", 0.0),
        ("votive_awards{server=\"survival\",state=\"in_doubt\"}", 0.0),
        ("votive_awards{server=\"survival\",state=\"awaits_player\"}", 0.0),
        ("votive_queue_oldest_seconds{state=\"in_doubt\"}", 0.0),
    ] {
        assert_eq!(scrape.get(series), value, "{series} in\n{}", scrape.text);
    }
    assert!(scrape.get("votive_grant_duration_seconds_sum") > 0.0);
}

/// A vote that is not fetched has no rewards to count.
#[tokio::test]
async fn what_is_cancelled_is_counted_as_closed() {
    let rig = a_day().await;
    for event in ["e-awaited", "e-down", "e-outage"] {
        let cancelled = rig.votive(&["cancel", event]).await;
        assert!(cancelled.status.success(), "{}", String::from_utf8_lossy(&cancelled.stderr));
    }
    let scrape = Scrape::of(&rig).await;
    for (series, value) in [
        ("votive_awards_ended_total{server=\"survival\",state=\"closed\"}", 1.0),
        ("votive_awards_ended_total{server=\"creative\",state=\"closed\"}", 1.0),
        ("votive_awards_ended_total{server=\"lobby\",state=\"closed\"}", 0.0),
        ("votive_awards_ended_total{server=\"\",state=\"closed\"}", 0.0),
        ("votive_awards{server=\"survival\",state=\"awaits_player\"}", 0.0),
    ] {
        assert_eq!(scrape.get(series), value, "{series} in\n{}", scrape.text);
    }
}

/// Also one that is down: nobody expects anything of it.
#[tokio::test]
async fn what_waits_for_a_paused_server_is_told_apart() {
    let rig = a_day().await;
    for server in ["survival", "creative"] {
        let paused = rig.votive(&["pause", server]).await;
        assert!(paused.status.success(), "{}", String::from_utf8_lossy(&paused.stderr));
    }
    let scrape = Scrape::of(&rig).await;
    for (series, value) in [
        ("votive_awards{server=\"survival\",state=\"paused\"}", 1.0),
        ("votive_awards{server=\"survival\",state=\"awaits_player\"}", 0.0),
        ("votive_awards{server=\"survival\",state=\"in_doubt\"}", 1.0),
        ("votive_awards{server=\"creative\",state=\"paused\"}", 1.0),
        ("votive_awards{server=\"creative\",state=\"planned\"}", 0.0),
    ] {
        assert_eq!(scrape.get(series), value, "{series} in\n{}", scrape.text);
    }
}

#[tokio::test]
async fn prometheus_reads_it_and_has_nothing_against_the_names() {
    let scrape = Scrape::of(&a_day().await).await;
    approves(&["check", "metrics"], &scrape.text);
}

/// However many votes come, the series stay the same: no label says whose they are.
#[tokio::test]
async fn labels_are_servers_of_the_configuration_and_words_of_votive() {
    let rig = a_day().await;
    let scrape = Scrape::of(&rig).await;
    let labels = scrape.labels();
    let servers = ["", "creative", "lobby", "survival"];
    assert_eq!(labels["server"], servers.map(str::to_owned).into());
    assert!(labels["status"].iter().all(|status| status.len() == 3 && status.parse::<u16>().is_ok()));
    let words = Regex::new("^[a-z_]+$").unwrap();
    for label in ["state", "outcome", "kind"] {
        assert!(labels[label].iter().all(|word| words.is_match(word)), "{label}: {:?}", labels[label]);
        assert!(labels[label].len() <= 11, "{label}: {:?}", labels[label]);
    }
    let names: Vec<&str> = labels.keys().map(String::as_str).collect();
    assert_eq!(names, ["kind", "le", "outcome", "server", "state", "status", "version"]);
    for part in PLAYERS.into_iter().chain(["e-", "daily", "typo", "server.vote", "token", "password-of"]) {
        let shown = labels.values().flatten().any(|value| value.contains(part));
        assert!(!shown, "{part} in\n{}", scrape.text);
    }
    let before: BTreeSet<String> = found(r"(?m)^([^# ]+) ", &scrape.text);
    for number in 0..50 {
        rig.deliver_vote(&format!("more-{number}"), &format!("Player{number}")).await;
    }
    assert_eq!(found(r"(?m)^([^# ]+) ", &Scrape::of(&rig).await.text), before);
}

/// Counters of a server that has left go on as they stand; what is said of the moment is not said of it.
#[tokio::test]
async fn a_server_that_leaves_the_configuration_keeps_its_counters_and_is_not_down() {
    let rig = a_day().await;
    let before = Scrape::of(&rig).await;
    let yaml = std::fs::read_to_string(rig.path("rewards.yaml")).unwrap();
    let (head, rest) = yaml.split_once("  creative:\n").unwrap();
    let (_, rest) = rest.split_once("\nrewards:\n").unwrap();
    std::fs::write(rig.path("rewards.yaml"), format!("{head}\nrewards:\n{rest}")).unwrap();
    let reloaded = rig.votive(&["reload"]).await;
    assert!(reloaded.status.success(), "{}", String::from_utf8_lossy(&reloaded.stderr));
    let after = Scrape::of(&rig).await;
    let unreachable = "votive_rcon_errors_total{kind=\"unreachable\",server=\"creative\"}";
    assert!(after.get(unreachable) >= before.get(unreachable));
    assert_eq!(before.find("votive_server_up{server=\"creative\"}"), Some(0.0));
    assert_eq!(after.find("votive_server_up{server=\"creative\"}"), None);
    assert_eq!(after.get("votive_awards{server=\"creative\",state=\"planned\"}"), 0.0);
    assert_eq!(after.get("votive_awards{server=\"\",state=\"planned\"}"), 1.0);
    let loaded = "votive_config_loaded_timestamp_seconds";
    assert!(after.get(loaded) > before.get(loaded));
    assert_eq!(after.get("votive_start_time_seconds"), before.get("votive_start_time_seconds"));
}

/// Every expression of the dashboard, with what Grafana puts in.
fn expressions(dashboard: &Value) -> Vec<String> {
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel.get("targets"));
    let targets = targets.flat_map(|targets| targets.as_array().unwrap());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    expressions.map(|text| text.replace("$__rate_interval", "5m").replace("$job", "votive")).collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_what_is_measured() {
    let rig = a_day().await;
    let series = Scrape::of(&rig).await.series();
    let named = |text: &str| found(r"\b(votive_[a-z_]+)", text);
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/votive.json")).unwrap();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() >= 25, "only {} expressions", expressions.len());
    let of_the_dashboard = named(&expressions.join("\n"));
    assert!(named(&dashboard["templating"].to_string()).is_subset(&series));
    let of_the_rules = named(&read("packaging/prometheus/votive.rules.yml"));
    for (where_, names) in [("dashboard", &of_the_dashboard), ("rules", &of_the_rules)] {
        let unknown: Vec<_> = names.difference(&series).collect();
        assert!(unknown.is_empty(), "the {where_} has {unknown:?}");
    }
    // An owner sees every metric on it, whichever of its series that takes.
    for metric in Scrape::of(&rig).await.metrics() {
        assert!(
            of_the_dashboard.iter().any(|name| name.starts_with(&metric)),
            "the dashboard has no {metric}"
        );
    }
    // What a word of ours stands for is written in one place, and used in others.
    let labels = Scrape::of(&rig).await.labels();
    let texts = expressions.join("\n") + &read("packaging/prometheus/votive.rules.yml");
    for found in Regex::new(r#"(state|outcome|status)!?="([^"]+)""#).unwrap().captures_iter(&texts) {
        assert!(labels[&found[1]].contains(&found[2]), "{}", &found[0]);
    }
    let rules: String = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            format!("  - record: a:b{number}\n    expr: {}\n", Value::from(expression.as_str()))
        })
        .collect();
    let file = rig.path("expressions.yml");
    std::fs::write(&file, format!("groups:\n- name: a\n  rules:\n{rules}")).unwrap();
    approves(&["check", "rules", file.to_str().unwrap()], "");
}

#[test]
fn a_dashboard_asks_for_its_data_source_when_it_is_imported() {
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/votive.json")).unwrap();
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    assert_eq!(dashboard["id"], Value::Null, "the number of somebody's Grafana");
    let sources = found(r#""uid":"([^"]+)""#, &dashboard["panels"].to_string());
    assert_eq!(sources, ["${datasource}".to_owned()].into());
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(panel["type"] == "row" || !panel["description"].as_str().unwrap().is_empty(), "{panel}");
    }
}

#[test]
fn the_alerts_fire_when_they_should_and_say_what_to_do() {
    approves(&["check", "rules", "packaging/prometheus/votive.rules.yml"], "");
    approves(&["test", "rules", "packaging/prometheus/votive.rules.test.yml"], "");
    let rules = read("packaging/prometheus/votive.rules.yml");
    let count = |part: &str| rules.matches(part).count();
    assert!(count("- alert: ") >= 8);
    assert_eq!(count("summary: "), count("- alert: "));
    assert_eq!(count("description: "), count("- alert: "));
    let tested = read("packaging/prometheus/votive.rules.test.yml");
    for alert in found(r"- alert: (\S+)", &rules) {
        assert!(tested.contains(&format!("alertname=\"{alert}\"")), "nobody tries {alert}");
        assert!(read("docs/metrics.md").contains(&format!("`{alert}`")), "docs/metrics.md has no {alert}");
    }
}

#[tokio::test]
async fn the_table_of_metrics_is_complete() {
    let told = found(r"(?m)^\| `(votive_[a-z_]+)", &read("docs/metrics.md"));
    assert_eq!(told, Scrape::of(&a_day().await).await.metrics());
}

#[tokio::test]
async fn nothing_listens_unless_the_owner_says_so() {
    let rig = Rig::running().await;
    assert_eq!(rig.deliver_vote("e-1", "Steve").await, 204);
    assert!(!rig.daemon().log().contains("metrics are at"), "{}", rig.daemon().log());
    let webhook = rig.daemon().address();
    for path in ["/metrics", "/readyz"] {
        assert_eq!(ask(&webhook, "GET", path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::new().await;
    let address = taken.local_addr().unwrap().to_string();
    rig.configure(&METRICS.replace("127.0.0.1:0", &address), "", DAILY);
    let (status, log) = Daemon::spawn(Command::new(VOTIVE), &rig.path("rewards.yaml")).ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(&address) && log.contains("Set metrics.listen"), "{log}");
}

#[tokio::test]
async fn two_paths_are_answered_and_only_to_those_who_read() {
    let rig = watched().await;
    let address = watched_at(&rig).await;
    assert_eq!(ask(&address, "GET", "/readyz").await.2, "ready\n");
    for path in ["/metrics", "/readyz"] {
        assert_eq!(ask(&address, "HEAD", path).await.0, 200, "{path}");
        let (status, head, _) = ask(&address, "POST", path).await;
        assert!(status == 405 && head.contains("allow: get"), "{head}");
    }
    for path in ["/", "/healthz", "/gamemonitoring-webhook", "/metrics/", "/v1/reload"] {
        assert_eq!(ask(&address, "GET", path).await.0, 404, "{path}");
        assert_eq!(ask(&address, "POST", path).await.0, 404, "{path}");
    }
}

/// It is down, and what is delivered is recorded all the same.
#[tokio::test]
async fn a_game_server_that_is_down_makes_nothing_unready() {
    let rig = watched().await;
    rig.platform.vote("e-1", "Steve", 3);
    let answered = rig.deliver(&rig.platform.delivery("server.vote", "e-1")).await;
    assert_eq!(answered.status, Some(503));
    assert_eq!(Scrape::of(&rig).await.get("votive_server_up{server=\"creative\"}"), 0.0);
    assert_eq!(ask(&watched_at(&rig).await, "GET", "/readyz").await.0, 200);
}

/// A daemon that is kept from stopping by a command on its way.
async fn busy(start: Command) -> (Rig, tokio::task::JoinHandle<()>) {
    let mut rig = Rig::new().await;
    // Others are answered as soon as they are recorded.
    let top = format!("{METRICS}\nwebhook:\n  acknowledge: recorded\n");
    rig.configure(&top, "    pace: 1000/s", DAILY);
    rig.start_as(start).await;
    rig.game.once("give", Habit::Withheld);
    let delivering = rig.delivering(&rig.vote("e-0", "Steve"));
    let delivery = tokio::spawn(async move { drop(delivering.await) });
    rig.until(|record| record.ran("give").len() == 1).await;
    (rig, delivery)
}

#[tokio::test]
async fn one_that_stops_says_so_until_it_has() {
    let (mut rig, delivery) = busy(Command::new(VOTIVE)).await;
    let address = watched_at(&rig).await;
    assert_eq!(ask(&address, "GET", "/readyz").await.0, 200);
    rig.daemon().signal("TERM");
    rig.daemon().log_line("stopping").await;
    let (status, _, body) = ask(&address, "GET", "/readyz").await;
    assert_eq!((status, body.as_str()), (503, "Votive is stopping.\n"));
    assert_eq!(Scrape::of(&rig).await.get("votive_ready"), 0.0);
    rig.game.release_replies();
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert!(status.success() && !log.contains("in doubt"), "{log}");
    assert!(TcpStream::connect(&address).await.is_err());
    delivery.await.unwrap();
}

#[tokio::test]
async fn one_whose_ledger_takes_no_more_says_why() {
    let mut rig = Rig::new().await;
    rig.start().await;
    rig.stop().await;
    let size = std::fs::metadata(rig.path("state/ledger.redb")).unwrap().len();
    drop(rig);
    let mut shell = Command::new("sh");
    // A write beyond the limit is an error then, and not the end of the process. A new ledger is a quarter as long.
    let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", 4 * size / 512);
    shell.args(["-c", &limit, "sh", VOTIVE]);
    let (mut rig, delivery) = busy(shell).await;
    let address = watched_at(&rig).await;
    assert_eq!(ask(&address, "GET", "/readyz").await.0, 200);
    let mut votes = 0;
    // The last one is answered with 503, or not at all any more.
    while rig.deliver(&rig.vote(&format!("e-away-{votes}"), "Away")).await.status == Some(204) {
        votes += 1;
        assert!(votes < 20_000, "the ledger never filled up");
    }
    let (status, _, body) = ask(&address, "GET", "/readyz").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("cannot record") && body.contains("See to the disk"), "{body}");
    assert_eq!(ask(&address, "GET", "/metrics").await.0, 503);
    rig.game.release_replies();
    let (status, log) = rig.daemon.take().unwrap().ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    delivery.await.unwrap();
}
