//! What can happen to a daemon, and random sequences of it.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::api::{PLAYERS, Weather};
use crate::disk::Loss;
use votive::sim::game::{Habit, When};

/// What a game says, over and over, that nobody understands.
pub const NONSENSE: &str = "x";
/// Votes that are delivered: the numbers below this one.
pub const VOTES: u8 = 14;
/// Game servers.
pub const SERVERS: usize = 2;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Op {
    /// The platform delivers a vote, so many times at once.
    Deliver { vote: u8, copies: u8 },
    /// The platform delivers so many votes at once.
    Rush { first: u8, votes: u8 },
    /// So many milliseconds go by.
    Wait { ms: u64 },
    /// A player leaves both servers.
    Leave { player: usize },
    /// A player joins both servers.
    Join { player: usize },
    /// A game server stops.
    Stop { server: usize },
    /// A game server starts again.
    Start { server: usize },
    /// A game server closes its connections.
    Disconnect { server: usize },
    /// A game server's main thread stands still.
    Hold { server: usize },
    /// It goes on, and sends the replies that it withheld.
    Release { server: usize },
    /// The next connection takes only so many bytes at once.
    Narrow { bytes: usize },
    /// Something befalls the next command that begins so.
    Befall { server: usize, command: &'static str, habit: Habit },
    /// The API is different from now on.
    Api { weather: Weather },
    /// The daemon is killed once its tasks have taken so many more steps.
    Kill { steps: u8, loss: Loss },
    /// The daemon is cut off in the middle of the disk operation that comes after so many others.
    CutAfter { operations: u16, loss: Loss },
    /// The daemon is stopped in the orderly way.
    Terminate,
    /// The disk takes nothing any more.
    Fill,
    /// The disk fails.
    Break,
    /// The disk is well again.
    Mend,
    /// The clock on the wall is set.
    SetClock { hours: i64 },
    /// A game server saves its world.
    Save { server: usize },
    /// A game server dies and starts again with the world that it saved last.
    GoBack { server: usize },
    /// The owner gives a game server one more id, and starts the daemon anew.
    Adopt,
    /// The owner makes the objective on a game server that a reward has named from the start.
    Complete { server: usize },
    /// The operator looks which commands ran that are in doubt, and says so.
    Resolve,
    /// The operator has more than that done.
    Act { act: Act },
}

/// What the operator has done.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// What is still to come of a vote, or of its last replay, is cancelled.
    Cancel { vote: u8, replay: bool },
    /// What is refused or closed of a vote, or of its last replay, is tried again.
    Retry { vote: u8, replay: bool },
    /// All that is refused is tried again, of one game server or of all.
    RetryRefused { server: Option<usize> },
    /// What a game server was given is given once more: all of it, or what came in the last minutes.
    Replay { server: usize, minutes: Option<i64>, again: bool },
    /// Nothing more is sent to a game server.
    Pause { server: usize },
    /// It goes on.
    Resume { server: usize },
    /// The details of what was received so many minutes ago, or before that, are given up.
    Prune { minutes: i64 },
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![Just(Loss::Nothing), any::<u64>().prop_map(Loss::Torn)]
}

fn lag() -> impl Strategy<Value = Duration> {
    (1u64..90).prop_map(Duration::from_secs)
}

fn habit() -> impl Strategy<Value = Habit> {
    prop_oneof![
        Just(Habit::Silent),
        Just(Habit::SecondFrame(String::new(), When::AtOnce)),
        Just(Habit::SecondFrame("No player was found".to_owned(), When::BeforeNextReply)),
        Just(Habit::Kind(2)),
        Just(Habit::Id(7)),
        lag().prop_map(Habit::Lag),
        lag().prop_map(Habit::Late),
        Just(Habit::Withheld),
        Just(Habit::Says("Error executing: boom".to_owned())),
        Just(Habit::Says(NONSENSE.repeat(4096))),
        Just(Habit::Bytes(vec![255; 9])),
        Just(Habit::ClosesBeforeRun),
        (0usize..30).prop_map(Habit::ClosesAfter),
        Just(Habit::Expired),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let server = || 0..SERVERS;
    let of = || (0..VOTES, prop::bool::weighted(0.2));
    let minutes = prop_oneof![Just(None), (1i64..300).prop_map(Some)];
    prop_oneof![
        3 => of().prop_map(|(vote, replay)| Act::Cancel { vote, replay }),
        3 => of().prop_map(|(vote, replay)| Act::Retry { vote, replay }),
        1 => prop::option::of(server()).prop_map(|server| Act::RetryRefused { server }),
        2 => (server(), minutes, any::<bool>())
            .prop_map(|(server, minutes, again)| Act::Replay { server, minutes, again }),
        2 => server().prop_map(|server| Act::Pause { server }),
        2 => server().prop_map(|server| Act::Resume { server }),
        1 => (0i64..300).prop_map(|minutes| Act::Prune { minutes }),
    ]
}

/// One thing, each as often as it is likely to find something.
fn op() -> impl Strategy<Value = Op> {
    let server = || 0..SERVERS;
    let player = || 0..PLAYERS.len();
    let command = prop::sample::select(vec!["give", "scoreboard", "xp", "say", "list", ""]);
    prop_oneof![
        12 => (0..VOTES, 1u8..4).prop_map(|(vote, copies)| Op::Deliver { vote, copies }),
        3 => (0..VOTES, 2u8..6).prop_map(|(first, votes)| Op::Rush { first, votes }),
        4 => (0u64..3_000).prop_map(|ms| Op::Wait { ms }),
        3 => (0u64..300_000).prop_map(|ms| Op::Wait { ms }),
        1 => (0u64..20_000_000).prop_map(|ms| Op::Wait { ms }),
        2 => player().prop_map(|player| Op::Leave { player }),
        2 => player().prop_map(|player| Op::Join { player }),
        1 => server().prop_map(|server| Op::Stop { server }),
        2 => server().prop_map(|server| Op::Start { server }),
        1 => server().prop_map(|server| Op::Disconnect { server }),
        1 => server().prop_map(|server| Op::Hold { server }),
        2 => server().prop_map(|server| Op::Release { server }),
        1 => (30usize..70).prop_map(|bytes| Op::Narrow { bytes }),
        4 => (server(), command, habit())
            .prop_map(|(server, command, habit)| Op::Befall { server, command, habit }),
        2 => prop_oneof![
            3 => Just(Weather::Fine),
            1 => Just(Weather::Down),
            1 => Just(Weather::Lagging),
            1 => Just(Weather::Astray),
            1 => (1u64..20).prop_map(Weather::Slow),
            1 => (1u64..3_000).prop_map(Weather::Busy),
        ].prop_map(|weather| Op::Api { weather }),
        4 => (0u8..100, loss()).prop_map(|(steps, loss)| Op::Kill { steps, loss }),
        4 => (0u16..100, loss()).prop_map(|(operations, loss)| Op::CutAfter { operations, loss }),
        1 => Just(Op::Terminate),
        1 => Just(Op::Fill),
        1 => Just(Op::Break),
        2 => Just(Op::Mend),
        1 => prop::sample::select(vec![-24i64, 24]).prop_map(|hours| Op::SetClock { hours }),
        1 => server().prop_map(|server| Op::Save { server }),
        1 => server().prop_map(|server| Op::GoBack { server }),
        1 => Just(Op::Adopt),
        1 => server().prop_map(|server| Op::Complete { server }),
        1 => Just(Op::Resolve),
        8 => act().prop_map(|act| Op::Act { act }),
    ]
}

/// A history of up to forty things.
pub fn histories() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..40)
}
