//! A logged-in connection, and what each way for a command to end proves.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::frame::{BadLength, COMMAND, Frame, LOGIN, REFUSED_ID};
use super::network::{Network, Stream};
use crate::config::Timeouts;
use crate::domain::template::LONGEST_COMMAND;
use crate::failpoint::{Point, crash_at};

/// A reply frame of this many UTF-16 units may have a successor (contract/rcon.md).
const FULL_FRAME: usize = 4096;
/// How long the successor of a full frame may take.
const NEXT_FRAME: Duration = Duration::from_millis(200);
/// How long a second frame may take after an empty first one: some servers send the text in the second.
const AFTER_EMPTY: Duration = Duration::from_millis(100);
/// How much may have arrived unasked, in pieces of 4096 bytes, before the other side is not worth listening to.
const MOST_PIECES: usize = 256;
/// The most bytes of a reply that are put together.
const LONGEST_REPLY: usize = 256 * 1024;

/// A logged-in connection to a game server. To be dropped after every end of a command but [`Outcome::Reply`], and
/// [`Outcome::Silent`] where silence was to be expected.
#[derive(Debug)]
pub struct Connection {
    stream: Box<dyn Stream>,
    received: BytesMut,
    last_id: i32,
    answered: Instant,
    /// The connection has ended, or the stream is out of step.
    ended: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens, or the network is in the way.
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The connection or the login took too long.
    #[error("does not answer")]
    TimedOut,
    /// The login was refused.
    #[error("refuses the password")]
    WrongPassword,
    /// The connection broke off, or the other side does not speak RCON. Some servers close instead of saying that
    /// the password is wrong (contract/rcon.md).
    #[error("breaks off the login, as some servers do when the password is wrong: {0}")]
    Broken(#[from] Broken),
}

/// How a command ended.
#[derive(Debug)]
pub enum Outcome {
    /// Not one byte was written, so it did not run.
    NotSent,
    /// It was not written because no server would read it whole.
    TooLong,
    /// The login had expired, so it did not run.
    LoginExpired,
    /// It was answered.
    Reply(String),
    /// It was written and not answered in time: it may have run.
    Silent,
    /// It was written, at least in part, and the connection broke: it may have run.
    Broken(Broken),
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other side closed it.
    #[error("the server closed the connection")]
    Closed,
    /// The system reported an error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is not RCON.
    #[error("{0}")]
    NotRcon(#[from] BadLength),
}

impl Connection {
    /// Connects to `address` (`host:port`) by way of `network` and logs in.
    ///
    /// # Errors
    /// [`ConnectError`]; that a server cannot be reached is normal while it restarts.
    pub async fn open(
        network: &dyn Network,
        address: &str,
        password: &str,
        timeouts: Timeouts,
    ) -> Result<Self, ConnectError> {
        let stream = timeout(timeouts.connect, network.connect(address))
            .await
            .map_err(|_| ConnectError::TimedOut)?
            .map_err(ConnectError::Unreachable)?;
        let mut connection = Connection {
            stream,
            received: BytesMut::new(),
            last_id: 0,
            answered: Instant::now(),
            ended: false,
        };
        timeout(timeouts.login, connection.log_in(password)).await.map_err(|_| ConnectError::TimedOut)??;
        Ok(connection)
    }

    async fn log_in(&mut self, password: &str) -> Result<(), ConnectError> {
        let id = self.fresh_id();
        let login = Frame::new(id, LOGIN, Bytes::copy_from_slice(password.as_bytes()));
        self.stream.write_all(&login.encode()).await.map_err(Broken::Io)?;
        loop {
            let answer = self.next_frame().await?;
            if answer.id == REFUSED_ID {
                return Err(ConnectError::WrongPassword);
            }
            if answer.id == id && answer.kind == COMMAND {
                self.answered = Instant::now();
                return Ok(());
            }
        }
    }

    /// Whether the server answered something within `period`: only then is a command worth its recorded intent.
    pub fn answered_within(&self, period: Duration) -> bool {
        self.answered.elapsed() <= period
    }

