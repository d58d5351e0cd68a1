//! What a control sequence from the keyboard means. Sources as in [`super::parser`].

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// The event of a control sequence; `None` for those that mean nothing to us.
pub(super) fn event(body: &[u8], last: u8) -> Option<Event> {
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
