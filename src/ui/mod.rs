//! The screen: a pure function from the state to cells.
//!
//! ```text
//! ┌ header: service, environment, armed or read-only, live or frozen, clock, pulse ┐
//! │ bands: what must be seen, such as a run under way                               │
//! │ panes: a grid where there is room, one pane and a strip of tabs where there is  │
//! │ little, one line per signal where there is none                                 │
//! └ footer: the newest message, the keys that work here                             ┘
//! ```
//!
//! Layers (help, palette, menus, dialogs) are drawn over the panes, the topmost last.
//! Nothing in here changes the state.

pub mod keys;

pub mod layout;

pub mod header;

pub mod bands;

mod calling;

pub mod tabs;

pub mod panes;

pub mod widgets;

pub mod signals;

pub mod footer;

pub mod layers;

pub mod dialogs;

pub mod plain;

pub mod scene;

pub mod theme;

pub mod format;

pub mod paint;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use self::{
    layout::{Regions, Shape},
    scene::Scene,
    theme::Theme,
};
use crate::app::{findings, state::State};

/// What the screen says about the console itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chrome {
    /// Who is at the console, and where: `eva@ops1`.
    pub identity: String,
}

/// Draws everything. Returns where the cursor stands, where something is being typed.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    theme: Theme,
    chrome: &Chrome,
) -> Option<(u16, u16)> {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return None;
    }
    let scene = Scene::new(state, theme);
    let regions = layout::regions(state, area);
    body(buffer, &regions, state, &scene);
    if header::is_armed(state) && regions.shape != Shape::List {
        sides(buffer, regions.stage.union(regions.message), theme);
    }
    // Also while the panes are frozen, header and footer judge the present.
    let now = match state.frozen {
        None => findings::judge(&scene.findings),
        Some(_) => state.world.verdict(),
    };
    header::draw(buffer, regions.header, state, theme, chrome, now.0);
    bands::draw(buffer, regions.bands, state, theme);
    let layered = layers::draw(buffer, &regions, state, theme);
    let typed = footer::draw(buffer, &regions, state, theme, &now);
    if theme.ascii {
        paint::only_ascii(buffer, area);
    }
    layered.or(typed)
}

fn body(buffer: &mut Buffer, regions: &Regions, state: &State, scene: &Scene<'_>) {
    let focus = state.view.focus;
    if !regions.strip.is_empty() {
        tabs::draw(buffer, regions.strip, scene);
    }
    match regions.shape {
        Shape::List => signals::draw(buffer, regions.body, scene),
        Shape::Zoomed => panes::draw(buffer, regions.body, scene, focus, true, true),
        Shape::Stacked => {
            let others = crate::app::rows::panes(scene.world).len().saturating_sub(1);
            let (pane, lines) = layout::stacked(regions.body, others);
            panes::draw(buffer, pane, scene, focus, true, false);
            tabs::others(buffer, lines, scene);
        }
        Shape::Grid => {
            for (pane, place) in layout::grid(state, regions.body) {
                panes::draw(buffer, place, scene, pane, pane == focus, false);
            }
        }
    }
}

/// While actions are allowed, a band says so and both sides of the screen show it. Header and
/// footer keep their colours: they tell how the service is, which matters most just then.
fn sides(buffer: &mut Buffer, area: Rect, theme: Theme) {
    let style = theme.armed();
    for x in [area.left(), area.right().saturating_sub(1)] {
        let side = Rect { x, width: 1, ..area };
        buffer.set_style(side, Style::reset());
        buffer.set_style(side, style);
    }
}
