//! One console of a machine sends: whoever holds the lock of the service.
//!
//! The file of the lock says who that is, for the others' screens, and what was delivered
//! last, so that whoever takes over neither repeats it nor leaves out what was not.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    hash::{Hash, Hasher},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{config::secret::redact, domain::notification::Notification};

/// A file that is larger was not written by us, bytes.
const LARGEST: u64 = 64 << 10;

/// The most deliveries that are remembered.
const REMEMBERED: usize = 100;

/// Two consoles see a change within this time of each other, or it is not the same change.
const APART: Duration = Duration::from_secs(120);

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// The process that holds the lock.
    pub(super) pid: Option<u32>,
    /// Since when.
    pub(super) since: Option<Timestamp>,
    /// Counts on while that process runs: one that is stopped holds the lock and sends
    /// nothing.
    pub(super) beat: u64,
    /// What was last delivered, by target and incident.
    delivered: BTreeMap<String, Delivered>,
}

impl Record {
    /// Whether the target has got the same from whoever wrote this.
    pub(super) fn was_delivered(&self, target: &str, message: &Notification) -> bool {
        self.delivered.get(&key(target, message)).is_some_and(|delivered| {
            let after = message.at.wall.duration_since(delivered.at);
            delivered.print == print(message)
                && Duration::try_from(after).map_or(true, |after| after < APART)
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Delivered {
    at: Timestamp,
    /// Of the alerts and what they did.
    print: u64,
}

/// The lock, once it is ours: until it is dropped, also by the end of the process.
#[derive(Debug)]
pub(super) struct Held(Mutex<(File, Record)>);

/// What became of an attempt to take it.
#[derive(Debug)]
pub(super) enum Tried {
    /// It is ours; with what whoever had it before has written.
    Ours(Held, Record),
    /// It is another's, who has written this.
    Theirs(Record),
    /// It cannot be used, with the reason.
    Unusable(String),
}

/// The file for a service. Consoles of other services do not wait for each other.
pub(super) fn place(state_dir: &Path, service: &str, environment: &str) -> PathBuf {
    // Neither of the two may contain an @.
    state_dir.join(format!("notify-{service}@{environment}.lock"))
}

/// Tries to take the lock. Blocks on the disk, and not on whoever holds it.
pub(super) fn take(path: &Path, now: Timestamp) -> Tried {
    match try_to(path, now) {
        Ok(tried) => tried,
        Err(error) => Tried::Unusable(redact(&format!("{}: {error}", path.display()))),
    }
}

fn try_to(path: &Path, now: Timestamp) -> io::Result<Tried> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A link in its place could lead what is written elsewhere.
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {
            let before = read(&mut file);
            let record =
                Record { pid: Some(std::process::id()), since: Some(now), ..before.clone() };
            write(&mut file, &record)?;
            Ok(Tried::Ours(Held(Mutex::new((file, record))), before))
        }
        Err(TryLockError::WouldBlock) => Ok(Tried::Theirs(read(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What the file says; nothing where that is no record.
fn read(file: &mut File) -> Record {
    let mut bytes = Vec::new();
    match file.take(LARGEST).read_to_end(&mut bytes) {
        Ok(_) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => Record::default(),
    }
}

fn write(file: &mut File, record: &Record) -> io::Result<()> {
    let bytes = serde_json::to_vec(record)?;
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.write_all(&bytes)
}

impl Held {
    /// Remembers that the target has this message. Blocks on the disk.
    pub(super) fn remember(&self, target: &str, message: &Notification, now: Timestamp) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, record) = &mut *held;
        let delivered = &mut record.delivered;
        delivered.insert(key(target, message), Delivered { at: now, print: print(message) });
        while delivered.len() > REMEMBERED {
            let oldest = delivered.iter().min_by_key(|(_, one)| one.at);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            delivered.remove(&oldest);
        }
        keep(file, record);
    }

    /// Shows the others that this console still runs. Blocks on the disk.
    pub(super) fn beat(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, record) = &mut *held;
        record.beat = record.beat.wrapping_add(1);
        keep(file, record);
    }
}

fn keep(file: &mut File, record: &Record) {
    if let Err(error) = write(file, record) {
        tracing::warn!(%error, "the lock of the notifications cannot be written to");
    }
}

fn key(target: &str, message: &Notification) -> String {
    format!("{target} {}", message.dedup_key)
}

/// A number that is the same for messages that say the same of the same alerts.
fn print(message: &Notification) -> u64 {
    // Its keys are fixed: the number is the same in another process of this program.
    let mut hasher = DefaultHasher::new();
    message.status.hash(&mut hasher);
    let mut alerts: Vec<_> = message.alerts.iter().map(|alert| (&alert.key, alert.state)).collect();
    alerts.sort_by_key(|(key, state)| ((*key).clone(), state.word()));
    alerts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples;

    fn now() -> Timestamp {
        samples::message(&["a"]).at.wall
    }

    #[test]
    fn one_holds_it_and_the_others_know_who() {
        let directory = tempfile::tempdir().unwrap();
        let path = place(&directory.path().join("state"), "shop", "production");
        let Tried::Ours(held, _) = take(&path, now()) else { panic!("free") };
        let Tried::Theirs(record) = take(&path, now()) else { panic!("held") };
        assert_eq!((record.pid, record.since), (Some(std::process::id()), Some(now())));
        held.beat();
        let Tried::Theirs(later) = take(&path, now()) else { panic!("held") };
        assert_ne!(record.beat, later.beat);
        let other = place(&directory.path().join("state"), "shop", "staging");
        assert!(matches!(take(&other, now()), Tried::Ours(..)), "of another service");
        drop(held);
        assert!(matches!(take(&path, now()), Tried::Ours(..)), "free again");
    }

    #[test]
    fn who_takes_over_knows_what_was_delivered() {
        let directory = tempfile::tempdir().unwrap();
        let path = place(directory.path(), "shop", "production");
        let (a, b) = (samples::message(&["a"]), samples::message(&["b"]));
        let Tried::Ours(held, _) = take(&path, now()) else { panic!("free") };
        held.remember("hook", &a, now());
        drop(held);
        let Tried::Ours(_held, before) = take(&path, now()) else { panic!("free") };
        assert!(before.was_delivered("hook", &a));
        assert!(!before.was_delivered("other", &a));
        assert!(!before.was_delivered("hook", &b));
        let mut again = a.clone();
        again.at = a.at.plus(Duration::from_secs(3600));
        assert!(!before.was_delivered("hook", &again), "the same an hour later is news");
    }

    #[test]
    fn what_is_no_record_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = place(directory.path(), "shop", "production");
        std::fs::write(&path, b"\xff{]").unwrap();
        assert!(matches!(take(&path, now()), Tried::Ours(..)));
        let link = place(directory.path(), "shop", "link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(take(&link, now()), Tried::Unusable(_)));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let within = place(&file, "shop", "production");
        let Tried::Unusable(why) = take(&within, now()) else { panic!("no directory") };
        assert!(why.contains("file"), "{why}");
    }
}
