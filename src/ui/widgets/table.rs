//! Columns that are aligned, and that give way in an order where there is little room.

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::fitted;
use crate::{domain::text, ui::theme::Theme};

/// On which side a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    align: Align,
    min: usize,
    max: usize,
    /// Columns with a higher number go first where there is no room; 0 stays.
    drop: u8,
}

impl Column {
    /// A column of words, `min` to `max` wide.
    pub const fn words(title: &'static str, min: usize, max: usize) -> Self {
        Self { title, align: Align::Left, min, max, drop: 0 }
    }

    /// A column of numbers, at least `min` wide: as wide as its usual numbers, so that it
    /// does not move when they grow.
    pub const fn numbers(title: &'static str, min: usize) -> Self {
        Self { title, align: Align::Right, min, max: 16, drop: 0 }
    }

    /// How early it gives way; the highest first.
    #[must_use]
    pub const fn drop(mut self, order: u8) -> Self {
        self.drop = order;
        self
    }
}

/// What stands in one place of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    spans: Vec<Span<'static>>,
    /// A picture, such as a bar, is not turned round where its row is selected: it would be
    /// its own negative.
    picture: bool,
}

impl Cell {
    /// Text of one style. Foreign text is made safe when it is fitted.
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { spans: vec![Span::styled(text.into(), style)], picture: false }
    }

    /// Text of several styles.
    pub fn spans(spans: Vec<Span<'static>>) -> Self {
        Self { spans, picture: false }
    }

    /// A picture made of characters.
    pub fn picture(spans: Vec<Span<'static>>) -> Self {
        Self { spans, picture: true }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.width() == 0
    }

    /// The columns that it would take.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| text::safe(&span.content).width()).sum()
    }
}

/// A table: its columns, its rows, and the widths that follow from both.
#[derive(Debug)]
pub struct Table<'a> {
    columns: &'a [Column],
    rows: Vec<Vec<Cell>>,
    widths: Vec<Option<usize>>,
    gap: usize,
    theme: Theme,
}

impl<'a> Table<'a> {
    /// Lays the rows out in `width` columns of the screen. Each line begins with a place
    /// of two columns for the mark of the selection.
    pub fn new(columns: &'a [Column], rows: Vec<Vec<Cell>>, width: u16, theme: Theme) -> Self {
        let gap = if width < 50 { 1 } else { 2 };
        let room = usize::from(width).saturating_sub(2);
        let widths = widths(columns, &rows, room, gap);
        Self { columns, rows, widths, gap, theme }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a column is shown.
    pub fn shows(&self, column: usize) -> bool {
        self.widths.get(column).is_some_and(Option::is_some)
    }

    /// Where a column begins, counted from the left edge of the table.
    pub fn start(&self, column: usize) -> usize {
        let before = self.widths.iter().take(column).flatten();
        2 + before.map(|width| width + self.gap).sum::<usize>()
    }

    /// How wide a column is; nothing where it had to give way.
    pub fn width(&self, column: usize) -> usize {
        self.widths.get(column).copied().flatten().unwrap_or(0)
    }

    /// Puts something else into a place. The columns stay as they are.
    pub fn replace(&mut self, row: usize, column: usize, cell: Cell) {
        if let Some(place) = self.rows.get_mut(row).and_then(|cells| cells.get_mut(column)) {
            *place = cell;
        }
    }

    /// The titles.
    pub fn header(&self) -> Line<'static> {
        let style = self.theme.quiet();
        let cells: Vec<Cell> =
            self.columns.iter().map(|column| Cell::new(column.title, style)).collect();
        self.laid_out(&cells, Span::raw("  "), false)
    }

    /// One row.
    pub fn line(&self, row: usize, selected: bool) -> Line<'static> {
        let Some(cells) = self.rows.get(row) else { return Line::default() };
        if !selected {
            return self.laid_out(cells, Span::raw("  "), false);
        }
        let pointer = format!("{} ", self.theme.glyphs().pointer);
        self.laid_out(cells, Span::raw(pointer), true)
    }

    /// The titles and as many rows as `room` lines can hold without a selection; the last
    /// line says how many rows are left out.
    pub fn lines(&self, room: usize) -> Vec<Line<'static>> {
        self.lines_of(room, self.len())
    }

    /// As [`Self::lines`], where these are the first of so many.
    pub fn lines_of(&self, room: usize, all: usize) -> Vec<Line<'static>> {
        let room = room.saturating_sub(1);
        let shown = if all > room { room.saturating_sub(1).min(self.len()) } else { self.len() };
        let mut lines = vec![self.header()];
        lines.extend((0..shown).map(|row| self.line(row, false)));
        if shown < all {
            let text = format!("  {} more", all - shown);
            lines.push(Line::styled(text, self.theme.quiet()));
        }
        lines
    }

    fn laid_out(&self, cells: &[Cell], lead: Span<'static>, selected: bool) -> Line<'static> {
        let (quiet, picked) = (self.theme.quiet(), self.theme.selected());
        let mark = |span: Span<'static>| {
            if !selected {
                return span;
            }
            // Grey on a reversed row is hard to read.
            let base = if span.style == quiet { self.theme.text() } else { span.style };
            Span::styled(span.content, base.patch(picked))
        };
        let mut spans = vec![mark(lead)];
        let mut first = true;
        for ((cell, column), width) in cells.iter().zip(self.columns).zip(&self.widths) {
            let Some(width) = *width else { continue };
            if !first {
                let gap = Span::raw(" ".repeat(self.gap));
                // Beside a reversed row a bar could not be told from it.
                spans.push(if cell.picture { gap } else { mark(gap) });
            }
            first = false;
            let (mut fitted, used) = fitted(&cell.spans, width, self.theme);
            let mut blank = Span::raw(" ".repeat(width.saturating_sub(used)));
            if !cell.picture {
                fitted = fitted.into_iter().map(mark).collect();
                blank = mark(blank);
            }
            match column.align {
                Align::Left => {
                    spans.extend(fitted);
                    spans.push(blank);
                }
                Align::Right => {
                    spans.push(blank);
                    spans.extend(fitted);
                }
            }
        }
        Line::from(spans)
    }
}

