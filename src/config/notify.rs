//! The `notify:` section.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::DateTime;
use reqwest::Url;

use super::problem::{Problems, listed, nearest, shown};
use super::read::Section;
use super::units::{DAY, HOUR, MINUTE};
use super::yaml::{Node, Value};
use super::{Secret, Sources, address, lints, secrets};
use crate::domain::counter::Count;
use crate::domain::event::LONGEST_ID;
use crate::domain::player::LONGEST_NAME;
use crate::domain::template::{Finding, Placeholder, Template, Unsendable, Values};

/// At most one message in this time, unless the owner says otherwise.
const EVERY: Duration = MINUTE;
const SERVER_DOWN_FOR: Duration = Duration::from_secs(10 * 60);
const QUEUE_OLDER_THAN: Duration = HOUR;
/// What is announced of a vote unless the owner says otherwise.
const TEXT: &str = "{player} voted for {server}!";
/// What a vote has only in the commands of a reward.
const OF_A_REWARD: [Placeholder; 2] = [Placeholder::Reward, Placeholder::VotesToNext];

/// The owner's placeholders with values, and the longest name of a game server.
pub(super) struct Context<'a> {
    /// Those that have a value for every game server.
    pub(super) own: &'a BTreeMap<String, String>,
    /// These and others, with the longest value that each has anywhere.
    pub(super) longest: &'a BTreeMap<String, String>,
    /// The longest name.
    pub(super) server: &'a str,
}

/// Who is told of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// Discord-compatible webhooks that are told.
    pub discord: Vec<Hook>,
    /// A program that is told, with its arguments; never empty.
    pub command: Option<Vec<String>>,
    /// What they are told about.
    pub about: BTreeSet<About>,
    /// Each is told at most once in this time.
    pub every: Duration,
    /// How long a game server is down before they are told.
    pub server_down_for: Duration,
    /// How long a vote waits before they are told.
    pub queue_older_than: Duration,
    /// Where votes are announced.
    pub announce: Option<Announce>,
}

/// A Discord-compatible webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The path of its key, which stands for it wherever it is spoken of: its address is a secret.
    pub key: String,
    /// Its address, checked to be one; empty where the configuration was loaded without secrets.
    pub url: Secret,
}

/// Where votes are announced, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Announce {
    /// Discord-compatible webhooks.
    pub hooks: Vec<Hook>,
    /// What is said of one vote.
    pub text: Template,
}

/// What an owner is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A vote, or one of its rewards, is refused.
    Refused,
    /// A command may or may not have run.
    InDoubt,
    /// A game server cannot be used for a while, and that it is back.
    ServerDown,
    /// A vote has waited for long.
    Queue,
    /// Many deliveries were not signed by the platform.
    Forged,
    /// A world has forgotten rewards.
    Forgotten,
}

impl About {
    /// Everything, by its name.
    pub const ALL: [(&'static str, About); 6] = [
        ("refused", About::Refused),
        ("in_doubt", About::InDoubt),
        ("server_down", About::ServerDown),
        ("queue", About::Queue),
        ("forged", About::Forged),
        ("forgotten", About::Forgotten),
    ];

    /// Its name in `rewards.yaml`.
    pub fn name(self) -> &'static str {
        // All of them are there.
        Self::ALL.iter().find(|(_, about)| *about == self).map_or("", |(name, _)| name)
    }
}

impl Default for Notify {
    fn default() -> Self {
        Notify {
            discord: Vec::new(),
            command: None,
            about: About::ALL.map(|(_, about)| about).into(),
            every: EVERY,
            server_down_for: SERVER_DOWN_FOR,
            queue_older_than: QUEUE_OLDER_THAN,
            announce: None,
        }
    }
}

/// Reads who is to be told.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    context: &Context<'_>,
    sources: Option<&Sources>,
) -> Notify {
    let (Some(node), Some(section)) = (node, problems.section(node, "notify")) else {
        return Notify::default();
    };
    let times = Duration::from_secs(1)..=30 * DAY;
    let notify = Notify {
        discord: section.get("discord").map_or_else(Vec::new, |node| discord(problems, node, sources)),
        command: section.get("command").and_then(|node| command(problems, node)),
        about: about(problems, section.get("about")),
        every: problems.duration(section.get("every"), Duration::from_secs(1)..=DAY, EVERY),
        server_down_for: problems.duration(section.get("server_down_for"), times.clone(), SERVER_DOWN_FOR),
        queue_older_than: problems.duration(section.get("queue_older_than"), times, QUEUE_OLDER_THAN),
        announce: section.get("announce").and_then(|node| announce(problems, node, context, sources)),
    };
    if ["discord", "command", "announce"].iter().all(|key| section.get(key).is_none()) && !is_empty(node) {
        let message = "nobody is told: there is neither `discord` nor `command`";
        let remedy = "write `discord:` and below it, indented, `url_file: discord`; or take the section out";
        problems.warning(node.place(), message, remedy);
    }
    notify
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Nothing | Value::Broken)
}

fn discord(problems: &mut Problems, node: &Node, sources: Option<&Sources>) -> Vec<Hook> {
    let section = problems.section(Some(node), "notify.discord");
    section.map_or_else(Vec::new, |section| hooks(problems, &section, node, "discord", sources))
}

/// The webhooks of a section that has `url_file` or `url`.
fn hooks(
    problems: &mut Problems,
    section: &Section<'_>,
    node: &Node,
    example: &str,
    sources: Option<&Sources>,
) -> Vec<Hook> {
    let urls = secrets::several(problems, section, node.place(), ["url", "url_file"], example, sources);
    // Without sources there is nothing to look at.
    let good = urls.into_iter().filter(|(node, url)| sources.is_none() || is_hook(problems, node, url));
    good.map(|(node, url)| Hook { key: node.path.clone(), url }).collect()
}

