//! Guarded actions: what one would do, carrying it out, and the journal of it all.
//!
//! The runner is a function of a plan, a journal, a place for its events and a token that
//! stops it. It knows nothing of the console, and whatever is needed to judge a run later
//! is in the journal: it can move to a process of its own without changing.
//!
//! Suggested reading order: [`journal`], `plan`, `preview`, `run`.

pub mod journal;

mod plan;

mod preview;

mod redis;

mod run;

mod words;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::{Timestamp, tz::TimeZone};
use rand::{TryRngCore, rngs::OsRng};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::journal::{
    Journal,
    entry::{Entry, Kind},
};
pub use self::journal::{JournalError, JournalReport};
use crate::{
    config::profile::ActionConfig,
    domain::{
        action::{ActionEvent, ActionOutcome, PastRun, Previewed},
        catalog::PrefixSpec,
        ids::{ActionId, RunId},
        time::Moment,
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
}

/// Previews, runs and remembers actions.
pub struct Actions {
    journal: Arc<Journal>,
    state_dir: PathBuf,
    clock: Clock,
}

impl Actions {
    /// Opens the journal in the state directory. Blocks on the disk.
    ///
    /// # Errors
    /// The directory or the journal is not safe to use, or the disk refuses.
    pub fn open(state_dir: &Path, clock: Clock) -> Result<(Self, JournalReport), ActionsError> {
        // Absolute, so that it stays the same place whatever the working directory becomes.
        let state_dir = std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned());
        let (journal, report) = Journal::open(&state_dir, clock().wall)?;
        let actions = Self { journal: Arc::new(journal), state_dir, clock };
        Ok((actions, report))
    }

    /// The runs that the journal remembers, newest first. Blocks on the disk.
    pub fn history(&self, limit: usize) -> Vec<PastRun> {
        self.journal.history(limit)
    }

    /// Measures what an action would do, without doing it. Takes five seconds at most.
    ///
    /// `groups` are the key groups that the catalog knows for the action's source: they
    /// give the counted keys their names, and those that are protected must not be met.
    pub async fn preview(
        &self,
        config: &ActionConfig,
        run: RunId,
        groups: &[PrefixSpec],
    ) -> Previewed {
        let outcome = preview::measure(config, groups, (self.clock)()).await;
        Previewed { run, outcome }
    }

    /// Carries an action out: writes the intent to the journal, checks that the plan is
    /// still the one that was confirmed, and does it. The events are
    /// [`Journaled`](crate::domain::action::ActionStage::Journaled), `Started`, then any
    /// number of `Progress` and `Output`, then `Finished`; a run that is refused has no
    /// `Started`, and one whose intent cannot be written has no `Journaled`.
    ///
    /// A slow or vanished receiver never holds the action up. Dropping the future leaves
    /// the run without an end in the journal: let it come to its end.
    pub async fn run(
        &self,
        config: &ActionConfig,
        order: Order,
        events: mpsc::Sender<ActionEvent>,
        cancel: CancellationToken,
    ) {
        run::run(run::Task {
            config: config.clone(),
            order,
            journal: Arc::clone(&self.journal),
            state_dir: self.state_dir.clone(),
            clock: Arc::clone(&self.clock),
            events,
            cancel,
        })
        .await;
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
