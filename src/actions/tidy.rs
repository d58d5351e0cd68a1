//! What runs leave behind, removed when nobody will ask for it any more. The journal stays as
//! it is.

use std::{
    collections::BTreeSet,
    fs, io,
    time::{Duration, SystemTime},
};

use super::{
    Actions,
    journal::{
        self, JournalError,
        entry::{Kind, Line},
    },
    left::still_running,
    place_of,
    supervise::RunLock,
    verdict::Program,
};
use crate::domain::{action::Claim, ids::RunId};

/// The newest runs are kept, however old.
const KEPT: usize = 200;
/// Younger ones are kept, however many.
const YOUNG: Duration = Duration::from_secs(30 * 24 * 3600);

impl Actions {
    /// Removes the directories of runs that are long over, with what their programs printed.
    /// Those without an outcome stay, and those that somebody holds. How many went. Blocks on
    /// the disk, and reads the whole journal where there is something to remove.
    ///
    /// # Errors
    /// The journal or the directory cannot be read.
    pub fn tidy(&self) -> Result<usize, JournalError> {
        let now = SystemTime::from((self.clock)().wall);
        let old = self.old_runs(now)?;
        if old.is_empty() {
            return Ok(0);
        }
        let is_end = |line: &Line| {
            let ours = line.entry.run.as_ref().is_some_and(|run| old.contains(run));
            ours && settles(line)
        };
        let ends = journal::lines(self.journal.path(), usize::MAX, &is_end)?;
        let settled: BTreeSet<RunId> = ends.into_iter().filter_map(|line| line.entry.run).collect();
        Ok(settled.iter().filter(|run| self.remove(run)).count())
    }

    /// The runs that are neither among the newest nor young, by their directories. Their names
    /// sort by time.
    fn old_runs(&self, now: SystemTime) -> Result<BTreeSet<RunId>, JournalError> {
        let directory = self.state_dir.join("runs");
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(JournalError::io("cannot be read", &directory, error)),
        };
        let mut found: Vec<(String, SystemTime)> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| {
                let changed = entry.metadata().ok()?.modified().ok()?;
                Some((entry.file_name().into_string().ok()?, changed))
            })
            .collect();
        found.sort_by(|one, other| other.cmp(one));
        let old = found.into_iter().skip(KEPT).filter(|(_, changed)| {
            // What was changed in the future is not old.
            now.duration_since(*changed).is_ok_and(|age| age >= YOUNG)
        });
        Ok(old.map(|(name, _)| RunId::from(name.as_str())).collect())
    }

    /// Whether the directory of a run that nobody holds is gone now.
    fn remove(&self, run: &RunId) -> bool {
        if still_running(&self.journal, run) != Program::Gone {
            return false;
        }
        let directory = place_of(&self.state_dir, run);
        let Ok(_lock) = RunLock::take(&directory) else { return false };
        let removed = fs::remove_dir_all(&directory);
        if let Err(error) = &removed {
            tracing::debug!(%error, %run, "what a run left behind stays");
        }
        removed.is_ok()
    }
}

/// Whether a line says how a run ended, so that nobody has to look at it any more.
fn settles(line: &Line) -> bool {
    let claim = line.entry.result.as_ref().map(|result| result.claim);
    match line.entry.kind {
        Kind::Outcome => line.entry.outcome.is_some(),
        Kind::Finish => matches!(claim, Some(Claim::NotSent | Claim::Cancelled)),
        _ => false,
    }
}
