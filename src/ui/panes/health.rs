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
    PaneLine, RowLine, check,
    context::{Context, list_and_detail},
    figure, line_of_rows,
};
use crate::{
    app::health::{self, CheckRow},
    domain::time::coarse_age,
    ui::{
        format,
        scene::Scene,
        widgets::{
            badge::Badge,
            sections,
            table::{Cell, Column, Table},
        },
    },
};

const NOTHING: &str = "no checks are configured";

const COLUMNS: [Column; 5] = [
    Column::words("state", 6, 9),
    Column::words("check", 6, 26),
    Column::words("why", 12, usize::MAX),
    Column::words("data", 4, 14).drop(2),
    Column::numbers("for", 3).drop(1),
];

/// Narrower than this, the worth of the data is said in front of the reason.
const ROOMY: u16 = 56;

/// The pane in one line.
pub(super) fn line(scene: &Scene<'_>) -> PaneLine {
    let rows = health::rows(scene.world);
    let lines: Vec<RowLine<'_>> = rows
        .iter()
        .map(|row| RowLine {
            verdict: row.verdict,
            judged: row.verdict,
            quality: row.quality,
            title: &row.title,
            reason: &row.reason,
        })
        .collect();
    line_of_rows(&lines, NOTHING)
}

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
        sections::draw(buffer, right, about, context.view.scroll, context.theme);
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
    let narrow = area.width < ROOMY;
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(context, row, narrow)).collect();
    let columns = if narrow { &COLUMNS[..3] } else { &COLUMNS[..] };
    let table = Table::new(columns, cells, area.width, theme);
    let indent = if narrow { "    " } else { "             " };
    let below: Vec<Option<Line<'static>>> = rows
        .iter()
        .map(|row| {
            let text = format!("{indent}{}", row.disagreement.as_ref()?);
            let text = format::fit(&text, usize::from(area.width), theme.glyphs().ellipsis);
            Some(Line::styled(text, theme.warning()))
        })
        .collect();
    context.list(buffer, area, &table, &below)
}

fn cells(context: &Context<'_>, row: &CheckRow, narrow: bool) -> Vec<Cell> {
    let (theme, now) = (context.theme, context.world.now);
    let badge = Badge::new(row.quality, now, row.seen);
    let data = badge.short();
    let reason = if narrow && !data.is_empty() {
        format!("{data}: {}", row.reason)
    } else {
        row.reason.clone()
    };
    vec![
        figure::verdict(theme, row.verdict, row.quality, narrow),
        Cell::new(row.title.clone(), figure::title_style(theme, row.verdict)),
        Cell::new(reason, figure::reason_style(theme, row.verdict)),
        Cell::new(data, badge.style(theme)),
        Cell::new(coarse_age(now.since(row.since)), theme.quiet()),
    ]
}
