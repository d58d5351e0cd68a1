//! What a command prints: followed while it runs, kept without secrets.
//!
//! The command writes into a file and not into a pipe, so that it does not die with
//! whoever reads it. What is kept is cleaned first, and the raw file goes away when the
//! command is over. Only where the runner was killed does it stay, for its owner alone: what
//! the command printed from then on stands nowhere else.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::actions::{
    journal::{JournalError, place},
    words,
};

/// The cleaned output in the directory of the run.
const KEPT: &str = "output.log";
/// What it printed, as it printed it, while it runs.
const RAW: &str = "output.raw";
/// The most of it that is kept, bytes. The rest is still followed.
const MOST_KEPT: u64 = 8 << 20;
/// Read in one go.
const CHUNK: usize = 256 << 10;
/// What a command prints faster than it can be read is skipped from here on, bytes.
const BACKLOG: u64 = 64 << 20;
/// A line that is longer is cut.
const LONGEST_LINE: usize = 16 << 10;
/// The most lines reported from one look.
const REPORTED: usize = 200;

/// Follows the output of one command. All methods block on the disk.
pub(super) struct Follower {
    raw: File,
    raw_path: PathBuf,
    read_to: u64,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    /// The rest of the line is thrown away.
    cut: bool,
    kept: File,
    kept_bytes: u64,
    trouble: Option<String>,
    last: String,
}

impl Follower {
    /// Makes the files, in a directory of their own.
    pub(super) fn create(directory: &Path) -> Result<Self, JournalError> {
        if let Some(parent) = directory.parent() {
            place::directory(parent)?;
        }
        place::directory(directory)?;
        let failed = |path: &Path, error| JournalError::io("cannot be created", path, error);
        let raw_path = directory.join(RAW);
        let raw = place::new_file(&raw_path).map_err(|error| failed(&raw_path, error))?;
        let path = directory.join(KEPT);
        let kept = place::new_file(&path).map_err(|error| failed(&path, error))?;
        Ok(Self {
            raw,
            raw_path,
            read_to: 0,
            line: Vec::new(),
            cut: false,
            kept,
            kept_bytes: 0,
            trouble: None,
            last: String::new(),
        })
    }

    /// A handle for the command to write to.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.raw.try_clone()
    }

    /// Takes the next piece. The lines in it, cleaned, and whether more is there.
    pub(super) fn next(&mut self) -> Look {
        let mut lines = VecDeque::new();
        let mut left_out = 0;
        let more = self.read(&mut |line| {
            if lines.len() == REPORTED {
                lines.pop_front();
                left_out += 1;
            }
            lines.push_back(line);
        });
        let more = more.unwrap_or_else(|error| {
            self.complain(format!("the output cannot be read: {error}"));
            false
        });
        let mut out = Vec::new();
        out.extend(self.trouble.take());
        if left_out > 0 {
            out.push(format!("[{} not shown]", words::count(left_out, "line", "lines")));
        }
        out.extend(lines);
        (out, more)
    }

    /// Takes a last line that has no end, and writes everything down.
    pub(super) fn close(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut |line| lines.push(line));
        }
        if let Err(error) = self.kept.sync_data() {
            self.complain(format!("the output cannot be kept: {error}"));
        }
        if let Err(error) = fs::remove_file(&self.raw_path) {
            self.complain(format!("the raw output stays behind: {error}"));
        }
        lines.extend(self.trouble.take());
        lines
    }

    fn complain(&mut self, text: String) {
        self.trouble.get_or_insert(format!("[{text}]"));
    }

    fn read(&mut self, report: &mut impl FnMut(String)) -> io::Result<bool> {
        let written = self.raw.metadata()?.len();
        let behind = written.saturating_sub(self.read_to);
        if behind > BACKLOG {
            let skipped = behind - CHUNK as u64;
            self.free(self.read_to, skipped);
            self.read_to += skipped;
            self.cut = true;
            self.complain(format!("{skipped} bytes of output came too fast and were left out"));
        }
        let mut chunk = vec![0; CHUNK];
        let read = self.raw.read_at(&mut chunk, self.read_to)?;
        for byte in &chunk[..read] {
            match byte {
                // A lone return is how programs redraw a progress line.
                b'\n' | b'\r' => self.end_line(report),
                _ if self.cut => {}
                _ if self.line.len() == LONGEST_LINE => self.cut = true,
                byte => self.line.push(*byte),
            }
        }
        self.free(self.read_to, read as u64);
        self.read_to += read as u64;
        Ok(self.read_to < written)
    }

    fn end_line(&mut self, report: &mut impl FnMut(String)) {
        let mut text = words::plain(&String::from_utf8_lossy(&self.line));
        if self.cut && !self.line.is_empty() {
            // The place of the cut could be within a secret: nothing near it is kept.
            text = words::clip(&text, LONGEST_LINE / 4);
            text.push('…');
        }
        self.line.clear();
        self.cut = false;
        if text.trim().is_empty() {
            return;
        }
        self.keep(&text);
        self.last.clone_from(&text);
        report(text);
    }

    fn keep(&mut self, text: &str) {
        let bytes = text.len() as u64 + 1;
        if self.kept_bytes > MOST_KEPT {
            return;
        }
        self.kept_bytes += bytes;
        let line = if self.kept_bytes > MOST_KEPT {
            format!("[the output is longer than {MOST_KEPT} bytes: the rest is not kept]\n")
        } else {
            format!("{text}\n")
        };
        if let Err(error) = self.kept.write_all(line.as_bytes()) {
            self.kept_bytes = MOST_KEPT + 1;
            self.complain(format!("the output cannot be kept: {error}"));
        }
    }

    /// Gives the room of what was read back to the disk, where the file system can: the
    /// command cannot fill it then, however much it prints.
    fn free(&self, from: u64, length: u64) {
        #[cfg(target_os = "linux")]
        if length > 0 {
            use rustix::fs::{FallocateFlags, fallocate};
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // Where it cannot, the file goes away with the command.
            let _ = fallocate(&self.raw, flags, from, length);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (from, length);
    }
}

