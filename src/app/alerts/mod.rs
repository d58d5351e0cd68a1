//! Alert rules at work: fed by what the sources say, evaluated as it comes in, moved through
//! their states, and handled by people.
//!
//! What people do about an alert (acknowledge, silence, call for maintenance) changes how
//! loud it is, never what it is.

mod deeds;
mod dropped;
mod feed;
mod figures;
mod handling;
mod kept;
mod rows;
mod telling;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use deeds::{About, Deed, Deeds, What, decided_at, take_over};
pub use figures::in_unit;
pub use handling::{Acknowledgement, Decision, Handling, Maintenance, Muted, Silence, matches};
pub use kept::{Kept, KeptAlert, Restored, SCHEMA, kept, restore};
pub use rows::{AlertRow, Suggestion, active, row, rows, verdict};
pub use telling::{Tell, Telling, delivered, resume, take_back, tell};

use super::{
    sources::CUT_OFF,
    state::{MarkKind, World},
};
use crate::domain::{
    action::ActionOutcome,
    catalog::Catalog,
    ids::{ActionId, SourceId},
    reading::stale_after,
    rule::{
        Alert, Data, Finding, Marker, Mode, Phase, Rule, SeriesName, SeriesStore, Timing, When,
        evaluate,
    },
    time::Moment,
    verdict::Quality,
};

/// The changes of phase that are remembered.
const CHANGES: usize = 200;

/// A source that did not report for this long has an alert of its own.
const SILENT: Duration = Duration::from_secs(300);

/// Every alert, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertsState {
    /// The rules: those of the configuration, then one for every source that they need.
    pub rules: Vec<Rule>,
    /// Where each rule stands, by its name.
    pub alerts: BTreeMap<Arc<str>, Alert>,
    /// What people did about it.
    pub handling: Handling,
    /// The last changes of phase, oldest first.
    pub changes: VecDeque<Change>,
    /// Who is told of it.
    #[serde(default)]
    pub telling: Telling,
    /// What ended with a changed configuration while it fired, in words that were not said yet.
    #[serde(default)]
    dropped: Vec<String>,
    /// The console itself was cut off when it was looked last.
    #[serde(default)]
    cut_off: bool,
    /// What the rules look at.
    pub series: SeriesStore,
    /// The positions of the rules that look at a source.
    by_source: BTreeMap<SourceId, Vec<usize>>,
    /// When each rule was evaluated last, by position.
    evaluated: Vec<Option<Moment>>,
}

/// A change of phase, with everything that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The rule.
    pub rule: Arc<str>,
    /// When.
    pub at: Moment,
    /// From.
    pub from: Phase,
    /// To.
    pub to: Phase,
    /// Since when its condition was true.
    pub since: Option<Moment>,
    /// The worst figure while it was true.
    pub peak: Option<f64>,
    /// What was found.
    pub finding: Finding,
}

impl Change {
    /// Whether somebody should hear of it.
    pub fn is_news(&self) -> bool {
        self.from.is_active() != self.to.is_active()
    }
}

/// The name of the alert on a source that does not report.
pub fn silent_rule(source: &SourceId) -> Arc<str> {
    Arc::from(format!("source_{source}_silent"))
}

impl AlertsState {
    /// The rule of that name.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id.as_ref() == id)
    }

    /// Whether an alert of that name is firing.
    pub fn is_firing(&self, id: &str) -> bool {
        self.alerts.get(id).is_some_and(|alert| alert.phase.is_active())
    }

    /// How often the slowest series of a rule is looked at.
    fn interval(&self, rule: &Rule) -> Duration {
        let of = |name: &SeriesName| Some(self.series.get(name)?.interval);
        rule.when.series().filter_map(of).max().unwrap_or(Duration::from_secs(1))
    }

    /// What the alert of a rule needs to know of it.
    pub fn timing(&self, rule: &Rule) -> Timing {
        rule.timing(self.interval(rule), Mode::Own)
    }
}

