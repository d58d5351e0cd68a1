//! The operator's commands.

use std::time::Duration;

use super::{
    alerts, attach, doctor, guarded,
    leaving::{back, interrupt, quit, quit_now},
    logs, say, undo,
};
use crate::app::{
    command::Command,
    copy::row_text,
    msg::{Effect, Notice},
    palette, rows,
    state::{MarkKind, State},
    view::{Layer, Line, Pane},
};

/// Intervals that can be set from the keyboard lie between these.
const FASTEST: Duration = Duration::from_secs(1);
const SLOWEST: Duration = Duration::from_secs(300);

/// Applies a command.
pub(super) fn apply(state: &mut State, command: Command, effects: &mut Vec<Effect>) {
    effects.push(Effect::Draw);
    if guarded::swallows(state, &command, effects) {
        return;
    }
    match command {
        Command::Back => back(state),
        Command::Quit => quit(state, effects),
        Command::QuitNow => quit_now(state, effects),
        Command::Interrupt => interrupt(state, effects),
        Command::Redraw => effects.push(Effect::Redraw),
        Command::Suspend => effects.push(Effect::Suspend),
        Command::Help => open(state, Layer::Help { scroll: 0 }),
        Command::Messages => open(state, Layer::Messages { scroll: 0 }),
        Command::Palette => open(state, Layer::Palette(Line::default())),
        Command::Filter => {
            let of_findings = match state.view.layers.last() {
                Some(Layer::Doctor(view)) => Some(view.filter.clone()),
                _ => None,
            };
            if of_findings.is_none() && state.view.focus == Pane::Logs {
                // What is narrowed is the list of entries.
                logs::list(state);
            }
            let text = of_findings.unwrap_or_else(|| state.view.pane(state.view.focus).filter);
            open(state, Layer::Filter(Line { text, chosen: 0 }));
        }
        Command::ActionMenu => open(state, Layer::Actions { selected: 0 }),
        Command::DemoMenu => demo_menu(state, effects),
        Command::Doctor => doctor::open(state, effects),
        Command::Examine => doctor::begin(state, effects),
        Command::DemoFault(name) => effects.push(Effect::DemoFault(name)),
        Command::Prepare(action) => guarded::prepare(state, &action, effects),
        Command::Confirm => guarded::confirm(state, effects),
        Command::CancelRun => guarded::cancel(state, effects),
        Command::TakeOver => guarded::take_over(state, effects),
        Command::Undo => undo::undo(state, effects),
        Command::Attach => attach::under_way(state, effects),
        Command::Arm { lasting, reason } => guarded::arm(state, lasting, reason, effects),
        Command::Disarm => guarded::disarm(state, effects),
        Command::Alert(command) => alerts::apply(state, command, effects),
        Command::Log(command) => logs::apply(state, command, effects),
        other => look(state, other, effects),
    }
}

/// Commands that only change what is looked at, or how often.
fn look(state: &mut State, command: Command, effects: &mut Vec<Effect>) {
    match command {
        Command::FocusPane(number) => focus(state, number, effects),
        Command::NextPane => cycle(state, 1),
        Command::PreviousPane => cycle(state, -1),
        Command::Zoom => state.view.zoomed = !state.view.zoomed,
        Command::Enter => enter(state, effects),
        Command::Move(by) => step(state, by),
        Command::Page(by) if shows_detail(state) => {
            let by = by.saturating_mul(page(state));
            let position = state.view.pane_mut(state.view.focus);
            position.scroll = moved(position.scroll, by, 1_000);
        }
        Command::Page(by) => step(state, by.saturating_mul(page(state))),
        Command::First => step(state, i32::MIN / 2),
        Command::Last => step(state, i32::MAX / 2),
        Command::NextTab => tab(state, 1),
        Command::PreviousTab => tab(state, -1),
        Command::Freeze => freeze(state, effects),
        Command::PollNow => {
            let sources = rows::sources_of(&state.world, state.view.focus);
            say(&mut state.world, Notice::info("asking now"), effects);
            effects.push(Effect::Poll(sources));
        }
        Command::Slower => interval(state, 2.0, effects),
        Command::Faster => interval(state, 0.5, effects),
        Command::ScanKeys => scan(state, effects),
        Command::Unmask => unmask(state, effects),
        Command::Copy => copy(state, false, effects),
        Command::CopyMarkdown => copy(state, true, effects),
        Command::Save => effects.push(Effect::Save),
        Command::MarkDeploy(label) => {
            state.world.mark(MarkKind::Deploy, label.clone());
            effects.push(Effect::Note { kind: "deploy", text: label.clone() });
            say(&mut state.world, Notice::info(format!("deploy marker: {label}")), effects);
        }
        Command::Contacted(was) => contacted(state, was, effects),
        Command::ToggleUtc => state.view.utc = !state.view.utc,
        _ => {}
    }
}

