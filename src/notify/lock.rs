//! One console of a machine sends: whoever holds the lock of the service.
//!
//! The file of the lock says who that is, for the others' screens, and what was delivered
//! last, so that whoever takes over neither repeats it nor leaves out what was not.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fs::{DirBuilder, File, TryLockError},
    hash::{Hash, Hasher},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::locked;
use crate::{
    config::{place, secret::redact},
    domain::notification::Notification,
};

/// A file that is larger was not written by us, bytes.
const LARGEST: u64 = 4 << 20;

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
    /// What is not delivered yet.
    owed: Vec<Owed>,
    /// When that process ended in order. It has then also kept what it owed with the alerts,
    /// where a console finds it that starts later.
    ended: Option<Timestamp>,
    /// What was last delivered, by target and incident.
    delivered: BTreeMap<String, Delivered>,
}

impl Record {
    /// What a target has not got from whoever wrote this, for a console that has watched
    /// since then.
    pub(super) fn owed(&self, target: &str, since: Timestamp) -> Vec<Notification> {
        if self.ended.is_some_and(|ended| ended <= since) {
            return Vec::new();
        }
        let of_target = self.owed.iter().filter(|owed| owed.target == target);
        of_target.map(|owed| owed.message.clone()).collect()
    }

    /// Whether the target has got the same from whoever wrote this.
    pub(super) fn was_delivered(&self, target: &str, message: &Notification) -> bool {
        self.delivered.get(&key(target, message)).is_some_and(|delivered| {
            let after = message.at.wall.duration_since(delivered.at);
            delivered.print == print(message)
                && Duration::try_from(after).map_or(true, |after| after < APART)
        })
    }
}

/// A message that a target has not got yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Owed {
    /// The target.
    pub(super) target: String,
    /// The message.
    pub(super) message: Notification,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Delivered {
    at: Timestamp,
    /// Of the alerts and what they did.
    print: u64,
}

/// The lock, once it is ours: until it is dropped, also by the end of the process. What is to
/// be remembered is put in without waiting for the disk, and stands there after a `write`.
#[derive(Debug)]
pub(super) struct Held {
    record: Mutex<Record>,
    disk: Mutex<Disk>,
    /// Who writes: one at a time, so that a disk that hangs holds up one thread and no more.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// It did not answer the last time, which was said.
    hangs: AtomicBool,
}

/// The file of the lock.
#[derive(Debug)]
struct Disk {
    file: File,
    /// What stands there; none where that is not known.
    stands: Option<Record>,
    failing: bool,
}

