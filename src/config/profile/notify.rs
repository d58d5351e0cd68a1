//! Where alerts are told.

use std::{fmt, time::Duration};

use super::{Program, Text, TlsOptions};
use crate::{
    config::secret::Secret,
    domain::{delivery::TargetInfo, notification::Severity, outbox::Policy},
};

/// When alerts are told, and where to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifyConfig {
    /// How long to wait.
    pub policy: Policy,
    /// The targets that can be used.
    pub targets: Vec<NotifyTarget>,
    /// All targets in the order in which they are written, also those that are not used.
    pub infos: Vec<TargetInfo>,
}

impl NotifyConfig {
    /// The terminal's own part, where one wants it. It is for whoever owns the terminal:
    /// nothing is delivered to it.
    pub fn bell(&self) -> Option<(&NotifyTarget, Bell)> {
        self.targets.iter().find_map(|target| match &target.kind {
            NotifyKind::Bell(bell) => Some((target, *bell)),
            _ => None,
        })
    }
}

/// One target.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifyTarget {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NotifyKind,
    /// The severities that it is told of.
    pub severities: Vec<Severity>,
    /// Whether it is told of their end.
    pub resolved: bool,
    /// When one attempt is given up.
    pub timeout: Duration,
    /// For how long a message that could not be delivered is tried again.
    pub retry_for: Duration,
}

/// The kinds of target.
#[derive(Clone, Debug, PartialEq)]
pub enum NotifyKind {
    /// An HTTP POST for each message.
    Webhook(Box<Webhook>),
    /// A program that reads each message.
    Command(Box<Program>),
    /// The terminal that the console runs in.
    Bell(Bell),
}

/// An HTTP POST.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// What is sent.
    pub format: WebhookFormat,
    /// The address.
    pub address: Address,
    /// Header names and values.
    pub headers: Vec<(String, Text)>,
    /// Whom to trust.
    pub tls: TlsOptions,
}

/// An address that may be a secret as a whole: whoever knows it may post there.
#[derive(Clone, PartialEq)]
pub struct Address {
    /// The address.
    pub url: url::Url,
    /// What is shown in its place.
    pub shown: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The form of the body of a webhook.
#[derive(Clone, Debug, PartialEq)]
pub enum WebhookFormat {
    /// The whole message as JSON.
    Generic,
    /// Text and blocks, as Slack takes them.
    Slack,
    /// An event of PagerDuty's Events API v2.
    PagerDuty {
        /// The integration key.
        routing_key: Secret,
    },
}

/// The terminal's bell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bell {
    /// It rings at most once in this time.
    pub at_most_every: Duration,
}
