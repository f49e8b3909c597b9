//! A simulated GAMEMONITORING over real sockets: its vote API, and the deliveries that it makes.
//!
//! What it sends and answers is taken from `contract/gamemonitoring.md`. The API is written byte by byte, so that it
//! can answer what no HTTP library would.

mod delivery;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use delivery::{Answered, Delivery};

use super::port::Port;

/// An answer of the API, right or wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiAnswer {
    /// HTTP status.
    pub status: u16,
    /// Further headers, `Name: value`.
    pub headers: Vec<String>,
    /// The body, whatever it is.
    pub body: Vec<u8>,
    /// How long the answer takes to begin.
    pub delay: Duration,
    /// How it ends.
    pub end: End,
}

/// How an answer of the API ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// As it should.
    #[default]
    Whole,
    /// No byte of it is ever sent, and the connection stays open.
    Hangs,
    /// Half of the body is missing when the connection is closed.
    Truncated,
    /// The connection is closed without an answer.
    Closed,
}

impl ApiAnswer {
    /// A JSON body with status 200.
    pub fn json(body: &Value) -> Self {
        Self::new(200, body.to_string())
    }

    /// Any body with any status.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        ApiAnswer { status, headers: Vec::new(), body: body.into(), delay: Duration::ZERO, end: End::Whole }
    }

    /// A redirect, which nobody should follow.
    pub fn redirect(location: &str) -> Self {
        ApiAnswer { headers: vec![format!("Location: {location}")], ..Self::new(302, "") }
    }

    /// The same answer, after a while.
    pub fn after(self, delay: Duration) -> Self {
        ApiAnswer { delay, ..self }
    }

    /// The same answer with another end.
    pub fn ending(self, end: End) -> Self {
        ApiAnswer { end, ..self }
    }
}

/// The body of `GET /votes/{id}` for a vote: the sample of the fact sheet with other values.
pub fn vote_body(id: &str, nickname: &str, server_id: u64) -> Value {
    json!({"response": {
        "id": id,
        "nickname": nickname,
        "entity_type": "server",
        "entity_id": server_id,
        "server": {"id": server_id, "name": "My server"},
        "user": {"id": 42, "name": "voter"},
        "created_at": 1_783_200_000,
    }})
}

/// A handle on a simulated platform. It lives until it is stopped or its runtime ends, with or without handles.
#[derive(Clone)]
pub struct Platform {
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    port: Port,
    token: String,
    state: Mutex<State>,
    record: watch::Sender<PlatformRecord>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, ApiAnswer>,
    /// In place of every answer, while the API is out of order.
    outage: Option<ApiAnswer>,
    run: Option<(CancellationToken, TaskTracker)>,
}

/// All that the platform has seen.
#[derive(Clone, Debug, Default)]
pub struct PlatformRecord {
    /// The first lines of all requests to the API, in order: `GET /votes/e-1 HTTP/1.1`.
    pub requests: Vec<String>,
    /// What became of every delivery, in the order in which they ended.
    pub deliveries: Vec<Answered>,
}

impl PlatformRecord {
    /// How often the API was asked for a vote.
    pub fn asked(&self, id: &str) -> usize {
        let line = format!("GET /votes/{id} HTTP/1.1");
        self.requests.iter().filter(|request| **request == line).count()
    }

    /// The deliveries of an event that were answered with 2xx: votes that must not be forgotten.
    pub fn acknowledged(&self, id: &str) -> usize {
        let good = |answered: &&Answered| answered.event_id == id && answered.is_acknowledged();
        self.deliveries.iter().filter(good).count()
    }
}

impl Shared {
    /// Only our own code runs under the lock, and it leaves nothing half done when it panics.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Platform {
    /// Starts a platform whose project has this signing token, on a port that the system chooses. Call it within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Where no port can be bound.
    pub fn start(signing_token: &str) -> io::Result<Platform> {
        let port = Port::take(0)?;
        let platform = Platform {
            shared: Arc::new(Shared {
                address: port.address()?,
                port,
                token: signing_token.to_owned(),
                state: Mutex::default(),
                record: watch::Sender::default(),
            }),
        };
        platform.start_again()?;
        Ok(platform)
    }

