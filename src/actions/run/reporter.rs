//! The events of one run, on their way to whoever watches. The run never waits for them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc};

use crate::{
    actions::{Clock, words},
    domain::{
        action::{ActionEvent, ActionStage},
        ids::{ActionId, RunId},
    },
};

/// Events that wait for a slow receiver; what comes on top is counted and left out, apart
/// from the few that must arrive.
const WAITING: usize = 256;
/// Characters of an output line that are shown.
const LINE: usize = 2000;

/// Sends events without ever waiting.
pub(super) struct Reporter {
    run: RunId,
    action: ActionId,
    clock: Clock,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<ActionEvent>,
    left_out: u64,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the events over one by one, until there are no more or nobody takes them.
    async fn forward(&self, receiver: mpsc::Sender<ActionEvent>) {
        loop {
            let next = {
                let mut queue = self.lock();
                let next = queue.events.pop_front();
                if next.is_none() && queue.closed {
                    return;
                }
                next
            };
            match next {
                None => self.changed.notified().await,
                Some(event) => {
                    if receiver.send(event).await.is_err() {
                        let mut queue = self.lock();
                        queue.closed = true;
                        queue.events.clear();
                        return;
                    }
                }
            }
        }
    }
}

impl Reporter {
    /// For one run.
    pub(super) fn new(
        run: RunId,
        action: ActionId,
        clock: Clock,
        receiver: mpsc::Sender<ActionEvent>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let forwarder = Arc::clone(&shared);
        tokio::spawn(async move { forwarder.forward(receiver).await });
        Self { run, action, clock, shared }
    }

    /// Sends an event, or leaves it out where it is not essential and nobody takes it.
    pub(super) fn send(&self, stage: ActionStage) {
        let stage = cleaned(stage);
        let mut queue = self.shared.lock();
        if queue.closed {
            return;
        }
        let essential = !matches!(stage, ActionStage::Progress { .. } | ActionStage::Output(_));
        if matches!(stage, ActionStage::Progress { .. })
            && let Some(last) = queue.events.back_mut()
            && matches!(last.stage, ActionStage::Progress { .. })
        {
            // Only the newest is of interest.
            *last = self.event(stage);
            return;
        }
        if queue.events.len() >= WAITING && !essential {
            queue.left_out += 1;
            return;
        }
        if queue.left_out > 0 {
            let text = format!("[{} not shown]", words::count(queue.left_out, "line", "lines"));
            queue.left_out = 0;
            queue.events.push_back(self.event(ActionStage::Output(text)));
        }
        queue.events.push_back(self.event(stage));
        drop(queue);
        self.shared.changed.notify_one();
    }

    fn event(&self, stage: ActionStage) -> ActionEvent {
        ActionEvent {
            run: self.run.clone(),
            action: self.action.clone(),
            at: (self.clock)(),
            stage,
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

fn cleaned(stage: ActionStage) -> ActionStage {
    match stage {
        ActionStage::Output(line) => ActionStage::Output(words::clip(&line, LINE)),
        ActionStage::Progress { done, total, note } => {
            ActionStage::Progress { done, total, note: words::clip(&note, LINE) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{
        action::{Claim, RunResult},
        time::Moment,
    };

    fn reporter(receiver: mpsc::Sender<ActionEvent>) -> Reporter {
        let clock: Clock = Arc::new(|| Moment::at_seconds(1.0));
        Reporter::new("r".into(), "a".into(), clock, receiver)
    }

    fn finished() -> ActionStage {
        ActionStage::Finished(RunResult {
            claim: Claim::Done,
            summary: String::new(),
            readings: Default::default(),
            took: Duration::ZERO,
        })
    }

    #[tokio::test]
    async fn a_receiver_that_does_not_listen_loses_lines_but_not_the_end() {
        let (sender, mut receiver) = mpsc::channel(1);
        let reporter = reporter(sender);
        reporter.send(ActionStage::Journaled);
        reporter.send(ActionStage::Started);
        for number in 0..1000 {
            reporter.send(ActionStage::Output(number.to_string()));
        }
        reporter.send(finished());
        drop(reporter);

        let mut stages = Vec::new();
        while let Some(event) = receiver.recv().await {
            stages.push(event.stage);
        }
        assert_eq!(stages[..2], [ActionStage::Journaled, ActionStage::Started]);
        assert_eq!(stages.last(), Some(&finished()));
        let shown = stages.len() - 4;
        let note = format!("[{} lines not shown]", 1000 - shown);
        assert_eq!(stages[stages.len() - 2], ActionStage::Output(note));
    }

    #[tokio::test]
    async fn only_the_newest_progress_waits() {
        let (sender, mut receiver) = mpsc::channel(1);
        let reporter = reporter(sender);
        for done in 0..50 {
            reporter.send(ActionStage::Progress { done, total: None, note: String::new() });
        }
        drop(reporter);
        let mut last = 0;
        let mut count = 0;
        while let Some(event) = receiver.recv().await {
            if let ActionStage::Progress { done, .. } = event.stage {
                assert!(done >= last);
                (last, count) = (done, count + 1);
            }
        }
        assert_eq!(last, 49);
        assert!(count < 50);
    }

    #[tokio::test]
    async fn nobody_has_to_listen() {
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        let reporter = reporter(sender);
        for _ in 0..10 {
            reporter.send(ActionStage::Started);
            tokio::task::yield_now().await;
        }
        assert!(reporter.shared.lock().closed);
        assert!(reporter.shared.lock().events.is_empty());
    }
}
