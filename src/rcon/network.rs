//! How game servers are reached.

use std::fmt::Debug;
use std::io::{self, Read};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::surroundings::BoxFuture;

/// The way to game servers. A simulation has its own.
pub trait Network: Debug + Send + Sync {
    /// Connects to `address` (`host:port`).
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

/// A stream of bytes to a game server and back.
pub trait Stream: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {
    /// Reads what has arrived by now; [`io::ErrorKind::WouldBlock`] where nothing has.
    ///
    /// # Errors
    /// How the connection broke.
    fn read_now(&mut self, piece: &mut [u8]) -> io::Result<usize>;
}

/// The real network.
#[derive(Clone, Copy, Debug)]
pub struct Tcp;

impl Network for Tcp {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // A command is one small write that shall leave at once.
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = Box::new(stream);
            Ok(stream)
        })
    }
}

impl Stream for TcpStream {
    /// Asks the system itself: the runtime may not have heard of the end yet.
    fn read_now(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self)).read(piece)
    }
}
