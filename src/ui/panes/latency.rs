//! Latencies: percentiles over a window, and the selected one over time.
//!
//! ```text
//!    state   endpoint    p50     p95     p99     max    n  given up  failed  target
//!  ▸ ▲ WARN  API         212  >= 3000       —  >= 3000  31         2       0     300
//!    ● OK    Web         198    ~260   max of 31   281  31         0       0     300
//!
//!  API  slowest of each 15 s, ms; synthetic, from this machine
//!    5 s │      ▆
//! ```

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    context::{Context, split_top},
    figure, history,
};
use crate::{
    app::{
        latency::{self, LatencyRow},
        rows,
    },
    domain::{percentile::Percentile, value::tidy, verdict::Verdict},
    ui::{
        format,
        widgets::{
            dash,
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no latencies are configured";

/// Every figure in this pane is of the console's own requests.
const SYNTHETIC: &str = "ms, synthetic, from this machine";

const COLUMNS: [Column; 11] = [
    Column::words("state", 1, 9),
    Column::words("endpoint", 6, 26),
    Column::numbers("p50", 5).drop(4),
    Column::numbers("p95", 7),
    Column::numbers("p99", 7).drop(5),
    Column::numbers("max", 7).drop(3),
    Column::numbers("n", 4).drop(2),
    Column::numbers("given up", 8).drop(6),
    Column::numbers("failed", 6).drop(7),
    Column::numbers("target", 6).drop(8),
    Column::words("data", 4, 14).drop(1),
];

/// Draws the table, and below it the selected latency over time.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let window = rows::window(&context.view);
    let rows = context.keep(latency::rows(context.world, window), |row| row.id.to_string());
    let Some(selected) = rows.get(context.position) else {
        context.empty(buffer, area, NOTHING);
        return None;
    };
    let theme = context.theme;
    let cells = rows.iter().map(|row| cells(context, row, area.width)).collect();
    let table = Table::new(&COLUMNS, cells, area.width, theme);
    let reasons: Vec<Vec<Line<'static>>> =
        rows.iter().map(|row| reason(context, row, area.width).into_iter().collect()).collect();
    let troubles = reasons.iter().map(Vec::len).sum::<usize>() as u16;
    let needed = rows.len() as u16 + 1 + troubles;
    // On a small screen the reasons are worth more than a chart of a few rows.
    let most = match area.height {
        0..10 if context.zoomed => area.height,
        0..14 => area.height.saturating_sub(6),
        height => height / 2,
    };
    let table_rows = needed.min(most.max(3));
    let (top, rest) = split_top(area, table_rows);
    let told = needed <= table_rows || rows.len() == 1;
    let note = context.list(buffer, top, &table, if told { &reasons } else { &[] });
    let (_, rest) = split_top(rest, u16::from(rest.height >= 8));
    if rest.height >= 4 {
        history::draw(buffer, rest, context, selected);
    }
    Some(note.map_or_else(|| SYNTHETIC.to_owned(), |note| format!("{note}, {SYNTHETIC}")))
}

/// Why a row is not well, below it.
fn reason(context: &Context<'_>, row: &LatencyRow, width: u16) -> Option<Line<'static>> {
    let theme = context.theme;
    let text = format!("    {}", row.reason);
    let text = format::fit(&text, usize::from(width), theme.glyphs().ellipsis);
    let tells = row.verdict != Verdict::Unjudged && row.reason != row.quality.word();
    (row.verdict != Verdict::Ok && tells).then(|| Line::styled(text, theme.text()))
}

fn cells(context: &Context<'_>, row: &LatencyRow, width: u16) -> Vec<Cell> {
    let theme = context.theme;
    let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
    // What was measured stays true; where nothing new comes in it steps back.
    let judged = row.quality.usable() || row.verdict != Verdict::Unknown;
    let plain = if judged { theme.text() } else { figure::faded(theme) };
    let decisive = match row.verdict {
        Verdict::Ok | Verdict::Unknown | Verdict::Unjudged => plain,
        other => theme.verdict(other, row.quality),
    };
    let state = if width < figure::TINY {
        let glyph = theme.verdict_glyph(row.verdict);
        Cell::new(glyph, theme.verdict(row.verdict, row.quality))
    } else {
        figure::verdict(theme, row.verdict, row.quality, width)
    };
    let summary = &row.summary;
    vec![
        state,
        Cell::new(row.title.clone(), figure::title_style(theme, row.verdict)),
        shown(context, summary.p50, plain),
        p95(context, row, decisive),
        shown(context, summary.p99, plain),
        shown(context, summary.max, plain),
        Cell::new(summary.n.to_string(), theme.quiet()),
        counted(context, summary.timeouts),
        counted(context, row.errors),
        Cell::new(row.target_ms.map_or_else(|| dash(theme).to_owned(), tidy), theme.quiet()),
        Cell::new(badge.short(), badge.style(theme)),
    ]
}

fn shown(context: &Context<'_>, percentile: Option<Percentile>, style: Style) -> Cell {
    match percentile {
        Some(percentile) => Cell::new(figure::percentile(percentile), style),
        None => Cell::new(dash(context.theme), context.theme.quiet()),
    }
}

/// The p95; where there are too few samples for one, that it is so. The largest of them
/// stands in a column of its own.
fn p95(context: &Context<'_>, row: &LatencyRow, style: Style) -> Cell {
    let theme = context.theme;
    match (row.summary.p95, row.summary.n) {
        (Some(p95), _) => Cell::new(figure::percentile(p95), style),
        (None, 0) => Cell::new(dash(theme), theme.quiet()),
        // Not a figure: "max of 15" would read like fifteen milliseconds.
        (None, _) => Cell::new("too few", theme.quiet()),
    }
}

fn counted(context: &Context<'_>, count: usize) -> Cell {
    let theme = context.theme;
    let style = if count == 0 { theme.quiet() } else { theme.warning() };
    Cell::new(count.to_string(), style)
}
