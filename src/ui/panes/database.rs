//! Postgres: connections, what waits for what, how far the replica is behind.
//!
//! ```text
//!  ▲ WARN  Main database
//!  2 blocked, 38 % of connections used
//!  connections  ███──────  38 of 100      longest statement  3m
//!  blocked      2                         idle in transaction  1
//!  …
//!  sessions worth looking at
//! ```

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    context::{Context, blocks, list_and_detail, split_top},
    figure, sessions,
};
use crate::{
    app::database::{self, DatabaseRow},
    domain::{
        catalog::DatabaseSpec,
        text,
        time::coarse_age,
        value::tidy,
        verdict::{Quality, Verdict},
    },
    ui::{
        format, paint,
        widgets::{
            bar::bar,
            pairs::Pairs,
            put,
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no database is configured";

const COLUMNS: [Column; 5] = [
    Column::words("state", 6, 9),
    Column::words("database", 6, 24),
    Column::numbers("used", 5),
    Column::words("why", 10, usize::MAX).drop(2),
    Column::words("data", 4, 14).drop(1),
];

/// Width from which the figures stand in two columns.
const TWO_COLUMNS: u16 = 64;

/// Draws the databases as blocks, or as a table where there is no room for blocks.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(database::rows(context.world), |row| row.id.to_string());
    let Some(row) = rows.get(context.position) else {
        context.empty(buffer, area, NOTHING);
        return None;
    };
    if context.zoomed && area.height >= 10 {
        return zoomed(buffer, area, context, &rows, row);
    }
    let Some(places) = blocks(area, rows.len(), 56, 5) else {
        return table(buffer, area, context, &rows);
    };
    for ((at, row), place) in rows.iter().enumerate().zip(places) {
        let selected = context.focused && rows.len() > 1 && at == context.position;
        block(buffer, place, context, row, selected);
    }
    None
}

fn table(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[DatabaseRow],
) -> Option<String> {
    let theme = context.theme;
    let cells = rows.iter().map(|row| {
        let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
        let (used, style) = figure::value(
            context,
            &row.source,
            Some("connections"),
            row.connections_share().map(format::percent),
        );
        vec![
            figure::verdict(theme, row.verdict, row.quality, area.width),
            Cell::new(row.title.clone(), figure::title_style(theme, row.verdict)),
            Cell::new(used, style),
            Cell::new(row.reason.clone(), figure::reason_style(theme, row.verdict)),
            Cell::new(badge.short(), badge.style(theme)),
        ]
    });
    let table = Table::new(&COLUMNS, cells.collect(), area.width, theme);
    context.list(buffer, area, &table, &[])
}

/// The selected database over the whole screen: its figures, and its sessions.
fn zoomed(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[DatabaseRow],
    row: &DatabaseRow,
) -> Option<String> {
    let list_rows = if rows.len() > 1 { rows.len() as u16 + 2 } else { 0 };
    let (left, right) = list_and_detail(area, usize::from(list_rows) + 16);
    let (list, about) = split_top(left, list_rows.min(left.height / 2));
    let note = if list_rows > 0 { table(buffer, list, context, rows) } else { None };
    block_of(buffer, about, context, row, false, false);
    sessions::draw(buffer, right, context, row, true);
    note
}

fn block(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    row: &DatabaseRow,
    selected: bool,
) {
    block_of(buffer, area, context, row, selected, true);
}

/// One database in a place of its own: state, reason, figures, and its sessions where there
/// is room left.
fn block_of(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    row: &DatabaseRow,
    selected: bool,
    with_sessions: bool,
) {
    let theme = context.theme;
    let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
    let verdict = (row.verdict, row.quality);
    let mut lines = vec![figure::headline(theme, verdict, &row.title, badge, area.width, selected)];
    if row.verdict != Verdict::Ok && row.reason != row.quality.word() {
        let (columns, plain) = (usize::from(area.width), theme.text());
        lines.extend(paint::wrapped("", &row.reason, columns, plain, plain));
    }
    if row.quality == Quality::Unconfigured {
        // A list of dashes would say nothing more.
        put(buffer, area, &lines, theme);
        return;
    }
    lines.extend(figures(context, row, area.width));
    for remark in &row.remarks {
        let remark = format!("note: {}", text::clip(remark, 300));
        let quiet = theme.quiet();
        lines.extend(paint::wrapped("", &remark, usize::from(area.width), quiet, quiet));
    }
    let shown = (lines.len() as u16).min(area.height);
    put(buffer, area, &lines, context.theme);
    let (_, rest) = split_top(area, shown);
    if with_sessions && rest.height >= 2 && !row.sessions.is_empty() {
        let (_, rest) = split_top(rest, u16::from(rest.height >= 5));
        sessions::draw(buffer, rest, context, row, false);
    }
}

/// The figures, in one or two columns.
fn figures(context: &Context<'_>, row: &DatabaseRow, width: u16) -> Vec<Line<'static>> {
    let spec = context.world.catalog.databases.iter().find(|spec| spec.id == row.id);
    let Some(spec) = spec else { return Vec::new() };
    if width < TWO_COLUMNS {
        let mut lines = load(context, row, spec, width).lines(width);
        lines.extend(health(context, row).lines(width));
        return lines;
    }
    let half = width / 2 - 1;
    let left = load(context, row, spec, half).lines(half);
    let right = health(context, row).lines(half);
    let count = left.len().max(right.len());
    let line = |lines: &[Line<'static>], at: usize| lines.get(at).cloned().unwrap_or_default();
    (0..count)
        .map(|at| {
            let mut joined = line(&left, at);
            let missing = usize::from(half + 2).saturating_sub(joined.width());
            joined.spans.push(Span::raw(" ".repeat(missing)));
            joined.spans.extend(line(&right, at).spans);
            joined
        })
        .collect()
}

/// What is going on now.
fn load(context: &Context<'_>, row: &DatabaseRow, spec: &DatabaseSpec, width: u16) -> Pairs {
    let theme = context.theme;
    let long = |seconds: f64| Duration::from_secs_f64(seconds.clamp(0.0, 1e9));
    let known = row.quality.usable();
    let mut pairs = Pairs::new(theme).spans("connections", connections(context, row, spec, width));
    for (name, reading, shown, alarming) in [
        ("blocked", "blocked", row.blocked.map(tidy), row.blocked.is_some_and(|n| n > 0.0)),
        (
            "longest",
            "longest_query_seconds",
            row.longest_query_seconds.map(|seconds| match coarse_age(long(seconds)).as_str() {
                "now" => "under 10s".to_owned(),
                age => age.to_owned(),
            }),
            row.longest_query_seconds.is_some_and(|seconds| long(seconds) > spec.long_query),
        ),
        ("idle in tx", "idle_in_transaction", row.idle_in_transaction.map(tidy), false),
        (
            "deadlocks",
            "deadlocks",
            row.deadlocks.map(|n| format!("{} since the last look", tidy(n))),
            false,
        ),
    ] {
        let (text, style) = figure::value(context, &row.source, Some(reading), shown);
        let style = if alarming && known { theme.warning() } else { style };
        pairs = pairs.text(name, text, style);
    }
    pairs
}

fn connections(
    context: &Context<'_>,
    row: &DatabaseRow,
    spec: &DatabaseSpec,
    width: u16,
) -> Vec<Span<'static>> {
    let theme = context.theme;
    let (Some(used), Some(max), Some(share)) =
        (row.connections, row.max_connections, row.connections_share())
    else {
        let shown = row.connections.map(|used| format!("{}, limit not known", tidy(used)));
        let (text, style) = figure::value(context, &row.source, Some("connections"), shown);
        return vec![Span::styled(text, style)];
    };
    let known = row.quality.usable();
    let style = match known {
        true if share > spec.connections_critical_above => theme.critical(),
        true if share > spec.connections_warning_above => theme.warning(),
        true => theme.text(),
        false => figure::faded(theme),
    };
    let cells = usize::from(width.saturating_sub(26)).min(20);
    let mut spans = bar(share, cells, style, theme);
    spans.push(Span::styled(format!(" {} of {}", tidy(used), tidy(max)), style));
    spans
}

/// How it is in the long run.
fn health(context: &Context<'_>, row: &DatabaseRow) -> Pairs {
    let behind = match (row.replication_lag_bytes, row.replication_lag_seconds) {
        (Some(bytes), Some(seconds)) => {
            Some(format!("{}, {} s", format::bytes(bytes), tidy(seconds)))
        }
        (Some(bytes), None) => Some(format::bytes(bytes)),
        (None, Some(seconds)) => Some(format!("{} s", tidy(seconds))),
        (None, None) => None,
    };
    let rate = row.tps.map(|tps| format!("{} transactions/s", format::count(tps)));
    let mut pairs = Pairs::new(context.theme);
    for (name, reading, shown) in [
        ("cache hit", "cache_hit_ratio", row.cache_hit_ratio.map(format::percent)),
        ("rate", "tps", rate),
        ("replica lag", "replication_lag_bytes", behind),
        ("size", "size_bytes", row.size_bytes.map(format::bytes)),
    ] {
        let (text, style) = figure::value(context, &row.source, Some(reading), shown);
        pairs = pairs.text(name, text, style);
    }
    pairs
}
