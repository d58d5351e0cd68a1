//! Bands across the screen: what must be seen whatever else is shown.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{dialogs::run, paint, theme::Theme};
use crate::{
    app::{
        actions::{Run, Stage},
        state::State,
        view::Layer,
    },
    domain::verdict::Verdict,
};

/// A band: how bad, and what it says.
pub type Band = (Verdict, String);

/// The bands that must be seen now, most important first. They speak of the present, also
/// while the panes are frozen.
pub fn of(state: &State) -> Vec<Band> {
    let world = &state.world;
    let mut bands = Vec::new();
    if world.sources.cut_off() {
        let text = "CONSOLE OFFLINE: nothing can be reached from here; all below is old";
        bands.push((Verdict::Critical, text.to_owned()));
    }
    if let Some(why) = &world.actions.journal_failure {
        bands
            .push((Verdict::Critical, format!("NO ACTIONS: the journal cannot be written: {why}")));
    }
    if let Some(run) = world.actions.in_flight().filter(|run| !is_open(state, run)) {
        bands.push((Verdict::Warning, run::in_words(run, world.now)));
    }
    let unresolved = world.actions.unresolved();
    if unresolved > 0 {
        let runs = if unresolved == 1 { "run has" } else { "runs have" };
        let text = format!(
            "UNRESOLVED: {unresolved} earlier {runs} no known end; look before trying again (x)"
        );
        bands.push((Verdict::Unknown, text));
    }
    bands
}

/// Whether the run is told of in the topmost dialog anyway.
fn is_open(state: &State, run: &Run) -> bool {
    matches!(
        state.view.layers.last(),
        Some(Layer::Dialog(dialog)) if dialog.stage == Stage::Running && dialog.run == run.id
    )
}

/// Draws as many bands as there are rows.
pub fn draw(buffer: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    for (row, (verdict, text)) in area.rows().zip(of(state)) {
        paint::band(buffer, row, &text, theme.band(verdict), theme);
    }
}
