//! What `votive check --online` makes of what it was told: what each can do, what is wrong, and what to do about it.

use std::time::Duration;

use serde::Serialize;

use crate::config::{GameServer, Level};
use crate::dispatch::survey::{Failure, Survey};
use crate::domain::presence::{ListStyle, Online};
use crate::domain::reward::ReceiptRule;
use crate::domain::vote::Vote;
use crate::platform::FetchError;
use crate::rcon::ConnectError;

/// The setting cannot be asked for, and its default is the other one.
const ADVICE: &str = "write broadcast-rcon-to-ops=false into its server.properties: otherwise every operator in the game sees each reward's commands in chat";

/// All that was found online.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    /// Whether a daemon runs with this configuration's ledger, as far as this user can tell. The game servers were
    /// logged in to then, and not asked.
    pub(super) daemon_runs: bool,
    pub(super) api: ApiFound,
    /// One for each address.
    pub(super) servers: Vec<ServerFound>,
}

#[derive(Debug, Serialize)]
pub(super) struct ApiFound {
    /// Scheme, host and port.
    pub(super) address: String,
    pub(super) answers: bool,
    pub(super) answer_ms: Option<u64>,
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServerFound {
    /// Its names in `rewards.yaml`.
    pub(super) names: Vec<String>,
    pub(super) address: String,
    pub(super) state: State,
    /// What it can do; `None` unless it is [`State::Ready`].
    pub(super) can: Option<Can>,
    pub(super) findings: Vec<Finding>,
    pub(super) advice: &'static str,
}

/// How far one came with a game server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It took the login and answered.
    Ready,
    /// It took the login, and was not asked.
    LoggedIn,
    Unreachable,
    NoAnswer,
    WrongPassword,
    LoginBroken,
    Silent,
    BrokeOff,
    TooSlow,
}

/// What a game server can do.
#[derive(Debug, Serialize)]
pub(super) struct Can {
    pub(super) answer_ms: u64,
    /// The form of its list; `None` where it cannot be read.
    pub(super) list_style: Option<ListStyle>,
    pub(super) list_is_complete: bool,
    pub(super) players_online: Option<usize>,
    pub(super) tells_of_players: bool,
    pub(super) takes_minecraft_names: bool,
    pub(super) keeps_receipts: bool,
    /// What `receipts` says in `rewards.yaml`.
    #[serde(skip)]
    pub(super) receipts: ReceiptRule,
}

/// One thing that is wrong, or odd.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Finding {
    fn error(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { level: Level::Error, message: message.into(), remedy: remedy.into() }
    }
}

impl Found {
    /// Who failed.
    pub(super) fn failed(&self) -> Vec<String> {
        let wrong = |findings: &[Finding]| findings.iter().any(|finding| finding.level == Level::Error);
        let servers = self.servers.iter().filter(|server| wrong(&server.findings));
        let names = servers.map(|server| server.names.join(", "));
        names.chain(wrong(&self.api.findings).then(|| "the API".to_owned())).collect()
    }
}

impl ServerFound {
    /// Of the servers of one address, of which the first was asked: `None` where only the login was tried.
    pub(super) fn of(servers: &[GameServer], asked: Result<Option<Survey>, Failure>) -> Self {
        let server = &servers[0];
        let (state, can, findings) = match asked {
            Ok(None) => (State::LoggedIn, None, Vec::new()),
            Ok(Some(survey)) => {
                (State::Ready, Some(Can::of(server, &survey)), shortcomings(servers, &survey))
            }
            Err(failure) => {
                let (state, remedy) = failed(server, &failure);
                (state, None, vec![Finding::error(told(server, &failure), remedy)])
            }
        };
        ServerFound {
            names: servers.iter().map(|server| server.name.clone()).collect(),
            address: server.rcon.clone(),
            state,
            can,
            findings,
            advice: ADVICE,
        }
    }
}

