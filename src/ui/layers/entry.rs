//! An entry of a log with everything that it says.

use ratatui::text::Line;

use super::Sheet;
use crate::{
    app::state::State,
    domain::{ids::SourceId, log::Severity, observation::LogEntry, text},
    ui::{format, paint, theme::Theme, widgets::pairs::Pairs},
};

/// When, where from, how bad, what, and every field.
pub fn sheet(
    state: &State,
    source: &SourceId,
    entry: &LogEntry,
    scroll: usize,
    width: usize,
    theme: Theme,
) -> Sheet {
    let title = state.shown().catalog.sources.get(source).map(|info| info.title.clone());
    let style = super::super::panes::severity_style(theme, entry.severity());
    let when = format!("{} ({})", format::milliseconds(entry.at, state.view.utc), entry.at);
    let mut head = Pairs::new(theme)
        .text("time", when, theme.text())
        .text("log", title.unwrap_or_else(|| source.to_string()), theme.text())
        .text("service", entry.service.as_deref().unwrap_or_default(), theme.text());
    if entry.level.is_some() {
        head = head.text("level", text::safe(entry.level_word()), style);
    }
    let columns = u16::try_from(width).unwrap_or(u16::MAX);
    let mut lines = head.lines(columns);
    lines.push(Line::default());
    let weight = if entry.severity() == Severity::Other { theme.strong() } else { style };
    lines.extend(paint::wrapped("", &text::safe(&entry.message), width, weight, weight));
    if !entry.fields.is_empty() {
        lines.push(Line::default());
        let fields = entry.fields.iter().fold(Pairs::new(theme), |pairs, (name, value)| {
            let value = if value.is_empty() { "(empty)" } else { value };
            pairs.text(text::safe(name), text::safe(value), theme.text())
        });
        lines.extend(fields.lines(columns));
    }
    Sheet {
        title: "Log entry".to_owned(),
        frame: theme.border(true),
        middle: lines,
        bottom: vec![Line::styled(
            "y copies it; fields were left out whose names are in `drop`; Esc closes",
            theme.quiet(),
        )],
        scroll,
        ..Sheet::default()
    }
}
