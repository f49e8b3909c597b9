//! `votive notify-test`: whether those who are to be told can be told.

use hyper::StatusCode;

use super::client::{self, Refused};
use super::{Options, Outcome};
use crate::http::admin::NOTIFY_TEST_PATH;

/// Prints what became of a message to each of them.
pub(super) fn run(options: &Options) -> anyhow::Result<Outcome> {
    let error = match client::ask(options, NOTIFY_TEST_PATH, &()) {
        Ok(told) => {
            anstream::print!("{told}");
            return Ok(Outcome::Success);
        }
        Err(error) => error,
    };
    let refused = error.downcast::<Refused>()?;
    if refused.status != StatusCode::BAD_GATEWAY {
        return Err(refused.into());
    }
    anstream::println!("{refused}");
    Ok(Outcome::ChecksFailed)
}
