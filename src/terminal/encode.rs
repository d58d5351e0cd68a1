//! Cells as bytes, in as few as say the same: behind a slow line a screen takes as long as
//! its bytes.
//!
//! Only what every terminal of the last decades knows is used (ECMA-48): CUP and CHA to
//! move, SGR for the look, ECH for a run of blanks.

use std::{
    io::{self, Write as _},
    iter::Peekable,
};

use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr;

/// From so many blanks on, erasing them and moving on is shorter than writing them.
const ERASED: u16 = 12;

/// What shows on a blank; the other modifiers do not.
const SHOWN_ON_BLANKS: Modifier =
    Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// The parameters of SGR that turn a modifier on.
const MODIFIERS: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// Writes the changed cells of a frame. Begins and ends with the plain look.
///
/// # Errors
///
/// Never in practice; everything is written to memory.
pub(super) fn cells<'a>(
    bytes: &mut Vec<u8>,
    changed: impl Iterator<Item = (u16, u16, &'a Cell)>,
) -> io::Result<()> {
    let mut pen = Pen { bytes, look: Look::PLAIN, row: None, column: None };
    let mut changed = changed.peekable();
    while let Some((x, y, cell)) = changed.next() {
        pen.move_to(x, y)?;
        if is_blank(cell) {
            let run = 1 + more_blanks((x, y), cell.bg, &mut changed);
            pen.blanks(run, cell.bg)?;
        } else {
            pen.symbol(cell)?;
        }
    }
    pen.set(Look::PLAIN)
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && !cell.modifier.intersects(SHOWN_ON_BLANKS)
}

/// Takes the blanks that follow without a gap; returns how many.
fn more_blanks<'a>(
    (x, y): (u16, u16),
    background: Color,
    changed: &mut Peekable<impl Iterator<Item = (u16, u16, &'a Cell)>>,
) -> u16 {
    let mut more = 0;
    while changed
        .next_if(|(next, row, cell)| {
            (*next, *row) == (x + more + 1, y) && is_blank(cell) && cell.bg == background
        })
        .is_some()
    {
        more += 1;
    }
    more
}

/// How a character looks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    text: Color,
    background: Color,
    modifiers: Modifier,
}

impl Look {
    const PLAIN: Self =
        Self { text: Color::Reset, background: Color::Reset, modifiers: Modifier::empty() };
}

/// The terminal's cursor and look, as far as they are known.
struct Pen<'a> {
    bytes: &'a mut Vec<u8>,
    look: Look,
    row: Option<u16>,
    /// Not known after a character that is not one column wide: terminals disagree.
    column: Option<u16>,
}

impl Pen<'_> {
    fn move_to(&mut self, x: u16, y: u16) -> io::Result<()> {
        if self.row != Some(y) {
            write!(self.bytes, "\x1b[{};{}H", y + 1, x + 1)?;
        } else if self.column != Some(x) {
            write!(self.bytes, "\x1b[{}G", x + 1)?;
        }
        (self.row, self.column) = (Some(y), Some(x));
        Ok(())
    }

    fn symbol(&mut self, cell: &Cell) -> io::Result<()> {
        self.set(Look { text: cell.fg, background: cell.bg, modifiers: cell.modifier })?;
        self.bytes.extend_from_slice(cell.symbol().as_bytes());
        self.column = self.column.filter(|_| cell.symbol().width() == 1).map(|column| column + 1);
        Ok(())
    }

    fn blanks(&mut self, run: u16, background: Color) -> io::Result<()> {
        let shows = self.look.modifiers.intersects(SHOWN_ON_BLANKS);
        if shows || self.look.background != background {
            self.set(Look { background, ..Look::PLAIN })?;
        }
        // Not every terminal erases with a colour.
        if run >= ERASED && background == Color::Reset {
            return write!(self.bytes, "\x1b[{run}X");
        }
        self.bytes.extend(std::iter::repeat_n(b' ', usize::from(run)));
        self.column = self.column.map(|column| column + run);
        Ok(())
    }

    fn set(&mut self, look: Look) -> io::Result<()> {
        if look == self.look {
            return Ok(());
        }
        let mut parameters = String::new();
        let mut from = self.look;
        // What turns a single modifier off differs between terminals, and is no shorter.
        if !look.modifiers.contains(from.modifiers) || look == Look::PLAIN {
            from = Look::PLAIN;
            // Nothing at all is a zero, too.
            parameters.push_str(if look == Look::PLAIN { "" } else { "0;" });
        }
        for (modifier, number) in MODIFIERS {
            if (look.modifiers - from.modifiers).contains(modifier) {
                parameters.push_str(&format!("{number};"));
            }
        }
        if look.text != from.text {
            parameters.push_str(&colour(look.text, 30));
        }
        if look.background != from.background {
            parameters.push_str(&colour(look.background, 40));
        }
        self.look = look;
        write!(self.bytes, "\x1b[{}m", parameters.trim_end_matches(';'))
    }
}

