//! What outlives the console in files: what was told, and where the alerts are.
//!
//! Written whole to a file beside it and renamed over it: a reader finds the old or the new,
//! never half of one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use super::keep::write_private;
use crate::app::msg::{Event, Notice};

/// The largest file that is read.
const LARGEST: u64 = 8 << 20;

/// How long the end may take.
const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// Where the alerts of `service/environment` are kept.
pub(super) fn file(state_dir: &Path, target: &str) -> PathBuf {
    state_dir.join(format!("alerts-{}.json", target.replace('/', "-")))
}

/// Where it is kept what was told of them.
pub(super) fn outbox_file(state_dir: &Path, target: &str) -> PathBuf {
    state_dir.join(format!("told-{}.json", target.replace('/', "-")))
}

/// Reads what an earlier console kept, as the event that says so. A file that cannot be read
/// is put aside, and said: all starts anew then.
pub(super) fn read<T: DeserializeOwned>(
    file: &Path,
    as_event: fn(Box<T>) -> Event,
) -> Option<Event> {
    let kept = read_text(file)?
        .and_then(|text| serde_json::from_str::<T>(&text).map_err(|error| error.to_string()));
    Some(match kept {
        Ok(kept) => as_event(Box::new(kept)),
        Err(why) => {
            let (Ok(said) | Err(said)) = put_aside(file, &why);
            Event::Notice(Notice::error(said))
        }
    })
}

/// The text of a file; none where there is no file.
pub(super) fn read_text(file: &Path) -> Option<Result<String, String>> {
    Some(match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Ok(meta) if meta.len() > LARGEST => Err(format!("it has {} bytes", meta.len())),
        _ => fs::read_to_string(file).map_err(|error| error.to_string()),
    })
}

/// Puts a file that cannot be read aside, beside it, where nothing else is.
///
/// # Errors
/// Where it cannot be moved, in words: it must not be written then.
pub(super) fn put_aside(file: &Path, why: &str) -> Result<String, String> {
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let names = std::iter::once(format!("json.bad-{now}"))
        .chain((2..100).map(|more| format!("json.bad-{now}-{more}")));
    let aside = names.map(|name| file.with_extension(name)).find(|aside| !aside.exists());
    let moved = match &aside {
        Some(aside) => fs::rename(file, aside),
        None => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
    };
    let shown = file.display();
    match (moved, aside) {
        (Ok(()), Some(aside)) => Ok(format!(
            "{shown} cannot be read and is kept as {}; what it kept starts anew: {why}",
            aside.display()
        )),
        (Err(error), _) => {
            Err(format!("{shown} cannot be read ({why}) and cannot be put aside: {error}"))
        }
        (Ok(()), None) => Err(format!("{shown} cannot be read: {why}")),
    }
}

/// Writes something away from the loop; of several, the newest.
pub(super) struct Keeper<T> {
    file: PathBuf,
    newest: watch::Sender<Option<Arc<T>>>,
    task: JoinHandle<()>,
}

impl<T: Serialize + Send + Sync + 'static> Keeper<T> {
    pub(super) fn start(file: PathBuf, events: mpsc::Sender<Event>) -> Self {
        let (newest, changed) = watch::channel(None);
        let task = tokio::spawn(keep(file.clone(), changed, events));
        Self { file, newest, task }
    }

    /// Keeps this.
    pub(super) fn keep(&self, kept: T) {
        let _ = self.newest.send(Some(Arc::new(kept)));
    }

    /// Keeps this at once, or what it was given last: the loop has ended. Waits for what is
    /// being written, so that nothing older comes after it, but not for long.
    ///
    /// # Errors
    /// In words, where it could not be kept.
    pub(super) async fn finish(self, kept: Option<T>) -> Result<(), String> {
        let Self { file, newest, task } = self;
        drop(newest);
        let last = async {
            let _ = task.await;
            let Some(kept) = kept else { return Ok(()) };
            let written = tokio::task::spawn_blocking(move || write(&file, &kept)).await;
            written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        timeout(FINISH_WITHIN, last).await.unwrap_or_else(|_| Err("the disk is slow".to_owned()))
    }
}

async fn keep<T: Serialize + Send + Sync + 'static>(
    file: PathBuf,
    mut changed: watch::Receiver<Option<Arc<T>>>,
    events: mpsc::Sender<Event>,
) {
    let mut failing = false;
    while changed.changed().await.is_ok() {
        let Some(kept) = changed.borrow_and_update().clone() else { continue };
        let file = file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &*kept)).await;
        let why = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        // Said once, not with every change.
        if let (Some(why), false) = (&why, failing) {
            let text = format!("what was told cannot be kept over a restart: {why}");
            let _ = events.send(Event::Notice(Notice::warning(text))).await;
        }
        failing = why.is_some();
    }
}

fn write<T: Serialize>(file: &Path, kept: &T) -> io::Result<()> {
    let text = serde_json::to_string(kept).map_err(io::Error::other)?;
    replace(file, &text)
}

/// Replaces a file whole.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    // Another console may write at the same time: each has a file of its own until it is whole.
    let new = file.with_extension(format!("json.{}.new", std::process::id()));
    write_private(&new, text)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests;
