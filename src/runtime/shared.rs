//! The alerts in a file, which the consoles of a machine share.
//!
//! Whoever writes holds a lock, reads what is there, and writes both together to a file
//! beside it that is renamed over it: a reader finds the old or the new, never half of one,
//! and nobody loses what somebody else did. What cannot be read is put aside, never over.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use super::kept::{put_aside, read_text, replace};
use crate::{
    app::{
        alerts::{Kept, SCHEMA},
        msg::{Event, Notice},
    },
    config::place,
};

/// How often it is looked whether another console wrote.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long another console may take to write.
const LOCKED_FOR: Duration = Duration::from_secs(2);

/// How long the end may take.
const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// Files that are put aside; then two programs of different age fight for the place.
const MOST_ASIDE: u32 = 3;

/// The file, and what is known of it.
pub(super) struct Shared {
    file: PathBuf,
    target: String,
    /// The file as it was read or written last.
    seen: Mutex<Option<Stamp>>,
    aside: AtomicU32,
}

/// Two states of a file with the same stamp are the same.
type Stamp = (u64, i64, i64, u64);

/// What is in the file.
enum Found {
    Nothing,
    Kept(Box<Kept>),
    /// It cannot be read; it was put aside, which is said.
    PutAside(String),
}

impl Shared {
    /// The alerts of a `service/environment`.
    pub(super) fn new(file: PathBuf, target: String) -> Self {
        Self { file, target, seen: Mutex::new(None), aside: AtomicU32::new(0) }
    }

    /// What an earlier console kept, and what is to be said about it.
    pub(super) fn begin(&self) -> Option<Event> {
        if !self.file.exists() {
            return None;
        }
        let found = self.lock().and_then(|_lock| self.find());
        match found {
            Ok(Found::Nothing) => None,
            Ok(Found::Kept(kept)) => Some(Event::AlertsKept(kept)),
            Ok(Found::PutAside(said)) => Some(Event::Notice(Notice::error(said))),
            Err(why) => Some(Event::Notice(Notice::error(why))),
        }
    }

    /// What other consoles did since it was looked last, or what is to be said of their file.
    fn look(&self) -> Result<Option<Event>, String> {
        let stamp = stamp(&self.file);
        if stamp.is_none() || stamp == *self.known() {
            return Ok(None);
        }
        let _lock = self.lock()?;
        Ok(match self.find()? {
            Found::Nothing => None,
            Found::Kept(kept) => Some(Event::DeedsElsewhere(Box::new(kept.deeds))),
            Found::PutAside(said) => Some(Event::Notice(Notice::error(said))),
        })
    }

