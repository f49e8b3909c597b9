//! Everything that runs in the background of one daemon.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A set of tasks that can be waited for, and ended at once.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    killed: CancellationToken,
}

impl Tasks {
    /// Runs a task. Call it within a tokio runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let killed = self.killed.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                // First: a task that is to end does not take another step.
                biased;
                () = killed.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Waits until every task has ended.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends every task where it stands, as a `kill -9` ends the process.
    pub fn kill(&self) {
        self.killed.cancel();
    }
}
