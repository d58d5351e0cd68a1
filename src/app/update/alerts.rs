//! What becomes of a change of an alert, and what people do about alerts.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;

use super::say;
use crate::{
    app::{
        alerts::{
            self, About, Acknowledgement, Change, Decision, Deeds, Kept, Maintenance, Silence,
        },
        command::{AlertCommand, Begun},
        msg::{Effect, Notice},
        rows,
        state::{State, World},
        view::{Layer, Line, Pane},
    },
    domain::{
        notification::whole_seconds,
        rule::{Phase, Priority, Severity},
        time::{Moment, short_duration},
    },
};

/// How often what is kept of the alerts is renewed while one of them is not ok.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// A wall clock that runs back by more than this was set.
const SET_BACK: SignedDuration = SignedDuration::from_secs(5);

/// Says and keeps what changed.
pub(super) fn changed(world: &mut World, changes: &[Change], effects: &mut Vec<Effect>) {
    for change in changes {
        if let Some(notice) = notice(world, change) {
            say(world, notice, effects);
        }
    }
    if !changes.is_empty() {
        crate::app::escalation::follow(world);
        effects.push(Effect::KeepAlerts(Box::new(alerts::kept(world))));
        effects.push(Effect::Draw);
    }
}

/// What is said of a change. Only what begins to fire or is over is news.
fn notice(world: &World, change: &Change) -> Option<Notice> {
    if !change.is_news() {
        return None;
    }
    let row = alerts::row(world, &change.rule)?;
    let title = &row.title;
    if !change.to.is_active() {
        let lasted = change.since.map(|since| world.now.wall_since(since)).unwrap_or_default();
        let peak = row.peak.map(|peak| format!(", worst {peak}")).unwrap_or_default();
        let lasted = whole_seconds(lasted);
        return Some(Notice::info(format!("{title} is over after {lasted}{peak}")));
    }
    let text = format!("{title} fires: {}", row.measured.as_ref().unwrap_or(&row.reason));
    Some(match (row.severity, row.muted.is_some()) {
        (Severity::Critical, false) => Notice::error(text),
        _ => Notice::warning(text),
    })
}

/// Time passed: evaluates what is due, ends what has ended.
pub(super) fn tick(world: &mut World, before: Moment, effects: &mut Vec<Effect>) {
    let changes = alerts::tick(world);
    changed(world, &changes, effects);
    crate::app::escalation::follow(world);
    tell(world, effects);
    let set_back = before.wall.duration_since(world.now.wall) > SET_BACK;
    if set_back {
        shared(world, Deeds::default(), effects);
    }
    let ended = world.alerts.handling.expire(world.now.wall);
    let keep = !ended.is_empty() || set_back || renews(world, before);
    for text in ended {
        say(world, Notice::warning(text), effects);
    }
    if keep {
        effects.push(Effect::KeepAlerts(Box::new(alerts::kept(world))));
    }
}

/// Tells people who do not look at the screen.
fn tell(world: &mut World, effects: &mut Vec<Effect>) {
    let told = alerts::tell(world);
    effects.extend(told.messages.into_iter().map(|message| Effect::Notify(Box::new(message))));
    effects.extend(told.ring.then_some(Effect::Ring));
    effects.extend(told.keep.map(Effect::KeepOutbox));
}

fn renews(world: &World, before: Moment) -> bool {
    let step = |at: Moment| at.mono.as_secs() / KEEP_EVERY.as_secs();
    let open = |phase: Phase| matches!(phase, Phase::Pending | Phase::Firing | Phase::Recovering);
    step(world.now) != step(before) && world.alerts.alerts.values().any(|alert| open(alert.phase))
}

/// Takes over what an earlier console kept.
pub(super) fn restored(world: &mut World, kept: Kept, effects: &mut Vec<Effect>) {
    let restored = alerts::restore(world, kept);
    for text in restored.said {
        say(world, Notice::info(text), effects);
    }
    for text in restored.remarks {
        say(world, Notice::warning(text), effects);
    }
    effects.push(Effect::Draw);
}

/// Takes over what people did at other consoles.
pub(super) fn shared(world: &mut World, deeds: Deeds, effects: &mut Vec<Effect>) {
    for text in alerts::take_over(world, deeds) {
        say(world, Notice::info(format!("elsewhere: {text}")), effects);
    }
    effects.push(Effect::Draw);
}

/// Applies a command about alerts.
pub(super) fn apply(state: &mut State, command: AlertCommand, effects: &mut Vec<Effect>) {
    if let AlertCommand::Begin(what) = command {
        return begin(state, what, effects);
    }
    let world = &mut state.world;
    match handle(world, command) {
        Ok(text) => {
            effects.push(Effect::Note { kind: "alerts", text: text.clone() });
            effects.push(Effect::KeepAlerts(Box::new(alerts::kept(world))));
            say(world, Notice::info(text), effects);
        }
        Err(why) => say(world, Notice::warning(why), effects),
    }
}

/// Opens the palette with the command on what is selected begun.
fn begin(state: &mut State, what: Begun, effects: &mut Vec<Effect>) {
    let (pane, missing) = match what {
        Begun::Taken => (Pane::Escalation, "select a level in the escalation pane first"),
        _ => (Pane::Alerts, "select an alert in the alerts pane first"),
    };
    let selected = rows::selected(state, pane);
    let Some(selected) = selected.filter(|_| state.view.focus == pane) else {
        return say(&mut state.world, Notice::warning(missing), effects);
    };
    let text = match what {
        Begun::Acknowledge => format!("ack {selected} 30m "),
        Begun::Silence => format!("silence {selected} 30m "),
        Begun::Priority => format!("priority {selected} "),
        // A level is named `level 2` in its list.
        Begun::Taken => format!("taken {} ", selected.trim_start_matches("level ")),
    };
    state.view.layers.push(Layer::Palette(Line { text, chosen: 0 }));
}