    /// Keeps this together with what others kept. Returns what is to be said.
    fn write(&self, kept: &Kept) -> Result<Option<String>, String> {
        let _lock = self.lock()?;
        // Nobody else was here since: all of it is known already.
        let ours = stamp(&self.file).is_some() && stamp(&self.file) == *self.known();
        let (merged, said) = match if ours { self.read() } else { self.find() }? {
            Found::Kept(others) => (kept.clone().merged(*others), None),
            Found::Nothing => (kept.clone(), None),
            Found::PutAside(said) => (kept.clone(), Some(said)),
        };
        let failed = |error: io::Error| format!("{}: {error}", self.file.display());
        let text = serde_json::to_string(&merged).map_err(|error| failed(error.into()))?;
        replace(&self.file, &text).map_err(failed)?;
        if ours {
            // What others did since is looked at first: only our own writing is known.
            *self.known() = stamp(&self.file);
        }
        Ok(said)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Stamp>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file; what it says is known then.
    fn find(&self) -> Result<Found, String> {
        let stamp = stamp(&self.file);
        let found = self.read()?;
        *self.known() = stamp;
        Ok(found)
    }

    fn read(&self) -> Result<Found, String> {
        let Some(text) = read_text(&self.file) else { return Ok(Found::Nothing) };
        let why = match text.and_then(|text| understood(&text)) {
            Ok(kept) if kept.target == self.target => return Ok(Found::Kept(Box::new(kept))),
            Ok(kept) => {
                // Two names that make the same file name: neither may have it from the other.
                return Err(format!(
                    "{} keeps the alerts of {}, not of {}: name one of them otherwise",
                    self.file.display(),
                    kept.target,
                    self.target
                ));
            }
            Err(why) => why,
        };
        if self.aside.fetch_add(1, Ordering::Relaxed) >= MOST_ASIDE {
            return Err(format!(
                "{} was put aside {MOST_ASIDE} times, and somebody writes it again: {why}",
                self.file.display()
            ));
        }
        put_aside(&self.file, &why).map(Found::PutAside)
    }

    /// Waits until nobody else writes. The lock ends with what is returned.
    fn lock(&self) -> Result<File, String> {
        let place = self.file.with_extension("json.lock");
        let failed = |error: io::Error| format!("{}: {error}", place.display());
        if let Some(directory) = place.parent() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(failed)?;
        }
        let file = place::lock_file(&place).map_err(failed)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCKED_FOR => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(format!("{} is held by another console", place.display()));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = fs::metadata(file).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
}

/// Reads a document of this program, in the form that it writes.
fn understood(text: &str) -> Result<Kept, String> {
    #[derive(serde::Deserialize)]
    struct Form {
        schema: u32,
    }
    let wrong = |error: serde_json::Error| error.to_string();
    let form: Form = serde_json::from_str(text).map_err(wrong)?;
    if form.schema != SCHEMA {
        return Err(format!("it has form {}, not {SCHEMA}", form.schema));
    }
    serde_json::from_str(text).map_err(wrong)
}

/// Keeps the alerts away from the loop, and says what other consoles did.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    newest: watch::Sender<Option<Arc<Kept>>>,
    task: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(shared: Shared, events: mpsc::Sender<Event>) -> Self {
        let (newest, changed) = watch::channel(None);
        let shared = Arc::new(shared);
        let task = tokio::spawn(keep(Arc::clone(&shared), changed, events));
        Self { shared, newest, task }
    }

    /// Keeps this, of several the newest.
    pub(super) fn keep(&self, kept: Kept) {
        let _ = self.newest.send(Some(Arc::new(kept)));
    }

    /// Keeps this at once: the loop has ended. Waits, but not for long.
    ///
    /// # Errors
    /// In words, where it could not be kept.
    pub(super) async fn finish(self, kept: Kept) -> Result<(), String> {
        let Self { shared, newest, task } = self;
        drop(newest);
        let last = async {
            let _ = task.await;
            let written = tokio::task::spawn_blocking(move || shared.write(&kept)).await;
            written.map_err(|error| error.to_string()).flatten().map(drop)
        };
        timeout(FINISH_WITHIN, last).await.unwrap_or_else(|_| Err("the disk is slow".to_owned()))
    }
}

async fn keep(
    shared: Arc<Shared>,
    mut changed: watch::Receiver<Option<Arc<Kept>>>,
    events: mpsc::Sender<Event>,
) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut failing, mut blind) = (false, false);
    loop {
        let event = tokio::select! {
            biased;
            newer = changed.changed() => {
                if newer.is_err() {
                    return;
                }
                let Some(kept) = changed.borrow_and_update().clone() else { continue };
                let shared = Arc::clone(&shared);
                let written = tokio::task::spawn_blocking(move || shared.write(&kept)).await;
                let written = written.map_err(|error| error.to_string()).flatten();
                // Said once, not with every change.
                let was = std::mem::replace(&mut failing, written.is_err());
                match written {
                    Ok(said) => said.map(|said| Event::Notice(Notice::error(said))),
                    Err(why) => (!was).then(|| Event::Notice(Notice::warning(format!(
                        "what is known of the alerts cannot be kept over a restart: {why}"
                    )))),
                }
            }
            _ = looks.tick() => {
                let shared = Arc::clone(&shared);
                let looked = tokio::task::spawn_blocking(move || shared.look()).await;
                let looked = looked.map_err(|error| error.to_string()).flatten();
                let was = std::mem::replace(&mut blind, looked.is_err());
                looked.unwrap_or_else(|why| {
                    (!was).then(|| Event::Notice(Notice::warning(format!(
                        "what other consoles do about the alerts is not seen here: {why}"
                    ))))
                })
            }
        };
        if let Some(event) = event
            && events.send(event).await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
