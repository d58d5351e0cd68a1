//! A screen as text that a person can review: the characters, then the styles as runs of
//! columns. A snapshot of the characters alone would not notice a lost colour.

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr;

/// The characters of each row between bars, then the styles of each row.
pub fn shown(buffer: &Buffer) -> String {
    format!("{}{}", characters(buffer), styles(buffer))
}

/// The characters of each row, between bars.
pub fn characters(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        out.push('|');
        let mut x = buffer.area.left();
        while x < buffer.area.right() {
            let symbol = buffer[(x, y)].symbol();
            out.push_str(symbol);
            // A wide character hides the cell behind it.
            x += symbol.width().max(1) as u16;
        }
        out.push_str("|\n");
    }
    out
}

/// The styles that are not the default one, as `row: columns style; columns style`.
pub fn styles(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let runs = runs(buffer, y);
        if !runs.is_empty() {
            let _ = writeln!(out, "{y:>3}: {}", runs.join("; "));
        }
    }
    out
}

fn runs(buffer: &Buffer, y: u16) -> Vec<String> {
    let mut runs = Vec::new();
    let mut x = buffer.area.left();
    while x < buffer.area.right() {
        let style = words(&buffer[(x, y)]);
        let start = x;
        while x < buffer.area.right() && words(&buffer[(x, y)]) == style {
            x += 1;
        }
        if !style.is_empty() {
            runs.push(format!("{start}-{} {style}", x - 1));
        }
    }
    runs
}

fn words(cell: &Cell) -> String {
    let mut words = Vec::new();
    if cell.fg != Color::Reset {
        words.push(cell.fg.to_string().to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on {}", cell.bg.to_string().to_lowercase()));
    }
    for (modifier, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
        (Modifier::SLOW_BLINK, "blinking"),
        (Modifier::RAPID_BLINK, "blinking"),
        (Modifier::HIDDEN, "hidden"),
        (Modifier::CROSSED_OUT, "crossed out"),
    ] {
        if cell.modifier.contains(modifier) {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}
