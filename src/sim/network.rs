//! The way to simulated game servers without a socket, for simulations in which nothing depends on real time.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, DuplexStream, ReadBuf};

use super::game::Game;
use crate::rcon::{Network, Stream};
use crate::surroundings::BoxFuture;

/// How many bytes an orderly connection takes at once.
pub const ORDERLY: usize = 64 * 1024;

/// Game servers by their address.
pub struct SimulatedNetwork {
    games: BTreeMap<String, Game>,
    /// How many bytes the next connection holds.
    next: AtomicUsize,
}

impl SimulatedNetwork {
    /// A network of these game servers.
    pub fn new(games: impl IntoIterator<Item = (String, Game)>) -> Self {
        SimulatedNetwork { games: games.into_iter().collect(), next: AtomicUsize::new(ORDERLY) }
    }

    /// The next connection, and no other, takes only so many bytes before the other side has read some: a longer
    /// command is written in part.
    pub fn narrow(&self, bytes: usize) {
        self.next.store(bytes, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for SimulatedNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.games.keys()).finish()
    }
}

impl Network for SimulatedNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let bytes = self.next.swap(ORDERLY, Ordering::Relaxed);
            let connected = self.games.get(address).and_then(|game| game.connect(bytes));
            let stream: Box<dyn Stream> = Box::new(connected.ok_or(ErrorKind::ConnectionRefused)?);
            Ok(stream)
        })
    }
}

impl Stream for DuplexStream {
    fn read_now(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let mut read = ReadBuf::new(piece);
        match Pin::new(self).poll_read(&mut Context::from_waker(Waker::noop()), &mut read) {
            Poll::Ready(done) => done.map(|()| read.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}
