//! The tabs of a zoomed cache: its chart, its keys by prefix, its slow log.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    cache, cache_chart,
    context::{Context, split_top},
};
use crate::{
    app::cache::{CacheRow, slow_log, source_trouble},
    domain::{
        observation::{KeyGroup, SlowCommand},
        text,
        time::Moment,
    },
    ui::{
        format, paint,
        theme::Theme,
        widgets::{
            dash, put,
            table::{Cell, Column, Table},
        },
    },
};

const KEYS: [Column; 6] = [
    Column::words("group", 6, 24),
    Column::numbers("keys", 8),
    Column::numbers("memory", 8).drop(2),
    Column::words("guard", 9, 9),
    Column::words("pattern", 8, 32).drop(1),
    Column::words("holds", 8, usize::MAX).drop(3),
];

const SLOW: [Column; 3] = [
    Column::words("when, by its clock", 9, 18),
    Column::numbers("took", 9),
    Column::words("command", 10, usize::MAX),
];

/// Draws the chosen tab.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    row: &CacheRow,
) -> Option<String> {
    match context.view.tab {
        1 => keys(buffer, area, context, row),
        2 => slow(buffer, area, context, row),
        _ => {
            let (head, rest) = split_top(area, 2);
            let gap = context.theme.glyphs().gap.trim();
            let gap = if gap.is_empty() { "blank" } else { gap };
            let text = format!("one bar for 15 s, {gap} where it was not known");
            heading(buffer, head, context, "Hit rate", &text);
            cache_chart::draw(buffer, rest, context, row);
            None
        }
    }
}

fn heading(buffer: &mut Buffer, area: Rect, context: &Context<'_>, title: &str, beside: &str) {
    let theme = context.theme;
    let line = Line::from(vec![
        Span::styled(title.to_owned(), theme.strong()),
        Span::styled(format!("  {beside}"), theme.quiet()),
    ]);
    put(buffer, area, &[line], theme);
}

fn say(buffer: &mut Buffer, area: Rect, text: &str, style: Style, theme: Theme) {
    let lines = paint::wrapped("", text, usize::from(area.width), style, style);
    put(buffer, area, &lines, theme);
}

/// Keys by prefix, as counted when the operator asked for it.
fn keys(buffer: &mut Buffer, area: Rect, context: &Context<'_>, row: &CacheRow) -> Option<String> {
    let theme = context.theme;
    let state = context.world.caches.get(&row.id)?;
    let (head, rest) = split_top(area, 2);
    let has_prefixes = cache::spec(context, row).is_some_and(|spec| !spec.prefixes.is_empty());
    let beside = match (&state.scanning, &state.scan) {
        (Some(since), _) => format!("counting, begun {}", context.ago(*since)),
        (None, Some(scan)) => format!(
            "counted {} in {} ms; K counts again",
            context.ago(scan.at),
            crate::app::health::whole_ms(scan.took)
        ),
        (None, None) if has_prefixes => "not counted yet: K counts them".to_owned(),
        (None, None) => "no prefixes are configured".to_owned(),
    };
    heading(buffer, head, context, "Keys by prefix", &beside);
    match state.scan.as_ref().map(|scan| &scan.outcome) {
        None => None,
        Some(Err(why)) => {
            say(buffer, rest, &format!("could not be counted: {why}"), theme.critical(), theme);
            None
        }
        Some(Ok(groups)) => groups_table(buffer, rest, context, row, groups),
    }
}

fn groups_table(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    row: &CacheRow,
    groups: &[KeyGroup],
) -> Option<String> {
    let theme = context.theme;
    let spec = cache::spec(context, row)?;
    let note = |group: &KeyGroup| {
        let prefix = spec.prefixes.iter().find(|prefix| prefix.name == group.name);
        prefix.and_then(|prefix| prefix.note.clone()).unwrap_or_default()
    };
    let cells = groups.iter().map(|group| {
        let mark = if group.exact { "" } else { "~" };
        let memory = group.bytes.map(|bytes| format!("~{}", format::bytes(bytes as f64)));
        let guard = if group.protected { "protected" } else { "" };
        vec![
            Cell::new(group.name.clone(), theme.text()),
            Cell::new(format!("{mark}{}", format::count(group.keys as f64)), theme.strong()),
            Cell::new(memory.unwrap_or_else(|| dash(theme).to_owned()), theme.text()),
            Cell::new(guard, theme.ok()),
            Cell::new(group.pattern.clone(), theme.quiet()),
            Cell::new(note(group), theme.quiet()),
        ]
    });
    let table = Table::new(&KEYS, cells.collect(), area.width, theme);
    put(buffer, area, &table.lines(usize::from(area.height)), theme);
    let estimated = groups.iter().any(|group| !group.exact || group.bytes.is_some());
    estimated.then(|| "~ estimated from a part of the keys".to_owned())
}

fn slow(buffer: &mut Buffer, area: Rect, context: &Context<'_>, row: &CacheRow) -> Option<String> {
    let theme = context.theme;
    let (head, rest) = split_top(area, 2);
    let source = context.world.sources.get(&row.source);
    let quality = context.world.sources.quality(&row.source, context.world.now);
    let beside = source
        .and_then(|source| source.last_good_at())
        .map_or_else(String::new, |at| format!("read {}", context.ago(at)));
    heading(buffer, head, context, "Slow log", &beside);
    match slow_log(context.world, &row.source) {
        Some([]) => say(buffer, rest, "the server's slow log is empty", theme.text(), theme),
        Some(entries) => entries_table(buffer, rest, context, entries),
        None => {
            let facts = source.and_then(|source| source.facts.last_known());
            let refused = facts.and_then(|(facts, _)| {
                facts.not_offered.iter().find(|name| name.to_lowercase().contains("slowlog"))
            });
            let why = match refused {
                Some(name) => format!("not offered by this server: {}", text::clip(name, 200)),
                None if quality.usable() => "not offered, or not asked for".to_owned(),
                None => source_trouble(context.world, &row.source, quality),
            };
            say(buffer, rest, &why, theme.unknown(), theme);
        }
    }
    None
}

fn entries_table(buffer: &mut Buffer, area: Rect, context: &Context<'_>, entries: &[SlowCommand]) {
    let theme = context.theme;
    let cells = entries.iter().map(|entry| {
        let at = jiff::Timestamp::from_second(entry.unix_seconds).ok();
        let when = at.map(|wall| Moment { wall, ..context.world.now });
        let when = when.map_or_else(|| dash(theme).to_owned(), |at| context.time_of_day(at));
        let took = crate::app::health::whole_ms(entry.took);
        vec![
            Cell::new(when, theme.quiet()),
            Cell::new(format!("{took} ms"), theme.strong()),
            Cell::new(entry.command.clone(), theme.text()),
        ]
    });
    let table = Table::new(&SLOW, cells.collect(), area.width, theme);
    put(buffer, area, &table.lines(usize::from(area.height)), theme);
}