/// Opens a layer, unless it is already the topmost.
pub(super) fn open(state: &mut State, layer: Layer) {
    let same = state
        .view
        .layers
        .last()
        .is_some_and(|top| std::mem::discriminant(top) == std::mem::discriminant(&layer));
    if !same {
        state.view.layers.push(layer);
    }
}

fn demo_menu(state: &mut State, effects: &mut Vec<Effect>) {
    if state.demo_faults.is_empty() {
        say(&mut state.world, Notice::warning("faults can only be switched in the demo"), effects);
    } else {
        open(state, Layer::Demo { selected: 0 });
    }
}

fn focus(state: &mut State, number: u8, effects: &mut Vec<Effect>) {
    match palette::pane_of(&state.world, number) {
        Ok(pane) => state.view.focus = pane,
        Err(why) => say(&mut state.world, Notice::warning(why), effects),
    }
}

fn cycle(state: &mut State, by: i32) {
    let panes = rows::panes(&state.world);
    let position = panes.iter().position(|pane| *pane == state.view.focus).unwrap_or(0);
    let count = panes.len() as i32;
    let next = (position as i32 + by).rem_euclid(count.max(1)) as usize;
    if let Some(pane) = panes.get(next) {
        state.view.focus = *pane;
    }
}

fn tab(state: &mut State, by: i32) {
    let pane = state.view.focus;
    let count = rows::tabs(pane) as i32;
    let position = state.view.pane_mut(pane);
    position.tab = (position.tab as i32 + by).rem_euclid(count.max(1)) as usize;
    position.selected = None;
    position.scroll = 0;
}

/// Enter: takes the selected entry of a menu, otherwise zooms. It never confirms anything.
fn enter(state: &mut State, effects: &mut Vec<Effect>) {
    match state.view.layers.last() {
        Some(Layer::Actions { selected }) => {
            let action = state.world.catalog.actions.get(*selected).map(|spec| spec.id.clone());
            if let Some(action) = action {
                guarded::prepare(state, &action, effects);
            }
        }
        Some(Layer::Demo { selected }) => {
            if let Some((name, ..)) = state.demo_faults.get(*selected) {
                effects.push(Effect::DemoFault(name.clone()));
            }
        }
        Some(Layer::Help { .. } | Layer::Messages { .. } | Layer::Entry { .. }) => {
            state.view.layers.pop();
        }
        Some(Layer::Doctor(_)) => doctor::enter(state),
        Some(
            Layer::Palette(_)
            | Layer::Filter(_)
            | Layer::Search(_)
            | Layer::Form(_)
            | Layer::Dialog(_),
        ) => {}
        None if state.view.focus == Pane::Logs && state.view.zoomed => logs::enter(state, effects),
        None => state.view.zoomed = true,
    }
}

/// Whether the selected row is told in full beside the list: pages then turn what is told.
fn shows_detail(state: &State) -> bool {
    let details = matches!(state.view.focus, Pane::Health | Pane::Alerts);
    state.view.layers.is_empty() && state.view.zoomed && details
}

/// Rows that fit on a page, roughly: enough for Page Up and Page Down.
fn page(state: &State) -> i32 {
    i32::from(state.view.size.1.saturating_sub(6).max(1)) / 2
}

/// Moves the selection or scrolls whatever has the keys.
fn step(state: &mut State, by: i32) {
    let actions = state.world.catalog.actions.len();
    let faults = state.demo_faults.len();
    match state.view.layers.last_mut() {
        Some(Layer::Help { scroll } | Layer::Messages { scroll } | Layer::Entry { scroll, .. }) => {
            *scroll = moved(*scroll, by, 1_000);
        }
        Some(Layer::Dialog(dialog)) => dialog.scroll = moved(dialog.scroll, by, 1_000),
        Some(Layer::Actions { selected }) => *selected = moved(*selected, by, actions),
        Some(Layer::Demo { selected }) => *selected = moved(*selected, by, faults),
        Some(Layer::Doctor(_)) => doctor::step(state, by),
        Some(Layer::Palette(_) | Layer::Filter(_) | Layer::Search(_) | Layer::Form(_)) => {}
        None => step_row(state, by),
    }
}

pub(super) fn moved(position: usize, by: i32, count: usize) -> usize {
    let last = count.saturating_sub(1) as i64;
    (position as i64 + i64::from(by)).clamp(0, last.max(0)) as usize
}

fn step_row(state: &mut State, by: i32) {
    if state.view.lists_entries() {
        logs::step(state, by);
        return;
    }
    let pane = state.view.focus;
    let view = state.view.pane(pane);
    let all = rows::of(state.shown(), pane, &view);
    let next = moved(rows::position(&all, &view), by, all.len());
    let position = state.view.pane_mut(pane);
    let chosen = all.get(next).cloned();
    if position.selected != chosen {
        position.scroll = 0;
    }
    position.selected = chosen;
    if state.view.zoomed && all.len() <= 1 {
        let position = state.view.pane_mut(pane);
        position.scroll = moved(position.scroll, by, 1_000);
    }
}

