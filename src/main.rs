//! Maps a result to an exit code.

use std::process::ExitCode;

use votive::cli::{self, Outcome};

/// `EX_CONFIG` of sysexits.h: a service manager need not try again (`RestartPreventExitStatus=78`).
const BAD_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    match cli::run() {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::BadConfiguration) => ExitCode::from(BAD_CONFIGURATION),
        Ok(Outcome::ChecksFailed) => ExitCode::FAILURE,
        Err(error) => {
            votive::complain!("votive: {error:#}");
            ExitCode::FAILURE
        }
    }
}
