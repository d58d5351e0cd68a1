//! Sections of text that flow into as many columns as there is room for.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::fitted;
use crate::ui::{format, paint, theme::Theme};

/// Text under a heading.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its lines, the heading among them.
    pub lines: Vec<Line<'static>>,
}

/// Two columns are used from this width.
const TWO_COLUMNS: u16 = 100;

/// Between two columns.
const GAP: u16 = 3;

impl Section {
    /// A section with a heading, and what is said beside the heading in a quiet voice.
    pub fn new(theme: Theme, heading: &str, beside: &str, lines: Vec<Line<'static>>) -> Self {
        let mut all = vec![Line::from(vec![
            Span::styled(heading.to_owned(), theme.strong()),
            Span::styled(
                if beside.is_empty() { String::new() } else { format!("  {beside}") },
                theme.quiet(),
            ),
        ])];
        all.extend(lines);
        Self { lines: all }
    }

    /// Lines without a heading.
    pub fn bare(lines: Vec<Line<'static>>) -> Self {
        Self { lines }
    }
}

/// How wide each column of sections is in an area of this width.
pub fn column_width(width: u16) -> u16 {
    if width >= TWO_COLUMNS { (width - GAP) / 2 } else { width }
}

/// Draws sections one below the other, and then in a second column where there is one.
/// A section that would be torn begins the next column where it fits there. What has no
/// room is counted, never silently left out; `hint` says how to get there.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    sections: Vec<Section>,
    scroll: usize,
    hint: &str,
    theme: Theme,
) {
    if area.is_empty() {
        return;
    }
    let height = usize::from(area.height);
    let width = column_width(area.width);
    let columns = if width < area.width { 2 } else { 1 };
    let lines = flow(sections, height, columns);
    let room = height * columns;
    let first = scroll.min(lines.len().saturating_sub(room));
    let hidden = lines.len().saturating_sub(first + room);
    for (at, line) in lines.iter().skip(first).take(room).enumerate() {
        let (column, row) = (at / height, at % height);
        let place = Rect { x: area.x + column as u16 * (width + GAP), width, ..area };
        let last = at + 1 == room;
        if last && hidden > 0 {
            let ellipsis = theme.glyphs().ellipsis;
            let text = format!("{ellipsis} {} more lines{hint}", hidden + 1);
            let text = format::fit(&text, usize::from(width), ellipsis);
            paint::line(buffer, place, row as u16, &Line::styled(text, theme.quiet()));
        } else {
            let (spans, _) = fitted(&line.spans, usize::from(width), theme);
            paint::line(buffer, place, row as u16, &Line::from(spans).style(line.style));
        }
    }
}

/// All lines in order, with blank lines between sections. Of two columns, the second begins
/// with the section that makes both about equally long; where not everything fits, the
/// first is filled as far as a section is not torn.
fn flow(sections: Vec<Section>, height: usize, columns: usize) -> Vec<Line<'static>> {
    let sections: Vec<Section> =
        sections.into_iter().filter(|section| !section.lines.is_empty()).collect();
    let lengths: Vec<usize> = sections.iter().map(|section| section.lines.len()).collect();
    let second = if columns > 1 { second_column(&lengths, height) } else { None };
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (at, section) in sections.into_iter().enumerate() {
        if second == Some(at) {
            lines.resize(height, Line::default());
        } else if !lines.len().is_multiple_of(height) {
            lines.push(Line::default());
        }
        lines.extend(section.lines);
    }
    lines
}

/// The first section of the second column; none where the first section alone is longer
/// than a column.
fn second_column(lengths: &[usize], height: usize) -> Option<usize> {
    let column =
        |lengths: &[usize]| lengths.iter().sum::<usize>() + lengths.len().saturating_sub(1);
    let fits = |at: &usize| column(&lengths[..*at]) <= height;
    (1..lengths.len()).filter(fits).min_by_key(|at| {
        let (left, right) = (column(&lengths[..*at]), column(&lengths[*at..]));
        // The reader begins at the left: there may be more there, never less.
        (right.max(left), std::cmp::Reverse(left))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    const THEME: Theme = Theme { depth: Depth::None, ascii: false };

    fn sections(lengths: &[usize]) -> Vec<Section> {
        lengths
            .iter()
            .enumerate()
            .map(|(name, length)| {
                Section::bare((0..*length).map(|at| Line::from(format!("{name}.{at}"))).collect())
            })
            .collect()
    }

    fn shown(lengths: &[usize], area: Rect, scroll: usize) -> Vec<String> {
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, area, sections(lengths), scroll, "", THEME);
        (0..area.height)
            .map(|y| {
                let row: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
                row.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    #[test]
    fn a_section_is_not_torn_where_the_next_column_can_hold_it() {
        let rows = shown(&[2, 3], Rect::new(0, 0, 100, 4), 0);
        assert_eq!(rows, ["0.0 1.0", "0.1 1.1", "1.2", ""]);
    }

    #[test]
    fn what_has_no_room_is_counted_and_can_be_scrolled_to() {
        let area = Rect::new(0, 0, 40, 3);
        assert_eq!(shown(&[6], area, 0), ["0.0", "0.1", "… 4 more lines"]);
        assert_eq!(shown(&[6], area, 2), ["0.2", "0.3", "… 2 more lines"]);
        assert_eq!(shown(&[6], area, 900), ["0.3", "0.4", "0.5"]);
    }
}
