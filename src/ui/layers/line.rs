//! A line that is being typed.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::{
    app::{rows, state::State, view},
    domain::text,
    ui::{paint, theme::Theme},
};

/// The end of the text as far as it fits, with a mark where its start is hidden, so that
/// the cursor is always in sight.
pub fn tail(text: &str, columns: usize, theme: Theme) -> String {
    let safe = text::safe(text);
    if safe.width() <= columns {
        return safe.into_owned();
    }
    let ellipsis = theme.glyphs().ellipsis;
    let room = columns.saturating_sub(ellipsis.width());
    let mut kept = Vec::new();
    let mut used = 0;
    for grapheme in safe.graphemes(true).rev() {
        if used + grapheme.width() > room {
            break;
        }
        used += grapheme.width();
        kept.push(grapheme);
    }
    kept.push(ellipsis);
    kept.into_iter().rev().collect()
}

/// The prompt and the end of the text, with the column of the cursor behind it.
pub fn prompt(prompt: &str, text: &str, columns: usize, theme: Theme) -> (Line<'static>, u16) {
    let room = columns.saturating_sub(prompt.width() + 1);
    let shown = tail(text, room, theme);
    let cursor = paint::width(prompt) + paint::width(&shown);
    let line = Line::from(vec![
        Span::styled(prompt.to_owned(), theme.key()),
        Span::styled(shown, theme.strong()),
    ]);
    (line, cursor)
}

/// How many rows a filter leaves, of how many, and of what.
fn counted(state: &State, typed: &view::Line) -> (usize, usize, &'static str) {
    let below = state.view.layers.iter().any(|layer| matches!(layer, view::Layer::Doctor(_)));
    if let (true, Some(found)) = (below, &state.world.examination) {
        return (found.rows(&typed.text).len(), found.findings.len(), "Doctor");
    }
    let pane = state.view.focus;
    let filtered = state.view.pane(pane);
    let unfiltered = view::PaneView { filter: String::new(), ..filtered.clone() };
    let left = rows::of(state.shown(), pane, &filtered).len();
    let all = rows::of(state.shown(), pane, &unfiltered).len();
    (left, all, pane.title())
}

/// Draws the filter of the focused pane with the number of rows that it leaves.
pub fn filter(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    typed: &view::Line,
    theme: Theme,
) -> Option<(u16, u16)> {
    if area.is_empty() {
        return None;
    }
    let (left, all, of) = counted(state, typed);
    let note = format!("  {left} of {all} rows of {of}; ! turns it round");
    let room = usize::from(area.width).saturating_sub(note.width());
    let (mut line, cursor) = if room >= 16 {
        let (mut line, cursor) = prompt(" /", &typed.text, room, theme);
        line.push_span(Span::styled(note, theme.quiet()));
        (line, cursor)
    } else {
        prompt(" /", &typed.text, usize::from(area.width), theme)
    };
    line = line.style(theme.text());
    paint::line(buffer, area, 0, &line);
    (cursor < area.width).then_some((area.x + cursor, area.y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    #[test]
    fn the_end_of_a_long_line_stays_in_sight() {
        let theme = Theme { depth: Depth::None, ascii: false };
        assert_eq!(tail("short", 10, theme), "short");
        assert_eq!(tail("a long reason", 7, theme), "…reason");
        assert_eq!(tail("日本語です", 5, theme), "…です");
    }
}
