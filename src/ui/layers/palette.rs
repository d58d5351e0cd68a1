//! The command palette.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::line;
use crate::{
    app::{
        palette::{self, Proposal},
        state::State,
        view,
    },
    ui::{format, paint, theme::Theme},
};

/// The columns of a name with its arguments, where there is room.
const NAMES: usize = 24;

/// Draws the line and what it may become. Returns the cursor.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    typed: &view::Line,
    theme: Theme,
) -> Option<(u16, u16)> {
    let inside = paint::framed(buffer, area, "Command", theme.border(true), theme);
    if inside.is_empty() {
        return None;
    }
    let (line, cursor) = line::prompt(":", &typed.text, usize::from(inside.width), theme);
    paint::line(buffer, inside, 0, &line);
    let rest = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
    let list = warning(buffer, rest, state, typed, theme);
    proposals(buffer, list, state, typed, theme);
    (cursor < inside.width).then_some((inside.x + cursor, inside.y))
}

/// Says under the line what is wrong with it, once its name is spelled out.
fn warning(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    typed: &view::Line,
    theme: Theme,
) -> Rect {
    let has_arguments = typed.text.trim_start().contains(char::is_whitespace);
    let Some(why) = palette::parse(&state.world, &typed.text)
        .err()
        .filter(|_| has_arguments && area.height > 1)
    else {
        return area;
    };
    let text = format::fit(&why, usize::from(area.width), theme.glyphs().ellipsis);
    paint::line(buffer, area, 0, &Line::styled(text, theme.warning()));
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

fn proposals(buffer: &mut Buffer, area: Rect, state: &State, typed: &view::Line, theme: Theme) {
    let all = palette::proposals(&state.world, &typed.text);
    if all.is_empty() {
        paint::line(
            buffer,
            area,
            0,
            &Line::styled("no command is called like that", theme.quiet()),
        );
        return;
    }
    let visible = usize::from(area.height).max(1);
    let first = (typed.chosen + 1).saturating_sub(visible);
    for (row, (index, proposal)) in area.rows().zip(all.iter().enumerate().skip(first)) {
        let line = one(proposal, index == typed.chosen, usize::from(row.width), theme);
        if index == typed.chosen {
            buffer.set_style(row, theme.selected());
        }
        paint::line(buffer, row, 0, &line);
    }
}

fn one(proposal: &Proposal, chosen: bool, width: usize, theme: Theme) -> Line<'static> {
    let pointer = if chosen { theme.glyphs().pointer } else { " " };
    let ellipsis = theme.glyphs().ellipsis;
    let names = NAMES.min(width / 2);
    let name = paint::column(&format!("{} {}", proposal.text, proposal.arguments), names, theme);
    let mut does = proposal.does.clone();
    if !proposal.enabled {
        does = format!("not now: {does}");
    }
    let does = format::fit(&does, width.saturating_sub(names + 3), ellipsis);
    let (name_style, does_style) = match (chosen, proposal.enabled) {
        (true, _) => (theme.selected(), theme.selected()),
        (false, true) => (theme.strong(), theme.text()),
        (false, false) => (theme.quiet(), theme.quiet()),
    };
    Line::from(vec![
        Span::styled(format!("{pointer} "), name_style),
        Span::styled(name, name_style),
        Span::styled(format!(" {does}"), does_style),
    ])
}
