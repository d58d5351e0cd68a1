//! Bytes to events, as the HTML standard reads an event stream.

/// What stands around the data of an event that is as large as allowed, bytes.
const MARGIN: usize = 1 << 10;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; `message` where it has none.
    pub(super) name: String,
    /// Its data.
    pub(super) data: String,
}

/// Puts events together out of whatever pieces come.
#[derive(Debug)]
pub(super) struct Parser {
    cap: usize,
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// The event is too large: the rest of it is thrown away.
    overlarge: bool,
    /// The last byte was a carriage return, whose line feed is still to come.
    after_return: bool,
    at_start: bool,
    /// The id of the event that is being read: it counts once that has come whole.
    id: Option<String>,
    /// What is to be sent as `Last-Event-ID` when the stream is opened anew: the id of the
    /// last event that came whole. `None` where it has none, or took it back.
    pub(super) last_id: Option<String>,
    /// After how long it is to be opened anew, milliseconds.
    pub(super) retry: Option<u64>,
    /// Events that were too large.
    pub(super) dropped: u64,
}

impl Parser {
    /// Keeps events of at most so many bytes.
    pub(super) fn new(cap: u64) -> Self {
        Self {
            cap: usize::try_from(cap).unwrap_or(usize::MAX - MARGIN),
            line: Vec::new(),
            name: String::new(),
            data: String::new(),
            has_data: false,
            overlarge: false,
            after_return: false,
            at_start: true,
            id: None,
            last_id: None,
            retry: None,
            dropped: 0,
        }
    }

    /// Another stream begins: what had no end is no event.
    pub(super) fn restart(&mut self) {
        let last_id = self.last_id.take();
        let kept = Self {
            id: last_id.clone(),
            last_id,
            retry: self.retry,
            dropped: self.dropped,
            ..Self::new(self.cap as u64)
        };
        *self = kept;
    }

    /// The events that end in these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    events.extend(self.end_line());
                }
                _ if self.line.len() > self.cap + MARGIN => {
                    self.line.clear();
                    self.too_large();
                }
                _ => self.line.push(*byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let mut text = text.as_ref();
        if std::mem::take(&mut self.at_start) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            return self.dispatch();
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.chars().take(200).collect(),
            "data" => {
                if self.data.len() + value.len() > self.cap {
                    self.too_large();
                }
                if !self.overlarge {
                    if self.has_data {
                        self.data.push('\n');
                    }
                    self.data.push_str(value);
                }
                self.has_data = true;
            }
            "id" if !value.contains('\0') && value.len() <= MARGIN => {
                self.id = Some(value.to_owned()).filter(|id| !id.is_empty());
            }
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().or(self.retry);
            }
            // A comment, or something of later.
            _ => {}
        }
        None
    }

    /// Counted as soon as it is known: its end may never come.
    fn too_large(&mut self) {
        self.dropped += u64::from(!std::mem::replace(&mut self.overlarge, true));
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.last_id.clone_from(&self.id);
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        if std::mem::take(&mut self.overlarge) {
            self.has_data = false;
            return None;
        }
        let name = if name.is_empty() { "message".to_owned() } else { name };
        std::mem::take(&mut self.has_data).then_some(Event { name, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = "\u{feff}: hello\r\n\r\ndata: {\"a\":\rdata: 1}\r\rid: 7\nretry: 2500\nevent: alert\ndata:ä\n\nevent: empty\n\nid: a\0b\nretry: soon\ndata\n\ndata: never ends".as_bytes();

    #[test]
    fn events_come_out_whole_however_they_came_in() {
        let event = |name: &str, data: &str| Event { name: name.to_owned(), data: data.to_owned() };
        let expected = [event("message", "{\"a\":\n1}"), event("alert", "ä"), event("message", "")];
        for size in 1..STREAM.len() {
            let mut parser = Parser::new(1_000);
            let events: Vec<Event> =
                STREAM.chunks(size).flat_map(|piece| parser.feed(piece)).collect();
            assert_eq!(events, expected, "in pieces of {size}");
            assert_eq!(parser.last_id.as_deref(), Some("7"));
            assert_eq!(parser.retry, Some(2_500));
            parser.restart();
            assert_eq!(parser.feed(b"\n\ndata: x\n\n"), [event("message", "x")]);
            assert_eq!(parser.last_id.as_deref(), Some("7"));
        }
    }

    #[test]
    fn an_id_counts_once_its_event_has_come_whole_and_an_empty_one_takes_it_back() {
        let mut parser = Parser::new(1_000);
        parser.feed(b"id: 1\ndata: x\n\nid: 2\ndata: never en");
        assert_eq!(parser.last_id.as_deref(), Some("1"));
        parser.restart();
        assert_eq!(parser.last_id.as_deref(), Some("1"));
        // An event without one keeps that of the event before it.
        parser.feed(b"data: y\n\n");
        assert_eq!(parser.last_id.as_deref(), Some("1"));
        parser.feed(b"id: 3\n\n");
        assert_eq!(parser.last_id.as_deref(), Some("3"), "an event without data counts here");
        parser.feed(b"id\n");
        assert_eq!(parser.last_id.as_deref(), Some("3"));
        parser.feed(b"data: z\n\n");
        assert_eq!(parser.last_id, None);
    }

    #[test]
    fn an_event_that_is_too_large_takes_no_room_and_costs_no_other() {
        let mut parser = Parser::new(100);
        for _ in 0..1_000 {
            assert!(parser.feed(&[b'x'; 100]).is_empty());
            assert!(parser.line.len() <= 100 + MARGIN + 1);
        }
        assert!(parser.feed(b"\n\n").is_empty());
        for _ in 0..50 {
            assert!(parser.feed(b"data: 0123456789\n").is_empty());
        }
        assert!(parser.feed(b"\n").is_empty());
        assert_eq!(parser.dropped, 2);
        assert_eq!(parser.feed(b"data: ok\n\n")[0].data, "ok");
    }
}
