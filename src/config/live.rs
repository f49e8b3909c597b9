//! The configuration as it is now. A reload replaces it as a whole: whoever works with it takes it once for each piece of
//! work, so that no piece sees half of the old one and half of the new.

use std::sync::Arc;

use tokio::sync::watch;

use super::Config;

/// The configuration as it is now. Clones show the same one, and each knows by itself what it has seen of it.
#[derive(Clone, Debug)]
pub struct Live {
    current: Arc<watch::Sender<Arc<Config>>>,
    seen: watch::Receiver<Arc<Config>>,
}

impl Live {
    /// Begins with this configuration, and stays with it unless there is a reload.
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        let (current, seen) = watch::channel(config.into());
        Live { current: Arc::new(current), seen }
    }

    /// The configuration of this moment.
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.seen.borrow())
    }

    /// Puts another one in its place. Only for [`crate::intake::Intake::reload`], which tells the workers what follows.
    pub(crate) fn replace(&self, config: Config) {
        self.current.send_replace(Arc::new(config));
    }

    /// Waits until it is another one than the last that was [taken note of](Self::take_note).
    pub(crate) async fn changed(&self) {
        // It cannot be closed: `current` is ours.
        drop(self.seen.clone().changed().await);
    }

    /// Whether it is another one than the last time, or than when this handle was made.
    pub(crate) fn take_note(&mut self) -> bool {
        // It cannot be closed: `current` is ours.
        let changed = self.seen.has_changed().unwrap_or(false);
        if changed {
            // One that came in between is taken note of as well: whoever asks reads it after this.
            self.seen.mark_unchanged();
        }
        changed
    }
}
