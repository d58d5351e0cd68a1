//! The newest entries of a log, until somebody asks for them.

use std::{collections::VecDeque, sync::Arc};

use crate::domain::observation::{LogEntry, LogPart};

/// How many entries are handed over that have come since the last look, and how much memory
/// they may take, bytes. Where there are more, the oldest are left out, and counted.
const MOST: usize = 2_000;
const MOST_BYTES: usize = 1 << 20;

/// The same for errors among those that would be left out: in a flood it is they that matter.
const MOST_ERRORS: usize = 200;
const MOST_ERROR_BYTES: usize = 256 << 10;

/// What has come since the last look.
#[derive(Default)]
pub(super) struct Newest {
    entries: Queue,
    errors: Queue,
    left_out: u64,
    too_long: u64,
}

/// One that waits to be handed over.
struct Waiting {
    entry: Arc<LogEntry>,
    error: bool,
    /// It was there before this program looked: history, of which nobody was promised all.
    before: bool,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Queue {
    /// Adds one. Returns those that have no room any more, oldest first.
    fn push(
        &mut self,
        one: Waiting,
        most: usize,
        most_bytes: usize,
    ) -> impl Iterator<Item = Waiting> {
        self.bytes += one.entry.weight();
        self.waiting.push_back(one);
        std::iter::from_fn(move || {
            if self.waiting.len() <= most && self.bytes <= most_bytes {
                return None;
            }
            let oldest = self.waiting.pop_front()?;
            self.bytes -= oldest.entry.weight();
            Some(oldest)
        })
    }
}

impl Newest {
    /// Adds an entry.
    pub(super) fn push(&mut self, entry: LogEntry, error: bool, before: bool) {
        let one = Waiting { entry: Arc::new(entry), error, before };
        for old in self.entries.push(one, MOST, MOST_BYTES) {
            if old.error {
                let older = self.errors.push(old, MOST_ERRORS, MOST_ERROR_BYTES);
                self.left_out += older.filter(|old| !old.before).count() as u64;
            } else {
                self.left_out += u64::from(!old.before);
            }
        }
    }

    /// Counts a line that was too long to be an entry.
    pub(super) fn too_long(&mut self, before: bool) {
        self.too_long += u64::from(!before);
    }

    /// Everything that waits, oldest first; nothing where nothing has come.
    pub(super) fn hand_over(&mut self) -> Option<LogPart> {
        let Self { entries, errors, left_out, too_long } = std::mem::take(self);
        let all = errors.waiting.into_iter().chain(entries.waiting);
        let entries: Vec<_> = all.map(|one| one.entry).collect();
        let nothing = entries.is_empty() && left_out == 0 && too_long == 0;
        (!nothing).then_some(LogPart { entries, left_out, too_long })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn entry(message: &str) -> LogEntry {
        LogEntry {
            at: Timestamp::UNIX_EPOCH,
            service: None,
            level: None,
            message: message.into(),
            failed: false,
            fields: Vec::new(),
        }
    }

    #[test]
    fn a_flood_leaves_the_newest_and_the_errors_and_counts_the_rest() {
        let mut newest = Newest::default();
        for n in 0..10_000 {
            newest.push(entry(&n.to_string()), n % 1_000 == 0, n < 1_000);
        }
        newest.too_long(false);
        let part = newest.hand_over().expect("entries");
        let said: Vec<&str> = part.entries.iter().map(|entry| entry.message.as_ref()).collect();
        assert_eq!(
            said[..9],
            ["0", "1000", "2000", "3000", "4000", "5000", "6000", "7000", "8000"]
        );
        assert_eq!(said.last(), Some(&"9999"));
        // History is not counted, errors are not lost.
        assert_eq!(part.left_out, 7_000 - 7);
        assert_eq!(part.too_long, 1);
        assert_eq!(newest.hand_over(), None);
    }

    #[test]
    fn heavy_entries_are_fewer() {
        let mut newest = Newest::default();
        for _ in 0..1_000 {
            newest.push(entry(&"x".repeat(8_000)), true, false);
        }
        let part = newest.hand_over().expect("entries");
        let bytes: usize = part.entries.iter().map(|entry| entry.weight()).sum();
        assert!(bytes <= MOST_BYTES + MOST_ERROR_BYTES, "{bytes}");
        assert_eq!(part.entries.len() as u64 + part.left_out, 1_000);
    }
}
