//! Rate limits: how many were refused, who, and whether the limiter works at all.
//!
//! ```text
//!  142 violations by 12 identifiers in 60m, at least (kept per instance)
//!  limiter: enforcing (redis.up == true)
//!  ▁▂▃▅▇█▂▁  per minute, at most 14
//!  one client, many refusals: abuse or a broken client
//!  seen for 12m of 60m
//!    who          refused  share
//!  ▸ 203.0.x.x         87   61 %  ██████────
//! ```

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    context::{Context, split_top},
    offenders,
};
use crate::{
    app::limits::{self, Limiter, LimitsView},
    domain::{
        text,
        time::{coarse_age, short_duration},
        verdict::Verdict,
        violations::Shape,
    },
    ui::{
        format, paint,
        theme::Theme,
        widgets::{
            badge::Badge,
            chart::{self, Bar, Chart},
            dash, put,
        },
    },
};

/// Rows from which a zoomed summary has a chart of the violations per minute.
const CHART_FROM: usize = 20;

pub(super) const NOTHING: &str = "rate limits are not configured";

/// Draws the summary, and the chosen list below or beside it.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let Some(view) = limits::view(context.world) else {
        context.empty(buffer, area, NOTHING);
        return None;
    };
    if context.zoomed && area.width >= 120 {
        let left = Rect { width: area.width * 2 / 5, ..area };
        let right = Rect { x: left.right() + 3, width: area.width - left.width - 3, ..area };
        summary(buffer, left, context, &view, left.height);
        return offenders::draw(buffer, right, context, &view);
    }
    let list_rows = (context.ids.len() as u16).clamp(1, 6) + 1;
    let room = area.height.saturating_sub(list_rows).max(area.height.min(2));
    let used = summary(buffer, area, context, &view, room);
    let (_, rest) = split_top(area, used + u16::from(area.height >= used + list_rows + 2));
    if rest.is_empty() { None } else { offenders::draw(buffer, rest, context, &view) }
}

/// Draws what fits of the summary into at most `room` rows. Returns how many it took.
fn summary(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    view: &LimitsView,
    room: u16,
) -> u16 {
    let theme = context.theme;
    let mut place = Rect { height: room.min(area.height), ..area };
    if view.limiter == Limiter::FailingOpen {
        let height = if place.height >= 9 { 3 } else { 1 };
        place = failing_open(buffer, place, context, view, height);
    }
    let lines = lines(context, view, area.width, usize::from(place.height));
    put(buffer, place, &lines, theme);
    let (_, mut place) = split_top(place, lines.len() as u16);
    if context.zoomed && usize::from(room) >= CHART_FROM && view.seen.is_some() {
        let (_, below) = split_top(place, 1);
        let (head, plot) = split_top(below, 1);
        let title = Line::styled("Refused per minute", theme.strong());
        put(buffer, head, &[title], theme);
        let (plot, rest) = split_top(plot, plot.height.min(12));
        trend_chart(buffer, plot, context, view);
        place = rest;
    }
    place.y - area.y
}

/// The limiter lets everything through: nothing on this pane matters more.
fn failing_open(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    view: &LimitsView,
    height: u16,
) -> Rect {
    let theme = context.theme;
    let (band, rest) = split_top(area, height);
    let style = theme.band(Verdict::Critical);
    if band.is_empty() {
        return rest;
    }
    paint::fill(buffer, band, style);
    let glyph = theme.verdict_glyph(Verdict::Critical);
    let text = match band.width {
        0..36 => format!("{glyph} FAILING OPEN"),
        36..56 => format!("{glyph} LIMITER FAILING OPEN"),
        _ => format!("{glyph} LIMITER FAILING OPEN: everything is let through"),
    };
    let middle = Rect { y: band.y + (band.height - 1) / 2, height: 1, ..band };
    paint::band(buffer, middle, &text, style, theme);
    let style = theme.critical();
    let (width, most) = (usize::from(area.width), usize::from(height / 2 + 1));
    let why = paint::wrapped_to(&view.limiter_reason, width, most, theme);
    let why: Vec<Line<'static>> = why.into_iter().map(|text| Line::styled(text, style)).collect();
    let (reason, rest) = split_top(rest, why.len() as u16);
    put(buffer, reason, &why, theme);
    rest
}

