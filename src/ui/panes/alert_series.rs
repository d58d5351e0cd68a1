//! What a rule looks at: the values behind an alert, over time and one by one, and where
//! they come from.

use std::time::Duration;

use ratatui::{style::Style, text::Line};

use super::{alert_notes as notes, context::Context, figure};
use crate::{
    app::alerts::{self, AlertRow},
    domain::{
        condition::Op,
        ids::SourceId,
        rule::{Clause, Function, Look, Point, Rule, Series, SeriesName, Subject, Test, Unit},
        time::{Moment, coarse_age, short_duration},
        value::Value,
        verdict::Quality,
    },
    ui::widgets::{
        badge::Badge,
        chart::{self, Bar, Chart},
        dash,
        pairs::Pairs,
        sections::Section,
    },
};

/// The rows of a chart.
const HEIGHT: u16 = 7;

/// The most bars of a chart.
const BARS: usize = 120;

/// Values that are listed one by one.
const LISTED: usize = 24;

/// A limit on single values.
#[derive(Clone, Copy)]
struct Limit {
    op: Op,
    value: f64,
}

/// One section for each series of the rule.
pub(super) fn sections(
    context: &Context<'_>,
    row: &AlertRow,
    rule: &Rule,
    width: u16,
) -> Vec<Section> {
    let mut seen: Vec<&SeriesName> = Vec::new();
    let mut all = Vec::new();
    for clause in &rule.when.clauses {
        for name in clause.subject.series() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            all.push(section(context, row, clause, name, width));
        }
    }
    all
}

fn section(
    context: &Context<'_>,
    row: &AlertRow,
    clause: &Clause,
    name: &SeriesName,
    width: u16,
) -> Section {
    let theme = context.theme;
    let window = match clause.subject.reach() {
        reach if reach.is_zero() => "the newest value decides".to_owned(),
        reach => format!("the last {} decide", short_duration(reach)),
    };
    let Some(series) = context.world.alerts.series.get(name) else {
        let why = vec![Line::styled("nothing serves it", theme.unknown())];
        return Section::new(theme, &name.to_string(), &window, why);
    };
    let unit = crate::domain::rule::unit_of(&Subject::Latest(name.clone()));
    let looks: Vec<&Look> = series.looks().collect();
    let mut lines = Vec::new();
    if looks.iter().any(|look| number(look).is_some()) {
        lines.extend(chart(context, row, series, &looks, limit(clause, name), unit, width));
    }
    lines.extend(listed(context, &looks, unit, width));
    lines.extend(origin(context, name, series, width));
    Section::new(theme, &name.to_string(), &window, lines)
}

/// The limit on single values of a series, where there is one. A ratio of two counters has
/// none: its limit cannot be drawn among the counts.
fn limit(clause: &Clause, name: &SeriesName) -> Option<Limit> {
    let (op, constant) = match (&clause.subject, &clause.test) {
        (Subject::CountOf(passing, _) | Subject::ShareOf(passing, _), _) => {
            (passing.series == *name).then_some((passing.op, &passing.constant))?
        }
        (
            Subject::Latest(_)
            | Subject::Window(
                Function::Percentile(_) | Function::Avg | Function::Min | Function::Max,
                ..,
            ),
            Test::Against(op, constant),
        ) => (*op, constant),
        _ => return None,
    };
    Some(Limit { op, value: constant.as_number()? })
}

impl Limit {
    fn is_passed(self, number: f64) -> bool {
        match self.op {
            Op::Greater => number > self.value,
            Op::GreaterOrEqual => number >= self.value,
            Op::Less => number < self.value,
            Op::LessOrEqual => number <= self.value,
            Op::Equal | Op::In => number == self.value,
            Op::NotEqual | Op::NotIn => number != self.value,
        }
    }
}

fn number(look: &Look) -> Option<f64> {
    match &look.point {
        Point::Value(value) => value.as_number().filter(|number| number.is_finite()),
        _ => None,
    }
}

/// The values as bars, oldest first; where looks are missing, so are bars.
fn bars(
    looks: &[&Look],
    interval: Duration,
    room: usize,
    look_of: impl Fn(f64) -> Style,
) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    let mut newer: Option<&Look> = None;
    let interval = interval.max(Duration::from_secs(1));
    for look in looks.iter().rev() {
        let apart = newer.map_or(Duration::ZERO, |newer| newer.at.since(look.at));
        let missed = (apart.as_secs_f64() / interval.as_secs_f64()).round() as usize;
        bars.extend(std::iter::repeat_n(Bar::default(), missed.saturating_sub(1).min(room)));
        let value = number(look);
        let style = value.map(&look_of).unwrap_or_default();
        bars.push(Bar { value, style, flagged: false });
        newer = Some(look);
        if bars.len() >= room {
            break;
        }
    }
    bars.truncate(room);
    bars.reverse();
    bars
}