impl Can {
    fn of(server: &GameServer, survey: &Survey) -> Self {
        Can {
            answer_ms: millis(survey.took),
            list_style: survey.online.as_ref().map(Online::style),
            list_is_complete: survey.online.as_ref().is_some_and(Online::is_complete),
            players_online: survey.online.as_ref().and_then(Online::count),
            tells_of_players: survey.tells_of_players,
            takes_minecraft_names: survey.takes_prefix,
            keeps_receipts: survey.keeps_receipts,
            receipts: server.receipts,
        }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// What a game server that answers cannot do, and rewards need.
fn shortcomings(servers: &[GameServer], survey: &Survey) -> Vec<Finding> {
    let name = &servers[0].name;
    let mut findings = Vec::new();
    let players = match (&survey.online, survey.tells_of_players) {
        (Some(_), true) => None,
        (None, true) => Some((
            Level::Warning,
            "its answer to `list` cannot be read, so it is asked for every single player with `execute if entity`",
        )),
        (Some(_), false) => Some((
            Level::Warning,
            "its list does not show everybody by name, and `execute if entity` is not answered: whoever is not seen is taken to be away, and their rewards wait",
        )),
        (None, false) => Some((
            Level::Error,
            "its answers to `list` and to `execute if entity` cannot be read, so nobody knows who is online: commands that need the player would wait for ever",
        )),
    };
    findings.extend(players.map(|(level, message)| Finding {
        level,
        message: message.to_owned(),
        remedy: format!(
            "type `list` into its console, and write what it answers as a regular expression with the names in its first pair of brackets: `servers.{name}.replies.list: 'online: (.*)'`"
        ),
    }));
    let always = servers.iter().find(|server| server.receipts == ReceiptRule::Always);
    if let Some(server) = always.filter(|_| !survey.keeps_receipts) {
        findings.push(Finding::error(
            "it keeps no receipts, and `receipts: always` has every command refused that could leave one",
            format!("write `servers.{}.receipts: auto`", server.name),
        ));
    }
    findings
}

fn told(server: &GameServer, failure: &Failure) -> String {
    match failure {
        Failure::Connect(ConnectError::WrongPassword) => {
            format!("refuses the password from {}", server.password_source)
        }
        failure => failure.to_string(),
    }
}

/// How far one came, and what to do about it.
fn failed(server: &GameServer, failure: &Failure) -> (State, String) {
    let GameServer { name, rcon, password_source, .. } = server;
    let properties = format!(
        "its server.properties needs enable-rcon=true, and an rcon.port that is the one of {rcon} (`servers.{name}.rcon`)"
    );
    let password = format!(
        "compare {password_source} with rcon.password in its server.properties; after a change there, restart the game server"
    );
    match failure {
        Failure::Connect(ConnectError::Unreachable(_)) => {
            (State::Unreachable, format!("start the game server; {properties}"))
        }
        Failure::Connect(ConnectError::TimedOut) => {
            (State::NoAnswer, format!("see whether it hangs, or a firewall is in the way; {properties}"))
        }
        Failure::Connect(ConnectError::WrongPassword) => (State::WrongPassword, password),
        Failure::Connect(ConnectError::Broken(_)) => {
            (State::LoginBroken, format!("{password}. If they are the same, see what listens on {rcon}"))
        }
        Failure::Mute => {
            let remedy = format!(
                "see at its console whether it hangs or is still starting. If it only lags, give it longer with `servers.{name}.timeouts.command`"
            );
            (State::Silent, remedy)
        }
        Failure::BrokeOff => (
            State::BrokeOff,
            "see at its console whether it is just stopping or hangs, and try again".to_owned(),
        ),
        Failure::Unfinished => {
            (State::TooSlow, "see at its console what slows it down, and try again".to_owned())
        }
    }
}

impl ApiFound {
    /// Of the answer to a question for a vote that nobody has given.
    pub(super) fn of(address: String, asked: Result<(Result<Vote, FetchError>, Duration), String>) -> Self {
        let remedy = "compare `gamemonitoring.api_url` with https://api.gamemonitoring.net, and see whether this machine gets there (name server, firewall). Until then votes are recorded, and their rewards wait";
        let (message, remedy) = match asked {
            Ok((Err(FetchError::NotFound), took)) => {
                let answer_ms = Some(millis(took));
                return ApiFound { address, answers: true, answer_ms, findings: Vec::new() };
            }
            Ok((Ok(_), _)) => ("it tells of a vote that there is not".to_owned(), remedy),
            Ok((Err(error), _)) => (error.to_string(), remedy),
            Err(why) => (format!("it cannot be asked: {why}"), "install the package ca-certificates"),
        };
        ApiFound { address, answers: false, answer_ms: None, findings: vec![Finding::error(message, remedy)] }
    }
}
