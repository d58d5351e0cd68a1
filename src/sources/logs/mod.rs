//! A log that is followed in the background: a file, or a program that goes on printing.
//!
//! A poll asks nobody: it reports what has been gathered. What is kept is bounded, and
//! fields with personal data are dropped before anything is kept at all.

mod follow;

mod gather;

mod inline;

mod lines;

mod newest;

mod overlap;

mod parse;

mod program;

mod shown;

mod skew;

mod tail;

mod time;

mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use self::gather::Gathered;
use crate::{
    config::profile::{LogOrigin, LogsSource},
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        time::Moment,
    },
    net::progress::Progress,
};

/// A log.
pub(super) struct Logs {
    config: LogsSource,
    following: Option<Following>,
}

/// The task in the background; it ends, and its program with it, when this is dropped.
struct Following {
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    task: AbortOnDropHandle<()>,
}

/// What the task and the polls share.
struct Shared {
    gathered: Mutex<Gathered>,
    phase: watch::Sender<Phase>,
}

/// How the following goes.
#[derive(Clone, Debug)]
enum Phase {
    /// What was there before is being read.
    Starting,
    /// What comes is read.
    Following,
    /// Nothing comes.
    Trouble(Failure),
}

impl Shared {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}

impl Logs {
    /// A log that is not followed yet.
    pub(super) fn new(config: &LogsSource) -> Self {
        Self { config: config.clone(), following: None }
    }

    /// Reports what has been gathered. The first poll begins to follow, and waits until
    /// what was there before has been read.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        if self.following.as_ref().is_some_and(|following| following.task.is_finished()) {
            self.following = None;
        }
        let config = &self.config;
        let following = self.following.get_or_insert_with(|| start(config));
        let patience = progress.left() * 2 / 3;
        let ready = following.phase.wait_for(|phase| !matches!(phase, Phase::Starting));
        let phase = match timeout(patience, ready).await {
            Ok(Ok(phase)) => phase.clone(),
            Ok(Err(_)) => {
                let message = "the log is not followed any more: its task has ended";
                return Err(Failure::new(FailureKind::BadAnswer, message));
            }
            Err(_) => Phase::Starting,
        };
        match phase {
            Phase::Trouble(failure) => Err(failure),
            Phase::Starting => {
                let message = "what was there before is still being read";
                Err(Failure::new(FailureKind::BadAnswer, message))
            }
            Phase::Following => Ok(following.shared.gathered().report(now)),
        }
    }
}

fn start(config: &LogsSource) -> Following {
    let (sender, phase) = watch::channel(Phase::Starting);
    let gathered = Mutex::new(Gathered::new(config));
    let shared = Arc::new(Shared { gathered, phase: sender });
    let task = tokio::spawn(follow::follow(config.clone(), Arc::clone(&shared)));
    Following { shared, phase, task: AbortOnDropHandle::new(task) }
}

/// What is done, in words.
pub(super) fn request(config: &LogsSource) -> String {
    match &config.from {
        LogOrigin::File(file) => format!("follow {}", file.display()),
        LogOrigin::Command { program, .. } => program.shown(),
    }
}
