//! Votive turns votes on GAMEMONITORING into rewards on Minecraft servers, each exactly once.
//!
//! This is the map; modules in the order in which data flows:
//!
//! - [`cli`]: the command line, one file per subcommand
//! - [`domain`]: what is decided, as pure functions
//! - [`config`]: `rewards.yaml` becomes a valid `Config`
pub mod cli;
pub mod config;
pub mod domain;
pub mod rcon;
