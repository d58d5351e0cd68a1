//! Moving about in the list of log entries: following, searching, filtering, marking.

use std::time::Duration;

use super::say;
use crate::{
    app::{
        command::LogCommand,
        logs::{self, Filter, What, everywhere, find, selected, shown},
        msg::{Effect, Notice},
        rows,
        state::State,
        view::{Layer, Line, Pane},
    },
    domain::{
        ids::SourceId,
        log::{Pattern, Severity},
    },
};

/// While the list follows, the logs are asked this often. A look at a log asks nobody: it
/// reports what has been gathered.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Applies a command.
pub(super) fn apply(state: &mut State, command: LogCommand, effects: &mut Vec<Effect>) {
    if !logs::any(&state.world.catalog) {
        say(&mut state.world, Notice::warning("no log is configured"), effects);
        return;
    }
    list(state);
    let view = &mut state.view.logs;
    match command {
        LogCommand::Follow if view.is_paused() => follow(state),
        LogCommand::Follow => pause(state),
        LogCommand::Wrap => view.wrap = !view.wrap,
        LogCommand::Times => view.timeless = !view.timeless,
        LogCommand::Level => {
            let filter = state.world.logs.buffer.filter().clone();
            set_filter(state, &Filter { least: filter.least.narrower(), ..filter });
        }
        LogCommand::Search => {
            let text = view.search.clone();
            super::command::open(state, Layer::Search(Line { text, chosen: 0 }));
        }
        LogCommand::Next => again(state, false, effects),
        LogCommand::Previous => again(state, true, effects),
        LogCommand::Mark => mark(state),
    }
}

/// Brings the list of entries up, where something else is looked at.
pub(super) fn list(state: &mut State) {
    if !state.view.lists_entries() {
        state.view.focus = Pane::Logs;
        state.view.zoomed = true;
        state.view.pane_mut(Pane::Logs).tab = 0;
    }
}

/// What follows is to be seen soon after it is written.
pub(super) fn tick(state: &State, effects: &mut Vec<Effect>) {
    let follows = state.view.lists_entries() && !state.view.logs.is_paused();
    if !follows || state.frozen.is_some() {
        return;
    }
    // What fails keeps its own rhythm, so that failures count as they would anyway.
    let world = &state.world;
    let slow = |id: &SourceId| {
        world.sources.quality(id, world.now).usable()
            && world.sources.get(id).is_some_and(|source| source.interval > LOOK_EVERY)
    };
    let due: Vec<_> = logs::sources(&world.catalog).into_iter().filter(slow).collect();
    if !due.is_empty() {
        effects.push(Effect::Listen(due));
    }
}

/// The list moves on with what comes.
fn follow(state: &mut State) {
    let view = &mut state.view.logs;
    (view.held, view.cursor, view.found) = (None, None, None);
}

/// The list stands still as it is now.
fn pause(state: &mut State) {
    if state.view.logs.is_paused() {
        return;
    }
    let newest = selected(state.shown(), &state.view).map(|line| line.number);
    let held = state.shown().logs.clone();
    state.view.logs.cursor = newest;
    state.view.logs.held = Some(Box::new(held));
}

/// Moves the selection. Upwards it stops following; the very end follows again.
pub(super) fn step(state: &mut State, by: i32) {
    if by >= i32::MAX / 2 {
        follow(state);
        return;
    }
    if by > 0 && !state.view.logs.is_paused() {
        return;
    }
    pause(state);
    let buffer = shown(state.shown(), &state.view);
    let listed = buffer.listed();
    let from = state.view.logs.position(buffer, &listed);
    let to = super::command::moved(from, by, listed.len());
    select(state, to);
}

/// Selects the line at a place of the list.
fn select(state: &mut State, position: usize) {
    let buffer = shown(state.shown(), &state.view);
    let listed = buffer.listed();
    let number =
        listed.get(position).and_then(|at| buffer.lines().get(*at)).map(|line| line.number);
    if state.view.logs.cursor != number {
        state.view.logs.found = None;
    }
    state.view.logs.cursor = number;
}

/// Enter in the zoomed log pane: an entry with everything that it says, or the entries of the
/// selected request.
pub(super) fn enter(state: &mut State, effects: &mut Vec<Effect>) {
    if state.view.lists_entries() {
        let line = selected(state.shown(), &state.view).cloned();
        if let Some(What::Entry { source, entry }) = line.map(|line| line.what) {
            pause(state);
            state.view.layers.push(Layer::Entry { source, entry, scroll: 0 });
        }
        return;
    }
    let chosen = rows::selected(state, Pane::Logs);
    let worst = logs::worst(state.shown());
    let request = worst.into_iter().find(|(id, of)| Some(logs::request_id(id, of)) == chosen);
    match request.map(|(_, request)| request.trace) {
        None => {}
        Some(None) => {
            let text = "this request has no trace id to find its entries by";
            say(&mut state.world, Notice::warning(text), effects);
        }
        Some(Some(trace)) => {
            list(state);
            follow(state);
            let text = regex::escape(&trace);
            state.view.pane_mut(Pane::Logs).filter.clone_from(&text);
            set_filter(state, &Filter { least: Severity::Other, text });
            let text = format!("only entries with {trace}; Esc shows all");
            say(&mut state.world, Notice::info(text), effects);
        }
    }
}

