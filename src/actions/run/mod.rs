//! Carrying an action out.
//!
//! The order is always the same: the plan made again and compared, the locks, everything
//! that can fail without consequence (connecting, finding the program), the start into the
//! journal, the deed, the finish into the journal. Nothing is ever repeated.

mod command;

mod env_file;

mod hold;

mod http;

mod log;

mod notes;

mod output;

mod redis;

mod reporter;

mod sequence;

mod sql;

mod terminal;

mod wait;

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

pub(super) use self::log::DISK_LIMIT;
use self::{log::Log, reporter::Reporter, sequence::Mark};
use super::{
    Clock,
    journal::{Journal, JournalError},
    locks::Held,
    plan::{Job, Plan},
    process, words,
};
use crate::{
    config::profile::ActionConfig,
    domain::{
        action::{ActionEvent, ActionStage, Claim, RunResult, TakeOver},
        ask::Answers,
        failure::Failure,
        ids::{ReadingName, RunId},
        value::Value,
    },
};

/// How long the end of a run is tried to be written, where the disk is full.
const FINISH_WITHIN: Duration = Duration::from_secs(300);
const FINISH_RETRY: Duration = Duration::from_secs(1);
/// How often it is looked at whether what could not be ended has ended.
const OUTLAST_EVERY: Duration = Duration::from_millis(500);

/// Everything that a run needs.
pub(super) struct Task {
    /// How it is carried out.
    pub(super) config: ActionConfig,
    /// Its name.
    pub(super) run: RunId,
    /// What it acts on.
    pub(super) target: String,
    /// The digest of the plan that was confirmed.
    pub(super) digest: String,
    /// How long the action must have rested when it begins.
    pub(super) cooldown: Duration,
    /// Why and from whom a lock is taken over, where it is.
    pub(super) take_over: Option<TakeOver>,
    /// Where it is written down.
    pub(super) journal: Arc<Journal>,
    /// Where locks and the output of commands are kept.
    pub(super) state_dir: PathBuf,
    /// The time.
    pub(super) clock: Clock,
    /// Where its events go.
    pub(super) events: mpsc::Sender<ActionEvent>,
    /// Stops it.
    pub(super) stop: Arc<Stop>,
}

/// Stops a run, once, for the first reason given.
#[derive(Debug, Default)]
pub(super) struct Stop {
    token: CancellationToken,
    why: OnceLock<Interruption>,
    /// The runner itself has to go, whatever still runs.
    leave: CancellationToken,
}

impl Stop {
    /// Stops it, where nobody has done so before.
    pub(super) fn now(&self, why: Interruption) {
        // The first reason stands.
        let _ = self.why.set(why);
        self.token.cancel();
        if matches!(why, Interruption::Ended | Interruption::DemoOver) {
            self.leave.cancel();
        }
    }

    fn why(&self) -> Interruption {
        self.why.get().copied().unwrap_or(Interruption::Cancelled)
    }
}

/// How the carrying out ended.
#[derive(Debug)]
struct Ended {
    claim: Claim,
    summary: String,
    readings: BTreeMap<ReadingName, Value>,
    /// Readings as they were written, where that is known: for later steps.
    texts: BTreeMap<ReadingName, String>,
    /// Something of it was to be ended and still runs.
    still_runs: bool,
}

impl Ended {
    fn new(claim: Claim, summary: impl Into<String>) -> Self {
        Self {
            claim,
            summary: summary.into(),
            readings: BTreeMap::new(),
            texts: BTreeMap::new(),
            still_runs: false,
        }
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
pub(super) enum Interruption {
    /// A person stopped it.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// The system asked its runner to end, as it does when the machine is shut down.
    Ended,
    /// It belongs to a demo, which is over.
    DemoOver,
}

impl Interruption {
    fn words(self) -> &'static str {
        match self {
            Self::Cancelled => "stopped by the operator",
            Self::TimedOut => "given up, its time was up",
            Self::Ended => "the system asked its runner to end",
            Self::DemoOver => "ended with the demo that it belongs to",
        }
    }
}

/// What the kinds of action see of the world.
struct Stage<'a> {
    log: &'a Log,
    reporter: &'a Arc<Reporter>,
    stop: &'a Stop,
    run: &'a RunId,
    deadline: Instant,
    /// A directory for this run alone, or for this step; not there yet.
    directory: PathBuf,
    /// What it is called where the other side takes such a name: never twice the same.
    key: String,
    /// Which step it is, where it is one.
    mark: Option<Mark<'a>>,
}

