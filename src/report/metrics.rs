//! What Votive measures of its work, in the words of Prometheus. `docs/metrics.md` tells what each of them means.
//!
//! Labels are names of game servers in the configuration and words of this file: however many votes come, and whatever
//! is in them, the series stay the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::NO_SERVER;
use crate::config::{Config, GameServer};
use crate::dispatch::servers::{Hindrance, Servers};
use crate::domain::award::{Award, AwardFact, AwardState};
use crate::domain::grant::{Grant, Stage};
use crate::domain::standing::Wait;
use crate::domain::vote::Vote;
use crate::ledger::Instruments;
use crate::platform::FetchError;
use crate::rcon::{ConnectError, Outcome};

/// Seconds from a delivery to its grant: from a player who is online to one who comes back after a week.
const GRANT_DURATIONS: [f64; 21] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0,
    43200.0, 86400.0, 259_200.0, 604_800.0,
];
/// Seconds of one question over the network, up to the longest that Votive waits unless its owner says otherwise.
const REQUEST_DURATIONS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Every answer that a delivery can get.
const STATUSES: [&str; 9] = ["204", "400", "401", "408", "413", "422", "502", "503", "504"];
/// What becomes of an award.
const ENDINGS: [&str; 3] = [GRANTED, REFUSED, CLOSED];
const GRANTED: &str = "granted";
const REFUSED: &str = "refused";
const CLOSED: &str = "closed";
/// Where what is open stands. `received` are grants, whose awards are not known yet.
const OPEN_STATES: [&str; 8] =
    [RECEIVED, PLANNED, AWAITS_PLAYER, AWAITS_SERVER, PAUSED, SENDING, AWAITS_RECEIPT, IN_DOUBT];
const RECEIVED: &str = "received";
const PLANNED: &str = "planned";
const AWAITS_PLAYER: &str = "awaits_player";
const AWAITS_SERVER: &str = "awaits_server";
const PAUSED: &str = "paused";
const SENDING: &str = "sending";
const AWAITS_RECEIPT: &str = "awaits_receipt";
const IN_DOUBT: &str = "in_doubt";
/// How a command of a reward ended.
const STEP_OUTCOMES: [&str; 7] =
    ["ran", "offline", "rejected", "not_sent", "not_guardable", "failed_silently", "no_outcome"];
/// What came of a request to the API.
const API_OUTCOMES: [&str; 4] = ["ok", "not_found", "failed", "mismatch"];
/// How RCON fails.
const RCON_ERRORS: [&str; 8] = [
    "unreachable",
    "timed_out",
    "password",
    "login_broken",
    "not_sent",
    "login_expired",
    "silent",
    "connection_lost",
];

/// Measures. Clones are the same instruments, of one daemon.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Registered>);

#[derive(Debug)]
struct Registered {
    registry: Registry,
    deliveries: IntCounterVec,
    awards: IntGaugeVec,
    awards_ended: IntCounterVec,
    votes_refused: IntCounter,
    steps: IntCounterVec,
    unrecognised: IntCounterVec,
    grant_duration: Histogram,
    api_duration: HistogramVec,
    rcon_duration: HistogramVec,
    rcon_errors: IntCounterVec,
    server_up: IntGaugeVec,
    queue_length: IntGauge,
    queue_oldest: GaugeVec,
    ledger_size: IntGauge,
    config_loaded: Gauge,
    started: Gauge,
    ready: IntGauge,
    /// The names of all servers since the start. A series that stops looks as if it were still what it was last.
    servers: Mutex<BTreeSet<String>>,
}

