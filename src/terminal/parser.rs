//! Bytes from the keyboard, made into events.
//!
//! A parser of our own, because what matters here is what happens when a sequence is torn
//! apart or never ends: an Esc must not become a command with the letters that follow it,
//! and a paste that is never closed must not take the keyboard away.
//!
//! Sources: ECMA-48 (control functions), xterm's "ctlseqs" (keys, mouse, bracketed paste).
//! Neither xterm's extended keys nor the kitty protocol are asked for, so they do not come.

use std::{collections::VecDeque, mem, time::Duration};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use super::sequence;

/// The longest paste, in bytes; the rest of it is dropped.
pub const LONGEST_PASTE: usize = 64 * 1024;
/// A paste without an end is over when nothing came for so long.
const PASTE_IDLE: Duration = Duration::from_secs(1);
/// A sequence that has begun is waited for so long: longer than for the first byte after an
/// Esc, because now it is certain that there is one.
const SEQUENCE: Duration = Duration::from_millis(500);
/// So long after an Esc was reported, what looks like the rest of a sequence is one.
const TAIL: Duration = Duration::from_millis(250);
/// The longest sequence that is looked at, in bytes.
const LONGEST_SEQUENCE: usize = 64;
/// Nobody types so many different characters at once: a paste on a terminal that does not
/// mark them. Far above what piles up on a line that stood still for a second.
const BURST: usize = 64;
/// The pieces of such a paste follow each other within this time.
const BURST_IDLE: Duration = Duration::from_millis(100);
/// What ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

/// How far the parser is.
#[derive(Debug, Default)]
enum State {
    /// Nothing has begun.
    #[default]
    Ground,
    /// Part of a character.
    Character(Vec<u8>),
    /// An Esc, key or beginning.
    Escape,
    /// Esc was reported because nothing followed in time; what follows now may still be
    /// the rest of a sequence.
    LateTail,
    /// `ESC [` and what came after.
    Control { body: Vec<u8>, late: bool },
    /// `ESC O`.
    Single { late: bool },
    /// A string for somebody else (an answer that nobody asked for), until its terminator.
    Text { escape: bool },
    /// Three bytes of an old mouse report are to be skipped.
    OldMouse(u8),
    /// Pasted text, until its end.
    Paste(Vec<u8>),
    /// Pasted text that is not marked, until nothing comes any more.
    Burst(Vec<u8>),
}

/// Makes events of bytes. It has no clock: whoever feeds it asks for [`Parser::patience`]
/// and calls [`Parser::time_is_up`].
#[derive(Debug)]
pub(super) struct Parser {
    state: State,
    escape_wait: Duration,
    events: VecDeque<Event>,
}

impl Parser {
    /// A parser that waits so long for what follows an Esc.
    pub(super) fn new(escape_wait: Duration) -> Self {
        Self { state: State::Ground, escape_wait, events: VecDeque::new() }
    }

