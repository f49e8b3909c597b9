//! Tokens and passwords: where they are looked up and what they may look like.

use std::path::{Path, PathBuf};

use super::{Secret, Sources};

/// A secrets file is one line; something larger is another file.
const LARGEST: u64 = 16 * 1024;

/// A secret and the file that it came from.
pub(super) struct Found {
    pub(super) secret: Secret,
    /// For the log: `secrets/survival.rcon`.
    pub(super) source: String,
    /// For messages: the path as one can type it.
    pub(super) shown: String,
    /// Whether everybody on this machine can read the file.
    pub(super) readable_by_others: bool,
}

/// Why there is no secret: what is wrong, and what to do.
pub(super) struct Missing(pub(super) String, pub(super) String);

/// Looks up the secrets file `name`: systemd's credentials first, then `secrets/` beside `rewards.yaml`.
///
/// # Errors
/// [`Missing`], which names every place that was looked at (unless the name looks like a secret itself) and nothing of
/// what a file holds.
pub(super) fn look_up(name: &str, sources: &Sources) -> Result<Found, Missing> {
    let path = Path::new(name);
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Missing(
            "it is not the name of a file".to_owned(),
            "write the name of a file in the directory `secrets` beside rewards.yaml".to_owned(),
        ));
    }
    if path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(Missing(
            "the name of a secrets file cannot have `..` in it".to_owned(),
            "put the file into the directory `secrets` beside rewards.yaml, or write its whole path"
                .to_owned(),
        ));
    }
    let places = places(name, sources);
    for place in &places {
        match read(&place.path) {
            Ok(Some((text, readable_by_others))) => {
                let secret = secret(&text).map_err(|wrong| {
                    Missing(
                        format!("{} {wrong}", place.shown),
                        "write the secret into it, on one line".to_owned(),
                    )
                })?;
                return Ok(Found {
                    secret,
                    source: place.source.clone(),
                    shown: place.shown.clone(),
                    readable_by_others: readable_by_others && !place.credential,
                });
            }
            Ok(None) => {}
            Err(error) => {
                return Err(Missing(
                    format!("{} cannot be read: {error}", place.shown),
                    "it has to be a file of one line that the user Votive runs as can read".to_owned(),
                ));
            }
        }
    }
    if may_be_a_secret(name) {
        return Err(Missing(
            "there is no secrets file of this name".to_owned(),
            "write the name of a file in the directory `secrets` beside rewards.yaml here, and the secret into that file"
                .to_owned(),
        ));
    }
    let looked_at: Vec<&str> = places.iter().map(|place| place.shown.as_str()).collect();
    let create = places.last().map_or("", |place| place.shown.as_str());
    Err(Missing(
        format!("there is no such secrets file; looked for {}", looked_at.join(", ")),
        format!(
            "create {create} with the secret on one line, readable only by the user that Votive runs as (chmod 600)"
        ),
    ))
}

/// Whether somebody may have written the secret where the name of its file belongs: then it is not repeated.
fn may_be_a_secret(name: &str) -> bool {
    name.len() >= 24 && name.contains(|c: char| c.is_ascii_digit()) && !name.contains(['.', '/'])
}

struct Place {
    path: PathBuf,
    /// How the log names it: `secrets/survival.rcon`.
    source: String,
    /// How messages name it, so that it can be typed after them.
    shown: String,
    /// Whether it is systemd's: it guards the directory itself.
    credential: bool,
}

fn places(name: &str, sources: &Sources) -> Vec<Place> {
    if Path::new(name).is_absolute() {
        return vec![Place {
            path: PathBuf::from(name),
            source: name.to_owned(),
            shown: name.to_owned(),
            credential: false,
        }];
    }
    let mut places = Vec::new();
    if let Some(directory) = sources.env.get("CREDENTIALS_DIRECTORY").filter(|text| !text.is_empty()) {
        for name in [name.to_owned(), format!("secrets_{name}")] {
            places.push(Place {
                path: Path::new(directory).join(&name),
                source: format!("$CREDENTIALS_DIRECTORY/{name}"),
                shown: format!("$CREDENTIALS_DIRECTORY/{name}"),
                credential: true,
            });
        }
    }
    let path = sources.directory().join("secrets").join(name);
    places.push(Place {
        shown: path.display().to_string(),
        path,
        source: format!("secrets/{name}"),
        credential: false,
    });
    places
}

/// The text of a file and whether others can read it; `None` where there is no file.
fn read(path: &Path) -> std::io::Result<Option<(Vec<u8>, bool)>> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    if metadata.len() > LARGEST {
        return Err(std::io::Error::other("it is too large for a secret"));
    }
    Ok(Some((std::fs::read(path)?, metadata.permissions().mode() & 0o004 != 0)))
}

/// The secret in a file: without the one line break at its end.
fn secret(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text (UTF-8)")?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    check(text)?;
    Ok(Secret::new(text))
}

/// What holds for every secret, wherever it comes from.
///
/// # Errors
/// What is wrong with it, to follow its name.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        Err("is empty")
    } else if text.chars().any(char::is_control) {
        Err("has a line break or another control character in it")
    } else {
        Ok(())
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
        assert!(exposed(b"abc\n\n").is_err());
        assert!(exposed(b"\n").is_err());
        assert!(exposed(b"").is_err());
        assert!(exposed(b"\xff").is_err());
    }
}