impl Default for Registered {
    fn default() -> Self {
        let registry = Registry::new();
        let counter = |name, help| add(&registry, IntCounter::new(name, help));
        let counters =
            |name, help, labels: &[&str]| add(&registry, IntCounterVec::new(Opts::new(name, help), labels));
        let gauge = |name, help| add(&registry, Gauge::new(name, help));
        let whole = |name, help| add(&registry, IntGauge::new(name, help));
        let wholes =
            |name, help, labels: &[&str]| add(&registry, IntGaugeVec::new(Opts::new(name, help), labels));
        let requests = |name, help, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(REQUEST_DURATIONS.to_vec());
            add(&registry, HistogramVec::new(options, labels))
        };
        wholes("votive_build_info", "The version that runs; always 1.", &["version"])
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let grant_duration = HistogramOpts::new(
            "votive_grant_duration_seconds",
            "From the arrival of a delivery until everything was granted that its vote earned.",
        );
        Registered {
            deliveries: counters(
                "votive_deliveries_total",
                "Deliveries by the status of the answer.",
                &["status"],
            ),
            awards: wholes(
                "votive_awards",
                "Rewards that are still to be issued, by where they stand; received: votes that are not fetched yet.",
                &["server", "state"],
            ),
            awards_ended: counters(
                "votive_awards_ended_total",
                "Rewards that were granted, refused or closed.",
                &["server", "state"],
            ),
            votes_refused: counter(
                "votive_votes_refused_total",
                "Votes that were refused as a whole, before there was anything to issue.",
            ),
            steps: counters(
                "votive_steps_total",
                "Commands of rewards by what became of them.",
                &["server", "outcome"],
            ),
            unrecognised: counters(
                "votive_unrecognised_replies_total",
                "Commands of rewards that were answered with a text that no rule knows; they count as run.",
                &["server"],
            ),
            grant_duration: add(
                &registry,
                Histogram::with_opts(grant_duration.buckets(GRANT_DURATIONS.to_vec())),
            ),
            api_duration: requests(
                "votive_api_request_duration_seconds",
                "How long the API took to tell a vote, by what came of it.",
                &["outcome"],
            ),
            rcon_duration: requests(
                "votive_rcon_command_duration_seconds",
                "How long a game server took to answer a command of any kind.",
                &["server"],
            ),
            rcon_errors: counters(
                "votive_rcon_errors_total",
                "Connections, logins and commands that failed.",
                &["server", "kind"],
            ),
            server_up: wholes(
                "votive_server_up",
                "Whether the game server could be used when it was last needed.",
                &["server"],
            ),
            queue_length: whole("votive_queue_length", "Votes that are not settled yet."),
            queue_oldest: add(
                &registry,
                GaugeVec::new(
                    Opts::new(
                        "votive_queue_oldest_seconds",
                        "Age of the oldest vote that has something to come, by where that stands.",
                    ),
                    &["state"],
                ),
            ),
            ledger_size: whole("votive_ledger_size_bytes", "Size of the ledger's file."),
            config_loaded: gauge(
                "votive_config_loaded_timestamp_seconds",
                "When the configuration was read that holds now.",
            ),
            started: gauge("votive_start_time_seconds", "When Votive was started."),
            ready: whole("votive_ready", "Whether /readyz would say that Votive is ready."),
            servers: Mutex::default(),
            registry,
        }
    }
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let made = made.expect("names and labels are well formed, and buckets in order");
    registry.register(Box::new(made.clone())).expect("no name is there twice");
    made
}

