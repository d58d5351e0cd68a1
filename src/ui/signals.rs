//! The smallest screen: one line per signal, worst first.

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{format, paint, scene::Scene};
use crate::{
    app::{cache, database, escalation, health, latency, limits, state::World, view::Pane},
    domain::{
        time::clock,
        verdict::{Quality, Verdict},
    },
};

/// Something that is watched, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The pane that tells more.
    pub pane: Pane,
    /// What we think.
    pub verdict: Verdict,
    /// What the thought is worth.
    pub quality: Quality,
    /// What it is.
    pub title: String,
    /// Why.
    pub reason: String,
}

/// Everything that is watched, worst first.
pub fn of(world: &World) -> Vec<Signal> {
    let signal = |pane, verdict, quality, title: String, reason: String| Signal {
        pane,
        verdict,
        quality,
        title,
        reason,
    };
    let mut all = Vec::new();
    for row in health::rows(world) {
        all.push(signal(Pane::Health, row.verdict, row.quality, row.title, row.reason));
    }
    for row in cache::rows(world) {
        all.push(signal(Pane::Cache, row.verdict, row.quality, row.title, row.reason));
    }
    for row in latency::rows(world, Duration::from_secs(300)) {
        all.push(signal(Pane::Latency, row.verdict, row.quality, row.title, row.reason));
    }
    if let Some(view) = limits::view(world) {
        let title = Pane::Limits.title().to_owned();
        all.push(signal(Pane::Limits, view.verdict, view.quality, title, view.reason));
    }
    for row in database::rows(world) {
        all.push(signal(Pane::Database, row.verdict, row.quality, row.title, row.reason));
    }
    for row in escalation::rows(world) {
        if let Some(overdue) = row.overdue {
            let reason = format!("{} did not answer, {} over time", row.spec.name, clock(overdue));
            let title = format!("Level {}", row.spec.level);
            all.push(signal(Pane::Escalation, Verdict::Warning, Quality::Fresh, title, reason));
        }
    }
    all.sort_by_key(|signal| std::cmp::Reverse(signal.verdict.badness()));
    all
}

/// Draws as many signals as there is room for, and how many more there are.
pub fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let all = of(scene.world);
    if all.is_empty() {
        let text = " nothing is configured to be watched";
        paint::line(buffer, area, 0, &Line::styled(text, scene.theme.unknown()));
        return;
    }
    let room = usize::from(area.height);
    let shown = if all.len() > room { room.saturating_sub(1) } else { all.len() };
    for (row, signal) in area.rows().zip(all.iter().take(shown)) {
        paint::line(buffer, row, 0, &line(scene, signal, row.width));
    }
    if shown < all.len() {
        let hidden = &all[shown..];
        let worst = hidden.iter().fold(Verdict::Ok, |worst, signal| worst.worse(signal.verdict));
        let text = format!("   {} more, the worst of them {}", hidden.len(), worst.word());
        paint::line(buffer, area, shown as u16, &Line::styled(text, scene.theme.quiet()));
    }
}

/// The number of the pane that tells more, verdict, title, and as much of the reason as fits.
fn line(scene: &Scene<'_>, signal: &Signal, width: u16) -> Line<'static> {
    let theme = scene.theme;
    let focused = signal.pane == scene.view.focus;
    let number = Span::styled(
        format!(" {} ", signal.pane.number()),
        if focused { theme.selected() } else { theme.quiet() },
    );
    let word = paint::column(paint::short_word(signal.verdict), 5, theme);
    let verdict = format!("{} {word}", theme.verdict_glyph(signal.verdict));
    let style = theme.verdict(signal.verdict, signal.quality);
    let quality = match paint::age_word(signal.quality) {
        "" => String::new(),
        word => format!(" {word}"),
    };
    let ellipsis = theme.glyphs().ellipsis;
    let room = usize::from(width).saturating_sub(3 + usize::from(paint::width(&verdict)));
    let title = format::fit(&signal.title, room.min(18), ellipsis);
    let left = room.saturating_sub(usize::from(paint::width(&title)));
    let rest = format::fit(&format!("{quality}: {}", signal.reason), left, ellipsis);
    Line::from(vec![
        number,
        Span::styled(verdict, style),
        Span::styled(title, theme.strong()),
        Span::styled(rest, theme.text()),
    ])
}
