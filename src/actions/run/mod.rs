//! Carrying an action out.
//!
//! The order is always the same: intent into the journal, the plan made again and
//! compared, everything that can fail without consequence (connecting, finding the
//! program), the start into the journal, the deed, the finish into the journal. Nothing is
//! ever repeated.

mod command;

mod http;

mod log;

mod output;

mod redis;

mod reporter;

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    future::Future,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use self::{log::Log, reporter::Reporter};
use super::{
    Clock, Order,
    journal::{Journal, JournalError},
    plan::{Job, Plan},
    words,
};
use crate::{
    config::profile::ActionConfig,
    domain::{
        action::{ActionEvent, ActionStage, Claim, RunResult},
        failure::Failure,
        ids::{ActionId, ReadingName},
        value::Value,
    },
};

/// Everything that a run needs.
pub(super) struct Task {
    /// How it is carried out.
    pub(super) config: ActionConfig,
    /// What was confirmed.
    pub(super) order: Order,
    /// Where it is written down.
    pub(super) journal: Arc<Journal>,
    /// Where the output of commands is kept.
    pub(super) state_dir: PathBuf,
    /// The time.
    pub(super) clock: Clock,
    /// Where its events go.
    pub(super) events: mpsc::Sender<ActionEvent>,
    /// Stops it.
    pub(super) cancel: CancellationToken,
}

/// How the carrying out ended.
#[derive(Debug)]
struct Ended {
    claim: Claim,
    summary: String,
    readings: BTreeMap<ReadingName, Value>,
}

impl Ended {
    fn new(claim: Claim, summary: impl Into<String>) -> Self {
        Self { claim, summary: summary.into(), readings: BTreeMap::new() }
    }

    fn not_sent(why: impl std::fmt::Display) -> Self {
        Self::new(Claim::NotSent, format!("not sent: {why}"))
    }

    fn reading(mut self, name: &str, value: Value) -> Self {
        self.readings.insert(name.into(), value);
        self
    }
}

/// Why waiting for something ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    /// A person stopped it.
    Cancelled,
    /// Its time was up.
    TimedOut,
}

impl Interruption {
    fn words(self) -> &'static str {
        match self {
            Self::Cancelled => "stopped by the operator",
            Self::TimedOut => "given up, its time was up",
        }
    }
}

/// What the kinds of action see of the world.
struct Stage<'a> {
    log: &'a Log,
    reporter: &'a Reporter,
    cancel: &'a CancellationToken,
    deadline: Instant,
    /// A directory for this run alone; not there yet.
    directory: PathBuf,
}

impl Stage<'_> {
    /// From here on the action may have an effect. Without this line in the journal it
    /// must not go on.
    async fn start(&self) -> Result<(), Ended> {
        if self.cancel.is_cancelled() {
            return Err(Ended::not_sent(Interruption::Cancelled.words()));
        }
        self.log.start().await.map_err(|error| {
            Ended::not_sent(format!("the start could not be written to the journal: {error}"))
        })?;
        self.reporter.send(ActionStage::Started);
        Ok(())
    }

    /// Writes something down that happened on the way. An action that runs is not stopped
    /// because the disk is full, but the operator is told.
    async fn step(&self, text: impl Into<String>) {
        if let Err(error) = self.log.step(text.into()).await {
            self.reporter.send(ActionStage::Output(format!("[not in the journal: {error}]")));
        }
    }

    fn progress(&self, done: u64, note: impl Into<String>) {
        self.reporter.send(ActionStage::Progress { done, total: None, note: note.into() });
    }

    /// Waits for something, but not past the deadline, nor when a person stops it.
    async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Interruption> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Interruption::Cancelled),
            done = work => Ok(done),
            () = tokio::time::sleep_until(self.deadline) => Err(Interruption::TimedOut),
        }
    }

    /// As [`Stage::wait`], for what happens before anything is sent.
    async fn prepare<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Ended> {
        match self.wait(work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(Ended::not_sent(failure)),
            Err(interruption) => Err(Ended::not_sent(interruption.words())),
        }
    }
}

/// Runs an action to its end.
pub(super) async fn run(task: Task) {
    let Task { config, order, journal, state_dir, clock, events, cancel } = task;
    let began = clock();
    let action = config.id.clone();
    let reporter = Reporter::new(order.run.clone(), config.id.clone(), Arc::clone(&clock), events);
    let log = Log::new(journal, Arc::clone(&clock), &order, config.id.clone());
    let plan = tokio::task::spawn_blocking(move || Plan::make(&config)).await;
    let ended = match plan {
        Err(_) => Ended::not_sent("the plan could not be made"),
        Ok(plan) => match log.intent(&plan, &order).await {
            Err(JournalError::KnownRun(run)) => {
                // Its events belong to the run that was there first.
                tracing::error!(%run, "a run was ordered twice; the second was not started");
                return;
            }
            Err(error) => {
                Ended::not_sent(format!("the intent could not be written to the journal: {error}"))
            }
            Ok(()) => {
                reporter.send(ActionStage::Journaled);
                let stage = Stage {
                    log: &log,
                    reporter: &reporter,
                    cancel: &cancel,
                    deadline: Instant::now() + plan.timeout,
                    directory: state_dir.join("runs").join(order.run.as_str()),
                };
                match lock(&state_dir, &action) {
                    Ok(_held) => carry_out(&plan, &order, &stage).await,
                    Err(why) => Ended::not_sent(why),
                }
            }
        },
    };
    let mut result = RunResult {
        claim: ended.claim,
        summary: words::plain(&ended.summary),
        readings: ended.readings,
        took: clock().since(began),
    };
    if let Err(error) = log.finish(&result).await {
        result.summary.push_str(&format!(" (not in the journal: {error})"));
    }
    reporter.send(ActionStage::Finished(result));
}

/// Keeps any other console on this machine from running the same action until it is
/// dropped, also by the end of the process.
fn lock(state_dir: &Path, action: &ActionId) -> Result<File, String> {
    let directory = state_dir.join("locks");
    let file = directory.join(format!("{action}.lock"));
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    DirBuilder::new().mode(0o700).recursive(true).create(&directory).map_err(failed)?;
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file)
        .map_err(failed)?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => {
            Err("another console on this machine is running it now".to_owned())
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

async fn carry_out(plan: &Plan, order: &Order, stage: &Stage<'_>) -> Ended {
    if plan.digest != order.digest {
        return Ended::not_sent("what would be sent now is not what was confirmed");
    }
    if !plan.refusals.is_empty() {
        return Ended::not_sent(plan.refusals.join("; "));
    }
    let ended = match &plan.job {
        Some(Job::Http(job)) => http::run(job, stage).await,
        Some(Job::Redis(job)) => redis::run(job, stage).await,
        Some(Job::Command(job)) => command::run(job, stage).await,
        None => Err(Ended::not_sent("it cannot be carried out as configured")),
    };
    ended.unwrap_or_else(|early| early)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_run_by_one_console_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let (warm, clear) = (ActionId::from("warm"), ActionId::from("clear"));
        let held = lock(directory.path(), &warm).unwrap();
        let second = lock(directory.path(), &warm).unwrap_err();
        assert!(second.contains("another console"), "{second}");
        assert!(lock(directory.path(), &clear).is_ok(), "another action is free");
        drop(held);
        assert!(lock(directory.path(), &warm).is_ok(), "free when the first is done");
    }
}
