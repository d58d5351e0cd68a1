//! The end of a file that grows, through rotation and truncation.

use std::{
    collections::VecDeque,
    fmt,
    fs::{self, File, FileType, OpenOptions},
    io,
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    growth::Growth,
    lines::{Line, Splitter},
};

/// How much of what was there before is looked at, bytes.
const BACKLOG: u64 = 4 << 20;

/// How much is read at a time, bytes.
const CHUNK: usize = 256 << 10;

/// What is read later than this, or is further away from the end than so many bytes, is
/// skipped: what happens now matters more.
const MOST_LATE: Duration = Duration::from_secs(60);
const MOST_BEHIND: u64 = 64 << 20;

/// After that it goes on so far before the end, bytes.
const RESUME: u64 = 1 << 20;

/// How much of what was read last is compared with what stands there now, bytes.
const COMPARED: usize = 64;

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
    /// What stands right before the offset.
    tip: Vec<u8>,
    growth: Growth,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The lines that have ended.
    pub(super) pieces: Vec<Piece>,
    /// Earlier ones were skipped when the file was opened.
    pub(super) skipped: bool,
    /// So many bytes were skipped, because it grows faster than it is read.
    pub(super) lost: u64,
    /// It was cut off in place and has grown beyond where it was read, so that what was
    /// written to it right before that was perhaps not read.
    pub(super) rewritten: bool,
    /// So many bytes are still to be read.
    pub(super) behind: u64,
    /// How long ago what was read last was written, about.
    pub(super) late: Duration,
    /// How many bytes of a line without an end have come.
    pub(super) endless: u64,
    /// There is more to read at once.
    pub(super) more: bool,
}

/// Lines that came together.
#[derive(Debug)]
pub(super) struct Piece {
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// They were there before the file was first opened.
    pub(super) before: bool,
    /// How long ago they were written, about.
    pub(super) late: Duration,
}

/// Why a file is not read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The system does not let it be read.
    Io(io::Error),
    /// It is something else, such as a FIFO, in words.
    NotAFile(&'static str),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotAFile(what) => f.write_str(what),
        }
    }
}

impl Unreadable {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
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
    /// The file is not there, is none, or cannot be read. What has come to it under another
    /// name is read before that.
    pub(super) fn read(&mut self) -> Result<Read, Unreadable> {
        let mut read = Read::default();
        if self.open.is_none() {
            let (open, skipped) = self.reopen()?;
            self.open = Some(open);
            read.skipped = skipped;
        }
        let Some(open) = &mut self.open else { return Ok(read) };
        match open.read(&mut read) {
            Ok(more) => read.more = more,
            Err(error) => {
                // A handle that has gone stale stays so: the file is opened anew.
                self.open = None;
                return Err(error.into());
            }
        }
        read.endless = open.splitter.endless();
        for old in &mut self.retired {
            // One that cannot be read any more is let go of in time.
            read.more |= old.read(&mut read).unwrap_or(false);
        }
        if read.more || !read.pieces.is_empty() {
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
            old.finish(read);
        }
    }

