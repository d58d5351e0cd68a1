//! The smallest screen: one line per signal, worst first.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{format, paint, panes, scene::Scene};
use crate::{
    app::{findings::Finding, rows, view::Pane},
    domain::verdict::Verdict,
};

/// What of it stands in the list, worst first. Levels of escalation that wait for nobody are
/// no signal. The alerts are one: each of them rests on something that is listed as well.
fn listed(scene: &Scene<'_>) -> Vec<Finding> {
    let quiet = |row: &&Finding| {
        row.pane == Pane::Alerts
            || (row.pane == Pane::Escalation && row.verdict == Verdict::Unjudged)
    };
    let mut all: Vec<Finding> = scene.findings.iter().filter(|row| !quiet(row)).cloned().collect();
    if rows::panes(scene.world).contains(&Pane::Alerts) {
        let line = panes::line(scene, Pane::Alerts);
        all.push(Finding {
            pane: Pane::Alerts,
            verdict: line.verdict,
            quality: line.quality,
            title: Pane::Alerts.title().to_owned(),
            reason: line.text,
            remark: None,
        });
    }
    all.sort_by_key(|row| std::cmp::Reverse((row.verdict.badness(), row.remark.is_some())));
    all
}

/// Draws as many signals as there is room for, and how many more there are.
pub fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let all = listed(scene);
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
        let text = format!("   {} more, worst {}", hidden.len(), worst.word());
        let text = format::fit(&text, usize::from(area.width), scene.theme.glyphs().ellipsis);
        paint::line(buffer, area, shown as u16, &Line::styled(text, scene.theme.quiet()));
    }
}

/// The number of the pane that tells more, verdict, title, and as much of the reason as fits.
fn line(scene: &Scene<'_>, signal: &Finding, width: u16) -> Line<'static> {
    let theme = scene.theme;
    let focused = signal.pane == scene.view.focus;
    let number = Span::styled(
        format!(" {} ", signal.pane.number()),
        if focused { theme.selected() } else { theme.quiet() },
    );
    let word = paint::column(paint::short_word(signal.verdict, signal.quality), 5, theme);
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
    let reason = signal.remark.as_ref().unwrap_or(&signal.reason);
    let rest = format::fit(&format!("{quality}: {reason}"), left, ellipsis);
    Line::from(vec![
        number,
        Span::styled(verdict, style),
        Span::styled(title, theme.strong()),
        Span::styled(rest, theme.text()),
    ])
}
