//! The border of a pane and what is written into it.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Borders, Widget},
};

use super::{PaneLine, context::Context};
use crate::{
    app::{latency::WINDOWS, logs, rows, view::Pane},
    domain::{log::Severity, time::short_duration},
    ui::{format, paint},
};

/// Draws the border with number, title, verdict and tabs. Returns the inside.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    line: &PaneLine,
) -> Rect {
    let theme = context.theme;
    let title = title(context, line, area.width - 2);
    let left = (area.width - 2).saturating_sub(title.width() as u16);
    let sides = if is_slim(context, area) { Borders::TOP } else { Borders::ALL };
    let block = Block::new()
        .borders(sides)
        .border_set(paint::border_set(theme))
        .border_style(theme.border(context.focused))
        .title_top(title);
    let block = match tabs(context, left) {
        Some(tabs) => block.title_top(tabs.right_aligned()),
        None => block,
    };
    let inside = block.inner(area);
    block.render(area, buffer);
    let side = u16::from(area.width >= 24 && sides == Borders::ALL);
    Rect { x: inside.x + side, width: inside.width - 2 * side, ..inside }
}

/// Whether a pane that fills a small screen has a line above it instead of a frame around it.
fn is_slim(context: &Context<'_>, area: Rect) -> bool {
    context.zoomed && area.height < 13
}

/// As much of number, title, glyph, word and quality as there is room for; the verdict
/// before the title.
fn title(context: &Context<'_>, line: &PaneLine, width: u16) -> Line<'static> {
    let theme = context.theme;
    let number = context.pane.number();
    let glyph = theme.verdict_glyph(line.verdict);
    let (full, short) = (context.pane.title(), short_title(context.pane));
    let (word, letters) = (line.word(), paint::short_word(line.verdict, line.quality));
    let quality = match line.worth() {
        "" => String::new(),
        word => format!(" {word}"),
    };
    let forms = [
        (format!(" {number} {full} "), format!(" {glyph} {word}{quality} ")),
        (format!(" {number} {full} "), format!("{glyph} {letters}{quality} ")),
        (format!("{number} {short} "), format!("{glyph} {letters}{quality}")),
        (format!("{number} {short} "), format!("{glyph} {letters}")),
        (format!("{number}"), format!("{glyph}{letters}")),
        (format!("{number}"), glyph.to_owned()),
    ];
    let room = usize::from(width);
    let fits = |(title, state): &(String, String)| {
        usize::from(paint::width(title)) + usize::from(paint::width(state)) <= room
    };
    let [.., last] = &forms;
    let (title, state) = forms.iter().find(|form| fits(form)).unwrap_or(last).clone();
    let style = if context.focused { theme.border(true) } else { theme.strong() };
    Line::from(vec![
        Span::styled(title, style),
        Span::styled(state, theme.verdict(line.verdict, line.quality)),
    ])
}

fn short_title(pane: Pane) -> &'static str {
    match pane {
        Pane::Limits => "Limits",
        Pane::Escalation => "Escal",
        Pane::Database => "DB",
        other => other.title(),
    }
}

/// The tabs with the chosen one in brackets; only the chosen one where there is no room
/// for all.
fn tabs(context: &Context<'_>, width: u16) -> Option<Line<'static>> {
    let names: Vec<String> = match context.pane {
        Pane::Latency => WINDOWS.iter().map(|window| short_duration(*window)).collect(),
        Pane::Limits => rows::LIMIT_TABS.iter().map(ToString::to_string).collect(),
        Pane::Logs => rows::LOG_TABS.iter().map(ToString::to_string).collect(),
        Pane::Cache if context.zoomed => rows::CACHE_TABS.iter().map(ToString::to_string).collect(),
        _ => return None,
    };
    let theme = context.theme;
    let chosen = context.view.tab.min(names.len().saturating_sub(1));
    let tab = |(at, name): (usize, &String)| {
        if at == chosen {
            Span::styled(format!("[{name}]"), theme.strong())
        } else {
            Span::styled(format!(" {name} "), theme.quiet())
        }
    };
    let mut all: Vec<Span<'static>> = vec![Span::raw(" ")];
    all.extend(names.iter().enumerate().map(tab));
    all.push(Span::raw(" "));
    let one = vec![Span::raw(" "), tab((chosen, names.get(chosen)?)), Span::raw(" ")];
    [all, one].into_iter().map(Line::from).find(|line| line.width() + 2 <= usize::from(width))
}

/// Writes into the lower border, or into the line above where there is none: what the filter leaves, and a note at the right.
pub(super) fn notes(buffer: &mut Buffer, area: Rect, context: &Context<'_>, note: Option<&str>) {
    let theme = context.theme;
    let slim = is_slim(context, area);
    let y = if slim { area.y } else { area.bottom() - 1 };
    let mut bottom = Rect { x: area.x + 1, y, width: area.width - 2, height: 1 };
    if slim {
        // What the title and the tabs have left of the line above.
        let line = paint::border_set(theme).horizontal_top;
        let free = |x: &u16| buffer[(*x, y)].symbol() == line;
        let first = (bottom.left()..bottom.right()).find(free).unwrap_or(bottom.right());
        let last = (first..bottom.right()).find(|x| !free(x)).unwrap_or(bottom.right());
        bottom = Rect { x: first, width: last - first, ..bottom };
    }
    let ellipsis = theme.glyphs().ellipsis;
    let room = usize::from(bottom.width);
    let mut used = 0;
    if let Some(text) = filter_note(context) {
        let text = format::fit(&format!(" {text} "), room, ellipsis);
        used = paint::width(&text);
        paint::line(buffer, bottom, 0, &Line::styled(text, theme.strong()));
    }
    let Some(note) = note.filter(|note| !note.is_empty()) else { return };
    let text = format!(" {note} ");
    let width = paint::width(&text);
    if width + used < bottom.width {
        let place = Rect { x: bottom.right() - width, width, ..bottom };
        paint::line(buffer, place, 0, &Line::styled(text, theme.quiet()));
    }
}

fn filter_note(context: &Context<'_>) -> Option<String> {
    if context.pane == Pane::Logs {
        return log_filter(context).filter(|_| context.screen.lists_entries());
    }
    if context.view.filter.is_empty() {
        return None;
    }
    let unfiltered = crate::app::view::PaneView { filter: String::new(), ..context.view.clone() };
    let total = rows::of(context.world, context.pane, &unfiltered).len();
    let shown = context.ids.len();
    Some(match context.view.filter.strip_prefix('!') {
        Some(rest) => format!("{shown} of {total} without '{rest}'"),
        None => format!("{shown} of {total} match '{}'", context.view.filter),
    })
}

/// The filter of the log entries, where there is one.
fn log_filter(context: &Context<'_>) -> Option<String> {
    let filter = logs::shown(context.world, context.screen).filter();
    let least = (filter.least > Severity::Other).then(|| filter.least.from_here().to_owned());
    let text = match filter.text.strip_prefix('!') {
        _ if filter.text.is_empty() => None,
        Some(rest) => Some(format!("entries without '{rest}'")),
        None => Some(format!("entries with '{}'", filter.text)),
    };
    let parts: Vec<String> = least.into_iter().chain(text).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