/// The lines of the summary that fit into `room`, in order; the least important give way.
fn lines(context: &Context<'_>, view: &LimitsView, width: u16, room: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    let mut ranked: Vec<(u8, Line<'static>)> = vec![(0, total(context, view))];
    if view.verdict == Verdict::Unknown && view.reason != view.quality.word() {
        let text = format::fit(&view.reason, usize::from(width), theme.glyphs().ellipsis);
        ranked.push((1, Line::styled(text, theme.unknown())));
    }
    if view.limiter != Limiter::FailingOpen {
        let order = if view.limiter == Limiter::Enforcing { 5 } else { 2 };
        ranked.push((order, limiter(context, view)));
    }
    if view.seen.is_some() {
        // A zoomed pane has a chart of it.
        if !context.zoomed || room < CHART_FROM {
            ranked.push((3, trend(context, view, width)));
        }
        if view.tally.shape != Shape::Mixed || view.tally.total >= 10 {
            ranked.push((6, Line::styled(view.tally.shape.words(), theme.text())));
        }
    }
    for (order, text) in doubts(context, view) {
        let text = format::fit(&text, usize::from(width), theme.glyphs().ellipsis);
        ranked.push((order, Line::styled(text, theme.quiet())));
    }
    let mut orders: Vec<u8> = ranked.iter().map(|(order, _)| *order).collect();
    orders.sort_unstable();
    let last = orders.get(room.saturating_sub(1)).copied().unwrap_or(u8::MAX);
    ranked
        .into_iter()
        .filter(|(order, _)| *order <= last)
        .map(|(_, line)| line)
        .take(room)
        .collect()
}

