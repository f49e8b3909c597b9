//! The tree → [`Config`]. Every section is read whatever is wrong with the others, so that all errors come at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::{At, Problems};
use super::rewards::{self, Context};
use super::yaml::{Node, Value};
use super::{
    Acknowledge, Config, Gamemonitoring, Metrics, Players, Sources, Webhook, address, calendar, notify,
    secrets, servers, values,
};
use crate::http::webhook::HEALTH_PATH;

const API_URL: &str = "https://api.gamemonitoring.net";
/// Where systemd puts the ledger, and so where it is unless somebody says otherwise.
pub(crate) const STATE_DIR: &str = "/var/lib/votive";

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);
/// An example: nothing is listened on unless the owner says so.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8788);
const WEBHOOK_PATH: &str = "/gamemonitoring-webhook";
const PUBLIC_URL: &str = "https://votes.example.org/gamemonitoring-webhook";
/// The platform's time-out is not published; 5 s is thought to be safe.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

const POLL_EVERY: Duration = Duration::from_secs(5);
/// What Floodgate may put in front of a name without the name needing quotes in a command.
const BEDROCK_PREFIXES: [(&str, char); 4] = [(".", '.'), ("+", '+'), ("-", '-'), ("_", '_')];

/// Builds the configuration, with the secrets from their sources, or without any; `None` where there are errors that
/// leave nothing to build. Even a returned one is valid only if `problems` has no error.
pub(super) fn build(
    root: &Node,
    sources: &Sources,
    secrets: Option<&Sources>,
    problems: &mut Problems,
) -> Option<Config> {
    let section = problems.section(Some(root), "")?;
    let state_dir = state_directory(problems, section.get("state_dir"), sources);
    let gamemonitoring = gamemonitoring(problems, section.get("gamemonitoring"), secrets);
    let webhook = webhook(problems, section.get("webhook"));
    let metrics = metrics(problems, section.get("metrics"), webhook.listen);
    let players = players(problems, section.get("players"));
    let calendar = calendar::read(problems, section.get("calendar"));
    let values = values::read(problems, section.get("values"));
    let servers = section.get("servers");
    let longest = values::longest(&values, servers);
    let context = Context {
        bedrock_prefix: players.bedrock_prefix,
        calendar: &calendar,
        server: longest_name(servers),
        values: &longest,
    };
    let rewards = rewards::read(problems, section.get("rewards"), &context);
    if section.get("calendar").and_then(|calendar| calendar.get("time_zone")).is_none() {
        calendar::warn_of_utc(problems, &rewards);
    }
    let context = notify::Context { own: &values, longest: &longest, server: longest_name(servers) };
    let notify = notify::read(problems, section.get("notify"), &context, secrets);
    let servers = servers::read(problems, servers, &rewards, &values, secrets);
    let gamemonitoring = gamemonitoring?;
    Some(Config { state_dir, gamemonitoring, webhook, metrics, players, calendar, servers, notify })
}

fn longest_name(servers: Option<&Node>) -> &str {
    let Some(Value::Map(map)) = servers.map(|node| &node.value) else { return "" };
    map.entries.iter().map(|entry| entry.key.as_str()).max_by_key(|name| name.len()).unwrap_or_default()
}

/// The state directory alone; `None` where there is no section that could name one.
pub(super) fn state_dir(root: &Node, sources: &Sources, problems: &mut Problems) -> Option<PathBuf> {
    let section = problems.section(Some(root), "")?;
    Some(state_directory(problems, section.get("state_dir"), sources))
}

fn state_directory(problems: &mut Problems, node: Option<&Node>, sources: &Sources) -> PathBuf {
    let valid = |text: &str| (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned());
    let written = problems.parsed(node, "a directory", STATE_DIR, valid);
    // systemd gives several directories with colons between them where a unit asks for several.
    let systemd = sources.env.get("STATE_DIRECTORY").and_then(|list| list.split(':').next());
    let systemd = systemd.filter(|first| !first.is_empty()).map(PathBuf::from);
    (sources.state_dir.clone())
        // An absolute path replaces the directory that it is joined to.
        .or_else(|| written.map(|path| sources.directory().join(path)))
        .or(systemd)
        .unwrap_or_else(|| Path::new(STATE_DIR).to_owned())
}

fn gamemonitoring(
    problems: &mut Problems,
    node: Option<&Node>,
    sources: Option<&Sources>,
) -> Option<Gamemonitoring> {
    let Some(node) = node else {
        problems.error(
            (&At::START, "gamemonitoring"),
            "the section is missing, so no vote could be told from a forged one",
            "write `gamemonitoring:` and below it, indented, `signing_token_file: signing_token`; the token is in the project's settings at the platform",
        );
        return None;
    };
    let section = problems.section(Some(node), "gamemonitoring")?;
    let signing_tokens = secrets::signing_tokens(problems, &section, node.place(), sources);
    let api_url = match section.get("api_url") {
        Some(node) => api_url(problems, node)?,
        None => base(API_URL)?,
    };
    Some(Gamemonitoring { api_url, signing_tokens })
}

