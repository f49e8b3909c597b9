//! The outside world, simulated over real sockets: for `votive demo` and for the tests.
//!
//! - [`platform`]: GAMEMONITORING: delivers signed webhooks, answers questions about votes
//! - [`network`]: the way to game servers without a socket
//! - [`game`]: a Minecraft server with RCON, as faithful as `contract/rcon.md` allows, and with the faults that real
//!   ones have

pub mod game;
pub mod network;
pub mod platform;
mod port;