fn trend(context: &Context<'_>, view: &LimitsView, width: u16) -> Line<'static> {
    let theme = context.theme;
    let most = view.tally.trend.iter().max().copied().unwrap_or(0);
    let words = format!("  per minute, at most {}", format::count(most as f64));
    let room = usize::from(width.saturating_sub(paint::width(&words)));
    let mut line = chart::trend(&squeezed(&minutes(context, view), room), theme.warning(), theme);
    line.spans.push(Span::styled(words, theme.quiet()));
    line
}

/// The minutes in at most `room` columns: where there are more, the worst of several stands
/// for all of them, so that none of the window is lost.
fn squeezed(minutes: &[Option<u64>], room: usize) -> Vec<Option<u64>> {
    let each = minutes.len().div_ceil(room.max(1)).max(1);
    let mut columns: Vec<Option<u64>> =
        minutes.rchunks(each).map(|some| some.iter().copied().flatten().max()).collect();
    columns.reverse();
    columns
}

fn total(context: &Context<'_>, view: &LimitsView) -> Line<'static> {
    let theme = context.theme;
    let over = short_duration(view.window);
    let badge = Badge::new(view.quality, context.world.now, view.seen);
    if view.seen.is_none() || !view.counts {
        return Line::from(vec![
            Span::styled(dash(theme), theme.unknown()),
            Span::styled(format!(" violations in {over}  "), theme.text()),
            Span::styled(badge.short(), badge.style(theme)),
        ]);
    }
    let known = view.quality.usable();
    let figure = if known { theme.strong() } else { super::figure::faded(theme) };
    let count = match (view.tally.total, &view.lower_bound) {
        (0, Some(_)) => "no violation".to_owned(),
        (total, Some(_)) => format!(">= {}", format::count(total as f64)),
        (total, None) => format::count(total as f64),
    };
    let violations = match (view.tally.total, &view.lower_bound) {
        (0, Some(_)) => "known",
        (1, _) => "violation",
        _ => "violations",
    };
    let who = match view.tally.identifiers {
        0 => String::new(),
        1 => " by 1 identifier".to_owned(),
        n => format!(" by {} identifiers", format::count(n as f64)),
    };
    let text = if known { theme.text() } else { figure };
    let data = match badge.short().as_str() {
        "" => String::new(),
        data => format!("  {data} "),
    };
    Line::from(vec![
        Span::styled(count, figure),
        Span::styled(format!(" {violations} in {over}"), text),
        Span::styled(data, badge.style(theme)),
        Span::styled(who, text),
    ])
}

fn limiter(context: &Context<'_>, view: &LimitsView) -> Line<'static> {
    let theme = context.theme;
    let style = match view.limiter {
        Limiter::Enforcing => theme.ok(),
        Limiter::FailingOpen => theme.critical(),
        Limiter::Unknown => theme.unknown(),
    };
    Line::from(vec![
        Span::styled("limiter ", theme.quiet()),
        Span::styled(view.limiter.words(), style),
        Span::styled(format!("  {}", text::clip(&view.limiter_reason, 300)), theme.quiet()),
    ])
}

/// Why the numbers may be too low.
fn doubts(context: &Context<'_>, view: &LimitsView) -> Vec<(u8, String)> {
    let world = context.world;
    let mut doubts = Vec::new();
    if let Some(why) = &view.lower_bound {
        doubts.push((4, format!("at least: {}", text::clip(why, 300))));
    }
    if let Some(first) = world.limits.first_page {
        let seen = world.now.since(first);
        if seen < view.window {
            let window = short_duration(view.window);
            doubts.push((5, format!("seen for {} of {window}", covered(seen))));
        }
    }
    let log = &world.limits.log;
    if log.dropped > 0 {
        let dropped = format::count(log.dropped as f64);
        doubts.push((4, format!("at least: {dropped} more had no room")));
    }
    if log.from_the_future > 0 {
        let count = format::count(log.from_the_future as f64);
        doubts.push((7, format!("{count} left out: stamped in the future, check its clock")));
    }
    doubts
}

fn covered(seen: std::time::Duration) -> String {
    match coarse_age(seen).as_str() {
        "now" => "a few seconds".to_owned(),
        age => age.to_owned(),
    }
}

/// The counts per minute, oldest first. A minute without a violation in which nobody was
/// looking is not a quiet minute: nothing is known of it.
fn minutes(context: &Context<'_>, view: &LimitsView) -> Vec<Option<u64>> {
    let now = context.world.now;
    let oldest = context.world.limits.first_page.map_or(0, |at| now.since(at).as_secs() / 60);
    let newest = view.seen.map_or(u64::MAX, |at| now.since(at).as_secs() / 60);
    let count = view.tally.trend.len();
    view.tally
        .trend
        .iter()
        .enumerate()
        .map(|(at, refused)| {
            let age = (count - 1 - at) as u64;
            let looked = age <= oldest && age >= newest;
            (*refused > 0 || looked).then_some(*refused)
        })
        .collect()
}

fn trend_chart(buffer: &mut Buffer, area: Rect, context: &Context<'_>, view: &LimitsView) {
    let theme = context.theme;
    let known = minutes(context, view);
    // Each minute is as wide as there is room for, and the window fills the chart.
    let length = known.len();
    let known = squeezed(&known, chart::room(area.width));
    let wide = (chart::room(area.width) / known.len().max(1)).clamp(1, 4);
    let room = chart::room(area.width).min(known.len() * wide);
    let area = Rect { width: chart::width(room).min(area.width), ..area };
    let bars: Vec<Bar> = known
        .iter()
        .flat_map(|refused| {
            let style = match refused {
                Some(0) | None => theme.quiet(),
                Some(_) => theme.warning(),
            };
            let bar = Bar { value: refused.map(|count| count as f64), style, flagged: false };
            std::iter::repeat_n(bar, wide)
        })
        .collect();
    let top = chart::round_top(bars.iter().filter_map(|bar| bar.value), &[]);
    let chart = Chart {
        bars: &bars,
        rules: &[],
        markers: &[],
        top,
        top_label: format::count(top),
        span: (format!("-{length}m"), "now".to_owned()),
        theme,
    };
    put(buffer, area, &chart.lines(area.width, area.height.min(18)), context.theme);
}

/// The look of a share of a limit.
pub(super) fn pressure_style(theme: Theme, share: f64) -> ratatui::style::Style {
    if share >= 1.0 {
        theme.critical()
    } else if share >= 0.8 {
        theme.warning()
    } else {
        theme.text()
    }
}
