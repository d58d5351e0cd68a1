//! What a cache tells besides its hit rate: memory, keys, operations, evictions.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::{cache, context::Context, figure};
use crate::{
    app::cache::CacheRow,
    domain::time::short_duration,
    ui::{
        format, paint,
        widgets::{badge::Badge, bar::bar, dash, pairs::Pairs},
    },
};

/// Memory, keys, operations, evictions. What is not configured is left out
/// here; the zoomed pane says so.
pub(super) fn facts(context: &Context<'_>, row: &CacheRow, width: u16) -> Vec<Line<'static>> {
    let Some(spec) = cache::spec(context, row) else { return Vec::new() };
    let theme = context.theme;
    let quality = context.world.sources.quality(&row.source, context.world.now);
    let style = figure::look(theme, quality);
    let dash = || dash(theme).to_owned();
    let mut parts: Vec<Vec<Span<'static>>> = Vec::new();
    if spec.used_memory.is_some() {
        parts.push(memory(context, row, 8, style));
    }
    for (configured, value, unit) in [
        (spec.keys.is_some(), row.keys, " keys"),
        (spec.ops.is_some(), row.ops, " ops/s"),
        (spec.evictions.is_some(), row.evicted, " evicted"),
    ] {
        if configured {
            let shown = value.map_or_else(dash, format::count);
            parts.push(vec![
                Span::styled(shown, style),
                Span::styled(unit.to_owned(), theme.quiet()),
            ]);
        }
    }
    packed(context, parts, usize::from(width))
}

/// Parts side by side, in as many lines as they need.
fn packed(
    context: &Context<'_>,
    parts: Vec<Vec<Span<'static>>>,
    width: usize,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let dot = Span::styled(format!(" {} ", theme.glyphs().dot), theme.quiet());
    let mut lines: Vec<Line<'static>> = Vec::new();
    for part in parts {
        let part = Line::from(part);
        match lines.last_mut() {
            Some(last) if last.width() + dot.width() + part.width() <= width => {
                last.spans.push(dot.clone());
                last.spans.extend(part.spans);
            }
            _ => lines.push(part),
        }
    }
    lines
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
        (None, _) => vec![used, Span::styled(" memory", theme.quiet())],
        (_, Some(_)) => vec![used, Span::styled(", no limit", theme.quiet())],
        (_, None) => vec![used, Span::styled(", limit not known", theme.quiet())],
    }
}

/// Every figure with a line of its own, and why it is missing where it is.
pub(super) fn figures(context: &Context<'_>, row: &CacheRow, width: u16) -> Vec<Line<'static>> {
    let Some(spec) = cache::spec(context, row) else { return Vec::new() };
    let theme = context.theme;
    let mut lines = cache::headline(context, row, width, false);
    lines.push(cache::rate_line(context, row));
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
    for (text, style) in cache::asides(context, row) {
        lines.extend(paint::wrapped("", &text, usize::from(width), style, style));
    }
    lines
}
