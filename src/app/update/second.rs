//! The second person that an irreversible action needs: asked, waited for, or done without,
//! loudly.

use super::{guarded, say};
use crate::{
    app::{
        actions::Stage,
        msg::{Effect, Notice},
        state::State,
        view::Line,
    },
    domain::action::{APPROVAL_LASTS, Approval, BREAK_GLASS, BREAK_GLASS_REASON},
};

/// Asks for a second person: the target was typed.
pub(super) fn ask(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let Some(dialog) = guarded::dialog_of(state) else { return };
    let Some(spec) = state.world.catalog.action(&dialog.action) else { return };
    let Some(preview) = dialog.clear_preview() else { return };
    let Ok(run) = guarded::new_run(dialog, spec, &state.world) else { return };
    let start = guarded::order(dialog, spec, preview, &run, &dialog.target);
    let (digest, request) = (start.digest.clone(), preview.request.clone());
    effects.push(Effect::Ask { start: Box::new(start), request });
    if let Some(dialog) = guarded::dialog_mut(state) {
        dialog.pinned = Some(digest);
        let until = now.plus(APPROVAL_LASTS);
        dialog.enter(Stage::Approval { line: Line::default(), until }, now);
    }
    effects.push(Effect::Draw);
}

/// Something was typed while a second person is waited for: only one thing is taken.
pub(super) fn typed(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    let Some(dialog) = guarded::dialog_mut(state) else { return };
    if text != BREAK_GLASS {
        dialog.complaint =
            Some(format!("that is not {BREAK_GLASS:?}; a second person agrees elsewhere"));
    } else if dialog.reason.chars().count() < BREAK_GLASS_REASON {
        dialog.complaint = Some(format!(
            "going on alone takes a reason of {BREAK_GLASS_REASON} characters at least: Esc, and \
             begin again"
        ));
    } else {
        dialog.break_glass = true;
        guarded::measure_again(state, effects);
        let text = "BREAK GLASS: it goes on without a second person, and the journal says so";
        say(&mut state.world, Notice::error(text), effects);
    }
    effects.push(Effect::Draw);
}

/// Somebody agreed. What would be sent is measured again: it may have changed since.
pub(super) fn approved(state: &mut State, approval: Approval, effects: &mut Vec<Effect>) {
    let text = format!("agreed by {}", approval.words());
    let Some(dialog) = guarded::dialog_mut(state) else { return };
    let waits = matches!(dialog.stage, Stage::Approval { .. });
    let same = dialog.pinned.as_ref() == Some(&approval.digest);
    if dialog.run != approval.run || !waits || !same {
        return;
    }
    dialog.approval = Some(approval);
    guarded::measure_again(state, effects);
    say(&mut state.world, Notice::warning(text), effects);
}

/// Nobody agreed in time.
pub(super) fn in_vain(state: &mut State, effects: &mut Vec<Effect>) {
    state.view.layers.pop();
    let text = "nobody agreed within 10 minutes: nothing was sent";
    say(&mut state.world, Notice::warning(text), effects);
}
