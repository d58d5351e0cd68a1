//! Guarded actions: what one would do, carrying it out, and the journal of it all.
//!
//! Whoever starts an action only writes down that it is intended and starts a runner: a
//! process in a session of its own, which carries it out and outlives every console.
//! Consoles follow a run by reading what its runner writes, whoever started it. Whatever is
//! needed to judge a run later is in the journal.
//!
//! Suggested reading order: [`journal`], `verdict`, `plan`, `preview`, `launch`, `run`,
//! `supervise`, `follow`.

pub mod journal;

mod approval;
mod attach;
mod cooldown;
mod follow;
mod launch;
mod left;
mod locks;
mod on_terminal;
mod plan;
mod preview;
mod process;
mod redis;
mod run;
mod sql;
mod supervise;
mod tidy;
mod unstarted;
mod verdict;
mod wire;
mod words;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use rand::{TryRngCore, rngs::OsRng};
use tokio::sync::mpsc;

pub use self::{
    approval::Request,
    attach::{Attachment, NotAttached, Shown},
    journal::{JournalError, JournalReport},
    on_terminal::on_terminal,
    preview::{Findings, filled, look_at_statements, measure},
    supervise::supervise,
};
use self::{
    journal::{
        Journal,
        entry::{Entry, Kind},
    },
    left::{ask_to_end, still_running},
    locks::Conflict,
    wire::Handover,
};
use crate::{
    config::profile::ActionConfig,
    domain::{
        action::{ActionEvent, ActionOutcome, LOCKED, PastRun, Previewed, Standing, TakeOver},
        ask::Answers,
        catalog::PrefixSpec,
        ids::{ActionId, ReadingName, RunId},
        time::Moment,
        value::Value,
    },
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Why actions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActionsError {
    /// Without a journal, nothing may be started.
    #[error("the journal cannot be used: {0}")]
    Journal(#[from] JournalError),
}

/// Why nobody will stop.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It is not in the journal, so no runner will read it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It is in the journal, but no runner is there, and the program could not be reached.
    #[error("nothing was signalled: {0}")]
    Unreached(String),
}

/// Everything that a run needs besides the configuration: exactly what was confirmed, by
/// what words.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The run.
    pub run: RunId,
    /// The digest of the plan that was shown; another plan is refused.
    pub digest: String,
    /// `service/environment`.
    pub target: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// How it was confirmed.
    pub confirmation: String,
    /// Readings before, as shown.
    pub before: Vec<(Arc<str>, String)>,
    /// The same, for the proof.
    pub readings: BTreeMap<ReadingName, Value>,
    /// Which run of each server they belong to.
    pub servers: BTreeMap<ReadingName, Value>,
    /// How long it must rest after a run, also one of another console.
    pub cooldown: Duration,
    /// A second person must have agreed to this digest.
    pub needs_second: bool,
    /// Goes on without a second person. The reason says why; the journal says so loudly.
    pub break_glass: bool,
    /// Why and from whom a lock is taken over: they are asked to stop first.
    pub take_over: Option<TakeOver>,
    /// The run ends when this process does: for the demo, whose service ends with it.
    pub ends_with_us: bool,
    /// What was given for what the action asks for.
    pub asked: Answers,
    /// It is run for practice: refused in production, and marked in the journal.
    pub drill: bool,
}

impl Order {
    /// The plan with this digest, on this target; nothing else asked for.
    pub fn new(run: RunId, digest: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            run,
            digest: digest.into(),
            target: target.into(),
            reason: String::new(),
            confirmation: String::new(),
            before: Vec::new(),
            readings: BTreeMap::new(),
            servers: BTreeMap::new(),
            cooldown: Duration::ZERO,
            needs_second: false,
            break_glass: false,
            take_over: None,
            ends_with_us: false,
            asked: Answers::none(),
            drill: false,
        }
    }
}

/// Previews, runs and remembers actions. Cheap to copy.
#[derive(Clone)]
pub struct Actions {
    journal: Arc<Journal>,
    state_dir: PathBuf,
    clock: Clock,
    /// The program that carries runs out, by its hidden command.
    runner: PathBuf,
}