/// Which lines are listed, wherever there are lines.
fn set_filter(state: &mut State, filter: &Filter) {
    everywhere(state).for_each(|buffer| buffer.set_filter(filter.clone()));
    state.view.logs.found = None;
}

/// Applies the filter as far as it is typed. One that cannot be read changes nothing.
pub(super) fn filter_typed(state: &mut State) {
    let text = state.view.pane(Pane::Logs).filter;
    state.view.logs.complaint = Pattern::filter(&text).err();
    if state.view.logs.complaint.is_none() {
        let least = state.world.logs.buffer.filter().least;
        set_filter(state, &Filter { least, text });
    }
}

/// The line of the filter is closed: what holds is what could be read.
pub(super) fn filter_closed(state: &mut State) {
    if state.view.logs.complaint.take().is_some() {
        let holds = state.world.logs.buffer.filter().text.clone();
        state.view.pane_mut(Pane::Logs).filter = holds;
    }
}

/// One step back in the list. Whether there was one to take.
pub(super) fn back(state: &mut State) -> bool {
    if state.view.focus != Pane::Logs {
        return false;
    }
    let lists = state.view.lists_entries();
    if lists && !state.view.logs.search.is_empty() {
        state.view.logs.search.clear();
        state.view.logs.found = None;
    } else if !state.world.logs.buffer.filter().is_open() {
        state.view.pane_mut(Pane::Logs).filter.clear();
        set_filter(state, &Filter::default());
    } else if lists && state.view.logs.is_paused() {
        follow(state);
    } else {
        return false;
    }
    true
}

/// Takes the line that is searched for. Whether it can be read.
pub(super) fn search(state: &mut State, text: &str, effects: &mut Vec<Effect>) -> bool {
    let Ok(pattern) = Pattern::parse(text) else { return false };
    state.view.logs.search = text.to_owned();
    state.view.logs.found = None;
    if let Some(pattern) = pattern {
        jump(state, &pattern, false, true, effects);
    }
    true
}

fn again(state: &mut State, down: bool, effects: &mut Vec<Effect>) {
    match Pattern::parse(&state.view.logs.search) {
        Ok(Some(pattern)) => jump(state, &pattern, down, false, effects),
        _ => {
            let text = "nothing is searched for: / searches";
            say(&mut state.world, Notice::warning(text), effects);
        }
    }
}

/// To a match: a log is read from its end, so a search goes upwards.
fn jump(
    state: &mut State,
    pattern: &Pattern,
    down: bool,
    from_here: bool,
    effects: &mut Vec<Effect>,
) {
    let buffer = shown(state.shown(), &state.view);
    let listed = buffer.listed();
    let position = state.view.logs.position(buffer, &listed);
    let found = find(buffer, &listed, pattern, position, down, from_here);
    let Some((to, found)) = found else {
        let text = format!("no line that is listed matches '{}'", state.view.logs.search);
        // Nothing is wrong: it goes soon.
        say(&mut state.world, Notice::info(text), effects);
        return;
    };
    // Where it stands by number: pausing takes over what is there now.
    pause(state);
    select(state, to);
    state.view.logs.found = Some(found);
}

/// Draws a line at the present, wherever there are lines.
fn mark(state: &mut State) {
    let now = state.world.now.wall;
    let line = state.world.logs.buffer.mark(now);
    everywhere(state).skip(1).for_each(|buffer| buffer.put(line.clone()));
}

/// The entry that is looked at with everything that it says, as text; its fields one below the
/// other in Markdown.
pub(super) fn opened_text(state: &State, markdown: bool) -> Option<String> {
    let Some(Layer::Entry { source, entry, .. }) = state.view.layers.last() else { return None };
    let target = state.world.catalog.target();
    if !markdown {
        let mut text = format!("{} {target} {source}", entry.at);
        entry.write(&mut text);
        return Some(text);
    }
    let level = if entry.level.is_some() { entry.level_word() } else { "entry" };
    let mut text = format!("**{level}** {} ({target}, {source}, {})", entry.message, entry.at);
    for (name, value) in &entry.fields {
        text.push_str(&format!("\n- {name}: {value}"));
    }
    Some(text)
}
