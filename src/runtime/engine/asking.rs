//! A poller for each source, for as long as the console lives.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    panic::AssertUnwindSafe,
};

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::RESTART_AFTER;
use crate::{
    config::profile::SourceConfig,
    domain::{ids::SourceId, observation::Observation},
    runtime::{
        clock::Clock,
        poller::{self, Order, Pollable, Rhythm, Said},
    },
    sources::Source,
};

/// Polls a source for as long as somebody listens. A poller that breaks down is reported
/// and started again; the others never notice.
pub(super) async fn keep_polling(
    config: SourceConfig,
    clock: Clock,
    mut orders: mpsc::Receiver<Order>,
    said: mpsc::Sender<Said>,
) {
    let rhythm = Rhythm {
        interval: config.interval,
        jitter: config.jitter,
        backoff_max: config.backoff_max,
    };
    loop {
        let source = Asked { source: Source::new(&config), clock: crate::sources::Clock::start() };
        let polling =
            poller::run(source, rhythm, clock, &mut orders, said.clone(), seed(&config.id));
        let Err(_panic) = AssertUnwindSafe(polling).catch_unwind().await else { return };
        tracing::error!(source = %config.id, "a poller broke down");
        let observation = poller::broken(&config.id, clock, "a panic; the log has it");
        if said.send(Said::Observed(Box::new(observation))).await.is_err() {
            return;
        }
        tokio::time::sleep(RESTART_AFTER).await;
    }
}

/// A source under a poller.
struct Asked {
    source: Source,
    clock: crate::sources::Clock,
}

impl Pollable for Asked {
    async fn poll(&mut self) -> Observation {
        let intended = self.clock.now();
        self.source.observe(&self.clock, intended).await
    }
}

/// The same source keeps its place in the interval over restarts.
fn seed(id: &SourceId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
