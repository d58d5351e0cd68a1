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
        Shape::Stacked => 1,
        // Where there is little room, the pane that was asked for gets it.
        Shape::Zoomed if area.height >= 15 => 1,
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

/// Each pane's place in the grid. Lists are as high as they have rows, as far as that is
/// fair to the others; charts and tables take the rest.
pub fn grid(state: &State, body: Rect) -> Vec<(Pane, Rect)> {
    let catalog = &state.world.catalog;
    // Alerts come first, over the whole width: what fires must be read, not guessed. Their
    // place is always the same, so that nothing moves when something breaks.
    let rules = catalog.rules.len();
    let strip =
        if rules == 0 { 0 } else { (rules + 3).clamp(5, usize::from(body.height / 5).max(5)) };
    let [alerts, body] =
        Layout::vertical([Constraint::Length(strip as u16), Constraint::Fill(1)]).areas(body);
    // Entries of logs are long: they have the whole width, below everything.
    let logs = crate::app::logs::sources(catalog).len();
    let strip =
        if logs == 0 { 0 } else { (logs + 7).clamp(5, usize::from(body.height / 5).max(5)) };
    let [body, log_strip] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(strip as u16)]).areas(body);
    let database = rows::panes(&state.world).contains(&Pane::Database);
    // Frame, heading and some air; a contact has two rows.
    // On a high screen each check has a second row for its reason; always the same, so that
    // nothing moves when something breaks.
    let checks = catalog.checks.len();
    let wanted = if body.height >= 45 { checks * 2 + 4 } else { checks + 5 };
    let health = rows_for(wanted, body.height, 40);
    let escalation = rows_for(catalog.contacts.len() * 2 + 4, body.height, 30);
    let columns: Vec<Vec<(Pane, Constraint)>> = if body.width >= 165 && database {
        vec![
            vec![(Pane::Health, health), (Pane::Limits, Constraint::Fill(1))],
            vec![(Pane::Cache, Constraint::Fill(48)), (Pane::Latency, Constraint::Fill(52))],
            vec![(Pane::Database, Constraint::Fill(1)), (Pane::Escalation, escalation)],
        ]
    } else {
        let mut right =
            vec![(Pane::Cache, Constraint::Fill(33)), (Pane::Latency, Constraint::Fill(38))];
        if database {
            right.push((Pane::Database, Constraint::Fill(29)));
        }
        let left = vec![
            (Pane::Health, health),
            (Pane::Limits, Constraint::Fill(1)),
            (Pane::Escalation, escalation),
        ];
        vec![left, right]
    };
    let mut all = placed(&columns, body);
    if rules > 0 {
        all.push((Pane::Alerts, alerts));
    }
    if logs > 0 {
        all.push((Pane::Logs, log_strip));
    }
    all
}

/// As many rows as are needed, but at most this share of the height in percent.
fn rows_for(needed: usize, height: u16, percent: u16) -> Constraint {
    let most = u32::from(height) * u32::from(percent) / 100;
    Constraint::Length(needed.min(most as usize) as u16)
}

fn placed(columns: &[Vec<(Pane, Constraint)>], body: Rect) -> Vec<(Pane, Rect)> {
    let places = Layout::horizontal(columns.iter().map(|_| Constraint::Fill(1))).split(body);
    let mut all: Vec<(Pane, Rect)> = Vec::new();
    for (column, place) in columns.iter().zip(places.iter()) {
        let rects = Layout::vertical(column.iter().map(|(_, height)| *height)).split(*place);
        all.extend(column.iter().zip(rects.iter()).map(|((pane, _), rect)| (*pane, *rect)));
    }
    all.sort_by_key(|(pane, _)| *pane);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::state::Settings,
        domain::{
            catalog::{Catalog, DatabaseSpec},
            ids::{PanelId, SourceId},
            rule::{Rule, When},
            time::Moment,
        },
    };

    fn rule() -> Rule {
        Rule::new("slow", "Slow", When::parse("api.total_ms > 1s").unwrap())
    }

    fn state(database: bool, rules: usize) -> State {
        let mut catalog = Catalog { rules: vec![rule(); rules], ..Catalog::default() };
        if database {
            catalog.databases.push(DatabaseSpec {
                id: PanelId::from("main"),
                title: "Main".to_owned(),
                source: SourceId::from("postgres"),
                connections_warning_above: 0.8,
                connections_critical_above: 0.9,
                long_query: std::time::Duration::from_secs(30),
                down_after: crate::domain::catalog::down_after(),
            });
        }
        State::new(catalog, Moment::at_seconds(0.0), Settings::default())
    }

    #[test]
    fn a_grid_shows_every_pane_once_and_leaves_no_cell_unused() {
        for (database, rules) in [(false, 0), (true, 0), (false, 1), (true, 40)] {
            let state = state(database, rules);
            for (width, height) in [(110, 30), (164, 40), (165, 40), (300, 100)] {
                let body = Rect::new(0, 1, width, height - 3);
                let grid = grid(&state, body);
                let panes: Vec<Pane> = grid.iter().map(|(pane, _)| *pane).collect();
                assert_eq!(panes, rows::panes(&state.world));
                let cells: u32 = grid.iter().map(|(_, place)| place.area()).sum();
                assert_eq!(cells, body.area(), "{width}x{height}");
                assert!(grid.iter().all(|(_, place)| place.height >= 4), "{width}x{height}");
            }
        }
    }
}
