//! The `servers:` section.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::problem::{At, listed, nearest, shown};
use super::read::{Reader, Section, quoted};
use super::rewards::{self, IN_DOUBT};
use super::yaml::{Entry, Node, Value};
use super::{GameServer, Secret, Sources, Timeouts, secrets, units};
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
        let rcon = address(reader, &section, entry);
        let password = secrets::password(reader, &section, entry, sources);
        let given = given(reader, &section, entry, rewards);
        let in_doubt = section
            .get("in_doubt")
            .and_then(|node| reader.choice(node, &IN_DOUBT));
        let replies = section
            .get("replies")
            .map(|node| replies(reader, node))
            .unwrap_or_default();
        let pace = section.get("pace").map_or(PACE, |node| pace(reader, node));
        let timeouts = section
            .get("timeouts")
            .map(|node| timeouts(reader, node))
            .unwrap_or_default();
        let (Some(rcon), Some((password, password_source))) = (rcon, password) else {
            continue;
        };
        match passwords.get(&rcon) {
            Some((other, known)) if *known != password => reader.problems.error(
                &entry.at,
                &entry.node.path,
                format!(
                    "it has the address of {} and another password",
                    listed([other.as_str()])
                ),
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

/// The servers of the file and the names of the rewards that each is said to give, whatever else is wrong with it.
pub(super) fn reward_names(servers: Option<&Node>) -> Vec<(&str, Vec<&str>)> {
    let Some(Value::Map(map)) = servers.map(|node| &node.value) else {
        return Vec::new();
    };
    map.entries
        .iter()
        .map(|entry| (entry.key.as_str(), named_rewards(&entry.node)))
        .collect()
}

fn named_rewards(server: &Node) -> Vec<&str> {
    let Value::Map(server) = &server.value else {
        return Vec::new();
    };
    let rewards = server
        .entries
        .iter()
        .find(|entry| entry.key == "rewards")
        .map(|entry| &entry.node.value);
    match rewards {
        Some(Value::List(list)) => list.entries.iter().filter_map(word).collect(),
        // Told to be no list, but meant all the same.
        Some(Value::Text(text)) => vec![text.text.as_str()],
        _ => Vec::new(),
    }
}

fn word(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(&text.text),
        _ => None,
    }
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
    for node in section
        .get("id")
        .map(|node| reader.one_or_more(node))
        .unwrap_or_default()
    {
        let whole = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|_| digits && (text == "0" || !text.starts_with('0')))
        };
        let Some(id) = reader.parsed(node, "an id: digits, the first of them not 0", "1", whole) else {
            continue;
        };
        if let Some((other, at)) = taken.get(&id) {
            let message = format!(
                "the id {id} belongs to {} already ({at})",
                listed([other.as_str()])
            );
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

fn address(reader: &mut Reader<'_>, section: &Section<'_>, entry: &Entry) -> Option<String> {
    let Some(node) = section.get("rcon") else {
        reader.missing(
            &entry.at,
            &entry.node.path,
            "it has no `rcon`",
            "write `rcon: 127.0.0.1:25575`: address and rcon.port of server.properties",
        );
        return None;
    };
    let (host, port) = reader.parsed(node, "an address and a port", "127.0.0.1:25575", host_and_port)?;
    if !is_private(&host) {
        reader.warning(
            node,
            "RCON is not encrypted, and this address does not look like one of your own network",
            "let RCON listen on 127.0.0.1 or inside a VPN, and put that address here",
        );
    }
    Some(if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    })
}

/// `host:port` in its parts, in one spelling, so that equal addresses are equal texts.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port
        .parse()
        .ok()
        .filter(|number| *number != 0 && port.bytes().all(|b| b.is_ascii_digit()))?;
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return Some((v6.parse::<std::net::Ipv6Addr>().ok()?.to_string(), port));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (!host.is_empty() && host.bytes().all(allowed)).then(|| (host.to_ascii_lowercase(), port))
}

/// Whether what is sent to `host` stays in the owner's own network, as far as a name or address can tell.
pub(super) fn is_private(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(v4)) => {
            // 100.64.0.0/10 is what VPNs like Tailscale give out.
            let shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared
        }
        Ok(IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        Err(_) => {
            let own = [".local", ".localhost", ".lan", ".internal", ".home.arpa"];
            !host.contains('.') || own.iter().any(|end| host.ends_with(end))
        }
    }
}

