//! From the menu of actions to the runner: arming, preview, confirmation.

use std::time::Duration;

use super::{say, second};
use crate::app::{
    actions::{Armed, Dialog, Form, LONGEST_ARMED, Run, Stage, dialog, reach, why_not},
    command::Command,
    msg::{Effect, Notice, StartRun},
    palette,
    state::{MarkKind, State, World},
    view::{Layer, Line},
};
use crate::domain::{
    action::{Preview, Previewed, TakeOver},
    ask::Answers,
    catalog::ActionSpec,
    ids::ActionId,
    time::Moment,
};

/// The dialog, where it is the topmost layer.
pub(super) fn dialog_mut(state: &mut State) -> Option<&mut Dialog> {
    match state.view.layers.last_mut() {
        Some(Layer::Dialog(dialog)) => Some(dialog),
        _ => None,
    }
}

pub(super) fn dialog_of(state: &State) -> Option<&Dialog> {
    match state.view.layers.last() {
        Some(Layer::Dialog(dialog)) => Some(dialog),
        _ => None,
    }
}

/// Whether an open dialog takes the command for itself: keys typed ahead are dropped, and
/// any key stops a countdown.
pub(super) fn swallows(state: &mut State, command: &Command, effects: &mut Vec<Effect>) -> bool {
    let now = state.world.now;
    let Some(dialog) = dialog_of(state) else { return false };
    if matches!(dialog.stage, Stage::Countdown { .. }) {
        stop_countdown(state, effects);
        return true;
    }
    let decides = matches!(command, Command::Confirm);
    decides && dialog.is_type_ahead(now)
}

/// A key was pressed while the countdown ran.
pub(super) fn stop_countdown(state: &mut State, effects: &mut Vec<Effect>) {
    state.view.layers.pop();
    say(&mut state.world, Notice::info("stopped: nothing was sent"), effects);
}

/// Closes a dialog whose action was not handed to the runner yet.
pub(super) fn close_unstarted(state: &mut State) -> bool {
    let before = state.view.layers.len();
    state.view.layers.retain(|layer| match layer {
        Layer::Dialog(dialog) => dialog.stage == Stage::Running,
        Layer::Form(_) => false,
        _ => true,
    });
    state.view.layers.len() != before
}

pub(super) fn arm(state: &mut State, lasting: Duration, reason: String, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    if world.actions.read_only {
        say(
            world,
            Notice::warning(
                "the console is read-only, by the configuration or --read-only: nothing can be armed",
            ),
            effects,
        );
        return;
    }
    let lasting = lasting.min(LONGEST_ARMED);
    let words = palette::arm_words(lasting, &reason);
    world.actions.armed = Some(Armed { since: world.now, until: world.now.plus(lasting), reason });
    effects.push(Effect::Note { kind: "armed", text: words.clone() });
    say(world, Notice::warning(words), effects);
}

pub(super) fn disarm(state: &mut State, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    let text = if world.actions.armed.take().is_some() {
        effects.push(Effect::Note { kind: "disarmed", text: "by hand".to_owned() });
        "disarmed"
    } else {
        "was not armed"
    };
    close_unstarted(state);
    say(&mut state.world, Notice::info(text), effects);
}

/// Opens the dialog of an action and asks for its preview.
pub(super) fn prepare(state: &mut State, action: &ActionId, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    let Some(spec) = world.catalog.action(action).cloned() else {
        say(world, Notice::warning(format!("there is no action {action}")), effects);
        return;
    };
    if let Some(run) = world.actions.in_flight().filter(|run| run.action == *action) {
        // Its dialog was closed: back to it.
        let mut dialog =
            Dialog::new(run.id.clone(), action.clone(), world.catalog.target(), world.now);
        dialog.enter(Stage::Running, world.now);
        state.view.layers.retain(|layer| !matches!(layer, Layer::Actions { .. }));
        state.view.layers.push(Layer::Dialog(Box::new(dialog)));
        effects.push(Effect::Draw);
        return;
    }
    if let Some(why) = why_not(world, &spec) {
        if world.actions.journal_failure.is_some() {
            // The disk may have room again: the next attempt knows.
            let text = format!("{} was wanted while the journal could not be written", spec.id);
            effects.push(Effect::Note { kind: "journal", text });
        }
        say(world, Notice::warning(format!("{}: {why}", spec.title)), effects);
        return;
    }
    state.view.layers.retain(|layer| !matches!(layer, Layer::Actions { .. }));
    if spec.asks.is_empty() {
        open(state, &spec, Answers::none(), effects);
    } else {
        state.view.layers.push(Layer::Form(Box::new(Form::new(&spec))));
        effects.push(Effect::Draw);
    }
}

