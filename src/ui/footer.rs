//! The last rows: the newest message, and the keys that work here.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    format,
    keys::{BINDINGS, Binding, Meaning},
    layers::{self, line},
    layout::Regions,
    paint,
    theme::Theme,
};
use crate::{
    app::{
        command::{AlertCommand, Begun, Command, Edit},
        msg::Level,
        notices::Said,
        rows,
        state::State,
        view::{Context, Layer, Pane},
    },
    domain::verdict::{Quality, Verdict},
};

/// Draws message and hints. Returns the cursor, where a filter is being typed.
pub fn draw(
    buffer: &mut Buffer,
    regions: &Regions,
    state: &State,
    theme: Theme,
    now: &(Verdict, Vec<String>),
) -> Option<(u16, u16)> {
    let (message, hints) = (regions.message, regions.hints);
    let said = state.world.notices.current(state.world.now);
    let upper = if message.is_empty() { hints } else { message };
    if let Some(layer @ (Layer::Filter(typed) | Layer::Search(typed))) = state.view.layers.last() {
        if message.is_empty() {
            paint::fill(buffer, upper, theme.text());
        } else {
            draw_hints(buffer, hints, state, theme);
        }
        return match layer {
            Layer::Search(_) => line::search(buffer, upper, typed, theme),
            _ => line::filter(buffer, upper, state, typed, theme),
        };
    }
    if message.is_empty() {
        let taken = said.map_or(0, |said| draw_message(buffer, hints, said, theme, true));
        let left = Rect { x: hints.x + taken, width: hints.width - taken, ..hints };
        draw_hints(buffer, left, state, theme);
        return None;
    }
    match said {
        Some(said) => {
            draw_message(buffer, message, said, theme, false);
        }
        None => draw_worst(buffer, message, theme, now),
    }
    draw_hints(buffer, hints, state, theme);
    None
}

/// The word, the glyph and the style of a level.
pub fn level(level: Level, theme: Theme) -> (&'static str, &'static str, Style) {
    match level {
        Level::Info => ("note", theme.glyphs().dot, theme.quiet()),
        Level::Warning => ("warning", theme.verdict_glyph(Verdict::Warning), theme.warning()),
        Level::Error => ("ERROR", theme.verdict_glyph(Verdict::Critical), theme.critical()),
    }
}

/// Draws the message and returns the columns that it took. Where it shares the row, room is
/// left for the way to the help.
fn draw_message(buffer: &mut Buffer, area: Rect, said: &Said, theme: Theme, shared: bool) -> u16 {
    let (word, glyph, style) = level(said.notice.level, theme);
    let lead = format!(" {glyph} {word}: ");
    let times = if said.times > 1 { format!(" ({} times)", said.times) } else { String::new() };
    let keep = if shared { 9 } else { 1 };
    let room = area.width.saturating_sub(paint::width(&lead) + keep);
    let text = format!("{}{times}", said.notice.text);
    let text = format::fit(&text, usize::from(room), theme.glyphs().ellipsis);
    let line = Line::from(vec![Span::styled(lead, style), Span::styled(text, theme.text())]);
    paint::line(buffer, area, 0, &line);
    (line.width() as u16).min(area.width)
}

/// With nothing to say, the row repeats the worst that is known.
fn draw_worst(
    buffer: &mut Buffer,
    area: Rect,
    theme: Theme,
    (verdict, reasons): &(Verdict, Vec<String>),
) {
    let Some(worst) = reasons.first() else { return };
    let more = match reasons.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let room = usize::from(area.width.saturating_sub(10 + paint::width(&more)));
    let text = format::fit(worst, room, theme.glyphs().ellipsis);
    let line = Line::from(vec![
        Span::styled(" worst: ", theme.quiet()),
        Span::styled(text, theme.verdict(*verdict, Quality::Fresh)),
        Span::styled(more, theme.quiet()),
    ]);
    paint::line(buffer, area, 0, &line);
}

/// The keys that work here, the least important left out where there is no room.
fn draw_hints(buffer: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    let context = state.view.context();
    let (key_style, word_style) = (theme.key(), theme.quiet());
    if context == Context::Countdown {
        let text = format::fit(" any key stops it", usize::from(area.width), "");
        paint::line(buffer, area, 0, &Line::styled(text, key_style));
        return;
    }
    let mut spans = Vec::new();
    for (binding, hint) in fitting(state, context, area.width) {
        let key = binding.chords.first().map(|chord| chord.shown()).unwrap_or_default();
        spans.push(Span::styled(format!(" {key}"), key_style));
        spans.push(Span::styled(format!(" {hint} "), word_style));
    }
    paint::line(buffer, area, 0, &Line::from(spans));
}

/// The hints of a context that fit, most important first.
fn fitting(state: &State, context: Context, width: u16) -> Vec<(&'static Binding, &'static str)> {
    let mut hints: Vec<(&Binding, &str, u8)> = BINDINGS
        .iter()
        .filter(|binding| binding.contexts.contains(&context))
        .filter(|binding| is_worth_telling(state, &binding.meaning))
        .filter_map(|binding| binding.hint.map(|(word, rank)| (binding, word, rank)))
        .collect();
    hints.sort_by_key(|(_, _, rank)| *rank);
    let mut used = 0;
    hints
        .into_iter()
        .take_while(|(binding, word, _)| {
            let key = binding.chords.first().map(|chord| chord.shown()).unwrap_or_default();
            used += paint::width(&key) + paint::width(word) + 3;
            used <= width
        })
        .map(|(binding, word, _)| match (&binding.meaning, state.view.layers.last()) {
            (Meaning::Command(Command::Enter), Some(Layer::Demo { .. })) => (binding, "switch"),
            _ => (binding, word),
        })
        .collect()
}

/// A dialog tells of its own answers, in fuller words; and where there is nothing to scroll,
/// or no tab to change to, nothing needs to be said of it.
fn is_worth_telling(state: &State, meaning: &Meaning) -> bool {
    let in_dialog = matches!(state.view.layers.last(), Some(Layer::Dialog(_)));
    match meaning {
        Meaning::Edit(Edit::Accept)
        | Meaning::Command(
            Command::Back
            | Command::Confirm
            | Command::CancelRun
            | Command::TakeOver
            | Command::Undo,
        ) => !in_dialog,
        Meaning::Command(Command::Move(_) | Command::Page(_)) => {
            layers::extent(state).is_some_and(|extent| extent.last() > 0)
        }
        Meaning::Command(Command::Alert(AlertCommand::Begin(Begun::Taken))) => {
            state.view.focus == Pane::Escalation && !state.world.escalation.contacted.is_empty()
        }
        Meaning::Command(Command::Alert(AlertCommand::Begin(_))) => {
            state.view.focus == Pane::Alerts
        }
        Meaning::Command(Command::NextTab) => rows::tabs(state.view.focus) > 1,
        _ => true,
    }
}