/// Takes over the rules of a catalogue. An alert whose rule did not change goes on, unless it
/// looks at a source that is another one now: nothing is known of that. One that fires goes
/// on under other limits too, unconfirmed; where one cannot, that is said.
pub fn adopt(world: &mut World, catalog: &Catalog, moved: &[SourceId]) {
    let is_moved = |name: &SeriesName| moved.iter().any(|id| id.as_str() == name.source.as_ref());
    let mut old = std::mem::take(&mut world.alerts);
    old.series.retain(|name| !is_moved(name));
    let mut next =
        AlertsState { handling: old.handling, changes: old.changes, ..Default::default() };
    next.telling = old.telling;
    next.telling.adopt(catalog);
    next.rules = catalog.rules.clone();
    let needed: BTreeSet<SourceId> = next
        .rules
        .iter()
        .flat_map(|rule| rule.when.series())
        .map(|name| SourceId::from(name.source.as_ref()))
        .filter(|id| catalog.sources.get(id).is_some_and(|info| info.disabled.is_none()))
        .collect();
    next.rules.extend(needed.iter().filter_map(silence_of));
    let mut ended: Vec<(&Rule, &'static str)> = Vec::new();
    for (position, rule) in next.rules.iter().enumerate() {
        let alert = old.rules.iter().find(|before| before.id == rule.id).and_then(|before| {
            let alert = old.alerts.get(&rule.id)?;
            match dropped::carried(alert, before, rule, moved, world.now) {
                Ok(alert) => Some(alert),
                Err(why) => {
                    ended.extend(why.map(|why| (before, why)));
                    None
                }
            }
        });
        next.alerts.insert(Arc::clone(&rule.id), alert.unwrap_or_default());
        for name in rule.when.series() {
            let positions = next.by_source.entry(SourceId::from(name.source.as_ref())).or_default();
            if positions.last() != Some(&position) {
                positions.push(position);
            }
        }
    }
    let removed = old.rules.iter().filter(|rule| next.rule(&rule.id).is_none());
    let removed = removed.filter(|rule| old.alerts.get(&rule.id).is_some_and(is_active));
    ended.extend(removed.map(|rule| (rule, dropped::REMOVED)));
    for (rule, why) in ended {
        next.drop_alert(rule, why, world.now);
    }
    next.evaluated = vec![None; next.rules.len()];
    next.series = feed::store(&next.rules, &old.series, catalog, world.now);
    let marks = next.dropped.clone();
    world.alerts = next;
    for label in marks {
        world.mark(MarkKind::Alert, label);
    }
}

fn is_active(alert: &Alert) -> bool {
    alert.phase.is_active()
}

/// What ended with a changed configuration while it fired, in words, once.
pub fn take_dropped(world: &mut World) -> Vec<String> {
    std::mem::take(&mut world.alerts.dropped)
}

/// The rule that says that a source does not report at all. What it reports is the business
/// of other rules.
fn silence_of(source: &SourceId) -> Option<Rule> {
    let when = When::parse(&format!("absent({source}.up, {}s)", SILENT.as_secs())).ok()?;
    let title = format!("Source {source} does not report");
    Some(Rule {
        keep: Some(Duration::ZERO),
        summary: Some("Rules on it cannot be judged".to_owned()),
        ..Rule::new(silent_rule(source), title, when)
    })
}

/// Takes over what a source said, and evaluates the rules that look at it.
pub fn observe(
    world: &mut World,
    observation: &crate::domain::observation::Observation,
) -> Vec<Change> {
    let cut_off = world.sources.cut_off();
    if world.alerts.cut_off && !cut_off {
        // What was not seen meanwhile is no evidence, and was not silence.
        let until = world.now.mono.saturating_sub(Duration::from_millis(1));
        blind_until(world, Moment { mono: until, ..world.now });
    }
    world.alerts.cut_off = cut_off;
    if !cut_off {
        feed::observe(world, observation);
    }
    let due = world.alerts.by_source.get(&observation.source).cloned().unwrap_or_default();
    evaluated(world, &due)
}

/// A slot passed without a poll: whoever had asked then would have waited at least this long.
pub fn skipped(world: &mut World, source: &SourceId, waited: Duration) {
    feed::skipped(world, source, waited);
}

/// Evaluates the rules whose time has come: data grows old without anybody saying so.
pub fn tick(world: &mut World) -> Vec<Change> {
    let now = world.now;
    let alerts = &world.alerts;
    let due: Vec<usize> = alerts
        .rules
        .iter()
        .enumerate()
        .filter(|(position, rule)| {
            let last = alerts.evaluated.get(*position).copied().flatten();
            last.is_none_or(|last| now.since(last) >= alerts.interval(rule))
        })
        .map(|(position, _)| position)
        .collect();
    evaluated(world, &due)
}

/// Nothing was observed for a while: nobody is credited for that time, and nothing that was
/// seen before it is believed.
pub fn gap(world: &mut World) {
    blind_until(world, world.now);
}

fn blind_until(world: &mut World, until: Moment) {
    for (_, series) in world.alerts.series.iter_mut() {
        series.blind_until = Some(until);
    }
    let now = world.now;
    world.alerts.alerts.values_mut().for_each(|alert| alert.skip_gap(now));
}

/// Evaluates rules, by position.
fn evaluated(world: &mut World, due: &[usize]) -> Vec<Change> {
    let now = world.now;
    let cut_off = world.sources.cut_off();
    let mut state = std::mem::take(&mut world.alerts);
    let mut changes = Vec::new();
    for position in due {
        let Some(rule) = state.rules.get(*position) else { continue };
        let finding = if cut_off {
            Finding::unknown(Quality::Offline, CUT_OFF)
        } else {
            look(world, &state, rule)
        };
        let timing = state.timing(rule);
        let id = Arc::clone(&rule.id);
        if let Some(evaluated) = state.evaluated.get_mut(*position) {
            *evaluated = Some(now);
        }
        let Some(alert) = state.alerts.get_mut(&id) else { continue };
        let (since, peak) = (alert.since, alert.peak);
        if let Some(step) = alert.step(finding.clone(), now, &timing) {
            let (since, peak) = (alert.since.or(since), alert.peak.or(peak));
            let (from, to) = (step.from, step.to);
            changes.push(Change { rule: id, at: now, from, to, since, peak, finding });
        }
    }
    world.alerts = state;
    remember(world, &changes);
    changes
}

fn look(world: &World, state: &AlertsState, rule: &Rule) -> Finding {
    let data = Data {
        series: &state.series,
        bands: &rule.bands,
        marker_age: rule.marker.as_ref().and_then(|marker| marker_age(world, marker)),
        min_events: rule.min_events,
    };
    evaluate(&rule.when, &data, world.now)
}

/// How long ago the marker was.
fn marker_age(world: &World, marker: &Marker) -> Option<Duration> {
    match marker {
        Marker::Deploy => world.last_deploy().map(|mark| world.now.since(mark.at)),
        Marker::Action(action) => {
            let began = last_begun(world, action)?;
            Duration::try_from(world.now.wall.duration_since(began)).ok()
        }
        Marker::Uptime(name) => {
            let seconds = world.sources.number(&name.source.as_ref().into(), &name.reading)?;
            Duration::try_from_secs_f64(seconds).ok()
        }
    }
}

/// When an action was begun last: a run that was called off, or never sent, did nothing.
fn last_begun(world: &World, action: &ActionId) -> Option<Timestamp> {
    let runs = &world.actions.runs;
    let here = runs.iter().filter(|run| run.action == *action && run.sent);
    let noted = world.actions.history.iter().filter(|past| {
        let idle = matches!(past.outcome, ActionOutcome::Cancelled | ActionOutcome::NeverStarted);
        past.action == *action && !idle && !runs.iter().any(|run| run.id == past.run)
    });
    here.map(|run| run.started.wall).chain(noted.map(|past| past.wall)).max()
}

/// Puts changes on the time line, and ends what people did about an alert that is over.
fn remember(world: &mut World, changes: &[Change]) {
    for change in changes {
        let title = world.alerts.rule(&change.rule).map(|rule| rule.title.clone());
        if change.is_news() {
            let title = title.unwrap_or_default();
            let label = if change.to.is_active() {
                format!("{title} fires")
            } else {
                format!("{title} is over")
            };
            world.mark(MarkKind::Alert, label);
        }
        if change.from.is_active() && !change.to.is_active() {
            world.alerts.handling.over(&change.rule, change.at.wall);
        }
        world.alerts.changes.push_back(change.clone());
    }
    let excess = world.alerts.changes.len().saturating_sub(CHANGES);
    world.alerts.changes.drain(..excess);
}

/// Whether what a series says is too old to be shown as the state of now.
fn is_old(world: &World, state: &AlertsState, rule: &Rule, seen: Moment) -> bool {
    world.now.since(seen) > stale_after(state.interval(rule))
}
