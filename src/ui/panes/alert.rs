//! Everything about one alert: where it stands and why, what may help, what it looks at,
//! what the rule says, what became of it before.

use ratatui::text::{Line, Span};

use super::{alert_notes as notes, alert_series, alerts, context::Context, figure};
use crate::{
    app::alerts::{self as app, AlertRow, Change},
    domain::{
        rule::{OnMissing, Rule, unit_of},
        text,
        time::{clock, short_duration},
    },
    ui::{
        paint,
        widgets::{badge::Badge, dash, pairs::Pairs, sections::Section},
    },
};

/// Changes that are listed.
const CHANGES: usize = 12;

/// All sections, the most important first.
pub(super) fn sections(context: &Context<'_>, row: &AlertRow, width: u16) -> Vec<Section> {
    let Some(rule) = context.world.alerts.rule(&row.rule) else { return Vec::new() };
    let mut all = vec![summary(context, row, width)];
    all.extend(help(context, row, width));
    all.extend(alert_series::sections(context, row, rule, width));
    all.push(written(context, row, rule, width));
    all.push(changes(context, row, rule, width));
    all
}

/// Where it stands, since when, and what the figure is.
fn summary(context: &Context<'_>, row: &AlertRow, width: u16) -> Section {
    let theme = context.theme;
    let glyph = theme.verdict_glyph(row.verdict);
    let style = alerts::look(context, row);
    let heading = Line::from(vec![
        Span::styled(format!("{glyph} {}  ", alerts::word(row, width.max(60))), style),
        Span::styled(text::clip(&row.title, 120), theme.strong()),
    ]);
    let mut lines = vec![heading];
    let mut say = |text: &str, style| {
        lines.extend(paint::wrapped("", text, usize::from(width), style, style));
    };
    if let Some(doubt) = notes::doubt(context, row) {
        say(&doubt, theme.unknown());
    }
    if let Some(reason) = notes::reason(row) {
        say(reason, theme.text());
    }
    let time = |at| context.time_of_day(notes::at_wall(context.world, at));
    for text in notes::handled(row, time) {
        say(&text, theme.strong());
    }
    let moment = |at| format!("{}, {}", context.time_of_day(at), context.ago(at));
    let countdown = match (row.fires_in, row.over_in) {
        (Some(left), _) if left.is_zero() => "at the next look that shows it".to_owned(),
        (Some(left), _) => format!("in {}, where it stays so", clock(left)),
        (None, _) => String::new(),
    };
    let over = row.over_in.map(|left| format!("in {}, where it stays well", clock(left)));
    let mut figure = notes::figure(row).unwrap_or_else(|| format!("{} not known", dash(theme)));
    if let Some(was) = row.was {
        figure.push_str(&format!(", {}", context.ago(was)));
    }
    let figure_style = if row.quality.usable() { theme.strong() } else { figure::faded(theme) };
    let badge = Badge::new(row.quality, context.world.now, row.seen);
    let n = row.n.filter(|n| *n > 1).map(|n| format!("{n} values")).unwrap_or_default();
    lines.extend(
        Pairs::new(theme)
            .text("value", figure, figure_style)
            .text("rests on", n, theme.text())
            .text("worst", row.peak.clone().unwrap_or_default(), theme.text())
            .text("since", row.since.map(moment).unwrap_or_default(), theme.text())
            .text("fired", row.fired.map(moment).unwrap_or_default(), theme.text())
            .text("fires", countdown, theme.strong())
            .text("over", over.unwrap_or_default(), theme.strong())
            .text("data", badge.long(), badge.style(theme))
            .lines(width),
    );
    Section::bare(lines)
}

/// What may help: actions, and where it says what to do.
fn help(context: &Context<'_>, row: &AlertRow, width: u16) -> Option<Section> {
    let theme = context.theme;
    let mut lines = Vec::new();
    for of in &row.suggests {
        let (text, style) = notes::suggestion(context, of);
        lines.extend(paint::wrapped("", &text, usize::from(width), style, style));
    }
    if let Some(runbook) = &row.runbook {
        let style = theme.text();
        lines.extend(paint::wrapped(
            "runbook  ",
            runbook,
            usize::from(width),
            theme.quiet(),
            style,
        ));
    }
    let beside = if row.suggests.is_empty() { "" } else { "nothing starts by itself" };
    (!lines.is_empty()).then(|| Section::new(theme, "What may help", beside, lines))
}

