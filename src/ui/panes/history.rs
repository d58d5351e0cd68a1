//! One latency over time, and before and after the last deploy.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{context::Context, figure};
use crate::{
    app::latency::{self, CHART_STEP, LatencyRow, LatencyState},
    domain::{
        catalog::LatencySpec,
        percentile::Summary,
        text,
        value::tidy,
        verdict::{Quality, Verdict},
    },
    ui::{
        format, paint,
        widgets::{
            chart::{self, Bar, Chart, Rule},
            dash, put,
            table::{Cell, Column, Table},
        },
    },
};

const COLUMNS: [Column; 7] = [
    Column::words("", 8, 40),
    Column::numbers("p50", 6).drop(3),
    Column::numbers("p95", 9),
    Column::numbers("p99", 9).drop(2),
    Column::numbers("max", 9).drop(1),
    Column::numbers("n", 5),
    Column::numbers("given up", 8).drop(4),
];

/// A taller chart is a wall of cells that shows nothing more.
const TALLEST: u16 = 22;

/// Draws the history of one latency.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>, row: &LatencyRow) {
    let world = context.world;
    let spec = world.catalog.latencies.iter().find(|spec| spec.id == row.id);
    let Some((spec, state)) = spec.zip(world.latencies.get(&row.id)) else { return };
    let comparison =
        if context.zoomed { comparison(context, state, area.width) } else { Vec::new() };
    let below = if area.height >= 16 { comparison.len() as u16 + 1 } else { 0 };
    let tallest = TALLEST.min(area.height - below).saturating_sub(1);
    let mut lines = vec![heading(context, spec, area.width)];
    lines.extend(chart(context, spec, state, area.width, tallest));
    if below > 0 {
        lines.push(Line::default());
        lines.extend(comparison);
    }
    put(buffer, area, &lines, context.theme);
}

/// The title, the limits, and what a bar is; the last gives way first, then the title. The
/// limits are never cut.
fn heading(context: &Context<'_>, spec: &LatencySpec, width: u16) -> Line<'static> {
    let theme = context.theme;
    let limits: Vec<Span<'static>> = [
        ("target", spec.target_ms, theme.ok()),
        ("warning", spec.warning_ms, theme.warning()),
        ("critical", spec.critical_ms, theme.critical()),
    ]
    .into_iter()
    .filter_map(|(name, limit, style)| {
        Some(Span::styled(format!("  {name} {}", tidy(limit?)), style))
    })
    .collect();
    let taken: usize = limits.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(taken);
    let title = format::fit(&text::clip(&spec.title, 40), room, theme.glyphs().ellipsis);
    let left = room.saturating_sub(usize::from(paint::width(&title)));
    let bar = ["  slowest of each 15 s", "  slowest in 15 s"]
        .into_iter()
        .find(|text| text.len() <= left)
        .unwrap_or("");
    let mut spans = vec![Span::styled(title, theme.strong()), Span::styled(bar, theme.quiet())];
    spans.extend(limits);
    Line::from(spans)
}

fn chart(
    context: &Context<'_>,
    spec: &LatencySpec,
    state: &LatencyState,
    width: u16,
    height: u16,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let room = chart::room(width);
    let now = context.world.now;
    let columns = latency::chart(state, now, room);
    // The newest step is still going on and not drawn; what lies between it and the first
    // measurement without a sample is a gap.
    let end = now.mono.as_secs() / CHART_STEP.as_secs();
    let first = columns.first().map_or(end, |column| column.step);
    let mut bars = vec![Bar::default(); (end - first) as usize];
    for column in &columns {
        if let Some(bar) = bars.get_mut((column.step - first) as usize) {
            let style =
                theme.verdict(verdict(spec, column.max_ms, column.timed_out), Quality::Fresh);
            *bar = Bar { value: Some(column.max_ms), style, flagged: column.timed_out };
        }
    }
    let limits: Vec<f64> =
        [spec.target_ms, spec.warning_ms, spec.critical_ms].into_iter().flatten().collect();
    let top = chart::round_top(columns.iter().map(|column| column.max_ms), &limits);
    let rules: Vec<Rule> = [
        (spec.critical_ms, theme.critical()),
        (spec.warning_ms, theme.warning()),
        (spec.target_ms, theme.ok()),
    ]
    .into_iter()
    .filter_map(|(limit, style)| Some((limit.filter(|limit| *limit <= top)?, style)))
    .map(|(value, style)| Rule { value, label: tidy(value), style })
    .collect();
    let chart = Chart {
        bars: &bars,
        rules: &rules,
        markers: &context.deploys(first, CHART_STEP),
        top,
        top_label: format!("{} ms", tidy(top)),
        span: (context.span(room, CHART_STEP), "now".to_owned()),
        theme,
    };
    chart.lines(width, height)
}

fn verdict(spec: &LatencySpec, ms: f64, timed_out: bool) -> Verdict {
    let over = |limit: Option<f64>| limit.is_some_and(|limit| ms > limit);
    if timed_out || over(spec.critical_ms) {
        Verdict::Critical
    } else if over(spec.warning_ms) {
        Verdict::Warning
    } else {
        Verdict::Ok
    }
}

/// The percentiles before and after the newest deploy marker.
fn comparison(context: &Context<'_>, state: &LatencyState, width: u16) -> Vec<Line<'static>> {
    let theme = context.theme;
    let Some(mark) = context.world.last_deploy() else {
        let text = "no deploy marker in this session: :deploy sets one, and the figures before and after it stand here";
        return vec![Line::styled(text, theme.quiet())];
    };
    let (before, after) = latency::around(state, context.world.now, mark.at);
    let label = text::clip(&mark.label, 30);
    let rows = vec![
        cells(context, format!("before {label}"), &before),
        cells(context, format!("since {label}"), &after),
    ];
    let table = Table::new(&COLUMNS, rows, width, theme);
    let heading = Line::from(vec![
        Span::styled("Deploy", theme.strong()),
        Span::styled(
            format!("  {label}, {} ({})", context.time_of_day(mark.at), context.ago(mark.at)),
            theme.quiet(),
        ),
    ]);
    vec![heading, table.header(), table.line(0, false), table.line(1, false)]
}

fn cells(context: &Context<'_>, name: String, summary: &Summary) -> Vec<Cell> {
    let theme = context.theme;
    let shown = |percentile: Option<_>| {
        let text = percentile.map(figure::percentile);
        Cell::new(text.unwrap_or_else(|| dash(theme).to_owned()), theme.text())
    };
    vec![
        Cell::new(name, theme.text()),
        shown(summary.p50),
        shown(summary.p95),
        shown(summary.p99),
        shown(summary.max),
        Cell::new(summary.n.to_string(), theme.quiet()),
        Cell::new(summary.timeouts.to_string(), theme.quiet()),
    ]
}
