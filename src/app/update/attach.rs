//! Interactive runs: when the terminal is handed over.

use super::say;
use crate::{
    app::{
        actions::Run,
        msg::{Effect, Notice},
        state::{State, World},
    },
    domain::action::{ActionEvent, ActionStage},
};

/// A run of this console has begun: where it asks, it gets the terminal. One that another
/// console has begun gets it only when somebody says so.
pub(super) fn begun(world: &World, event: &ActionEvent, effects: &mut Vec<Effect>) {
    if event.stage != ActionStage::Started {
        return;
    }
    let run = world.actions.run(&event.run).filter(|run| run.by.is_none());
    if let Some(run) = run.filter(|run| asks(world, run)) {
        effects.push(hand_over(run));
    }
}

/// The run that is under way gets the terminal, where it asks.
pub(super) fn under_way(state: &mut State, effects: &mut Vec<Effect>) {
    let world = &state.world;
    let why = match world.actions.in_flight() {
        None => "nothing is running",
        Some(run) if !asks(world, run) => "it asks nothing: it is not interactive",
        Some(run) if !run.sent => "it has not begun yet",
        Some(run) if run.result.is_some() => "it asks nothing any more: it has ended",
        Some(run) => return effects.push(hand_over(run)),
    };
    say(&mut state.world, Notice::info(why), effects);
}

fn asks(world: &World, run: &Run) -> bool {
    world.catalog.action(&run.action).is_some_and(|spec| spec.interactive)
}

fn hand_over(run: &Run) -> Effect {
    Effect::Attach { run: run.id.clone(), title: run.title.clone() }
}
