//! Whom to call, whether they were, and until when they should have answered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use serde::{Deserialize, Serialize};

use super::{alerts::About, state::World};
use crate::domain::{
    catalog::{Catalog, ContactSpec},
    rule::Severity,
    time::{Moment, clock},
    verdict::{Quality, Verdict},
};

/// Who was contacted when, by level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// By level.
    pub contacted: BTreeMap<u8, Moment>,
    /// Since when a critical alert fires, and which was the first.
    #[serde(default)]
    pub started: Option<(Moment, Arc<str>)>,
    /// Who took it.
    #[serde(default)]
    pub taken: Option<Taken>,
}

/// Somebody took it: nobody else needs to be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Of which level.
    pub level: u8,
    /// Who.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// A level as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactRow {
    /// What is configured.
    pub spec: ContactSpec,
    /// When it was contacted.
    pub contacted: Option<Moment>,
    /// How long they still have.
    pub remaining: Option<Duration>,
    /// How long they are overdue.
    pub overdue: Option<Duration>,
}

/// What is said where a level has nobody to call.
pub const MISSING: &str = "NOT CONFIGURED";

impl ContactRow {
    /// What we think. Contacts are called, not judged: only somebody who should have answered
    /// long ago, and a level without anybody to call, are worth an alarm.
    pub fn verdict(&self) -> Verdict {
        if self.overdue.is_some() {
            Verdict::Critical
        } else if !self.spec.is_configured() {
            Verdict::Warning
        } else {
            Verdict::Unjudged
        }
    }

    /// Why, in words.
    pub fn reason(&self) -> String {
        let name = &self.spec.name;
        match (self.overdue, self.remaining, self.contacted) {
            (Some(late), ..) => format!("{name} did not answer, OVERDUE by {}", clock(late)),
            _ if !self.spec.is_configured() => format!("{name}: {MISSING}"),
            (None, Some(left), _) => format!("{name}: {} left to answer", clock(left)),
            (None, None, Some(_)) => format!("{name}: contacted"),
            (None, None, None) => format!("{name}: not contacted"),
        }
    }

    /// Whether an answer is being waited for.
    pub fn quality(&self) -> Quality {
        let waiting = self.contacted.is_some() && self.verdict() == Verdict::Unjudged;
        if waiting { Quality::Waiting } else { Quality::Fresh }
    }

    /// Its identity in a list.
    pub fn id(&self) -> String {
        format!("level {}", self.spec.level)
    }
}

impl Escalation {
    /// Takes over a catalogue; clocks of levels that are gone are dropped.
    pub fn adopt(&mut self, catalog: &Catalog) {
        self.contacted
            .retain(|level, _| catalog.contacts.iter().any(|contact| contact.level == *level));
    }

    /// Somebody of a level took it: the clocks stop.
    pub fn take(&mut self, level: u8, who: String, at: Timestamp) {
        self.taken = Some(Taken { level, who, at });
    }
}

/// The levels as shown, in order.
pub fn rows(world: &World) -> Vec<ContactRow> {
    world
        .catalog
        .contacts
        .iter()
        .map(|spec| {
            let contacted = world.escalation.contacted.get(&spec.level).copied();
            let clock = contacted.zip(spec.respond_within);
            let clock = clock.filter(|_| world.escalation.taken.is_none());
            let elapsed = contacted.map(|at| world.now.wall_since(at));
            let remaining = clock.and_then(|(at, within)| {
                within.checked_sub(world.now.wall_since(at)).filter(|left| !left.is_zero())
            });
            let overdue = clock.zip(elapsed).and_then(|((_, within), elapsed)| {
                elapsed.checked_sub(within).filter(|_| remaining.is_none())
            });
            ContactRow { spec: spec.clone(), contacted, remaining, overdue }
        })
        .collect()
}

/// Follows the alerts: a critical one that fires starts the clock of the first level, and
/// when none fires any more all clocks are put away.
pub fn follow(world: &mut World) {
    let firing = world
        .alerts
        .rules
        .iter()
        .filter(|rule| rule.severity == Severity::Critical && world.alerts.is_firing(&rule.id))
        .filter(|rule| world.alerts.muted(rule).is_none())
        .filter_map(|rule| {
            let alert = world.alerts.alerts.get(&rule.id)?;
            alert
                .phase
                .is_active()
                .then(|| (alert.fired.unwrap_or(world.now), Arc::clone(&rule.id)))
        })
        .min_by_key(|(fired, _)| fired.wall);
    match (firing, &world.escalation.started) {
        (Some((fired, rule)), None) => {
            let first = world.catalog.contacts.iter().map(|contact| contact.level).min();
            if let Some(level) = first {
                world.escalation.contacted.entry(level).or_insert(fired);
            }
            world.escalation.started = Some((fired, rule));
        }
        (None, Some(_)) => put_away(world),
        _ => {}
    }
}

/// Nothing critical fires any more: all clocks are put away, here and at other consoles.
fn put_away(world: &mut World) {
    let old = std::mem::take(&mut world.escalation);
    let now = world.now.wall;
    for (level, at) in old.contacted {
        let at = at.wall.max(now);
        world.alerts.handling.ended_by_itself(About::Contacted(level), at);
    }
    if let Some(taken) = old.taken {
        world.alerts.handling.ended_by_itself(About::Taken, taken.at.max(now));
    }
}

/// Whom to call now, where somebody should be called: the first level that was not contacted
/// once the one before it has not answered in time.
pub fn prompt(world: &World) -> Option<String> {
    let (started, _) = world.escalation.started.as_ref()?;
    let rows = rows(world);
    let late = rows.iter().rposition(|row| row.overdue.is_some())?;
    let next = rows.get(late + 1).filter(|row| row.contacted.is_none())?;
    let since = clock(world.now.wall_since(*started));
    let (level, name, contact) = (next.spec.level, &next.spec.name, &next.spec.contact);
    let contact = if next.spec.is_configured() { contact } else { MISSING };
    let late = rows.get(late).map(|row| row.spec.level).unwrap_or_default();
    Some(format!(
        "call level {level}, {name}, {contact}: level {late} did not answer, {since} since the start"
    ))
}
