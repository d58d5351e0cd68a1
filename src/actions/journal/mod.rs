//! The journal: one line per event, appended, flushed to the disk before anything that it
//! announces happens, and chained so that tampering shows.
//!
//! The order of the lines makes every crash decidable: an intent without a start did
//! nothing; a start without a finish may have acted.

pub mod entry;

pub mod who;

mod anchor;

mod chain;

mod history;

mod report;

pub(in crate::actions) mod place;

use std::{
    collections::VecDeque,
    fs::{File, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use self::{
    anchor::Anchor,
    chain::Walker,
    entry::{Entry, Kind, Line},
    history::Runs,
    who::Who,
};
pub use self::{
    chain::BadLine,
    report::{JournalError, JournalReport, Verified},
};
pub(in crate::actions) use self::{
    chain::hex,
    history::{Asked, Record},
};
use crate::{
    actions::verdict::Last,
    domain::{
        action::{ActionOutcome, PastRun},
        ids::RunId,
    },
};

/// The name of the file in the state directory.
pub const FILE: &str = "journal.jsonl";

/// The longest line. Longer ones are neither written nor read into memory.
const LONGEST: u64 = 4 << 20;

/// How long to wait for another console that is just appending.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Walks over the whole chain.
///
/// # Errors
/// [`JournalError::Broken`] names the first bad line; otherwise the file cannot be read.
pub fn verify(path: &Path) -> Result<Verified, JournalError> {
    let unreadable = |error| JournalError::io("cannot be read", path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Err(anchor::gone(path, &error).unwrap_or_else(|| unreadable(error))),
    };
    // The lock ends with the file; without it, a line that is just being written would
    // look cut off.
    wait_for_lock(path, || file.try_lock_shared())?;
    let mut walker = Walker::default();
    let (_, rest) = walk(&file, 0, &mut walker).map_err(unreadable)?;
    let torn = walker.tail(&rest) || walker.ends_in_fragment();
    if let Some(once) = anchor::of(path) {
        walker.hold_against(&once);
    }
    match walker.bad {
        Some(bad) => Err(JournalError::Broken { path: path.to_owned(), bad }),
        None => Ok(Verified {
            lines: walker.lines,
            head: walker.head.hash,
            repaired: walker.repaired,
            torn,
        }),
    }
}

/// The newest lines that are wanted, oldest first. Lines that were tampered with are left
/// out: [`verify`] names them.
///
/// # Errors
/// The file cannot be read.
pub fn lines(
    path: &Path,
    most: usize,
    wanted: &dyn Fn(&Line) -> bool,
) -> Result<Vec<Line>, JournalError> {
    let unreadable = |error| JournalError::io("cannot be read", path, error);
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut found = VecDeque::new();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = reader.by_ref().take(LONGEST + 1).read_until(b'\n', &mut bytes);
        if read.map_err(unreadable)? == 0 {
            return Ok(found.into());
        }
        let line = chain::read(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        if let Some(line) = line.filter(|line| wanted(line)) {
            found.push_back(line);
            if found.len() > most {
                found.pop_front();
            }
        }
    }
}

/// The newest runs first, out of the journal of a state directory, for whoever only reads:
/// nothing is created, closed or locked. No journal means no runs. Blocks on the disk.
///
/// # Errors
/// The file is there and cannot be read.
pub fn history(directory: &Path, limit: usize) -> Result<Vec<PastRun>, JournalError> {
    let path = directory.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("cannot be read", &path, error)),
    };
    let mut walker = Walker::default();
    walk(&file, 0, &mut walker)
        .map_err(|error| JournalError::io("cannot be read", &path, error))?;
    Ok(walker.runs.newest().take(limit).map(|record| record.past.clone()).collect())
}

/// Feeds the walker with the whole lines from `from` on. Where the last of them ends, and
/// what stands behind it.
fn walk(mut file: &File, from: u64, walker: &mut Walker) -> io::Result<(u64, Vec<u8>)> {
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::new(file);
    let mut end = from;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') && read as u64 <= LONGEST {
            return Ok((end, line));
        }
        // What is longer than any line is taken in pieces, none of which is a line.
        end += read as u64;
        walker.line(line.strip_suffix(b"\n").unwrap_or(&line));
    }
}

