//! What Votive decides, as pure functions: no clock, no network, no disk, no threads.
//!
//! Everything else may use `domain`; `domain` uses nothing of ours (`tests/imports.rs` enforces it). In the
//! order in which a vote meets them:
//!
//! - [`event`]: what the webhook delivers; [`signature`]: whether the platform signed it; [`arrival`]: what is
//!   remembered of a delivery
//! - [`vote`]: what the API says about the event; [`player`]: who may be named in a console command
//! - [`template`] and [`reward`]: what `rewards.yaml` says shall be issued; [`rule`]: when
//! - [`counter`] and [`calendar`]: how often and on which days a player has voted; [`draw`]: luck
//! - [`plan`]: a vote and the rewards of its server become awards, frozen
//! - [`grant`] and [`award`]: the state machine; every legal transition is there
//! - [`simulation`]: votes that nobody has given
//! - [`test_delivery`]: what came of a test delivery to the public address
//! - [`act`]: what operators did about grants; [`doubts`]: which doubts they answer; [`replay`]: what was issued is issued
//!   again; [`pause`]: which game servers they have paused
//! - [`restore`]: what becomes of grants that come from a backup
//! - [`standing`]: what those who wait for a grant are told; [`outline`]: how it stands, in a word; [`story`]: what an
//!   owner is told of it
//! - [`reply`] and [`presence`]: what the game's answers mean
//! - [`receipt`]: marks in the game that prove that a step ran

pub mod act;
pub mod arrival;
pub mod award;
pub mod calendar;
pub mod counter;
pub mod doubts;
pub mod draw;
pub mod event;
pub mod grant;
pub mod outline;
pub mod pause;
pub mod plan;
pub mod player;
pub mod presence;
pub mod receipt;
pub mod replay;
pub mod reply;
pub mod restore;
pub mod reward;
pub mod rule;
pub mod signature;
pub mod simulation;
pub mod standing;
pub mod story;
pub mod template;
pub mod test_delivery;
pub mod vote;
