//! A changed configuration.

use super::{guarded, say};
use crate::app::{
    alerts,
    msg::{Effect, Notice, Reloaded},
    state::State,
};

/// Takes a changed configuration over, and closes whatever was about to be done by the old
/// one. What is not in force is named.
pub(super) fn apply(state: &mut State, changed: Reloaded, effects: &mut Vec<Effect>) {
    let had_dialog = guarded::close_unstarted(state);
    let forgotten = state.world.adopt(changed.catalog, changed.since);
    state.view.utc = changed.utc.unwrap_or(state.view.utc);
    let mut text = "the changed configuration is in force".to_owned();
    if had_dialog {
        text.push_str("; the open dialog was closed, its action may have changed");
    }
    let actions = &mut state.world.actions;
    if actions.read_only != changed.read_only {
        actions.read_only = changed.read_only;
        text.push_str(if changed.read_only { "; it is read-only" } else { "; no more read-only" });
    }
    if changed.read_only && actions.armed.take().is_some() {
        text.push_str(", and disarmed");
        let text = "the configuration became read-only".to_owned();
        effects.push(Effect::Note { kind: "disarmed", text });
    }
    for ended in alerts::take_dropped(&mut state.world) {
        say(&mut state.world, Notice::warning(ended), effects);
    }
    if !forgotten.is_empty() {
        let names: Vec<&str> = forgotten.iter().map(|source| source.as_str()).collect();
        text.push_str("; begun anew, because it is another one: ");
        text.push_str(&names.join(", "));
    }
    let notice = if changed.needs_restart.is_empty() {
        Notice::info(text)
    } else {
        let keys = changed.needs_restart.join(", ");
        Notice::warning(format!("{text}; but not, before the console is started again: {keys}"))
    };
    say(&mut state.world, notice, effects);
    effects.push(Effect::Redraw);
}