fn chart(
    context: &Context<'_>,
    row: &AlertRow,
    series: &Series,
    looks: &[&Look],
    limit: Option<Limit>,
    unit: Unit,
    width: u16,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let room = chart::room(width).min(BARS);
    let bad = theme.verdict(row.severity.verdict(), Quality::Fresh);
    let style = |number: f64| match limit {
        Some(limit) if limit.is_passed(number) => bad,
        Some(_) => theme.ok(),
        None => theme.text(),
    };
    let mut bars = bars(looks, series.interval, room, style);
    // Since the newest look nothing was seen: that is a gap as well.
    if let Some(newest) = looks.last() {
        let silent = context.world.now.since(newest.at).as_secs_f64();
        let missed = (silent / series.interval.as_secs_f64().max(1.0)) as usize;
        bars.extend(std::iter::repeat_n(Bar::default(), missed.saturating_sub(1).min(room)));
        bars.drain(..bars.len().saturating_sub(room));
    }
    let limits: Vec<f64> = limit.map(|limit| limit.value).into_iter().collect();
    let top = chart::round_top(bars.iter().filter_map(|bar| bar.value), &limits);
    let rules: Vec<chart::Rule> = limits
        .into_iter()
        .filter(|limit| *limit <= top)
        .map(|value| chart::Rule { value, label: short(value, unit), style: bad })
        .collect();
    let span = series.interval * u32::try_from(bars.len()).unwrap_or(u32::MAX);
    let chart = Chart {
        bars: &bars,
        rules: &rules,
        markers: &[],
        top,
        top_label: short(top, unit),
        span: (format!("-{}", coarse_age(span)), "now".to_owned()),
        theme,
    };
    chart.lines(chart::width(bars.len().max(12)).min(width), HEIGHT)
}

/// A figure as the margin of a chart has room for.
fn short(number: f64, unit: Unit) -> String {
    alerts::in_unit(&Value::Number(number), unit)
}

/// The newest values with their ages, the newest first.
fn listed(context: &Context<'_>, looks: &[&Look], unit: Unit, width: u16) -> Vec<Line<'static>> {
    let theme = context.theme;
    let shown = |point: &Point| match point {
        Point::Value(value) => alerts::in_unit(value, unit),
        Point::NotANumber => "no number".to_owned(),
        Point::Infinite(_) => "without bounds".to_owned(),
        Point::Gone => "gone".to_owned(),
    };
    // Values that repeat are told once, with how often.
    let mut told: Vec<(String, Moment, usize)> = Vec::new();
    for look in looks.iter().rev().take(LISTED) {
        let value = shown(&look.point);
        match told.last_mut() {
            Some((same, _, times)) if *same == value => *times += 1,
            _ => told.push((value, look.at, 1)),
        }
    }
    let parts: Vec<(String, Style)> = told
        .into_iter()
        .map(|(value, at, times)| {
            let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
            (format!("{value} at {}{times}", context.seconds_of_day(at)), theme.text())
        })
        .collect();
    if parts.is_empty() {
        return vec![Line::styled(
            format!("{} no value was seen yet", dash(theme)),
            theme.unknown(),
        )];
    }
    notes::flowed(&parts, usize::from(width), 4, theme).into_iter().map(Line::from).collect()
}

/// Which source it comes from, and how old it is.
fn origin(
    context: &Context<'_>,
    name: &SeriesName,
    series: &Series,
    width: u16,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let now = context.world.now;
    let seen = series.newest(now).map(|look| look.at);
    let source = SourceId::from(name.source.as_ref());
    let info = context.world.catalog.sources.get(&source);
    let from = info.map(|info| format!("{} ({}), {}", info.title, info.kind, info.target));
    let quality = context.world.sources.quality(&source, now);
    let badge = Badge::new(quality, now, seen);
    let trouble = series.trouble.as_ref().map(|trouble| trouble.why.clone());
    let rhythm = format!("every {}", short_duration(series.interval));
    Pairs::new(theme)
        .text("from", from.unwrap_or_default(), theme.quiet())
        .text("looked at", format!("{rhythm}, {}", badge.long()), badge.style(theme))
        .text("trouble", trouble.unwrap_or_default(), figure::faded(theme).patch(theme.unknown()))
        .lines(width)
}