    /// Whether the other side has closed the connection, as far as that is known without waiting. What has arrived
    /// belongs to earlier commands and is dropped.
    fn is_closed(&mut self) -> bool {
        let mut piece = [0; 4096];
        for _ in 0..MOST_PIECES {
            while let Some(frame) = Frame::decode(&mut self.received).transpose() {
                // Nothing is waited for, so a refusal means that the login has expired.
                if frame.map_or(true, |frame| frame.id == REFUSED_ID) {
                    return true;
                }
            }
            match self.stream.read_now(&mut piece) {
                Ok(0) => return true,
                Ok(length) => self.received.extend_from_slice(&piece[..length]),
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
        // It talks without being asked, and does not stop.
        true
    }

    /// Sends a command and waits for its reply for at most `limit`.
    pub async fn command(&mut self, command: &str, limit: Duration) -> Outcome {
        if command.len() > LONGEST_COMMAND {
            return Outcome::TooLong;
        }
        if self.ended || self.is_closed() {
            return Outcome::NotSent;
        }
        let deadline = Instant::now() + limit;
        let id = self.fresh_id();
        let wire = Frame::new(id, COMMAND, Bytes::copy_from_slice(command.as_bytes())).encode();
        // Vanilla does not put split frames together, and a frame this small is taken in one piece or not at all.
        match timeout_at(deadline, self.stream.write(&wire)).await {
            Ok(Ok(0) | Err(_)) | Err(_) => return Outcome::NotSent,
            Ok(Ok(written)) if written < wire.len() => return Outcome::Broken(Broken::Closed),
            Ok(Ok(_)) => crash_at(Point::CommandWritten),
        }
        let first = match timeout_at(deadline, self.payload_of(id)).await {
            Ok(Ok(Some(first))) => first,
            Ok(Ok(None)) => return Outcome::LoginExpired,
            Ok(Err(broken)) => return Outcome::Broken(broken),
            Err(_) => return Outcome::Silent,
        };
        self.answered = Instant::now();
        Outcome::Reply(self.rest_of(id, first).await)
    }

    /// The reply to command `id`, put together behind its `first` frame. That the connection ends here takes nothing
    /// from the reply that has arrived; the next command finds it out.
    async fn rest_of(&mut self, id: i32, first: Bytes) -> String {
        let mut more = first.is_empty() || is_full(&first);
        let mut patience = if first.is_empty() { AFTER_EMPTY } else { NEXT_FRAME };
        let mut reply = BytesMut::from(first);
        while more && reply.len() < LONGEST_REPLY {
            let Ok(next) = timeout(patience, self.payload_of(id)).await else { break };
            let Ok(Some(next)) = next else {
                self.ended = true;
                break;
            };
            more = is_full(&next);
            reply.extend_from_slice(&next);
            patience = NEXT_FRAME;
        }
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// The payload of the next frame with this id; `None` where the server answers that the login has expired. Frames
    /// with any other id belong to earlier commands and are dropped.
    async fn payload_of(&mut self, id: i32) -> Result<Option<Bytes>, Broken> {
        loop {
            let frame = self.next_frame().await?;
            if frame.id == REFUSED_ID {
                return Ok(None);
            }
            if frame.id == id {
                return Ok(Some(frame.payload));
            }
        }
    }

    /// The next frame, whatever its id. May be dropped while it waits: what has arrived stays in `received`.
    async fn next_frame(&mut self) -> Result<Frame, Broken> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.received)? {
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Broken::Closed);
            }
        }
    }

    /// An id that no earlier command of this connection had; negative ones mean a refusal.
    fn fresh_id(&mut self) -> i32 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}

/// Whether a frame's text is as long as the game cuts them. It counts characters as Java does, in UTF-16 units.
fn is_full(payload: &[u8]) -> bool {
    String::from_utf8_lossy(payload).encode_utf16().count() == FULL_FRAME
}
