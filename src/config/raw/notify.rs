//! Where alerts are told, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    source::yes,
    value::{DurationText, Headers, TextValue},
};

/// When alerts are told, and where to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawNotify {
    /// How long an alert waits for others of the same severity before it is told.
    pub group_wait: DurationText,
    /// After this time what still fires is told again.
    pub repeat: DurationText,
    /// Where to, by name.
    pub target: BTreeMap<String, RawTarget>,
}

impl Default for RawNotify {
    fn default() -> Self {
        Self { group_wait: "30s".into(), repeat: "4h".into(), target: BTreeMap::new() }
    }
}

/// Where alerts are told, by kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RawTarget {
    /// An HTTP POST for each message.
    Webhook(Box<RawWebhook>),
    /// A program that reads each message on its standard input.
    Command(Box<RawNotifyCommand>),
    /// The terminal that the console runs in.
    Bell(Box<RawBell>),
}

/// What every kind of target has.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The alerts that it is told.
    pub severities: &'a [RawSeverity],
    /// Whether it is told of their end.
    pub resolved: bool,
    /// Whether it is used at all.
    pub enabled: bool,
    /// Left out where a variable is not set.
    pub optional: bool,
}

macro_rules! target {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The severities that it is told of.
            #[serde(default = "critical")]
            pub severities: Vec<RawSeverity>,
            /// Whether it is told of their end too.
            #[serde(default = "yes")]
            pub resolved: bool,
            /// Whether it is used at all.
            #[serde(default = "yes")]
            pub enabled: bool,
            /// Where one of its variables is not set: shown as not configured, not an error.
            #[serde(default)]
            pub optional: bool,
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            fn telling(&self) -> Telling<'_> {
                Telling {
                    severities: &self.severities,
                    resolved: self.resolved,
                    enabled: self.enabled,
                    optional: self.optional,
                }
            }
        }
    };
}

target! {
    /// An HTTP POST for each message.
    pub struct RawWebhook {
        /// What is sent: `generic` is the whole message as JSON, `slack` is what Slack,
        /// Mattermost and Rocket.Chat take, `pagerduty` is the Events API v2.
        #[serde(default = "generic")]
        pub format: RawFormat,
        /// The address. For `slack` it is a secret; `pagerduty` has its own.
        pub url: Option<TextValue>,
        /// Headers to send.
        #[serde(default)]
        pub headers: Headers,
        /// The integration key of a PagerDuty service; a secret.
        pub routing_key: Option<TextValue>,
        /// When one attempt is given up.
        #[serde(default = "ten_seconds")]
        pub timeout: DurationText,
        /// For how long a message that could not be delivered is tried again.
        #[serde(default = "one_hour")]
        pub retry_for: DurationText,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
    }
}

target! {
    /// A program that reads each message on its standard input.
    pub struct RawNotifyCommand {
        /// The program and its arguments, passed as they are.
        pub argv: Vec<String>,
        /// Its directory; otherwise the console's own.
        pub directory: Option<String>,
        /// Variables added to an otherwise clean environment.
        #[serde(default)]
        pub environment: BTreeMap<String, TextValue>,
        /// When it is stopped, and everything that it has started.
        #[serde(default = "half_a_minute")]
        pub timeout: DurationText,
        /// For how long a message that could not be delivered is tried again.
        #[serde(default = "one_hour")]
        pub retry_for: DurationText,
    }
}

target! {
    /// The bell of the terminal that the console runs in. What fires stands in the title of
    /// its window too, where `display.title` is true.
    pub struct RawBell {
        /// It rings at most once in this time.
        #[serde(default = "half_a_minute")]
        pub at_most_every: DurationText,
    }
}

impl RawTarget {
    /// What every kind of target has.
    pub fn telling(&self) -> Telling<'_> {
        match self {
            Self::Webhook(target) => target.telling(),
            Self::Command(target) => target.telling(),
            Self::Bell(target) => target.telling(),
        }
    }
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawSeverity {
    /// Needs attention.
    Warning,
    /// Is broken.
    Critical,
}

/// The form of the body of a webhook.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawFormat {
    /// The whole message as JSON.
    Generic,
    /// A message for Slack and what understands the same.
    Slack,
    /// An event for PagerDuty.
    Pagerduty,
}

fn critical() -> Vec<RawSeverity> {
    vec![RawSeverity::Critical]
}

fn generic() -> RawFormat {
    RawFormat::Generic
}

fn ten_seconds() -> DurationText {
    "10s".into()
}

fn half_a_minute() -> DurationText {
    "30s".into()
}

fn one_hour() -> DurationText {
    "1h".into()
}