impl Actions {
    /// Opens the journal in the state directory. Blocks on the disk.
    ///
    /// # Errors
    /// The directory or the journal is not safe to use, or the disk refuses.
    pub fn open(state_dir: &Path, clock: Clock) -> Result<(Self, JournalReport), ActionsError> {
        let absolute = std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        journal::place::directory(&absolute)?;
        // One name for the place, whatever links lead to it and wherever a runner works.
        let state_dir = std::fs::canonicalize(&absolute).unwrap_or(absolute);
        let (journal, report) = Journal::open(&state_dir, clock().wall)?;
        let runner = launch::this_program();
        let actions = Self { journal: Arc::new(journal), state_dir, clock, runner };
        Ok((actions, report))
    }

    /// Has runs carried out by another program than this one: for tests, whose own program
    /// does not have the command.
    #[must_use]
    pub fn with_runner(self, runner: PathBuf) -> Self {
        Self { runner, ..self }
    }

    /// The runs that the journal remembers, newest first. Those without an end come with
    /// where they stand. Blocks on the disk.
    pub fn history(&self, limit: usize) -> Vec<PastRun> {
        let mut records = self.journal.records(limit);
        for record in &mut records {
            if !record.past.resolved {
                record.past.trace.standing = Some(self.standing_of(record, true));
            }
        }
        records.into_iter().map(|record| record.past).collect()
    }

    /// What the journal knows of a run, and where it stands. Blocks on the disk.
    pub fn past(&self, run: &RunId) -> Option<PastRun> {
        let mut record = self.journal.record(run)?;
        record.past.trace.standing = Some(self.standing_of(&record, true));
        Some(record.past)
    }

    /// Measures what an action would do, without doing it. Takes five seconds at most.
    ///
    /// `groups` are the key groups that the catalog knows for the action's source: they
    /// give the counted keys their names, and those that are protected must not be met.
    /// `answers` are what the action asks for.
    pub async fn preview(
        &self,
        config: &ActionConfig,
        answers: &Answers,
        run: RunId,
        groups: &[PrefixSpec],
    ) -> Previewed {
        let mut outcome = preview::measure(config, answers, groups, (self.clock)()).await;
        if let Ok(preview) = &mut outcome {
            let (actions, config) = (self.clone(), config.clone());
            let looking = tokio::task::spawn_blocking(move || actions.taken(&config));
            for conflict in looking.await.unwrap_or_default() {
                preview.refusals.push(format!("{LOCKED}{conflict}"));
                preview.holders.extend(conflict.holder().cloned());
            }
        }
        Previewed { run, outcome }
    }

    /// Who is doing something now that must not happen at the same time.
    fn taken(&self, config: &ActionConfig) -> Vec<Conflict> {
        let scopes = locks::scopes(&config.locks);
        let running = |run: &RunId| still_running(&self.journal, run);
        locks::probe(&self.state_dir, &scopes, &running)
    }

    /// Has an action carried out: writes the intent to the journal, checks that the plan is
    /// still the one that was confirmed, starts a runner, and follows it. The runner goes on
    /// whatever becomes of this process. Events as for [`Actions::follow`]; a run whose
    /// intent cannot be written has no `Journaled`.
    pub async fn launch(
        &self,
        config: &ActionConfig,
        order: Order,
        events: mpsc::Sender<ActionEvent>,
    ) {
        let (run, action) = (order.run.clone(), config.id.clone());
        let (actions, config) = (self.clone(), config.clone());
        let launched =
            tokio::task::spawn_blocking(move || launch::launch(&actions, &config, &order)).await;
        let runner = match launched {
            Ok(Ok(runner)) => runner,
            // Its events belong to the run that was there first.
            Ok(Err(launch::NotLaunched::Known)) => {
                tracing::error!(%run, "a run was ordered twice; the second was not started");
                return;
            }
            Ok(Err(why)) => {
                return follow::not_started(self, &run, &action, &why, &events).await;
            }
            Err(_) => launch::Launched::default(),
        };
        follow::follow(self, run, action, events, Some(runner)).await;
    }

    /// Follows a run, whoever started it. The events are
    /// [`Journaled`](crate::domain::action::ActionStage::Journaled), `Started`, then any
    /// number of `Progress` and `Output`, then `Finished`; a run that is refused has no
    /// `Started`. A run whose runner is gone ends as unclear once nothing of it runs.
    pub async fn follow(&self, run: RunId, action: ActionId, events: mpsc::Sender<ActionEvent>) {
        follow::follow(self, run, action, events, None).await;
    }

