//! The end of a file that grows, through rotation and truncation.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::lines::{Line, Splitter};

/// How much of what was there before is looked at, bytes.
const BACKLOG: u64 = 4 << 20;

/// How much is read at a time, bytes.
const CHUNK: usize = 256 << 10;

/// How long a file that was renamed is still read: whoever writes to it may take a moment
/// to open the new one.
const RETIRING: Duration = Duration::from_secs(1);

/// A file that is followed. Blocks on files.
pub(super) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    splitter: Splitter,
    /// Where the file ended when it was first opened.
    before: u64,
    first: bool,
}

struct Open {
    file: File,
    id: (u64, u64),
    offset: u64,
    /// Since when another file has its name.
    retiring: Option<Instant>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The lines that have ended.
    pub(super) lines: Vec<Line>,
    /// They were there before the file was first opened.
    pub(super) before: bool,
    /// Earlier ones were skipped.
    pub(super) skipped: bool,
    /// There is more to read at once.
    pub(super) more: bool,
}

impl Tail {
    /// Of a file that need not be there yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            splitter: Splitter::default(),
            before: 0,
            first: true,
        }
    }

    /// Reads what has come.
    ///
    /// # Errors
    /// The file is not there, or cannot be read.
    pub(super) fn read(&mut self) -> io::Result<Read> {
        let mut read = Read::default();
        if self.open.is_none() {
            read.skipped = self.reopen()?;
        }
        let Some(open) = &mut self.open else { return Ok(read) };
        if open.file.metadata()?.len() < open.offset {
            // Truncated in place: what comes now stands at its beginning.
            read.lines.extend(self.splitter.finish());
            open.offset = 0;
            self.before = 0;
        }
        let mut chunk = vec![0; CHUNK];
        let size = open.file.read_at(&mut chunk, open.offset)?;
        read.before = open.offset < self.before;
        if read.before {
            // Not beyond what was there before, so that the two are told apart.
            let left = usize::try_from(self.before - open.offset).unwrap_or(usize::MAX);
            chunk.truncate(size.min(left));
        } else {
            chunk.truncate(size);
        }
        open.offset += chunk.len() as u64;
        read.lines.extend(self.splitter.feed(&chunk));
        read.more = !chunk.is_empty();
        if !read.more {
            self.follow_rename(&mut read);
        }
        Ok(read)
    }

    /// At the end of the file: whether it is still the one of that name.
    fn follow_rename(&mut self, read: &mut Read) {
        let Some(open) = &mut self.open else { return };
        let renamed = match fs::metadata(&self.path) {
            Ok(now) => (now.dev(), now.ino()) != open.id,
            // Between the renaming and the new file; or gone for good, but what is written
            // to it still counts.
            Err(_) => false,
        };
        if !renamed {
            open.retiring = None;
            return;
        }
        let since = *open.retiring.get_or_insert_with(Instant::now);
        if since.elapsed() >= RETIRING {
            read.lines.extend(self.splitter.finish());
            (self.open, self.before) = (None, 0);
            read.more = true;
        }
    }

    /// Opens the file of that name. Whether a part of it is skipped.
    fn reopen(&mut self) -> io::Result<bool> {
        let file = File::open(&self.path).inspect_err(|error| {
            // One that appears only later is read from its beginning.
            self.first &= error.kind() != io::ErrorKind::NotFound;
        })?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let first = std::mem::take(&mut self.first);
        let mut offset = 0;
        if first {
            self.before = metadata.len();
            offset = metadata.len().saturating_sub(BACKLOG);
            if offset > 0 {
                offset = after_line_end(&file, offset)?;
            }
        }
        let id = (metadata.dev(), metadata.ino());
        self.open = Some(Open { file, id, offset, retiring: None });
        Ok(offset > 0)
    }
}

/// Where the next line begins.
fn after_line_end(file: &File, from: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let size = file.read_at(&mut chunk, from)?;
    let end = chunk[..size].iter().position(|byte| *byte == b'\n').map_or(size, |at| at + 1);
    Ok(from + end as u64)
}
