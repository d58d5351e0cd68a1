//! Typing: the palette, the filter, the reason, the phrase.

use super::{command, doctor, guarded, logs, say};
use crate::app::{
    actions::Stage,
    command::Edit,
    msg::{Effect, Notice},
    palette,
    state::State,
    view::{Layer, Line, Pane},
};

/// The longest line that can be typed, in characters.
const LONGEST: usize = 500;

/// Applies an edit to the line that is being typed.
pub(super) fn apply(state: &mut State, edit: Edit, effects: &mut Vec<Effect>) {
    effects.push(Effect::Draw);
    if countdown(state) {
        guarded::stop_countdown(state, effects);
        return;
    }
    let now = state.world.now;
    let dropped = matches!(state.view.layers.last(), Some(Layer::Dialog(dialog)) if dialog.is_type_ahead(now));
    if dropped {
        return;
    }
    if let Some(Layer::Form(form)) = state.view.layers.last_mut() {
        if form.edit(&edit, &state.world) {
            guarded::answered(state, effects);
        }
        return;
    }
    if let Edit::Paste(text) = edit {
        paste(state, &text, effects);
        return;
    }
    match edit {
        Edit::Accept => accept(state, effects),
        Edit::Complete => complete(state),
        Edit::Choose(by) => choose(state, by),
        other => {
            if let Some(line) = line_mut(state) {
                change(line, &other);
            }
            live_filter(state);
        }
    }
}

fn countdown(state: &State) -> bool {
    matches!(
        state.view.layers.last(),
        Some(Layer::Dialog(dialog)) if matches!(dialog.stage, Stage::Countdown { .. })
    )
}

fn line_mut(state: &mut State) -> Option<&mut Line> {
    match state.view.layers.last_mut()? {
        Layer::Palette(line) | Layer::Filter(line) | Layer::Search(line) => Some(line),
        Layer::Dialog(dialog) => {
            dialog.complaint = None;
            dialog.line_mut()
        }
        _ => None,
    }
}

fn change(line: &mut Line, edit: &Edit) {
    line.chosen = 0;
    match edit {
        Edit::Insert(c) if !c.is_control() && line.text.chars().count() < LONGEST => {
            line.text.push(*c);
        }
        Edit::Backspace => {
            line.text.pop();
        }
        Edit::DeleteWord => {
            let kept = line.text.trim_end().trim_end_matches(|c: char| !c.is_whitespace()).len();
            line.text.truncate(kept);
        }
        Edit::Clear => line.text.clear(),
        _ => {}
    }
}

/// Pasted text is taken into the palette, the filter and a reason; never into a phrase,
/// and anywhere else it is dropped with a word.
fn paste(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    let phrase = matches!(
        state.view.layers.last(),
        Some(Layer::Dialog(dialog))
            if matches!(dialog.stage, Stage::Phrase(_) | Stage::Approval { .. })
    );
    if phrase {
        if let Some(dialog) = guarded::dialog_mut(state) {
            dialog.complaint = Some("pasting is refused here: type it".to_owned());
        }
        return;
    }
    let Some(line) = line_mut(state) else {
        let count = text.chars().count();
        let text = format!("{count} pasted characters were dropped: there is nothing to type into");
        say(&mut state.world, Notice::warning(text), effects);
        return;
    };
    let room = LONGEST.saturating_sub(line.text.chars().count());
    let clean = crate::domain::text::safe(text);
    line.text.extend(clean.chars().take(room));
    live_filter(state);
}

/// The filter applies while it is typed.
fn live_filter(state: &mut State) {
    if let Some(Layer::Filter(line)) = state.view.layers.last() {
        let text = line.text.clone();
        if let Some(findings) = doctor::view_mut(state) {
            findings.filter = text;
            return;
        }
        let focus = state.view.focus;
        state.view.pane_mut(focus).filter = text;
        if focus == Pane::Logs {
            logs::filter_typed(state);
        }
    }
}

fn accept(state: &mut State, effects: &mut Vec<Effect>) {
    match state.view.layers.last() {
        // What cannot be read stays open, with the reason beside it.
        Some(Layer::Filter(_)) if state.view.logs.complaint.is_some() => {}
        Some(Layer::Filter(_)) => {
            state.view.layers.pop();
        }
        Some(Layer::Search(line)) => {
            let text = line.text.clone();
            if logs::search(state, &text, effects) {
                state.view.layers.pop();
            }
        }
        Some(Layer::Palette(line)) => {
            let text = line.text.clone();
            match palette::parse(&state.world, &text) {
                Ok(command) => {
                    state.view.layers.pop();
                    command::apply(state, command, effects);
                }
                Err(why) => say(&mut state.world, Notice::warning(why), effects),
            }
        }
        Some(Layer::Dialog(_)) => guarded::accept_line(state, effects),
        _ => {}
    }
}

fn complete(state: &mut State) {
    let Some(Layer::Palette(line)) = state.view.layers.last() else { return };
    let proposals = palette::proposals(&state.world, &line.text);
    let chosen = proposals.get(line.chosen).map(|proposal| {
        let space = if proposal.arguments.is_empty() { "" } else { " " };
        format!("{}{space}", proposal.text)
    });
    let has_arguments = line.text.trim_start().contains(char::is_whitespace);
    if let (Some(text), Some(Layer::Palette(line)), false) =
        (chosen, state.view.layers.last_mut(), has_arguments)
    {
        *line = Line { text, chosen: 0 };
    }
}

fn choose(state: &mut State, by: i32) {
    let Some(Layer::Palette(line)) = state.view.layers.last() else { return };
    let count = palette::proposals(&state.world, &line.text).len() as i64;
    if let (Some(Layer::Palette(line)), true) = (state.view.layers.last_mut(), count > 0) {
        line.chosen = (line.chosen as i64 + i64::from(by)).rem_euclid(count) as usize;
    }
}
