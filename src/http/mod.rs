//! HTTP/1 in: the limits of the edge, the webhook, test deliveries to it, and what the command line asks over a Unix
//! socket.

pub mod admin;
pub mod server;
pub mod trial;
pub mod webhook;
