//! RCON to one game server: what a reply, a silence and a broken connection prove.

pub mod frame;
