//! Notifications, delivered to real servers over real sockets and to real programs.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

#[path = "notify/command.rs"]
mod command;
#[path = "notify/lock.rs"]
mod lock;
#[path = "notify/webhook.rs"]
mod webhook;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use watchfloor::{
    config::profile::{
        Address, NotifyConfig, NotifyKind, NotifyTarget, Program, Text, TlsOptions, Webhook,
        WebhookFormat,
    },
    domain::{
        delivery::{Delivery, Outcome, Sender},
        notification::{AlertNotice, GroupKey, NoticeState, Notification, Priority, Severity},
        time::Moment,
    },
    notify::{Clock, Notifier, Place},
};

/// Longer than anything here should take.
const LIMIT: Duration = Duration::from_secs(40);

/// For attempts that run into their limit on purpose.
const SHORT: Duration = Duration::from_millis(700);

fn clock() -> Clock {
    let start = Instant::now();
    Arc::new(move || Moment { mono: start.elapsed(), wall: jiff::Timestamp::now() })
}

/// A notifier and what it reports.
struct Desk {
    notifier: Notifier,
    reports: mpsc::Receiver<Delivery>,
    _state: Option<TempDir>,
}

fn place(state: &TempDir) -> Place {
    Place {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        state_dir: state.path().join("state"),
        clock: clock(),
    }
}

fn config(targets: Vec<NotifyTarget>) -> NotifyConfig {
    NotifyConfig { targets, ..NotifyConfig::default() }
}

impl Desk {
    /// One that sends to these targets.
    async fn new(targets: Vec<NotifyTarget>) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        let mut desk = Self::within(&state, targets);
        desk._state = Some(state);
        desk.becomes(Sender::is_here).await;
        desk
    }

    /// One of several that share a state directory.
    fn within(state: &TempDir, targets: Vec<NotifyTarget>) -> Self {
        let (notifier, reports) = Notifier::spawn(config(targets), place(state));
        Self { notifier, reports, _state: None }
    }

    /// Waits until it is clear who sends.
    async fn becomes(&self, wanted: impl FnMut(&Sender) -> bool) -> Sender {
        let mut sender = self.notifier.sender();
        let found = timeout(LIMIT, sender.wait_for(wanted)).await.expect("in time");
        found.expect("the notifier is there").clone()
    }

    /// The next report.
    async fn report(&mut self) -> Delivery {
        timeout(LIMIT, self.reports.recv()).await.expect("a report in time").expect("a report")
    }

    /// The next report of that target.
    async fn outcome(&mut self, target: &str) -> Outcome {
        loop {
            let report = self.report().await;
            if report.target == target {
                return report.outcome;
            }
        }
    }
}

fn alert(key: &str) -> AlertNotice {
    AlertNotice {
        key: key.to_owned(),
        rule: key.to_owned(),
        title: format!("Alert {key}"),
        severity: Severity::Critical,
        priority: Priority::P1,
        state: NoticeState::Firing,
        since: Moment::at_seconds(0.0).wall,
        resolved_after: None,
        ended: None,
        told: None,
        value: Some("412 ms".to_owned()),
        threshold: "> 200 ms for 5m".to_owned(),
        peak: None,
        n: Some(60),
        reason: "above the threshold".to_owned(),
        runbook: None,
        suggests: Vec::new(),
        acknowledged_by: None,
    }
}

/// A message of these alerts; those that begin with `-` have ended.
fn message(sequence: u64, keys: &[&str]) -> Notification {
    let alerts = keys.iter().map(|key| match key.strip_prefix('-') {
        Some(key) => AlertNotice {
            state: NoticeState::Resolved,
            resolved_after: Some(Duration::from_secs(754)),
            peak: Some("980 ms".to_owned()),
            ..alert(key)
        },
        None => alert(key),
    });
    let group = GroupKey {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        severity: Severity::Critical,
    };
    let at = Moment { mono: Duration::ZERO, wall: jiff::Timestamp::now() };
    Notification::new(group, alerts.collect(), at, sequence)
}

fn target(name: &str, kind: NotifyKind) -> NotifyTarget {
    NotifyTarget {
        name: name.to_owned(),
        kind,
        severities: vec![Severity::Critical],
        resolved: true,
        timeout: Duration::from_secs(10),
        retry_for: Duration::from_secs(3600),
    }
}

fn webhook(name: &str, url: &str, format: WebhookFormat) -> NotifyTarget {
    let url = url::Url::parse(url).expect("an address");
    let webhook = Webhook {
        format,
        address: Address { shown: url.to_string(), url },
        headers: Vec::new(),
        tls: TlsOptions::default(),
    };
    target(name, NotifyKind::Webhook(Box::new(webhook)))
}

/// The webhook in a target.
fn inner(target: &mut NotifyTarget) -> &mut Webhook {
    match &mut target.kind {
        NotifyKind::Webhook(webhook) => webhook,
        other => panic!("no webhook: {other:?}"),
    }
}

fn program(name: &str, argv: &[&str]) -> NotifyTarget {
    let command = Program {
        argv: argv.iter().map(|text| (*text).to_owned()).collect(),
        directory: None,
        environment: vec![("GREETING".to_owned(), Text::Plain("hello".to_owned()))],
    };
    target(name, NotifyKind::Command(Box::new(command)))
}

#[track_caller]
fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retrying { why, .. }
        | Outcome::GivenUp { why, .. }
        | Outcome::Replaced { why, .. } => why,
        Outcome::Delivered => panic!("it was delivered"),
    }
}
