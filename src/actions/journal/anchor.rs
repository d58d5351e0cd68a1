//! The end of the chain, kept in a file beside the journal, so that lines which are cut off
//! the end are missed.
//!
//! It is written after the line is on the disk, and not flushed: after a crash it may be
//! behind the journal, and is never before it. Whoever may write the journal may write this
//! file too: against intent, only a hash that is kept elsewhere helps.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    BadLine, JournalError,
    chain::{HASH, Head},
    place,
};

/// The ending of the file.
const ENDING: &str = "head";

/// The file, open to be written.
#[derive(Debug)]
pub(super) struct Anchor(File);

impl Anchor {
    /// Opens the file that belongs to a journal, and makes it where it is not there.
    pub(super) fn open(journal: &Path) -> io::Result<Self> {
        place::lock_file(&file(journal)).map(Self)
    }

    /// Remembers the end of the chain.
    pub(super) fn put(&self, head: &Head) -> io::Result<()> {
        self.0.write_all_at(in_words(head).as_bytes(), 0)
    }

    /// The end that was remembered last, by whichever console.
    pub(super) fn get(&self) -> Option<Head> {
        let mut bytes = vec![0; in_words(&Head::default()).len()];
        self.0.read_exact_at(&mut bytes, 0).ok()?;
        understood(&bytes)
    }
}

/// The end of the chain that was remembered for a journal, for whoever only reads. None where
/// it was not, or where it cannot be understood.
pub(super) fn of(journal: &Path) -> Option<Head> {
    understood(&std::fs::read(file(journal)).ok()?)
}

/// A journal that is not there, and was once.
pub(super) fn gone(journal: &Path, error: &io::Error) -> Option<JournalError> {
    let once = of(journal).filter(|once| once.seq > 0)?;
    let why = format!("is missing with the whole file: {} lines were here once", once.seq);
    let bad = BadLine { line: 1, why };
    let missing = error.kind() == io::ErrorKind::NotFound;
    missing.then(|| JournalError::Broken { path: journal.to_owned(), bad })
}

fn file(journal: &Path) -> PathBuf {
    journal.with_extension(ENDING)
}

/// Always of the same length, so that it can be written over itself.
fn in_words(head: &Head) -> String {
    format!("{:020} {}\n", head.seq, head.hash)
}

fn understood(bytes: &[u8]) -> Option<Head> {
    let (seq, hash) = std::str::from_utf8(bytes).ok()?.trim_end().split_once(' ')?;
    let head = Head { seq: seq.parse().ok()?, hash: hash.to_owned() };
    (hash.len() == HASH).then_some(head)
}
