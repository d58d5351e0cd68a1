//! What lies over the panes: help, palette, menus, messages, dialogs.
//!
//! A layer is a [`Sheet`]: fixed lines above, lines that scroll, fixed lines below. The
//! decision of a dialog stands in the fixed lines, so that it is always on the screen.

pub mod doctor;

pub mod entry;

pub mod help;

pub mod line;

pub mod menu;

pub mod messages;

pub mod palette;

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    dialogs,
    layout::{self, Regions},
    paint,
    theme::{Depth, Theme},
};
use crate::{
    app::{state::State, view::Layer},
    domain::verdict::Verdict,
};

/// The widest that a layer becomes: longer lines are hard to read.
const WIDEST: u16 = 110;

/// The contents of a layer that can be scrolled.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// The title in the frame.
    pub title: String,
    /// The style of the frame.
    pub frame: Style,
    /// Always shown, above.
    pub top: Vec<Line<'static>>,
    /// Scrolled.
    pub middle: Vec<Line<'static>>,
    /// How many of the first scrolled lines nobody should miss.
    pub vital: usize,
    /// Where not all fits and nothing was scrolled, what stands behind this many lines is left
    /// out, so that the end of what grows stays in sight.
    pub head: Option<usize>,
    /// Always shown, below.
    pub bottom: Vec<Line<'static>>,
    /// How far the middle is scrolled.
    pub scroll: usize,
    /// Where text is typed: row in the bottom part, column.
    pub cursor: Option<(u16, u16)>,
    /// Where text is typed in the part that scrolls: row, column.
    pub typed: Option<(u16, u16)>,
}

/// How much of a layer is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first visible line.
    pub scroll: usize,
    /// Lines that are visible at once.
    pub visible: usize,
    /// All lines.
    pub all: usize,
}

impl Extent {
    /// The furthest that it can be scrolled.
    pub fn last(self) -> usize {
        self.all.saturating_sub(self.visible)
    }
}

/// Draws all layers, the topmost last. Returns the cursor of the topmost.
pub fn draw(
    buffer: &mut Buffer,
    regions: &Regions,
    state: &State,
    theme: Theme,
) -> Option<(u16, u16)> {
    let mut cursor = None;
    for (depth, layer) in state.view.layers.iter().enumerate() {
        let area = place(regions.stage, layer);
        cursor = match layer {
            Layer::Palette(typed) => palette::draw(buffer, area, state, typed, theme),
            Layer::Actions { selected } => {
                menu::actions(buffer, area, state, *selected, theme);
                None
            }
            Layer::Demo { selected } => {
                menu::faults(buffer, area, state, *selected, theme);
                None
            }
            Layer::Doctor(view) if view.detail.is_none() => {
                doctor::draw(buffer, area, state, view, theme);
                None
            }
            _ => sheet(state, depth, inside_width(area), theme)
                .and_then(|sheet| draw_sheet(buffer, area, &sheet, theme)),
        };
    }
    cursor
}

/// How much there is to scroll in the topmost layer; none where it does not scroll.
pub fn extent(state: &State) -> Option<Extent> {
    let (width, height) = state.view.size;
    let regions = layout::regions(state, Rect::new(0, 0, width, height));
    let depth = state.view.layers.len().checked_sub(1)?;
    let area = place(regions.stage, state.view.layers.last()?);
    // The number of lines does not depend on the look.
    let theme = Theme { depth: Depth::None, ascii: true };
    let sheet = sheet(state, depth, inside_width(area), theme)?;
    let visible = parts(inside(area), &sheet)[1].height;
    let all = sheet.middle.len();
    let extent = Extent { scroll: sheet.scroll, visible: usize::from(visible), all };
    Some(Extent { scroll: extent.scroll.min(extent.last()), ..extent })
}

/// The sheet of a layer, where it is one.
fn sheet(state: &State, depth: usize, width: usize, theme: Theme) -> Option<Sheet> {
    match state.view.layers.get(depth)? {
        Layer::Help { scroll } => Some(help::sheet(state, depth, *scroll, width, theme)),
        Layer::Messages { scroll } => Some(messages::sheet(state, *scroll, width, theme)),
        Layer::Form(form) => Some(dialogs::form::sheet(state, form, width, theme)),
        Layer::Dialog(dialog) => Some(dialogs::sheet(state, dialog, width, theme)),
        Layer::Doctor(view) => doctor::sheet(state, view, width, theme),
        Layer::Entry { source, entry, scroll } => {
            Some(entry::sheet(state, source, entry, *scroll, width, theme))
        }
        Layer::Palette(_)
        | Layer::Filter(_)
        | Layer::Search(_)
        | Layer::Actions { .. }
        | Layer::Demo { .. } => None,
    }
}

/// Where a layer stands: as wide as can be read, in the middle.
fn place(stage: Rect, layer: &Layer) -> Rect {
    // Strips of panes at the sides, too narrow to be read, would only confuse.
    let width = if stage.width < WIDEST + 30 { stage.width } else { WIDEST };
    let height = match layer {
        Layer::Palette(_) => stage.height.min(16),
        Layer::Dialog(_) | Layer::Form(_) => stage.height.min(40),
        _ => stage.height,
    };
    let x = stage.x + (stage.width - width) / 2;
    let y = match layer {
        // The line is typed near the keys' hints, where the eyes are.
        Layer::Palette(_) => stage.bottom() - height,
        _ => stage.y + (stage.height - height) / 2,
    };
    Rect { x, y, width, height }
}

