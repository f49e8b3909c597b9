//! Tells a target: one attempt, and how often there are others.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::message::Message;
use super::{Target, Way};
use crate::config::Secret;
use crate::outbound;

/// The wait before the second attempt; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How often a message is tried. With the waits and the time-outs between them, that is up to three and a half minutes.
const ATTEMPTS: u32 = 8;
/// The longest wait that a target is granted when it asks for one.
const LONGEST_GRANTED_WAIT: Duration = Duration::from_secs(15 * 60);
/// How long the owner's program may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most bytes of an answer that are read; only "too fast" has one that matters.
const LONGEST_ANSWER: usize = 4 * 1024;
/// What the owner's program sees of Votive's environment. The rest may hold secrets.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// Tells targets. Clones share the turn of the owner's program: it runs once at a time.
#[derive(Clone, Debug)]
pub(super) struct Carrier {
    client: Result<Client, String>,
    turn: Arc<Mutex<()>>,
}

/// Why a message was not told. The texts name no address.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether another attempt can help, and the least wait before it.
    again: Option<Duration>,
}

impl Carrier {
    /// For such targets.
    pub(super) fn new<'t>(targets: impl IntoIterator<Item = &'t Target>, turn: Arc<Mutex<()>>) -> Self {
        let is_https = |target: &Target| match &target.way {
            // A check of the whole scheme was made at load, in whatever spelling.
            Way::Webhook(url) => !url.expose().to_ascii_lowercase().starts_with("http://"),
            Way::Command(_) => false,
        };
        let client = outbound::client(targets.into_iter().any(is_https)).map_err(|error| {
            format!(
                "cannot make HTTPS connections{}; install the system's certificate authorities (Debian: ca-certificates)",
                outbound::causes(error)
            )
        });
        Carrier { client, turn }
    }

    /// Tells a target, once.
    pub(super) async fn tell(&self, target: &Target, message: &Message) -> Result<(), Failure> {
        match &target.way {
            Way::Webhook(url) => match &self.client {
                Ok(client) => post(client, url, &message.markdown).await,
                Err(why) => Err(Failure { why: why.clone(), again: None }),
            },
            Way::Command(words) => {
                let _turn = self.turn.lock().await;
                run(words, message).await
            }
        }
    }
}

/// Attempts until one succeeds, as long as another can help.
///
/// # Errors
/// Why the last one failed.
pub(super) async fn insist<F>(mut attempt: impl FnMut() -> F) -> Result<(), String>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut wait = FIRST_WAIT;
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(Failure { again: Some(asked), .. }) if attempts < ATTEMPTS => {
                sleep(wait.max(asked.min(LONGEST_GRANTED_WAIT))).await;
            }
            ended => return ended.map_err(|failure| failure.why),
        }
        wait *= 2;
        attempts += 1;
    }
}

async fn post(client: &Client, url: &Secret, markdown: &str) -> Result<(), Failure> {
    // Whatever the text says, nobody is pinged by it.
    let body = json!({"content": markdown, "allowed_mentions": {"parse": []}});
    let request = client.post(url.expose()).header(CONTENT_TYPE, "application/json").body(body.to_string());
    let response = request.send().await.map_err(unanswered)?;
    let status = response.status();
    let number = status.as_u16();
    let (hint, again) = match status {
        _ if status.is_success() => return Ok(()),
        StatusCode::TOO_MANY_REQUESTS => ("it is told too often", Some(asked_for(response).await)),
        StatusCode::REQUEST_TIMEOUT => ("it was too busy", Some(Duration::ZERO)),
        _ if status.is_server_error() => ("it is in trouble", Some(Duration::ZERO)),
        _ if status.is_redirection() => {
            ("the webhook is elsewhere; put its new address into the secret", None)
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => {
            ("the webhook is gone, or its address is not whole; put its address into the secret anew", None)
        }
        _ => ("it does not take messages in Discord's form", None),
    };
    Err(Failure { why: format!("answered with {number}: {hint}"), again })
}

fn unanswered(error: reqwest::Error) -> Failure {
    let what = if error.is_timeout() {
        "did not answer within 10 seconds"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke the connection off"
    };
    Failure { why: format!("{what}{}", outbound::causes(error)), again: Some(Duration::ZERO) }
}

/// The wait that an answer asks for: in its header, or with a fraction in its body, as Discord does.
async fn asked_for(mut response: Response) -> Duration {
    if let Some(wait) = outbound::retry_after(response.headers(), SystemTime::now()) {
        return wait;
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(LONGEST_ANSWER - body.len())]);
        if body.len() == LONGEST_ANSWER {
            break;
        }
    }
    asked_in(&body).unwrap_or_default()
}

