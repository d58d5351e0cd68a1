//! The task of one target: one attempt at a time, so that messages keep their order and a
//! target in trouble is not pressed; other targets have tasks of their own.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};

use super::{
    Clock, locked,
    queue::{Next, Queue, Refused},
};
use crate::{
    config::profile::NotifyTarget,
    domain::{
        delivery::{Delivery, Outcome},
        notification::{Notification, Status},
    },
};

/// What a target and its task share.
pub(super) struct Desk {
    /// How it is reached. Replaced as a whole by a changed configuration.
    config: Mutex<Arc<NotifyTarget>>,
    queue: Mutex<Queue>,
    /// Something was put in.
    wake: Notify,
    /// Something was delivered or has failed.
    moved: Notify,
    /// What waits has changed.
    stirred: Arc<Notify>,
    reports: mpsc::Sender<Delivery>,
    clock: Clock,
}

impl Desk {
    pub(super) fn new(
        config: NotifyTarget,
        reports: mpsc::Sender<Delivery>,
        clock: Clock,
        stirred: Arc<Notify>,
    ) -> Arc<Self> {
        Arc::new(Self {
            config: Mutex::new(Arc::new(config)),
            queue: Mutex::default(),
            wake: Notify::new(),
            moved: Notify::new(),
            stirred,
            reports,
            clock,
        })
    }

    pub(super) fn config(&self) -> Arc<NotifyTarget> {
        Arc::clone(&locked(&self.config))
    }

    pub(super) fn reconfigure(&self, config: NotifyTarget) {
        *locked(&self.config) = Arc::new(config);
    }

    /// Whether the target is told of such messages.
    pub(super) fn takes(&self, message: &Notification) -> bool {
        let config = self.config();
        config.severities.contains(&message.group.severity)
            && (config.resolved || message.status == Status::Firing)
    }

    /// Puts a message in. Never waits.
    pub(super) fn put(&self, message: Notification) {
        let lost = locked(&self.queue).push(message, Instant::now());
        self.wake.notify_one();
        self.stirred.notify_one();
        if let Some(lost) = lost {
            self.report(lost.dedup_key, lost.sequence, lost.outcome);
        }
    }

    /// The messages that were not delivered yet.
    pub(super) fn left(&self) -> Vec<Notification> {
        locked(&self.queue).left()
    }

    /// Waits until every message has had an attempt.
    pub(super) async fn tried(&self) {
        loop {
            let moved = self.moved.notified();
            if !locked(&self.queue).is_busy() {
                return;
            }
            moved.await;
        }
    }

    fn report(&self, dedup_key: String, sequence: u64, outcome: Outcome) {
        let target = self.config().name.clone();
        match &outcome {
            Outcome::Delivered => tracing::info!(target, sequence, "notification delivered"),
            other => {
                tracing::warn!(target, sequence, outcome = ?other, "notification not delivered")
            }
        }
        let at = (self.clock)();
        // Who does not read the reports in time has the log.
        let _ = self.reports.try_send(Delivery { target, dedup_key, sequence, outcome, at });
    }

    /// Tries what waits, for ever. `deliver` keeps to a time limit of its own.
    pub(super) async fn work<F, D>(self: Arc<Self>, deliver: D)
    where
        D: Fn(Arc<NotifyTarget>, Notification) -> F,
        F: Future<Output = Result<(), Refused>>,
    {
        loop {
            let next = locked(&self.queue).next(Instant::now());
            match next {
                Next::Nothing => self.wake.notified().await,
                Next::Wait(until) => {
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = self.wake.notified() => {}
                    }
                }
                Next::Try(number, message) => {
                    let config = self.config();
                    let (key, sequence) = (message.dedup_key.clone(), message.sequence);
                    let result = deliver(Arc::clone(&config), *message).await;
                    self.settle(number, key, sequence, result, &config);
                }
            }
        }
    }

    fn settle(
        &self,
        number: u64,
        key: String,
        sequence: u64,
        result: Result<(), Refused>,
        config: &NotifyTarget,
    ) {
        let outcome = {
            let mut queue = locked(&self.queue);
            match result {
                Ok(()) => {
                    queue.delivered(number);
                    Some(Outcome::Delivered)
                }
                Err(refused) => {
                    let chance = rand::random::<f64>();
                    queue.failed(number, refused, config.retry_for, chance, Instant::now())
                }
            }
        };
        if let Some(outcome) = outcome {
            self.report(key, sequence, outcome);
        }
        self.moved.notify_waiters();
        self.stirred.notify_one();
    }
}

#[cfg(test)]
mod tests;
