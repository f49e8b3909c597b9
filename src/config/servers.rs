//! The `servers:` section.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::problem::{At, Problems, listed, nearest, shown};
use super::read::{Section, may_be_shown, one_or_more, quoted};
use super::rewards::{self, IN_DOUBT};
use super::units::{self, DAY, HOUR};
use super::yaml::{Entry, Node, Value};
use super::{GameServer, Secret, Sources, Timeouts, address, lints, secrets, values};
use crate::domain::reply::ReplyRules;
use crate::domain::reward::{InDoubtRule, ReceiptRule, Reward};
use crate::domain::template::Placeholder;
use crate::domain::vote::ServerRef;

/// Commands per second unless the owner says otherwise: far below what a console shows strain at.
const PACE: u32 = 20;
/// The values of `receipts`.
const RECEIPTS: [(&str, ReceiptRule); 3] = [
    (ReceiptRule::Auto.name(), ReceiptRule::Auto),
    (ReceiptRule::Always.name(), ReceiptRule::Always),
    (ReceiptRule::Never.name(), ReceiptRule::Never),
];

/// Reads every game server; those with errors are left out.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    rewards: &[rewards::Read<'_>],
    values: &BTreeMap<String, String>,
    sources: Option<&Sources>,
) -> Vec<GameServer> {
    let entries = problems.named(node);
    // Otherwise it was told what stands in the place of the servers, and nobody knows what they would have given.
    let mut all_known = matches!(node.map(|node| &node.value), None | Some(Value::Nothing | Value::Map(_)));
    if entries.is_empty() && all_known {
        let at = node.map_or(&At::START, |node| &node.at);
        let remedy = "write one below `servers:`, as in the rewards.yaml that came with Votive";
        problems.error((at, "servers"), "there is no game server", remedy);
    }
    let mut ids = BTreeMap::new();
    let mut passwords: BTreeMap<String, (&str, Secret)> = BTreeMap::new();
    let mut used = HashSet::new();
    let mut servers = Vec::new();
    for entry in entries {
        check_name(problems, entry);
        let Some(section) = problems.section(Some(&entry.node), "servers.*") else {
            all_known = false;
            continue;
        };
        let ids = read_ids(problems, &section, &entry.key, &mut ids);
        let rcon = address::read(problems, &section, entry);
        let password = secrets::password(problems, &section, entry, sources);
        let given = given(problems, &section, entry, rewards);
        all_known &= given.is_some();
        let given = given.unwrap_or_default();
        let mut values = values.clone();
        values.extend(values::read(problems, section.get("values")));
        let counts_votes = rewards.iter().any(|(reward, entry)| {
            given.iter().any(|given| given.name == reward.name)
                && ["every_votes", "milestones"].iter().any(|key| entry.node.get(key).is_some())
        });
        check_placeholders(problems, &section, entry, &given, counts_votes, &values);
        used.extend(given.iter().map(|reward| reward.name.clone()));
        let in_doubt = in_doubt(problems, section.get("in_doubt"), &given);
        let receipts = problems.choice(section.get("receipts"), &RECEIPTS).unwrap_or_default();
        let receipts_keep = problems.duration(section.get("receipts_keep"), HOUR..=365 * DAY, 7 * DAY);
        let replies = replies(problems, section.get("replies"));
        let pace = |text: &str| units::per_second(text).filter(|pace| (1..=1000).contains(pace));
        let form = "a number of commands per second, from 1/s to 1000/s";
        let pace = problems.parsed(section.get("pace"), form, "20/s", pace).unwrap_or(PACE);
        let timeouts = timeouts(problems, section.get("timeouts"));
        let (Some(rcon), Some((password, password_source))) = (rcon, password) else {
            continue;
        };
        let (other, known) =
            passwords.entry(rcon.clone()).or_insert_with(|| (entry.key.as_str(), password.clone()));
        if *known != password {
            problems.error(
                entry.place(),
                format!("it has the address of {} and another password", listed([*other])),
                "one address is one game server: give both entries the same password, or correct `rcon`",
            );
        }
        let name = entry.key.clone();
        let counted_as = ids.first().map_or_else(|| ServerRef::Name(name.clone()), |id| ServerRef::Id(*id));
        let rewards = given;
        servers.push(GameServer {
            name,
            ids,
            counted_as,
            values,
            rcon,
            password,
            password_source,
            rewards,
            in_doubt,
            receipts,
            receipts_keep,
            replies,
            pace,
            timeouts,
        });
    }
    for (_, entry) in rewards.iter().filter(|(reward, _)| all_known && !used.contains(&reward.name)) {
        let remedy = "add it to the `rewards` of a server, or take it out";
        problems.warning(entry.place(), "no server gives this reward", remedy);
    }
    servers
}

