//! Work that goes on between the polls of a source, which only report what it has found.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// The task; it ends, and whatever it has started with it, when this is dropped.
pub(super) struct Background<T, P> {
    shared: Arc<Shared<T, P>>,
    phase: watch::Receiver<P>,
    task: AbortOnDropHandle<()>,
}

/// What the task and the polls share: what was found, and how it goes.
pub(super) struct Shared<T, P> {
    found: Mutex<T>,
    phase: watch::Sender<P>,
}

impl<T, P> Shared<T, P> {
    /// What was found so far.
    pub(super) fn found(&self) -> MutexGuard<'_, T> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It goes so from now on.
    pub(super) fn phase(&self, phase: P) {
        self.phase.send_replace(phase);
    }

    /// Changes how it goes, where `change` says that it did.
    pub(super) fn change_phase(&self, change: impl FnOnce(&mut P) -> bool) {
        self.phase.send_if_modified(change);
    }
}

impl<T: Send + 'static, P: Clone + Send + Sync + 'static> Background<T, P> {
    /// Starts the work.
    pub(super) fn start<F>(found: T, phase: P, work: impl FnOnce(Arc<Shared<T, P>>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, phase) = watch::channel(phase);
        let shared = Arc::new(Shared { found: Mutex::new(found), phase: sender });
        let task = tokio::spawn(work(Arc::clone(&shared)));
        Self { shared, phase, task: AbortOnDropHandle::new(task) }
    }

    /// Whether the task has ended, which it never does by itself.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// What was found so far.
    pub(super) fn found(&self) -> MutexGuard<'_, T> {
        self.shared.found()
    }

    /// Waits until it goes as wanted, `patience` at most. How it goes then.
    pub(super) async fn settled(
        &mut self,
        patience: Duration,
        wanted: impl FnMut(&P) -> bool,
    ) -> P {
        // Whatever has been reached until then is what there is.
        let _ = timeout(patience, self.phase.wait_for(wanted)).await.map(drop);
        self.phase.borrow().clone()
    }
}
