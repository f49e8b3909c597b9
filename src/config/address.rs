//! `rcon: host:port` of a game server.

use std::net::IpAddr;

use super::read::{Reader, Section};
use super::yaml::Entry;

/// Reads `rcon` of a server, `host:port` in one spelling.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, entry: &Entry) -> Option<String> {
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
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// `host:port` in its parts, in one spelling, so that equal addresses are equal texts.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|number| *number != 0 && port.bytes().all(|b| b.is_ascii_digit()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |text| host_and_port(text).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(read("127.0.0.1:25575").as_deref(), Some("127.0.0.1 25575"));
        assert_eq!(read("MC-1:25575").as_deref(), Some("mc-1 25575"));
        assert_eq!(read("[::1]:25575").as_deref(), Some("::1 25575"));
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