/// The rewards that the server gives.
fn given(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    entry: &Entry,
    rewards: &[rewards::Read],
) -> Vec<Arc<crate::domain::reward::Reward>> {
    let has_id = section.get("id").is_some();
    let remedy = "write `rewards: [daily]` with names from the section `rewards`";
    let nodes = match section.get("rewards") {
        Some(Node {
            value: Value::List(list),
            ..
        }) => list.entries.as_slice(),
        Some(Node {
            value: Value::Broken, ..
        }) => return Vec::new(),
        Some(
            node @ Node {
                value: Value::Text(text),
                ..
            },
        ) => {
            let example = shown(&text.text);
            reader.error(node, "this is no list", format!("write `rewards: [{example}]`"));
            return Vec::new();
        }
        Some(
            node @ Node {
                value: Value::Map(_), ..
            },
        ) => {
            reader.error(node, "this is no list", remedy);
            return Vec::new();
        }
        Some(Node {
            value: Value::Nothing,
            ..
        })
        | None => &[],
    };
    if nodes.is_empty() {
        let at = section.get("rewards").map_or(&entry.at, |node| &node.at);
        if has_id {
            reader.missing(
                at,
                &entry.node.path,
                "it has an id and no rewards, so its voters would get nothing",
                remedy,
            );
        } else if !reader.incomplete {
            reader.problems.warning(
                at,
                &entry.node.path,
                "it has neither an id nor rewards, so nothing ever happens with it",
                "write its id at the platform as `id: 1`, and its rewards as `rewards: [daily]`",
            );
        }
    }
    let mut given: Vec<Arc<crate::domain::reward::Reward>> = Vec::new();
    for node in nodes {
        let Some(text) = reader.verbatim(node, "daily") else {
            continue;
        };
        let name = text.text.as_str();
        match rewards.iter().find(|read| read.reward.name == name) {
            None => {
                let names = || rewards.iter().map(|read| read.reward.name.as_str());
                let remedy = match nearest(name, names()) {
                    Some(near) => format!("did you mean `{}`?", shown(near)),
                    None if rewards.is_empty() => {
                        "write the section `rewards` with a reward of this name".to_owned()
                    }
                    None => format!("the section `rewards` has {}", listed(names())),
                };
                reader.missing(
                    &node.at,
                    &node.path,
                    format!("{}is no reward", quoted(node, text)),
                    remedy,
                );
            }
            Some(_) if given.iter().any(|reward| reward.name == name) => {
                reader.error(
                    node,
                    format!("{}is listed twice", quoted(node, text)),
                    "take one of the two out",
                );
            }
            Some(read) => given.push(Arc::clone(&read.reward)),
        }
    }
    given
}

fn replies(reader: &mut Reader<'_>, node: &Node) -> ReplyRules {
    let Some(section) = reader.section(node, "servers.*.replies") else {
        return ReplyRules::default();
    };
    let mut several = |key| {
        let nodes = section
            .get(key)
            .map(|node| reader.one_or_more(node))
            .unwrap_or_default();
        nodes
            .into_iter()
            .filter_map(|node| pattern(reader, node))
            .collect()
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
    ReplyRules {
        success,
        offline,
        failure,
        list,
    }
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
            let reason = error
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |text| host_and_port(text).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(read("127.0.0.1:25575").as_deref(), Some("127.0.0.1 25575"));
        assert_eq!(read("MC-1:25575").as_deref(), Some("mc-1 25575"));
        assert_eq!(read("[::1]:25575").as_deref(), Some("::1 25575"));
        for wrong in [
            "",
            "25575",
            "127.0.0.1",
            ":25575",
            "a:0",
            "a:65536",
            "a:+1",
            "a b:1",
            "::1:25575",
            "rcon://a:1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ones_own_network() {
        for own in [
            "127.0.0.1",
            "10.0.0.5",
            "192.168.1.2",
            "100.100.1.1",
            "::1",
            "fd00::1",
            "localhost",
            "mc",
            "mc.lan",
        ] {
            assert!(is_private(own), "{own}");
        }
        for other in ["8.8.8.8", "100.128.0.1", "2001:db8::1", "play.example.com"] {
            assert!(!is_private(other), "{other}");
        }
    }
}