/// The form was filled in, and every value is sound.
pub(super) fn answered(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(Layer::Form(form)) = state.view.layers.last_mut() else { return };
    let spec = state.world.catalog.action(&form.action).filter(|spec| form.is_of(spec)).cloned();
    let Some(spec) = spec else {
        state.view.layers.pop();
        let text = "the configuration of this action has changed: begin again";
        return say(&mut state.world, Notice::warning(text), effects);
    };
    let answers = form.answers();
    if let Err(why) = spec.answered(&answers, state.world.now.wall) {
        form.complaint = Some(why);
        return;
    }
    state.view.layers.pop();
    open(state, &spec, answers, effects);
}

/// Opens the dialog and asks for the preview.
fn open(state: &mut State, spec: &ActionSpec, asked: Answers, effects: &mut Vec<Effect>) {
    let world = &mut state.world;
    let run = world.actions.next_run(world.now);
    let (action, target) = (spec.id.clone(), world.catalog.target());
    let dialog = Dialog::new(run.clone(), action.clone(), target, world.now);
    let dialog = Dialog { asked: asked.clone(), ..dialog };
    state.view.layers.push(Layer::Dialog(Box::new(dialog)));
    effects.push(Effect::Preview { run, action, asked });
    effects.push(Effect::Draw);
}

pub(super) fn previewed(state: &mut State, mut previewed: Previewed, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let dialog = state.view.layers.iter_mut().find_map(|layer| match layer {
        Layer::Dialog(dialog) if dialog.run == previewed.run => Some(dialog),
        _ => None,
    });
    let Some(dialog) = dialog else { return };
    if dialog.stage != Stage::Previewing {
        return;
    }
    if let Some(spec) = state.world.catalog.action(&dialog.action) {
        if let Ok(preview) = &mut previewed.outcome {
            reach::consider(&state.world, spec, preview);
        }
        dialog.take_preview(previewed.outcome, spec, now);
    }
    effects.push(Effect::Draw);
}

/// `y`.
pub(super) fn confirm(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(dialog) = dialog_of(state) else { return };
    if dialog.stage == Stage::Confirm {
        start(state, "y", effects);
    }
}

/// Asks why the locks that stand in the way are taken over.
pub(super) fn take_over(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let Some(dialog) = dialog_mut(state) else { return };
    if dialog.stage != Stage::Blocked || dialog.is_type_ahead(now) {
        return;
    }
    if dialog.holders().is_some() {
        dialog.enter(Stage::TakeOver(Line::default()), now);
        effects.push(Effect::Draw);
        return;
    }
    let text = "there is nobody to take over from: what stands in the way is not a lock";
    say(&mut state.world, Notice::warning(text), effects);
}

/// The reason or the phrase was entered.
pub(super) fn accept_line(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let Some(dialog) = dialog_of(state) else { return };
    let Some(spec) = state.world.catalog.action(&dialog.action).cloned() else { return };
    let Some(dialog) = dialog_mut(state) else { return };
    if dialog.is_type_ahead(now) {
        return;
    }
    match dialog.stage.clone() {
        Stage::TakeOver(line) | Stage::Reason(line) => {
            let reason = line.text.trim().to_owned();
            if reason.chars().count() < dialog::SHORTEST_REASON {
                dialog.complaint = Some(
                    "say why, in two characters at least: it goes into the journal".to_owned(),
                );
                return;
            }
            if matches!(dialog.stage, Stage::TakeOver(_)) {
                let from = dialog.holders().unwrap_or_default().to_vec();
                dialog.take_over = Some(TakeOver { reason: reason.clone(), from });
            }
            dialog.reason = reason;
            dialog.enter(Dialog::after_reason(&spec), now);
        }
        Stage::Phrase(line) if line.text == dialog.target => {
            if spec.guard.wants_second_person() {
                return second::ask(state, effects);
            }
            dialog.enter(Stage::Countdown { until: now.plus(dialog::COUNTDOWN) }, now);
        }
        Stage::Approval { line, .. } => second::typed(state, line.text.trim(), effects),
        Stage::Phrase(_) => {
            dialog.complaint = Some(format!("that is not {}", dialog.target));
        }
        _ => {}
    }
    effects.push(Effect::Draw);
}

/// Lets time pass for an open dialog: a countdown ends, a preview grows old, what must not be
/// while it is started has come.
pub(super) fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let Some(dialog) = dialog_of(state) else { return };
    let asks = !matches!(dialog.stage, Stage::Previewing | Stage::Blocked | Stage::Running);
    let spec = state.world.catalog.action(&dialog.action).filter(|_| asks);
    if let Some(why) = spec.and_then(|spec| reach::objection(&state.world, spec)) {
        dialog_mut(state).into_iter().for_each(|dialog| dialog.block(why.clone(), now));
        return effects.push(Effect::Draw);
    }
    match dialog.stage {
        Stage::Countdown { until } if now >= until => {
            let phrase = dialog.target.clone();
            start(state, &phrase, effects);
        }
        Stage::Approval { until, .. } if now >= until => second::in_vain(state, effects),
        Stage::Confirm | Stage::Phrase(_) | Stage::Reason(_) | Stage::TakeOver(_)
            if preview_too_old(dialog, now) =>
        {
            renew_preview(state, effects);
        }
        _ => {}
    }
}

