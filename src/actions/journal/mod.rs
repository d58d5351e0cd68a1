//! The journal: one line per event, appended, flushed to the disk before anything that it
//! announces happens, and chained so that tampering shows.
//!
//! The order of the lines makes every crash decidable: an intent without a start did
//! nothing; a start without a finish may have acted.

pub mod entry;

pub mod who;

mod chain;

mod history;

pub(in crate::actions) mod place;

use std::{
    fs::{File, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

pub use self::chain::BadLine;
pub(in crate::actions) use self::chain::hex;
use self::{
    chain::Walker,
    entry::{Entry, Kind, Line},
    who::Who,
};
use crate::domain::{action::PastRun, ids::RunId};

/// The name of the file in the state directory.
pub const FILE: &str = "journal.jsonl";

/// The longest line. Longer ones are neither written nor read into memory.
const LONGEST: u64 = 4 << 20;

/// How long to wait for another console that is just appending.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory or the file is not safe to use.
    #[error("{path} {why}")]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The operating system refused.
    #[error("{path} {what}: {source}")]
    Io {
        /// What could not be done.
        what: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has it locked.
    #[error("{0} is locked by another process")]
    Locked(PathBuf),
    /// The disk does not answer.
    #[error("the disk took too long to write {0}")]
    Slow(PathBuf),
    /// The file is no longer the one that was opened.
    #[error("{0} was removed, replaced or cut while it was in use: start the console again")]
    Replaced(PathBuf),
    /// A line would be too long.
    #[error("a line of {0} bytes is too long for the journal")]
    TooLong(usize),
    /// A line could not be put into words.
    #[error("a line cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// There was a run of this name before.
    #[error("run {0} is already in the journal")]
    KnownRun(RunId),
    /// The chain is broken.
    #[error("{path}: {bad}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first bad line.
        bad: BadLine,
    },
}

impl JournalError {
    fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    fn unsafe_place(path: &Path, why: impl Into<String>) -> Self {
        Self::Unsafe { path: path.to_owned(), why: why.into() }
    }
}

/// What opening a journal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalReport {
    /// The file.
    pub path: PathBuf,
    /// Whole lines.
    pub lines: u64,
    /// The hash of the last line, to be kept elsewhere by whoever wants to notice lines
    /// that were cut off the end.
    pub head: String,
    /// The last line was cut off, and was closed just now.
    pub repaired: bool,
    /// The first line that is not what was written.
    pub bad: Option<BadLine>,
}

impl JournalReport {
    /// What the operator should know, in words. Empty where all is well.
    pub fn remarks(&self) -> Vec<String> {
        let path = self.path.display();
        let mut remarks = Vec::new();
        if let Some(bad) = &self.bad {
            remarks.push(format!("the journal was tampered with or damaged: {path}: {bad}"));
        }
        if self.repaired {
            remarks.push(format!("the last line of {path} was cut off; it was closed"));
        }
        remarks
    }
}

/// A journal whose chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whole lines.
    pub lines: u64,
    /// The hash of the last line; zeros where there is none.
    pub head: String,
    /// Lines that were cut off by a crash and closed later.
    pub repaired: u64,
    /// The last line is cut off; the next console closes it.
    pub torn: bool,
}

/// Walks over the whole chain.
///
/// # Errors
/// [`JournalError::Broken`] names the first bad line; otherwise the file cannot be read.
pub fn verify(path: &Path) -> Result<Verified, JournalError> {
    let unreadable = |error| JournalError::io("cannot be read", path, error);
    let file = File::open(path).map_err(unreadable)?;
    // The lock ends with the file; without it, a line that is just being written would
    // look cut off.
    wait_for_lock(path, || file.try_lock_shared())?;
    let mut walker = Walker::default();
    let (_, rest) = walk(&file, 0, &mut walker).map_err(unreadable)?;
    let torn = walker.tail(&rest) || walker.ends_in_fragment();
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
    Ok(walker.runs.newest(limit))
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
        let open = Mutex::new(Open { file, walker: Walker::default(), read_to: 0 });
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
            if let (Kind::Intent, Some(run)) = (entry.kind, &entry.run)
                && open.walker.runs.knows(run)
            {
                return Err(JournalError::KnownRun(run.clone()));
            }
            self.write(open, entry, now, b"")
        })
    }

    /// The newest runs first, including those that other consoles wrote. Blocks.
    pub fn history(&self, limit: usize) -> Vec<PastRun> {
        let mut open = self.lock();
        // Where the file cannot be read any more, what was read before is still true.
        let read_to = open.read_to;
        let Open { file, walker, .. } = &mut *open;
        if let Ok((end, _)) = walk(file, read_to, walker) {
            open.read_to = end;
        }
        open.walker.runs.newest(limit)
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
        if open.walker.tail(&rest) {
            open.walker.line(&rest);
            open.read_to += rest.len() as u64;
            return self.write(open, repaired(), now, b"\n").map(|()| true);
        }
        if !rest.is_empty() {
            // A whole line that only lacks its line break.
            self.put(open, b"\n")?;
            open.read_to += rest.len() as u64 + 1;
        }
        if open.walker.ends_in_fragment() {
            return self.write(open, repaired(), now, b"").map(|()| true);
        }
        Ok(false)
    }

    /// Writes the next line of the chain, behind `before`.
    fn write(
        &self,
        open: &mut Open,
        entry: Entry,
        now: Timestamp,
        before: &[u8],
    ) -> Result<(), JournalError> {
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
        let bytes = [before, sealed.as_slice(), b"\n"].concat();
        self.put(open, &bytes)?;
        open.walker.line(&sealed);
        open.read_to += bytes.len() as u64;
        Ok(())
    }

    /// One write, and then everything to the disk.
    fn put(&self, open: &mut Open, bytes: &[u8]) -> Result<(), JournalError> {
        let refused = |error| self.failed("cannot be written", error);
        let written = open.file.write(bytes).map_err(refused)?;
        if written < bytes.len() {
            let error = io::Error::new(io::ErrorKind::StorageFull, "only a part was written");
            return Err(refused(error));
        }
        open.file.sync_data().map_err(|error| self.failed("cannot be flushed", error))
    }

    fn failed(&self, what: &'static str, error: io::Error) -> JournalError {
        JournalError::io(what, &self.path, error)
    }
}

fn repaired() -> Entry {
    let text = "the line before this one was cut off".to_owned();
    Entry { text: Some(text), ..Entry::new(Kind::Repaired) }
}
