//! What happens on the way, written down in its order without keeping the program waiting:
//! a disk that hangs must not keep it from being ended in time.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{Stage, log::Log, reporter::Reporter};
use crate::{actions::process::ProcessId, domain::action::ActionStage};

/// More than ever wait.
const WAITING: usize = 16;
/// How long what still waits is waited for at the end.
const WRITTEN_WITHIN: Duration = Duration::from_secs(15);

/// One line for the journal.
enum Note {
    Process(ProcessId),
    Step(String),
}

/// Notes from somebody else than the program's own follower. All of these must be gone before
/// [`Notes::written`] comes to its end.
pub(super) struct Steps {
    sender: mpsc::Sender<Note>,
    reporter: Arc<Reporter>,
}

impl Steps {
    /// Something on the way.
    pub(super) fn step(&self, text: impl Into<String>) {
        if self.sender.try_send(Note::Step(text.into())).is_err() {
            lost(&self.reporter, "too much waits for the disk");
        }
    }
}

/// Writes notes down in the background.
pub(super) struct Notes {
    sender: mpsc::Sender<Note>,
    writing: JoinHandle<()>,
    reporter: Arc<Reporter>,
}

impl Notes {
    pub(super) fn new(stage: &Stage<'_>) -> Self {
        let (sender, mut notes) = mpsc::channel(WAITING);
        let (log, reporter): (Log, _) = (stage.log.clone(), Arc::clone(stage.reporter));
        let told = Arc::clone(&reporter);
        let writing = tokio::spawn(async move {
            while let Some(note) = notes.recv().await {
                let written = match note {
                    Note::Process(process) => log.process(process).await,
                    Note::Step(text) => log.step(text).await,
                };
                if let Err(error) = written {
                    lost(&told, &error.to_string());
                }
            }
        });
        Self { sender, writing, reporter }
    }

    /// For somebody else to write, too.
    pub(super) fn steps(&self) -> Steps {
        Steps { sender: self.sender.clone(), reporter: Arc::clone(&self.reporter) }
    }

    /// The program runs. That it could not be written down does not stop it any more.
    pub(super) fn process(&self, process: Option<ProcessId>, pid: u32) {
        self.take(match process {
            Some(process) => Note::Process(process),
            None => Note::Step(format!("process {pid} was started")),
        });
    }

    /// Something on the way.
    pub(super) fn step(&self, text: impl Into<String>) {
        self.take(Note::Step(text.into()));
    }

    fn take(&self, note: Note) {
        if self.sender.try_send(note).is_err() {
            lost(&self.reporter, "too much waits for the disk");
        }
    }

    /// Until everything is written, or the disk has had its time.
    pub(super) async fn written(self) {
        drop(self.sender);
        if timeout(WRITTEN_WITHIN, self.writing).await.is_err() {
            lost(&self.reporter, "the disk does not answer");
        }
    }
}

/// An action that runs is not stopped because the disk is full, but the operator is told.
fn lost(reporter: &Reporter, why: &str) {
    reporter.send(ActionStage::Output(format!("[not in the journal: {why}]")));
}
