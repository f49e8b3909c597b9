//! The `servers:` section.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::problem::{At, listed, shown};
use super::read::{Reader, Section};
use super::rewards::{self, IN_DOUBT};
use super::yaml::{Entry, Node, Value};
use super::{GameServer, Secret, Sources, Timeouts, address, given, secrets, units};
use crate::domain::reply::ReplyRules;

/// Commands per second unless the owner says otherwise: far below what a console shows strain at.
const PACE: u32 = 20;
/// The range of `pace`.
const PACES: std::ops::RangeInclusive<u32> = 1..=1000;

/// Reads every game server; those with errors are left out.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    rewards: &[rewards::Read],
    sources: &Sources,
) -> Vec<GameServer> {
    let entries = reader.named(root.get("servers"));
    if entries.is_empty()
        && !matches!(
            root.get("servers").map(|node| &node.value),
            Some(Value::Text(_) | Value::List(_) | Value::Broken)
        )
    {
        let at = root.get("servers").map_or(&At::START, |node| &node.at);
        reader.missing(
            at,
            "servers",
            "there is no game server",
            "write one below `servers:`, as in the rewards.yaml that came with Votive",
        );
    }
    let mut ids: BTreeMap<u64, (String, At)> = BTreeMap::new();
    let mut passwords: BTreeMap<String, (String, Secret)> = BTreeMap::new();
    let mut servers = Vec::new();
    for entry in entries {
        check_name(reader, entry);
        let Some(section) = reader.section(&entry.node, "servers.*") else {
            continue;
        };
        let ids = read_ids(reader, &section, &entry.key, &mut ids);
        let rcon = address::read(reader, &section, entry);
        let password = secrets::password(reader, &section, entry, sources);
        let given = given::read(reader, &section, entry, rewards);
        let in_doubt = section.get("in_doubt").and_then(|node| reader.choice(node, &IN_DOUBT));
        let replies = section.get("replies").map(|node| replies(reader, node)).unwrap_or_default();
        let pace = section.get("pace").map_or(PACE, |node| pace(reader, node));
        let timeouts = section.get("timeouts").map(|node| timeouts(reader, node)).unwrap_or_default();
        let (Some(rcon), Some((password, password_source))) = (rcon, password) else {
            continue;
        };
        match passwords.get(&rcon) {
            Some((other, known)) if *known != password => reader.problems.error(
                &entry.at,
                &entry.node.path,
                format!("it has the address of {} and another password", listed([other.as_str()])),
                "one address is one game server: give both entries the same password, or correct `rcon`",
            ),
            Some(_) => {}
            None => {
                passwords.insert(rcon.clone(), (entry.key.clone(), password.clone()));
            }
        }
        servers.push(GameServer {
            name: entry.key.clone(),
            ids,
            rcon,
            password,
            password_source,
            rewards: given,
            in_doubt: in_doubt.unwrap_or_default(),
            replies,
            pace,
            timeouts,
        });
    }
    servers
}

fn check_name(reader: &mut Reader<'_>, entry: &Entry) {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if entry.key.is_empty() || !entry.key.bytes().all(allowed) {
        reader.problems.error(
            &entry.at,
            &entry.node.path,
            "the name of a server has only small letters a-z, digits and `-`",
            "give it another name; it is yours alone and does not have to be the name in the game",
        );
    }
}

fn read_ids(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    server: &str,
    taken: &mut BTreeMap<u64, (String, At)>,
) -> Vec<u64> {
    let mut ids = Vec::new();
    for node in section.get("id").map(|node| reader.one_or_more(node)).unwrap_or_default() {
        let whole = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| digits && (text == "0" || !text.starts_with('0')))
        };
        let Some(id) = reader.parsed(node, "an id: digits, the first of them not 0", "1", whole) else {
            continue;
        };
        if let Some((other, at)) = taken.get(&id) {
            let message = format!("the id {id} belongs to {} already ({at})", listed([other.as_str()]));
            reader.error(
                node,
                message,
                "every id belongs to one server; the platform shows it in the server's settings",
            );
            continue;
        }
        taken.insert(id, (server.to_owned(), node.at.clone()));
        ids.push(id);
    }
    ids
}

fn replies(reader: &mut Reader<'_>, node: &Node) -> ReplyRules {
    let Some(section) = reader.section(node, "servers.*.replies") else {
        return ReplyRules::default();
    };
    let mut several = |key| {
        let nodes = section.get(key).map(|node| reader.one_or_more(node)).unwrap_or_default();
        nodes.into_iter().filter_map(|node| pattern(reader, node)).collect()
    };
    let (success, offline, failure) = (several("success"), several("offline"), several("failure"));
    let list = section.get("list").and_then(|node| {
        let pattern = pattern(reader, node)?;
        if pattern.captures_len() < 2 {
            reader.error(
                node,
                "the pattern has no group, so nobody can tell where the names are",
                "put the part that matches the names in round brackets: 'online: (.*)'",
            );
        }
        Some(pattern)
    });
    ReplyRules { success, offline, failure, list }
}

fn pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Regex> {
    let text = reader.verbatim(node, "'^Done'")?;
    if text.text.is_empty() {
        reader.error(
            node,
            "an empty pattern matches every reply",
            "write '^$' for an empty reply, or take it out",
        );
        return None;
    }
    match Regex::new(&text.text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            // The parser draws the pattern with a mark below; its last line says what is wrong.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            reader.error(
                node,
                format!("this is no regular expression: {}", shown(reason)),
                "write `\\` before a character that is meant as itself, like \\[ or \\(, and use single quotes",
            );
            None
        }
    }
}

fn pace(reader: &mut Reader<'_>, node: &Node) -> u32 {
    let form = "a number of commands per second, from 1/s to 1000/s";
    let parse = |text: &str| units::per_second(text).filter(|pace| PACES.contains(pace));
    reader.parsed(node, form, "20/s", parse).unwrap_or(PACE)
}

fn timeouts(reader: &mut Reader<'_>, node: &Node) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let Some(section) = reader.section(node, "servers.*.timeouts") else {
        return timeouts;
    };
    let tenth = Duration::from_millis(100);
    let minute = Duration::from_secs(60);
    if let Some(node) = section.get("connect") {
        timeouts.connect = reader.duration(node, tenth, minute, timeouts.connect);
    }
    if let Some(node) = section.get("login") {
        timeouts.login = reader.duration(node, tenth, minute, timeouts.login);
    }
    if let Some(node) = section.get("command") {
        timeouts.command = reader.duration(node, Duration::from_secs(1), 10 * minute, timeouts.command);
    }
    timeouts
}
