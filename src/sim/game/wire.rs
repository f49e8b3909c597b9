//! One RCON connection of a simulated game server, as vanilla handles it (contract/rcon.md).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::habits::{Logins, Manner, When};
use super::{Job, Shared};
use crate::rcon::frame::{COMMAND, Frame, LOGIN, REFUSED_ID, REPLY};

/// Vanilla reads so many bytes per request, once.
const ONE_READ: usize = 1460;
/// Replies are cut into frames of so many characters.
const ONE_FRAME: usize = 4096;

/// Serves one connection until either side closes it.
pub(super) async fn serve<S>(shared: Arc<Shared>, socket: S, number: u64, jobs: mpsc::UnboundedSender<Job>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = tokio::io::split(socket);
    let mut connection = Connection {
        shared,
        number,
        jobs,
        writer: Arc::new(Mutex::new(writer)),
        owed: Vec::new(),
        late: JoinSet::new(),
    };
    // An error of the socket ends the connection like its peer's closing it; the record shows what was not answered.
    let _ = connection.converse(reader).await;
}

struct Connection<S> {
    shared: Arc<Shared>,
    number: u64,
    jobs: mpsc::UnboundedSender<Job>,
    writer: Arc<Mutex<WriteHalf<S>>>,
    /// Second frames that leave before the next reply.
    owed: Vec<Frame>,
    /// Second frames that leave at their time; dropped with the connection.
    late: JoinSet<()>,
}

