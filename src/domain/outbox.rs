//! When to tell people about alerts: which changes go into one message, and which into none.
//!
//! A change waits a little for others of the same severity, so that an outage is one message
//! and not ten; a change that is undone meanwhile is never told. A rise of the severity does
//! not wait. What goes on is repeated after hours. Nothing is told twice in the same state.
//!
//! An alert that is silenced, inhibited, acknowledged or in maintenance keeps its state and
//! makes no message; its end is told if, and only if, its beginning was.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    notification::{AlertNotice, GroupKey, NoticeState, Notification, Severity},
    time::Moment,
};

/// The groups, the worst first: where an alert rises it is told there before it is told
/// that it has left the other.
const GROUPS: [Severity; 2] = [Severity::Critical, Severity::Warning];

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For other changes of the same group.
    pub group_wait: Duration,
    /// Until what still fires is told again.
    pub repeat: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { group_wait: Duration::from_secs(30), repeat: Duration::from_secs(4 * 3600) }
    }
}

/// What happened to an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It fires, or still does with other values, another severity, or suppressed or not.
    /// Saying the same again changes nothing.
    Firing {
        /// The alert.
        notice: AlertNotice,
        /// Whether it makes no message: silenced, inhibited, acknowledged, in maintenance.
        suppressed: bool,
    },
    /// It has ended.
    Resolved {
        /// The alert, with its duration and its peak.
        notice: AlertNotice,
    },
    /// It was acknowledged too long ago: it is told again, at once.
    AckTimedOut {
        /// The alert.
        key: String,
    },
}

/// What is known of one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    notice: AlertNotice,
    suppressed: bool,
    /// The group that was told that it fires, and not yet that it no longer does.
    told: Option<Severity>,
    /// The group that was told so before, and does not know yet that it has moved.
    left: Option<Severity>,
    /// Told again although nothing has changed.
    remind: bool,
    /// When what is to be told of it is told at the latest.
    due: Option<Moment>,
}

impl Entry {
    fn new(notice: AlertNotice, suppressed: bool, told: Option<Severity>) -> Self {
        Self { notice, suppressed, told, left: None, remind: false, due: None }
    }

    fn fires(&self) -> bool {
        self.notice.state == NoticeState::Firing
    }

    /// Whether this group has to hear of it.
    fn is_news_for(&self, group: Severity) -> bool {
        let begins = self.fires()
            && !self.suppressed
            && self.notice.severity == group
            && (self.told != Some(group) || self.remind);
        let ends = !self.fires() && self.told == Some(group);
        begins || ends || self.left == Some(group)
    }

    fn is_news(&self) -> bool {
        GROUPS.into_iter().any(|group| self.is_news_for(group))
    }

    /// Whether it cannot wait.
    fn is_urgent(&self) -> bool {
        let rises = self.fires() && self.told.is_some_and(|told| told < self.notice.severity);
        rises || self.remind || self.left.is_some()
    }
}

/// Decides when which message is sent. Can be written down and taken up again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    service: String,
    environment: String,
    policy: Policy,
    alerts: BTreeMap<String, Entry>,
    /// When what fires is told again, by group.
    repeat_at: BTreeMap<Severity, Moment>,
    sequence: u64,
}

