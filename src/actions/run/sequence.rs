//! Several steps, one after the other. Each is written down before it begins and after it
//! ended; the next one begins only when this one claims to be done and its conditions hold.
//! Nothing is repeated, and nothing is undone.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;

use super::{Ended, Interruption, Stage, carry_out_job, env_file, log::Log, wait};
use crate::{
    actions::{
        journal::entry::{StepMark, StepPhase},
        plan::{
            fill::Known,
            sequence::{ReadyStep, SequenceJob, StepJob},
        },
        words,
    },
    config::profile::Step,
    domain::{
        action::Claim,
        ask::Answers,
        condition::Condition,
        ids::ReadingName,
        template::{Blank, Filling},
        value::Value,
    },
};

/// Where a step stands in its sequence.
pub(super) struct Mark<'a> {
    /// From 1.
    number: usize,
    of: usize,
    name: &'a str,
    /// Whether any step has begun.
    any: &'a AtomicBool,
    /// Whether this one has.
    begun: AtomicBool,
}

impl Mark<'_> {
    /// Whether this is what starts the run.
    pub(super) fn is_first(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// Writes down that the step begins.
    pub(super) async fn begin(&self, log: &Log) -> Result<(), String> {
        let text = format!("{self} begins");
        log.mark(self.line(StepPhase::Begin, None), text)
            .await
            .map_err(|error| error.to_string())?;
        self.any.store(true, Ordering::Release);
        self.begun.store(true, Ordering::Release);
        Ok(())
    }

    fn line(&self, phase: StepPhase, claim: Option<Claim>) -> StepMark {
        StepMark { number: self.number, of: self.of, name: self.name.to_owned(), phase, claim }
    }

    /// How far the sequence is.
    pub(super) fn done(&self) -> (u64, u64) {
        (self.number as u64, self.of as u64)
    }
}

impl std::fmt::Display for Mark<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {} of {}: {}", self.number, self.of, self.name)
    }
}

/// What the steps have brought so far.
#[derive(Default)]
struct Brought {
    readings: BTreeMap<ReadingName, Value>,
    texts: BTreeMap<(String, String), String>,
    /// Something of a step was to be ended and still runs.
    still_runs: bool,
}

impl Brought {
    fn take(&mut self, step: &str, ended: &Ended) {
        self.still_runs |= ended.still_runs;
        for (name, value) in &ended.readings {
            let full = ReadingName::from(format!("{step}_{name}"));
            self.readings.insert(full, value.clone());
            self.texts.insert((step.to_owned(), name.to_string()), value.to_string());
        }
        // As it was written, where that is known: a number of twenty digits stays one.
        for (name, text) in &ended.texts {
            self.texts.insert((step.to_owned(), name.to_string()), text.clone());
        }
    }
}

/// Why a sequence ended before its end.
struct Stopped {
    claim: Claim,
    why: String,
    /// Whether the step had begun.
    begun: bool,
}

/// Carries the steps out. Where not even the first could begin, that is `Err`.
pub(super) async fn run(job: &SequenceJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let any = AtomicBool::new(false);
    let of = job.steps.len();
    let mut brought = Brought::default();
    for (position, step) in job.steps.iter().enumerate() {
        let number = position + 1;
        let begun = AtomicBool::new(false);
        let mark = Mark { number, of, name: &step.name, any: &any, begun };
        let own = Stage {
            log: stage.log,
            reporter: stage.reporter,
            stop: stage.stop,
            run: stage.run,
            deadline: stage.deadline.min(Instant::now() + step.timeout),
            directory: stage.directory.join(format!("step-{number}")),
            key: format!("{}-{number}", stage.key),
            mark: Some(mark),
        };
        let outcome = one(step, &own, &job.given, &mut brought).await;
        let Err(stopped) = outcome else { continue };
        let summary = told(&stopped, number, step, of);
        let Brought { readings, still_runs, .. } = brought;
        if !any.load(Ordering::Acquire) {
            return Err(Ended::not_sent(stopped.why));
        }
        return Ok(Ended { readings, still_runs, ..Ended::new(stopped.claim, summary) });
    }
    let summary = format!("all {} done", words::count(of as u64, "step", "steps"));
    Ok(Ended { readings: brought.readings, ..Ended::new(Claim::Done, summary) })
}

/// Which steps were done, which was not, and which never began.
fn told(stopped: &Stopped, number: usize, step: &Step, of: usize) -> String {
    let what = match (stopped.begun, stopped.claim) {
        (false, _) => "never began",
        (true, Claim::Cancelled) => "was stopped",
        (true, Claim::Unclear) => "is unclear",
        (true, _) => "failed",
    };
    let rest = match of - number {
        0 => String::new(),
        1 => format!("; step {of} never began"),
        _ => format!("; steps {} to {of} never began", number + 1),
    };
    let done = number - 1;
    let name = &step.name;
    format!(
        "{done} of {of} done; step {number} ({name}) {what}: {}{rest}; nothing undone",
        stopped.why
    )
}

