//! The lists of the rate-limit pane: who, what, which tier, and who is near a limit.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{context::Context, figure, limits};
use crate::{
    app::{cache::source_trouble, limits::LimitsView, rows},
    domain::{text, verdict::Quality, violations::Pressure},
    ui::{
        format,
        widgets::{
            bar::bar,
            table::{Cell, Column, Table},
            window,
        },
    },
};

const COUNTED: [Column; 4] = [
    Column::words("who", 8, 40),
    Column::numbers("refused", 7),
    Column::numbers("share", 5).drop(2),
    Column::words("", 5, 60).drop(1),
];

const ENDPOINTS: [Column; 4] =
    [Column::words("endpoint", 8, 60), COUNTED[1], COUNTED[2], COUNTED[3]];

const TIERS: [Column; 4] = [Column::words("tier", 8, 40), COUNTED[1], COUNTED[2], COUNTED[3]];

const NEAR: [Column; 6] = [
    Column::words("who", 8, 40),
    Column::words("tier", 4, 20).drop(2),
    Column::numbers("used", 5),
    Column::numbers("of", 5).drop(4),
    Column::numbers("share", 5).drop(3),
    Column::words("", 5, 60).drop(1),
];

/// Draws the chosen list.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    view: &LimitsView,
) -> Option<String> {
    match context.view.tab {
        1 => counted(buffer, area, context, view, &view.tally.by_endpoint, &ENDPOINTS),
        2 => counted(buffer, area, context, view, &view.tally.by_tier, &TIERS),
        3 => near(buffer, area, context, view),
        _ => counted(buffer, area, context, view, &view.tally.by_identifier, &COUNTED),
    }
}

/// An identifier as it may be shown.
fn shown(context: &Context<'_>, identifier: &str) -> String {
    if context.unmasked { text::safe(identifier).into_owned() } else { text::masked(identifier) }
}

fn bar_width(area: Rect) -> usize {
    usize::from(area.width / 3).clamp(5, 50)
}

fn counted(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    view: &LimitsView,
    ranked: &[(String, u64)],
    columns: &[Column],
) -> Option<String> {
    let theme = context.theme;
    let kept = context.keep(ranked.iter().collect(), |(name, _)| name.clone());
    if kept.is_empty() {
        context.empty(buffer, area, &nothing(context, view));
        return None;
    }
    let masks = context.view.tab == 0;
    let most = ranked.first().map_or(1, |(_, count)| *count).max(1) as f64;
    let style = if view.quality.usable() { theme.text() } else { figure::faded(theme) };
    // There may be thousands of them: only those that can be seen are laid out.
    let range = window::around(context.position, kept.len(), usize::from(area.height));
    let cells = kept[range.clone()].iter().map(|(name, count)| {
        let share = *count as f64 / view.tally.total.max(1) as f64;
        let name = if masks { shown(context, name) } else { name.clone() };
        vec![
            Cell::new(name, style),
            Cell::new(format::count(*count as f64), style),
            Cell::new(format::percent(share), theme.quiet()),
            Cell::picture(bar(*count as f64 / most, bar_width(area), style, theme)),
        ]
    });
    let table = Table::new(columns, cells.collect(), area.width, theme);
    context.list_part(buffer, area, &table, range.start, kept.len())
}

/// What is said where a list has no rows.
fn nothing(context: &Context<'_>, view: &LimitsView) -> String {
    match (view.seen, view.quality.usable()) {
        (None, _) => {
            let why = view.quality.word();
            format!("nothing is known yet ({why})")
        }
        (Some(at), false) => format!("none were known {}", context.ago(at)),
        (Some(_), true) if view.tally.total > 0 => "the violations do not tell".to_owned(),
        (Some(_), true) => "none in the window".to_owned(),
    }
}

fn near(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    view: &LimitsView,
) -> Option<String> {
    let theme = context.theme;
    let Some(all) = &view.pressure else {
        context.empty(buffer, area, &why_no_pressure(context));
        return None;
    };
    let kept = context.keep(all.iter().collect(), |entry| rows::pressure_id(entry));
    if kept.is_empty() {
        context.empty(buffer, area, "nobody has used any of a limit");
        return None;
    }
    let range = window::around(context.position, kept.len(), usize::from(area.height));
    let cells = kept[range.clone()].iter().map(|entry| near_cells(context, entry, bar_width(area)));
    let table = Table::new(&NEAR, cells.collect(), area.width, theme);
    let note = context.list_part(buffer, area, &table, range.start, kept.len());
    let partial = (!view.pressure_complete).then(|| "not every key was looked at".to_owned());
    match (note, partial) {
        (Some(note), Some(partial)) => Some(format!("{partial}, {note}")),
        (note, partial) => partial.or(note),
    }
}

fn near_cells(context: &Context<'_>, entry: &Pressure, width: usize) -> Vec<Cell> {
    let theme = context.theme;
    let share = entry.share();
    let style = limits::pressure_style(theme, share);
    let percent = if share.is_finite() { format::percent(share) } else { "over".to_owned() };
    vec![
        Cell::new(shown(context, &entry.identifier), theme.text()),
        Cell::new(entry.tier.clone(), theme.quiet()),
        Cell::new(format::count(entry.used as f64), style),
        Cell::new(format::count(entry.limit as f64), theme.quiet()),
        Cell::new(percent, style),
        Cell::picture(bar(share, width, style, theme)),
    ]
}

fn why_no_pressure(context: &Context<'_>) -> String {
    let sources = context.world.catalog.limits.as_ref().map(|spec| spec.pressure.as_slice());
    let Some([first, ..]) = sources else {
        return "no source is configured that tells who is near a limit".to_owned();
    };
    match context.world.sources.quality(first, context.world.now) {
        quality if quality.usable() => Quality::NotOffered.word().to_owned(),
        quality => source_trouble(context.world, first, quality),
    }
}
