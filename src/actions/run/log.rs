//! The journal, as one run sees it.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    actions::{
        Clock,
        cooldown::resting,
        journal::{
            Journal, JournalError,
            entry::{Entry, Kind, StepMark},
        },
        process::ProcessId,
    },
    domain::{
        action::RunResult,
        ids::{ActionId, RunId},
    },
};

/// How long the disk may take. A line that arrives later than that does no harm: the run
/// it would have allowed was not started.
pub(in crate::actions) const DISK_LIMIT: Duration = Duration::from_secs(10);

/// Writes the lines of one run.
#[derive(Clone)]
pub(in crate::actions) struct Log {
    journal: Arc<Journal>,
    clock: Clock,
    run: RunId,
    action: ActionId,
    target: String,
}

impl Log {
    /// For one run.
    pub(super) fn new(
        journal: Arc<Journal>,
        clock: Clock,
        run: RunId,
        target: String,
        action: ActionId,
    ) -> Self {
        Self { journal, clock, run, action, target }
    }

    /// Whether somebody wants it to stop.
    pub(super) async fn is_cancelled(&self) -> Result<bool, JournalError> {
        let (journal, run) = (Arc::clone(&self.journal), self.run.clone());
        let looking = tokio::task::spawn_blocking(move || journal.record(&run));
        match timeout(DISK_LIMIT, looking).await {
            Ok(Ok(record)) => Ok(record.is_some_and(|record| record.cancelled.is_some())),
            Ok(Err(_)) | Err(_) => Err(self.slow()),
        }
    }

    /// Why it must still rest, by the runs of others.
    pub(super) async fn resting(&self, cooldown: Duration) -> Result<Option<String>, JournalError> {
        let (own, now) = (self.clone(), (self.clock)().wall);
        let looking = tokio::task::spawn_blocking(move || {
            let target = own.journal.record(&own.run).and_then(|record| record.past.target);
            resting(&own.journal, now, (&own.run, &own.action, target.as_deref()), cooldown)
        });
        match timeout(DISK_LIMIT, looking).await {
            Ok(Ok(why)) => Ok(why),
            Ok(Err(_)) | Err(_) => Err(self.slow()),
        }
    }

    /// From here on it may have acted.
    pub(super) async fn start(&self) -> Result<(), JournalError> {
        self.write(Entry::new(Kind::Start)).await
    }

    /// The program of the action runs.
    pub(super) async fn process(&self, process: ProcessId) -> Result<(), JournalError> {
        self.write(Entry { process: Some(process), ..Entry::new(Kind::Process) }).await
    }

    /// Something on the way.
    pub(super) async fn step(&self, text: String) -> Result<(), JournalError> {
        self.write(Entry { text: Some(text), ..Entry::new(Kind::Step) }).await
    }

    /// A step of a sequence begins, or has ended.
    pub(super) async fn mark(&self, mark: StepMark, text: String) -> Result<(), JournalError> {
        self.write(Entry { text: Some(text), step: Some(mark), ..Entry::new(Kind::Step) }).await
    }

    /// The carrying out is over.
    pub(super) async fn finish(&self, result: &RunResult) -> Result<(), JournalError> {
        self.write(Entry { result: Some(result.into()), ..Entry::new(Kind::Finish) }).await
    }

    async fn write(&self, entry: Entry) -> Result<(), JournalError> {
        let entry = Entry {
            run: Some(self.run.clone()),
            action: Some(self.action.clone()),
            target: Some(self.target.clone()),
            ..entry
        };
        self.put(entry).await
    }

    /// Writes a line as it is: it may be about another run.
    pub(super) async fn put(&self, entry: Entry) -> Result<(), JournalError> {
        let (journal, now) = (Arc::clone(&self.journal), (self.clock)().wall);
        let writing = tokio::task::spawn_blocking(move || journal.append(&entry, now));
        match timeout(DISK_LIMIT, writing).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(self.slow()),
        }
    }

    fn slow(&self) -> JournalError {
        JournalError::Slow(self.journal.path().to_owned())
    }
}
