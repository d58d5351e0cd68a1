//! Everything about one check: why, since when, where from, what decides.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::{context::Context, figure};
use crate::{
    app::{
        health::{self, CheckRow, CheckState, Decision},
        sources::SourceState,
    },
    domain::{
        catalog::CheckSpec,
        condition::Condition,
        failure::Failure,
        observation::{Facts, Phases},
        text,
        time::{Moment, coarse_age, short_duration},
        verdict::Verdict,
    },
    ui::{
        paint,
        widgets::{badge::Badge, bar::bar, dash, pairs::Pairs, sections::Section},
    },
};

/// Changes of verdict that are listed.
const CHANGES: usize = 12;

/// The longest value that is shown whole.
const LONGEST: usize = 400;

/// All sections, the most important first.
pub(super) fn sections(context: &Context<'_>, row: &CheckRow, width: u16) -> Vec<Section> {
    let world = context.world;
    let spec = world.catalog.checks.iter().find(|spec| spec.id == row.id);
    let (Some(spec), Some(state)) = (spec, world.checks.get(&row.id)) else { return Vec::new() };
    let source = world.sources.get(&row.source);
    let failing = source.is_some_and(|source| source.failing().is_some());
    let last_error = state
        .last_error
        .as_ref()
        .map(|(failure, at)| error(context, failure, *at, !failing, width));
    let mut all = vec![summary(context, row, width)];
    let (now, later) = if failing { (last_error, None) } else { (None, last_error) };
    all.extend(now);
    all.push(conditions(context, spec, width));
    all.push(origin(context, row, source, width));
    if let Some(phases) = source.and_then(|source| source.last.as_ref()?.phases) {
        all.push(phases_section(context, phases, width));
    }
    if let Some((facts, _)) = source.and_then(|source| source.facts.last_known()) {
        all.push(readings(context, row, facts, width));
        all.extend(lists(context, facts, width));
    }
    all.extend(later);
    all.push(changes(context, state));
    all
}

fn summary(context: &Context<'_>, row: &CheckRow, width: u16) -> Section {
    let theme = context.theme;
    let style = theme.verdict(row.verdict, row.quality);
    let glyph = theme.verdict_glyph(row.verdict);
    let heading = Line::from(vec![
        Span::styled(format!("{glyph} {}  ", row.verdict.word_for(row.quality)), style),
        Span::styled(text::clip(&row.title, 120), theme.strong()),
    ]);
    let mut lines = vec![heading];
    let plain = theme.text();
    lines.extend(paint::wrapped("", &row.reason, usize::from(width), plain, plain));
    if let Some(disagreement) = &row.disagreement {
        let warning = theme.warning();
        lines.extend(paint::wrapped("", disagreement, usize::from(width), warning, warning));
    }
    let lasting = match coarse_age(context.world.now.since(row.since)).as_str() {
        "now" => "just now".to_owned(),
        age => format!("for {age}"),
    };
    let since = format!("{}, {lasting}", context.time_of_day(row.since));
    let badge = Badge::new(row.quality, context.world.now, row.seen);
    lines.extend(
        Pairs::new(theme)
            .text("since", since, theme.text())
            .text("data", badge.long(), badge.style(theme))
            .lines(width),
    );
    Section::bare(lines)
}

/// Where the knowledge comes from.
fn origin(
    context: &Context<'_>,
    row: &CheckRow,
    source: Option<&SourceState>,
    width: u16,
) -> Section {
    let theme = context.theme;
    let plain = theme.text();
    let mut pairs = Pairs::new(theme);
    if let Some(info) = context.world.catalog.sources.get(&row.source) {
        pairs = pairs
            .text("source", format!("{} ({}, {})", info.id, info.kind, info.title), plain)
            .text("target", info.target.clone(), plain);
    }
    if let Some(last) = source.and_then(|source| source.last.as_ref()) {
        let took = health::whole_ms(last.took);
        pairs = pairs.text("request", last.request.to_string(), plain).text(
            "asked",
            format!("{}, took {took} ms", context.ago(last.at)),
            plain,
        );
    }
    if let Some(source) = source {
        let timeout = context.world.catalog.sources.get(&row.source).map(|info| info.timeout);
        let given_up = timeout.map_or_else(String::new, |after| {
            format!(", given up after {}", short_duration(after))
        });
        let rhythm = format!("every {}{given_up}", short_duration(source.interval));
        pairs = pairs.text("rhythm", rhythm, plain);
        if source.failures > 0 {
            let failures = format!("{} in a row", source.failures);
            pairs = pairs.text("failures", failures, theme.critical());
        }
    }
    Section::new(theme, "Where from", "", pairs.lines(width))
}

fn error(
    context: &Context<'_>,
    failure: &Failure,
    at: Moment,
    recovered: bool,
    width: u16,
) -> Section {
    let theme = context.theme;
    let style = if recovered { theme.quiet() } else { theme.critical() };
    let pairs = Pairs::new(theme)
        .text("what", format!("{}: {}", failure.kind.word(), failure.message), style)
        .text("when", format!("{}, {}", context.time_of_day(at), context.ago(at)), theme.text())
        .text("cure", failure.hint.clone().unwrap_or_default(), theme.strong())
        .text(
            "asked to wait",
            failure.retry_after.map(short_duration).unwrap_or_default(),
            theme.text(),
        );
    let beside = if recovered { "answered again since" } else { "" };
    Section::new(theme, "Last error", beside, pairs.lines(width))
}

