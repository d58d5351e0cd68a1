//! Bytes to lines.

/// The longest line that is kept, bytes.
const LONGEST: usize = 64 << 10;

/// Puts lines together out of whatever pieces come.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    partial: Vec<u8>,
    /// How much of a line that is too long has come: the rest of it is thrown away.
    overlong: u64,
}

/// A line, or that there was one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole line, without its end.
    Whole(String),
    /// A line that is too long, and is gone. Said as soon as that is known.
    TooLong,
}

impl Splitter {
    /// The lines that end in these bytes. What has no end yet is kept.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (mut text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if self.overlong > 0 {
                self.overlong = if ended { 0 } else { self.overlong + text.len() as u64 };
                continue;
            }
            if self.partial.is_empty() {
                // A hole, as a truncation leaves it where the writer goes on at its old place.
                text = &text[text.iter().position(|byte| *byte != 0).unwrap_or(text.len())..];
            }
            if self.partial.len() + text.len() > LONGEST {
                let length = (self.partial.len() + text.len()) as u64;
                self.overlong = if ended { 0 } else { length };
                self.partial = Vec::new();
                lines.push(Line::TooLong);
                continue;
            }
            self.partial.extend_from_slice(text);
            if ended {
                lines.push(self.take());
            }
        }
        lines
    }

    /// The last line, where the end of everything is its end.
    pub(super) fn finish(&mut self) -> Option<Line> {
        self.overlong = 0;
        (!self.partial.is_empty()).then(|| self.take())
    }

    /// How many bytes have come of a line that is too long and has no end yet.
    pub(super) fn endless(&self) -> u64 {
        self.overlong
    }

    fn take(&mut self) -> Line {
        let text = String::from_utf8_lossy(&self.partial).trim_end_matches('\r').to_owned();
        self.partial.clear();
        Line::Whole(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Line {
        Line::Whole(text.to_owned())
    }

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.feed(b"one\ntw"), [whole("one")]);
        assert_eq!(splitter.feed(b"o\r\n\n\xc3"), [whole("two"), whole("")]);
        assert_eq!(splitter.feed(b"\xa4\n\xff\nend"), [whole("\u{e4}"), whole("\u{fffd}")]);
        assert_eq!(splitter.finish(), Some(whole("end")));
        assert_eq!(splitter.finish(), None);
    }

    #[test]
    fn a_line_without_end_takes_no_room_and_is_not_passed_off_as_whole() {
        let mut splitter = Splitter::default();
        let mut said = 0;
        for _ in 0..100 {
            said += splitter.feed(&[b'x'; 4096]).len();
            assert!(splitter.partial.len() <= LONGEST);
        }
        assert_eq!(said, 1, "once, and before its end");
        assert_eq!(splitter.endless(), 409_600);
        assert_eq!(splitter.feed(b"\nafter\n"), [whole("after")]);
        assert_eq!(splitter.endless(), 0);
    }
}
