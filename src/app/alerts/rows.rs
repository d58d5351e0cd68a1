//! The alerts as shown.

use std::{sync::Arc, time::Duration};

use super::{
    Acknowledgement, AlertsState, Muted,
    figures::{in_unit, is_state, measured, threshold},
    is_old,
};
use crate::{
    app::{actions, state::World},
    domain::{
        ids::ActionId,
        reading::Reading,
        rule::{Alert, Phase, Priority, Rule, Severity, Unit, unit_of},
        time::{Moment, ago, short_duration},
        value::Value,
        verdict::{Quality, Verdict},
    },
};

/// Said of an alert of an earlier console, or of a rule that was another one.
const UNCONFIRMED: &str = "taken over, not confirmed yet";

/// One alert as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    /// The rule.
    pub rule: Arc<str>,
    /// Its title.
    pub title: String,
    /// Its condition as written.
    pub when: String,
    /// How long that must be so: `for`.
    pub hold: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// The priority, as proposed or decided.
    pub priority: Priority,
    /// Whether a person decided the priority.
    pub decided: bool,
    /// Where it stands.
    pub phase: Phase,
    /// What it says about the service.
    pub verdict: Verdict,
    /// What the data is worth.
    pub quality: Quality,
    /// The figure, the last known one where there is none now.
    pub value: Option<String>,
    /// The figure as a number.
    pub number: Option<f64>,
    /// What it is compared with: `> 200 ms`.
    pub threshold: String,
    /// What it is compared with, as a number.
    pub limit: Option<f64>,
    /// The figure against what it is compared with, true as it stands: `412 ms > 200 ms`,
    /// `120 ms, not > 200 ms`, `up is no`.
    pub measured: Option<String>,
    /// What is measured is a state, such as whether something is up, and no amount.
    pub is_state: bool,
    /// Why the source that it looks at is down, where that is what is wrong.
    pub failure: Option<String>,
    /// How many values the figure rests on.
    pub n: Option<u64>,
    /// Since when the condition is true.
    pub since: Option<Moment>,
    /// When it began to fire.
    pub fired: Option<Moment>,
    /// The worst figure since then.
    pub peak: Option<String>,
    /// How much longer it must be true to fire.
    pub fires_in: Option<Duration>,
    /// How much longer it must be over to be resolved.
    pub over_in: Option<Duration>,
    /// Why it is as it is, in words.
    pub reason: String,
    /// When the newest value that it rests on was seen.
    pub seen: Option<Moment>,
    /// When the figure was seen, where it is not that of now.
    pub was: Option<Moment>,
    /// Who looks after it.
    pub acknowledged: Option<Acknowledgement>,
    /// Why it makes no noise, where it makes none.
    pub muted: Option<Muted>,
    /// It changes too often to be news.
    pub flapping: bool,
    /// Taken over from an earlier console, and not seen since.
    pub restored: bool,
    /// Actions that may help.
    pub suggests: Vec<Suggestion>,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// What it means.
    pub summary: Option<String>,
}

/// An action that may help. A person starts it, or nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The action.
    pub action: ActionId,
    /// Its title.
    pub title: String,
    /// Why it cannot be started now, where it cannot.
    pub why_not: Option<String>,
}

impl AlertRow {
    /// Whether it calls for somebody: it fires, nobody looks after it, nothing mutes it.
    pub fn calls(&self) -> bool {
        self.phase.is_active() && self.acknowledged.is_none() && self.muted.is_none()
    }

    /// Whether what it looks at is not configured here: it watches nothing.
    pub fn is_off(&self) -> bool {
        self.phase == Phase::Unknown && self.quality == Quality::Unconfigured
    }

    /// The state with what it rests on, in words: the figure where it is that of now,
    /// otherwise why it is not known, and what it was when.
    pub fn told(&self, now: Moment) -> String {
        let word = self.word();
        let figure = self.measured.as_ref().filter(|_| self.was.is_none());
        match (figure, self.quality.usable()) {
            (Some(measured), true) => match &self.failure {
                Some(why) => format!("{word} {measured}: {why}"),
                None => format!("{word} {measured}"),
            },
            (Some(_), false) => format!("{word}: {}", self.reason),
            (None, _) => match self.then(now) {
                Some(then) => format!("{word}: {}; {then}", self.reason),
                None => format!("{word}: {}", self.reason),
            },
        }
    }

