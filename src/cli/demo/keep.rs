//! `votive demo --keep`: command lines to try on the daemon while it runs.

use std::io;

use super::scenes::Story;
use super::screen;
use crate::domain::event::SERVER_VOTE;
use crate::http::webhook::HEALTH_PATH;
use crate::sim::platform::Delivery;

/// Prints the command lines, each below the status that it is answered with.
pub(super) fn invite(story: &Story) -> io::Result<()> {
    screen::title("Now you")?;
    screen::paragraph(
        "Votive stays up until you press Ctrl-C. Copy these lines into another terminal; what the game consoles receive is shown here.",
    )?;
    let platform = &story.platform;
    platform.vote("yours-1", "Steve", 1);
    platform.vote("yours-2", "Kai", 2);
    let delivery = |id| platform.delivery(SERVER_VOTE, id);
    for (status, what, delivery) in [
        (204, "Steve votes for survival", delivery("yours-1")),
        (204, "the same again: nothing is issued twice", delivery("yours-1")),
        (204, "Kai votes for skyblock", delivery("yours-2")),
        (401, "a forged signature", delivery("yours-1").forged()),
        (204, "a test delivery", delivery("yours-3").test()),
        (502, "a vote that the API does not know", delivery("yours-4")),
    ] {
        offer(status, what, &post(&delivery, &story.webhook))?;
    }
    let base = story.webhook.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    offer(200, "is Votive alive?", &format!("curl -i {base}{HEALTH_PATH}"))?;
    screen::title("The game consoles")
}

fn offer(status: u16, what: &str, line: &str) -> io::Result<()> {
    screen::to_copy("")?;
    screen::to_copy(&format!("# {status}: {what}"))?;
    screen::to_copy(line)
}

/// The command line that makes a delivery.
fn post(delivery: &Delivery, webhook: &str) -> String {
    let body = String::from_utf8_lossy(&delivery.body()).replace('\'', r"'\''");
    format!("curl -i -H 'Content-Type: application/json' -d '{body}' {webhook}")
}
