//! Points at which a test has the process die as by `kill -9`. Without the cargo feature `failpoints` nothing is here.

/// A place between two things that must not come apart, named by what has just happened or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Point {
    /// A delivery is verified, and nothing was done about it.
    DeliveryVerified,
    /// An event is recorded whose vote is not fetched.
    EventRecorded,
    /// A vote is fetched, and its plan is not recorded.
    VoteFetched,
    /// A plan is recorded.
    PlanRecorded,
    /// A step is ready to be sent, and its intent is not recorded.
    StepReady,
    /// The intent of a step is recorded, and no byte of it is sent.
    IntentRecorded,
    /// A command or a question is written, and its reply has not come.
    CommandWritten,
    /// The reply to a step has come, and its outcome is not recorded.
    ReplyReceived,
    /// The outcome of a step is recorded; with it, perhaps, the intent of the next.
    OutcomeRecorded,
    /// What an operator wants is recorded, and nobody was told.
    ActRecorded,
    /// It is known how a delivery is to be answered, and nothing is sent.
    AnswerReady,
    /// A batch of the ledger is about to be committed.
    CommitBegins,
    /// A batch of the ledger is committed, and nobody has been told.
    CommitDone,
    /// A new ledger is complete, under its unfinished name.
    LedgerMade,
    /// A new ledger has its name, and no marker.
    LedgerNamed,
    /// The ledger's identity is raised at a start, and not the marker's.
    IdentityRaised,
    /// Everything has stopped, and the ledger is not closed.
    Drained,
    /// The ledger is closed, and the process still there.
    LedgerClosed,
}

/// The environment variable that names the point, and after a colon how often it is to be passed: `intent-recorded:3`.
/// Its name is none of a key of `rewards.yaml`, as those with `VOTIVE_` are.
pub const CRASH_AT: &str = "CRASH_AT";

/// Ends the process, and runs no destructor, if this is the point and the time that [`CRASH_AT`] names.
#[cfg(feature = "failpoints")]
pub(crate) fn crash_at(point: Point) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static AIM: OnceLock<Option<(Point, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    if let Some((aim, time)) = AIM.get_or_init(aim)
        && *aim == point
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *time
    {
        crate::complain!("crashing at {point:?}");
        std::process::abort();
    }
}

/// Ends nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn crash_at(_: Point) {}

/// The point that the environment names, and which time it counts. What is no point must not pass for one that is
/// never reached.
#[cfg(feature = "failpoints")]
fn aim() -> Option<(Point, u64)> {
    let text = std::env::var(CRASH_AT).ok()?;
    let (name, time) = text.split_once(':').unwrap_or((&text, "1"));
    match (clap::ValueEnum::from_str(name, false), time.parse()) {
        (Ok(point), Ok(time)) => Some((point, time)),
        _ => {
            crate::complain!("{CRASH_AT}={text}: no such point; see src/failpoint.rs");
            std::process::exit(2);
        }
    }
}
