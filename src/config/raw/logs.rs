//! Logs that are followed, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    source::source,
    value::{DurationText, TextValue},
};

source! {
    /// A log that is followed: a file, or a program that goes on printing.
    pub struct RawLogs {
        /// The file.
        pub file: Option<String>,
        /// The program and its arguments; no shell is in between. `{since}` and
        /// `{since_unix}` stand for the time from which it is to print.
        pub argv: Option<Vec<String>>,
        /// The directory of the program; otherwise the one that the console was started in.
        pub directory: Option<String>,
        /// Variables for the program. Beside these it gets PATH, HOME, LANG and USER.
        #[serde(default)]
        pub environment: BTreeMap<String, TextValue>,
        /// The program is started anew where it prints nothing for this long.
        #[serde(default = "five_minutes")]
        pub silent_after: DurationText,
        /// What the readings are about: the first without, each further one with its length
        /// behind the name.
        #[serde(default = "windows")]
        #[schemars(length(min = 1))]
        pub windows: Vec<DurationText>,
        /// The message of an entry that is a finished request.
        #[serde(default = "request_completed")]
        pub request: String,
        /// Where an entry says what.
        #[serde(default)]
        pub fields: RawLogFields,
        /// Requests that do not count.
        #[serde(default)]
        pub exclude: RawLogExclude,
        /// Fields that are never kept.
        #[serde(default = "personal")]
        pub drop: Vec<String>,
        /// The zone of times that name none.
        #[serde(default = "utc")]
        pub timezone: String,
    }
}

/// The names of the fields of an entry; dots lead into objects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLogFields {
    /// When it was written.
    pub time: String,
    /// How bad it is.
    pub level: String,
    /// What happened.
    pub message: String,
    /// The HTTP status.
    pub status: String,
    /// How long a request took, in milliseconds.
    pub duration: String,
    /// What was asked for.
    pub path: String,
    /// What it can be found by elsewhere.
    pub trace: String,
    /// Who asked.
    pub agent: String,
}

/// Requests that do not count: those that match any of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLogExclude {
    /// A regular expression for the path of a request, without its query.
    pub path: Option<String>,
    /// A regular expression for who asked. What the console itself asks is
    /// `watchfloor/VERSION`; an empty text excludes nobody.
    pub agent: String,
}

impl Default for RawLogExclude {
    fn default() -> Self {
        Self { path: None, agent: "^watchfloor/".to_owned() }
    }
}

impl Default for RawLogFields {
    fn default() -> Self {
        let [time, level, message, status, duration, path, trace, agent] = [
            "timestamp",
            "level",
            "message",
            "status",
            "duration_ms",
            "path",
            "trace_id",
            "user_agent",
        ]
        .map(str::to_owned);
        Self { time, level, message, status, duration, path, trace, agent }
    }
}

fn five_minutes() -> DurationText {
    "5m".into()
}

fn windows() -> Vec<DurationText> {
    vec![five_minutes()]
}

fn request_completed() -> String {
    "request.completed".to_owned()
}

fn personal() -> Vec<String> {
    ["user_id", "ip", "user_agent", "email"].map(str::to_owned).to_vec()
}

fn utc() -> String {
    "UTC".to_owned()
}
