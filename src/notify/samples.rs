//! Messages for tests.

use std::time::Duration;

use crate::domain::{
    notification::{AlertNotice, GroupKey, NoticeState, Notification, Priority, Severity},
    time::Moment,
};

/// An alert of that name; one that begins with `-` has ended.
pub fn alert(name: &str) -> AlertNotice {
    let (key, ended) = match name.strip_prefix('-') {
        Some(key) => (key, true),
        None => (name, false),
    };
    AlertNotice {
        key: key.to_owned(),
        rule: key.to_owned(),
        title: format!("Alert {key}"),
        severity: Severity::Critical,
        priority: Priority::P1,
        state: if ended { NoticeState::Resolved } else { NoticeState::Firing },
        since: Moment::at_seconds(0.0).wall,
        resolved_after: ended.then_some(Duration::from_secs(754)),
        ended: None,
        told: None,
        value: Some("412 ms".to_owned()),
        threshold: "> 200 ms for 5m".to_owned(),
        peak: ended.then(|| "980 ms".to_owned()),
        n: Some(60),
        reason: "p95 is above the threshold".to_owned(),
        runbook: None,
        suggests: Vec::new(),
        acknowledged_by: None,
    }
}

/// A message of these alerts, made half a minute in.
pub fn message(names: &[&str]) -> Notification {
    numbered(7, Severity::Critical, names)
}

/// A message with a number of its own.
pub fn numbered(sequence: u64, severity: Severity, names: &[&str]) -> Notification {
    let group =
        GroupKey { service: "shop".to_owned(), environment: "production".to_owned(), severity };
    let alerts = names.iter().map(|name| alert(name)).collect();
    Notification::new(group, alerts, Moment::at_seconds(30.0), sequence)
}