fn asked_in(body: &[u8]) -> Option<Duration> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    Duration::try_from_secs_f64(answer["retry_after"].as_f64()?).ok()
}

/// Runs the owner's program, with the message as its standard input. It is not run again: nobody knows what half of it
/// has done.
async fn run(words: &[String], message: &Message) -> Result<(), Failure> {
    let failed = |why: String| Failure { why, again: None };
    // The loader takes no empty one.
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let inherited = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let about: Vec<&str> = message.about.iter().map(|about| about.name()).collect();
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(inherited)
        .env("VOTIVE_ABOUT", about.join(","))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let mut group = Group::of(&child);
    let ended = timeout(LIMIT, async {
        if let Some(mut input) = child.stdin.take() {
            // One that does not read it is its own affair.
            drop(input.write_all(format!("{}\n", message.text).as_bytes()).await);
        }
        child.wait().await
    });
    match ended.await {
        Ok(ended) => {
            group.has_ended();
            match ended {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(failed(format!("ended with {status}"))),
                Err(error) => Err(failed(format!("cannot be waited for: {error}"))),
            }
        }
        Err(_) => {
            drop(group);
            // It is dead, and is to leave nothing behind.
            drop(child.wait().await);
            Err(failed("did not end within 10 seconds and was killed".to_owned()))
        }
    }
}

/// A program and what it has started. Killed when dropped, unless the program has ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// Its number may belong to others from now on.
    fn has_ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails only where nobody is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    fn failure(again: Option<u64>) -> Failure {
        Failure { why: "is away".to_owned(), again: again.map(Duration::from_secs) }
    }

    /// What becomes of a message whose attempts end so; the last one repeats. Gives the seconds of each attempt.
    async fn told(ends: &[Result<(), Option<u64>>]) -> (Result<(), String>, Vec<u64>) {
        let begun = Instant::now();
        let times = Cell::new(Vec::new());
        let ended = insist(|| {
            let mut seen = times.take();
            let end = ends[seen.len().min(ends.len() - 1)].map_err(failure);
            seen.push(begun.elapsed().as_secs());
            times.set(seen);
            async move { end }
        });
        (ended.await, times.take())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_tried_again_after_growing_waits_and_given_up_in_the_end() {
        let soon = Err(Some(0));
        assert_eq!(told(&[soon, soon, Ok(())]).await, (Ok(()), vec![0, 1, 3]));
        let (ended, times) = told(&[soon]).await;
        assert_eq!((ended, times), (Err("is away".to_owned()), vec![0, 1, 3, 7, 15, 31, 63, 127]));
        assert_eq!(told(&[soon, Err(None), Ok(())]).await, (Err("is away".to_owned()), vec![0, 1]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_that_is_asked_for_is_granted_up_to_a_quarter_of_an_hour() {
        assert_eq!(told(&[Err(Some(30)), Err(Some(u64::MAX)), Ok(())]).await, (Ok(()), vec![0, 30, 930]));
    }

    #[test]
    fn discords_own_words_for_a_wait_are_read() {
        assert_eq!(asked_in(br#"{"message": "", "retry_after": 0.65}"#), Some(Duration::from_millis(650)));
        for wrong in [&br#"{"retry_after": -1}"#[..], br#"{"retry_after": 1e99}"#, b"{}", b"[]", b"<html>"] {
            assert_eq!(asked_in(wrong), None);
        }
    }
}
