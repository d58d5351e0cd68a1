//! The panes: each a function from the scene to cells, and one line that sums it up.
//!
//! ```text
//! ┌ 3 Latency  ▲ WARN late ───────────────────── 1m [5m] 15m ┐
//! │ what the pane tells, worst first                          │
//! └ 3 of 12 match 'pay' ─────────────────────── rows 1-3 of 3 ┘
//! ```

mod context;

mod frame;

mod figure;

mod health;

mod check;

mod cache;

mod cache_figures;

mod cache_chart;

mod cache_tabs;

mod latency;

mod history;

mod limits;

mod offenders;

mod escalation;

mod database;

mod sessions;

mod alerts;

mod alert;

mod alert_notes;

mod alert_series;

mod logs;

mod log_broken;

mod log_entries;

mod log_traffic;

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use self::context::Context;
use super::{format, paint, scene::Scene, theme::Theme};
use crate::{
    app::{findings::Finding, view::Pane},
    domain::{
        log::Severity,
        text,
        verdict::{Quality, Verdict},
    },
};

/// A pane in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneLine {
    /// The worst of its rows.
    pub verdict: Verdict,
    /// What the data behind it is worth.
    pub quality: Quality,
    /// Why, in words.
    pub text: String,
}

/// Draws a pane: border, title, content. Without room for a border it is one line.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    scene: &Scene<'_>,
    pane: Pane,
    focused: bool,
    zoomed: bool,
) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let line = line(scene, pane);
    if area.width < 8 || area.height < 3 {
        bare(buffer, area, scene, pane, &line);
        return;
    }
    let context = Context::new(scene, pane, focused, zoomed);
    let inside = frame::draw(buffer, area, &context, &line);
    let note = match pane {
        Pane::Health => health::draw(buffer, inside, &context),
        Pane::Cache => cache::draw(buffer, inside, &context),
        Pane::Latency => latency::draw(buffer, inside, &context),
        Pane::Limits => limits::draw(buffer, inside, &context),
        Pane::Escalation => escalation::draw(buffer, inside, &context),
        Pane::Database => database::draw(buffer, inside, &context),
        Pane::Alerts => alerts::draw(buffer, inside, &context),
        Pane::Logs => logs::draw(buffer, inside, &context),
    };
    frame::notes(buffer, area, &context, note.as_deref());
}

/// A pane in one line.
pub fn line(scene: &Scene<'_>, pane: Pane) -> PaneLine {
    let rows: Vec<&Finding> = scene.findings.iter().filter(|row| row.pane == pane).collect();
    let mut line = line_of(&rows, nothing(pane));
    let in_words = match pane {
        Pane::Escalation => escalation::in_words(scene),
        Pane::Alerts => alerts::in_words(scene),
        Pane::Logs => crate::app::logs::line(scene.world),
        _ => None,
    };
    line.text = in_words.unwrap_or(line.text);
    PaneLine { text: text::safe(&line.text).into_owned(), ..line }
}

impl PaneLine {
    /// The word of its verdict.
    pub fn word(&self) -> &'static str {
        self.verdict.word_for(self.quality)
    }

    /// What the data is worth, where the word of the verdict does not say it already.
    pub fn worth(&self) -> &'static str {
        if self.verdict == Verdict::Unjudged { "" } else { self.quality.word() }
    }
}

/// A pane without room for a border.
fn bare(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>, pane: Pane, line: &PaneLine) {
    let theme = scene.theme;
    let glyph = theme.verdict_glyph(line.verdict);
    let word = paint::short_word(line.verdict, line.quality);
    let quality = line.worth();
    let gap = if quality.is_empty() { "" } else { " " };
    let text =
        format!("{}{glyph} {word}{gap}{quality} {}: {}", pane.number(), pane.title(), line.text);
    let text = format::fit(&text, usize::from(area.width), theme.glyphs().ellipsis);
    paint::line(buffer, area, 0, &Line::styled(text, theme.verdict(line.verdict, line.quality)));
}

/// The look of a log entry's level.
pub fn severity_style(theme: Theme, severity: Severity) -> Style {
    match severity {
        Severity::Error => theme.critical(),
        Severity::Warning => theme.warning(),
        Severity::Other => theme.text(),
    }
}

/// What is said of a pane without rows.
fn nothing(pane: Pane) -> &'static str {
    match pane {
        Pane::Health => health::NOTHING,
        Pane::Cache => cache::NOTHING,
        Pane::Latency => latency::NOTHING,
        Pane::Limits => limits::NOTHING,
        Pane::Escalation => escalation::NOTHING,
        Pane::Database => database::NOTHING,
        Pane::Alerts => alerts::NOTHING,
        Pane::Logs => logs::NOTHING,
    }
}

/// What the rows of a pane come to: the worst of them, and the words of the row that decides.
fn line_of(rows: &[&Finding], nothing: &str) -> PaneLine {
    let verdict = Verdict::worst(rows.iter().map(|row| row.verdict));
    let Some(first) = rows.iter().find(|row| row.verdict == verdict) else {
        let (quality, text) = (Quality::Unconfigured, nothing.to_owned());
        return PaneLine { verdict, quality, text };
    };
    let total = rows.len();
    let trouble = rows.iter().filter(|row| row.verdict.is_trouble()).count();
    let well = rows.iter().filter(|row| row.verdict == Verdict::Ok).count();
    let late = rows.iter().any(|row| row.verdict == verdict && row.quality == Quality::Late);
    let said = |row: &Finding| {
        if row.title == row.pane.title() {
            row.reason.clone()
        } else {
            format!("{}: {}", row.title, row.reason)
        }
    };
    let text = match verdict {
        _ if total == 1 => first
            .remark
            .as_ref()
            .map_or_else(|| said(first), |remark| format!("{}; {remark}", said(first))),
        Verdict::Ok => format!("{}{}", count_well(well, total), aside(rows)),
        Verdict::Unjudged => format!("{} (and {} more)", said(first), total - 1),
        _ => format!("{trouble} of {total} not OK: {}", said(first)),
    };
    let quality = if late { Quality::Late } else { first.quality };
    PaneLine { verdict, quality, text }
}

fn count_well(well: usize, total: usize) -> String {
    if well == total { format!("all {total} OK") } else { format!("{well} of {total} OK") }
}

/// What stands beside rows that are well: one that contradicts, one that was not judged.
fn aside(rows: &[&Finding]) -> String {
    let contradicts = rows.iter().find_map(|row| Some((row, row.remark.as_ref()?)));
    let idle = rows.iter().find(|row| row.verdict == Verdict::Unjudged);
    match (contradicts, idle) {
        (Some((row, remark)), _) => format!("; {} {remark}", row.title),
        (None, Some(row)) => format!("; {}: {}", row.title, row.reason),
        (None, None) => String::new(),
    }
}