    /// Asks a run to stop: whoever carries it out reads that in the journal. The program of
    /// a run whose runner is gone is asked itself. Blocks on the disk.
    ///
    /// # Errors
    /// It is not in the journal, or the program cannot be reached: nobody will stop.
    pub fn cancel(&self, run: &RunId, action: &ActionId, reason: &str) -> Result<(), CancelError> {
        self.journal.append(&cancel_line(run, action, reason), (self.clock)().wall)?;
        let Some(record) = self.journal.record(run) else { return Ok(()) };
        match self.standing_of(&record, false) {
            Standing::Unsupervised { .. } => ask_to_end(&record).map_err(CancelError::Unreached),
            standing @ Standing::Unseen => Err(CancelError::Unreached(standing.words())),
            _ => Ok(()),
        }
    }

    /// Asks every run that is under way to stop, and waits so long for that. Those that were,
    /// and whether each has ended. Blocks.
    pub fn stop_all(&self, within: Duration) -> Vec<(ActionId, bool)> {
        let running = |past: &PastRun| past.trace.standing.is_some_and(Standing::is_running);
        let open: Vec<PastRun> = self.history(50).into_iter().filter(running).collect();
        for past in &open {
            if let Err(error) = self.cancel(&past.run, &past.action, "the demo is over") {
                tracing::error!(%error, run = %past.run, "cannot be asked to stop");
            }
        }
        let give_up = std::time::Instant::now() + within;
        let over = |past: &PastRun| !self.past(&past.run).as_ref().is_some_and(running);
        while !open.iter().all(over) && std::time::Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(50));
        }
        open.iter().map(|past| (past.action.clone(), over(past))).collect()
    }

    /// Writes how a run ended. Blocks until it is on the disk.
    ///
    /// # Errors
    /// It is not, or not certainly, on the disk.
    pub fn conclude(
        &self,
        run: &RunId,
        action: &ActionId,
        outcome: ActionOutcome,
        evidence: &[String],
    ) -> Result<(), JournalError> {
        let entry = Entry {
            run: Some(run.clone()),
            action: Some(action.clone()),
            outcome: Some(outcome),
            evidence: evidence.to_vec(),
            ..Entry::new(Kind::Outcome)
        };
        self.journal.append(&entry, (self.clock)().wall)
    }

    /// Writes a line about the operator: `kind` is what it is about, such as `armed`.
    /// Blocks until it is on the disk.
    ///
    /// # Errors
    /// It is not, or not certainly, on the disk.
    pub fn note(&self, kind: &str, text: &str) -> Result<(), JournalError> {
        let entry = Entry {
            about: Some(kind.to_owned()),
            text: Some(text.to_owned()),
            ..Entry::new(Kind::Note)
        };
        self.journal.append(&entry, (self.clock)().wall)
    }
}

/// Who sits in front of this console, as the journal has it: `alice@bastion`.
pub fn operator() -> String {
    journal::who::Who::current().name()
}

/// The directory of a run.
fn place_of(state_dir: &Path, run: &RunId) -> PathBuf {
    state_dir.join("runs").join(run.as_str())
}

/// The line that asks a run to stop.
fn cancel_line(run: &RunId, action: &ActionId, reason: &str) -> Entry {
    Entry {
        run: Some(run.clone()),
        action: Some(action.clone()),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        ..Entry::new(Kind::Cancel)
    }
}

/// A name for a run: `20261120-143207-123-k3f9a2qz`. Names sort by time, in UTC, and the
/// random end tells apart what two consoles start in the same millisecond.
pub fn new_run_id() -> RunId {
    static LAST: AtomicI64 = AtomicI64::new(0);
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let now = Timestamp::now().as_millisecond();
    // Never the same millisecond twice in this process, and never backwards.
    let last = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)))
        .unwrap_or(now);
    let millis = now.max(last + 1);
    let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    let stamp = at.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
    let mut random = [0u8; 8];
    // Where the system has no randomness, the process id must do.
    if OsRng.try_fill_bytes(&mut random).is_err() {
        random = u64::from(std::process::id()).to_le_bytes();
    }
    let end: String =
        random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    RunId::from(format!("{stamp}-{:03}-{end}", millis.rem_euclid(1000)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn run_names_are_unique_and_sort_by_time() {
        let ids: Vec<RunId> = (0..500).map(|_| new_run_id()).collect();
        let sorted: Vec<RunId> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(ids, sorted);
        assert!(
            ids[0]
                .as_str()
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        );
    }
}
