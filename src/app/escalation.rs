//! Whom to call, whether they were, and until when they should have answered.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::state::World;
use crate::domain::{
    catalog::{Catalog, ContactSpec},
    time::{Moment, clock},
    verdict::{Quality, Verdict},
};

/// Who was contacted when, by level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// By level.
    pub contacted: BTreeMap<u8, Moment>,
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

    /// Starts or stops the clock of a level. Returns whether it runs now.
    pub fn toggle(&mut self, level: u8, now: Moment) -> bool {
        if self.contacted.remove(&level).is_some() {
            return false;
        }
        self.contacted.insert(level, now);
        true
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
            let elapsed = contacted.map(|at| world.now.since(at));
            let remaining = clock.and_then(|(at, within)| {
                within.checked_sub(world.now.since(at)).filter(|left| !left.is_zero())
            });
            let overdue = clock.zip(elapsed).and_then(|((_, within), elapsed)| {
                elapsed.checked_sub(within).filter(|_| remaining.is_none())
            });
            ContactRow { spec: spec.clone(), contacted, remaining, overdue }
        })
        .collect()
}