/// Each condition and whether it holds now.
fn conditions(context: &Context<'_>, spec: &CheckSpec, width: u16) -> Section {
    let theme = context.theme;
    let mut pairs = Pairs::new(theme);
    for (conditions, verdict) in
        [(&spec.critical, Verdict::Critical), (&spec.warning, Verdict::Warning)]
    {
        for condition in conditions {
            pairs = pairs.spans(verdict.word(), decided(context, spec, condition, verdict));
        }
    }
    for name in &spec.shows {
        pairs = pairs.text("must have", name.to_string(), theme.text());
    }
    let patience = match (spec.down_after, spec.up_after) {
        (0 | 1, 0 | 1) => String::new(),
        (down, up) => format!("{down} bad looks in a row for CRIT, {up} good ones for OK"),
    };
    if pairs.is_empty() {
        pairs = pairs.text("only", "whether the source answers", theme.text());
    }
    Section::new(theme, "Decides", &patience, pairs.lines(width))
}

fn decided(
    context: &Context<'_>,
    spec: &CheckSpec,
    condition: &Condition,
    verdict: Verdict,
) -> Vec<Span<'static>> {
    let theme = context.theme;
    let decision = health::decide(context.world, &spec.source, condition, None);
    let (text, style) = match decision {
        Decision::Holds(shown) => (
            format!("  holds: {shown}"),
            theme.verdict(verdict, crate::domain::verdict::Quality::Fresh),
        ),
        Decision::DoesNot(shown) => (format!("  does not hold: {shown}"), theme.quiet()),
        Decision::Open(why) => (format!("  open: {why}"), theme.unknown()),
    };
    vec![Span::styled(condition.to_string(), theme.text()), Span::styled(text, style)]
}

/// The parts of an exchange, the longest filling its bar.
fn phases_section(context: &Context<'_>, phases: Phases, width: u16) -> Section {
    let theme = context.theme;
    let named = [
        ("DNS", phases.dns),
        ("connect", phases.connect),
        ("TLS", phases.tls),
        ("first byte", phases.first_byte),
        ("body", phases.body),
    ];
    let total: Duration = named.iter().filter_map(|(_, took)| *took).sum();
    let cells = usize::from(width).saturating_sub(24).min(30);
    let mut pairs = Pairs::new(theme);
    for (name, took) in named {
        let spans = match took {
            Some(took) => {
                let share = took.as_secs_f64() / total.as_secs_f64().max(1e-9);
                let mut spans = bar(share, cells, theme.text(), theme);
                spans.push(Span::raw(format!("{:>8} ms", health::whole_ms(took))));
                spans
            }
            None => {
                vec![Span::styled(format!("{} none, or not reached", dash(theme)), theme.quiet())]
            }
        };
        pairs = pairs.spans(name, spans);
    }
    Section::new(theme, "Phases", "of the last exchange", pairs.lines(width))
}

fn readings(context: &Context<'_>, row: &CheckRow, facts: &Facts, width: u16) -> Section {
    let theme = context.theme;
    let quality = context.world.sources.quality(&row.source, context.world.now);
    let style = figure::look(theme, quality);
    let mut pairs = Pairs::new(theme);
    for (name, value) in &facts.readings {
        let shown = health::shown_value(name, value);
        let whole = text::clip(&value.to_string(), LONGEST);
        let shown = if whole.chars().count() > 60 { whole } else { shown };
        pairs = pairs.text(text::clip(name, 40), shown, style);
    }
    for (name, why) in &facts.missing {
        let text = format!("{} {}", dash(theme), text::clip(why, LONGEST));
        pairs = pairs.text(text::clip(name, 40), text, theme.unknown());
    }
    let beside = match (quality.usable(), row.seen) {
        (false, Some(at)) => {
            format!("last known, {} ({})", context.time_of_day(at), context.ago(at))
        }
        _ => String::new(),
    };
    Section::new(theme, "Readings", &beside, pairs.lines(width))
}

/// What the server does not have, and what the source remarks.
fn lists(context: &Context<'_>, facts: &Facts, width: u16) -> Vec<Section> {
    let theme = context.theme;
    let list = |heading: &str, entries: &[String]| {
        let lines = entries
            .iter()
            .flat_map(|entry| {
                let entry = text::clip(entry, LONGEST);
                paint::wrapped("", &entry, usize::from(width), theme.text(), theme.text())
            })
            .collect();
        (!entries.is_empty()).then(|| Section::new(theme, heading, "", lines))
    };
    [list("Remarks", &facts.remarks), list("Not offered", &facts.not_offered)]
        .into_iter()
        .flatten()
        .collect()
}

fn changes(context: &Context<'_>, state: &CheckState) -> Section {
    let theme = context.theme;
    let lines: Vec<Line<'static>> = state
        .changes
        .iter()
        .rev()
        .take(CHANGES)
        .map(|(at, verdict)| {
            let style = theme.verdict(*verdict, crate::domain::verdict::Quality::Fresh);
            let glyph = theme.verdict_glyph(*verdict);
            Line::from(vec![
                Span::raw(format!("{}  ", context.time_of_day(*at))),
                Span::styled(paint::column(&context.ago(*at), 10, theme), theme.quiet()),
                Span::styled(format!("{glyph} {}", verdict.word()), style),
            ])
        })
        .collect();
    let beside = if lines.is_empty() { "none since the console started" } else { "" };
    Section::new(theme, "Changes", beside, lines)
}
