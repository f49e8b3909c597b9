//! RCON to one game server: what a reply, a silence and a broken connection prove (contract/rcon.md).

mod connection;
pub mod frame;

pub use connection::{Broken, ConnectError, Connection, Outcome};