impl Stage<'_> {
    /// From here on the action may have an effect. Without this line in the journal it
    /// must not go on.
    async fn start(&self) -> Result<(), Ended> {
        let cancelled = self.log.is_cancelled().await;
        if cancelled.map_err(Ended::not_sent)? {
            self.stop.now(Interruption::Cancelled);
        }
        if Instant::now() >= self.deadline {
            self.stop.now(Interruption::TimedOut);
        }
        if self.stop.token.is_cancelled() {
            return Err(Ended::not_sent(self.stop.why().words()));
        }
        if self.mark.as_ref().is_none_or(Mark::is_first) {
            self.log.start().await.map_err(|error| {
                Ended::not_sent(format!("the start could not be written to the journal: {error}"))
            })?;
            self.reporter.send(ActionStage::Started);
        }
        if let Some(mark) = &self.mark {
            mark.begin(self.log).await.map_err(|error| {
                Ended::not_sent(format!("the step could not be written to the journal: {error}"))
            })?;
            self.report(0, None, String::new());
        }
        Ok(())
    }

    /// Why it must not go on, where that is so.
    fn interrupted(&self) -> Option<Interruption> {
        if self.stop.token.is_cancelled() {
            return Some(self.stop.why());
        }
        (Instant::now() >= self.deadline).then_some(Interruption::TimedOut)
    }

    fn report(&self, done: u64, total: Option<u64>, note: String) {
        let (done, total, note) = match &self.mark {
            None => (done, total, note),
            Some(mark) => {
                let (number, of) = mark.done();
                let note = if note.is_empty() { note } else { format!(": {note}") };
                (number, Some(of), format!("{mark}{note}"))
            }
        };
        self.reporter.send(ActionStage::Progress { done, total, note });
    }

    /// Writes something down that happened on the way. An action that runs is not stopped
    /// because the disk is full, but the operator is told.
    async fn step(&self, text: impl Into<String>) {
        if let Err(error) = self.log.step(text.into()).await {
            self.reporter.send(ActionStage::Output(format!("[not in the journal: {error}]")));
        }
    }

    fn progress(&self, done: u64, note: impl Into<String>) {
        self.report(done, None, note.into());
    }

    /// Waits for something, but not past the deadline, nor when a person stops it.
    async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Interruption> {
        tokio::select! {
            biased;
            () = self.stop.token.cancelled() => Err(self.stop.why()),
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

/// What is left of a run that is over. Its result is not in the journal yet.
pub(super) struct Over {
    pub(super) log: Log,
    pub(super) result: RunResult,
    /// Something of it was to be ended and still runs: its locks are held meanwhile.
    still_runs: bool,
    _held: Option<Held>,
}

impl Over {
    /// Keeps the locks for as long as something runs that could not be ended.
    pub(super) async fn outlast(self, stop: &Stop) {
        let us = rustix::process::getpid().as_raw_nonzero().get();
        while self.still_runs && !process::remaining(us, us).is_empty() {
            tokio::select! {
                () = stop.leave.cancelled() => return,
                () = tokio::time::sleep(OUTLAST_EVERY) => {}
            }
        }
    }
}

/// Carries an action out, up to its result.
pub(super) async fn run(task: Task) -> Over {
    let Task { config, journal, state_dir, clock, events, stop, run, target, digest, .. } = &task;
    let began = clock();
    let reporter = Reporter::new(run.clone(), config.id.clone(), Arc::clone(clock), events.clone());
    let reporter = Arc::new(reporter);
    let action = config.id.clone();
    let log = Log::new(Arc::clone(journal), Arc::clone(clock), run.clone(), target.clone(), action);
    let own = config.clone();
    let mut held = None;
    let ended = match tokio::task::spawn_blocking(move || Plan::make(&own, &Answers::none())).await
    {
        Err(_) => Ended::not_sent("the plan could not be made"),
        Ok(plan) => {
            let mut stage = Stage {
                log: &log,
                reporter: &reporter,
                stop,
                run,
                deadline: Instant::now() + plan.timeout,
                directory: super::place_of(state_dir, run),
                key: run.to_string(),
                mark: None,
            };
            match objection(&plan, digest) {
                Some(why) => Ended::not_sent(why),
                None => match hold::hold(&task, &stage).await {
                    Ok(locks) => {
                        held = Some(locks);
                        // Waiting for somebody to stop is not its own time.
                        stage.deadline = Instant::now() + plan.timeout;
                        carry_out(&plan, &stage, task.cooldown).await
                    }
                    Err(why) => Ended::not_sent(why),
                },
            }
        }
    };
    let result = RunResult {
        claim: ended.claim,
        summary: words::plain(&ended.summary),
        readings: ended.readings,
        took: clock().since(began),
    };
    Over { log, result, still_runs: ended.still_runs, _held: held }
}

/// Writes the end of a run down. A full disk may have room again in a while, so it is tried
/// for long: without this line the next console can only say "unknown".
pub(super) async fn finish(log: &Log, result: &RunResult) -> Result<(), JournalError> {
    let give_up = Instant::now() + FINISH_WITHIN;
    while let Err(error) = log.finish(result).await {
        // A journal that is gone, as that of a demo that was killed, does not come back.
        let passes = matches!(
            error,
            JournalError::Io { .. } | JournalError::Locked(_) | JournalError::Slow(_)
        );
        if !passes || Instant::now() >= give_up {
            return Err(error);
        }
        tokio::time::sleep(FINISH_RETRY).await;
    }
    Ok(())
}

/// Why a plan must not be carried out: it is another one than was confirmed, or impossible.
pub(super) fn objection(plan: &Plan, digest: &str) -> Option<String> {
    if plan.digest != digest {
        return Some("what would be sent now is not what was confirmed".to_owned());
    }
    (!plan.refusals.is_empty()).then(|| plan.refusals.join("; "))
}

async fn carry_out(plan: &Plan, stage: &Stage<'_>, cooldown: Duration) -> Ended {
    // Under the locks: whoever was faster has written their start by now.
    match stage.log.resting(cooldown).await {
        Ok(None) => {}
        Ok(Some(why)) => return Ended::not_sent(why),
        Err(error) => return Ended::not_sent(error),
    }
    let ended = match &plan.job {
        Some(Job::Sequence(job)) => sequence::run(job, stage).await,
        Some(job) => carry_out_job(job, stage).await,
        None => Err(Ended::not_sent("it cannot be carried out as configured")),
    };
    ended.unwrap_or_else(|early| early)
}

/// Carries out what is no sequence. Whatever goes wrong before it has begun is `Err`.
async fn carry_out_job(job: &Job, stage: &Stage<'_>) -> Result<Ended, Ended> {
    match job {
        Job::Http(job) => http::run(job, stage).await,
        Job::Redis(job) => redis::run(job, stage).await,
        Job::Command(job) => command::run(job, stage).await,
        Job::Sql(job) => sql::run(job, stage).await,
        Job::Sequence(_) => Err(Ended::not_sent("a sequence cannot be a step of another")),
    }
}
