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
    cache_chart, cache_figures, cache_tabs,
    context::{Context, blocks, list_and_detail, split_top},
    figure,
};
use crate::{
    app::cache::{self, CacheRow, HitRate},
    domain::{
        catalog::CacheSpec,
        text,
        time::{coarse_age, short_duration},
        verdict::{Quality, Verdict},
    },
    ui::{
        format,
        widgets::{
            dash, put,
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no caches are configured";

const COLUMNS: [Column; 6] = [
    Column::words("state", 6, 9),
    Column::words("cache", 6, 24),
    Column::numbers("hit rate", 5),
    Column::numbers("n", 5).drop(2),
    Column::words("why", 10, usize::MAX).drop(3),
    Column::words("data", 4, 14).drop(1),
];

/// Draws the caches as blocks, or as a table where there is no room for blocks.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(cache::rows(context.world), |row| row.id.to_string());
    if rows.is_empty() {
        context.empty(buffer, area, NOTHING);
        return None;
    }
    if context.zoomed {
        return match area.height {
            0..SMALL => small(buffer, area, context, &rows),
            _ => zoomed(buffer, area, context, &rows),
        };
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
    let cells = rows.iter().map(|row| {
        let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
        let (rate, style) = rate(context, row);
        vec![
            figure::verdict(theme, row.verdict, row.quality, area.width),
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

/// Below this height, list and figures stand below each other without a tab.
const SMALL: u16 = 10;

/// The selected cache over a small screen: what there is of its figures, below the list.
fn small(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[CacheRow],
) -> Option<String> {
    let row = rows.get(context.position)?;
    let several = rows.len() > 1 && area.height >= 4;
    let (list, rest) = split_top(area, if several { (area.height / 2).min(3) } else { 0 });
    let note = if several { table(buffer, list, context, rows) } else { None };
    block(buffer, rest, context, row, false);
    note
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
    let lines = cache_figures::figures(context, row, about.width);
    put(buffer, about, &lines, context.theme);
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
        lines.extend(fitted_asides(context, row, area.width));
        lines.extend(cache_figures::facts(context, row, area.width));
        lines
    } else {
        compact(context, row, area.width, selected)
    };
    let shown = (lines.len() as u16).min(area.height);
    put(buffer, area, &lines, context.theme);
    let (_, rest) = split_top(area, shown);
    if rest.height >= 3 {
        cache_chart::draw(buffer, rest, context, row);
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
    lines.extend(cache_figures::facts(context, row, width));
    lines.extend(fitted_asides(context, row, width));
    lines
}

fn fitted_asides(context: &Context<'_>, row: &CacheRow, width: u16) -> Vec<Line<'static>> {
    asides(context, row).iter().map(|(text, style)| context.fitted(text, width, *style)).collect()
}

/// Glyph, word, title and the worth of the data; the reason below where it is not good.
pub(super) fn headline(
    context: &Context<'_>,
    row: &CacheRow,
    width: u16,
    selected: bool,
) -> Vec<Line<'static>> {
    let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
    let verdict = (row.verdict, row.quality);
    let mut lines =
        vec![figure::headline(context.theme, verdict, &row.title, badge, width, selected)];
    // The line of the rate says it where there were too few lookups.
    let few = matches!(row.quality, Quality::NoTraffic | Quality::TooFew);
    let said = (row.verdict == Verdict::Unjudged && few) || row.reason == row.quality.word();
    if row.verdict != Verdict::Ok && !said {
        lines.push(context.fitted(&row.reason, width, context.theme.text()));
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

pub(super) fn lookups(context: &Context<'_>, row: &CacheRow) -> String {
    row.lookups.map_or_else(|| dash(context.theme).to_owned(), |n| format::count(n as f64))
}

pub(super) fn rate_line(context: &Context<'_>, row: &CacheRow) -> Line<'static> {
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
pub(super) fn asides(context: &Context<'_>, row: &CacheRow) -> Vec<(String, Style)> {
    let theme = context.theme;
    let usable = context.world.sources.quality(&row.source, context.world.now).usable();
    let mut asides = Vec::new();
    let recent = |at| context.world.now.since(at) < row.window.max(Duration::from_secs(3_600));
    if let Some(at) = row.restarted.filter(|at| recent(*at)) {
        asides.push((format!("counters restarted {}", context.ago(at)), theme.warning()));
    }
    if let Some(ratio) = row.lifetime {
        let ratio = format::percent(ratio);
        let style = if usable { theme.quiet() } else { figure::faded(theme) };
        asides.push((format!("since server start {ratio}, hides incidents"), style));
    }
    if let Some(note) = spec(context, row).and_then(|spec| spec.note.as_deref()) {
        asides.push((format!("note: {}", text::clip(note, 300)), theme.quiet()));
    }
    asides
}