fn check_name(problems: &mut Problems, entry: &Entry) {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if entry.key.is_empty() || !entry.key.bytes().all(allowed) {
        problems.error(
            entry.place(),
            "the name of a server has only small letters a-z, digits and `-`",
            "give it another name; it is yours alone and does not have to be the name in the game",
        );
    }
}

fn read_ids<'n>(
    problems: &mut Problems,
    section: &Section<'n>,
    server: &'n str,
    taken: &mut BTreeMap<u64, (&'n str, &'n At)>,
) -> Vec<u64> {
    let mut ids = Vec::new();
    let parse = |text: &str| text.parse().ok().filter(|_| !text.starts_with(['0', '+']));
    for node in one_or_more(section.get("id")) {
        let form = "an id: a whole number from 1 up, without zeros in front";
        let Some(id) = problems.parsed(Some(node), form, "1", parse) else {
            continue;
        };
        if let Some((other, at)) = taken.get(&id) {
            let message = format!("the id {id} belongs to {} already ({at})", listed([*other]));
            let remedy = "every id belongs to one server; the platform shows it in the server's settings";
            problems.error(node.place(), message, remedy);
            continue;
        }
        taken.insert(id, (server, &node.at));
        ids.push(id);
    }
    ids
}

/// The rewards that the server gives; `None` where that cannot be known.
fn given(
    problems: &mut Problems,
    section: &Section<'_>,
    entry: &Entry,
    rewards: &[rewards::Read<'_>],
) -> Option<Vec<Arc<Reward>>> {
    let node = section.get("rewards");
    let mut remedy = "write `rewards: [daily]` with names from the section `rewards`".to_owned();
    let nodes = match node.map(|node| (node, &node.value)) {
        Some((_, Value::List(list))) => list.entries.as_slice(),
        None | Some((_, Value::Nothing)) => &[],
        Some((_, Value::Broken)) => return None,
        Some((node, value)) => {
            if let Value::Text(text) = value
                && may_be_shown(node, text)
            {
                remedy = format!("write `rewards: [{}]`", shown(&text.text));
            }
            problems.error(node.place(), "this is no list", remedy);
            return None;
        }
    };
    if nodes.is_empty() {
        let place = (node.map_or(&entry.at, |node| &node.at), entry.node.path.as_str());
        if section.get("id").is_some() {
            problems.error(place, "it has an id and no rewards, so its voters would get nothing", remedy);
        } else {
            let message = "it has neither an id nor rewards, so nothing ever happens with it";
            let remedy = "write its id at the platform as `id: 1`, and its rewards as `rewards: [daily]`";
            problems.warning(place, message, remedy);
        }
    }
    let mut given: Vec<Arc<Reward>> = Vec::new();
    for node in nodes {
        let Some(text) = problems.text(node, "daily") else {
            continue;
        };
        let name = text.text.as_str();
        if given.iter().any(|reward| reward.name == name) {
            let message = format!("{}is listed twice", quoted(node, text));
            problems.error(node.place(), message, "take one of the two out");
        } else if let Some((reward, _)) = rewards.iter().find(|(reward, _)| reward.name == name) {
            given.push(Arc::clone(reward));
        } else {
            let names = || rewards.iter().map(|(reward, _)| reward.name.as_str());
            let remedy = match nearest(name, names()) {
                Some(near) => format!("did you mean `{}`?", shown(near)),
                None if rewards.is_empty() => {
                    "write the section `rewards` with a reward of this name".to_owned()
                }
                None => format!("the section `rewards` has {}", listed(names())),
            };
            problems.error(node.place(), format!("{}is no reward", quoted(node, text)), remedy);
        }
    }
    Some(given)
}

/// Tells of placeholders in the rewards of a server that have nothing to stand for there; `counts_votes` is whether one
/// of its rewards has a rule about the number of votes, or a mistake in its place.
fn check_placeholders(
    problems: &mut Problems,
    section: &Section<'_>,
    entry: &Entry,
    rewards: &[Arc<Reward>],
    counts_votes: bool,
    values: &BTreeMap<String, String>,
) {
    let Some(node) = section.get("rewards") else { return };
    for reward in rewards {
        let missing: BTreeSet<&str> = reward
            .all_commands()
            .flat_map(|command| command.run.own())
            .filter(|name| !values.contains_key(*name))
            .collect();
        for name in missing {
            let message =
                format!("`{{{name}}}` in the reward `{}` has no value for this server", shown(&reward.name));
            let remedy = format!(
                "write `{name}: '…'` below `values` of the server, or below `values` at the top of the file for all servers"
            );
            problems.error(node.place(), message, remedy);
        }
        let has = |placeholder| reward.all_commands().any(|command| command.run.has(placeholder));
        if has(Placeholder::VotesToNext) && !counts_votes {
            let message = format!(
                "`{{votes_to_next}}` in the reward `{}` is always 0: no reward of this server has `every_votes` or `milestones`",
                shown(&reward.name)
            );
            problems.warning(node.place(), message, "take it out, or add such a reward to the server");
        }
        if has(Placeholder::ServerId) && entry.node.get("id").is_none() {
            let message = format!(
                "`{{server_id}}` in the reward `{}` is 0: this server has no id",
                shown(&reward.name)
            );
            problems.warning(
                node.place(),
                message,
                "write the server's id at the platform as `id: 1`, or use {server}",
            );
        }
    }
}

/// What the commands of a server do in doubt, and which of its rewards are given twice by that.
fn in_doubt(problems: &mut Problems, node: Option<&Node>, rewards: &[Arc<Reward>]) -> InDoubtRule {
    let rule = problems.choice(node, &IN_DOUBT).unwrap_or_default();
    let twice = |reward: &&Arc<Reward>| {
        let mut inherited = reward.all_commands().filter(|command| command.in_doubt.is_none());
        inherited.any(|command| lints::adds_up(&command.run.to_string()))
    };
    let twice: Vec<&str> = rewards.iter().filter(twice).map(|reward| reward.name.as_str()).collect();
    if let (Some(node), InDoubtRule::Repeat, false) = (node, rule, twice.is_empty()) {
        let message = format!(
            "it holds for every command that has no `in_doubt` of its own, and those of {} give twice when they run twice",
            listed(twice)
        );
        let remedy = "take this line out, and write `in_doubt: repeat` at the commands that do no harm when they run twice";
        problems.warning(node.place(), message, remedy);
    }
    rule
}

fn replies(problems: &mut Problems, node: Option<&Node>) -> ReplyRules {
    let section = problems.section(node, "servers.*.replies").unwrap_or_default();
    let mut several =
        |key| one_or_more(section.get(key)).iter().filter_map(|node| pattern(problems, node)).collect();
    let (success, offline, failure) = (several("success"), several("offline"), several("failure"));
    let list = section.get("list").and_then(|node| {
        let pattern = pattern(problems, node)?;
        if pattern.captures_len() < 2 {
            problems.error(
                node.place(),
                "the pattern has no group, so nobody can tell where the names are",
                "put the part that matches the names in round brackets: 'online: (.*)'",
            );
        }
        Some(pattern)
    });
    ReplyRules { success, offline, failure, list }
}

fn pattern(problems: &mut Problems, node: &Node) -> Option<Regex> {
    let text = problems.verbatim(node, "'^Done'")?;
    if text.text.is_empty() {
        let remedy = "write '^$' for an empty reply, or take it out";
        problems.error(node.place(), "an empty pattern matches every reply", remedy);
        return None;
    }
    let pattern = Regex::new(&text.text);
    if let Err(error) = &pattern {
        // The parser draws the pattern with a mark below; its last line says what is wrong.
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        problems.error(
            node.place(),
            format!("this is no regular expression: {}", shown(reason)),
            "write `\\` before a character that is meant as itself, like \\[ or \\(, and use single quotes",
        );
    }
    pattern.ok()
}

fn timeouts(problems: &mut Problems, node: Option<&Node>) -> Timeouts {
    let section = problems.section(node, "servers.*.timeouts").unwrap_or_default();
    let Timeouts { connect, login, command } = Timeouts::default();
    let (tenth, second, minute) =
        (Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(60));
    Timeouts {
        connect: problems.duration(section.get("connect"), tenth..=minute, connect),
        login: problems.duration(section.get("login"), tenth..=minute, login),
        command: problems.duration(section.get("command"), second..=10 * minute, command),
    }
}
