//! Streams of server-sent events, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    source::source,
    value::{DurationText, Headers, HttpReading, SizeText},
};

source! {
    /// A stream of server-sent events, kept open.
    pub struct RawSse {
        /// The address.
        pub url: String,
        /// Headers to send.
        #[serde(default)]
        pub headers: Headers,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// The largest event that is kept.
        #[serde(default = "one_megabyte")]
        pub max_event: SizeText,
        /// A stream without an event for this long is down, and opened anew. Where only
        /// events of other names come, the readings are missing after this long.
        #[serde(default = "one_minute")]
        pub silent_after: DurationText,
        /// The name of the events that the readings are taken from; events without a name
        /// are called `message`.
        #[serde(default = "message")]
        pub event: String,
        /// Values to take out of the last such event, by name.
        #[serde(default)]
        pub readings: BTreeMap<String, HttpReading>,
        /// Readings that count the events of a name since the console started.
        #[serde(default)]
        pub counts: BTreeMap<String, String>,
    }
}

fn one_megabyte() -> SizeText {
    "1MB".into()
}

fn one_minute() -> DurationText {
    "1m".into()
}

fn message() -> String {
    "message".to_owned()
}
