//! Long lines in as many rows as they take.

use ratatui::{style::Style, text::Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Spans broken at the edge, at a space where one is near; all rows but the first are indented.
pub(super) fn broken(
    spans: impl Iterator<Item = Span<'static>>,
    width: usize,
    indent: usize,
) -> Vec<Vec<Span<'static>>> {
    let spans: Vec<Span<'static>> = spans.collect();
    let cells: Vec<(&str, Style)> = spans
        .iter()
        .flat_map(|span| span.content.graphemes(true).map(|grapheme| (grapheme, span.style)))
        .collect();
    let mut rows = Vec::new();
    let mut from = 0;
    while from < cells.len() || rows.is_empty() {
        let lead = if rows.is_empty() { 0 } else { indent };
        let room = width.saturating_sub(lead).max(1);
        let mut used = 0;
        let fits = cells[from..].iter().take_while(|(grapheme, _)| {
            used += grapheme.width();
            used <= room
        });
        // Something is taken from every row, so that it comes to an end.
        let edge = (from + fits.count()).max((from + 1).min(cells.len()));
        let near = (from + (edge - from) * 2 / 3..edge).rev().find(|at| cells[*at].0 == " ");
        let until = near.filter(|_| edge < cells.len()).map_or(edge, |space| space + 1);
        let mut row: Vec<Span<'static>> = vec![Span::raw(" ".repeat(lead))];
        for (grapheme, style) in &cells[from..until] {
            match row.last_mut() {
                Some(last) if last.style == *style => last.content.to_mut().push_str(grapheme),
                _ => row.push(Span::styled((*grapheme).to_owned(), *style)),
            }
        }
        rows.push(row);
        from = until;
    }
    rows
}
