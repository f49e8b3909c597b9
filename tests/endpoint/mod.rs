//! A webhook of a chat that records what is posted to it, and answers as it is told.
#![allow(unreachable_pub, clippy::unwrap_used)] // in a test, a panic is the report

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::rig::PATIENCE;

/// What the address of every webhook has in it, and nobody may see.
pub const SECRET: &str = "SECRETMARKER";

/// How a post is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this status, these headers and this body.
    With(u16, &'static str, String),
    /// With 200 and a body that has no end.
    Endless,
    /// The connection is closed.
    Closes,
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer::With(status, "", String::new())
    }
}

/// What was posted.
#[derive(Clone, Debug)]
pub struct Post {
    pub path: String,
    pub body: Value,
}

impl Post {
    /// The text as people read it.
    pub fn text(&self) -> String {
        // What Discord does with the backslashes before anything but letters, digits and spaces.
        let mut text = String::new();
        let mut chars = self.body["content"].as_str().unwrap().chars().peekable();
        while let Some(c) = chars.next() {
            let escapes = c == '\\' && chars.peek().is_some_and(|next| next.is_ascii_punctuation());
            text.extend(if escapes { chars.next() } else { Some(c) });
        }
        text
    }
}

struct Shared {
    /// What is answered next; 204 once there is nothing more.
    answers: Mutex<VecDeque<Answer>>,
    posts: watch::Sender<Vec<Post>>,
    held: watch::Sender<bool>,
}

/// Lives as long as its runtime.
#[derive(Clone)]
pub struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Endpoint {
    pub async fn start() -> Endpoint {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            posts: watch::Sender::default(),
            held: watch::Sender::new(false),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // Who hangs up has had enough.
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move { drop(serve(&shared, socket).await) });
            }
        });
        Endpoint { address, shared }
    }

    /// The address to be notified; the name tells webhooks apart.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}/{SECRET}", self.address)
    }

    /// The next posts are answered so, one after the other, and what comes after them with 204.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().unwrap().extend(answers);
    }

    /// Nothing is answered from now on.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// What waits for its answer gets it.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.shared.posts.borrow().clone()
    }

    /// All texts so far, as people read them.
    pub fn texts(&self) -> String {
        self.posts().iter().map(|post| post.text() + "\n").collect()
    }

    /// Waits until so many posts have come.
    pub async fn until(&self, number: usize) -> Vec<Post> {
        self.until_posts(|posts| posts.len() >= number).await
    }

    /// Waits for a post with this text in it.
    pub async fn until_told(&self, text: &str) -> Post {
        let posts = self.until_posts(|posts| posts.iter().any(|post| post.text().contains(text))).await;
        posts.into_iter().find(|post| post.text().contains(text)).unwrap()
    }

    async fn until_posts(&self, condition: impl Fn(&[Post]) -> bool) -> Vec<Post> {
        let mut posts = self.shared.posts.subscribe();
        let found = timeout(PATIENCE, posts.wait_for(|posts| condition(posts))).await;
        let Ok(found) = found else { panic!("it was never told; it was told:\n{}", self.texts()) };
        found.unwrap().clone()
    }
}

async fn serve(shared: &Shared, mut socket: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let head = loop {
        if let Some(end) = request.windows(4).position(|end| end == b"\r\n\r\n") {
            break String::from_utf8_lossy(&request[..end]).into_owned();
        }
        if socket.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let begin = head.len() + 4;
    while request.len() < begin + length.unwrap_or(0) {
        socket.read_buf(&mut request).await?;
    }
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let body = serde_json::from_slice(&request[begin..]).unwrap_or_default();
    let answer = shared.answers.lock().unwrap().pop_front().unwrap_or(Answer::status(204));
    shared.posts.send_modify(|posts| posts.push(Post { path, body }));
    // The sender lives as long as this.
    drop(shared.held.subscribe().wait_for(|held| !held).await);
    match answer {
        Answer::Closes => Ok(()),
        Answer::With(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Told\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            socket.write_all((head + &body).as_bytes()).await
        }
        Answer::Endless => {
            socket.write_all(b"HTTP/1.1 200 Told\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            loop {
                socket.write_all(format!("10000\r\n{}\r\n", "x".repeat(0x10000)).as_bytes()).await?;
            }
        }
    }
}
