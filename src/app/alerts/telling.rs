//! Telling people who do not look at the screen: what is to be sent, and what became of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{AlertRow, active, dropped};
use crate::{
    app::state::World,
    domain::{
        catalog::Catalog,
        delivery::{Delivery, Outcome, Sender},
        notification::{AlertNotice, NoticeState, Notification},
        outbox::{Change, Outbox},
        rule::{Phase, Severity},
        time::{Moment, short_duration},
    },
};

/// A critical alert that nobody looks after rings again after this.
const RING_AGAIN: Duration = Duration::from_secs(300);

/// What is told, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    outbox: Outbox,
    /// The alerts that were active when this was looked at last.
    active: BTreeMap<String, AlertNotice>,
    /// When the bell rang last for each alert that calls, or did of late.
    #[serde(default)]
    rung: BTreeMap<Arc<str>, Moment>,
    /// Why an alert that fired does not go on although its rule is there, by rule.
    #[serde(default)]
    pub(super) dropped: BTreeMap<Arc<str>, String>,
    /// What could not be delivered, by target.
    pub trouble: BTreeMap<String, Delivery>,
    /// Which console of the machine sends.
    pub sender: Sender,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            outbox: Outbox::new("", "", crate::domain::outbox::Policy::default()),
            active: BTreeMap::new(),
            rung: BTreeMap::new(),
            dropped: BTreeMap::new(),
            trouble: BTreeMap::new(),
            sender: Sender::Nobody,
        }
    }
}

/// What there is to do now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tell {
    /// Messages to be sent.
    pub messages: Vec<Notification>,
    /// Something critical calls for somebody, and did not before.
    pub ring: bool,
    /// The outbox as it is to be kept; none where it did not change.
    pub keep: Option<Box<Outbox>>,
}

impl Telling {
    /// Takes over a catalogue.
    pub(super) fn adopt(&mut self, catalog: &Catalog) {
        let (service, environment) = (&catalog.service, &catalog.environment);
        let fresh = Outbox::new(service, environment, catalog.notify.policy);
        if self.outbox == Outbox::new("", "", crate::domain::outbox::Policy::default()) {
            self.outbox = fresh;
        }
        self.outbox.set_policy(catalog.notify.policy);
        self.trouble.retain(|name, _| catalog.notify.targets.iter().any(|of| of.name == *name));
    }

    /// What could not be delivered, and who else sends, in words.
    pub fn words(&self) -> Vec<String> {
        let trouble = self.trouble.iter().map(|(target, delivery)| match &delivery.outcome {
            Outcome::Delivered => String::new(),
            Outcome::Retrying { attempt, why, .. } => {
                format!("{target} was not told, tried {attempt} times: {why}")
            }
            Outcome::Replaced { lost, why } | Outcome::GivenUp { lost, why } => {
                format!("{target} was not told of {lost}: {why}")
            }
        });
        trouble.chain(self.sender.words()).filter(|words| !words.is_empty()).collect()
    }
}

/// Looks at what fires, and says what there is to do. May be asked as often as one likes.
pub fn tell(world: &mut World) -> Tell {
    let now = world.now;
    let active = active(world);
    let mut telling = std::mem::take(&mut world.alerts.telling);
    let ring = telling.rings(&active, now);
    let mut told = Tell { ring, ..Tell::default() };
    if !world.catalog.notify.targets.is_empty() {
        let before: Vec<String> = telling.active.keys().cloned().collect();
        let changes = telling.changes(world, &active);
        told.messages = telling.outbox.apply(now, changes);
        // Figures that move are no reason to write: they are told with the next message.
        let moved = !told.messages.is_empty() || !telling.active.keys().eq(&before);
        let keep = telling.sender.is_here() && moved;
        told.keep = keep.then(|| Box::new(telling.outbox.clone()));
    }
    world.alerts.telling = telling;
    told
}

impl Telling {
    /// Whether the bell is to ring: for each critical alert that calls, and again while
    /// nobody looks after it. One that comes and goes rings no more often than that.
    fn rings(&mut self, active: &[AlertRow], now: Moment) -> bool {
        let calls = |row: &&AlertRow| row.calls() && row.severity == Severity::Critical;
        self.rung.retain(|_, rang| now.since(*rang) < RING_AGAIN);
        let due: Vec<Arc<str>> = active
            .iter()
            .filter(calls)
            .filter(|row| !self.rung.contains_key(&row.rule))
            .map(|row| Arc::clone(&row.rule))
            .collect();
        let ring = !due.is_empty();
        self.rung.extend(due.into_iter().map(|rule| (rule, now)));
        ring
    }

    /// What ended an alert that does not fire any more; none while that is not known.
    fn end(&self, world: &World, key: &str) -> Option<End> {
        if let Some(why) = self.dropped.get(key) {
            return Some(End::Dropped(why.clone()));
        }
        match world.alerts.alerts.get(key) {
            None => Some(End::Dropped(dropped::REMOVED.to_owned())),
            Some(alert) => (alert.phase == Phase::Ok).then_some(End::Well),
        }
    }

