//! The strip of tabs, and the panes in one line each.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    format, paint,
    panes::{self, PaneLine},
    scene::Scene,
};
use crate::app::{rows, view::Pane};

/// How much of each tab is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Everything,
    ShortTitles,
    /// What is well needs no word.
    WordsOfTrouble,
    /// Only the focused pane has a title.
    FocusedTitle,
    Glyphs,
}

/// Draws the strip: number, title, glyph and word of every pane, with as much of it as fits.
pub fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    if area.is_empty() {
        return;
    }
    let panes: Vec<(Pane, PaneLine)> =
        rows::panes(scene.world).into_iter().map(|pane| (pane, panes::line(scene, pane))).collect();
    let strip = |detail| strip(scene, &panes, detail);
    let details = [
        Detail::Everything,
        Detail::ShortTitles,
        Detail::WordsOfTrouble,
        Detail::FocusedTitle,
        Detail::Glyphs,
    ];
    let fitting =
        details.into_iter().map(strip).find(|line| line.width() <= usize::from(area.width));
    let line = fitting.unwrap_or_else(|| strip(Detail::Glyphs));
    paint::line(buffer, area, 0, &line);
}

fn strip(scene: &Scene<'_>, panes: &[(Pane, PaneLine)], detail: Detail) -> Line<'static> {
    let mut spans = Vec::new();
    for (pane, line) in panes {
        let focused = *pane == scene.view.focus;
        let number = pane.number();
        let title = match detail {
            Detail::Everything => pane.title(),
            Detail::FocusedTitle | Detail::Glyphs if !focused => "",
            Detail::Glyphs => "",
            _ => short_title(*pane),
        };
        let gap = if title.is_empty() { "" } else { " " };
        let name = format!(" {number}{gap}{title} ");
        let base = if focused { scene.theme.selected() } else { scene.theme.quiet() };
        spans.push(Span::styled(name, base));
        let glyph = scene.theme.verdict_glyph(line.verdict);
        let silent = detail == Detail::Glyphs
            || (detail != Detail::Everything
                && detail != Detail::ShortTitles
                && !line.verdict.is_trouble());
        let word = match detail {
            Detail::Everything => line.word(),
            _ => paint::short_word(line.verdict, line.quality),
        };
        let said = if silent { format!("{glyph} ") } else { format!("{glyph} {word} ") };
        let style = scene.theme.verdict(line.verdict, line.quality);
        spans.push(Span::styled(
            said,
            if focused { style.patch(scene.theme.selected()) } else { style },
        ));
    }
    Line::from(spans)
}

fn short_title(pane: Pane) -> &'static str {
    match pane {
        Pane::Limits => "Limits",
        Pane::Escalation => "Escal.",
        Pane::Database => "DB",
        other => other.title(),
    }
}

/// Draws one line for each pane that is not focused, worst first.
pub fn others(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let mut lines: Vec<(Pane, PaneLine)> = rows::panes(scene.world)
        .into_iter()
        .filter(|pane| *pane != scene.view.focus)
        .map(|pane| (pane, panes::line(scene, pane)))
        .collect();
    if lines.len() > usize::from(area.height) {
        // Where not all have room, the worst stay.
        lines.sort_by_key(|(pane, line)| (std::cmp::Reverse(line.verdict.badness()), *pane));
    }
    for (row, (pane, line)) in area.rows().zip(lines) {
        paint::line(buffer, row, 0, &one(scene, pane, &line, row.width));
    }
}

fn one(scene: &Scene<'_>, pane: Pane, line: &PaneLine, width: u16) -> Line<'static> {
    let theme = scene.theme;
    let style = theme.verdict(line.verdict, line.quality);
    let lead = format!("  {} ", pane.number());
    let title = paint::column(pane.title(), 12, theme);
    let verdict =
        format!("{} {}", theme.verdict_glyph(line.verdict), paint::column(line.word(), 8, theme));
    let quality = match paint::age_word(line.quality) {
        "" => String::new(),
        word => format!("{word}: "),
    };
    let used = paint::width(&lead) + paint::width(&title) + paint::width(&verdict) + 1;
    let room = usize::from(width.saturating_sub(used));
    let text = format::fit(&format!("{quality}{}", line.text), room, theme.glyphs().ellipsis);
    Line::from(vec![
        Span::styled(lead, theme.quiet()),
        Span::styled(title, theme.text()),
        Span::styled(verdict, style),
        Span::styled(text, theme.text()),
    ])
}