/// Waits for a lock as long as one append may take, and not for ever: its holder may be
/// stopped.
fn wait_for_lock(
    path: &Path,
    attempt: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), JournalError> {
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => {
                return Err(JournalError::io("cannot be locked", path, error));
            }
        }
    }
}

/// An open journal. Several consoles may have the same one open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    who: Who,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// None where it cannot be written: then a cut is not noticed.
    anchor: Option<Anchor>,
    walker: Walker,
    /// Up to where the walker has read.
    read_to: u64,
}

impl Journal {
    /// Opens the journal of a state directory, creating both where they are not there, and
    /// closes a line that was cut off. Blocks on the disk.
    ///
    /// # Errors
    /// The directory or the file belongs to somebody else or may be written by others;
    /// another process holds the lock; the disk refuses.
    pub fn open(directory: &Path, now: Timestamp) -> Result<(Self, JournalReport), JournalError> {
        place::directory(directory)?;
        let path = directory.join(FILE);
        let file = place::append_file(&path)?;
        let anchor = Anchor::open(&path)
            .inspect_err(|error| tracing::warn!(%error, "the end of the journal is not kept"))
            .ok();
        let open = Mutex::new(Open { file, anchor, walker: Walker::default(), read_to: 0 });
        let journal = Self { path, who: Who::current(), open };
        let mut open = journal.lock();
        let repaired = journal.locked(&mut open, |open| journal.catch_up(open, now))?;
        let report = JournalReport {
            path: journal.path.clone(),
            lines: open.walker.lines,
            head: open.walker.head.hash.clone(),
            repaired,
            bad: open.walker.bad.clone(),
        };
        drop(open);
        Ok((journal, report))
    }

    /// Appends a line and waits until it is on the disk. Blocks.
    ///
    /// # Errors
    /// The line is not, or not certainly, on the disk.
    pub fn append(&self, entry: &Entry, now: Timestamp) -> Result<(), JournalError> {
        let entry = entry.cleaned()?;
        let mut open = self.lock();
        self.locked(&mut open, |open| {
            self.catch_up(open, now)?;
            if is_needed(&open.walker.runs, &entry)? {
                self.write(open, entry, now)?;
            }
            Ok(())
        })
    }

    /// The newest runs first, including those that other consoles wrote. Blocks.
    pub fn history(&self, limit: usize) -> Vec<PastRun> {
        self.look(|runs| runs.newest().take(limit).map(|record| record.past.clone()).collect())
    }

    /// What the lines tell of the newest runs, the newest first. Blocks.
    pub(in crate::actions) fn records(&self, limit: usize) -> Vec<Record> {
        self.look(|runs| runs.newest().take(limit).cloned().collect())
    }

    /// What the lines tell of a run. Blocks.
    pub(in crate::actions) fn record(&self, run: &RunId) -> Option<Record> {
        self.look(|runs| runs.get(run).cloned())
    }

    /// The requests for a second person that a test holds for, the newest first. Blocks.
    pub(in crate::actions) fn asked(&self, wanted: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.look(|runs| runs.asked().filter(|asked| wanted(asked)).cloned().collect())
    }