    /// What changed since this was looked at last.
    fn changes(&mut self, world: &World, active: &[AlertRow]) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut next: BTreeMap<String, AlertNotice> = BTreeMap::new();
        for row in active {
            let notice = notice(row);
            let was = self.active.get(&notice.key);
            let acknowledged = was.is_some_and(|was| was.acknowledged_by.is_some());
            if acknowledged && row.acknowledged.is_none() {
                changes.push(Change::AckTimedOut { key: notice.key.clone() });
            }
            let suppressed = row.acknowledged.is_some() || row.muted.is_some();
            changes.push(Change::Firing { notice: notice.clone(), suppressed });
            next.insert(notice.key.clone(), notice);
        }
        // Those of an earlier console too, whose rule may be gone.
        let open: Vec<AlertNotice> = self.outbox.open().cloned().collect();
        let ended = self.active.values().cloned().chain(open);
        let ended: BTreeMap<String, AlertNotice> =
            ended.map(|notice| (notice.key.clone(), notice)).collect();
        for (key, notice) in ended {
            // What has ended is told as it was when it ended, however late that is.
            if next.contains_key(&key) || notice.is_ended() {
                continue;
            }
            let notice = match self.end(world, &key) {
                // An alert that nothing is known of yet may still fire.
                None => {
                    next.insert(key, notice);
                    continue;
                }
                Some(End::Well) => {
                    let lasted = world.now.wall.duration_since(notice.since);
                    AlertNotice { resolved_after: lasted.try_into().ok(), ..notice }
                }
                Some(End::Dropped(why)) => {
                    AlertNotice { ended: Some(why.clone()), reason: why, ..notice }
                }
            };
            let notice = AlertNotice { state: NoticeState::Resolved, ..notice };
            changes.push(Change::Resolved { notice });
        }
        self.active = next;
        // What fires anew, or is well, is told as that.
        let open = |rule: &Arc<str>| {
            let alert = world.alerts.alerts.get(rule);
            alert.is_some_and(|alert| matches!(alert.phase, Phase::Unknown | Phase::Pending))
        };
        self.dropped.retain(|rule, _| open(rule));
        changes
    }
}

/// What ended an alert.
enum End {
    /// It was seen that all is well.
    Well,
    /// It does not go on, whether all is well or not.
    Dropped(String),
}

/// The figure in words, where the figure and the limit side by side would read wrong: where
/// the limit is not passed any more, and where a state is no amount.
fn told(row: &AlertRow) -> Option<String> {
    let measured = row.measured.as_ref().filter(|_| row.was.is_none())?;
    if row.phase == Phase::Recovering {
        let worst = row.peak.as_ref().map(|peak| format!("; worst {peak}")).unwrap_or_default();
        return Some(format!("{measured}{worst}; recovering"));
    }
    row.is_state.then(|| measured.clone())
}

fn notice(row: &AlertRow) -> AlertNotice {
    let since = row.fired.or(row.since);
    AlertNotice {
        key: row.rule.to_string(),
        rule: row.rule.to_string(),
        title: row.title.clone(),
        severity: row.severity,
        priority: row.priority,
        state: NoticeState::Firing,
        since: since.map(|at| at.wall).unwrap_or_default(),
        resolved_after: None,
        ended: None,
        told: told(row),
        value: row.value.clone(),
        threshold: match row.hold.is_zero() {
            true => row.threshold.clone(),
            false => format!("{} for {}", row.threshold, short_duration(row.hold)),
        },
        peak: row.peak.clone(),
        n: row.n,
        reason: row.reason.clone(),
        runbook: row.runbook.clone(),
        suggests: row.suggests.iter().map(|of| of.title.clone()).collect(),
        acknowledged_by: row.acknowledged.as_ref().map(|of| of.by.clone()),
    }
}

/// Takes over what became of a message. Returns what is to be said about it.
pub fn delivered(world: &mut World, delivery: Delivery) -> Option<String> {
    let telling = &mut world.alerts.telling;
    let target = delivery.target.clone();
    if delivery.outcome == Outcome::Delivered {
        return telling.trouble.remove(&target).map(|_| format!("{target} is told again"));
    }
    let new = telling.trouble.insert(target.clone(), delivery).is_none();
    let words = telling.words().into_iter().find(|words| words.starts_with(&target));
    words.filter(|_| new)
}

/// Takes over the outbox of an earlier console.
pub fn resume(world: &mut World, outbox: Outbox) {
    let catalog = &world.catalog;
    let (service, environment) = (&catalog.service, &catalog.environment);
    world.alerts.telling.outbox =
        outbox.resumed(service, environment, catalog.notify.policy, world.now);
}

/// Takes back what nobody got before the console ended. Returns the outbox to be kept.
pub fn take_back(world: &mut World, messages: &[Notification]) -> Option<Outbox> {
    let telling = &mut world.alerts.telling;
    if !telling.sender.is_here() {
        return None;
    }
    for message in messages {
        telling.outbox.not_delivered(message);
    }
    Some(telling.outbox.clone())
}