    /// The next event that is complete.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How long after the last byte to call [`Parser::time_is_up`], if at all.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Escape => Some(self.escape_wait),
            State::LateTail => Some(TAIL),
            // What looks like a tail may be a key: it must not be kept for long.
            State::Control { late: true, .. } | State::Single { late: true } => {
                Some(self.escape_wait)
            }
            State::Paste(_) => Some(PASTE_IDLE),
            State::Burst(_) => Some(BURST_IDLE),
            State::Character(_)
            | State::Control { .. }
            | State::Single { .. }
            | State::Text { .. }
            | State::OldMouse(_) => Some(SEQUENCE),
        }
    }

    /// Nothing more has come in time.
    pub(super) fn time_is_up(&mut self) {
        match mem::take(&mut self.state) {
            State::Escape => {
                self.key(KeyCode::Esc, KeyModifiers::NONE);
                self.state = State::LateTail;
            }
            // Alone it was a key after all. With more after it, it was not.
            State::Control { body, late: true } if body.is_empty() => {
                self.character('[', KeyModifiers::NONE);
            }
            State::Single { late: true } => self.character('O', KeyModifiers::NONE),
            State::Paste(text) | State::Burst(text) => self.pasted(&text),
            State::Ground
            | State::LateTail
            | State::Character(_)
            | State::Control { .. }
            | State::Single { .. }
            | State::Text { .. }
            | State::OldMouse(_) => {}
        }
    }

    /// Takes what was read in one piece.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        if let State::Burst(text) = &mut self.state {
            append(text, chunk);
            return;
        }
        if matches!(self.state, State::Ground | State::LateTail) && is_burst(chunk) {
            let mut text = Vec::new();
            append(&mut text, chunk);
            self.state = State::Burst(text);
            return;
        }
        for &byte in chunk {
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        match mem::take(&mut self.state) {
            State::Ground | State::Burst(_) => self.ground(byte, KeyModifiers::NONE),
            State::Character(mut begun) => {
                begun.push(byte);
                self.utf8(begun, KeyModifiers::NONE);
            }
            State::Escape => self.escape(byte),
            State::LateTail => match byte {
                b'[' => self.state = State::Control { body: Vec::new(), late: true },
                b'O' => self.state = State::Single { late: true },
                _ => self.ground(byte, KeyModifiers::NONE),
            },
            State::Control { body, late } => self.control(body, late, byte),
            State::Single { late } => self.single(byte, late),
            State::Text { escape } => self.text(byte, escape),
            State::OldMouse(left) if left > 1 => self.state = State::OldMouse(left - 1),
            State::OldMouse(_) => {}
            State::Paste(text) => self.paste(text, byte),
        }
    }

    fn ground(&mut self, byte: u8, modifiers: KeyModifiers) {
        match byte {
            0x1b => self.state = State::Escape,
            b'\r' => self.key(KeyCode::Enter, modifiers),
            b'\t' => self.key(KeyCode::Tab, modifiers),
            // Which of the two the key sends is a matter of the terminal.
            0x7f | 0x08 => self.key(KeyCode::Backspace, modifiers),
            0x00 => self.character(' ', modifiers | KeyModifiers::CONTROL),
            0x01..=0x1a => {
                self.character(char::from(byte - 1 + b'a'), modifiers | KeyModifiers::CONTROL);
            }
            0x1c..=0x1f => {
                self.character(char::from(byte - 0x1c + b'4'), modifiers | KeyModifiers::CONTROL);
            }
            _ => self.utf8(vec![byte], modifiers),
        }
    }

    /// A character of one to four bytes. What is none is dropped.
    fn utf8(&mut self, bytes: Vec<u8>, modifiers: KeyModifiers) {
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                for c in text.chars() {
                    self.character(c, modifiers);
                }
            }
            // It may still become one.
            Err(error) if error.error_len().is_none() => self.state = State::Character(bytes),
            // The byte that broke it may begin something of its own.
            Err(_) if bytes.len() > 1 => {
                if let Some(&last) = bytes.last() {
                    self.ground(last, modifiers);
                }
            }
            Err(_) => {}
        }
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'[' => self.state = State::Control { body: Vec::new(), late: false },
            b'O' => self.state = State::Single { late: false },
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Text { escape: false },
            0x1b => {
                self.key(KeyCode::Esc, KeyModifiers::NONE);
                self.state = State::Escape;
            }
            // A key with Alt. It is not taken for Esc and a key, because that would make a
            // slip of the finger a command.
            _ => self.ground(byte, KeyModifiers::ALT),
        }
    }

    fn single(&mut self, byte: u8, late: bool) {
        let code = match byte {
            b'A' => KeyCode::Up,
            b'B' => KeyCode::Down,
            b'C' => KeyCode::Right,
            b'D' => KeyCode::Left,
            b'F' => KeyCode::End,
            b'H' => KeyCode::Home,
            b'M' => KeyCode::Enter,
            b'P'..=b'S' => KeyCode::F(byte - b'P' + 1),
            0x1b => {
                self.state = State::Escape;
                return;
            }
            _ => return,
        };
        // Its Esc has been reported already; one key must not act twice.
        if !late {
            self.key(code, KeyModifiers::NONE);
        }
    }

    fn text(&mut self, byte: u8, escape: bool) {
        match byte {
            // BEL, CAN, SUB.
            0x07 | 0x18 | 0x1a => {}
            b'\\' if escape => {}
            0x1b => self.state = State::Text { escape: true },
            _ if escape => self.escape(byte),
            _ => self.state = State::Text { escape: false },
        }
    }

    fn control(&mut self, mut body: Vec<u8>, late: bool, byte: u8) {
        match byte {
            0x1b => self.state = State::Escape,
            0x18 | 0x1a => {}
            // The kernel's console sends `ESC [ [ A` to `E` for F1 to F5.
            b'[' if body.is_empty() => {
                body.push(byte);
                self.state = State::Control { body, late };
            }
            0x40..=0x7e => {
                if body.is_empty() && byte == b'M' {
                    self.state = State::OldMouse(3);
                } else if body == b"200" && byte == b'~' {
                    // Even late: this is text, in no case keys.
                    self.state = State::Paste(Vec::new());
                } else if !late && let Some(event) = sequence::event(&body, byte) {
                    self.events.push_back(event);
                }
            }
            0x20..=0x3f => {
                // Too long is as good as unknown; only its end is of interest then.
                if body.len() < LONGEST_SEQUENCE {
                    body.push(byte);
                }
                self.state = State::Control { body, late };
            }
            // Other control characters inside a sequence mean that it was none.
            _ => {}
        }
    }

    fn paste(&mut self, mut text: Vec<u8>, byte: u8) {
        text.push(byte);
        if text.ends_with(PASTE_END) {
            text.truncate(text.len() - PASTE_END.len());
            self.pasted(&text);
            return;
        }
        // Beyond the limit only the end is looked for.
        if text.len() > LONGEST_PASTE + PASTE_END.len() {
            text.remove(LONGEST_PASTE);
        }
        self.state = State::Paste(text);
    }

    fn pasted(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(LONGEST_PASTE)];
        let text = String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n");
        let text = text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "");
        if !text.is_empty() {
            self.events.push_back(Event::Paste(text));
        }
    }

    fn character(&mut self, c: char, modifiers: KeyModifiers) {
        let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.key(KeyCode::Char(c), modifiers | shift);
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.events.push_back(Event::Key(KeyEvent::new(code, modifiers)));
    }
}

