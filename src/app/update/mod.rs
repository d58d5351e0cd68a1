//! The one function that changes the state.

mod alerts;

mod attach;

mod command;

mod doctor;

mod guarded;

mod leaving;

mod line;

mod logs;

mod second;

mod reload;

mod undo;

#[cfg(test)]
mod tests;

use super::{
    actions::{self, proof, run::Run},
    msg::{Effect, Event, Msg, Notice},
    state::{MarkKind, State, World},
};
use crate::domain::{
    action::{ActionEvent, PastRun},
    ids::RunId,
    observation::{KeyScan, Observation},
    time::{Moment, coarse_age},
};

/// Runs of other consoles that are followed at most.
const ADOPTED: usize = 8;

/// How often the sources behind open proofs are asked.
const PROOF_STEP: u64 = 2;

/// Applies a message. Pure: the same state and message always give the same state and
/// effects. A message from the past is taken at the time of the newest one.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    let before = state.world.now;
    state.world.now = latest(before, msg.at);
    match msg.event {
        Event::Tick => tick(state, before, &mut effects),
        Event::Observed(observation) => observed(&mut state.world, &observation, &mut effects),
        Event::Heard(observation) => heard(&mut state.world, &observation, &mut effects),
        Event::Skipped { source, waited } => {
            super::latency::skipped(&mut state.world, &source, waited);
            super::alerts::skipped(&mut state.world, &source, waited);
            effects.push(Effect::Draw);
        }
        Event::Command(command) => command::apply(state, command, &mut effects),
        Event::Edit(edit) => line::apply(state, edit, &mut effects),
        Event::Resized { columns, rows } => {
            state.view.size = (columns, rows);
            effects.push(Effect::Redraw);
        }
        Event::Previewed(previewed) => guarded::previewed(state, *previewed, &mut effects),
        Event::Action(event) => action(&mut state.world, &event, &mut effects),
        Event::Approved(approval) => second::approved(state, *approval, &mut effects),
        Event::History(history) => history_loaded(&mut state.world, history, &mut effects),
        Event::JournalFailed(why) => {
            say(
                &mut state.world,
                Notice::error(format!(
                    "nothing can be started: the journal cannot be written: {why}"
                )),
                &mut effects,
            );
            state.world.actions.journal_failure = Some(why);
        }
        Event::JournalWorks => {
            if state.world.actions.journal_failure.take().is_some() {
                let text = "the journal can be written again".to_owned();
                say(&mut state.world, Notice::info(text), &mut effects);
            }
        }
        Event::Examined(news) => doctor::examined(state, *news, &mut effects),
        Event::Scanned(scan) => scanned(&mut state.world, *scan, &mut effects),
        Event::Reloaded(changed) => reload::apply(state, *changed, &mut effects),
        Event::ReloadFailed(why) => say(
            &mut state.world,
            Notice::error(format!(
                "the changed configuration is refused, the old one stays: {why}"
            )),
            &mut effects,
        ),
        Event::Notice(notice) => say(&mut state.world, notice, &mut effects),
        Event::OutboxKept(outbox) => super::alerts::resume(&mut state.world, *outbox),
        Event::Delivered(delivery) => {
            if let Some(text) = super::alerts::delivered(&mut state.world, *delivery) {
                say(&mut state.world, Notice::warning(text), &mut effects);
            }
        }
        Event::NotifySender(sender) => {
            state.world.alerts.telling.sender = sender;
            effects.push(Effect::Draw);
        }
        Event::AlertsKept(kept) => alerts::restored(&mut state.world, *kept, &mut effects),
        Event::DeedsElsewhere(deeds) => alerts::shared(&mut state.world, *deeds, &mut effects),
        Event::Gap { blind_for } => gap(&mut state.world, blind_for, &mut effects),
    }
    effects
}

fn latest(before: Moment, at: Moment) -> Moment {
    if at.mono >= before.mono { at } else { Moment { mono: before.mono, wall: at.wall } }
}

/// Says something to the operator.
fn say(world: &mut World, notice: Notice, effects: &mut Vec<Effect>) {
    world.notices.say(world.now, notice);
    effects.push(Effect::Draw);
}

fn tick(state: &mut State, before: Moment, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    world.sources.age(world.now);
    super::health::refresh(world);
    super::cache::refresh(world);
    super::limits::refresh(world);
    if world.actions.armed.is_some() && world.actions.armed_for(world.now).is_none() {
        world.actions.armed = None;
        effects.push(Effect::Note { kind: "disarmed", text: "time over".to_owned() });
        say(world, Notice::warning("disarmed: the time is over"), effects);
    }
    let verifying = world.actions.runs.iter().find(|run| run.is_verifying());
    if let Some(run) = verifying
        && world.now.mono.as_secs() / PROOF_STEP != before.mono.as_secs() / PROOF_STEP
    {
        effects.push(Effect::Poll(run.proof_sources()));
    }
    verify(world, effects);
    alerts::tick(world, before, effects);
    guarded::tick(state, effects);
    logs::tick(state, effects);
    effects.push(Effect::Draw);
}

fn observed(world: &mut World, observation: &Observation, effects: &mut Vec<Effect>) {
    if !world.sources.observe(observation) {
        return;
    }
    super::health::observe(world, &observation.source);
    super::cache::observe(world, &observation.source);
    super::latency::observe(world, observation);
    super::limits::observe(world, &observation.source);
    super::logs::observe(world, observation);
    verify(world, effects);
    let changes = super::alerts::observe(world, observation);
    alerts::changed(world, &changes, effects);
    effects.push(Effect::Draw);
}

