//! Serves connections within limits: hostile, slow and broken clients cost a bounded amount of memory and time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The most bytes of a request's body; a delivery has about two hundred.
const LONGEST_BODY: usize = 16 * 1024;
/// The most bytes of a request's head, and of what is read ahead.
const LONGEST_HEAD: usize = 16 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// How long a client may take to send a head, also on a connection that is kept for the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections at the same time; more wait at the door of the system.
const MOST_CONNECTIONS: usize = 512;
/// How long to wait after the system refused to hand out a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);
/// How often that is told.
const ACCEPT_TOLD: Duration = Duration::from_secs(60);
/// How long a shutdown waits for answers that are being written.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a client may leave a piece of an answer where it is: a backup keeps the ledger from using its room again.
const TAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// An answer: whole, or in pieces.
pub type Answer = Response<Either<Full<Bytes>, Pieces>>;

/// A body in pieces. `None` ends it: where nobody is left to send that, it breaks off, so that nobody takes it for whole.
pub struct Pieces(mpsc::Receiver<Option<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| match piece {
            Some(piece) => piece.map(|piece| Ok(Frame::data(piece))),
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }
}

/// Something that connections come from.
pub trait Listener {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What is known of who is at its other end.
    type Peer: Copy + Send + 'static;
    /// Whether a client that has said all that it wants to say may still want its answer. Else it has hung up.
    const HALF_CLOSE: bool;

    /// Waits for the next connection.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;
    type Peer = ();
    const HALF_CLOSE: bool = true;

    async fn next(&self) -> io::Result<(Self::Stream, ())> {
        Ok((self.accept().await?.0, ()))
    }
}

impl Listener for UnixListener {
    type Stream = tokio::net::UnixStream;
    /// The number of the user.
    type Peer = u32;
    /// Somebody who follows votes hangs up long before the answer ends, and that has to be noticed.
    const HALF_CLOSE: bool = false;

    async fn next(&self) -> io::Result<(Self::Stream, u32)> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, uid))
    }
}

/// Answers every request with `handler` until the shutdown, then lets the answers under way be written.
pub async fn serve<L, H, F>(listener: L, shutdown: CancellationToken, handler: H)
where
    L: Listener,
    H: Fn(Request<Incoming>, L::Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(L::HALF_CLOSE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LONGEST_HEAD);
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut told: Option<Instant> = None;
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (permit, listener.next().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let handler = handler.clone();
                let service = service_fn(move |request| {
                    // A task of its own: what has begun goes on when the client hangs up.
                    tokio::spawn(handler(request, peer))
                });
                let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async move {
                    // A client that breaks off, stalls or talks nonsense is its own problem.
                    connection.await.unwrap_or_else(|error| tracing::debug!("a connection ended: {error}"));
                    drop(permit);
                });
            }
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() >= ACCEPT_TOLD) {
                    told = Some(Instant::now());
                    tracing::warn!("cannot accept a connection, trying again: {error}");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some clients did not take their answers in time");
    }
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBody {
    /// It is, or says that it is, longer than 16 KiB.
    TooLong,
    /// It did not come in time.
    TooSlow,
    /// It broke off.
    Broken,
}

/// Reads a request's body. One that says that it is too long is not read at all.
///
/// # Errors
/// [`NoBody`].
pub async fn read_body(body: Incoming) -> Result<Bytes, NoBody> {
    if body.size_hint().lower() > LONGEST_BODY as u64 {
        return Err(NoBody::TooLong);
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(NoBody::TooLong),
        Ok(Err(_)) => Err(NoBody::Broken),
        Err(_) => Err(NoBody::TooSlow),
    }
}

/// An answer in pieces, and where they are sent to. One may wait to be taken.
pub fn in_pieces() -> (mpsc::Sender<Option<Bytes>>, Answer) {
    let (sender, pieces) = mpsc::channel(1);
    (sender, Response::new(Either::Right(Pieces(pieces))))
}

/// An answer of these pieces. Each is made when the one before was taken, without keeping others from their work. It
/// breaks off at an error, and where the client takes nothing for half a minute.
pub fn pieces(mut pieces: impl Iterator<Item = io::Result<Bytes>> + Send + 'static) -> Answer {
    let (sender, answer) = in_pieces();
    tokio::spawn(async move {
        loop {
            let Ok((next, rest)) = spawn_blocking(move || (pieces.next(), pieces)).await else { return };
            pieces = rest;
            let piece = match next.transpose() {
                Ok(piece) => piece,
                Err(error) => return tracing::debug!("an answer breaks off: {error}"),
            };
            let is_last = piece.is_none();
            let taken = sender.send_timeout(piece, TAKE_TIMEOUT).await;
            if taken.is_err() || is_last {
                return;
            }
        }
    });
    answer
}

/// An answer of JSON.
pub fn json(status: StatusCode, answer: &impl Serialize) -> Answer {
    // What is answered are our own types, and those can be written.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer of one plain sentence; 204 has none.
pub fn sentence(status: StatusCode, text: impl Into<String>) -> Answer {
    let text = if status == StatusCode::NO_CONTENT { String::new() } else { text.into() + "\n" };
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *answer.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    answer
}

/// The answer to a request whose body is not there. The rest of it is not worth waiting for.
pub fn without_body(why: NoBody) -> Answer {
    let mut answer = match why {
        NoBody::TooLong => sentence(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than 16 KiB, which no delivery of GAMEMONITORING is.",
        ),
        NoBody::TooSlow => {
            sentence(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time; deliver again.")
        }
        NoBody::Broken => sentence(StatusCode::BAD_REQUEST, "The body broke off; deliver again."),
    };
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use std::iter;

    use tokio::sync::oneshot;

    use super::*;

    fn body(pieces: impl Iterator<Item = io::Result<Bytes>> + Send + 'static) -> Pieces {
        match super::pieces(pieces).into_body() {
            Either::Right(body) => body,
            Either::Left(_) => unreachable!("it is in pieces"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_that_nobody_takes_are_given_up_and_not_taken_for_the_whole() {
        let (held, let_go) = oneshot::channel::<()>();
        let mut body = body(iter::repeat_with(move || {
            let _held = &held;
            Ok(Bytes::from_static(b"piece"))
        }));
        assert!(body.frame().await.unwrap().is_ok());
        let begun = Instant::now();
        assert!(let_go.await.is_err(), "whoever reads keeps nothing open for ever");
        assert_eq!(begun.elapsed().as_secs(), TAKE_TIMEOUT.as_secs());
        let rest = body.collect().await;
        assert_eq!(rest.map(drop).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn pieces_end_where_there_are_no_more_and_break_off_at_an_error() {
        let piece = |text: &'static [u8]| Ok(Bytes::from_static(text));
        let whole = body([piece(b"one "), piece(b"two")].into_iter()).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "one two");
        let broken = body([piece(b"one "), Err(io::ErrorKind::Other.into())].into_iter()).collect().await;
        assert!(broken.is_err());
    }
}