    /// `it was 412 ms 3m ago`, where the figure is not that of now.
    pub fn then(&self, now: Moment) -> Option<String> {
        let (was, value) = (self.was?, self.value.as_ref()?);
        Some(format!("it was {value} {}", ago(now.since(was))))
    }

    /// The state in one word, as loud as it is.
    pub fn word(&self) -> &'static str {
        match self.phase {
            Phase::Firing => "FIRING",
            Phase::Recovering => "RECOVERING",
            Phase::Pending => "pending",
            Phase::Ok => "ok",
            Phase::Unknown => "unknown",
        }
    }
}

/// The alerts, what calls for somebody first.
pub fn rows(world: &World) -> Vec<AlertRow> {
    let state = &world.alerts;
    let mut rows: Vec<AlertRow> = state
        .rules
        .iter()
        .enumerate()
        .filter_map(|(position, rule)| Some((position, rule, state.alerts.get(&rule.id)?)))
        // That a source reports is only worth a row where it does not: the rules that are
        // not written by anybody stand behind those that are.
        .filter(|(position, _, alert)| {
            *position < world.catalog.rules.len() || alert.phase.is_active()
        })
        .map(|(_, rule, alert)| build(world, rule, alert))
        .collect();
    rows.sort_by_key(rank);
    rows
}

/// The alerts that fire or have just stopped to, in the order of the rules.
pub fn active(world: &World) -> Vec<AlertRow> {
    let state = &world.alerts;
    state
        .rules
        .iter()
        .filter_map(|rule| Some((rule, state.alerts.get(&rule.id)?)))
        .filter(|(_, alert)| alert.phase.is_active())
        .map(|(rule, alert)| build(world, rule, alert))
        .collect()
}

/// One alert.
pub fn row(world: &World, rule: &str) -> Option<AlertRow> {
    let rule = world.alerts.rule(rule)?;
    Some(build(world, rule, world.alerts.alerts.get(&rule.id)?))
}

/// The order of the list, smallest first.
fn rank(
    row: &AlertRow,
) -> (u8, bool, std::cmp::Reverse<Severity>, Priority, Option<Moment>, String) {
    let phase = match row.phase {
        Phase::Firing => 0,
        Phase::Recovering => 1,
        Phase::Pending => 2,
        Phase::Unknown if !row.is_off() => 3,
        Phase::Ok => 4,
        Phase::Unknown => 5,
    };
    let quiet = row.acknowledged.is_some() || row.muted.is_some();
    let severity = std::cmp::Reverse(row.severity);
    (phase, quiet, severity, row.priority, row.fired.or(row.since), row.title.clone())
}

/// What the alert of a rule says about the service.
pub fn verdict(rule: &Rule, alert: &Alert) -> Verdict {
    match alert.phase {
        Phase::Firing | Phase::Recovering => rule.severity.verdict(),
        Phase::Ok if alert.quality().usable() => Verdict::Ok,
        // Frozen by an error: that it was well is not that it is.
        Phase::Ok => Verdict::Unknown,
        // That a limit was passed just now is no alarm yet; what is measured is judged elsewhere.
        Phase::Pending => Verdict::Unjudged,
        Phase::Unknown => match alert.quality() {
            Quality::NoTraffic | Quality::TooFew | Quality::Unconfigured => Verdict::Unjudged,
            _ => Verdict::Unknown,
        },
    }
}