    /// At the end of the file: whether it is still the one of that name.
    fn follow_rename(&mut self, read: &mut Read) -> Result<(), Unreadable> {
        let Some(open) = &self.open else { return Ok(()) };
        match fs::metadata(&self.path) {
            Ok(now) if (now.dev(), now.ino()) == open.id => self.gone = None,
            Ok(_) => {
                self.gone = None;
                let (new, _) = match self.reopen() {
                    // Renamed again in this moment.
                    Err(error) if error.is_not_found() => return Ok(()),
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
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Opens the file of that name. Whether a part of it is skipped.
    fn reopen(&mut self) -> Result<(Open, bool), Unreadable> {
        let file = open(&self.path).inspect_err(|error| {
            // One that appears only later is read from its beginning.
            self.first &= !error.is_not_found();
        })?;
        let metadata = file.metadata()?;
        let (mut offset, mut before) = (0, 0);
        if std::mem::take(&mut self.first) {
            before = metadata.len();
            offset = metadata.len().saturating_sub(BACKLOG);
            if offset > 0 {
                offset = after_line_end(&file, offset)?;
            }
        }
        let open = Open {
            file,
            id: (metadata.dev(), metadata.ino()),
            offset,
            before,
            splitter: Splitter::default(),
            last: Instant::now(),
            tip: Vec::new(),
            growth: Growth::default(),
        };
        Ok((open, offset > 0))
    }
}

/// Opens a regular file. What else bears that name is not even opened: a FIFO would wait for
/// somebody who writes, and a device may do whatever it likes.
fn open(path: &Path) -> Result<File, Unreadable> {
    let is_file = |kind: FileType| if kind.is_file() { Ok(()) } else { Err(other(kind)) };
    is_file(fs::metadata(path)?.file_type())?;
    // It may have become something else in between.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    is_file(file.metadata()?.file_type())?;
    Ok(file)
}

fn other(kind: FileType) -> Unreadable {
    Unreadable::NotAFile(match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    })
}

impl Open {
    /// Reads a piece. Whether there may be more.
    fn read(&mut self, read: &mut Read) -> io::Result<bool> {
        let now = Instant::now();
        let length = self.file.metadata()?.len();
        if length < self.offset {
            // Truncated in place: what comes now stands at its beginning.
            self.begin_again(read);
        }
        self.growth.reached(length, now);
        self.skip(length, now, read)?;
        let mut chunk = vec![0; self.tip.len() + CHUNK];
        let known = self.tip.len();
        let size = self.file.read_at(&mut chunk, self.offset - known as u64)?;
        chunk.truncate(size);
        let there = &chunk[..known.min(size)];
        // Whoever goes on where it was after the file was truncated leaves a hole.
        if *there != *self.tip && there.iter().any(|byte| *byte != 0) {
            read.rewritten = true;
            self.begin_again(read);
            self.growth.reached(length, now);
            return Ok(true);
        }
        let mut fresh = &chunk[known.min(size)..];
        let before = self.offset < self.before;
        if before {
            // Not beyond what was there before, so that the two are told apart.
            let left = usize::try_from(self.before - self.offset).unwrap_or(usize::MAX);
            fresh = &fresh[..fresh.len().min(left)];
        }
        if fresh.is_empty() {
            return Ok(false);
        }
        let late = self.growth.late(self.offset, now);
        let lines = self.splitter.feed(fresh);
        self.offset += fresh.len() as u64;
        self.growth.read(self.offset);
        let end = known.min(size) + fresh.len();
        self.tip = chunk[end.saturating_sub(COMPARED)..end].to_vec();
        self.last = now;
        read.behind += length.saturating_sub(self.offset);
        read.late = read.late.max(late);
        read.pieces.push(Piece { lines, before, late });
        Ok(true)
    }

    /// Skips what is too far behind.
    fn skip(&mut self, length: u64, now: Instant, read: &mut Read) -> io::Result<()> {
        let behind = length.saturating_sub(self.offset);
        let late = self.growth.late(self.offset, now);
        if behind <= RESUME || (behind <= MOST_BEHIND && late <= MOST_LATE) {
            return Ok(());
        }
        let from = after_line_end(&self.file, length - RESUME)?;
        // A line of which the beginning was read stays without its end.
        self.splitter = Splitter::default();
        read.lost += from - self.offset;
        self.offset = from;
        self.tip.clear();
        Ok(())
    }

    /// Goes back to the beginning of a file that was truncated.
    fn begin_again(&mut self, read: &mut Read) {
        self.finish(read);
        (self.offset, self.before) = (0, 0);
        self.tip.clear();
        self.growth = Growth::default();
    }

    /// The last line, which has no end.
    fn finish(&mut self, read: &mut Read) {
        let before = self.offset <= self.before;
        if let Some(line) = self.splitter.finish() {
            read.pieces.push(Piece { lines: vec![line], before, late: Duration::ZERO });
        }
    }
}

/// Where the next line begins.
fn after_line_end(file: &File, from: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let size = file.read_at(&mut chunk, from)?;
    let end = chunk[..size].iter().position(|byte| *byte == b'\n').map_or(size, |at| at + 1);
    Ok(from + end as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn all(tail: &mut Tail) -> (Vec<String>, Read) {
        let (mut lines, mut sum) = (Vec::new(), Read::default());
        loop {
            let read = tail.read().expect("readable");
            sum.lost += read.lost;
            sum.rewritten |= read.rewritten;
            (sum.behind, sum.endless) = (read.behind, read.endless);
            lines.extend(read.pieces.into_iter().flat_map(|piece| piece.lines).map(
                |line| match line {
                    Line::Whole(text) => text,
                    Line::TooLong => "(too long)".to_owned(),
                },
            ));
            if !read.more {
                return (lines, sum);
            }
        }
    }

    fn log() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("log");
        fs::write(&path, "one\ntwo\n").expect("written");
        (place, path)
    }

    #[test]
    fn a_file_that_was_cut_off_and_grew_beyond_is_read_from_its_beginning() {
        let (_place, path) = log();
        let mut tail = Tail::new(&path);
        assert_eq!(all(&mut tail).0, ["one", "two"]);
        fs::write(&path, "three\nfour\nfive\n").expect("written");
        let (lines, read) = all(&mut tail);
        assert_eq!(lines, ["three", "four", "five"]);
        assert!(read.rewritten);
        // To the very length that it had.
        fs::write(&path, "THREE\nFOUR\nFIVE\n").expect("written");
        let (lines, read) = all(&mut tail);
        assert_eq!(lines, ["THREE", "FOUR", "FIVE"]);
        assert!(read.rewritten);
    }

    #[test]
    fn a_hole_that_whoever_writes_leaves_behind_a_truncation_costs_nothing() {
        let (_place, path) = log();
        let mut tail = Tail::new(&path);
        all(&mut tail);
        for (seen, expected) in [(false, "three"), (true, "four")] {
            let end = fs::metadata(&path).expect("there").len();
            let file = OpenOptions::new().write(true).open(&path).expect("opened");
            file.set_len(0).expect("truncated");
            if seen {
                assert_eq!(all(&mut tail).0, Vec::<String>::new());
            }
            file.write_at(format!("{expected}\n").as_bytes(), end).expect("written");
            let (lines, read) = all(&mut tail);
            assert_eq!(lines, [expected]);
            assert!(!read.rewritten);
        }
    }

    #[test]
    fn what_is_too_far_behind_is_skipped_and_counted() {
        let (_place, path) = log();
        let mut tail = Tail::new(&path);
        all(&mut tail);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        let block = "x".repeat(1023) + "\n";
        let blocks = (MOST_BEHIND + (8 << 20)) / 1024;
        file.write_all(block.repeat(blocks as usize).as_bytes()).expect("written");
        let (lines, read) = all(&mut tail);
        assert_eq!(lines.len() as u64 * 1024 + read.lost, blocks * 1024, "all is read or counted");
        assert!(lines.len() as u64 * 1024 <= RESUME && !lines.is_empty(), "{}", lines.len());
        assert!(lines.iter().all(|line| line.len() == 1023), "whole lines");
        assert_eq!(read.behind, 0);
    }

    #[test]
    fn a_handle_that_fails_is_opened_anew() {
        let (place, path) = log();
        let mut tail = Tail::new(&path);
        all(&mut tail);
        // A directory in its place fails as a stale handle does: on reading.
        if let Some(open) = &mut tail.open {
            open.file = File::open(place.path()).expect("opened");
            open.tip.clear();
            open.offset = 0;
        }
        assert!(matches!(tail.read(), Err(Unreadable::Io(_))));
        assert_eq!(all(&mut tail).0, ["one", "two"]);
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let place = tempfile::tempdir().expect("a directory");
        let fifo = place.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a FIFO");
        for (path, expected) in [
            (fifo.as_path(), "a FIFO"),
            (place.path(), "a directory"),
            (Path::new("/dev/null"), "a device"),
        ] {
            let got = Tail::new(path).read().expect_err("no file");
            assert!(matches!(got, Unreadable::NotAFile(what) if what == expected), "{got}");
        }
    }
}
