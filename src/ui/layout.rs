//! Where everything stands, at every size.
//!
//! ```text
//! list     below 60x15    one line per signal, worst first
//! stacked  from 60x15     strip of tabs, the focused pane, one line for each other pane
//! grid     from 110x30    all panes
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

use super::bands;
use crate::app::{rows, state::State, view::Pane};

/// How the body is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One line per signal.
    List,
    /// One pane, and a line for each of the others.
    Stacked,
    /// The focused pane alone, below the strip of tabs.
    Zoomed,
    /// All panes.
    Grid,
}

/// The parts of the screen. A part without room is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regions {
    /// How the body is used.
    pub shape: Shape,
    /// The first row.
    pub header: Rect,
    /// What must be seen.
    pub bands: Rect,
    /// The tabs of all panes; empty in a grid, where each pane has its own title.
    pub strip: Rect,
    /// The panes.
    pub body: Rect,
    /// The newest message.
    pub message: Rect,
    /// The keys that work here.
    pub hints: Rect,
    /// What layers lie over: strip and body.
    pub stage: Rect,
}

/// The parts of a screen of this size.
pub fn regions(state: &State, area: Rect) -> Regions {
    let small = area.width < 60 || area.height < 15;
    let shape = match (small, state.view.zoomed) {
        (_, true) => Shape::Zoomed,
        (true, false) => Shape::List,
        (false, false) if area.width >= 110 && area.height >= 30 => Shape::Grid,
        (false, false) => Shape::Stacked,
    };
    let bands = bands::of(state).len().min(most_bands(area.height));
    let footer = match area.height {
        0..=3 => 0,
        4..=19 => 1,
        _ => 2,
    };
    let [header, bands, stage, message, hints] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(bands as u16),
        Constraint::Fill(1),
        Constraint::Length(footer / 2),
        Constraint::Length(footer.min(1)),
    ])
    .areas(area);
    let strip_rows = match shape {
        Shape::Stacked | Shape::Zoomed if area.height >= 8 => 1,
        _ => 0,
    };
    let [strip, body] =
        Layout::vertical([Constraint::Length(strip_rows), Constraint::Fill(1)]).areas(stage);
    Regions { shape, header, bands, strip, body, message, hints, stage }
}

/// How many bands a screen of that height can bear.
fn most_bands(height: u16) -> usize {
    match height {
        0..=5 => 0,
        6..=19 => 1,
        20..=29 => 2,
        _ => 4,
    }
}

/// The focused pane and the lines of the others, in a body of that size. The lines give way
/// first to what the pane needs to be readable, the last lines before the first.
pub fn stacked(body: Rect, others: usize) -> (Rect, Rect) {
    const READABLE: u16 = 9;
    let lines = (others as u16).min(body.height.saturating_sub(READABLE));
    let [pane, lines] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(lines)]).areas(body);
    (pane, lines)
}

/// Each pane's place in the grid.
pub fn grid(state: &State, body: Rect) -> Vec<(Pane, Rect)> {
    let database = rows::panes(&state.world).contains(&Pane::Database);
    let columns: Vec<Vec<(Pane, u16)>> = if body.width >= 165 {
        let mut last = vec![(Pane::Limits, 55)];
        if database {
            last.push((Pane::Database, 45));
        }
        vec![
            vec![(Pane::Health, 60), (Pane::Escalation, 40)],
            vec![(Pane::Cache, 48), (Pane::Latency, 52)],
            last,
        ]
    } else {
        let mut right = vec![(Pane::Cache, 36), (Pane::Latency, 34)];
        if database {
            right.push((Pane::Database, 30));
        }
        vec![vec![(Pane::Health, 40), (Pane::Limits, 32), (Pane::Escalation, 28)], right]
    };
    let widths = columns.iter().map(|_| Constraint::Fill(1));
    let places = Layout::horizontal(widths).split(body);
    let mut all: Vec<(Pane, Rect)> = Vec::new();
    for (column, place) in columns.iter().zip(places.iter()) {
        let heights = column.iter().map(|(_, weight)| Constraint::Fill(*weight));
        let rects = Layout::vertical(heights).split(*place);
        all.extend(column.iter().zip(rects.iter()).map(|((pane, _), rect)| (*pane, *rect)));
    }
    all.sort_by_key(|(pane, _)| *pane);
    all
}