    /// Who writes into it.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Reads what others appended, and looks.
    fn look<T>(&self, at: impl FnOnce(&Runs) -> T) -> T {
        let mut open = self.lock();
        // Where the file cannot be read any more, what was read before is still true.
        let read_to = open.read_to;
        let Open { file, walker, .. } = &mut *open;
        if let Ok((end, _)) = walk(file, read_to, walker) {
            open.read_to = end;
        }
        at(&open.walker.runs)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something while no other console can append.
    fn locked<T>(
        &self,
        open: &mut Open,
        work: impl FnOnce(&mut Open) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        wait_for_lock(&self.path, || open.file.try_lock())?;
        let result = work(open);
        // A lock that cannot be released ends with the file; the next append would say so.
        let _ = open.file.unlock();
        result
    }

    /// Reads what others appended, and closes a line that was cut off. Whether there was one.
    fn catch_up(&self, open: &mut Open, now: Timestamp) -> Result<bool, JournalError> {
        let unreadable = |error| self.failed("cannot be read", error);
        let ours = open.file.metadata().map_err(unreadable)?;
        let named =
            std::fs::metadata(&self.path).map_err(|_| JournalError::Replaced(self.path.clone()))?;
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) || ours.len() < open.read_to {
            return Err(JournalError::Replaced(self.path.clone()));
        }
        let (end, rest) = walk(&open.file, open.read_to, &mut open.walker).map_err(unreadable)?;
        open.read_to = end;
        if !rest.is_empty() {
            // Cut off, or whole and only without its line break. Nothing is taken for read
            // before the break is on the disk: a full disk may refuse it many times.
            self.put(open, b"\n")?;
            open.walker.line(&rest);
            open.read_to += rest.len() as u64 + 1;
        }
        // Before the next line moves the end that is remembered.
        let once = open.anchor.as_ref().and_then(Anchor::get);
        let missing = once.and_then(|once| open.walker.missing(&once));
        let torn = open.walker.ends_in_fragment();
        if torn {
            self.write(open, Entry::repaired(), now)?;
        }
        if let Some(why) = missing {
            self.write(open, Entry::cut(&why), now)?;
        }
        Ok(torn)
    }

    /// Writes the next line of the chain.
    fn write(&self, open: &mut Open, entry: Entry, now: Timestamp) -> Result<(), JournalError> {
        let head = &open.walker.head;
        let line = Line {
            seq: head.seq + 1,
            ts: now,
            prev: head.hash.clone(),
            who: self.who.clone(),
            entry,
        };
        let (sealed, _) = chain::seal(&line)?;
        if sealed.len() as u64 >= LONGEST {
            return Err(JournalError::TooLong(sealed.len()));
        }
        let bytes = [sealed.as_slice(), b"\n"].concat();
        self.put(open, &bytes)?;
        open.walker.line(&sealed);
        open.read_to += bytes.len() as u64;
        if let Some(Err(error)) = open.anchor.as_ref().map(|anchor| anchor.put(&open.walker.head)) {
            tracing::warn!(%error, "the end of the journal is not kept");
        }
        Ok(())
    }

    /// One write, and then everything to the disk.
    fn put(&self, open: &mut Open, bytes: &[u8]) -> Result<(), JournalError> {
        let refused = |error| self.failed("cannot be written", error);
        let written = open.file.write(bytes).map_err(refused)?;
        if written < bytes.len() {
            let error = io::Error::new(
                io::ErrorKind::StorageFull,
                "the disk is full, only a part was written",
            );
            return Err(refused(error));
        }
        open.file.sync_data().map_err(|error| self.failed("cannot be flushed", error))
    }

    fn failed(&self, what: &'static str, error: io::Error) -> JournalError {
        JournalError::io(what, &self.path, error)
    }
}

/// Whether a line still says something new: of several consoles that watch a run, each
/// writes down how it ended, and the first one is enough: a run ends once. A known outcome is
/// never replaced by "unknown".
fn is_needed(runs: &Runs, entry: &Entry) -> Result<bool, JournalError> {
    let Some(run) = &entry.run else { return Ok(true) };
    let known = runs.get(run);
    match entry.kind {
        Kind::Intent if known.is_some() => Err(JournalError::KnownRun(run.clone())),
        Kind::Finish => Ok(known.is_none_or(|record| record.last != Last::Finished)),
        Kind::Outcome => {
            let settled = known.and_then(|record| record.outcome);
            let new = entry.outcome;
            Ok(settled.is_none()
                || settled == Some(ActionOutcome::Unknown) && new != Some(ActionOutcome::Unknown))
        }
        _ => Ok(true),
    }
}
