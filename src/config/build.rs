//! The tree → [`Config`]. Every section is read whatever is wrong with the others, so that all errors come at once.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::{At, Problems};
use super::read::{Reader, Section};
use super::yaml::Node;
use super::{
    Acknowledge, Config, Gamemonitoring, Players, Sources, Webhook, address, given, rewards, secrets, servers,
};

const API_URL: &str = "https://api.gamemonitoring.net";
const STATE_DIR: &str = "/var/lib/votive";

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);
const WEBHOOK_PATH: &str = "/gamemonitoring-webhook";
/// Answered by ourselves, so no webhook can live there.
const HEALTH_PATH: &str = "/healthz";
/// The platform's time-out is not published; 5 s is thought to be safe.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

const POLL_EVERY: Duration = Duration::from_secs(5);
/// What Floodgate may put in front of a name without the name needing quotes in a command.
const BEDROCK_PREFIXES: [(&str, char); 4] = [(".", '.'), ("+", '+'), ("-", '-'), ("_", '_')];

/// Builds the configuration; `None` where the tree has errors that leave nothing to build. Even a returned one is
/// valid only if `problems` has no error.
pub(super) fn build(root: &Node, sources: &Sources, problems: &mut Problems) -> Option<Config> {
    let mut reader = Reader { problems };
    let root = reader.section(root, "")?;
    let state_dir = state_dir(&mut reader, root.get("state_dir"), sources);
    let gamemonitoring = gamemonitoring(&mut reader, &root, sources);
    let webhook = webhook(&mut reader, root.get("webhook"));
    let players = players(&mut reader, root.get("players"));
    let read = rewards::read(&mut reader, root.get("rewards"));
    let servers = servers::read(&mut reader, &root, &read, sources);
    unused(&mut reader, &root, &read);
    Some(Config { state_dir, gamemonitoring: gamemonitoring?, webhook: webhook?, players: players?, servers })
}

/// Tells of rewards that no server gives, and of commands too long for the servers that give them.
fn unused(reader: &mut Reader<'_>, root: &Section<'_>, read: &[rewards::Read]) {
    let by_server = given::names_by_server(root.get("servers"));
    for reward in read {
        let name = reward.reward.name.as_str();
        let givers: Vec<&str> = (by_server.iter().flatten())
            .filter(|(_, names)| names.contains(&name))
            .map(|(server, _)| *server)
            .collect();
        if givers.is_empty() && by_server.is_some() {
            reader.problems.warning(
                &reward.at,
                &super::yaml::join("rewards", name),
                "no server gives this reward",
                "add it to the `rewards` of a server, or take it out",
            );
        }
        rewards::check_length(reader, reward, &givers);
    }
}

fn state_dir(reader: &mut Reader<'_>, node: Option<&Node>, sources: &Sources) -> PathBuf {
    let written = node.and_then(|node| {
        let text = reader.text(node, STATE_DIR)?;
        if text.text.is_empty() || text.text.contains('\0') {
            reader.error(
                node,
                "this is no directory",
                format!("write `state_dir: {STATE_DIR}`, or take the line out"),
            );
            return None;
        }
        // An absolute path replaces the directory that it is joined to.
        Some(sources.directory().join(&text.text))
    });
    // systemd gives several directories with colons between them where a unit asks for several.
    let systemd = sources.env.get("STATE_DIRECTORY").and_then(|list| list.split(':').next());
    let systemd = systemd.filter(|first| !first.is_empty()).map(PathBuf::from);
    let default = || systemd.unwrap_or_else(|| Path::new(STATE_DIR).to_owned());
    sources.state_dir.clone().or(written).unwrap_or_else(default)
}

fn gamemonitoring(reader: &mut Reader<'_>, root: &Section<'_>, sources: &Sources) -> Option<Gamemonitoring> {
    let Some(node) = root.get("gamemonitoring") else {
        reader.missing(
            &At::START,
            "gamemonitoring",
            "the section is missing, so no vote could be told from a forged one",
            "write `gamemonitoring:` and below it, indented, `signing_token_file: signing_token`; the token is in the project's settings at the platform",
        );
        return None;
    };
    let section = reader.section(node, "gamemonitoring")?;
    let signing_tokens = secrets::signing_tokens(reader, &section, sources);
    let api_url = match section.get("api_url") {
        Some(node) => api_url(reader, node)?,
        None => base(API_URL)?,
    };
    Some(Gamemonitoring { api_url, signing_tokens })
}

fn api_url(reader: &mut Reader<'_>, node: &Node) -> Option<reqwest::Url> {
    let text = reader.text(node, API_URL)?;
    // The address is not repeated: a name and password in it would be a secret.
    let Some(url) = base(&text.text) else {
        reader.error(
            node,
            "this is no web address of an API: it needs http:// or https:// and a host, and can have no user, password, `?` or `#`",
            format!("write `api_url: {API_URL}`, or take the line out"),
        );
        return None;
    };
    if url.scheme() == "http"
        && !address::is_private(url.host_str().unwrap_or_default().trim_matches(['[', ']']))
    {
        reader.warning(
            node,
            "votes fetched over http:// can be forged by anybody on the way",
            "write https://",
        );
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

fn webhook(reader: &mut Reader<'_>, node: Option<&Node>) -> Option<Webhook> {
    let mut webhook = Webhook {
        listen: LISTEN,
        path: WEBHOOK_PATH.to_owned(),
        acknowledge: Acknowledge::default(),
        answer_within: ANSWER_WITHIN,
    };
    let Some(node) = node else { return Some(webhook) };
    let section = reader.section(node, "webhook")?;
    if let Some(node) = section.get("listen") {
        let form = "an IP address and a port";
        let listen = reader.parsed(node, form, &LISTEN.to_string(), |text| text.parse().ok());
        webhook.listen = listen.unwrap_or(LISTEN);
    }
    if let Some(node) = section.get("path") {
        let form = format!("a path: it begins with `/`, has no spaces, `?` or `#`, and is not {HEALTH_PATH}");
        let path = reader.parsed(node, &form, WEBHOOK_PATH, |text| is_path(text).then(|| text.to_owned()));
        webhook.path = path.unwrap_or(webhook.path);
    }
    if let Some(node) = section.get("acknowledge") {
        let choices = [("granted", Acknowledge::Granted), ("recorded", Acknowledge::Recorded)];
        webhook.acknowledge = reader.choice(node, &choices).unwrap_or_default();
    }
    if let Some(node) = section.get("answer_within") {
        let (least, most) = (Duration::from_millis(500), Duration::from_secs(30));
        webhook.answer_within = reader.duration(node, least, most, ANSWER_WITHIN);
    }
    Some(webhook)
}

fn is_path(text: &str) -> bool {
    // Only what a request carries unchanged; anything else would be percent-encoded on the way and never match.
    let allowed = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(b, b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    text.starts_with('/') && text.bytes().all(allowed) && text != HEALTH_PATH
}

fn players(reader: &mut Reader<'_>, node: Option<&Node>) -> Option<Players> {
    let mut players = Players { bedrock_prefix: None, poll_every: POLL_EVERY };
    let Some(node) = node else { return Some(players) };
    let section = reader.section(node, "players")?;
    if let Some(node) = section.get("bedrock_prefix") {
        players.bedrock_prefix = reader.choice(node, &BEDROCK_PREFIXES);
    }
    if let Some(node) = section.get("poll_every") {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(600));
        players.poll_every = reader.duration(node, least, most, POLL_EVERY);
    }
    Some(players)
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
