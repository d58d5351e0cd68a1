//! From a key to what it means here.
//!
//! [`table::BINDINGS`] is the only place where a key gets a meaning; the help, the hints of
//! the footer and [`resolve`] all read it. Nothing that changes production hangs on a single
//! key outside a confirmation, and nothing at all of that kind on a Ctrl chord.

pub mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use self::table::{BINDINGS, Binding, Chord, Meaning};
use super::layers;
use crate::app::{
    actions::form,
    command::{Command, Edit},
    msg::Event,
    palette,
    state::State,
    view::{Context, Layer},
};

/// What a key means now; none where it means nothing.
pub fn resolve(state: &State, key: KeyEvent) -> Option<Event> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let context = state.view.context();
    if context == Context::Countdown {
        // Every key stops it, also one that means nothing anywhere.
        return Some(Event::Command(Command::Back));
    }
    // Esc and a letter that arrive together are reported as Alt and the letter. Nothing is
    // bound to Alt, so that a split sequence cannot become a command.
    let foreign =
        KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META;
    if key.modifiers.intersects(foreign) {
        return None;
    }
    let chord =
        Chord { code: key.code, control: key.modifiers.contains(KeyModifiers::CONTROL) }.tidied();
    let repeated = key.kind == KeyEventKind::Repeat;
    match find(context, chord).map(|binding| &binding.meaning) {
        Some(Meaning::Command(Command::Confirm)) if repeated => None,
        Some(Meaning::Command(command)) => command_here(state, command.clone()),
        Some(Meaning::Edit(edit)) => Some(Event::Edit(edit_here(state, edit.clone()))),
        None => unbound(state, context, chord),
    }
}

/// What pasted text means: always text, never keys.
pub fn paste(state: &State, text: impl Into<String>) -> Event {
    Event::Edit(form::pasted(state, text.into()))
}

/// The binding of a chord in a context.
pub fn find(context: Context, chord: Chord) -> Option<&'static Binding> {
    BINDINGS
        .iter()
        .find(|binding| binding.contexts.contains(&context) && binding.chords.contains(&chord))
}

/// Whether an action may have this letter in the menu: letters that move about in it keep
/// their meaning.
pub fn is_free_in_menu(letter: char) -> bool {
    find(Context::Menu, Chord::key(letter)).is_none()
}

/// A key that the table does not know: text where text is typed, an action's letter in the
/// menu of actions.
fn unbound(state: &State, context: Context, chord: Chord) -> Option<Event> {
    let KeyCode::Char(letter) = chord.code else { return None };
    if chord.control {
        return None;
    }
    match context {
        Context::Line | Context::Palette => Some(Event::Edit(Edit::Insert(letter))),
        Context::Form => Some(Event::Edit(form::typed(state, letter))),
        Context::Menu if matches!(state.view.layers.last(), Some(Layer::Actions { .. })) => {
            let actions = &state.world.catalog.actions;
            let action = actions.iter().find(|action| action.key == Some(letter))?;
            Some(Event::Command(Command::Prepare(action.id.clone())))
        }
        _ => None,
    }
}

/// Only the screen knows how much there is to scroll. A step beyond the end would have to
/// be taken back later, key by key, and therefore is not made.
fn command_here(state: &State, command: Command) -> Option<Event> {
    let Some(extent) = layers::extent(state) else { return Some(Event::Command(command)) };
    let page = extent.visible.max(2) as i32 - 1;
    let by = match command {
        Command::Move(by) => by,
        Command::Page(by) => by.saturating_mul(page),
        Command::First => i32::MIN / 2,
        Command::Last => i32::MAX / 2,
        other => return Some(Event::Command(other)),
    };
    let target = (extent.scroll as i64 + i64::from(by)).clamp(0, extent.last() as i64);
    let by = (target - extent.scroll as i64) as i32;
    (by != 0).then_some(Event::Command(Command::Move(by)))
}

/// Enter in the palette first completes what is not spelled out: what runs is what the line
/// says.
fn edit_here(state: &State, edit: Edit) -> Edit {
    let Some(Layer::Palette(line)) = state.view.layers.last() else { return edit };
    if edit != Edit::Accept || line.text.trim_start().contains(char::is_whitespace) {
        return edit;
    }
    let spelled_out = line.chosen == 0 && palette::parse(&state.world, &line.text).is_ok();
    let nothing_meant = line.chosen == 0 && line.text.is_empty();
    let nothing_near = palette::proposals(&state.world, &line.text).is_empty();
    if spelled_out || nothing_meant || nothing_near { edit } else { Edit::Complete }
}
