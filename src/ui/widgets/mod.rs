//! Small builders that turn borrowed data into lines of text. They know the look of the
//! screen and nothing of the state.

pub mod badge;

pub mod bar;

pub mod chart;

pub mod pairs;

pub mod sections;

pub mod table;

pub mod window;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{format, paint, theme::Theme};
use crate::domain::text;

/// Puts lines below each other into an area. A line that is too long ends in a mark; lines
/// that have no room are left out.
pub fn put(buffer: &mut Buffer, area: Rect, lines: &[Line<'static>], theme: Theme) {
    for (row, line) in area.rows().zip(lines) {
        let (spans, _) = fitted(&line.spans, usize::from(area.width), theme);
        paint::line(buffer, row, 0, &Line::from(spans).style(line.style));
    }
}

/// Spans made safe and cut to `width` columns with a mark where some is missing, and the
/// columns that they take.
pub fn fitted(spans: &[Span<'static>], width: usize, theme: Theme) -> (Vec<Span<'static>>, usize) {
    let mut used = 0;
    let mut out = Vec::new();
    for span in spans {
        let cut = format::fit(&span.content, width - used, theme.glyphs().ellipsis);
        let whole = cut.width() == text::safe(&span.content).width();
        used += cut.width();
        out.push(Span::styled(cut, span.style));
        if !whole {
            break;
        }
    }
    (out, used)
}

/// What stands where a value is not known. Always with the reason in words nearby.
pub fn dash(theme: Theme) -> &'static str {
    if theme.ascii { "-" } else { "—" }
}
