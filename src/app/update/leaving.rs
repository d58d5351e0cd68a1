//! One step back, and out.

use std::time::Duration;

use super::{doctor, logs, say};
use crate::app::{
    msg::{Effect, Notice},
    state::State,
    view::Layer,
};

/// A second Ctrl-C within this time leaves.
const INTERRUPT_TWICE: Duration = Duration::from_secs(2);

/// Closes the topmost thing: layer, filter, freeze, zoom.
pub(super) fn back(state: &mut State) {
    if doctor::back(state) || close(state) || logs::back(state) {
        return;
    }
    let focus = state.view.focus;
    if !state.view.pane(focus).filter.is_empty() {
        state.view.pane_mut(focus).filter.clear();
    } else if state.frozen.take().is_some() {
        state.view.frozen = None;
    } else {
        state.view.zoomed = false;
    }
}

/// Closes the topmost layer. Whether there was one.
fn close(state: &mut State) -> bool {
    let closed = state.view.layers.pop();
    if matches!(closed, Some(Layer::Filter(_))) {
        logs::filter_closed(state);
    }
    closed.is_some()
}

/// `q`: one step back, and from the first view out.
pub(super) fn quit(state: &mut State, effects: &mut Vec<Effect>) {
    let at_root = state.view.layers.is_empty() && !state.view.zoomed;
    if at_root {
        quit_now(state, effects);
    } else {
        back(state);
    }
}

/// Leaves, unless an action is under way: then it must be asked for twice.
pub(super) fn quit_now(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let again = state.view.interrupted.is_some_and(|at| now.since(at) < INTERRUPT_TWICE);
    if let (Some(run), false) = (state.world.actions.in_flight(), again) {
        let text = format!(
            "{} is under way and not proven; once more within 2 s leaves all the same: it goes \
             on, and the next console follows it",
            run.title
        );
        state.view.interrupted = Some(now);
        say(&mut state.world, Notice::warning(text), effects);
        return;
    }
    leave(effects);
}

/// Leaves. A run that is still under way goes on without the console; its end stays open in
/// the journal until somebody has looked at its proof.
fn leave(effects: &mut Vec<Effect>) {
    effects.push(Effect::Quit);
}

/// Ctrl-C: closes the topmost layer; twice it leaves.
pub(super) fn interrupt(state: &mut State, effects: &mut Vec<Effect>) {
    if close(state) {
        return;
    }
    let now = state.world.now;
    if state.view.interrupted.is_some_and(|at| now.since(at) < INTERRUPT_TWICE) {
        leave(effects);
        return;
    }
    state.view.interrupted = Some(now);
    say(&mut state.world, Notice::info("Ctrl-C once more leaves; q also does"), effects);
}
