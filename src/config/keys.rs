//! Every key that `rewards.yaml` knows: the one list for spelling mistakes and for environment variables.

/// How an environment variable that overrides a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Override {
    /// As text, as it stands.
    Text,
    /// As text, or as a YAML list or map where it begins with `[` or `{`.
    Yaml,
    /// Not at all: the key stands inside a list of the file.
    None,
}

use Override::{Text, Yaml};

/// Every key; `*` stands for a name of the owner's, or for a place in a list.
pub(super) const KEYS: [(&str, Override); 72] = [
    ("state_dir", Text),
    ("gamemonitoring.api_url", Text),
    ("gamemonitoring.signing_token", Text),
    ("gamemonitoring.signing_token_file", Yaml),
    ("webhook.listen", Text),
    ("webhook.path", Text),
    ("webhook.public_url", Text),
    ("webhook.acknowledge", Text),
    ("webhook.answer_within", Text),
    ("players.bedrock_prefix", Text),
    ("players.poll_every", Text),
    ("calendar.time_zone", Text),
    ("calendar.grace", Text),
    ("values", Yaml),
    ("values.*", Override::None),
    ("servers.*.id", Yaml),
    ("servers.*.rcon", Text),
    ("servers.*.password", Text),
    ("servers.*.password_file", Text),
    ("servers.*.rewards", Yaml),
    ("servers.*.values", Yaml),
    ("servers.*.values.*", Override::None),
    ("servers.*.in_doubt", Text),
    ("servers.*.receipts", Text),
    ("servers.*.receipts_keep", Text),
    ("servers.*.pace", Text),
    ("servers.*.replies", Yaml),
    ("servers.*.replies.success", Yaml),
    ("servers.*.replies.offline", Yaml),
    ("servers.*.replies.failure", Yaml),
    ("servers.*.replies.list", Text),
    ("servers.*.timeouts", Yaml),
    ("servers.*.timeouts.connect", Text),
    ("servers.*.timeouts.login", Text),
    ("servers.*.timeouts.command", Text),
    ("rewards.*.counts", Text),
    ("rewards.*.chance", Text),
    ("rewards.*.first_vote", Text),
    ("rewards.*.every_votes", Text),
    ("rewards.*.milestones", Yaml),
    ("rewards.*.milestones.*", Override::None),
    ("rewards.*.streak_days", Text),
    ("rewards.*.every_streak_days", Text),
    ("rewards.*.days", Yaml),
    ("rewards.*.between", Text),
    ("rewards.*.from", Text),
    ("rewards.*.until", Text),
    ("rewards.*.limit", Text),
    ("rewards.*.players", Yaml),
    ("rewards.*.except_players", Yaml),
    ("rewards.*.max_age", Text),
    ("rewards.*.one_of", Yaml),
    ("rewards.*.one_of.*", Override::None),
    ("rewards.*.one_of.*.weight", Override::None),
    ("rewards.*.one_of.*.commands", Override::None),
    ("rewards.*.commands", Yaml),
    ("rewards.*.commands.*", Override::None),
    ("rewards.*.commands.*.run", Override::None),
    ("rewards.*.commands.*.require_online", Override::None),
    ("rewards.*.commands.*.optional", Override::None),
    ("rewards.*.commands.*.in_doubt", Override::None),
    ("rewards.*.commands.*.receipt", Override::None),
    ("notify.discord.url_file", Yaml),
    ("notify.discord.url", Text),
    ("notify.command", Yaml),
    ("notify.about", Yaml),
    ("notify.every", Text),
    ("notify.server_down_for", Text),
    ("notify.queue_older_than", Text),
    ("notify.announce.url_file", Yaml),
    ("notify.announce.url", Text),
    ("notify.announce.text", Text),
];

/// Every key of `rewards.yaml`; `*` stands for a name of the owner's, or for a place in a list.
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

/// The keys right under a section (`""`, `webhook`, `servers.*`), each once.
pub(super) fn under(section: &str) -> Vec<&'static str> {
    let section = if section.is_empty() { String::new() } else { format!("{section}.") };
    let mut names: Vec<&'static str> = Vec::new();
    for (key, _) in KEYS {
        // `split` yields at least one piece.
        let name = key.strip_prefix(&section).and_then(|rest| rest.split('.').next());
        names.extend(name.filter(|name| *name != "*" && !names.contains(name)));
    }
    names
}

/// The section that knows `name`, for a key that was written in the wrong place.
pub(super) fn section_of(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .find_map(|(key, _)| key.rsplit_once('.').filter(|(_, last)| *last == name && name != "*"))
        .map(|(section, _)| section)
}

/// Whether any section has a key of this name.
pub(super) fn is_known(name: &str) -> bool {
    KEYS.iter().any(|(key, _)| key.split('.').any(|part| part == name))
}

/// Whether the value of this key is one text, as every entry of a list is.
pub(super) fn is_text(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    let mut named = KEYS.iter().filter(|(key, _)| key.rsplit('.').next() == Some(last)).peekable();
    path.ends_with(']') || (named.peek().is_some() && named.all(|(_, how)| *how != Yaml))
}

/// Whether the value of this key is never shown.
pub(super) fn is_secret(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    let last = last.split('[').next().unwrap_or(last);
    matches!(last, "password" | "signing_token" | "url")
}

/// What owners call `run`.
pub(super) const NAMES_OF_RUN: [&str; 2] = ["command", "cmd"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections() {
        assert_eq!(
            under(""),
            [
                "state_dir",
                "gamemonitoring",
                "webhook",
                "players",
                "calendar",
                "values",
                "servers",
                "rewards",
                "notify"
            ]
        );
        assert_eq!(under("rewards.*.one_of.*"), ["weight", "commands"]);
        assert_eq!(under("servers.*.replies"), ["success", "offline", "failure", "list"]);
        assert_eq!(
            under("rewards.*.commands.*"),
            ["run", "require_online", "optional", "in_doubt", "receipt"]
        );
        assert_eq!(section_of("listen"), Some("webhook"));
        assert_eq!(section_of("nothing"), None);
    }

    #[test]
    fn secrets_are_known_wherever_they_stand() {
        assert!(is_secret("servers.a.password"));
        assert!(is_secret("gamemonitoring.signing_token[2]"));
        assert!(is_secret("notify.discord.url"));
        assert!(!is_secret("gamemonitoring.signing_token_file"));
        assert!(!is_secret("gamemonitoring.api_url"));
    }
}
