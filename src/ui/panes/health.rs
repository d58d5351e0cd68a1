//! Checks: what is wrong, since when, and how much that knowledge is worth.
//!
//! ```text
//!    state      check     why                                        data      for
//!  ▸ ✖ CRIT     Redis     refused: nothing listens on cache:6379     error 2m   2m
//!    ▲ WARN     API       latency_ms is 1240 ms (latency_ms > 800ms)            40s
//!                 disagrees with Redis: here WARN, there CRIT (…)
//!    ● OK       Web       answers in 40 ms                                      12m
//! ```

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{
    check,
    context::{Context, list_and_detail},
    figure,
};
use crate::{
    app::health::{self, CheckRow},
    domain::time::coarse_age,
    ui::{
        paint,
        widgets::{
            sections,
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no checks are configured";

/// The columns, with so much room for the title: the reason matters most.
const fn columns(title: usize) -> [Column; 5] {
    [
        Column::words("state", 6, 9),
        Column::words("check", 6, title),
        Column::words("why", 8, usize::MAX).drop(1),
        Column::words("data", 4, 14).drop(3),
        Column::numbers("for", 3).drop(2),
    ]
}

/// The place of the column that says what the data is worth; left out while all is fresh.
const DATA: usize = 3;

/// The least that a title gets, and the least that is left for the reason beside it.
const LEAST_TITLE: usize = 18;
const LEAST_REASON: usize = 16;

/// What the other columns take with the spaces between all of them, and what the column of
/// the data adds.
const OTHERS: usize = 20;
const DATA_TAKES: usize = 16;

/// Draws the checks; zoomed, with everything about the selected one.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(health::rows(context.world), |row| row.id.to_string());
    if rows.is_empty() {
        context.empty(buffer, area, NOTHING);
        return None;
    }
    if !context.zoomed {
        return list(buffer, area, context, &rows);
    }
    let (left, right) = list_and_detail(area, rows.len());
    let note = list(buffer, left, context, &rows);
    if let Some(row) = rows.get(context.position) {
        let width = sections::column_width(right.width);
        let about = check::sections(context, row, width);
        let hint = context.scroll_hint();
        sections::draw(buffer, right, about, context.view.scroll, hint, context.theme);
    }
    note
}

fn list(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[CheckRow],
) -> Option<String> {
    let theme = context.theme;
    let narrow = area.width < figure::NARROW;
    let mut cells: Vec<Vec<Cell>> =
        rows.iter().map(|row| cells(context, row, area.width)).collect();
    let all_fresh = cells.iter().all(|row| row.get(DATA).is_none_or(Cell::is_empty));
    let others = if all_fresh { OTHERS } else { OTHERS + DATA_TAKES };
    // Titles are told in full where the reasons keep enough: theirs go on below.
    let title = usize::from(area.width).saturating_sub(others + LEAST_REASON).max(LEAST_TITLE);
    let mut columns = columns(title).to_vec();
    if narrow {
        columns.truncate(DATA);
    } else if all_fresh {
        columns.remove(DATA);
        for row in &mut cells {
            row.remove(DATA);
        }
    }
    let mut table = Table::new(&columns, cells, area.width, theme);
    let below = below(context, rows, &mut table, area);
    context.list(buffer, area, &table, &below)
}

/// What stands below the rows: of each disagreement at least a line, and as much of the rest
/// of the reasons, under their own column, as there is room for, the worst first. A detail
/// beside the list has them anyway.
fn below(
    context: &Context<'_>,
    rows: &[CheckRow],
    table: &mut Table<'_>,
    area: Rect,
) -> Vec<Vec<Line<'static>>> {
    let theme = context.theme;
    let narrow = area.width < figure::NARROW;
    let (start, width) = (table.start(2), table.width(2));
    let indent = if narrow { 4 } else { table.start(1) };
    let disagree = rows.iter().filter(|row| row.disagreement.is_some()).count();
    let mut spare = match narrow || context.zoomed {
        true => 0,
        false => usize::from(area.height).saturating_sub(rows.len() + 1 + disagree),
    };
    let mut below = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let mut lines = Vec::new();
        if row.verdict.is_trouble() && spare > 0 {
            let style = figure::reason_style(theme, row.verdict);
            let mut parts = paint::wrapped_to(&row.reason, width, spare + 1, theme).into_iter();
            if let Some(first) = parts.next() {
                table.replace(at, 2, Cell::new(first, style));
            }
            let blank = " ".repeat(start);
            lines.extend(parts.map(|text| Line::styled(format!("{blank}{text}"), style)));
            spare -= lines.len();
        }
        if let Some(text) = &row.disagreement {
            let room = usize::from(area.width).saturating_sub(indent);
            let parts = paint::wrapped_to(text, room, spare + 1, theme);
            spare -= parts.len().saturating_sub(1);
            let blank = " ".repeat(indent);
            let line = |text| Line::styled(format!("{blank}{text}"), theme.warning());
            lines.extend(parts.into_iter().map(line));
        }
        below.push(lines);
    }
    below
}

fn cells(context: &Context<'_>, row: &CheckRow, width: u16) -> Vec<Cell> {
    let (theme, now) = (context.theme, context.world.now);
    let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
    let data = badge.short();
    let reason = if width < figure::NARROW && !data.is_empty() {
        format!("{data}: {}", row.reason)
    } else {
        row.reason.clone()
    };
    vec![
        figure::verdict(theme, row.verdict, row.quality, width),
        Cell::new(row.title.clone(), figure::title_style(theme, row.verdict)),
        Cell::new(reason, figure::reason_style(theme, row.verdict)),
        Cell::new(data, badge.style(theme)),
        Cell::new(coarse_age(now.since(row.since)), theme.quiet()),
    ]
}
