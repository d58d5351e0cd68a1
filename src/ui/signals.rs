//! The smallest screen: one line per signal, worst first.

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{format, paint, scene::Scene};
use crate::{
    app::{cache, database, escalation, health, latency, limits, state::World},
    domain::{
        time::clock,
        verdict::{Quality, Verdict},
    },
};

/// Something that is watched, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
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
    let signal = |verdict, quality, title: String, reason: String| Signal {
        verdict,
        quality,
        title,
        reason,
    };
    let mut all: Vec<Signal> = health::rows(world)
        .into_iter()
        .map(|row| signal(row.verdict, row.quality, row.title, row.reason))
        .collect();
    all.extend(
        cache::rows(world)
            .into_iter()
            .map(|row| signal(row.judged(), row.quality, row.title, row.reason)),
    );
    all.extend(
        latency::rows(world, Duration::from_secs(300))
            .into_iter()
            .map(|row| signal(row.judged(), row.quality, row.title, row.reason)),
    );
    all.extend(
        limits::view(world)
            .map(|view| signal(view.judged(), view.quality, "Rate limits".to_owned(), view.reason)),
    );
    all.extend(
        database::rows(world)
            .into_iter()
            .map(|row| signal(row.judged(), row.quality, row.title, row.reason)),
    );
    all.extend(escalation::rows(world).into_iter().filter_map(|row| {
        let overdue = row.overdue?;
        let reason = format!("no answer for {} too long", clock(overdue));
        let title = format!("{} ({})", row.spec.name, row.id());
        Some(signal(Verdict::Critical, Quality::Fresh, title, reason))
    }));
    all.sort_by_key(|signal| std::cmp::Reverse(signal.verdict.badness()));
    all
}

/// Draws as many signals as there is room for, and how many more there are.
pub fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let all = of(scene.world);
    if all.is_empty() {
        let text = "nothing is configured to be watched";
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
        let text = format!("{} more, the worst of them {}", hidden.len(), worst.word());
        paint::line(buffer, area, shown as u16, &Line::styled(text, scene.theme.quiet()));
    }
}

fn line(scene: &Scene<'_>, signal: &Signal, width: u16) -> Line<'static> {
    let theme = scene.theme;
    let style = theme.verdict(signal.verdict, signal.quality);
    let word = match signal.verdict {
        // Seven letters would leave too little of the reason.
        Verdict::Unknown => "UNKN",
        other => other.word(),
    };
    let verdict =
        format!("{} {}", theme.verdict_glyph(signal.verdict), paint::column(word, 5, theme));
    let quality = match signal.quality.word() {
        "" => String::new(),
        word => format!(" {word}"),
    };
    let ellipsis = theme.glyphs().ellipsis;
    let room = usize::from(width).saturating_sub(usize::from(paint::width(&verdict)));
    let title = format::fit(&signal.title, room.min(18), ellipsis);
    let left = room.saturating_sub(usize::from(paint::width(&title)));
    let rest = format::fit(&format!("{quality}: {}", signal.reason), left, ellipsis);
    Line::from(vec![
        Span::styled(verdict, style),
        Span::styled(title, theme.strong()),
        Span::styled(rest, theme.text()),
    ])
}
