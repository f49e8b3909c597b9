//! Tokens and passwords: each can be given in a file, inline, or as an environment variable.

use std::io::ErrorKind;
use std::path::{Component, Path};

use super::load;
use super::problem::{At, Place, Problems};
use super::read::{Section, one_or_more};
use super::yaml::{Entry, Node, Value};
use super::{Secret, Sources};
use crate::domain::template::LONGEST_COMMAND;

/// A secrets file is one line; something larger is another file.
const LARGEST: u64 = 16 * 1024;

/// The RCON password of a server and where it comes from.
pub(super) fn password(
    problems: &mut Problems,
    section: &Section<'_>,
    entry: &Entry,
    sources: Option<&Sources>,
) -> Option<(Secret, String)> {
    let example = format!("{}.rcon", super::problem::shown(&entry.key));
    let (node, is_file) = given(problems, section, entry.place(), ["password", "password_file"], &example)?;
    let (password, source) = one(problems, node, is_file, sources)?;
    if password.expose().len() > LONGEST_COMMAND {
        problems.error(
            node.place(),
            format!("the password is longer than the {LONGEST_COMMAND} bytes that RCON can carry"),
            "set a shorter rcon.password in server.properties, and the same one here",
        );
        return None;
    }
    Some((password, source))
}

/// The signing tokens of the platform; empty where an error was told.
pub(super) fn signing_tokens(
    problems: &mut Problems,
    section: &Section<'_>,
    place: Place<'_>,
    sources: Option<&Sources>,
) -> Vec<Secret> {
    let keys = ["signing_token", "signing_token_file"];
    let tokens = several(problems, section, place, keys, "signing_token", sources);
    tokens.into_iter().map(|(_, token)| token).collect()
}

/// One secret or a list of them, by one of two keys, each with where it is named; empty where an error was told.
pub(super) fn several<'n>(
    problems: &mut Problems,
    section: &Section<'n>,
    place: Place<'_>,
    keys: [&str; 2],
    example: &str,
    sources: Option<&Sources>,
) -> Vec<(&'n Node, Secret)> {
    let Some((node, is_file)) = given(problems, section, place, keys, example) else {
        return Vec::new();
    };
    let nodes = one_or_more(Some(node));
    if nodes.is_empty() && !matches!(node.value, Value::Broken) {
        problems.error(node.place(), "the list is empty", "write at least one");
    }
    let secret = |node: &'n Node| Some((node, one(problems, node, is_file, sources)?.0));
    nodes.iter().filter_map(secret).collect()
}

/// Which of the two keys is given, and whether it is the one that names a file. Exactly one has to be.
fn given<'n>(
    problems: &mut Problems,
    section: &Section<'n>,
    place: Place<'_>,
    [inline, file]: [&str; 2],
    example: &str,
) -> Option<(&'n Node, bool)> {
    match (section.get(inline), section.get(file)) {
        (Some(node), None) => return Some((node, false)),
        (None, Some(node)) => return Some((node, true)),
        (Some(_), Some(node)) => problems.error(
            node.place(),
            format!("`{inline}` is given too, and only one of the two can hold"),
            "take one of them out",
        ),
        (None, None) => problems.error(
            place,
            format!("it has no `{file}`"),
            format!("write `{file}: {example}`, and the secret into the file secrets/{example} beside rewards.yaml"),
        ),
    }
    None
}

/// One secret and where it comes from; without sources an empty one, which nobody is to use.
fn one(
    problems: &mut Problems,
    node: &Node,
    is_file: bool,
    sources: Option<&Sources>,
) -> Option<(Secret, String)> {
    let Some(sources) = sources else { return Some((Secret::new(""), String::new())) };
    if is_file {
        let text = problems.text(node, "name_of_a_file")?;
        if text.folded {
            // The next line may be a key with the secret itself.
            let message = "the name of the secrets file goes on over several lines, which YAML joins to one";
            let remedy = "write it on one line; the next key begins below the first letter of this one, with a space behind its colon";
            problems.error(node.place(), message, remedy);
            return None;
        }
        let found = look_up(&text.text, sources);
        if let Ok((_, path, true)) = &found {
            let message = format!("everybody on this machine can read {path}");
            problems.warning(node.place(), message, format!("run: chmod 600 {path}"));
        }
        let told = found.map_err(|(message, remedy)| problems.error(node.place(), message, remedy));
        return told.ok().map(|(secret, path, _)| (secret, path));
    }
    let text = problems.verbatim(node, "'secret'")?;
    if let Err(wrong) = check(&text.text) {
        let remedy = "write it on one line, in single quotes";
        problems.error(node.place(), format!("the secret {wrong}"), remedy);
        return None;
    }
    let source = match &node.at {
        At::Variable(name) => name.clone(),
        _ => {
            problems.warning(
                node.place(),
                "the secret stands in the file itself, where it is easily shown to others",
                "put it into a file in the directory `secrets` and name that here: the key with `_file` at its end",
            );
            sources.path.display().to_string()
        }
    };
    Some((Secret::new(text.text.as_str()), source))
}