    fn run(&self, listener: TcpListener) {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let accept = accept(self.shared.clone(), listener, stop.clone(), tasks.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accept));
        self.shared.state().run = Some((stop, tasks));
    }

    /// Closes the API's port and connections. Deliveries can still be made, and nobody else gets the port.
    pub async fn stop(&self) {
        let run = self.shared.state().run.take();
        if let Some((stop, tasks)) = run {
            stop.cancel();
            tasks.close();
            tasks.wait().await;
        }
    }

    /// Opens the API again, on the same port. One that is open stays so.
    ///
    /// # Errors
    /// Where the port cannot be opened.
    pub fn start_again(&self) -> io::Result<()> {
        if self.shared.state().run.is_none() {
            self.run(self.shared.port.listen()?);
        }
        Ok(())
    }

    /// For `gamemonitoring.api_url`.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// Somebody votes for a server: the API knows the vote from now on. Nothing is delivered by that.
    pub fn vote(&self, id: &str, nickname: &str, server_id: u64) {
        self.answer(id, ApiAnswer::json(&vote_body(id, nickname, server_id)));
    }

    /// The API answers so when it is asked for this vote.
    pub fn answer(&self, id: &str, answer: ApiAnswer) {
        self.shared.state().answers.insert(id.to_owned(), answer);
    }

    /// The API answers so to everything, until `None` ends the outage.
    pub fn set_outage(&self, outage: Option<ApiAnswer>) {
        self.shared.state().outage = outage;
    }

    /// A delivery of an event, well signed; see [`Delivery`] for all that can be wrong with one.
    pub fn delivery(&self, event_type: &str, event_id: &str) -> Delivery {
        Delivery::new(&self.shared.token, event_type, event_id)
    }

    /// Posts a delivery and waits for the answer, as long as it takes.
    pub async fn deliver(&self, webhook_url: &str, delivery: &Delivery) -> Answered {
        let answered = delivery.post(webhook_url).await;
        (self.shared.record).send_modify(|record| record.deliveries.push(answered.clone()));
        answered
    }

    /// All that the platform has seen so far.
    pub fn record(&self) -> PlatformRecord {
        self.shared.record.borrow().clone()
    }

    /// Waits until the record fulfils `condition`, and gives it. Without a time limit: that is the caller's.
    pub async fn until(&self, condition: impl FnMut(&PlatformRecord) -> bool) -> PlatformRecord {
        let mut record = self.shared.record.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        #[allow(clippy::expect_used)]
        let record = record.wait_for(condition).await.expect("the record outlives its watchers");
        record.clone()
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            let shared = shared.clone();
            // An error of the socket is the asker's affair.
            let answer = async move { drop(serve(shared, socket).await) };
            tasks.spawn(stop.clone().run_until_cancelled_owned(answer));
        }
    }
}

/// Answers one request; every connection has only one.
async fn serve(shared: Arc<Shared>, mut socket: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if socket.read_buf(&mut head).await? == 0 || head.len() > 16 * 1024 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default().to_owned();
    let answer = {
        let state = shared.state();
        let id = line.strip_prefix("GET /votes/").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
        let known = id.and_then(|id| state.answers.get(id));
        let unknown = || ApiAnswer::new(404, r#"{"error": "not found"}"#);
        state.outage.clone().or(known.cloned()).unwrap_or_else(unknown)
    };
    shared.record.send_modify(|record| record.requests.push(line));
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let sent = match answer.end {
        End::Whole => answer.body.len(),
        End::Truncated => answer.body.len() / 2,
        End::Closed => return Ok(()),
        End::Hangs => std::future::pending().await,
    };
    let mut wire = format!("HTTP/1.1 {} Simulated\r\n", answer.status);
    for header in &answer.headers {
        wire.push_str(&format!("{header}\r\n"));
    }
    let length = answer.body.len();
    wire.push_str(&format!(
        "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ));
    socket.write_all(wire.as_bytes()).await?;
    socket.write_all(&answer.body[..sent]).await
}
