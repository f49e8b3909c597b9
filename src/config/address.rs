//! Addresses: `rcon: host:port` of a game server, and the webhook's on the web.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

use super::problem::Problems;
use super::read::Section;
use super::yaml::Entry;

const EXAMPLE: &str = "127.0.0.1:25575";

/// Reads `rcon` of a server, `host:port` in one spelling.
pub(super) fn read(problems: &mut Problems, section: &Section<'_>, entry: &Entry) -> Option<String> {
    let Some(node) = section.get("rcon") else {
        problems.error(
            entry.place(),
            "it has no `rcon`",
            format!("write `rcon: {EXAMPLE}`: address and rcon.port of server.properties"),
        );
        return None;
    };
    let (host, port) = problems.parsed(Some(node), "an address and a port", EXAMPLE, host_and_port)?;
    if !is_private(host.trim_matches(['[', ']'])) {
        problems.warning(
            node.place(),
            "RCON is not encrypted, and this address does not look like one of your own network",
            "let RCON listen on 127.0.0.1 or inside a VPN, and put that address here",
        );
    }
    Some(format!("{host}:{port}"))
}

/// `host:port` in its parts, in one spelling, so that equal addresses are equal texts. `localhost` is 127.0.0.1;
/// `[::1]` is not, since a game server can listen on either alone.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|number| *number != 0 && !port.starts_with('+'))?;
    if let Some(v6) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return Some((format!("[{}]", v6.parse::<Ipv6Addr>().ok()?), port));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if host.is_empty() || !host.bytes().all(allowed) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    Some((if host == "localhost" { "127.0.0.1".to_owned() } else { host }, port))
}

/// Whether what is sent to `host` stays in the owner's own network, as far as a name or address can tell.
pub(crate) fn is_private(host: &str) -> bool {
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

/// Why an address is none that the platform could deliver to. Repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// It is no web address.
    #[error("this is no web address: it needs http:// or https://, a host and the path of the webhook")]
    Malformed,
    /// It has a user in it.
    #[error("the address has a user name or a password in it, which the platform does not take")]
    User,
    /// It has what is for browsers only.
    #[error("the address has a `#` in it, and what comes after that is never sent")]
    Fragment,
}

/// The webhook's address as the platform has it.
///
/// # Errors
/// [`NoAddress`].
pub(crate) fn public_url(text: &str) -> Result<Url, NoAddress> {
    let url: Url = text.parse().map_err(|_| NoAddress::Malformed)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(NoAddress::Malformed);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NoAddress::User);
    }
    if url.fragment().is_some() { Err(NoAddress::Fragment) } else { Ok(url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |text| host_and_port(text).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(read("127.0.0.1:25575").as_deref(), Some("127.0.0.1 25575"));
        assert_eq!(read("MC-1:25575").as_deref(), Some("mc-1 25575"));
        assert_eq!(read("[::1]:25575").as_deref(), Some("[::1] 25575"));
        assert_eq!(read("LocalHost:1").as_deref(), Some("127.0.0.1 1"));
        for wrong in
            ["", "25575", "127.0.0.1", ":25575", "a:0", "a:65536", "a:+1", "a b:1", "::1:25575", "rcon://a:1"]
        {
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