impl Outbox {
    /// One that has told nothing yet.
    pub fn new(service: &str, environment: &str, policy: Policy) -> Self {
        Self {
            service: service.to_owned(),
            environment: environment.to_owned(),
            policy,
            alerts: BTreeMap::new(),
            repeat_at: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Takes up one that an earlier console wrote down. The monotonic clock started anew,
    /// so whatever was waited for goes by the wall clock, once; it is never waited for
    /// longer than at first. One of another service is worth nothing here.
    #[must_use]
    pub fn resumed(self, service: &str, environment: &str, policy: Policy, now: Moment) -> Self {
        if self.service != service || self.environment != environment {
            return Self::new(service, environment, policy);
        }
        let rebased = |then: Moment, most: Duration| {
            let left = Duration::try_from(then.wall.duration_since(now.wall));
            now.plus(left.unwrap_or(Duration::ZERO).min(most))
        };
        let mut resumed = Self { policy, ..self };
        for entry in resumed.alerts.values_mut() {
            entry.due = entry.due.map(|due| rebased(due, policy.group_wait));
        }
        for at in resumed.repeat_at.values_mut() {
            *at = rebased(*at, policy.repeat);
        }
        resumed
    }

    /// Waits by another policy from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// The alerts whose beginning was told and whose end was not. A console that has lost
    /// one of them, because its rule is gone, owes its readers a [`Change::Resolved`].
    pub fn open(&self) -> impl Iterator<Item = &AlertNotice> {
        self.alerts.values().filter(|entry| entry.told.is_some()).map(|entry| &entry.notice)
    }

    /// Takes back a message that did not reach everybody before the console ended: what it
    /// said is told again by the console that takes this up.
    pub fn not_delivered(&mut self, message: &Notification) {
        let group = message.group.severity;
        for notice in &message.alerts {
            let known = self.alerts.get_mut(&notice.key);
            match (notice.state, known) {
                (NoticeState::Firing, Some(entry)) if entry.told == Some(group) => {
                    entry.told = None;
                }
                (NoticeState::Moved, Some(entry)) if entry.told != Some(group) => {
                    entry.left = Some(group);
                }
                (NoticeState::Resolved | NoticeState::Moved, None) => {
                    let ended = AlertNotice { state: NoticeState::Resolved, ..notice.clone() };
                    self.alerts.insert(notice.key.clone(), Entry::new(ended, false, Some(group)));
                }
                // It has changed since, and that is told anyway.
                _ => {}
            }
        }
    }

    /// When [`apply`](Self::apply) has something to say even if nothing changes.
    pub fn next_due(&self) -> Option<Moment> {
        let waiting = self.alerts.values().filter_map(|entry| entry.due);
        let repeats = GROUPS.into_iter().filter(|group| self.repeats(*group));
        waiting.chain(repeats.filter_map(|group| self.repeat_at.get(&group).copied())).min()
    }

    /// Takes what changed, and answers with the messages that are due.
    pub fn apply(&mut self, now: Moment, changes: Vec<Change>) -> Vec<Notification> {
        for change in changes {
            self.take(change);
        }
        self.plan(now);
        let mut messages = Vec::new();
        for group in GROUPS {
            let repeat = self.repeats(group)
                && self.repeat_at.get(&group).is_some_and(|at| at.mono <= now.mono);
            if repeat || self.is_due(group, now) {
                messages.push(self.tell(group, now));
            }
        }
        // Of an alert that has just been told elsewhere the group that it left hears at once.
        self.plan(now);
        for group in GROUPS {
            if self.alerts.values().any(|entry| entry.left == Some(group)) {
                messages.push(self.tell(group, now));
            }
        }
        messages
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Firing { mut notice, suppressed } => {
                notice.state = NoticeState::Firing;
                notice.resolved_after = None;
                notice.ended = None;
                match self.alerts.get_mut(&notice.key) {
                    Some(entry) => {
                        entry.notice = notice;
                        entry.suppressed = suppressed;
                    }
                    None => {
                        let key = notice.key.clone();
                        self.alerts.insert(key, Entry::new(notice, suppressed, None));
                    }
                }
            }
            Change::Resolved { mut notice } => {
                notice.state = NoticeState::Resolved;
                if let Some(entry) = self.alerts.get_mut(&notice.key) {
                    entry.notice = notice;
                    entry.remind = false;
                }
                self.forget_what_is_over();
            }
            Change::AckTimedOut { key } => {
                if let Some(entry) = self.alerts.get_mut(&key).filter(|entry| entry.fires()) {
                    entry.suppressed = false;
                    entry.remind = entry.told.is_some();
                }
            }
        }
    }

    /// Sets when each piece of news is due; what is no news any more is not.
    fn plan(&mut self, now: Moment) {
        for entry in self.alerts.values_mut() {
            entry.due = match (entry.is_news(), entry.is_urgent(), entry.due) {
                (false, ..) => None,
                (true, true, _) => Some(now),
                (true, false, Some(due)) => Some(due),
                (true, false, None) => Some(now.plus(self.policy.group_wait)),
            };
        }
    }

    fn is_due(&self, group: Severity, now: Moment) -> bool {
        self.alerts.values().any(|entry| {
            entry.is_news_for(group) && entry.due.is_some_and(|due| due.mono <= now.mono)
        })
    }

    /// Whether the group has anything to repeat.
    fn repeats(&self, group: Severity) -> bool {
        self.alerts
            .values()
            .any(|entry| entry.fires() && !entry.suppressed && entry.told == Some(group))
    }

    /// Makes the message of a group, of all that fires in it and of all its news.
    fn tell(&mut self, group: Severity, now: Moment) -> Notification {
        let mut notices = Vec::new();
        for entry in self.alerts.values_mut() {
            let news = entry.is_news_for(group);
            let here = entry.notice.severity == group;
            if entry.fires() && here && (news || entry.told == Some(group)) {
                if entry.told.is_some_and(|told| told != group) {
                    entry.left = entry.told;
                }
                if entry.left == Some(group) {
                    entry.left = None;
                }
                entry.told = Some(group);
                entry.remind = false;
                entry.due = None;
                notices.push(entry.notice.clone());
            } else if news {
                let mut notice = entry.notice.clone();
                if entry.fires() {
                    notice.state = NoticeState::Moved;
                }
                if entry.left == Some(group) {
                    entry.left = None;
                }
                if !entry.fires() && entry.told == Some(group) {
                    entry.told = None;
                }
                notices.push(notice);
            } else if entry.fires() && entry.told == Some(group) {
                // Changed its severity, and that is not told yet: for this group it fires.
                notices.push(AlertNotice { severity: group, ..entry.notice.clone() });
            }
        }
        self.forget_what_is_over();
        self.repeat_at.insert(group, now.plus(self.policy.repeat));
        self.sequence += 1;
        let key = GroupKey {
            service: self.service.clone(),
            environment: self.environment.clone(),
            severity: group,
        };
        Notification::new(key, notices, now, self.sequence)
    }

    fn forget_what_is_over(&mut self) {
        self.alerts
            .retain(|_, entry| entry.fires() || entry.told.is_some() || entry.left.is_some());
    }
}

#[cfg(test)]
mod tests;
