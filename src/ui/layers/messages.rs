//! The history of messages, newest first.

use ratatui::text::{Line, Span};

use super::Sheet;
use crate::{
    app::state::State,
    ui::{footer, format, paint, theme::Theme},
};

/// Everything that was said, with time, level and how often in a row.
pub fn sheet(state: &State, scroll: usize, width: usize, theme: Theme) -> Sheet {
    let mut lines = Vec::new();
    for said in state.world.notices.newest_first() {
        let (word, glyph, style) = footer::level(said.notice.level, theme);
        let time = format::time_of_day(said.at, state.view.utc);
        let time = time.split(' ').next().unwrap_or_default();
        let lead = format!("{time:<9} {glyph} {word:<8}");
        let times = if said.times > 1 { format!(" ({} times)", said.times) } else { String::new() };
        let text = format!("{}{times}", said.notice.text);
        lines.extend(paint::wrapped(&lead, &text, width, style, theme.text()));
    }
    if lines.is_empty() {
        lines.push(Line::from(Span::styled("nothing was said yet", theme.quiet())));
    }
    Sheet {
        title: "Messages, newest first".to_owned(),
        frame: theme.border(true),
        middle: lines,
        bottom: vec![Line::styled("Esc closes", theme.quiet())],
        scroll,
        ..Sheet::default()
    }
}
