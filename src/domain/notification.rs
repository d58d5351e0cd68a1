//! What is told to people who do not look at the screen.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::rule::{Priority, Severity};
use super::{
    text,
    time::{Moment, short_duration},
};

/// The most alerts in one message. What is over that is counted, not listed.
pub const MOST_ALERTS: usize = 50;

/// Alerts that are told together, and that make one incident at the other side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKey {
    /// The service.
    pub service: String,
    /// Its environment.
    pub environment: String,
    /// How bad its alerts are.
    pub severity: Severity,
}

impl GroupKey {
    /// `watchfloor/shop/production/critical`. The same in every console that watches the
    /// service and after every restart, so that the other side sees one incident.
    pub fn dedup_key(&self) -> String {
        format!("watchfloor/{}/{}/{}", self.service, self.environment, self.severity.word())
    }

    /// `shop/production`.
    pub fn target(&self) -> String {
        format!("{}/{}", self.service, self.environment)
    }
}

/// Whether anything of a group still fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// At least one alert does.
    Firing,
    /// None does any more.
    Resolved,
}

impl Status {
    /// The word in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What an alert does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It fires.
    Firing,
    /// It has ended.
    Resolved,
    /// It goes on with the other severity, and is told with that group.
    Moved,
}

impl NoticeState {
    /// The word in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Moved => "moved",
        }
    }
}

/// One alert, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertNotice {
    /// What tells it from every other alert that may be open: the rule and the instance.
    pub key: String,
    /// The rule that it is an instance of.
    pub rule: String,
    /// What it is about, in words.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// How soon somebody has to act.
    pub priority: Priority,
    /// What it does.
    pub state: NoticeState,
    /// Since when it fires.
    pub since: Timestamp,
    /// How long it fired, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_after: Option<Duration>,
    /// Why it has ended, in words, where that is not because all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The value and the condition in words, where one beside the other would read wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// The value now, with its unit; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The condition that it breaks: `> 200 ms for 5m`.
    pub threshold: String,
    /// The worst value while it fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<String>,
    /// The number of samples or events behind the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Why it is in this state, in words.
    pub reason: String,
    /// Where the cure is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Actions that may help. A person starts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggests: Vec<String>,
    /// Who has taken it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
}

impl AlertNotice {
    /// Whether it is known how it ended.
    pub fn is_ended(&self) -> bool {
        self.resolved_after.is_some() || self.ended.is_some()
    }

    /// The word for what it does, as one reads it.
    pub fn word(&self) -> &'static str {
        match self.ended {
            Some(_) => "ended",
            None => self.state.word(),
        }
    }

    /// The alert on one line: `API latency: 412 ms, > 200 ms for 5m`.
    pub fn line(&self) -> String {
        let mut line = self.title.clone();
        match self.state {
            NoticeState::Firing => {
                if let Some(told) = &self.told {
                    return format!("{line}: {told}");
                }
                if let Some(value) = &self.value {
                    line.push_str(&format!(": {value}"));
                }
                line.push_str(&format!(", {}", self.threshold));
            }
            NoticeState::Resolved => {
                if let Some(why) = &self.ended {
                    return format!("{line}: {why}");
                }
                if let Some(lasted) = self.resolved_after {
                    line.push_str(&format!(": resolved after {}", whole_seconds(lasted)));
                } else {
                    line.push_str(": resolved");
                }
                if let Some(peak) = &self.peak {
                    line.push_str(&format!(", peak {peak}"));
                }
            }
            NoticeState::Moved => line.push_str(&format!(": now {}", self.severity.word())),
        }
        line
    }
}

/// One message about a group: what fires, and what has ended since the last message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The group.
    pub group: GroupKey,
    /// Whether anything of it still fires.
    pub status: Status,
    /// Its alerts: those that fire first, the most urgent of them at the top.
    pub alerts: Vec<AlertNotice>,
    /// How many alerts there are beyond those in the list.
    #[serde(default)]
    pub more: usize,
    /// When it was made.
    pub at: Moment,
    /// What makes it one incident at the other side.
    pub dedup_key: String,
    /// Counts the messages; a later one has a larger number.
    pub sequence: u64,
}

impl Notification {
    /// A message of these alerts.
    pub fn new(group: GroupKey, mut alerts: Vec<AlertNotice>, at: Moment, sequence: u64) -> Self {
        let firing = alerts.iter().any(|alert| alert.state == NoticeState::Firing);
        alerts.sort_by_key(|alert| {
            (alert.state != NoticeState::Firing, alert.priority, alert.since, alert.key.clone())
        });
        let more = alerts.len().saturating_sub(MOST_ALERTS);
        alerts.truncate(MOST_ALERTS);
        Self {
            dedup_key: group.dedup_key(),
            group,
            status: if firing { Status::Firing } else { Status::Resolved },
            alerts,
            more,
            at,
            sequence,
        }
    }

    /// This message in place of an older one of the same group that was never delivered:
    /// what had ended by the older one is told by this one, because no later message will.
    pub fn instead_of(&mut self, older: Self) {
        for alert in older.alerts {
            let known = self.alerts.iter().any(|known| known.key == alert.key);
            if alert.state != NoticeState::Firing && !known {
                if self.alerts.len() < MOST_ALERTS {
                    self.alerts.push(alert);
                } else {
                    self.more += 1;
                }
            }
        }
    }

    /// The word for a message in which nothing fires: not all that has ended is well.
    pub fn over(&self) -> &'static str {
        match self.alerts.iter().any(|alert| alert.ended.is_some()) {
            true => "ENDED",
            false => "RESOLVED",
        }
    }

    /// The whole message on one line, at most `limit` characters:
    /// `[CRITICAL] shop/production: 2 firing: Redis is down; API latency`.
    pub fn summary(&self, limit: usize) -> String {
        let word = match self.status {
            Status::Firing => self.group.severity.word().to_uppercase(),
            Status::Resolved => self.over().to_owned(),
        };
        let count = |word| self.alerts.iter().filter(|alert| alert.word() == word).count();
        let mut counts = Vec::new();
        for word in ["firing", "resolved", "ended", "moved"] {
            if count(word) > 0 {
                counts.push(format!("{} {word}", count(word)));
            }
        }
        if self.more > 0 {
            counts.push(format!("{} more", self.more));
        }
        let lines: Vec<String> = self.alerts.iter().map(AlertNotice::line).collect();
        let target = self.group.target();
        let counts = counts.join(", ");
        text::clip(&format!("[{word}] {target}: {counts}: {}", lines.join("; ")), limit)
    }
}

/// A length of time to the second: `90s`, `12m`, `1h`.
pub fn whole_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => short_duration(Duration::from_secs(seconds)),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, rest) => format!("{minutes}m {rest}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

/// A time to the second, as `2026-01-01T00:00:00Z`.
pub fn seconds(at: Timestamp) -> String {
    at.round(jiff::Unit::Second).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests;