fn freeze(state: &mut State, effects: &mut Vec<Effect>) {
    if state.frozen.take().is_some() {
        state.view.frozen = None;
        say(&mut state.world, Notice::info("live again"), effects);
    } else {
        state.view.frozen = Some(state.world.now);
        state.frozen = Some(Box::new(state.world.clone()));
        say(&mut state.world, Notice::info("frozen: data is still collected; Z goes on"), effects);
    }
}

fn interval(state: &mut State, factor: f64, effects: &mut Vec<Effect>) {
    let sources = rows::sources_of(&state.world, state.view.focus);
    let mut said = Vec::new();
    for id in sources {
        let Some(source) = state.world.sources.get(&id) else { continue };
        let next = source.interval.mul_f64(factor).clamp(FASTEST, SLOWEST.max(source.interval));
        said.push(format!("{id} every {}", crate::domain::time::short_duration(next)));
        state.world.sources.set_interval(&id, next);
        effects.push(Effect::SetInterval(id, next));
    }
    if !said.is_empty() {
        say(&mut state.world, Notice::info(said.join(", ")), effects);
    }
}

fn scan(state: &mut State, effects: &mut Vec<Effect>) {
    let selected = rows::selected(state, Pane::Cache);
    let world = &mut state.world;
    let spec = world
        .catalog
        .caches
        .iter()
        .filter(|spec| !spec.prefixes.is_empty())
        .find(|spec| selected.as_deref() == Some(spec.id.as_str()))
        .or_else(|| world.catalog.caches.iter().find(|spec| !spec.prefixes.is_empty()))
        .cloned();
    let Some(spec) = spec else {
        say(world, Notice::warning("no cache has key prefixes configured"), effects);
        return;
    };
    let now = world.now;
    if let Some(cache) = world.caches.get_mut(&spec.id) {
        cache.scanning = Some(now);
    }
    let groups = spec
        .prefixes
        .iter()
        .map(|prefix| (prefix.name.clone(), prefix.pattern.clone(), prefix.protected))
        .collect();
    effects.push(Effect::Scan { source: spec.source.clone(), groups });
    state.view.focus = Pane::Cache;
    state.view.pane_mut(Pane::Cache).tab = 1;
    let text = format!("counting the keys of {}", spec.title);
    say(&mut state.world, Notice::info(text), effects);
}

fn unmask(state: &mut State, effects: &mut Vec<Effect>) {
    state.view.unmasked = !state.view.unmasked;
    let text = if state.view.unmasked {
        "identifiers are shown in full: personal data is on the screen"
    } else {
        "identifiers are masked"
    };
    effects.push(Effect::Note { kind: "unmask", text: text.to_owned() });
    say(&mut state.world, Notice::info(text), effects);
}

fn copy(state: &mut State, markdown: bool, effects: &mut Vec<Effect>) {
    match logs::opened_text(state, markdown).or_else(|| row_text(state, markdown)) {
        Some(text) => effects.push(Effect::Copy(text)),
        None => say(&mut state.world, Notice::warning("nothing is selected"), effects),
    }
}

/// Starts the clock of the selected level, or takes that back. A clock that runs is never
/// stopped by the key that starts it.
fn contacted(state: &mut State, was: bool, effects: &mut Vec<Effect>) {
    let selected = rows::selected(state, Pane::Escalation);
    let world = &mut state.world;
    let row = crate::app::escalation::rows(world)
        .into_iter()
        .find(|row| state.view.focus == Pane::Escalation && Some(row.id()) == selected);
    let Some(row) = row else {
        say(world, Notice::warning("select a level in the escalation pane first"), effects);
        return;
    };
    let (level, name) = (row.spec.level, &row.spec.name);
    if let (true, Some(since)) = (was, row.contacted) {
        let ago = crate::domain::time::ago(world.now.wall_since(since));
        let text = format!(
            "the clock of level {level} ({name}) was started {ago} and runs; :contacted off takes that back"
        );
        return say(world, Notice::info(text), effects);
    }
    if !was && row.contacted.is_none() {
        let text = format!("level {level} ({name}) was not contacted: no clock runs");
        return say(world, Notice::info(text), effects);
    }
    alerts::contacted(world, level, was);
    effects.push(Effect::KeepAlerts(Box::new(crate::app::alerts::kept(world))));
    let text = if was {
        format!("level {level} ({name}) was contacted; the clock runs")
    } else {
        format!("level {level} ({name}): taken back, the clock is off")
    };
    effects.push(Effect::Note { kind: "contacted", text: text.clone() });
    say(world, Notice::info(text), effects);
}