/// What was asked only because somebody reads along is listed. How often somebody reads must
/// not decide how many bad looks there were.
fn heard(world: &mut World, observation: &Observation, effects: &mut Vec<Effect>) {
    super::logs::observe(world, observation);
    effects.push(Effect::Draw);
}

fn action(world: &mut World, event: &ActionEvent, effects: &mut Vec<Effect>) {
    let Some(run) = world.actions.run_mut(&event.run) else { return };
    let over = run.report(event);
    let (ended, sources) = (run.outcome.is_some(), run.proof_sources());
    attach::begun(world, event, effects);
    if ended && over {
        conclude(world, &event.run, effects);
    } else if over {
        effects.push(Effect::Poll(sources));
    }
    verify(world, effects);
    effects.push(Effect::Draw);
}

/// Looks at the proofs of every run that waits for them, and ends the runs that can be ended.
fn verify(world: &mut World, effects: &mut Vec<Effect>) {
    let changed: Vec<Run> =
        world.actions.runs.iter().filter_map(|run| proof::verify(world, run)).collect();
    for next in changed {
        let (id, ended) = (next.id.clone(), next.outcome.is_some());
        if let Some(run) = world.actions.run_mut(&id) {
            *run = next;
        }
        if ended {
            conclude(world, &id, effects);
        }
    }
}

/// Writes the end of a run to the journal and says it.
fn conclude(world: &mut World, id: &RunId, effects: &mut Vec<Effect>) {
    use crate::domain::action::ActionOutcome;
    let Some(run) = world.actions.run(id) else { return };
    let Some(outcome) = run.outcome else { return };
    let evidence = run.evidence();
    let summary = run.result.as_ref().map_or("", |(result, _)| result.summary.as_str());
    let but = if run.failed_but_effective() { ", BUT its effect is there" } else { "" };
    let text = format!("{} {}{but}: {summary}", run.title, outcome.word());
    let notice = match outcome {
        ActionOutcome::Confirmed => Notice::info(text),
        ActionOutcome::Cancelled | ActionOutcome::NeverStarted => Notice::warning(text),
        ActionOutcome::Refuted | ActionOutcome::Failed | ActionOutcome::Unknown => {
            Notice::error(text)
        }
    };
    effects.push(Effect::Conclude {
        run: run.id.clone(),
        action: run.action.clone(),
        outcome,
        evidence,
    });
    say(world, notice, effects);
}

/// Takes the runs of earlier and of other consoles over. Those without an end are followed,
/// whoever started them, and proven when they are over.
fn history_loaded(world: &mut World, history: Vec<PastRun>, effects: &mut Vec<Effect>) {
    let before = world.actions.unresolved();
    let target = world.catalog.target();
    let elsewhere = world.actions.remember(history, &target);
    if !elsewhere.is_empty() {
        let text = format!("not resolved elsewhere, for its own console: {}", elsewhere.join("; "));
        say(world, Notice::warning(text), effects);
    }
    let history = std::mem::take(&mut world.actions.history);
    let is_known = |world: &World, past: &PastRun| world.actions.run(&past.run).is_some();
    let open = |past: &&PastRun| !past.resolved && past.trace.standing.is_some();
    let new: Vec<PastRun> = history
        .iter()
        .filter(|past| open(past) && !is_known(world, past))
        .take(ADOPTED)
        .cloned()
        .collect();
    let mut lines = Vec::new();
    for past in new.iter().rev() {
        let Some(spec) = world.catalog.action(&past.action).cloned() else { continue };
        let standing = actions::standing(world, past).unwrap_or_default();
        lines.push(format!("{} by {}: {standing}", spec.title, past.by));
        let run = Run::adopted(past, &spec, world);
        world.actions.push(run);
        effects.push(Effect::Follow { run: past.run.clone(), action: past.action.clone() });
    }
    world.actions.history = history;
    let known: Vec<RunId> = world.actions.runs.iter().map(|run| run.id.clone()).collect();
    world.actions.history.retain(|past| !known.contains(&past.run));
    let left = world.actions.unresolved();
    let count = lines.len() + if left > before { left } else { 0 };
    if count == 0 {
        return;
    }
    let s = if count == 1 { "" } else { "s" };
    let what = if lines.is_empty() {
        "no known end: look before trying again (x)".to_owned()
    } else {
        lines.join("; ")
    };
    say(world, Notice::error(format!("{count} action{s} unresolved: {what}")), effects);
}

fn scanned(world: &mut World, scan: KeyScan, effects: &mut Vec<Effect>) {
    if let Err(why) = &scan.outcome {
        let text = format!("the keys of {} could not be counted: {why}", scan.source);
        say(world, Notice::warning(text), effects);
    }
    let ids: Vec<_> = world
        .catalog
        .caches
        .iter()
        .filter(|spec| spec.source == scan.source)
        .map(|spec| spec.id.clone())
        .collect();
    for id in ids {
        if let Some(cache) = world.caches.get_mut(&id) {
            cache.scan = Some(scan.clone());
            cache.scanning = None;
        }
    }
    effects.push(Effect::Draw);
}

/// Nothing was observed for a while: nothing that was known is known any more.
fn gap(world: &mut World, blind_for: std::time::Duration, effects: &mut Vec<Effect>) {
    world.sources.forget_freshness();
    super::health::refresh(world);
    super::alerts::gap(world);
    let label = format!("blind for {}", coarse_age(blind_for));
    world.mark(MarkKind::Gap, label);
    if world.actions.armed.take().is_some() {
        effects.push(Effect::Note { kind: "disarmed", text: "the console was stopped".to_owned() });
    }
    let text = format!(
        "the console was stopped or the machine suspended for {}: everything is looked at again",
        coarse_age(blind_for)
    );
    say(world, Notice::warning(text), effects);
}
