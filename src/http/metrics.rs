//! What whoever watches Votive asks: how much it has done, and whether it is ready. On a listener of its own, which the
//! platform does not reach.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::server::{Answer, sentence};
use super::webhook::wrong_method;
use crate::config::Live;
use crate::dispatch::servers::Servers;
use crate::ledger::{self, Ledger, LedgerError};
use crate::report::metrics::{Found, Metrics};
use crate::surroundings::Clock;

/// Where the metrics are.
pub const METRICS_PATH: &str = "/metrics";
/// Where it says whether it is ready.
const READY_PATH: &str = "/readyz";
/// The version of Prometheus's text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long the ledger's writer may take to answer. A disk that needs longer makes every delivery fail.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// What is watched.
#[derive(Debug)]
pub struct Watched {
    config: Live,
    ledger: Ledger,
    /// The ledger's file.
    file: PathBuf,
    servers: Servers,
    metrics: Metrics,
    clock: Clock,
    shutdown: CancellationToken,
    /// One scrape at a time: each takes a thread, of which there are few.
    turn: Mutex<()>,
}

/// Why Votive is not ready. Shown to whoever asks.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("Votive cannot record, and stops: {0}. See to the disk and start it again.")]
    Failed(#[from] LedgerError),
    #[error(
        "The ledger has not answered for {} seconds, so deliveries wait. See whether the disk is overloaded or fails.",
        ANSWERS_WITHIN.as_secs()
    )]
    Slow,
    #[error("Votive is stopping.")]
    Stopping,
}

/// Why there are no metrics. Shown to whoever asks.
#[derive(Debug, thiserror::Error)]
enum NotScraped {
    #[error("Another scrape is being answered. Scrape less often, or with one Prometheus alone.")]
    Busy,
    #[error("Votive cannot read its ledger, and stops: {0}. See to the disk and start it again.")]
    Failed(#[from] LedgerError),
}

impl Watched {
    /// Watches a daemon with this `ledger`, in `file`, until and after its `shutdown`.
    pub fn new(
        config: Live,
        (ledger, file): (Ledger, PathBuf),
        servers: Servers,
        metrics: Metrics,
        clock: Clock,
        shutdown: CancellationToken,
    ) -> Self {
        metrics.include(ledger.instruments());
        Watched { config, ledger, file, servers, metrics, clock, shutdown, turn: Mutex::default() }
    }

    async fn is_ready(&self) -> Result<(), NotReady> {
        readiness(self.ledger.ping(), &self.shutdown).await
    }

    /// Everything that is measured. What is open is read from the ledger at this moment, on another thread than that of
    /// the deliveries.
    async fn scrape(self: Arc<Self>) -> Result<String, NotScraped> {
        // Whoever waits for longer has hung up, and another one will come.
        let _turn = timeout(ANSWERS_WITHIN, self.turn.lock()).await.map_err(|_| NotScraped::Busy)?;
        let is_ready = self.is_ready().await.is_ok();
        let watched = Arc::clone(&self);
        let read = move || {
            let mut found = Found { is_ready, ..Found::default() };
            let (config, servers, now) = (watched.config.now(), &watched.servers, watched.clock.now());
            watched.ledger.each_open(|record| found.open.count(&record.grant, &config, servers, now))?;
            // A file that is gone has no size; the ledger will say so itself.
            found.ledger_size = std::fs::metadata(&watched.file).map_or(0, |file| file.len());
            Ok(watched.metrics.text(&config, servers, now, &found))
        };
        Ok(ledger::reading(read).await?)
    }
}

/// Whether the writer answers to `ping`, and nobody has asked Votive to stop. The first is the graver one.
async fn readiness(
    ping: impl Future<Output = Result<(), LedgerError>>,
    shutdown: &CancellationToken,
) -> Result<(), NotReady> {
    timeout(ANSWERS_WITHIN, ping).await.map_err(|_| NotReady::Slow)??;
    if shutdown.is_cancelled() { Err(NotReady::Stopping) } else { Ok(()) }
}

/// Answers one request on the listener of the metrics.
pub async fn handle(request: Request<Incoming>, watched: Arc<Watched>) -> Answer {
    let path = request.uri().path();
    if path != METRICS_PATH && path != READY_PATH {
        let there = format!("Here are {METRICS_PATH} and {READY_PATH}. Deliveries go to webhook.listen.");
        return sentence(StatusCode::NOT_FOUND, there);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return wrong_method("GET");
    }
    if path == READY_PATH {
        return match watched.is_ready().await {
            Ok(()) => sentence(StatusCode::OK, "ready"),
            Err(why) => sentence(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
        };
    }
    match watched.scrape().await {
        Ok(text) => {
            let mut answer = sentence(StatusCode::OK, text.trim_end());
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORMAT));
            answer
        }
        Err(why) => sentence(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_only_while_the_writer_answers_and_nothing_stops() {
        let (runs, stops) = (CancellationToken::new(), CancellationToken::new());
        stops.cancel();
        let failed = || ready(Err(LedgerError::Failed("no space".into())));
        assert!(readiness(ready(Ok(())), &runs).await.is_ok());
        assert!(matches!(readiness(ready(Ok(())), &stops).await, Err(NotReady::Stopping)));
        assert!(matches!(readiness(failed(), &runs).await, Err(NotReady::Failed(_))));
        assert!(matches!(readiness(failed(), &stops).await, Err(NotReady::Failed(_))));
        assert!(matches!(readiness(pending(), &runs).await, Err(NotReady::Slow)));
    }
}
