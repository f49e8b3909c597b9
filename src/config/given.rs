//! `rewards: [daily]` of a game server: which rewards it gives.

use std::sync::Arc;

use super::problem::{listed, nearest, shown};
use super::read::{Reader, Section, quoted};
use super::rewards;
use super::yaml::{Entry, Node, Value};
use crate::domain::reward::Reward;

/// The rewards that the server gives.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    entry: &Entry,
    rewards: &[rewards::Read],
) -> Vec<Arc<Reward>> {
    let has_id = section.get("id").is_some();
    let remedy = "write `rewards: [daily]` with names from the section `rewards`";
    let nodes = match section.get("rewards") {
        Some(Node { value: Value::List(list), .. }) => list.entries.as_slice(),
        Some(Node { value: Value::Broken, .. }) => return Vec::new(),
        Some(node @ Node { value: Value::Text(text), .. }) => {
            let example = shown(&text.text);
            reader.error(node, "this is no list", format!("write `rewards: [{example}]`"));
            return Vec::new();
        }
        Some(node @ Node { value: Value::Map(_), .. }) => {
            reader.error(node, "this is no list", remedy);
            return Vec::new();
        }
        Some(Node { value: Value::Nothing, .. }) | None => &[],
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
        } else {
            reader.problems.warning(
                at,
                &entry.node.path,
                "it has neither an id nor rewards, so nothing ever happens with it",
                "write its id at the platform as `id: 1`, and its rewards as `rewards: [daily]`",
            );
        }
    }
    let mut given: Vec<Arc<Reward>> = Vec::new();
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
                reader.missing(&node.at, &node.path, format!("{}is no reward", quoted(node, text)), remedy);
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

/// The servers of the file and the names of the rewards that each is meant to give, whatever else is wrong with it;
/// `None` where that cannot be known.
pub(super) fn names_by_server(servers: Option<&Node>) -> Option<Vec<(&str, Vec<&str>)>> {
    let map = match servers.map(|node| &node.value) {
        Some(Value::Map(map)) => map,
        Some(Value::Nothing) | None => return Some(Vec::new()),
        Some(_) => return None,
    };
    (map.entries.iter()).map(|entry| Some((entry.key.as_str(), names(&entry.node)?))).collect()
}

fn names(server: &Node) -> Option<Vec<&str>> {
    let Value::Map(server) = &server.value else {
        return None;
    };
    let Some(rewards) = server.entries.iter().find(|entry| entry.key == "rewards") else {
        return Some(Vec::new());
    };
    match &rewards.node.value {
        Value::List(list) => Some(list.entries.iter().filter_map(name).collect()),
        Value::Nothing => Some(Vec::new()),
        // Told to be no list, but meant all the same.
        Value::Text(text) => Some(names_in(&text.text).collect()),
        Value::Map(_) | Value::Broken => None,
    }
}

fn name(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(&text.text),
        _ => None,
    }
}

/// The names in what should have been a list: `[daily`, `daily, weekly`.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(['[', ']', ',', ' ']).filter(|name| !name.is_empty())
}