fn append(text: &mut Vec<u8>, chunk: &[u8]) {
    let room = LONGEST_PASTE.saturating_sub(text.len());
    text.extend_from_slice(&chunk[..chunk.len().min(room)]);
}

/// Whether a piece of input is text that was pasted rather than typed. A key that is held
/// down piles up as well, but it is always the same.
fn is_burst(chunk: &[u8]) -> bool {
    let is_text =
        |&byte: &u8| byte >= 0x20 && byte != 0x7f || matches!(byte, b'\r' | b'\n' | b'\t');
    chunk.len() >= BURST && chunk.iter().all(is_text) && chunk.iter().any(|&byte| byte != chunk[0])
}

#[cfg(test)]
mod tests {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    use proptest::prelude::*;

    use super::*;

    fn parser() -> Parser {
        Parser::new(Duration::from_millis(25))
    }

    /// What comes of these pieces, when nothing follows.
    fn events(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = parser();
        for piece in pieces {
            parser.feed(piece);
        }
        finish(&mut parser)
    }

    fn finish(parser: &mut Parser) -> Vec<Event> {
        // At most: Esc, then its late tail.
        for _ in 0..3 {
            if parser.patience().is_some() {
                parser.time_is_up();
            }
        }
        assert_eq!(parser.patience(), None);
        std::iter::from_fn(|| parser.next()).collect()
    }

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn held(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    fn c(c: char) -> Event {
        key(KeyCode::Char(c))
    }

    #[test]
    fn keys_of_common_terminals() {
        let (ctrl, alt, shift) = (KeyModifiers::CONTROL, KeyModifiers::ALT, KeyModifiers::SHIFT);
        let table: &[(&str, Event)] = &[
            ("a", c('a')),
            ("G", held(KeyCode::Char('G'), shift)),
            ("ß", c('ß')),
            ("日", c('日')),
            ("\r", key(KeyCode::Enter)),
            ("\t", key(KeyCode::Tab)),
            ("\x7f", key(KeyCode::Backspace)),
            ("\x08", key(KeyCode::Backspace)),
            ("\x03", held(KeyCode::Char('c'), ctrl)),
            ("\x1a", held(KeyCode::Char('z'), ctrl)),
            ("\0", held(KeyCode::Char(' '), ctrl)),
            ("\x1b", key(KeyCode::Esc)),
            ("\x1bx", held(KeyCode::Char('x'), alt)),
            ("\x1b[A", key(KeyCode::Up)),
            ("\x1bOA", key(KeyCode::Up)),
            ("\x1b[1;5D", held(KeyCode::Left, ctrl)),
            ("\x1b[Z", held(KeyCode::BackTab, shift)),
            ("\x1b[H", key(KeyCode::Home)),
            ("\x1b[1~", key(KeyCode::Home)),
            ("\x1b[4~", key(KeyCode::End)),
            ("\x1b[3~", key(KeyCode::Delete)),
            ("\x1b[5~", key(KeyCode::PageUp)),
            ("\x1b[6;2~", held(KeyCode::PageDown, shift)),
            ("\x1bOP", key(KeyCode::F(1))),
            ("\x1b[[E", key(KeyCode::F(5))),
            ("\x1b[15~", key(KeyCode::F(5))),
            ("\x1b[17~", key(KeyCode::F(6))),
            ("\x1b[24~", key(KeyCode::F(12))),
            ("\x1b[1;2R", held(KeyCode::F(3), shift)),
        ];
        for (bytes, expected) in table {
            assert_eq!(events(&[bytes.as_bytes()]), std::slice::from_ref(expected), "{bytes:?}");
            // However it is torn apart.
            let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
            assert_eq!(events(&single), std::slice::from_ref(expected), "{bytes:?} byte by byte");
        }
    }

    #[test]
    fn what_nobody_asked_for_is_dropped() {
        for bytes in [
            "\x1b[?62;4c",
            "\x1b[12;40R",
            "\x1b[?1;2$y",
            "\x1b]11;rgb:0000/0000/0000\x1b\\",
            "\x1b]11;rgb:0000/0000/0000\x07",
            "\x1bP1$r0m\x1b\\",
            "\x1b[M !!",
            "\x1b[99999999999~",
        ] {
            assert_eq!(events(&[bytes.as_bytes(), b"k"]), [c('k')], "{bytes:?}");
        }
        for unfinished in ["\x1b[", "\x1bO", "\x1b[1;", "\x1b[200", "\x1b]11;rgb", "\x1b[M "] {
            assert_eq!(events(&[unfinished.as_bytes()]), [], "{unfinished:?}");
        }
    }

    #[test]
    fn a_lone_esc_waits_its_time_and_no_longer() {
        let mut parser = parser();
        parser.feed(b"\x1b");
        assert_eq!(parser.next(), None);
        assert_eq!(parser.patience(), Some(Duration::from_millis(25)));
        parser.time_is_up();
        assert_eq!(parser.next(), Some(key(KeyCode::Esc)));
        parser.feed(b"j");
        assert_eq!(parser.next(), Some(c('j')));
    }

    #[test]
    fn a_late_tail_is_swallowed() {
        for tail in ["[A", "[1;5D", "OP", "[15~", "[<0;1;1M"] {
            let mut parser = parser();
            parser.feed(b"\x1b");
            parser.time_is_up();
            assert_eq!(parser.next(), Some(key(KeyCode::Esc)));
            parser.feed(tail.as_bytes());
            parser.feed(b"k");
            assert_eq!(finish(&mut parser), [c('k')], "{tail}");
        }
    }

    #[test]
    fn a_bracket_that_is_typed_after_esc_is_a_key() {
        let mut parser = parser();
        parser.feed(b"\x1b");
        parser.time_is_up();
        parser.feed(b"[");
        assert_eq!(finish(&mut parser), [key(KeyCode::Esc), c('[')]);
    }

    #[test]
    fn esc_twice_is_esc_twice() {
        assert_eq!(events(&[b"\x1b\x1b"]), [key(KeyCode::Esc), key(KeyCode::Esc)]);
        assert_eq!(events(&[b"\x1b\x1b[A"]), [key(KeyCode::Esc), key(KeyCode::Up)]);
    }

    #[test]
    fn a_paste_is_whole_wherever_it_is_torn() {
        let sent = "\x1b[200~q\r\nxcy ä\r\x1b[31mred\x1b[201~k";
        let expected = [Event::Paste("q\nxcy ä\n[31mred".to_owned()), c('k')];
        for at in 1..sent.len() {
            let (first, second) = sent.as_bytes().split_at(at);
            assert_eq!(events(&[first, second]), expected, "torn at {at}");
        }
    }

    #[test]
    fn a_paste_is_bounded() {
        let mut sent = b"\x1b[200~".to_vec();
        sent.extend(std::iter::repeat_n(b'x', LONGEST_PASTE * 2));
        sent.extend_from_slice(b"\x1b[201~k");
        let mut parser = parser();
        parser.feed(&sent);
        assert_eq!(parser.next(), Some(Event::Paste("x".repeat(LONGEST_PASTE))));
        assert_eq!(parser.next(), Some(c('k')));
    }

    #[test]
    fn a_paste_without_an_end_gives_the_keyboard_back() {
        assert_eq!(events(&[b"\x1b[200~q", b"x"]), [Event::Paste("qx".to_owned())]);
    }

    #[test]
    fn a_burst_of_text_is_a_paste_and_a_held_key_is_not() {
        let burst = "xcy\rq ".repeat(40);
        let expected = Event::Paste(burst.replace('\r', "\n") + "q");
        assert_eq!(events(&[burst.as_bytes(), b"q"]), [expected]);
        assert_eq!(events(&[&[b'j'; 200]]).len(), 200);
        assert_eq!(events(&[b"xcy\r"]).len(), 4);
    }

    #[test]
    fn the_mouse() {
        let mouse =
            |kind, modifiers| [Event::Mouse(MouseEvent { kind, column: 4, row: 2, modifiers })];
        let none = KeyModifiers::NONE;
        let table = [
            ("\x1b[<0;5;3M", mouse(MouseEventKind::Down(MouseButton::Left), none)),
            ("\x1b[<2;5;3m", mouse(MouseEventKind::Up(MouseButton::Right), none)),
            ("\x1b[<64;5;3M", mouse(MouseEventKind::ScrollUp, none)),
            ("\x1b[<81;5;3M", mouse(MouseEventKind::ScrollDown, KeyModifiers::CONTROL)),
        ];
        for (bytes, expected) in table {
            assert_eq!(events(&[bytes.as_bytes()]), expected, "{bytes:?}");
        }
        assert_eq!(events(&[b"\x1b[<0;5M"]), []);
    }

    #[test]
    fn broken_characters_are_dropped_and_nothing_else() {
        assert_eq!(events(&[b"\xc3k"]), [c('k')]);
        assert_eq!(events(&[b"\xffk"]), [c('k')]);
        assert_eq!(events(&[b"\xe6\x97\x1b[A"]), [key(KeyCode::Up)]);
        assert_eq!(events(&[b"\xe6"]), []);
    }

    proptest! {
        /// Whatever comes in whatever pieces, nothing panics, nothing grows, and the
        /// keyboard works afterwards.
        #[test]
        fn any_input_leaves_a_working_keyboard(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)
        ) {
            let mut parser = parser();
            for piece in &pieces {
                parser.feed(piece);
            }
            finish(&mut parser);
            parser.feed(b"k");
            prop_assert_eq!(parser.next(), Some(c('k')));
        }

        /// What a sequence means does not depend on how it arrives.
        #[test]
        fn pieces_do_not_matter(
            text in "(a|\r|\x1b\\[A|\x1bOP|\x1b\\[1;5D|\x1b\\[200~qx\x1b\\[201~|ä){0,8}",
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(events(&[first, second]), events(&[bytes]));
        }
    }
}
