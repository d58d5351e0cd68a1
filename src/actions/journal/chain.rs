//! The chain: every line ends in the SHA-256 of itself and names the hash of the line
//! before it, so that a changed, removed, added or moved line is found.
//!
//! The hash is taken over the bytes of the line up to `,"hash":"`. No canonical form of
//! JSON is needed, and not a single byte can be changed unnoticed. Lines that are cut off
//! the end are missed by what is remembered beside the journal.

use sha2::{Digest, Sha256};

use super::{
    entry::{Kind, Line},
    history::Runs,
};

/// What stands between a line's contents and its hash.
const SEAL: &str = ",\"hash\":\"";
/// What stands behind the hash.
const END: &str = "\"}";
/// Characters of a hash in hex.
pub(super) const HASH: usize = 64;

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the last line; 0 before the first.
    pub(super) seq: u64,
    /// Its hash; zeros before the first.
    pub(super) hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: "0".repeat(HASH) }
    }
}

/// The first line that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {why}")]
pub struct BadLine {
    /// Its number in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// The lower-case hex form of some bytes.
pub(in crate::actions) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes of a line with its hash, and the hash. Without a line break.
pub(super) fn seal(line: &Line) -> Result<(Vec<u8>, String), serde_json::Error> {
    let mut text = serde_json::to_string(line)?;
    text.pop();
    let hash = hex(&Sha256::digest(text.as_bytes()));
    text.push_str(SEAL);
    text.push_str(&hash);
    text.push_str(END);
    Ok((text.into_bytes(), hash))
}

/// What the bytes of a line turned out to be.
enum Decoded {
    /// A line with its hash.
    Whole(Box<Line>, String),
    /// A line with a hash that is not its own.
    Changed,
    /// Not a whole line.
    Fragment,
}

/// The line that the bytes are, whatever stands before it.
pub(super) fn read(bytes: &[u8]) -> Option<Line> {
    match decode(bytes) {
        Decoded::Whole(line, _) => Some(*line),
        Decoded::Changed | Decoded::Fragment => None,
    }
}

fn decode(bytes: &[u8]) -> Decoded {
    let sealed = || {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix(END)?;
        let (rest, hash) = text.split_at_checked(text.len().checked_sub(HASH)?)?;
        Some((rest.strip_suffix(SEAL)?, hash))
    };
    let Some((contents, hash)) = sealed() else {
        return Decoded::Fragment;
    };
    if hex(&Sha256::digest(contents.as_bytes())) != hash {
        return Decoded::Changed;
    }
    match serde_json::from_str::<Line>(&format!("{contents}}}")) {
        Ok(line) => Decoded::Whole(Box::new(line), hash.to_owned()),
        Err(_) => Decoded::Fragment,
    }
}

/// Walks over the lines from the first to the last.
#[derive(Debug, Default)]
pub(super) struct Walker {
    /// The last good line.
    pub(super) head: Head,
    /// Good lines seen.
    pub(super) lines: u64,
    /// Lines that were cut off and then closed.
    pub(super) repaired: u64,
    /// The first bad line.
    pub(super) bad: Option<BadLine>,
    /// The runs that the lines tell of.
    pub(super) runs: Runs,
    number: u64,
    fragments: Option<u64>,
}

impl Walker {
    /// Takes the next line, without its line break.
    pub(super) fn line(&mut self, bytes: &[u8]) {
        self.number += 1;
        match decode(bytes) {
            Decoded::Fragment => {
                self.fragments.get_or_insert(self.number);
            }
            Decoded::Changed => {
                self.complain(self.number, "was changed after it was written");
            }
            Decoded::Whole(line, hash) => self.whole(&line, hash),
        }
    }

    fn whole(&mut self, line: &Line, hash: String) {
        let follows = line.seq == self.head.seq + 1 && line.prev == self.head.hash;
        if let Some(first) = self.fragments.take() {
            if follows && line.entry.kind == Kind::Repaired {
                self.repaired += 1;
            } else {
                self.complain(first, "is not a line of this journal");
            }
        }
        if !follows {
            self.complain(
                self.number,
                "does not follow the line before it: a line was changed, removed, added or moved",
            );
        }
        if line.entry.kind == Kind::Cut {
            self.complain(self.number, line.entry.text.as_deref().unwrap_or("follows a cut"));
        }
        self.runs.take(line);
        self.lines += 1;
        self.head = Head { seq: line.seq, hash };
    }

    /// What is missing of a chain that ended there once, in words.
    pub(super) fn missing(&self, once: &Head) -> Option<String> {
        let Head { seq, hash } = &self.head;
        if once.seq > *seq {
            let (first, last) = (seq + 1, once.seq);
            let lines = if first == last {
                format!("line {last} was")
            } else {
                format!("lines {first} to {last} were")
            };
            return Some(format!("{lines} here once and cut off"));
        }
        let replaced = once.seq == *seq && once.hash != *hash;
        replaced.then(|| "stands in the place of another line".to_owned())
    }

    /// Holds the chain against where it ended once.
    pub(super) fn hold_against(&mut self, once: &Head) {
        if let Some(why) = self.missing(once) {
            self.complain(self.number, &format!("is the last: {why}"));
        }
    }

    /// Takes what stands behind the last line break. A whole line that only lacks its
    /// line break counts as one. Whether anything is left that is not a line.
    pub(super) fn tail(&mut self, bytes: &[u8]) -> bool {
        if let Decoded::Whole(line, hash) = decode(bytes) {
            self.number += 1;
            self.whole(&line, hash);
            return false;
        }
        !bytes.is_empty()
    }

    /// Whether the last lines are cut off and were not closed by a further line.
    pub(super) fn ends_in_fragment(&self) -> bool {
        self.fragments.is_some()
    }

    fn complain(&mut self, line: u64, why: &str) {
        self.bad.get_or_insert_with(|| BadLine { line, why: why.to_owned() });
    }
}
