//! The hit rate over time.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{cache, context::Context};
use crate::{
    app::cache::{CHART_STEP, CacheRow},
    domain::{
        catalog::CacheSpec,
        verdict::{Quality, Verdict},
    },
    ui::{
        format,
        widgets::{
            chart::{self, Bar, Chart, Rule},
            put,
        },
    },
};

/// A taller chart is a wall of cells that shows nothing more.
const TALLEST: u16 = 18;

/// Draws the chart of a cache.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>, row: &CacheRow) {
    let Some((spec, state)) = cache::spec(context, row).zip(context.world.caches.get(&row.id))
    else {
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
    put(buffer, area, &chart.lines(area.width, area.height.min(TALLEST)), context.theme);
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