/// The width of each column; none for one that had to give way.
fn widths(columns: &[Column], rows: &[Vec<Cell>], room: usize, gap: usize) -> Vec<Option<usize>> {
    let natural = |index: usize| {
        let content = rows.iter().filter_map(|row| row.get(index)).map(Cell::width).max();
        let title = columns[index].title.width();
        content.unwrap_or(0).max(title).clamp(columns[index].min, columns[index].max)
    };
    let mut widths: Vec<Option<usize>> =
        (0..columns.len()).map(|index| Some(natural(index))).collect();
    // What must fit before a column gives way: elastic columns at their least.
    let least = |widths: &[Option<usize>]| {
        let shown = widths.iter().flatten().count();
        let sum: usize = widths
            .iter()
            .zip(columns)
            .filter_map(|(width, column)| width.map(|width| (width, column)))
            .map(|(width, column)| if column.max == usize::MAX { column.min } else { width })
            .sum();
        sum + gap * shown.saturating_sub(1)
    };
    while least(&widths) > room {
        let next = (0..columns.len())
            .filter(|index| widths[*index].is_some() && columns[*index].drop > 0)
            .max_by_key(|index| columns[*index].drop);
        let Some(next) = next else { break };
        widths[next] = None;
    }
    shrink(columns, &mut widths, room, gap);
    widths
}

/// Takes what does not fit from the elastic columns first, then from the other columns of
/// words, the last before the first.
fn shrink(columns: &[Column], widths: &mut [Option<usize>], room: usize, gap: usize) {
    let shown = widths.iter().flatten().count();
    let total = widths.iter().flatten().sum::<usize>() + gap * shown.saturating_sub(1);
    let mut excess = total.saturating_sub(room);
    for (elastic, least) in [(true, 1), (false, 1), (false, 0)] {
        for (width, column) in widths.iter_mut().zip(columns).rev() {
            if (column.max == usize::MAX) != elastic || column.align == Align::Right {
                continue;
            }
            if let Some(width) = width {
                // In the last round even the least width gives way, but for a few letters.
                let floor = if least == 1 { column.min } else { column.min.min(4) };
                let given = excess.min(width.saturating_sub(floor));
                *width -= given;
                excess -= given;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    const THEME: Theme = Theme { depth: Depth::None, ascii: false };
    const COLUMNS: [Column; 3] = [
        Column::words("name", 4, 10),
        Column::words("why", 4, usize::MAX),
        Column::numbers("n", 3).drop(1),
    ];

    fn text(width: u16) -> String {
        let cell = |text: &str| Cell::new(text, Style::new());
        let rows = vec![
            vec![cell("search"), cell("slow since the deploy"), cell("12")],
            vec![cell("日本語"), cell("ok"), cell("3")],
        ];
        let table = Table::new(&COLUMNS, rows, width, THEME);
        let lines = [table.header(), table.line(0, false), table.line(1, true)];
        lines.map(|line| line.to_string().trim_end().to_owned()).join("\n")
    }

    #[test]
    fn numbers_stand_right_and_words_left() {
        let wide = "  name    why                      n\n  search  slow since the deploy   12\n▸ 日本語  ok                       3";
        assert_eq!(text(60), wide);
    }

    #[test]
    fn a_bar_stays_itself_in_a_selected_row() {
        let bar = Cell::picture(vec![Span::raw("██")]);
        let rows = vec![vec![Cell::new("search", Style::new()), bar]];
        let line = Table::new(&COLUMNS[..2], rows, 40, THEME).line(0, true);
        let reversed = |text: &str| {
            let span = line.spans.iter().find(|span| span.content == text).unwrap();
            span.style == THEME.selected()
        };
        assert!(reversed("search") && !reversed("██") && !reversed("  "));
    }

    #[test]
    fn columns_shrink_and_then_give_way() {
        assert_eq!(
            text(20),
            "  name   why       n\n  search slow…    12\n▸ 日本語 ok        3"
                .replace("slow…    12", "slow s…  12")
        );
        assert!(!text(14).contains("12"), "{}", text(14));
    }
}
