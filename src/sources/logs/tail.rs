//! The end of a file that grows, through rotation and truncation.

use std::{
    collections::VecDeque,
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

/// A file that was renamed is read beside the new one until nothing has come to it for this
/// long and the new one has grown: whoever writes may take its time to open the new one.
const RETIRED: Duration = Duration::from_secs(60);

/// The most files that were renamed and are still read.
const MOST_RETIRED: usize = 4;

/// Between the renaming of a file and the new one there may be none of that name for so
/// long. After that nobody writes what could be read.
const GONE: Duration = Duration::from_secs(5);

/// A file that is followed. Blocks on files.
pub(super) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    retired: VecDeque<Open>,
    first: bool,
    /// Since when there is no file of that name.
    gone: Option<Instant>,
}

struct Open {
    file: File,
    id: (u64, u64),
    offset: u64,
    /// Where it ended when it was opened first of all.
    before: u64,
    splitter: Splitter,
    /// When something was read of it last, or it was renamed.
    last: Instant,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The lines that have ended, and whether they were there before the file was first
    /// opened.
    pub(super) lines: Vec<(Line, bool)>,
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
            retired: VecDeque::new(),
            first: true,
            gone: None,
        }
    }

    /// Reads what has come.
    ///
    /// # Errors
    /// The file is not there, or cannot be read. What has come to it under another name is
    /// read before that.
    pub(super) fn read(&mut self) -> io::Result<Read> {
        let mut read = Read::default();
        if self.open.is_none() {
            let (open, skipped) = self.reopen()?;
            self.open = Some(open);
            read.skipped = skipped;
        }
        let Some(open) = &mut self.open else { return Ok(read) };
        read.more = open.read(&mut read.lines)?;
        for old in &mut self.retired {
            // One that cannot be read any more is let go of in time.
            read.more |= old.read(&mut read.lines).unwrap_or(false);
        }
        if read.more || !read.lines.is_empty() {
            return Ok(read);
        }
        self.let_go(&mut read);
        self.follow_rename(&mut read)?;
        Ok(read)
    }

    /// Files that nothing comes to any more.
    fn let_go(&mut self, read: &mut Read) {
        let grown = self.open.as_ref().is_some_and(|open| open.offset > 0);
        let is_over = |old: &Open| grown && old.last.elapsed() >= RETIRED;
        while self.retired.len() > MOST_RETIRED || self.retired.front().is_some_and(is_over) {
            let Some(mut old) = self.retired.pop_front() else { return };
            let before = old.offset <= old.before;
            read.lines.extend(old.splitter.finish().map(|line| (line, before)));
        }
    }

    /// At the end of the file: whether it is still the one of that name.
    fn follow_rename(&mut self, read: &mut Read) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        match fs::metadata(&self.path) {
            Ok(now) if (now.dev(), now.ino()) == open.id => self.gone = None,
            Ok(_) => {
                self.gone = None;
                let (new, _) = match self.reopen() {
                    // Renamed again in this moment.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                    opened => opened?,
                };
                if let Some(mut old) = self.open.replace(new) {
                    old.last = Instant::now();
                    self.retired.push_back(old);
                }
                read.more = true;
            }
            // What is written to it still counts, but nobody can open it any more.
            Err(error) => {
                let since = *self.gone.get_or_insert_with(Instant::now);
                if since.elapsed() >= GONE {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Opens the file of that name. Whether a part of it is skipped.
    fn reopen(&mut self) -> io::Result<(Open, bool)> {
        let file = File::open(&self.path).inspect_err(|error| {
            // One that appears only later is read from its beginning.
            self.first &= error.kind() != io::ErrorKind::NotFound;
        })?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let (mut offset, mut before) = (0, 0);
        if std::mem::take(&mut self.first) {
            before = metadata.len();
            offset = metadata.len().saturating_sub(BACKLOG);
            if offset > 0 {
                offset = after_line_end(&file, offset)?;
            }
        }
        let id = (metadata.dev(), metadata.ino());
        let splitter = Splitter::default();
        let open = Open { file, id, offset, before, splitter, last: Instant::now() };
        Ok((open, offset > 0))
    }
}

impl Open {
    /// Reads a piece. Whether there may be more.
    fn read(&mut self, lines: &mut Vec<(Line, bool)>) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.offset {
            // Truncated in place: what comes now stands at its beginning.
            let before = self.offset <= self.before;
            lines.extend(self.splitter.finish().map(|line| (line, before)));
            (self.offset, self.before) = (0, 0);
        }
        let mut chunk = vec![0; CHUNK];
        let size = self.file.read_at(&mut chunk, self.offset)?;
        let before = self.offset < self.before;
        if before {
            // Not beyond what was there before, so that the two are told apart.
            let left = usize::try_from(self.before - self.offset).unwrap_or(usize::MAX);
            chunk.truncate(size.min(left));
        } else {
            chunk.truncate(size);
        }
        if chunk.is_empty() {
            return Ok(false);
        }
        self.offset += chunk.len() as u64;
        self.last = Instant::now();
        lines.extend(self.splitter.feed(&chunk).into_iter().map(|line| (line, before)));
        Ok(true)
    }
}

/// Where the next line begins.
fn after_line_end(file: &File, from: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let size = file.read_at(&mut chunk, from)?;
    let end = chunk[..size].iter().position(|byte| *byte == b'\n').map_or(size, |at| at + 1);
    Ok(from + end as u64)
}
