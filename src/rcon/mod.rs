//! RCON to one game server: what a reply, a silence and a broken connection prove (contract/rcon.md).

mod connection;
pub mod frame;
mod network;

pub use connection::{Broken, ConnectError, Connection, Outcome};
pub use network::{Network, Stream, Tcp};
