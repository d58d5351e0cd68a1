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

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use self::context::Context;
use super::{format, paint, scene::Scene};
use crate::{
    app::view::Pane,
    domain::{
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
    };
    frame::notes(buffer, area, &context, note.as_deref());
}

/// A pane in one line.
pub fn line(scene: &Scene<'_>, pane: Pane) -> PaneLine {
    let line = match pane {
        Pane::Health => health::line(scene),
        Pane::Cache => cache::line(scene),
        Pane::Latency => latency::line(scene),
        Pane::Limits => limits::line(scene),
        Pane::Escalation => escalation::line(scene),
        Pane::Database => database::line(scene),
    };
    PaneLine { text: text::safe(&line.text).into_owned(), ..line }
}

/// A pane without room for a border.
fn bare(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>, pane: Pane, line: &PaneLine) {
    let theme = scene.theme;
    let glyph = theme.verdict_glyph(line.verdict);
    let word = paint::short_word(line.verdict);
    let quality = line.quality.word();
    let gap = if quality.is_empty() { "" } else { " " };
    let text =
        format!("{}{glyph} {word}{gap}{quality} {}: {}", pane.number(), pane.title(), line.text);
    let text = format::fit(&text, usize::from(area.width), theme.glyphs().ellipsis);
    paint::line(buffer, area, 0, &Line::styled(text, theme.verdict(line.verdict, line.quality)));
}

/// What the rows of a pane come to.
struct RowLine<'a> {
    verdict: Verdict,
    quality: Quality,
    title: &'a str,
    reason: &'a str,
}

/// The line of a pane with rows. What is not configured is left out; what is idle, or has too
/// few samples, is not known to be well, and then neither is the pane.
fn line_of_rows(rows: &[RowLine<'_>], nothing: &str) -> PaneLine {
    let configured = rows.iter().filter(|row| row.quality != Quality::Unconfigured);
    let worst = configured.map(|row| row.verdict).fold(Verdict::Ok, Verdict::worse);
    let known_ok = rows.iter().any(|row| row.verdict == Verdict::Ok);
    let verdict = if worst == Verdict::Ok && !known_ok { Verdict::Unknown } else { worst };
    let decides = |row: &&RowLine<'_>| match verdict {
        Verdict::Ok => row.verdict == Verdict::Ok,
        other => row.verdict == other,
    };
    let Some(first) = rows.iter().find(decides) else {
        return PaneLine {
            verdict: Verdict::Unknown,
            quality: Quality::Unconfigured,
            text: nothing.to_owned(),
        };
    };
    let total = rows.len();
    let trouble = rows.iter().filter(|row| row.verdict != Verdict::Ok).count();
    let other = rows.iter().find(|row| row.verdict != Verdict::Ok);
    let said = |row: &RowLine<'_>| format!("{}: {}", row.title, row.reason);
    let (quality, text) = match (verdict, other) {
        (Verdict::Ok, Some(other)) => {
            (first.quality, format!("{} of {total} OK; {}", total - trouble, said(other)))
        }
        (Verdict::Ok, None) if total > 1 => {
            let late = rows.iter().any(|row| row.quality == Quality::Late);
            (if late { Quality::Late } else { first.quality }, format!("all {total} OK"))
        }
        (_, Some(_)) if total > 1 => {
            (first.quality, format!("{trouble} of {total} not OK: {}", said(first)))
        }
        _ => (first.quality, said(first)),
    };
    PaneLine { verdict, quality, text }
}
