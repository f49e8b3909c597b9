//! Votive turns votes on GAMEMONITORING into rewards on Minecraft servers, each exactly once.
//!
//! This is the map; modules in the order in which data flows:
//!
//! - [`domain`]: what is decided, as pure functions
//! - [`config`]: `rewards.yaml` becomes a valid `Config`
//! - [`http`]: the webhook, test deliveries to it, the metrics and the control socket; [`control`]: what is said over
//!   that one
//! - [`intake`]: from an event to a grant: look up, fetch, plan, record
//! - [`platform`]: the platform's API
//! - [`ledger`]: the durable record
//! - [`dispatch`]: one worker per game server does what `domain` decides
//! - [`rcon`]: the connection to a game server
//! - [`daemon`]: the wiring, start and stop
//! - [`reload`]: another `rewards.yaml` for a daemon that runs
//! - [`report`]: what the daemon tells of its work, and to whom
//! - [`log`]: how that is written to stderr
//! - [`cli`]: one file per subcommand
//! - [`sim`]: a simulated platform and game server, for the demo and the tests
//! - [`surroundings`]: the clock, the API and the network, which a simulation replaces
//! - [`tasks`]: what runs in the background
//! - [`failpoint`]: where a test has the process die
//! - [`outbound`]: what holds for every HTTP request that the daemon makes
//! - [`text`]: text for people

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod dispatch;
pub mod domain;
pub mod failpoint;
pub mod http;
pub mod intake;
pub mod ledger;
pub mod log;
pub mod outbound;
pub mod platform;
pub mod rcon;
pub mod reload;
pub mod report;
pub mod sim;
pub mod surroundings;
pub mod tasks;
pub mod text;
