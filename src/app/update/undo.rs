//! Undoing what has run, by the action that is configured for that.

use super::{guarded, say};
use crate::app::{
    actions::undo_of,
    msg::{Effect, Notice},
    state::State,
};

/// Opens the dialog of the action that undoes the run whose end is shown. Nothing is sent by
/// that: it has a guard of its own.
pub(super) fn undo(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(dialog) = guarded::dialog_of(state) else { return };
    let Some(run) = state.world.actions.run(&dialog.run) else { return };
    if run.outcome.is_none() {
        let text = "it is not over: S asks it to stop";
        return say(&mut state.world, Notice::warning(text), effects);
    }
    let Some(undo) = undo_of(&state.world, run).map(|spec| spec.id.clone()) else {
        let text = format!("{}: there is nothing to undo it with", run.title);
        return say(&mut state.world, Notice::warning(text), effects);
    };
    state.view.layers.pop();
    guarded::prepare(state, &undo, effects);
}
