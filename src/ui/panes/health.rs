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
    domain::{time::coarse_age, verdict::Verdict},
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

const COLUMNS: [Column; 5] = columns(18);
const COLUMNS_OF_80: [Column; 5] = columns(26);
const COLUMNS_OF_100: [Column; 5] = columns(40);

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
    let columns: &[Column] = match area.width {
        _ if narrow => &COLUMNS[..3],
        ..70 => &COLUMNS,
        70..100 => &COLUMNS_OF_80,
        _ => &COLUMNS_OF_100,
    };
    let mut columns = columns.to_vec();
    let all_fresh = cells.iter().all(|row| row.get(DATA).is_none_or(Cell::is_empty));
    if all_fresh && columns.len() > DATA {
        columns.remove(DATA);
        for row in &mut cells {
            row.remove(DATA);
        }
    }
    let mut table = Table::new(&columns, cells, area.width, theme);
    let below = below(context, rows, &mut table, area);
    context.list(buffer, area, &table, &below)
}

/// What stands below the rows: disagreements always; reasons in full, under their own
/// column, where there is room for all of them and no detail that has them anyway.
fn below(
    context: &Context<'_>,
    rows: &[CheckRow],
    table: &mut Table<'_>,
    area: Rect,
) -> Vec<Vec<Line<'static>>> {
    let theme = context.theme;
    let width = usize::from(area.width);
    let indent = " ".repeat(if area.width < figure::NARROW { 4 } else { table.start(1) });
    let (quiet, warning) = (theme.quiet(), theme.warning());
    let wrapped: Vec<Vec<String>> =
        rows.iter().map(|row| paint::wrap(&row.reason, table.width(2))).collect();
    let full: Vec<Vec<Line<'static>>> = rows
        .iter()
        .zip(&wrapped)
        .map(|(row, reason)| {
            let under = " ".repeat(table.start(2));
            let style = figure::reason_style(theme, row.verdict);
            let rest = reason.iter().skip(1).filter(|_| row.verdict != Verdict::Ok);
            let mut lines: Vec<Line<'static>> =
                rest.map(|text| Line::styled(format!("{under}{text}"), style)).collect();
            if let Some(text) = &row.disagreement {
                lines.extend(paint::wrapped(&indent, text, width, quiet, warning));
            }
            lines
        })
        .collect();
    let needed = rows.len() + 1 + full.iter().map(Vec::len).sum::<usize>();
    let roomy = area.width >= figure::NARROW && !context.zoomed;
    if roomy && needed <= usize::from(area.height) {
        for (at, (row, reason)) in rows.iter().zip(wrapped).enumerate() {
            if let (true, Some(first)) = (row.verdict != Verdict::Ok, reason.into_iter().next()) {
                let style = figure::reason_style(theme, row.verdict);
                table.replace(at, 2, Cell::new(first, style));
            }
        }
        return full;
    }
    let disagreement = |row: &CheckRow| {
        let text = format!("{indent}{}", row.disagreement.as_ref()?);
        Some(context.fitted(&text, area.width, warning))
    };
    rows.iter().map(|row| disagreement(row).into_iter().collect()).collect()
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