/// The inside of a frame, as [`paint::framed`] leaves it.
fn inside(area: Rect) -> Rect {
    if area.width < 20 || area.height < 4 {
        return area;
    }
    Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
}

fn inside_width(area: Rect) -> usize {
    usize::from(inside(area).width)
}

/// Draws a sheet. What is decided stands below and is drawn first; what scrolls gets the
/// rest, with a line that says how much is hidden.
fn draw_sheet(buffer: &mut Buffer, area: Rect, sheet: &Sheet, theme: Theme) -> Option<(u16, u16)> {
    let inside = paint::framed(buffer, area, &sheet.title, sheet.frame, theme);
    let [top, middle, more, rule, bottom] = parts(inside, sheet);
    let line = theme.glyphs().line.repeat(usize::from(rule.width));
    paint::line(buffer, rule, 0, &Line::styled(line, theme.quiet()));
    put(buffer, top, &sheet.top);
    let visible = usize::from(middle.height);
    let last = sheet.middle.len().saturating_sub(visible);
    let scroll = sheet.scroll.min(last);
    // What is typed stays in sight.
    let typed = sheet.typed.map(|(row, _)| usize::from(row));
    let scroll = typed.map_or(scroll, |row| scroll.max((row + 1).saturating_sub(visible)));
    let left_out = left_out(sheet, scroll, visible);
    match left_out {
        Some((head, below)) => {
            let text = format!("{} lines are left out here (PgDn)", below - head);
            let mut shown = sheet.middle[..head].to_vec();
            shown.push(Line::styled(text, theme.warning()));
            shown.extend_from_slice(&sheet.middle[below..]);
            put(buffer, middle, &shown);
        }
        None => put(buffer, middle, &sheet.middle[scroll..]),
    }
    if left_out.is_some() {
        paint::line(buffer, more, 0, &Line::styled("the newest is at the end", theme.quiet()));
    } else if !more.is_empty() {
        let below = last - scroll;
        let text = match (scroll, below) {
            (0, below) if typed.is_some() => format!("{below} more lines below (Tab)"),
            (above, 0) if typed.is_some() => format!("{above} lines above (Shift-Tab)"),
            (above, below) if typed.is_some() => {
                format!("{above} lines above, {below} below (Tab, Shift-Tab)")
            }
            (0, below) => format!("{below} more lines below (PgDn)"),
            (above, 0) => format!("{above} lines above (PgUp), this is the end"),
            (above, below) => format!("{above} lines above, {below} below (PgUp PgDn)"),
        };
        // What should not be missed is announced as loudly as there are means for.
        let missed = sheet.vital.saturating_sub(scroll + visible);
        if missed > 0 {
            let lines = if missed == 1 { "line below DECIDES" } else { "lines below DECIDE" };
            let text = format!("{missed} {lines}: PgDn to read");
            paint::band(buffer, more, &text, theme.band(Verdict::Warning), theme);
        } else {
            let style = if below > 0 { theme.warning() } else { theme.quiet() };
            paint::line(buffer, more, 0, &Line::styled(text, style));
        }
    }
    put(buffer, bottom, &sheet.bottom);
    if let Some((row, column)) = sheet.typed {
        let row = row.checked_sub(u16::try_from(scroll).ok()?)?;
        let at = (middle.x.saturating_add(column), middle.y.saturating_add(row));
        return (row < middle.height && column < middle.width).then_some(at);
    }
    let (row, column) = sheet.cursor?;
    let at = (bottom.x.saturating_add(column), bottom.y.saturating_add(row));
    (row < bottom.height && column < bottom.width).then_some(at)
}

/// The lines that are left out so that the head and the end of a sheet are in sight: from
/// where, and up to where. None where all is there or where somebody has scrolled.
fn left_out(sheet: &Sheet, scroll: usize, visible: usize) -> Option<(usize, usize)> {
    let head = sheet.head.filter(|head| scroll == 0 && head + 3 <= visible)?;
    let below = sheet.middle.len() + head + 1;
    let below = below.checked_sub(visible)?;
    (sheet.middle.len() > visible).then_some((head, below))
}

/// Top, middle, the line that says how much is hidden, a rule, bottom.
fn parts(inside: Rect, sheet: &Sheet) -> [Rect; 5] {
    let rows = |lines: &[Line<'_>]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let bottom = rows(&sheet.bottom).min(inside.height);
    let rule = u16::from(inside.height >= 10 && bottom > 0 && bottom + 4 < inside.height);
    let left = inside.height - bottom - rule;
    // Where there is hardly any room, what is to be decided on is worth more than a heading.
    let top = rows(&sheet.top).min(left.saturating_sub(2));
    let left = left - top;
    let all = rows(&sheet.middle);
    let more = u16::from(all > left && left > 1);
    let middle = left - more;
    let at = |y: u16, height: u16| Rect { y: inside.y + y, height, ..inside };
    [
        at(0, top),
        at(top, middle),
        at(top + middle, more),
        at(inside.height - bottom - rule, rule),
        at(inside.height - bottom, bottom),
    ]
}

fn put(buffer: &mut Buffer, area: Rect, lines: &[Line<'static>]) {
    for (row, line) in area.rows().zip(lines) {
        // A line with a background is a band and reaches from edge to edge.
        if line.style.bg.is_some()
            || line.style.add_modifier.contains(ratatui::style::Modifier::REVERSED)
        {
            buffer.set_style(row, line.style);
        }
        paint::line(buffer, row, 0, line);
    }
}