/// The label of a server: empty where the configuration has none.
fn label(server: &str) -> &str {
    if server == NO_SERVER { "" } else { server }
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

impl Metrics {
    pub(super) fn started(&self, now: Timestamp) {
        self.0.started.set(seconds(now));
    }

    pub(super) fn configured(&self, now: Timestamp) {
        self.0.config_loaded.set(seconds(now));
    }

    pub(super) fn delivery(&self, status: StatusCode) {
        self.0.deliveries.with_label_values(&[status.as_str()]).inc();
    }

    pub(super) fn api(&self, took: Duration, answer: &Result<Vote, FetchError>) {
        let outcome = match answer {
            Ok(_) => "ok",
            Err(FetchError::NotFound) => "not_found",
            Err(FetchError::Temporary { .. }) => "failed",
            Err(FetchError::Mismatch(_)) => "mismatch",
        };
        self.0.api_duration.with_label_values(&[outcome]).observe(took.as_secs_f64());
    }

    pub(super) fn no_connection(&self, server: &GameServer, why: &ConnectError) {
        self.rcon_error(
            server,
            match why {
                ConnectError::Unreachable(_) => "unreachable",
                ConnectError::TimedOut => "timed_out",
                ConnectError::WrongPassword => "password",
                ConnectError::Broken(_) => "login_broken",
            },
        );
    }

    pub(super) fn command(&self, server: &GameServer, took: Duration, outcome: &Outcome) {
        match outcome {
            Outcome::Reply(_) => {
                let duration = self.0.rcon_duration.with_label_values(&[&server.name]);
                duration.observe(took.as_secs_f64());
            }
            // Nothing was asked of the server.
            Outcome::TooLong => {}
            Outcome::NotSent => self.rcon_error(server, "not_sent"),
            Outcome::LoginExpired => self.rcon_error(server, "login_expired"),
            Outcome::Silent => self.rcon_error(server, "silent"),
            Outcome::Broken(_) => self.rcon_error(server, "connection_lost"),
        }
    }

    fn rcon_error(&self, server: &GameServer, kind: &str) {
        self.0.rcon_errors.with_label_values(&[server.name.as_str(), kind]).inc();
    }

    pub(super) fn step(&self, server: &GameServer, fact: &AwardFact) {
        let outcome = match fact {
            AwardFact::Ran { .. } => "ran",
            AwardFact::Offline => "offline",
            AwardFact::Rejected { .. } => "rejected",
            AwardFact::NotSent => "not_sent",
            AwardFact::NotGuardable => "not_guardable",
            AwardFact::FailedSilently => "failed_silently",
            AwardFact::NoOutcome { .. } => "no_outcome",
            // None of them is how a command ends.
            _ => return,
        };
        self.0.steps.with_label_values(&[server.name.as_str(), outcome]).inc();
    }

    pub(super) fn unrecognised(&self, server: &GameServer) {
        self.0.unrecognised.with_label_values(&[&server.name]).inc();
    }

    /// An award has come to stand like this.
    pub(super) fn award(&self, server: &str, state: &AwardState) {
        let ending = match state {
            AwardState::Done => GRANTED,
            AwardState::Refused { .. } => REFUSED,
            AwardState::Closed => CLOSED,
            AwardState::Planned | AwardState::Sending | AwardState::InDoubt { .. } => return,
        };
        self.0.awards_ended.with_label_values(&[label(server), ending]).inc();
    }

    pub(super) fn vote_refused(&self) {
        self.0.votes_refused.inc();
    }

    /// Everything that a vote earned was granted, if it earned anything. The clock may have gone back meanwhile.
    pub(super) fn granted(&self, grant: &Grant, now: Timestamp) {
        let awards = grant.plan().map_or(&[][..], |plan| &plan.awards);
        if !awards.is_empty() && awards.iter().all(|award| award.state == AwardState::Done) {
            self.0.grant_duration.observe(age(grant, now));
        }
    }

    /// Measures what a ledger's writer does, too. Once.
    pub fn include(&self, instruments: &Instruments) {
        for collector in instruments.collectors() {
            self.0.registry.register(collector).expect("a daemon has one ledger");
        }
    }

    /// Everything that is measured, as Prometheus reads it, for `config` and what is known of its game servers.
    pub fn text(&self, config: &Config, servers: &Servers, now: Timestamp, found: &Found) -> String {
        self.complete(config, servers);
        let Registered { registry, awards, queue_length, queue_oldest, ledger_size, ready, .. } = &*self.0;
        for server in self.servers().iter() {
            for state in OPEN_STATES {
                let count = found.open.awards.get(&(server.clone(), state)).copied().unwrap_or(0);
                awards.with_label_values(&[server.as_str(), state]).set(count);
            }
        }
        for state in OPEN_STATES {
            let oldest = found.open.oldest.get(state);
            let age = oldest.map_or(0.0, |since| elapsed(*since, now));
            queue_oldest.with_label_values(&[state]).set(age);
        }
        queue_length.set(found.open.grants);
        ledger_size.set(i64::try_from(found.ledger_size).unwrap_or(i64::MAX));
        ready.set(found.is_ready.into());
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        text.expect("a string takes everything")
    }

    /// Sees to it that every series is there from the beginning, as 0: what appears with its first event has no increase.
    fn complete(&self, config: &Config, servers: &Servers) {
        let metrics = &*self.0;
        STATUSES.iter().for_each(|status| drop(metrics.deliveries.with_label_values(&[status])));
        API_OUTCOMES.iter().for_each(|outcome| drop(metrics.api_duration.with_label_values(&[outcome])));
        let mut names = self.servers();
        names.insert(String::new());
        names.extend(config.servers.iter().map(|server| server.name.clone()));
        for server in names.iter() {
            for ending in ENDINGS {
                metrics.awards_ended.with_label_values(&[server.as_str(), ending]);
            }
        }
        // No server is down that is not configured any more, nor up.
        metrics.server_up.reset();
        for server in &config.servers {
            let name = &server.name;
            STEP_OUTCOMES.iter().for_each(|outcome| drop(metrics.steps.with_label_values(&[name, *outcome])));
            RCON_ERRORS.iter().for_each(|kind| drop(metrics.rcon_errors.with_label_values(&[name, *kind])));
            metrics.rcon_duration.with_label_values(&[name]);
            metrics.unrecognised.with_label_values(&[name]);
            if let Some(is_up) = servers.known(server).is_up() {
                metrics.server_up.with_label_values(&[name]).set(is_up.into());
            }
        }
    }

    /// The names of all servers since the start.
    fn servers(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // No code that holds the lock can leave it half changed.
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is found out at the moment of a scrape.
#[derive(Debug, Default)]
pub struct Found {
    /// What is open.
    pub open: Open,
    /// Bytes of the ledger's file.
    pub ledger_size: u64,
    /// Whether Votive is ready.
    pub is_ready: bool,
}

/// What is open, counted.
#[derive(Debug, Default, PartialEq)]
pub struct Open {
    grants: i64,
    /// By game server and state.
    awards: BTreeMap<(String, &'static str), i64>,
    /// When the oldest grant arrived that has something in a state.
    oldest: BTreeMap<&'static str, Timestamp>,
}

impl Open {
    /// Counts one of the grants that are open, as it is `now`.
    pub fn count(&mut self, grant: &Grant, config: &Config, servers: &Servers, now: Timestamp) {
        let server = grant.vote().and_then(|vote| config.server(&vote.server));
        let states: Vec<&'static str> = match &grant.stage {
            Stage::Received { .. } => vec![RECEIVED],
            Stage::Planned(plan) => {
                let wait = |award| Some(servers.wait(server?, award, &plan.player));
                plan.awards.iter().filter_map(|award| open_state(award, wait(award))).collect()
            }
            Stage::Refused { .. } | Stage::Closed { .. } | Stage::Pruned => vec![],
        };
        self.grants += i64::from(!states.is_empty());
        for state in states {
            let server_name = server.map_or_else(String::new, |server| server.name.clone());
            *self.awards.entry((server_name, state)).or_default() += 1;
            let since = match server.and_then(|server| servers.hindrance(server)) {
                // Before that it waited for its player, or had just come.
                Some(Hindrance::Down(down)) if state == AWAITS_SERVER => {
                    let down_for = SignedDuration::try_from(down.since.elapsed()).unwrap_or_default();
                    grant.received_at.max(now.checked_sub(down_for).unwrap_or(now))
                }
                _ => grant.received_at,
            };
            let oldest = self.oldest.entry(state).or_insert(since);
            *oldest = since.min(*oldest);
        }
    }
}

/// Where an award stands that is open, given what it waits for.
fn open_state(award: &Award, wait: Option<Wait>) -> Option<&'static str> {
    match (&award.state, wait) {
        (AwardState::Done | AwardState::Refused { .. } | AwardState::Closed, _) => None,
        (AwardState::Sending, _) => Some(SENDING),
        (AwardState::InDoubt { .. }, _) if !award.awaits_receipt() => Some(IN_DOUBT),
        (_, Some(Wait::Resumption)) => Some(PAUSED),
        (AwardState::InDoubt { .. }, _) => Some(AWAITS_RECEIPT),
        (AwardState::Planned, Some(Wait::Player)) => Some(AWAITS_PLAYER),
        (AwardState::Planned, Some(Wait::Server | Wait::Password)) => Some(AWAITS_SERVER),
        (AwardState::Planned, Some(Wait::Turn) | None) => Some(PLANNED),
    }
}

fn age(grant: &Grant, now: Timestamp) -> f64 {
    elapsed(grant.received_at, now)
}

/// Seconds that have passed; none where the clock went back.
fn elapsed(since: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(since).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crate tells series apart by their label values in a row, without anything between them. No name of a server
    /// has `_`, or anything else, that could make up for the difference.
    #[test]
    fn no_two_servers_and_words_read_the_same_in_a_row() {
        for words in [&ENDINGS[..], &OPEN_STATES, &STEP_OUTCOMES, &RCON_ERRORS] {
            for word in words {
                let alike = words.iter().filter(|other| other.ends_with(word)).count();
                assert_eq!(alike, 1, "{word}");
            }
        }
    }
}
