//! Maps a result to an exit code.

use std::process::ExitCode;

use votive::cli::{self, Outcome};

/// `EX_CONFIG` of sysexits.h: a service manager need not try again (`RestartPreventExitStatus=78`).
const BAD_CONFIGURATION: u8 = 78;

/// `EX_UNAVAILABLE` of sysexits.h: no daemon runs that could be asked.
const UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    match cli::run() {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::BadConfiguration) => ExitCode::from(BAD_CONFIGURATION),
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Ok(Outcome::NobodyThere) => ExitCode::from(UNAVAILABLE),
        Err(error) => {
            votive::complain!("votive: {error:#}");
            ExitCode::FAILURE
        }
    }
}