/// Looks up the secrets file `name`: systemd's credentials first, then `secrets/` beside `rewards.yaml`. Gives the
/// secret, the file's path, and whether everybody can read it.
///
/// # Errors
/// What is wrong, and what to do: with every place that was looked at, and nothing of what a file holds.
fn look_up(name: &str, sources: &Sources) -> Result<(Secret, String, bool), (String, String)> {
    let told = |message: String, remedy: &str| Err((message, remedy.to_owned()));
    let path = Path::new(name);
    if name.contains("://") {
        // The address of a webhook is the secret itself, and is not repeated.
        return told(
            "a web address stands where the name of a secrets file belongs".to_owned(),
            "write the name of a file in the directory `secrets` beside rewards.yaml here, and the address into that file",
        );
    }
    if name.contains(char::is_control) || path.components().any(|part| part == Component::ParentDir) {
        return told(
            "the name of a secrets file cannot have `..` or a control character in it".to_owned(),
            "put the file into the directory `secrets` beside rewards.yaml, or write its whole path",
        );
    }
    let mut places = Vec::new();
    // An absolute path replaces the directory that it is joined to.
    let credentials = sources.credentials().filter(|_| path.is_relative());
    if let Some(directory) = credentials {
        places.extend([name, &format!("secrets_{name}")].map(|name| directory.join(name)));
    }
    places.push(sources.directory().join("secrets").join(path));
    let comes_with_a_restart = sources.again && credentials.is_some();
    for (n, path) in places.iter().enumerate() {
        let shown = path.display().to_string();
        let (bytes, mode) = match load::bytes(path, LARGEST) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            // Behind systemd's back, only root can read the secrets.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && comes_with_a_restart => continue,
            Err(error) => {
                return told(
                    format!("{shown} cannot be read: {error}"),
                    "it has to be a file of one line that the user Votive runs as can read",
                );
            }
        };
        return match secret(&bytes) {
            // systemd guards the directory of its credentials itself.
            Ok(secret) => Ok((secret, shown, n + 1 == places.len() && mode & 0o004 != 0)),
            Err(wrong) => told(format!("{shown} {wrong}"), "write the secret into it, on one line"),
        };
    }
    // Somebody may have written the secret where the name of its file belongs: then it is not repeated.
    if name.len() >= 24 && name.contains(|c: char| c.is_ascii_digit()) && !name.contains(['.', '/']) {
        return told(
            "there is no secrets file of this name".to_owned(),
            "write the name of a file in the directory `secrets` beside rewards.yaml here, and the secret into that file",
        );
    }
    let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
    let create = places.last().map_or("", String::as_str);
    if comes_with_a_restart {
        return told(
            format!(
                "this secret is not among those that systemd handed out when Votive started; looked for {}",
                places.join(", ")
            ),
            &format!(
                "restart instead: put it into {create} if it is not there yet, and run: systemctl restart votive"
            ),
        );
    }
    told(
        format!("there is no such secrets file; looked for {}", places.join(", ")),
        &format!(
            "create {create} with the secret on one line, readable only by the user that Votive runs as (chmod 600)"
        ),
    )
}

/// The secret in a file: without the one line break at its end.
fn secret(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text (UTF-8)")?;
    // Some editors begin a file with a mark that nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    check(text)?;
    Ok(Secret::new(text))
}

/// What holds for every secret, wherever it comes from: the error follows its name.
fn check(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("is empty"),
        _ if text.contains(char::is_control) => Err("has a line break or another control character in it"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_is_the_editors_and_not_the_secrets() {
        let exposed = |bytes: &[u8]| secret(bytes).map(|secret| secret.expose().to_owned());
        assert_eq!(exposed(b"abc"), Ok("abc".to_owned()));
        assert_eq!(exposed(b"abc\n"), Ok("abc".to_owned()));
        assert_eq!(exposed(b" abc \r\n"), Ok(" abc ".to_owned()));
        assert_eq!(exposed(b"\xef\xbb\xbfabc\n"), Ok("abc".to_owned()));
        for wrong in [&b"abc\n\n"[..], b"\n", b"", b"\xff"] {
            assert!(exposed(wrong).is_err());
        }
    }
}