/// Whether the connection goes on.
#[derive(PartialEq)]
enum Then {
    GoOn,
    Close,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection<S> {
    async fn converse(&mut self, mut reader: ReadHalf<S>) -> io::Result<()> {
        let mut buffer = [0; ONE_READ];
        let mut logged_in = false;
        loop {
            let length = reader.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            let (id, kind, text) = match request(&buffer[..length]) {
                Ok(request) => request,
                Err(violation) => {
                    self.shared.note(|record| record.violations.push(violation));
                    return Ok(());
                }
            };
            let then = match kind {
                LOGIN => self.login(id, &text, &mut logged_in).await?,
                COMMAND if logged_in => self.command(id, text, &mut logged_in).await?,
                COMMAND => {
                    self.refuse().await?;
                    Then::GoOn
                }
                other => {
                    self.send(&Frame::new(id, REPLY, format!("Unknown request {other:x}"))).await?;
                    Then::GoOn
                }
            };
            if then == Then::Close {
                return Ok(());
            }
        }
    }

    async fn login(&mut self, id: i32, password: &str, logged_in: &mut bool) -> io::Result<Then> {
        let (right, logins) = {
            let state = self.shared.state();
            (!password.is_empty() && password == state.password, state.logins)
        };
        self.shared.note(|record| record.logins += 1);
        *logged_in = right && logins != Logins::Silent;
        match (logins, right) {
            (Logins::Silent, _) => Ok(Then::GoOn),
            (_, true) => {
                // The answer to a login has the kind of a command.
                self.send(&Frame::new(id, COMMAND, "")).await?;
                Ok(Then::GoOn)
            }
            (Logins::Close, false) => {
                self.shared.note(|record| record.refusals += 1);
                Ok(Then::Close)
            }
            (_, false) => {
                self.refuse().await?;
                Ok(if logins == Logins::RefuseAndClose { Then::Close } else { Then::GoOn })
            }
        }
    }

    async fn refuse(&self) -> io::Result<()> {
        self.shared.note(|record| record.refusals += 1);
        self.send(&Frame::new(REFUSED_ID, COMMAND, "")).await
    }

    async fn command(&mut self, id: i32, command: String, logged_in: &mut bool) -> io::Result<Then> {
        let manner = {
            let mut state = self.shared.state();
            state.said.clear();
            state.habits.befall(&command)
        };
        // Told of the releases from here on.
        let shared = self.shared.clone();
        let released = shared.releases.notified();
        let (ran, place) = oneshot::channel();
        let runs = !manner.closes_before_run && !manner.expired;
        if runs {
            let job = Job { command, connection: self.number, lag: manner.lag, ran };
            // The main thread ends with the server, and this connection with both.
            if self.jobs.send(job).is_err() {
                return Ok(Then::Close);
            }
        }
        // Only now: whoever waits for this may count on the command waiting at the main thread.
        self.shared.note(|record| record.received += 1);
        if manner.closes_before_run {
            return Ok(Then::Close);
        }
        if manner.expired {
            *logged_in = false;
            self.refuse().await?;
            return Ok(Then::GoOn);
        }
        let Ok(place) = place.await else {
            return Ok(Then::Close);
        };
        if manner.withheld {
            released.await;
        }
        if !manner.late.is_zero() {
            tokio::time::sleep(manner.late).await;
        }
        self.reply(id, place, manner).await
    }

    async fn reply(&mut self, id: i32, place: usize, manner: Manner) -> io::Result<Then> {
        let said = self.shared.state().said.clone();
        for owed in std::mem::take(&mut self.owed) {
            self.send(&owed).await?;
        }
        let text = manner.says.unwrap_or(said);
        let frame = |payload: Bytes| Frame::new(manner.id.unwrap_or(id), manner.kind, payload);
        let mut frames: Vec<Bytes> = (cut(&text).into_iter())
            .map(|piece| {
                let mut payload = piece.to_owned().into_bytes();
                if manner.not_utf8 {
                    payload.insert(0, 0xff);
                }
                frame(payload.into()).encode()
            })
            .collect();
        if let Some(bytes) = manner.bytes {
            frames = vec![bytes.into()];
        }
        if manner.silent {
            frames.clear();
        }
        if let Some(most) = manner.closes_after {
            let mut wire = frames.concat();
            self.answered(place, !wire.is_empty() && wire.len() <= most);
            wire.truncate(most);
            self.writer.lock().await.write_all(&wire).await?;
            return Ok(Then::Close);
        }
        self.answered(place, !frames.is_empty());
        for bytes in frames {
            let written = self.writer.lock().await.write_all(&bytes).await;
            if let Err(error) = written {
                self.answered(place, false);
                return Err(error);
            }
        }
        if let Some((text, when)) = manner.second {
            let second = frame(text.into());
            match when {
                When::AtOnce => self.send(&second).await?,
                When::After(time) => self.send_later(second, time),
                When::BeforeNextReply => self.owed.push(second),
            }
        }
        Ok(Then::GoOn)
    }

    fn answered(&self, place: usize, answered: bool) {
        self.shared.note(|record| record.console[place].answered = answered);
    }

    async fn send(&self, frame: &Frame) -> io::Result<()> {
        self.writer.lock().await.write_all(&frame.encode()).await
    }

    fn send_later(&mut self, frame: Frame, time: Duration) {
        let writer = self.writer.clone();
        self.late.spawn(async move {
            tokio::time::sleep(time).await;
            // Nobody may be there any more to be surprised by it.
            let _ = writer.lock().await.write_all(&frame.encode()).await;
        });
    }
}

/// What one read holds: id, kind and text of exactly one frame, or why vanilla closes the connection.
fn request(mut read: &[u8]) -> Result<(i32, i32, String), String> {
    let length = read.len();
    if length < 10 {
        return Err(format!("a read of {length} bytes holds no frame"));
    }
    let claimed = read.get_i32_le();
    if usize::try_from(claimed).ok() != Some(length - 4) {
        return Err(format!("a read of {length} bytes holds a frame that claims {claimed}"));
    }
    // Vanilla checks for no more than this; what is missing here reads as zero there.
    let id = read.try_get_i32_le().unwrap_or_default();
    let kind = read.try_get_i32_le().unwrap_or_default();
    let text = read.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((id, kind, String::from_utf8_lossy(text).into_owned()))
}

/// A reply in pieces of at most 4096 characters; an empty one is one empty piece.
fn cut(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = text.char_indices().step_by(ONE_FRAME).map(|(start, _)| start).collect();
    if starts.is_empty() {
        starts.push(0);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
}
