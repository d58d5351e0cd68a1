//! What can be said of a journal: why it cannot be used, what opening it found.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::BadLine;
use crate::domain::ids::RunId;

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
    #[error("{path} {what}: {error}")]
    Io {
        /// What could not be done.
        what: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
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
    pub(in crate::actions) fn io(what: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), error }
    }

    pub(super) fn unsafe_place(path: &Path, why: impl Into<String>) -> Self {
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
