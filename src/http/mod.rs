//! HTTP/1 in: the limits of the edge, the webhook, test deliveries to it, the metrics, and what the command line asks
//! over a Unix socket.

pub mod admin;
pub mod metrics;
pub mod server;
pub mod test_delivery;
pub mod webhook;
