//! Bands across the screen: what must be seen whatever else is shown.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{calling, dialogs::run, paint, theme::Theme};
use crate::{
    app::{
        actions::{Run, Stage, over_limit},
        state::{State, World},
        view::Layer,
    },
    domain::{time::clock, verdict::Verdict},
};

/// A band: its look, and what it says.
pub type Band = (Tone, String);

/// The look of a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// How bad it is.
    Bad(Verdict),
    /// Actions are allowed.
    Armed,
    /// Worth knowing, and no call for anybody.
    Quiet,
}

/// The bands that must be seen now, most important first. They speak of the present, also
/// while the panes are frozen.
pub fn of(state: &State) -> Vec<Band> {
    let world = &state.world;
    let mut bands = Vec::new();
    if world.sources.cut_off() {
        let text = "CONSOLE OFFLINE: nothing can be reached from here; all below is old";
        bands.push((Tone::Bad(Verdict::Critical), text.to_owned()));
    }
    if let Some(why) = &world.actions.journal_failure {
        let text = format!("NO ACTIONS: the journal cannot be written: {why}");
        bands.push((Tone::Bad(Verdict::Critical), text));
    }
    if let Some(run) = world.actions.in_flight().filter(|run| !is_open(state, run)) {
        let mut text = run::in_words(run, world.now);
        let began = Some(run.started.wall).filter(|_| run.sent && run.result.is_none());
        if let Some(over) = began.and_then(|began| over_limit(world, &run.action, began)) {
            text.push_str(&format!(", {over}"));
        }
        bands.push((Tone::Bad(Verdict::Warning), text));
    }
    bands.extend(calling::bands(state));
    // The dialog of an action has no row to spare, and the header counts down anyway.
    if !matches!(state.view.layers.last(), Some(Layer::Dialog(_))) {
        bands.extend(armed(world));
    }
    let unresolved = world.actions.unresolved();
    if unresolved > 0 {
        let runs = if unresolved == 1 { "run has" } else { "runs have" };
        let text = format!(
            "UNRESOLVED: {unresolved} earlier {runs} no known end; look before trying again (x)"
        );
        bands.push((Tone::Bad(Verdict::Unknown), text));
    }
    bands.extend(calling::quiet(state));
    bands
}

/// For how long actions are allowed, and why.
fn armed(world: &World) -> Option<Band> {
    let left = world.actions.armed_for(world.now)?;
    let reason = world.actions.armed.as_ref().map_or("", |armed| armed.reason.as_str());
    let text = format!("ARMED {}  {reason}  (:disarm ends it)", clock(left));
    Some((Tone::Armed, text))
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
    for (row, (tone, text)) in area.rows().zip(of(state)) {
        let style = match tone {
            Tone::Bad(verdict) => theme.band(verdict),
            Tone::Armed => theme.armed(),
            Tone::Quiet => theme.quiet(),
        };
        paint::band(buffer, row, &text, style, theme);
    }
}
