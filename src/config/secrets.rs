//! The keys that hold secrets: each can be given inline, as a file, or as an environment variable.

use super::problem::{At, listed, shown};
use super::read::{Reader, Section};
use super::secret::{self, Missing};
use super::yaml::{Entry, Node, Value};
use super::{Secret, Sources};
use crate::domain::template::LONGEST_COMMAND;

/// The RCON password of a server and where it comes from.
pub(super) fn password(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    entry: &Entry,
    sources: &Sources,
) -> Option<(Secret, String)> {
    let (node, is_file) = given(
        reader,
        section,
        &entry.at,
        ["password", "password_file"],
        &format!("{}.rcon", shown(&entry.key)),
    )?;
    let (password, source) = one(reader, node, is_file, sources)?;
    if password.expose().len() > LONGEST_COMMAND {
        reader.error(
            node,
            format!("the password is longer than the {LONGEST_COMMAND} bytes that RCON can carry"),
            "set a shorter rcon.password in server.properties, and the same one here",
        );
        return None;
    }
    Some((password, source))
}

/// The signing tokens of the platform; empty where an error was told.
pub(super) fn signing_tokens(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    sources: &Sources,
) -> Vec<Secret> {
    let keys = ["signing_token", "signing_token_file"];
    let Some((node, is_file)) = given(reader, section, section.at, keys, "signing_token") else {
        return Vec::new();
    };
    let nodes = reader.one_or_more(node);
    if nodes.is_empty() && !matches!(node.value, Value::Broken) {
        reader.missing(&node.at, &node.path, "the list is empty", "write at least one");
    }
    nodes.into_iter().filter_map(|node| one(reader, node, is_file, sources)).map(|(token, _)| token).collect()
}

/// Which of the two keys is given, and whether it is the one that names a file. Exactly one has to be.
fn given<'n>(
    reader: &mut Reader<'_>,
    section: &Section<'n>,
    at: &At,
    [inline, file]: [&str; 2],
    example: &str,
) -> Option<(&'n Node, bool)> {
    match (section.get(inline), section.get(file)) {
        (Some(node), None) => Some((node, false)),
        (None, Some(node)) => Some((node, true)),
        (Some(_), Some(node)) => {
            reader.error(
                node,
                format!("`{inline}` is given too, and only one of the two can hold"),
                "take one of them out",
            );
            None
        }
        (None, None) => {
            reader.missing(
                at,
                section.path,
                format!("it has no {}", listed([file])),
                format!("write `{file}: {example}`, and the secret into the file secrets/{example} beside rewards.yaml"),
            );
            None
        }
    }
}

/// One secret and where it comes from.
fn one(reader: &mut Reader<'_>, node: &Node, is_file: bool, sources: &Sources) -> Option<(Secret, String)> {
    if is_file {
        let text = reader.text(node, "name_of_a_file")?;
        return match secret::look_up(&text.text, sources) {
            Ok(found) => {
                if found.readable_by_others {
                    reader.warning(
                        node,
                        format!("everybody on this machine can read {}", found.shown),
                        format!("run: chmod 600 {}", found.shown),
                    );
                }
                Some((found.secret, found.source))
            }
            Err(Missing(message, remedy)) => {
                reader.error(node, message, remedy);
                None
            }
        };
    }
    let text = reader.verbatim(node, "'secret'")?;
    if let Err(wrong) = secret::check(&text.text) {
        reader.error(node, format!("the secret {wrong}"), "write it on one line, in single quotes");
        return None;
    }
    let source = match &node.at {
        At::Variable(name) => name.clone(),
        At::File(_) => {
            reader.warning(
                node,
                "the secret stands in the file itself, where it is easily shown to others",
                "put it into a file in the directory `secrets` and name that here: the key with `_file` at its end",
            );
            sources.path.file_name().unwrap_or(sources.path.as_os_str()).to_string_lossy().into_owned()
        }
    };
    Some((Secret::new(text.text.as_str()), source))
}
