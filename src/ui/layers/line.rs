//! A line that is being typed.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::{
    app::{
        logs, rows,
        state::State,
        view::{self, Pane},
    },
    domain::{log::Pattern, text},
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

/// Whether what an examination found is on the screen.
fn over_findings(state: &State) -> bool {
    state.view.layers.iter().any(|layer| matches!(layer, view::Layer::Doctor(_)))
}

/// How many rows a filter leaves, of how many, and of what.
fn counted(state: &State, typed: &view::Line) -> (usize, usize, &'static str) {
    if let (true, Some(found)) = (over_findings(state), &state.world.examination) {
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
    if state.view.focus == Pane::Logs && !over_findings(state) {
        let note = match &state.view.logs.complaint {
            Some(why) => Note::Wrong(format!("not a pattern: {why}")),
            None => {
                let lines = logs::shown(state.shown(), &state.view);
                let (left, all) = (lines.listed().len(), lines.lines().len());
                Note::Plain(format!("{left} of {all} entries; ! turns it round"))
            }
        };
        return noted(buffer, area, " &", typed, note, theme);
    }
    let (left, all, of) = counted(state, typed);
    let note = format!("{left} of {all} rows of {of}; ! turns it round");
    noted(buffer, area, " /", typed, Note::Plain(note), theme)
}

/// Draws what is searched for in the log; beside it, why it cannot be.
pub fn search(
    buffer: &mut Buffer,
    area: Rect,
    typed: &view::Line,
    theme: Theme,
) -> Option<(u16, u16)> {
    let note = match Pattern::parse(&typed.text) {
        Err(why) => Note::Wrong(format!("not a pattern: {why}")),
        Ok(_) => Note::Plain("a regular expression; Enter searches upwards".to_owned()),
    };
    noted(buffer, area, " search: ", typed, note, theme)
}

/// What stands beside a line that is typed.
enum Note {
    Plain(String),
    /// Why what is typed cannot be taken.
    Wrong(String),
}

fn noted(
    buffer: &mut Buffer,
    area: Rect,
    lead: &str,
    typed: &view::Line,
    note: Note,
    theme: Theme,
) -> Option<(u16, u16)> {
    if area.is_empty() {
        return None;
    }
    let (note, style, least) = match note {
        Note::Plain(note) => (note, theme.quiet(), 16),
        Note::Wrong(note) => (note, theme.warning(), 6),
    };
    let note = format!("  {note}");
    let room = usize::from(area.width).saturating_sub(note.width());
    let (mut line, cursor) = if room >= least {
        let (mut line, cursor) = prompt(lead, &typed.text, room, theme);
        line.push_span(Span::styled(note, style));
        (line, cursor)
    } else {
        prompt(lead, &typed.text, usize::from(area.width), theme)
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