/// What became of an attempt to take it.
#[derive(Debug)]
pub(super) enum Tried {
    /// It is ours; with what whoever had it before has written.
    Ours(Arc<Held>, Record),
    /// It is another's, who has written this, if it can be read; and who has touched the file
    /// then: again and again while it runs. One that is stopped holds the lock too.
    Theirs(Option<Record>, SystemTime),
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
    let mut file = place::lock_file(path)?;
    match file.try_lock() {
        Ok(()) => {
            let before = read(&mut file).unwrap_or_default();
            let (pid, since) = (Some(std::process::id()), Some(now));
            // What was owed stands there until it is taken over.
            let record = Record { pid, since, ended: None, ..before.clone() };
            let disk = Mutex::new(Disk { file, stands: None, failing: false });
            let record = Mutex::new(record);
            let held = Held { record, disk, turn: Arc::default(), hangs: AtomicBool::default() };
            held.write();
            Ok(Tried::Ours(Arc::new(held), before))
        }
        Err(TryLockError::WouldBlock) => {
            let sign = file.metadata()?.modified()?;
            Ok(Tried::Theirs(read(&mut file), sign))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What the file says; none where that is no record, or one that is being written.
fn read(file: &mut File) -> Option<Record> {
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Over what stands there, and only then shorter: on a full disk there is no room for it
/// once it is empty.
fn write(file: &mut File, record: &Record) -> io::Result<()> {
    let bytes = serde_json::to_vec(record)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)
}

impl Held {
    /// Remembers that the target has this message.
    pub(super) fn remember(&self, target: &str, message: &Notification, now: Timestamp) {
        let delivered = &mut locked(&self.record).delivered;
        delivered.insert(key(target, message), Delivered { at: now, print: print(message) });
        while delivered.len() > REMEMBERED {
            let oldest = delivered.iter().min_by_key(|(_, one)| one.at);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            delivered.remove(&oldest);
        }
    }

    /// Remembers what is not delivered yet, for whoever takes over.
    pub(super) fn owe(&self, owed: Vec<Owed>) {
        locked(&self.record).owed = owed;
    }

    /// Remembers that this console ends in order, and what it owes then.
    pub(super) fn end(&self, owed: Vec<Owed>, now: Timestamp) {
        let mut record = locked(&self.record);
        record.owed = owed;
        record.ended = Some(now);
    }

    /// Writes what is remembered, where it does not stand there yet. Blocks on the disk.
    pub(super) fn write(&self) {
        let mut disk = locked(&self.disk);
        let record = locked(&self.record).clone();
        if disk.stands.as_ref() == Some(&record) {
            return;
        }
        let written = write(&mut disk.file, &record);
        // Said once, not with every sign of life.
        let was = std::mem::replace(&mut disk.failing, written.is_err());
        disk.stands = match written {
            Ok(()) => Some(record),
            Err(error) if was => {
                tracing::debug!(%error, "the lock of the notifications cannot be written to");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the lock of the notifications cannot be written to");
                None
            }
        };
    }

    /// Shows the others that this console still runs: the time of the file, which can be set
    /// on a full disk too. Blocks on the disk.
    pub(super) fn beat(&self) {
        if let Err(error) = locked(&self.disk).file.set_modified(SystemTime::now()) {
            tracing::warn!(%error, "the lock of the notifications cannot be touched");
        }
    }

    /// Does this on the disk, but waits for it no longer than `limit`: a disk that hangs must
    /// keep nobody from being told. What was not done is made up for by the next.
    pub(super) async fn on_disk(
        self: Arc<Self>,
        limit: Duration,
        work: impl FnOnce(&Self) + Send + 'static,
    ) {
        let held = Arc::clone(&self);
        let done = async {
            let turn = Arc::clone(&held.turn).lock_owned().await;
            let done = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                work(&held);
            });
            done.await
        };
        let hangs = !matches!(timeout(limit, done).await, Ok(Ok(())));
        if hangs && !self.hangs.swap(hangs, Ordering::Relaxed) {
            tracing::warn!("the disk with the lock of the notifications does not answer");
        }
        self.hangs.store(hangs, Ordering::Relaxed);
    }

    /// A disk that hangs until what is returned is dropped.
    #[cfg(test)]
    pub(super) fn hang(self: &Arc<Self>) -> std::sync::mpsc::Sender<()> {
        let (until, wait) = std::sync::mpsc::channel::<()>();
        let (hangs, is_hanging) = std::sync::mpsc::channel();
        let held = Arc::clone(self);
        std::thread::spawn(move || {
            let _disk = locked(&held.disk);
            let _ = hangs.send(());
            let _ = wait.recv();
        });
        is_hanging.recv().unwrap();
        until
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
        let Tried::Theirs(Some(record), sign) = take(&path, now()) else { panic!("held") };
        assert_eq!((record.pid, record.since), (Some(std::process::id()), Some(now())));
        held.beat();
        let Tried::Theirs(_, later) = take(&path, now()) else { panic!("held") };
        assert!(sign < later);
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
        held.write();
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
    fn what_was_owed_is_known_to_who_takes_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = place(directory.path(), "shop", "production");
        let message = samples::message(&["a"]);
        let owed = || vec![Owed { target: "hook".to_owned(), message: message.clone() }];
        let Tried::Ours(held, _) = take(&path, now()) else { panic!("free") };
        held.owe(owed());
        held.write();
        drop(held);
        // It ended without a word, and so did whoever took over before it had sent that.
        for _ in 0..2 {
            let Tried::Ours(_held, before) = take(&path, now()) else { panic!("free") };
            assert_eq!(before.owed("hook", now()), std::slice::from_ref(&message));
            assert!(before.owed("other", now()).is_empty());
        }
        let Tried::Ours(held, _) = take(&path, now()) else { panic!("free") };
        held.end(owed(), now());
        held.write();
        drop(held);
        let Tried::Ours(_held, before) = take(&path, now()) else { panic!("free") };
        let earlier = now() - jiff::SignedDuration::from_secs(60);
        assert_eq!(before.owed("hook", earlier), [message], "it was there meanwhile");
        assert!(
            before.owed("hook", now()).is_empty(),
            "it has that from the alerts that were kept"
        );
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