fn preview_too_old(dialog: &Dialog, now: Moment) -> bool {
    let made = dialog.preview.as_ref().and_then(|outcome| outcome.as_ref().ok());
    made.is_some_and(|preview| now.since(preview.at) > dialog::PREVIEW_LASTS)
}

/// Measures again what an open dialog would do.
pub(super) fn measure_again(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let Some(dialog) = dialog_mut(state) else { return };
    dialog.preview = None;
    dialog.enter(Stage::Previewing, now);
    let (run, action) = (dialog.run.clone(), dialog.action.clone());
    effects.push(Effect::Preview { run, action, asked: dialog.asked.clone() });
}

/// Measures again: what was shown is too old to be agreed to.
fn renew_preview(state: &mut State, effects: &mut Vec<Effect>) {
    measure_again(state, effects);
    say(&mut state.world, Notice::warning("the preview was too old and is made again"), effects);
}

/// Hands the action to the runner, if everything still stands as it was shown.
fn start(state: &mut State, confirmation: &str, effects: &mut Vec<Effect>) {
    let now = state.world.now;
    let Some(dialog) = dialog_of(state).cloned() else { return };
    let spec: ActionSpec = match state.world.catalog.action(&dialog.action) {
        Some(spec) => spec.clone(),
        None => return,
    };
    if let Some(why) = why_not(&state.world, &spec) {
        state.view.layers.pop();
        say(
            &mut state.world,
            Notice::error(format!("{} was not started: {why}", spec.title)),
            effects,
        );
        return;
    }
    let moved = dialog.target != state.world.catalog.target();
    let Some(preview) = dialog.clear_preview().filter(|_| !moved) else {
        state.view.layers.pop();
        say(&mut state.world, Notice::error("not started: the target has changed"), effects);
        return;
    };
    if preview_too_old(&dialog, now) {
        renew_preview(state, effects);
        return;
    }
    let run = match new_run(&dialog, &spec, &state.world) {
        Ok(run) => run,
        Err(why) => {
            state.view.layers.pop();
            let text = format!("{} was not started: {why}", spec.title);
            return say(&mut state.world, Notice::error(text), effects);
        }
    };
    let order = order(&dialog, &spec, preview, &run, confirmation);
    effects.push(Effect::Start(Box::new(order)));
    state.world.actions.push(run);
    state.world.mark(MarkKind::Action, spec.title);
    if let Some(dialog) = dialog_mut(state) {
        dialog.enter(Stage::Running, now);
    }
    effects.push(Effect::Draw);
}

/// The run that a dialog becomes, with its proof complete.
///
/// # Errors
/// What was given is not what the action asks for any more.
pub(super) fn new_run(dialog: &Dialog, spec: &ActionSpec, world: &World) -> Result<Run, String> {
    let run = Run::new(dialog.run.clone(), &spec.answered(&dialog.asked, world.now.wall)?, world);
    Ok(run.with(&dialog.asked))
}

/// What the runner is handed: exactly what was shown and confirmed.
pub(super) fn order(
    dialog: &Dialog,
    spec: &ActionSpec,
    preview: &Preview,
    run: &Run,
    confirmation: &str,
) -> StartRun {
    let (readings, servers) = run.readings();
    StartRun {
        run: dialog.run.clone(),
        action: spec.id.clone(),
        digest: preview.digest.clone(),
        target: dialog.target.clone(),
        reason: dialog.reason.clone(),
        confirmation: confirmation.to_owned(),
        before: run.before(),
        readings,
        servers,
        cooldown: spec.cooldown,
        needs_second: spec.guard.wants_second_person(),
        break_glass: dialog.break_glass,
        take_over: dialog.take_over.clone(),
        affected: preview.affected(),
        asked: dialog.asked.clone(),
        drill: false,
    }
}

/// Asks the runner to stop; where the run is over and only its proof is waited for, stops
/// waiting, and its outcome is unknown.
pub(super) fn cancel(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(run) = state.world.actions.in_flight() else {
        say(&mut state.world, Notice::info("nothing is running"), effects);
        return;
    };
    let (id, action) = (run.id.clone(), run.action.clone());
    let (verifying, now) = (run.is_verifying(), state.world.now);
    if let Some(run) = state.world.actions.run_mut(&id) {
        if verifying {
            run.give_up(now);
        } else {
            run.cancelling = true;
        }
    }
    if verifying {
        super::conclude(&mut state.world, &id, effects);
        return;
    }
    effects.push(Effect::Cancel { run: id, action });
    say(&mut state.world, Notice::warning("asked the runner to stop"), effects);
}
