//! Caches: the hit rate over a window, and what else they tell.
//!
//! ```text
//!  ● OK  Redis
//!  95 %  hit rate over 5m, n = 3 000
//!  since server start 95 %, hides incidents
//!   100 % │▆▆▆▆▆▆▆·▆▆▆▆      · nothing is known
//!    90 % │────────────      target
//!  memory 41.0 MB of 100 MB ███────── · 18 204 keys · 131 ops/s · 0 evicted in 5m
//! ```

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    PaneLine, RowLine, cache_tabs,
    context::{Context, blocks, list_and_detail, split_top},
    figure, line_of_rows,
};
use crate::{
    app::cache::{self, CHART_STEP, CacheRow, HitRate},
    domain::{
        catalog::CacheSpec,
        time::{coarse_age, short_duration},
        verdict::{Quality, Verdict},
    },
    ui::{
        format, paint,
        scene::Scene,
        widgets::{
            badge::Badge,
            bar::bar,
            chart::{self, Bar, Chart, Rule},
            dash,
            pairs::Pairs,
            table::{Cell, Column, Table},
        },
    },
};

const NOTHING: &str = "no caches are configured";

const COLUMNS: [Column; 6] = [
    Column::words("state", 6, 9),
    Column::words("cache", 6, 24),
    Column::numbers("hit rate", 5),
    Column::numbers("n", 5).drop(2),
    Column::words("why", 10, usize::MAX).drop(3),
    Column::words("data", 4, 14).drop(1),
];

/// The pane in one line.
pub(super) fn line(scene: &Scene<'_>) -> PaneLine {
    let rows = cache::rows(scene.world);
    let lines: Vec<RowLine<'_>> = rows
        .iter()
        .map(|row| RowLine {
            verdict: row.verdict,
            judged: row.judged(),
            quality: row.quality,
            title: &row.title,
            reason: &row.reason,
        })
        .collect();
    line_of_rows(&lines, NOTHING)
}

/// Draws the caches as blocks, or as a table where there is no room for blocks.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(cache::rows(context.world), |row| row.id.to_string());
    if rows.is_empty() {
        context.empty(buffer, area, NOTHING);
        return None;
    }
    if context.zoomed && area.height >= 6 {
        return zoomed(buffer, area, context, &rows);
    }
    match blocks(area, rows.len(), 44, 5) {
        Some(places) => {
            for ((at, row), place) in rows.iter().enumerate().zip(places) {
                let selected = context.focused && rows.len() > 1 && at == context.position;
                block(buffer, place, context, row, selected);
            }
            None
        }
        None => table(buffer, area, context, &rows),
    }
}

fn table(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[CacheRow],
) -> Option<String> {
    let theme = context.theme;
    let narrow = area.width < 50;
    let cells = rows.iter().map(|row| {
        let badge = Badge::new(row.quality, context.world.now, row.seen);
        let (rate, style) = rate(context, row);
        vec![
            figure::verdict(theme, row.verdict, row.quality, narrow),
            Cell::new(row.title.clone(), figure::title_style(theme, row.verdict)),
            Cell::new(rate, style),
            Cell::new(lookups(context, row), theme.text()),
            Cell::new(row.reason.clone(), figure::reason_style(theme, row.verdict)),
            Cell::new(badge.short(), badge.style(theme)),
        ]
    });
    let table = Table::new(&COLUMNS, cells.collect(), area.width, theme);
    context.list(buffer, area, &table, &[])
}

/// The selected cache over the whole screen: its figures at the left, a tab at the right.
fn zoomed(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[CacheRow],
) -> Option<String> {
    let row = rows.get(context.position)?;
    let list_rows = if rows.len() > 1 { rows.len() as u16 + 2 } else { 0 };
    let (left, right) = list_and_detail(area, figures_wanted(list_rows));
    let (list, about) = split_top(left, list_rows.min(left.height / 2));
    let note = if list_rows > 0 { table(buffer, list, context, rows) } else { None };
    let lines = figures(context, row, about.width);
    for (place, line) in (0..about.height).zip(&lines) {
        paint::line(buffer, about, place, line);
    }
    cache_tabs::draw(buffer, right, context, row).or(note)
}