fn api_url(problems: &mut Problems, node: &Node) -> Option<reqwest::Url> {
    let text = problems.text(node, API_URL)?;
    // The address is not repeated: a name and password in it would be a secret.
    let Some(url) = base(&text.text) else {
        problems.error(
            node.place(),
            "this is no web address of an API: it needs http:// or https:// and a host, and can have no user, password, `?` or `#`",
            format!("write `api_url: {API_URL}`, or take the line out"),
        );
        return None;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if url.scheme() == "http" && !address::is_private(host) {
        let message = "votes fetched over http:// can be forged by anybody on the way";
        problems.warning(node.place(), message, "write https://");
    }
    Some(url)
}

/// A base address, without a slash at its end where it has a path.
fn base(text: &str) -> Option<reqwest::Url> {
    let mut url: reqwest::Url = text.parse().ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    plain.then_some(url)
}

fn webhook(problems: &mut Problems, node: Option<&Node>) -> Webhook {
    let section = problems.section(node, "webhook").unwrap_or_default();
    let address = |text: &str| text.parse().ok();
    let listen =
        problems.parsed(section.get("listen"), "an IP address and a port", &LISTEN.to_string(), address);
    let form = format!("a path: it begins with `/`, has no spaces, `?` or `#`, and is not {HEALTH_PATH}");
    let path = |text: &str| is_path(text).then(|| text.to_owned());
    let path = problems.parsed(section.get("path"), &form, WEBHOOK_PATH, path);
    let public_url = section.get("public_url").and_then(|node| public_url(problems, node));
    let choices = [("granted", Acknowledge::Granted), ("recorded", Acknowledge::Recorded)];
    let range = Duration::from_millis(500)..=Duration::from_secs(30);
    Webhook {
        listen: listen.unwrap_or(LISTEN),
        path: path.unwrap_or_else(|| WEBHOOK_PATH.to_owned()),
        public_url,
        acknowledge: problems.choice(section.get("acknowledge"), &choices).unwrap_or_default(),
        answer_within: problems.duration(section.get("answer_within"), range, ANSWER_WITHIN),
    }
}

fn public_url(problems: &mut Problems, node: &Node) -> Option<reqwest::Url> {
    let text = problems.text(node, PUBLIC_URL)?;
    match address::public_url(&text.text) {
        Ok(url) => Some(url),
        // The address is not repeated: a name and password in it would be a secret.
        Err(wrong) => {
            let wrong = wrong.to_string();
            let remedy = format!(
                "write the webhook's address as the platform has it, like `public_url: {PUBLIC_URL}`, or take the line out"
            );
            problems.error(node.place(), wrong, remedy);
            None
        }
    }
}

fn metrics(problems: &mut Problems, node: Option<&Node>, taken: SocketAddr) -> Metrics {
    let section = problems.section(node, "metrics").unwrap_or_default();
    let node = section.get("listen");
    let address = |text: &str| text.parse().ok();
    let listen = problems.parsed(node, "an IP address and a port", &METRICS.to_string(), address);
    if let (Some(node), true) = (node, listen == Some(taken) && taken.port() != 0) {
        let message = "deliveries arrive at this address already, as webhook.listen says";
        problems.error(node.place(), message, format!("take another port: `listen: {METRICS}`"));
    }
    Metrics { listen }
}

fn is_path(text: &str) -> bool {
    // Only what a request carries unchanged; anything else would be percent-encoded on the way and never match.
    let allowed = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(b, b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    text.starts_with('/') && text.bytes().all(allowed) && text != HEALTH_PATH
}

fn players(problems: &mut Problems, node: Option<&Node>) -> Players {
    let section = problems.section(node, "players").unwrap_or_default();
    let range = Duration::from_secs(1)..=Duration::from_secs(600);
    Players {
        bedrock_prefix: problems.choice(section.get("bedrock_prefix"), &BEDROCK_PREFIXES),
        poll_every: problems.duration(section.get("poll_every"), range, POLL_EVERY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        let shown = |text| base(text).map(|url| url.to_string());
        assert_eq!(shown(API_URL).as_deref(), Some("https://api.gamemonitoring.net/"));
        assert_eq!(shown("http://127.0.0.1:1/api/").as_deref(), Some("http://127.0.0.1:1/api"));
        for wrong in
            ["", "api", "ftp://a", "https://u@a", "https://u:p@a", "https://a?b", "https://a#b", "https://"]
        {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn paths() {
        for good in ["/", "/a", "/a/b-c_d.e~f"] {
            assert!(is_path(good), "{good}");
        }
        for wrong in ["", "a", "/a b", "/a?b", "/a#b", "/healthz", "/ä", "/a\n"] {
            assert!(!is_path(wrong), "{wrong}");
        }
    }
}
