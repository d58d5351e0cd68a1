//! What goes into the journal away from the loop: a slow disk must not keep a key waiting.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::{actions::Actions, app::msg::Event};

/// Lines that may wait for the disk.
const WAITING: usize = 64;

/// How long lines that still wait at the end may take.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What writes one line.
pub(super) type Line = Box<dyn FnOnce(&Actions) -> Result<(), String> + Send>;

/// Writes one line after the other, so that they stand in the journal in the order in which
/// things happened, and says of each whether it could be written.
pub(super) struct Writer {
    lines: mpsc::Sender<Line>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Starts the one that writes.
    pub(super) fn start(actions: Arc<Actions>, events: mpsc::Sender<Event>) -> Self {
        let (lines, mut waiting) = mpsc::channel::<Line>(WAITING);
        let task = tokio::spawn(async move {
            while let Some(line) = waiting.recv().await {
                let actions = Arc::clone(&actions);
                let written = tokio::task::spawn_blocking(move || line(&actions)).await;
                let event = match written.map_err(|error| error.to_string()).flatten() {
                    Ok(()) => Event::JournalWorks,
                    Err(why) => Event::JournalFailed(why),
                };
                // Nobody may listen any more; what waits is written all the same.
                let _ = events.send(event).await;
            }
        });
        Self { lines, task }
    }

    /// Has a line written.
    ///
    /// # Errors
    /// In words, where too much waits for the disk: it will not be written.
    pub(super) fn write(&self, line: Line) -> Result<(), String> {
        let full = || format!("the disk does not keep up: {WAITING} lines wait for it");
        self.lines.try_send(line).map_err(|_| full())
    }

    /// Waits for what is still to be written, but not for long.
    pub(super) async fn finish(self) {
        drop(self.lines);
        if timeout(FINISH_WITHIN, self.task).await.is_err() {
            tracing::warn!("the disk is slow: the last lines are perhaps not in the journal");
        }
    }
}
