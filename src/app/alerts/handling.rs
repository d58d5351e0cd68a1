//! What people do about alerts. Nothing of it changes what an alert is.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AlertsState,
    deeds::{self, About, Deeds},
};
use crate::domain::rule::{Priority, Rule};

/// What people did about alerts. Ends are points on the wall clock: they hold over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handling {
    /// Who looks after it, by rule.
    pub acknowledged: BTreeMap<Arc<str>, Acknowledgement>,
    /// Priorities that a person decided, by rule. Each ends with its alert.
    pub priorities: BTreeMap<Arc<str>, Decision>,
    /// What is to be quiet for a time.
    pub silences: Vec<Silence>,
    /// Everything is to be quiet for a time.
    pub maintenance: Option<Maintenance>,
    /// What was ended of late: other consoles may still hold it.
    #[serde(default)]
    pub(super) ended: Deeds,
}

/// A priority that a person decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Which.
    pub priority: Priority,
    /// When.
    pub at: Timestamp,
}

/// Somebody looks after an alert. It ends when the alert is over, or at its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Until when; otherwise until it is over.
    pub until: Timestamp,
}

/// Alerts that are to be quiet for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which: the name of a rule, with `*` for anything, or `severity=warning`.
    pub matcher: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Everything is to be quiet for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Why an alert makes no noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Muted {
    /// Everything is quiet.
    Maintenance(Maintenance),
    /// It was silenced.
    Silenced(Silence),
    /// It is a consequence of another one that fires.
    Inhibited(Arc<str>),
}

impl Muted {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Maintenance(of) => format!("maintenance by {}: {}", of.by, of.reason),
            Self::Silenced(of) => format!("silenced by {}: {}", of.by, of.reason),
            Self::Inhibited(by) => format!("a consequence of {by}"),
        }
    }
}

impl Handling {
    /// Drops what has ended. Returns what that was, in words.
    pub fn expire(&mut self, now: Timestamp) -> Vec<String> {
        let mut ended = Vec::new();
        self.acknowledged.retain(|rule, of| {
            let holds = of.until > now;
            if !holds {
                ended.push(format!("{rule} is no longer acknowledged: the time is over"));
            }
            holds
        });
        self.silences.retain(|of| {
            let holds = of.until > now;
            if !holds {
                ended.push(format!("the silence of {} is over", of.matcher));
            }
            holds
        });
        if self.maintenance.take_if(|of| of.until <= now).is_some() {
            ended.push("the maintenance window is over".to_owned());
        }
        self.ended = std::mem::take(&mut self.ended).merged(Deeds::default(), now);
        ended
    }

    /// An alert is over: nobody needs to look after it any more, and the priority that was
    /// decided was that of what is over.
    pub(super) fn over(&mut self, rule: &Arc<str>, now: Timestamp) {
        if let Some(of) = self.acknowledged.remove(rule) {
            let about = About::Acknowledged(Arc::clone(rule));
            self.ended.add(about, deeds::ended(now.max(of.at), Some(of.until), None));
        }
        if let Some(of) = self.priorities.remove(rule) {
            let about = About::Priority(Arc::clone(rule));
            self.ended.add(about, deeds::ended(now.max(of.at), None, None));
        }
    }

    /// Remembers that a person ended something, after `at` when it was decided.
    pub fn end(&mut self, about: About, at: Timestamp, until: Option<Timestamp>, by: String) {
        self.ended.add(about, deeds::ended(at, until, Some(by)));
    }

    /// Remembers that something ended with what it was about.
    pub(in crate::app) fn ended_by_itself(&mut self, about: About, at: Timestamp) {
        self.ended.add(about, deeds::ended(at, None, None));
    }
}

impl AlertsState {
    /// Why an alert makes no noise, where it makes none. The cause comes before the consent.
    pub fn muted(&self, rule: &Rule) -> Option<Muted> {
        let inhibitor = rule
            .inhibited_by
            .iter()
            .find(|other| **other != rule.id && self.is_firing(other))
            // Of two that are each the consequence of the other, both are told.
            .filter(|other| !self.is_inhibited_by(other, &rule.id))
            .cloned()
            .or_else(|| self.silent_source(rule));
        if let Some(inhibitor) = inhibitor {
            return Some(Muted::Inhibited(inhibitor));
        }
        if let Some(of) = &self.handling.maintenance {
            return Some(Muted::Maintenance(of.clone()));
        }
        let silence = self.handling.silences.iter().find(|of| matches(&of.matcher, rule));
        silence.map(|of| Muted::Silenced(of.clone()))
    }

    fn is_inhibited_by(&self, rule: &str, other: &Arc<str>) -> bool {
        self.rule(rule).is_some_and(|rule| rule.inhibited_by.contains(other))
    }

    /// The alert on a source of this rule that does not report.
    fn silent_source(&self, rule: &Rule) -> Option<Arc<str>> {
        rule.when
            .series()
            .map(|name| super::silent_rule(&name.source.as_ref().into()))
            .find(|silent| *silent != rule.id && self.is_firing(silent))
    }

    /// The priority of an alert: as a person decided, otherwise as its rule proposes.
    pub fn priority(&self, rule: &Rule) -> Priority {
        self.handling.priorities.get(&rule.id).map_or(rule.priority, |of| of.priority)
    }
}

/// Whether a matcher means a rule.
pub fn matches(matcher: &str, rule: &Rule) -> bool {
    if let Some(severity) = matcher.strip_prefix("severity=") {
        return severity == rule.severity.word();
    }
    glob(matcher, &rule.id)
}

/// Whether a pattern with `*` for anything means a text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_means() {
        let cases = [
            ("slow", "slow", true),
            ("slow", "slower", false),
            ("slow*", "slower", true),
            ("*_down", "redis_down", true),
            ("*_down", "redis_down_now", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("*", "anything", true),
            ("", "anything", false),
            ("a*a", "a", false),
        ];
        for (pattern, text, means) in cases {
            assert_eq!(glob(pattern, text), means, "{pattern} on {text}");
        }
    }
}
