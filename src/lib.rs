//! Votive turns votes on GAMEMONITORING into rewards on Minecraft servers, each exactly once.
//!
//! This is the map; modules in the order in which data flows:
//!
//! - [`domain`]: what is decided, as pure functions
//! - [`config`]: `rewards.yaml` becomes a valid `Config`
//! - [`sim`]: a simulated platform and game server, for the demo and the tests
pub mod config;
pub mod domain;
pub mod rcon;
pub mod sim;
