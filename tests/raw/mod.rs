//! A bare RCON connection for tests: writes what it is told, reads what comes.
#![allow(clippy::unwrap_used)] // in a test, a panic is the report
#![allow(dead_code)] // every test file uses a part of it

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use votive::rcon::frame::{COMMAND, Frame, LOGIN};
use votive::sim::game::{Game, GameOptions};

pub(crate) struct Raw<S = TcpStream> {
    socket: S,
    received: BytesMut,
    id: i32,
}

impl Raw {
    pub(crate) async fn connect(game: &Game) -> Raw {
        Raw::over(TcpStream::connect(game.address()).await.unwrap())
    }

    /// Connected, and logged in with the usual password.
    pub(crate) async fn logged_in(game: &Game) -> Raw {
        let mut raw = Raw::connect(game).await;
        raw.log_in().await;
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn over(socket: S) -> Raw<S> {
        Raw { socket, received: BytesMut::new(), id: 100 }
    }

    /// Logs in with the usual password.
    pub(crate) async fn log_in(&mut self) {
        let answer = self.login(&GameOptions::default().password).await;
        assert_eq!((answer.id, answer.kind, &answer.payload[..]), (self.id, COMMAND, &b""[..]));
    }

    pub(crate) async fn login(&mut self, password: &str) -> Frame {
        self.id += 1;
        self.write(&Frame::new(self.id, LOGIN, password.to_owned()).encode()).await;
        self.frame().await.expect("the login is answered")
    }

    /// Sends a command and gives its id.
    pub(crate) async fn send(&mut self, command: &str) -> i32 {
        self.id += 1;
        self.write(&Frame::new(self.id, COMMAND, command.to_owned()).encode()).await;
        self.id
    }

    /// The text of the one frame that answers a command.
    pub(crate) async fn ask(&mut self, command: &str) -> String {
        let id = self.send(command).await;
        let reply = self.frame().await.expect("the command is answered");
        assert_eq!(reply.id, id, "{command}");
        String::from_utf8(reply.payload.to_vec()).unwrap()
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).await.unwrap();
    }

    /// Writes to a connection that may be closed meanwhile.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// The next frame, `None` where the connection was closed before it was whole.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::decode(&mut self.received).unwrap() {
                return Some(frame);
            }
            match self.socket.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => (),
            }
        }
    }

    /// Everything that comes until the connection is closed, which has to happen soon. Not for tests that pause the
    /// clock: there a time limit runs out as soon as everybody waits for a socket.
    pub(crate) async fn bytes_until_closed(&mut self) -> Vec<u8> {
        let all =
            async { while !matches!(self.socket.read_buf(&mut self.received).await, Ok(0) | Err(_)) {} };
        let closed = tokio::time::timeout(Duration::from_secs(10), all).await;
        closed.expect("the server closes the connection");
        self.received.to_vec()
    }
}