/// Carries one step out, writes its end down, and looks whether it brought what it must.
async fn one(
    step: &Step,
    stage: &Stage<'_>,
    given: &Answers,
    brought: &mut Brought,
) -> Result<(), Stopped> {
    let Some(mark) = &stage.mark else { return Ok(()) };
    if let Some(why) = stage.interrupted() {
        return Err(before(why.words().to_owned(), why));
    }
    let ReadyStep { job, verify } = ready(step, stage, given, brought).await?;
    let ended = match &job {
        StepJob::Act(job) => carry_out_job(job, stage).await,
        StepJob::Wait(job) => wait::run(job, stage).await,
        StepJob::EnvFile(file) => env_file::run(file, stage).await,
    };
    let ended = ended.unwrap_or_else(|early| early);
    let begun = mark.begun.load(Ordering::Acquire);
    brought.take(&step.name, &ended);
    let verdict = verdict(&verify, &ended);
    let (claim, why) = match &verdict {
        Ok(()) => (ended.claim, ended.summary.clone()),
        Err((claim, why)) => (*claim, why.clone()),
    };
    if begun {
        let text = format!("{mark} ended: {}", words::plain(&why));
        let written = stage.log.mark(mark.line(StepPhase::End, Some(claim)), text).await;
        // Without that line, whoever comes after a crash could not tell what was done.
        if let (Ok(()), Err(error)) = (&verdict, written) {
            let why = format!("it was done, but that could not be written to the journal: {error}");
            return Err(Stopped { claim: Claim::Refused, why, begun });
        }
    }
    match (verdict, stage.interrupted()) {
        (Ok(()), _) => Ok(()),
        (Err((Claim::NotSent, why)), Some(interruption)) if !begun => {
            Err(before(why, interruption))
        }
        (Err((Claim::NotSent, why)), _) => Err(Stopped { claim: Claim::Refused, why, begun }),
        (Err((claim, why)), _) => Err(Stopped { claim, why, begun }),
    }
}

/// The step with everything that it needs. A disk that does not answer keeps nobody from
/// stopping it.
async fn ready(
    step: &Step,
    stage: &Stage<'_>,
    given: &Answers,
    brought: &Brought,
) -> Result<ReadyStep, Stopped> {
    let (step, given, texts) = (step.clone(), given.clone(), brought.texts.clone());
    let making = tokio::task::spawn_blocking(move || {
        let brought = |blank: &Blank| match blank {
            Blank::Step { step, reading } => {
                texts.get(&(step.clone(), reading.clone())).cloned().map(Filling::Value)
            }
            Blank::Ask(_) => None,
        };
        ReadyStep::make(&step, Known::new(&given, &brought))
    });
    let refused = |why: String| Stopped { claim: Claim::Refused, why, begun: false };
    match stage.wait(making).await {
        Ok(Ok(made)) => made.map_err(refused),
        Ok(Err(_)) => Err(refused("it could not be worked out".to_owned())),
        Err(interruption) => Err(before(interruption.words().to_owned(), interruption)),
    }
}

/// Stopped between two steps: what was done is known.
fn before(why: String, interruption: Interruption) -> Stopped {
    let claim = match interruption {
        Interruption::Cancelled => Claim::Cancelled,
        _ => Claim::Refused,
    };
    Stopped { claim, why, begun: false }
}

/// Whether the next step may begin.
fn verdict(verify: &[Condition], ended: &Ended) -> Result<(), (Claim, String)> {
    if ended.claim != Claim::Done {
        return Err((ended.claim, ended.summary.clone()));
    }
    for condition in verify {
        match holds(condition, &ended.readings) {
            (Some(true), _) => {}
            (Some(false), seen) => {
                let why = format!("{}, but not {condition}: {seen}", ended.summary);
                return Err((Claim::Refused, why));
            }
            (None, why) => {
                let why = format!("{}, but whether {condition} is not known: {why}", ended.summary);
                return Err((Claim::Unclear, why));
            }
        }
    }
    Ok(())
}

/// Whether a condition holds of an answer, and what was seen.
pub(super) fn holds(
    condition: &Condition,
    readings: &BTreeMap<ReadingName, Value>,
) -> (Option<bool>, String) {
    let name = Arc::clone(&condition.reading);
    match readings.get(&name) {
        Some(value) => (condition.holds(value, None), format!("{name} is {value}")),
        None => (None, format!("there is no {name}")),
    }
}