/// Does it, and says in words what was done.
fn handle(world: &mut World, command: AlertCommand) -> Result<String, String> {
    let now = world.now.wall;
    let by = world.actions.operator.clone();
    let until = |lasting: Duration| now.saturating_add(lasting).unwrap_or(now);
    match command {
        AlertCommand::Acknowledge { rule, lasting, reason } => {
            let id = known(world, &rule)?;
            if !world.alerts.is_firing(&id) {
                return Err(format!("{rule} does not fire: there is nothing to acknowledge"));
            }
            let text = format!("{by} looks after {rule} for {}: {reason}", short_duration(lasting));
            let at = alerts::decided_at(world, &About::Acknowledged(Arc::clone(&id)));
            let acknowledgement = Acknowledgement { by, reason, at, until: until(lasting) };
            world.alerts.handling.acknowledged.insert(id, acknowledgement);
            Ok(text)
        }
        AlertCommand::Unacknowledge(rule) => {
            let id = known(world, &rule)?;
            let about = About::Acknowledged(Arc::clone(&id));
            let at = alerts::decided_at(world, &about);
            match world.alerts.handling.acknowledged.remove(&id) {
                Some(of) => {
                    world.alerts.handling.end(about, at, Some(of.until), by);
                    Ok(format!("nobody looks after {rule} any more; {} did", of.by))
                }
                None => Err(format!("nobody has acknowledged {rule}")),
            }
        }
        AlertCommand::Silence { matcher, lasting, reason } => {
            let meant = world.alerts.rules.iter().filter(|rule| alerts::matches(&matcher, rule));
            let count = meant.count();
            if count == 0 {
                return Err(format!(
                    "{matcher} means no rule: write its name, a pattern such as redis_*, or severity=warning"
                ));
            }
            let s = if count == 1 { "" } else { "s" };
            let text = format!(
                "{by} silenced {matcher} ({count} rule{s}) for {}: {reason}",
                short_duration(lasting)
            );
            let at = alerts::decided_at(world, &About::Silence(matcher.clone()));
            world.alerts.handling.silences.retain(|of| of.matcher != matcher);
            let silence = Silence { matcher, by, reason, at, until: until(lasting) };
            world.alerts.handling.silences.push(silence);
            Ok(text)
        }
        AlertCommand::Unsilence(matcher) => unsilence(world, &matcher, by),
        AlertCommand::Maintenance { lasting, reason } => {
            let text = format!("maintenance by {by} for {}: {reason}", short_duration(lasting));
            let at = alerts::decided_at(world, &About::Maintenance);
            world.alerts.handling.maintenance =
                Some(Maintenance { by, reason, at, until: until(lasting) });
            Ok(text)
        }
        AlertCommand::EndMaintenance => {
            let at = alerts::decided_at(world, &About::Maintenance);
            let Some(of) = world.alerts.handling.maintenance.take() else {
                return Err("there is no maintenance window".to_owned());
            };
            world.alerts.handling.end(About::Maintenance, at, Some(of.until), by);
            Ok("the maintenance window is over".to_owned())
        }
        AlertCommand::Priority { rule, priority } => decide(world, &rule, priority, &by),
        AlertCommand::Taken { level, who } => taken(world, level, who),
        AlertCommand::Begin(_) => Ok(String::new()),
    }
}

/// Starts or stops the clock of a level.
pub(super) fn contacted(world: &mut World, level: u8, was: bool) {
    let about = About::Contacted(level);
    let now = Moment { wall: alerts::decided_at(world, &about), ..world.now };
    if was {
        world.escalation.contacted.insert(level, now);
    } else {
        world.escalation.contacted.remove(&level);
        let by = world.actions.operator.clone();
        world.alerts.handling.end(about, now.wall, None, by);
    }
}

fn known(world: &World, rule: &str) -> Result<Arc<str>, String> {
    let found = world.alerts.rule(rule).map(|rule| Arc::clone(&rule.id));
    found.ok_or_else(|| format!("there is no rule {rule}"))
}

fn decide(world: &mut World, rule: &str, priority: Priority, by: &str) -> Result<String, String> {
    let id = known(world, rule)?;
    let at = alerts::decided_at(world, &About::Priority(Arc::clone(&id)));
    let decision = Decision { by: by.to_owned(), priority, at };
    world.alerts.handling.priorities.insert(id, decision);
    Ok(format!("{by} decided that {rule} is {}, until it is over", priority.word()))
}

fn unsilence(world: &mut World, matcher: &str, by: String) -> Result<String, String> {
    let about = About::Silence(matcher.to_owned());
    let at = alerts::decided_at(world, &about);
    let silences = &mut world.alerts.handling.silences;
    if let Some(position) = silences.iter().position(|of| of.matcher == matcher) {
        let of = silences.remove(position);
        world.alerts.handling.end(about, at, Some(of.until), by);
        return Ok(format!("{matcher} is no longer silenced"));
    }
    let all: Vec<&str> = silences.iter().map(|of| of.matcher.as_str()).collect();
    Err(match all.as_slice() {
        [] => "nothing is silenced".to_owned(),
        all => format!("{matcher} is not silenced; {} is", all.join(", ")),
    })
}

fn taken(world: &mut World, level: u8, who: String) -> Result<String, String> {
    if !world.catalog.contacts.iter().any(|contact| contact.level == level) {
        return Err(format!("there is no level {level}"));
    }
    let text = format!("level {level}: {who} took it");
    let at = alerts::decided_at(world, &About::Taken);
    world.escalation.take(level, who, at);
    Ok(text)
}
