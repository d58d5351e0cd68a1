//! Bytes from the keyboard, made into events.
//!
//! A parser of our own, because what matters here is what happens when a sequence is torn
//! apart or never ends: an Esc must not become a command with the letters that follow it,
//! and a paste that is never closed must not take the keyboard away.
//!
//! Sources: ECMA-48 (control functions), xterm's "ctlseqs" (keys, mouse, bracketed paste).
//! Neither xterm's extended keys nor the kitty protocol are asked for, so they do not come.

use std::{collections::VecDeque, mem, time::Duration};

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

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
                } else if !late && let Some(event) = control_event(&body, byte) {
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

/// The event of a control sequence; `None` for those that mean nothing to us.
fn control_event(body: &[u8], last: u8) -> Option<Event> {
    if let Some(report) = body.strip_prefix(b"<") {
        return mouse_event(report, last);
    }
    if body == b"[" {
        return match last {
            b'A'..=b'E' => Some(key_event(KeyCode::F(last - b'A' + 1), None)),
            _ => None,
        };
    }
    let mut numbers = numbers(body)?;
    let first = numbers.next();
    let modifiers = numbers.next();
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' | b'Q' | b'S' => KeyCode::F(last - b'P' + 1),
        // With one number only, `R` reports where the cursor is.
        b'R' if modifiers.is_some() && first == Some(1) => KeyCode::F(3),
        b'Z' => KeyCode::BackTab,
        b'I' => return Some(Event::FocusGained),
        b'O' => return Some(Event::FocusLost),
        b'~' => numbered_key(first?)?,
        _ => return None,
    };
    let modifiers = if code == KeyCode::BackTab { Some(2) } else { modifiers };
    Some(key_event(code, modifiers))
}

/// The keys that have a number, `CSI number ~`.
fn numbered_key(number: u16) -> Option<KeyCode> {
    let f = |number: u16, first: u16, key: u8| {
        u8::try_from(number - first).ok().map(|offset| KeyCode::F(key + offset))
    };
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => f(number, 11, 1),
        17..=21 => f(number, 17, 6),
        23..=24 => f(number, 23, 11),
        _ => None,
    }
}

/// The modifiers are one more than a sum of 1 for shift, 2 for Alt, 4 for control.
fn key_event(code: KeyCode, modifiers: Option<u16>) -> Event {
    let bits = modifiers.unwrap_or(1).saturating_sub(1);
    let mut held = KeyModifiers::NONE;
    held.set(KeyModifiers::SHIFT, bits & 1 != 0);
    held.set(KeyModifiers::ALT, bits & 2 != 0);
    held.set(KeyModifiers::CONTROL, bits & 4 != 0);
    Event::Key(KeyEvent::new(code, held))
}

/// `CSI < button ; column ; row M`, or `m` when the button was let go.
fn mouse_event(report: &[u8], last: u8) -> Option<Event> {
    let mut numbers = numbers(report)?;
    let (button, column, row) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let which = match button & 0b11 {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        _ => MouseButton::Right,
    };
    let kind = match (button & 0b0100_0000 != 0, button & 0b11, last) {
        (true, 0, b'M') => MouseEventKind::ScrollUp,
        (true, 1, b'M') => MouseEventKind::ScrollDown,
        (false, 0..=2, b'M') => MouseEventKind::Down(which),
        (false, 0..=2, b'm') => MouseEventKind::Up(which),
        _ => return None,
    };
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, button & 4 != 0);
    modifiers.set(KeyModifiers::ALT, button & 8 != 0);
    modifiers.set(KeyModifiers::CONTROL, button & 16 != 0);
    let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
    Some(Event::Mouse(MouseEvent { kind, column, row, modifiers }))
}

/// The numbers of a sequence. `None` when it has other things in it.
fn numbers(body: &[u8]) -> Option<impl Iterator<Item = u16>> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') {
        return None;
    }
    // A number that is left out is 1; one that is too large matches nothing.
    Some(
        text.split(';')
            .filter(move |_| !text.is_empty())
            .map(|number| if number.is_empty() { 1 } else { number.parse().unwrap_or(u16::MAX) }),
    )
}
