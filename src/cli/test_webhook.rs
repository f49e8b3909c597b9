//! `votive test-webhook`: whether the platform's deliveries arrive, and if not, why.

use super::{Options, Outcome, client};
use crate::control::{TestWebhook, WebhookTested};

/// Where to.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The webhook's address as the platform has it; without it, webhook.public_url of rewards.yaml
    url: Option<String>,
}

/// Prints what came of the delivery.
pub(super) fn run(options: &Options, args: Args) -> anyhow::Result<Outcome> {
    let WebhookTested { url, good, what, remedy, notes } =
        client::ask(options, &TestWebhook { url: args.url })?;
    crate::say!("posted a test delivery to {url}\n{what}");
    for hint in [remedy].into_iter().filter(|remedy| !remedy.is_empty()).chain(notes) {
        crate::say!("    {hint}");
    }
    Ok(if good { Outcome::Success } else { Outcome::Failed })
}