/// The parameters of SGR for a colour: `base` is 30 for that of the text, 40 for that behind it.
fn colour(colour: Color, base: u8) -> String {
    let number = match colour {
        Color::Reset => return format!("{};", base + 9),
        Color::Rgb(red, green, blue) => return format!("{};2;{red};{green};{blue};", base + 8),
        Color::Indexed(number) => number,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    match number {
        0..=7 => format!("{};", base + number),
        8..=15 => format!("{};", base + 60 + number - 8),
        _ => format!("{};5;{number};", base + 8),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;
    use ratatui::{buffer::Buffer, layout::Rect, style::Style};
    use vt100::Parser;

    use super::*;

    const AREA: Rect = Rect::new(0, 0, 40, 6);

    fn encoded(before: &Buffer, after: &Buffer) -> Vec<u8> {
        let mut bytes = Vec::new();
        cells(&mut bytes, before.diff_iter(after)).unwrap();
        bytes
    }

    fn terminal() -> Parser {
        let size = |number| NonZeroU16::new(number).unwrap();
        Parser::new(size(AREA.height), size(AREA.width), 0)
    }

    fn as_vt100(colour: Color) -> vt100::Color {
        match colour {
            Color::Red => vt100::Color::Idx(1),
            Color::DarkGray => vt100::Color::Idx(8),
            Color::Indexed(number) => vt100::Color::Idx(number),
            Color::Rgb(red, green, blue) => vt100::Color::Rgb(red, green, blue),
            _ => vt100::Color::Default,
        }
    }

    /// Whether the terminal shows the buffer. The colour of a blank's text shows nowhere.
    fn differs(shown: &vt100::Screen, buffer: &Buffer) -> Option<String> {
        for y in 0..AREA.height {
            for x in 0..AREA.width {
                let (is, wanted) = (shown.cell(y, x)?, &buffer[(x, y)]);
                if is.is_wide_continuation() {
                    continue;
                }
                let symbol = if is.has_contents() { is.contents() } else { " " };
                let look = symbol != " ";
                let has = |modifier| wanted.modifier.contains(modifier);
                let same = symbol == wanted.symbol()
                    && is.bgcolor() == as_vt100(wanted.bg)
                    && is.inverse() == has(Modifier::REVERSED)
                    && is.underline() == has(Modifier::UNDERLINED)
                    && (!look || is.fgcolor() == as_vt100(wanted.fg))
                    && (!look || is.bold() == has(Modifier::BOLD))
                    && (!look || is.dim() == has(Modifier::DIM));
                if !same {
                    return Some(format!("({x}, {y}): {is:?} for {wanted:?}"));
                }
            }
        }
        None
    }

    const NARROW: [&str; 5] = ["x", "some words", "     ", "                         ", "──────"];

    fn pieces(
        texts: &[&'static str],
    ) -> impl Strategy<Value = Vec<(u16, u16, &'static str, Style)>> + use<> {
        let colour = || {
            prop::sample::select(vec![
                Color::Reset,
                Color::Red,
                Color::DarkGray,
                Color::Indexed(42),
                Color::Rgb(1, 2, 3),
            ])
        };
        let modifiers = prop::sample::select(vec![
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::REVERSED,
            Modifier::BOLD | Modifier::UNDERLINED,
        ]);
        let text = prop::sample::select(texts.to_vec());
        let style = (colour(), colour(), modifiers)
            .prop_map(|(text, behind, with)| Style::new().fg(text).bg(behind).add_modifier(with));
        prop::collection::vec((0..AREA.width, 0..AREA.height, text, style), 0..25)
    }

    fn painted(pieces: &[(u16, u16, &str, Style)]) -> Buffer {
        let mut buffer = Buffer::empty(AREA);
        for (x, y, text, style) in pieces {
            buffer.set_string(*x, *y, text, *style);
        }
        buffer
    }

    proptest! {
        #[test]
        fn a_terminal_shows_what_was_painted(first in pieces(&NARROW), second in pieces(&NARROW)) {
            let (first, second) = (painted(&first), painted(&second));
            let mut terminal = terminal();
            terminal.process(&encoded(&Buffer::empty(AREA), &first));
            prop_assert_eq!(differs(terminal.screen(), &first), None);
            terminal.process(&encoded(&first, &second));
            prop_assert_eq!(differs(terminal.screen(), &second), None);
        }

        // What is left of a wide character that was half painted over, each terminal shows
        // as it likes: only on an empty screen.
        #[test]
        fn wide_characters_are_where_they_belong(wide in pieces(&["日本語", "x", "     "])) {
            let wide = painted(&wide);
            let mut terminal = terminal();
            terminal.process(&encoded(&Buffer::empty(AREA), &wide));
            prop_assert_eq!(differs(terminal.screen(), &wide), None);
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let blank = Buffer::empty(AREA);
        let mut line = blank.clone();
        line.set_string(2, 1, "ab", Style::new().fg(Color::Cyan));
        line.set_string(9, 1, "c", Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD));
        line.set_string(0, 3, "d", Style::new());
        let bytes = String::from_utf8(encoded(&blank, &line)).unwrap();
        assert_eq!(bytes, "\x1b[2;3H\x1b[36mab\x1b[10G\x1b[1mc\x1b[4;1H\x1b[md");

        let mut full = blank.clone();
        full.set_string(0, 0, "x".repeat(30), Style::new());
        let bytes = String::from_utf8(encoded(&full, &blank)).unwrap();
        assert_eq!(bytes, "\x1b[1;1H\x1b[30X");
    }
}
