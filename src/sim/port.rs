//! The port of something simulated, while it is up and while it is down.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A port of 127.0.0.1 that is ours until this is dropped, whether somebody listens on it or not.
///
/// The system takes the ports of outgoing connections from those that are free. One that a stopped server has left may
/// be gone when it starts again, and somebody else answers there meanwhile. So a socket stays bound to it that never
/// listens: connections are refused, and on Linux our own listeners may be bound beside it, because all of them allow
/// that (SO_REUSEADDR).
pub(super) struct Port {
    held: TcpSocket,
}

impl Port {
    /// Takes a port, or for 0 one that the system chooses.
    pub(super) fn take(number: u16) -> io::Result<Port> {
        Ok(Port { held: bound(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))? })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.held.local_addr()
    }

    /// Opens the port until the listener is dropped.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address()?)?.listen(1024)
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn while_nobody_listens_nobody_else_gets_the_port_and_connections_are_refused() {
        let port = Port::take(0).unwrap();
        let address = port.address().unwrap();
        drop(port.listen().unwrap());
        // As an outgoing connection takes one: without SO_REUSEADDR.
        let another = TcpSocket::new_v4().unwrap().bind(address);
        assert_eq!(another.unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let listener = port.listen().unwrap();
        let (connected, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        assert!(connected.is_ok() && accepted.is_ok());
    }
}