fn build(world: &World, rule: &Rule, alert: &Alert) -> AlertRow {
    let state = &world.alerts;
    let timing = state.timing(rule);
    let current = alert.finding.as_ref().filter(|finding| finding.value.is_some());
    let known = current.or(alert.last_known.as_ref());
    // The figure is that of the clause which decided.
    let clause = rule.when.clauses.get(known.map_or(0, |finding| finding.clause));
    let unit = clause.map_or(Unit::Unknown, |clause| unit_of(&clause.subject));
    let value = known.and_then(|finding| finding.value.as_ref());
    let limit = known.and_then(|finding| finding.threshold.as_ref()).and_then(Value::as_number);
    let decided = state.handling.priorities.get(&rule.id);
    AlertRow {
        rule: Arc::clone(&rule.id),
        title: rule.title.clone(),
        when: rule.when.to_string(),
        hold: rule.hold,
        severity: rule.severity,
        priority: state.priority(rule),
        decided: decided.is_some(),
        phase: alert.phase,
        verdict: verdict(rule, alert),
        quality: alert.quality(),
        value: value.map(|value| in_unit(value, unit)),
        number: value.and_then(Value::as_number),
        threshold: clause.map(|clause| threshold(clause, unit, limit)).unwrap_or_default(),
        limit,
        measured: known.zip(clause).and_then(|(finding, clause)| measured(finding, clause, unit)),
        failure: failure(world, rule, alert),
        is_state: clause.is_some_and(is_state),
        n: alert.finding.as_ref().and_then(|finding| finding.n),
        since: alert.since,
        fired: alert.fired,
        peak: alert.peak.map(|peak| in_unit(&Value::Number(peak), unit)),
        fires_in: alert.fires_in(&timing),
        over_in: (alert.phase == Phase::Recovering)
            .then(|| timing.keep.saturating_sub(alert.observed_good)),
        reason: reason(world, state, rule, alert),
        seen: alert.finding.as_ref().and_then(|finding| finding.seen),
        was: known.filter(|_| current.is_none()).and_then(|known| known.seen),
        acknowledged: state.handling.acknowledged.get(&rule.id).cloned(),
        muted: state.muted(rule),
        flapping: alert.flapping.is_on(),
        restored: alert.restored,
        suggests: rule.suggests.iter().filter_map(|id| suggestion(world, alert, id)).collect(),
        runbook: rule.runbook.clone(),
        summary: rule.summary.clone(),
    }
}

/// An action that may help, with the reason why it cannot be started: what is not known to
/// be so now is no ground to act on.
fn suggestion(world: &World, alert: &Alert, id: &ActionId) -> Option<Suggestion> {
    let spec = world.catalog.action(id)?;
    let old = (!alert.quality().usable())
        .then(|| format!("the data is {}: look first", alert.quality().word()));
    let why_not = old.or_else(|| actions::why_not(world, spec));
    Some(Suggestion { action: id.clone(), title: spec.title.clone(), why_not })
}

/// The words of the failure that a rule on whether its source is up found.
fn failure(world: &World, rule: &Rule, alert: &Alert) -> Option<String> {
    let finding = alert.finding.as_ref()?;
    let Some(Value::Bool(false)) = finding.value else { return None };
    let name = rule.when.series().find(|name| name.reading.as_ref() == "up")?;
    match &world.sources.get(&name.source.as_ref().into())?.facts {
        Reading::Failed { why, .. } => Some(why.to_string()),
        _ => None,
    }
}

fn reason(world: &World, state: &AlertsState, rule: &Rule, alert: &Alert) -> String {
    let Some(finding) = &alert.finding else {
        return if alert.restored {
            UNCONFIRMED.to_owned()
        } else {
            "not evaluated yet".to_owned()
        };
    };
    let mut parts = Vec::new();
    if alert.restored {
        parts.push(UNCONFIRMED.to_owned());
    }
    if let Some(why) = &finding.why {
        parts.push(why.clone());
    }
    parts.extend(failure(world, rule, alert));
    if let Some(covered) = finding.covered.filter(|_| finding.bad.is_some()) {
        let covered = Duration::from_secs(covered.as_secs());
        parts.push(format!("of the last {} only", short_duration(covered)));
    }
    if let Some(seen) = finding.seen
        && alert.phase.is_active()
        && is_old(world, state, rule, seen)
    {
        parts.push("still firing: nothing newer says that it is over".to_owned());
    }
    if parts.is_empty() {
        parts.extend(rule.summary.clone());
    }
    parts.join("; ")
}
