//! What every stand-in shares: which faults are on, what is said, and when it is over.

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::{
    StoryLine,
    fault::{Fault, Switches},
    request_log::RequestLog,
};

/// Lines that whoever listens may be behind by.
const LINES: usize = 64;

/// The stage that a story is played on.
pub(super) struct Stage {
    /// Which faults are on.
    pub(super) switches: Switches,
    /// What the story says.
    pub(super) story: broadcast::Sender<StoryLine>,
    /// The requests, written down.
    pub(super) log: RequestLog,
    /// Ends every task.
    pub(super) stopping: CancellationToken,
}

impl Stage {
    /// A stage on which these faults can be switched.
    pub(super) fn new(faults: &'static [Fault]) -> Self {
        Self {
            switches: Switches::new(faults),
            story: broadcast::channel(LINES).0,
            log: RequestLog::default(),
            stopping: CancellationToken::new(),
        }
    }

    /// Says something in the message line of whoever listens.
    pub(super) fn say(&self, text: impl Into<String>) {
        // Nobody listening is fine.
        let _ = self.story.send(StoryLine { text: text.into() });
    }

    /// Works until the work is done or the story is over.
    pub(super) async fn until_over<F: Future>(&self, work: F) -> Option<F::Output> {
        self.stopping.run_until_cancelled(work).await
    }
}