fn figures_wanted(list_rows: u16) -> usize {
    usize::from(list_rows) + 9
}

/// The spec behind a row.
pub(super) fn spec<'a>(context: &Context<'a>, row: &CacheRow) -> Option<&'a CacheSpec> {
    context.world.catalog.caches.iter().find(|spec| spec.id == row.id)
}

/// One cache in a place of its own. What matters most stands first; the chart takes what
/// is left.
fn block(buffer: &mut Buffer, area: Rect, context: &Context<'_>, row: &CacheRow, selected: bool) {
    let lines = if area.height >= 9 && area.width >= 36 {
        let mut lines = headline(context, row, area.width, selected);
        lines.push(rate_line(context, row));
        lines.extend(asides(context, row));
        lines.push(facts(context, row));
        lines
    } else {
        compact(context, row, area.width, selected)
    };
    let shown = (lines.len() as u16).min(area.height);
    for (at, line) in (0..shown).zip(&lines) {
        paint::line(buffer, area, at, line);
    }
    let (_, rest) = split_top(area, shown);
    if rest.height >= 3 {
        draw_chart(buffer, rest, context, row);
    }
}

/// Few rows: the rate beside the name, the reason where something is wrong, the facts.
fn compact(
    context: &Context<'_>,
    row: &CacheRow,
    width: u16,
    selected: bool,
) -> Vec<Line<'static>> {
    let mut lines = headline(context, row, width, selected);
    lines.insert(1, rate_line(context, row));
    lines.push(facts(context, row));
    lines.extend(asides(context, row));
    lines
}

/// Glyph, word, title and the worth of the data; the reason below where it is not good.
fn headline(
    context: &Context<'_>,
    row: &CacheRow,
    width: u16,
    selected: bool,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let badge = Badge::new(row.quality, context.world.now, row.seen);
    let pointer = if selected { format!("{} ", theme.glyphs().pointer) } else { String::new() };
    let mark = if selected { theme.selected() } else { Style::new() };
    let glyph = theme.verdict_glyph(row.verdict);
    let word = if width < 30 { paint::short_word(row.verdict) } else { row.verdict.word() };
    let state = format!("{glyph} {word} ");
    let room = usize::from(width.saturating_sub(paint::width(&state) + paint::width(&pointer)));
    let title = format::fit(&row.title, room, theme.glyphs().ellipsis);
    let mut lines = vec![Line::from(vec![
        Span::styled(pointer, mark),
        Span::styled(state, theme.verdict(row.verdict, row.quality).patch(mark)),
        Span::styled(title, theme.strong().patch(mark)),
        Span::styled(format!("  {}", badge.short()), badge.style(theme)),
    ])];
    if row.verdict != Verdict::Ok {
        let text = format::fit(&row.reason, usize::from(width), theme.glyphs().ellipsis);
        lines.push(Line::styled(text, theme.text()));
    }
    lines
}

/// The hit rate in words, and how much it is worth.
pub(super) fn rate(context: &Context<'_>, row: &CacheRow) -> (String, Style) {
    let theme = context.theme;
    match row.rate {
        HitRate::Known(rate) if row.quality.usable() => {
            (format::percent(rate), theme.verdict(row.verdict, row.quality).patch(theme.strong()))
        }
        HitRate::Known(rate) => (format::percent(rate), figure::faded(theme)),
        HitRate::TooFew | HitRate::Unknown => (dash(theme).to_owned(), theme.unknown()),
    }
}

fn lookups(context: &Context<'_>, row: &CacheRow) -> String {
    row.lookups.map_or_else(|| dash(context.theme).to_owned(), |n| format::count(n as f64))
}