/// The rule as it is written.
fn written(context: &Context<'_>, row: &AlertRow, rule: &Rule, width: u16) -> Section {
    let theme = context.theme;
    let plain = theme.text();
    let timing = context.world.alerts.timing(rule);
    let hold = if timing.hold.is_zero() {
        "at once".to_owned()
    } else {
        format!("after {}", short_duration(timing.hold))
    };
    let keep = if timing.keep.is_zero() {
        "at once".to_owned()
    } else {
        format!("after {} without", short_duration(timing.keep))
    };
    let priority = if row.decided {
        format!(
            "{}, decided by a person; the rule proposes {}",
            row.priority.word(),
            rule.priority.word()
        )
    } else {
        format!("{}, as the rule proposes", row.priority.word())
    };
    let missing = match rule.on_missing {
        OnMissing::Hold => "the alert stays as it is",
        OnMissing::Fire => "is itself bad",
        OnMissing::Ok => "is good",
    };
    let bands: Vec<String> = rule
        .bands
        .iter()
        .map(|band| format!("{band} from {}", short_duration(band.after)))
        .collect();
    let list = |ids: &[std::sync::Arc<str>]| ids.join(", ");
    let pairs = Pairs::new(theme)
        .text("name", rule.id.to_string(), plain)
        .text("bad while", row.when.clone(), theme.strong())
        .text("fires", hold, plain)
        .text("is over", keep, plain)
        .text("severity", rule.severity.word(), plain)
        .text("priority", priority, plain)
        .text("missing data", missing, plain)
        .text("expected", bands.join("; "), plain)
        .text("follows from", list(&rule.inhibited_by), plain)
        .text("means", rule.summary.clone().unwrap_or_default(), plain);
    Section::new(theme, "The rule", "", pairs.lines(width))
}

/// What became of it before, the newest first.
fn changes(context: &Context<'_>, row: &AlertRow, rule: &Rule, width: u16) -> Section {
    let theme = context.theme;
    let all = &context.world.alerts.changes;
    let lines: Vec<Line<'static>> =
        all.iter()
            .rev()
            .filter(|change| change.rule == row.rule)
            .take(CHANGES)
            .map(|change| {
                let text = told(change, rule);
                let style = match change.to.is_active() {
                    true => theme
                        .verdict(rule.severity.verdict(), crate::domain::verdict::Quality::Fresh),
                    false => theme.text(),
                };
                Line::from(vec![
                    Span::raw(format!("{}  ", context.seconds_of_day(change.at))),
                    Span::styled(paint::column(&context.ago(change.at), 9, theme), theme.quiet()),
                    Span::styled(paint::column(change.to.word(), 11, theme), style),
                    Span::styled(
                        paint::wrapped_to(
                            &text,
                            usize::from(width.saturating_sub(30)).max(8),
                            1,
                            theme,
                        )
                        .pop()
                        .unwrap_or_default(),
                        theme.quiet(),
                    ),
                ])
            })
            .collect();
    let beside = if lines.is_empty() { "none that are remembered" } else { "" };
    Section::new(theme, "Changes", beside, lines)
}

/// The figure and the reason of a change.
fn told(change: &Change, rule: &Rule) -> String {
    let unit = rule.when.clauses.first().map(|clause| unit_of(&clause.subject));
    let value = change.finding.value.as_ref().zip(unit);
    let mut parts: Vec<String> =
        value.map(|(value, unit)| app::in_unit(value, unit)).into_iter().collect();
    parts.extend(change.finding.n.filter(|n| *n > 1).map(|n| format!("n {n}")));
    parts.extend(change.finding.why.clone());
    parts.join(", ")
}
