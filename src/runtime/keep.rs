//! Texts that the operator keeps: copies and saved states, written away from the loop.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    app::{
        msg::{Event, Notice},
        summary::Summary,
    },
    config::place,
};

/// Texts that may wait for the disk.
const WAITING: usize = 8;

/// How long texts that still wait at the end may take.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Writes texts one after the other, in the order in which they were kept, and says where
/// they went. A slow disk keeps nobody waiting.
pub(super) struct Keeper {
    jobs: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

enum Job {
    /// A text that is also in the clipboard, or is not.
    Copy { file: PathBuf, text: String, sent: bool },
    /// The state as a document.
    Save { file: PathBuf, document: Box<Summary> },
}

impl Keeper {
    /// Starts the one that writes. What it says goes to `events`.
    pub(super) fn start(events: mpsc::Sender<Event>) -> Self {
        let (jobs, mut waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            while let Some(job) = waiting.recv().await {
                let Ok(notice) = tokio::task::spawn_blocking(move || write(job)).await else {
                    continue;
                };
                if events.send(Event::Notice(notice)).await.is_err() {
                    return;
                }
            }
        });
        Self { jobs, task }
    }

    /// Keeps a copy. `sent` says whether it is on its way to the clipboard as well.
    ///
    /// # Errors
    /// In words, where too much waits for the disk.
    pub(super) fn copy(&self, directory: &Path, text: &str, sent: bool) -> Result<(), Notice> {
        let file = directory.join("clipboard.txt");
        self.order(Job::Copy { file, text: text.to_owned(), sent })
    }

    /// Keeps the state. `name` is the name of the file.
    ///
    /// # Errors
    /// In words, where too much waits for the disk.
    pub(super) fn save(
        &self,
        directory: &Path,
        name: &str,
        document: Summary,
    ) -> Result<(), Notice> {
        self.order(Job::Save { file: directory.join(name), document: Box::new(document) })
    }

    fn order(&self, job: Job) -> Result<(), Notice> {
        self.jobs
            .try_send(job)
            .map_err(|_| Notice::error("not written: the disk does not keep up with what waits"))
    }

    /// Waits for what is still to be written, but not for long.
    pub(super) async fn finish(self) {
        drop(self.jobs);
        let _ = tokio::time::timeout(FINISH_WITHIN, self.task).await;
    }
}

fn write(job: Job) -> Notice {
    match job {
        Job::Copy { file, text, sent } => {
            let shown = file.display();
            match (write_private(&file, &text), sent) {
                (Ok(()), true) => {
                    Notice::info(format!("sent to the clipboard, and written to {shown}"))
                }
                (Ok(()), false) => Notice::info(format!("written to {shown}")),
                (Err(_), true) => Notice::info("sent to the clipboard"),
                (Err(error), false) => Notice::error(format!("cannot be copied: {shown}: {error}")),
            }
        }
        Job::Save { file, document } => {
            let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::other);
            match text.and_then(|text| write_private(&file, &text)) {
                Ok(()) => Notice::info(format!("written to {}", file.display())),
                Err(error) => Notice::error(format!("cannot write {}: {error}", file.display())),
            }
        }
    }
}

pub(super) fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(place::mode_of(file));
    let mut written = options.open(file)?;
    place::settle_mode(file, &written)?;
    written.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::app::msg::Level;

    async fn said(events: &mut mpsc::Receiver<Event>) -> Notice {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
        let Ok(Some(Event::Notice(notice))) = event else { panic!("nothing was said: {event:?}") };
        notice
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        // Opening a pipe that nobody reads takes for ever.
        let pipe = directory.path().join("clipboard.txt");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let (events, mut said_in) = mpsc::channel(4);
        let keeper = Keeper::start(events);
        keeper.copy(directory.path(), "first", false).unwrap();
        let mut refused = 0;
        for _ in 0..2 * WAITING {
            refused += usize::from(keeper.copy(directory.path(), "more", true).is_err());
        }
        assert!((1..2 * WAITING).contains(&refused), "{refused} were refused");
        assert!(said_in.try_recv().is_err());
        // Opened for both, it opens at once, and nobody waits for a reader any more.
        let mut reader = std::fs::OpenOptions::new().read(true).write(true).open(pipe).unwrap();
        assert!(said(&mut said_in).await.text.starts_with("written to "));
        let mut first = [0; 5];
        reader.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"first");
        while keeper.jobs.capacity() < WAITING {
            said(&mut said_in).await;
        }
        keeper.finish().await;
    }

    #[tokio::test]
    async fn what_was_ordered_before_the_end_is_written_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let (events, mut said_in) = mpsc::channel(4);
        let keeper = Keeper::start(events);
        keeper.copy(directory.path(), "old", true).unwrap();
        keeper.copy(directory.path(), "new", true).unwrap();
        keeper.copy(&directory.path().join("clipboard.txt"), "no directory", false).unwrap();
        keeper.finish().await;
        let file = directory.path().join("clipboard.txt");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "new");
        assert!(said(&mut said_in).await.text.starts_with("sent to the clipboard, and written"));
        said(&mut said_in).await;
        assert_eq!(said(&mut said_in).await.level, Level::Error);
    }
}
