//! What the writer measures of its work.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter};

/// Seconds that a commit takes, from a fast disk to one that hangs.
const DURATIONS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Records of one commit, from one to several of a full batch, and an import.
const RECORDS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0];

/// What the writer measures. Clones are the same instruments.
#[derive(Clone, Debug)]
pub struct Instruments {
    commits: IntCounter,
    records: Histogram,
    duration: Histogram,
}

impl Default for Instruments {
    fn default() -> Self {
        let histogram = |name, help, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            Histogram::with_opts(options).expect("the name is one, and the buckets are in order")
        };
        Instruments {
            commits: IntCounter::new("votive_ledger_commits_total", "Transactions that are durable.")
                .expect("the name is one"),
            records: histogram(
                "votive_ledger_commit_records",
                "Records of a transaction: those that were waiting share one.",
                &RECORDS,
            ),
            duration: histogram(
                "votive_ledger_commit_duration_seconds",
                "How long a transaction took until it was durable.",
                &DURATIONS,
            ),
        }
    }
}

impl Instruments {
    /// So many records became durable in one transaction.
    pub(super) fn committed(&self, records: usize, took: Duration) {
        self.commits.inc();
        self.records.observe(records as f64);
        self.duration.observe(took.as_secs_f64());
    }

    /// All of them, for a registry.
    pub fn collectors(&self) -> [Box<dyn Collector>; 3] {
        [Box::new(self.commits.clone()), Box::new(self.records.clone()), Box::new(self.duration.clone())]
    }
}
