//! The examination of everything that is configured: asked for, looked through.

use super::say;
use crate::{
    app::{
        examination::{Examination, name_of},
        msg::{Effect, Notice},
        state::State,
        view::{DoctorView, Layer},
    },
    domain::{
        examination::{Examined, Grade},
        verdict::Verdict,
    },
};

/// Opens what was found last; begins an examination where there was none yet.
pub(super) fn open(state: &mut State, effects: &mut Vec<Effect>) {
    if state.world.examination.is_none() {
        begin(state, effects);
    }
    if view_mut(state).is_none() {
        state.view.layers.push(Layer::Doctor(DoctorView::default()));
    }
}

/// Begins another one, unless one goes on.
pub(super) fn begin(state: &mut State, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    let last = world.examination.as_ref();
    if last.is_some_and(|last| last.ended.is_none()) {
        say(world, Notice::info("an examination goes on already"), effects);
        return;
    }
    let number = last.map_or(0, |last| last.number) + 1;
    world.examination = Some(Examination::new(number, world.now));
    effects.push(Effect::Doctor { number });
}

/// Takes news of an examination in.
pub(super) fn examined(state: &mut State, news: Examined, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    let Some(examination) = &mut world.examination else { return };
    let before = examination.ended;
    examination.take(news, world.now);
    effects.push(Effect::Draw);
    if before.is_some() || examination.ended.is_none() {
        return;
    }
    let notice = verdict_of(examination);
    say(world, notice, effects);
}

/// What a finished examination comes to. What could not be found out does not work for all
/// that is known.
fn verdict_of(examination: &Examination) -> Notice {
    let [critical, warnings, unknown] =
        [Grade::Critical, Grade::Warning, Grade::Unknown].map(|grade| examination.count(grade));
    let mut text = format!("examined: {critical} critical, {warnings} to look at");
    if unknown > 0 {
        text.push_str(&format!(", {unknown} unknown"));
    }
    text.push_str(" (D shows them)");
    match examination.verdict() {
        Verdict::Ok => Notice::info("examined: everything would work now"),
        Verdict::Unjudged => Notice::warning("examined: nothing could be judged (D shows why)"),
        Verdict::Critical => Notice::error(text),
        Verdict::Warning | Verdict::Unknown => Notice::warning(text),
    }
}

/// The view of the examination, where it lies over the panes.
pub(super) fn view_mut(state: &mut State) -> Option<&mut DoctorView> {
    state.view.layers.iter_mut().rev().find_map(|layer| match layer {
        Layer::Doctor(view) => Some(view),
        _ => None,
    })
}

/// One step back within it; false where it is to be closed.
pub(super) fn back(state: &mut State) -> bool {
    let Some(Layer::Doctor(view)) = state.view.layers.last_mut() else { return false };
    if view.detail.take().is_some() {
        return true;
    }
    let filtered = !view.filter.is_empty();
    view.filter.clear();
    filtered
}

/// Opens the details of the selected finding, or closes them.
pub(super) fn enter(state: &mut State) {
    let found = state.world.examination.as_ref();
    let Some(Layer::Doctor(view)) = state.view.layers.last_mut() else { return };
    let something = found.and_then(|found| found.selected(view)).is_some();
    view.detail = if view.detail.is_none() && something { Some(0) } else { None };
}

/// Moves the selection, or scrolls the details.
pub(super) fn step(state: &mut State, by: i32) {
    let found = state.world.examination.as_ref();
    let Some(Layer::Doctor(view)) = state.view.layers.last_mut() else { return };
    if let Some(scroll) = &mut view.detail {
        *scroll = super::command::moved(*scroll, by, 1_000);
        return;
    }
    let Some(found) = found else { return };
    let rows = found.rows(&view.filter);
    let next = super::command::moved(found.position(view), by, rows.len());
    view.selected = rows.get(next).map(|row| name_of(row));
}