fn rate_line(context: &Context<'_>, row: &CacheRow) -> Line<'static> {
    let theme = context.theme;
    let (rate, style) = rate(context, row);
    let over = short_duration(row.window);
    let seen = match row.covered {
        covered if covered >= row.window || covered.is_zero() => String::new(),
        covered => format!(" ({} seen)", coarse_age(covered)),
    };
    let n = lookups(context, row);
    let words = match row.rate {
        HitRate::Known(_) if row.quality.usable() => format!("hit rate over {over}, n = {n}{seen}"),
        HitRate::Known(_) => format!("last known hit rate over {over}, n = {n}"),
        HitRate::TooFew => format!("hit rate over {over}: n = {n}, too few"),
        HitRate::Unknown => format!("hit rate over {over}: not known"),
    };
    Line::from(vec![Span::styled(rate, style), Span::styled(format!("  {words}"), theme.text())])
}

/// What must be said beside the rate: the restart of the counters, the ratio since the
/// server's start, what the figure really counts.
fn asides(context: &Context<'_>, row: &CacheRow) -> Vec<Line<'static>> {
    let theme = context.theme;
    let mut lines = Vec::new();
    let recent = |at| context.world.now.since(at) < row.window.max(Duration::from_secs(3_600));
    if let Some(at) = row.restarted.filter(|at| recent(*at)) {
        let text = format!("counters restarted {}", context.ago(at));
        lines.push(Line::styled(text, theme.warning()));
    }
    if let Some(ratio) = row.lifetime {
        let text = format!("since server start {}, hides incidents", format::percent(ratio));
        lines.push(Line::styled(text, theme.quiet()));
    }
    if let Some(note) = spec(context, row).and_then(|spec| spec.note.as_deref()) {
        let text = crate::domain::text::clip(note, 300);
        lines.push(Line::styled(format!("note: {text}"), theme.quiet()));
    }
    lines
}

/// Memory, keys, operations, evictions in one line. What is not configured is left out
/// here; the zoomed pane says so.
fn facts(context: &Context<'_>, row: &CacheRow) -> Line<'static> {
    let Some(spec) = spec(context, row) else { return Line::default() };
    let theme = context.theme;
    let quality = context.world.sources.quality(&row.source, context.world.now);
    let style = figure::look(theme, quality);
    let evicted = format!(" evicted in {}", short_duration(row.window));
    let dash = || dash(theme).to_owned();
    let mut parts: Vec<Vec<Span<'static>>> = Vec::new();
    if spec.used_memory.is_some() {
        parts.push(memory(context, row, 8, style));
    }
    for (configured, value, unit) in [
        (spec.keys.is_some(), row.keys, " keys"),
        (spec.ops.is_some(), row.ops, " ops/s"),
        (spec.evictions.is_some(), row.evicted, evicted.as_str()),
    ] {
        if configured {
            let shown = value.map_or_else(dash, format::count);
            parts.push(vec![
                Span::styled(shown, style),
                Span::styled(unit.to_owned(), theme.quiet()),
            ]);
        }
    }
    let dot = Span::styled(format!(" {} ", theme.glyphs().dot), theme.quiet());
    Line::from(parts.join(&dot))
}

/// Used and allowed memory, with a bar where there is a limit.
fn memory(context: &Context<'_>, row: &CacheRow, cells: usize, style: Style) -> Vec<Span<'static>> {
    let theme = context.theme;
    let used = row.used_memory.map_or_else(|| dash(theme).to_owned(), format::bytes);
    let used = Span::styled(used, style);
    match (row.used_memory, row.max_memory) {
        (Some(bytes), Some(max)) if max > 0.0 => {
            let mut spans =
                vec![used, Span::styled(format!(" of {} ", format::bytes(max)), theme.quiet())];
            spans.extend(bar(bytes / max, cells, style, theme));
            spans.push(Span::styled(format!(" {}", format::percent(bytes / max)), theme.quiet()));
            spans
        }
        (_, Some(_)) => vec![used, Span::styled(", no limit", theme.quiet())],
        (_, None) => vec![used, Span::styled(", limit not known", theme.quiet())],
    }
}

/// Every figure with a line of its own, and why it is missing where it is.
fn figures(context: &Context<'_>, row: &CacheRow, width: u16) -> Vec<Line<'static>> {
    let Some(spec) = spec(context, row) else { return Vec::new() };
    let theme = context.theme;
    let mut lines = headline(context, row, width, false);
    lines.push(rate_line(context, row));
    lines.push(Line::default());
    let badge = Badge::new(row.quality, context.world.now, row.seen);
    let quality = context.world.sources.quality(&row.source, context.world.now);
    let style = figure::look(theme, quality);
    let value = |reading: &Option<_>, shown: Option<String>| {
        let reading: Option<&std::sync::Arc<str>> = reading.as_ref();
        figure::value(context, &row.source, reading.map(AsRef::as_ref), shown)
    };
    let mut pairs = Pairs::new(theme);
    pairs = if row.used_memory.is_some() {
        pairs.spans("memory", memory(context, row, 12, style))
    } else {
        let (text, style) = value(&spec.used_memory, None);
        pairs.text("memory", text, style)
    };
    for (name, reading, shown) in [
        ("keys", &spec.keys, row.keys.map(format::count)),
        ("operations", &spec.ops, row.ops.map(|ops| format!("{} per second", format::count(ops)))),
        (
            "evictions",
            &spec.evictions,
            row.evicted.map(|n| format!("{} in {}", format::count(n), short_duration(row.window))),
        ),
    ] {
        let (text, style) = value(reading, shown);
        pairs = pairs.text(name, text, style);
    }
    pairs = pairs.text("data", badge.long(), badge.style(theme));
    if let Some(info) = context.world.catalog.sources.get(&row.source) {
        pairs = pairs.text("target", info.target.clone(), theme.text());
    }
    lines.extend(pairs.lines(width));
    lines.push(Line::default());
    lines.extend(asides(context, row).iter().flat_map(|line| {
        let style = line.style;
        paint::wrapped("", &line.to_string(), usize::from(width), style, style)
    }));
    lines
}

/// The hit rate over time.
pub(super) fn draw_chart(buffer: &mut Buffer, area: Rect, context: &Context<'_>, row: &CacheRow) {
    let Some((spec, state)) = spec(context, row).zip(context.world.caches.get(&row.id)) else {
        return;
    };
    let theme = context.theme;
    let room = chart::room(area.width);
    let current = context.world.now.mono.as_secs() / CHART_STEP.as_secs();
    let first = current.saturating_sub(room.saturating_sub(1) as u64);
    let mut bars: Vec<Bar> = Vec::new();
    let mut start = current;
    for (step, value) in state.chart.iter().filter(|(step, _)| *step >= first) {
        if bars.is_empty() {
            start = *step;
        }
        // Steps in which the console did not run are gaps like any other.
        bars.resize((step - start) as usize, Bar::default());
        let style = value.map_or(Style::new(), |rate| rate_style(context, spec, rate));
        bars.push(Bar { value: *value, style, flagged: false });
    }
    let rules: Vec<Rule> = [
        (spec.critical_below, theme.critical()),
        (spec.warning_below, theme.warning()),
        (spec.target, theme.ok()),
    ]
    .into_iter()
    .filter_map(|(limit, style)| {
        let limit = limit?;
        Some(Rule { value: limit, label: format::percent(limit), style })
    })
    .collect();
    let chart = Chart {
        markers: &context.deploys(start, CHART_STEP),
        bars: &bars,
        rules: &rules,
        top: 1.0,
        top_label: "100 %".to_owned(),
        span: (context.span(room, CHART_STEP), "now".to_owned()),
        theme,
    };
    for (at, line) in (0..area.height).zip(chart.lines(area.width, area.height)) {
        paint::line(buffer, area, at, &line);
    }
}

fn rate_style(context: &Context<'_>, spec: &CacheSpec, rate: f64) -> Style {
    let below = |limit: Option<f64>| limit.is_some_and(|limit| rate < limit);
    let verdict = if below(spec.critical_below) {
        Verdict::Critical
    } else if below(spec.warning_below) {
        Verdict::Warning
    } else {
        Verdict::Ok
    };
    context.theme.verdict(verdict, Quality::Fresh)
}