/// The lines of one look, and whether more is there.
type Look = (Vec<String>, bool);

/// The output of a program, looked at on another thread: where the disk hangs, whoever waits
/// goes on without it.
pub(super) struct Output {
    follower: Option<Follower>,
    looking: Option<JoinHandle<(Follower, Look)>>,
    last: String,
}

impl Output {
    pub(super) fn new(follower: Follower) -> Self {
        Self { follower: Some(follower), looking: None, last: String::new() }
    }

    /// What was printed since, and whether more is there; `None` where the disk does not say
    /// so in time. A look that hangs is waited for again the next time.
    pub(super) async fn look(&mut self, within: Duration) -> Option<Look> {
        if let Some(mut follower) = self.follower.take() {
            self.looking = Some(spawn_blocking(move || {
                let found = follower.next();
                (follower, found)
            }));
        }
        let looked = timeout(within, self.looking.as_mut()?).await.ok()?;
        self.looking = None;
        let (follower, found) = looked.ok()?;
        self.last.clone_from(&follower.last);
        self.follower = Some(follower);
        Some(found)
    }

    /// The last line that said something.
    pub(super) fn last(&self) -> &str {
        &self.last
    }

    /// Takes a last line that has no end, and writes everything down.
    pub(super) async fn close(&mut self, within: Duration) -> Vec<String> {
        let hangs = || vec!["[the rest of the output is unknown: the disk hangs]".to_owned()];
        let Some(mut follower) = self.follower.take() else { return hangs() };
        let closing = spawn_blocking(move || {
            let lines = follower.close();
            (follower.last, lines)
        });
        let Ok(Ok((last, lines))) = timeout(within, closing).await else { return hangs() };
        self.last = last;
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::config::secret::Secret;

    fn follow(pieces: &[&[u8]]) -> (Vec<String>, String, Follower) {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("runs").join("one");
        let mut follower = Follower::create(&directory).expect("created");
        let mut writer = follower.writer().expect("a handle");
        let mut lines = Vec::new();
        for piece in pieces {
            writer.write_all(piece).expect("written");
            loop {
                let (some, more) = follower.next();
                lines.extend(some);
                if !more {
                    break;
                }
            }
        }
        lines.extend(follower.close());
        let names: Vec<_> = fs::read_dir(&directory).expect("there").collect();
        assert_eq!(names.len(), 1, "only the cleaned output has a name");
        let kept = fs::read_to_string(directory.join(KEPT)).expect("kept");
        assert_eq!(fs::metadata(directory.join(KEPT)).expect("there").mode() & 0o777, 0o600);
        (lines, kept, follower)
    }

    #[test]
    fn lines_are_put_together_and_cleaned() {
        let _secret = Secret::new("output-canary-1".to_owned(), "env OUTPUT_CANARY");
        let (lines, kept, follower) = follow(&[
            b"one\ntw",
            b"o \x1b[31mred\x1b[0m\r\n\n10%\r20%\r",
            b"key=output-can",
            b"ary-1 done\nask? ",
        ]);
        assert_eq!(lines, ["one", "two red", "10%", "20%", "key=⟨secret⟩ done", "ask? "]);
        assert_eq!(kept.lines().collect::<Vec<_>>(), lines);
        assert_eq!(follower.last, "ask? ");
    }

    #[test]
    fn a_line_without_end_is_cut_and_bytes_that_are_no_text_do_no_harm() {
        let endless = vec![b'x'; LONGEST_LINE * 3];
        let (lines, _, _) = follow(&[&endless, b"\n", b"\xff\xfe\n", b"after\n"]);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with('…') && lines[0].len() < LONGEST_LINE);
        assert_eq!(lines[2], "after");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let line = [[b'y'; 1023].as_slice(), b"\n"].concat();
        let much = line.repeat(9 << 10);
        let (_, kept, follower) = follow(&[&much]);
        assert!((kept.len() as u64) < MOST_KEPT + 200);
        assert!(kept.ends_with("the rest is not kept]\n"));
        assert_eq!(follower.last.len(), 1023);
    }

    #[test]
    fn a_flood_is_skipped_and_said() {
        let place = tempfile::tempdir().expect("a directory");
        let mut follower = Follower::create(&place.path().join("run")).expect("created");
        let writer = follower.writer().expect("a handle");
        // A hole costs no disk and reads as zeros.
        writer.set_len(BACKLOG * 2).expect("grown");
        let (lines, _) = follower.next();
        assert!(lines[0].contains("came too fast"), "{lines:?}");
    }
}