/// Whether a secret is an address that messages can be posted to. It is never repeated.
fn is_hook(problems: &mut Problems, node: &Node, url: &Secret) -> bool {
    let parsed = url.expose().parse::<Url>().ok();
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        problems.error(
            node.place(),
            "the secret is no web address: it has to begin with https:// and a host",
            "copy the webhook's address from Discord: settings of the channel, Integrations, Webhooks, Copy Webhook URL",
        );
        return false;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if url.scheme() == "http" && !address::is_private(host) {
        let message =
            "the address begins with http://, so anybody on the way can read it and write there, too";
        problems.warning(node.place(), message, "take the one with https://");
    }
    true
}

/// A program and its arguments.
fn command(problems: &mut Problems, node: &Node) -> Option<Vec<String>> {
    let example = "[/usr/local/bin/tell-me]";
    let mut words = Vec::new();
    for node in problems.several(Some(node), example) {
        let text = &problems.verbatim(node, "'/usr/local/bin/tell-me'")?.text;
        if text.chars().any(char::is_control) {
            let message = "there is a line break or another control character in it";
            problems.error(node.place(), message, "write it on one line, in single quotes");
            return None;
        }
        words.push(text.clone());
    }
    let program = words.first()?;
    if !program.starts_with('/') || program.contains(' ') {
        // It is not repeated: a webhook's address may have come to stand here.
        let message = "the command does not begin with the whole path of a program";
        let remedy = format!(
            "write `command: {example}`, with arguments behind a comma each; it runs without a shell"
        );
        problems.error(node.place(), message, remedy);
        return None;
    }
    Some(words)
}

fn about(problems: &mut Problems, node: Option<&Node>) -> BTreeSet<About> {
    if node.is_none() {
        return Notify::default().about;
    }
    let entries = problems.several(node, "[refused, in_doubt]");
    entries.iter().filter_map(|node| problems.choice(Some(node), &About::ALL)).collect()
}

fn announce(
    problems: &mut Problems,
    node: &Node,
    context: &Context<'_>,
    sources: Option<&Sources>,
) -> Option<Announce> {
    let section = problems.section(Some(node), "notify.announce")?;
    let hooks = hooks(problems, &section, node, "votes", sources);
    let text = match section.get("text") {
        Some(node) => text(problems, node, context)?,
        None => Template::parse(TEXT, &BTreeSet::new()).0,
    };
    Some(Announce { hooks, text })
}

/// What is announced: the placeholders are those of commands, as far as a vote has them.
fn text(problems: &mut Problems, node: &Node, context: &Context<'_>) -> Option<Template> {
    let written = problems.verbatim(node, &format!("'{TEXT}'"))?.text.trim_end_matches('\n');
    if written.trim().is_empty() {
        problems.error(node.place(), "the text is empty", format!("write `text: '{TEXT}'`"));
        return None;
    }
    let names: BTreeSet<&str> = context.own.keys().map(String::as_str).collect();
    let (template, findings) = Template::parse(written, &names);
    let of_a_vote = || Placeholder::ALL.iter().filter(|(_, known)| !OF_A_REWARD.contains(known));
    let known = || of_a_vote().map(|(name, _)| *name).chain(names.iter().copied());
    let unknown = findings.iter().filter_map(|finding| match finding {
        Finding::UnknownPlaceholder(name) => Some(name.as_str()),
        // To Discord that is text like any other.
        Finding::PercentWord(_) => None,
    });
    let misplaced = Placeholder::ALL.iter().filter(|(_, known)| OF_A_REWARD.contains(known));
    let misplaced = misplaced.filter(|(_, known)| template.has(*known)).map(|(name, _)| *name);
    let wrong: Vec<&str> = unknown.chain(misplaced).collect();
    for name in &wrong {
        let remedy = match lints::meant_by(name).or_else(|| nearest(name, known())) {
            Some(near) => format!("did you mean `{{{near}}}`?"),
            None => {
                let braced: Vec<String> = known().map(|name| format!("{{{name}}}")).collect();
                format!("there are {}", listed(braced.iter().map(String::as_str)))
            }
        };
        problems.error(node.place(), format!("`{{{}}}` is no placeholder of a vote", shown(name)), remedy);
    }
    let many = u64::from(u32::MAX);
    // Names are put in as plain text, which may take a backslash before each character.
    let longest = Values {
        player: &"x".repeat(2 * LONGEST_NAME),
        server: &context.server.repeat(2),
        server_id: u64::MAX,
        vote_id: &"x".repeat(2 * LONGEST_ID),
        user_id: u64::MAX,
        count: Count { votes: many, today: u32::MAX, month: u32::MAX, streak: u32::MAX, streak_before: 0 },
        votes_to_next: many,
        voted_at: DateTime::constant(2026, 12, 24, 18, 0, 0, 0),
        reward: "",
        own: context.longest,
    };
    let message = match template.render(&longest) {
        Ok(_) => return wrong.is_empty().then_some(template),
        Err(Unsendable::NoValue(_)) => return None,
        Err(Unsendable::ControlCharacter) => {
            "the text has a line break or another control character in it".to_owned()
        }
        Err(Unsendable::TooLong(bytes)) => {
            format!("with a long player name the text has {bytes} bytes, and 1446 are the most")
        }
    };
    problems.error(node.place(), message, "make it one short line");
    None
}
