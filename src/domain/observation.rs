//! What one look at a source brought back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    failure::Failure,
    ids::{ReadingName, SourceId},
    time::Moment,
    value::Value,
    violations::{Pressure, Violation},
};

/// The result of one poll, good or bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Who was asked.
    pub source: SourceId,
    /// When the answer was complete, or given up.
    pub at: Moment,
    /// From the intended start to `at`. A poll that had to wait for the one before it
    /// includes that wait, so that a stall is not hidden.
    pub took: Duration,
    /// What was asked, for the "where from" line: `GET https://…/health`, `INFO, DBSIZE`.
    /// Without secrets.
    pub request: Arc<str>,
    /// The phases of an HTTP exchange, as far as it got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Phases>,
    /// What it brought.
    pub outcome: Result<Facts, Failure>,
}

/// The phases of one HTTP exchange over a new connection. Each is `None` where the
/// exchange did not get that far, or had no such phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Resolving the name.
    pub dns: Option<Duration>,
    /// Opening the TCP connection.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request being sent to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// Reading the body.
    pub body: Option<Duration>,
}

/// The contents of a good answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Values by name.
    pub readings: BTreeMap<ReadingName, Value>,
    /// Configured readings that the answer did not have, with the reason in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(ReadingName, String)>,
    /// Optional commands or sections that this server does not have: not an error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_offered: Vec<String>,
    /// Remarks for the operator, such as "certificate not verified".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Whatever is more than one value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exhibits: Vec<Exhibit>,
}

/// Structured parts of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhibit {
    /// Redis: the newest slow commands.
    SlowLog(Vec<SlowCommand>),
    /// A page of rate-limit violations.
    Violations(Vec<Violation>),
    /// What is not in that page: whatever is counted by it is at least so much.
    Incomplete {
        /// Violations that could not be read.
        unreadable: u64,
        /// Violations beyond what one page may hold.
        left_out: u64,
    },
    /// Who is near a rate limit now, and whether the scan saw every key.
    Pressure {
        /// The identifiers found, most used first.
        entries: Vec<Pressure>,
        /// Whether the budget sufficed to look at every key.
        complete: bool,
    },
    /// Postgres: sessions that are long, blocked, blocking or idle in a transaction.
    Sessions(Vec<Session>),
    /// A log: what its requests were about.
    Traffic(Traffic),
    /// A log: what has come since the look before.
    Log(LogPart),
}

/// What has come of a log since the look before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogPart {
    /// The newest entries, oldest first.
    pub entries: Vec<Arc<LogEntry>>,
    /// Entries that are not among them, because there were too many.
    #[serde(default)]
    pub left_out: u64,
    /// Lines that are not among them, because they were too long.
    #[serde(default)]
    pub too_long: u64,
}

/// The requests of a window, by what was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// The window.
    pub window: Duration,
    /// By path, most failures first, then most requests; identifiers in a path are `:id`.
    pub paths: Vec<PathTraffic>,
    /// The worst requests, failed ones first, then the slowest.
    pub worst: Vec<WorstRequest>,
    /// How many paths and requests there were in all, listed or not.
    #[serde(default)]
    pub all: (u64, u64),
    /// From when on requests are known, where that is later than the beginning of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// What was asked of one path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathTraffic {
    /// The path.
    pub path: Arc<str>,
    /// How many requests.
    pub requests: u64,
    /// How many of them ended with a status of 500 or more.
    pub failed: u64,
    /// How long the slowest took, milliseconds.
    pub slowest_ms: Option<f64>,
}

/// A request to look into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstRequest {
    /// When it ended.
    pub at: Timestamp,
    /// What it can be found by elsewhere.
    pub trace: Option<Arc<str>>,
    /// The path.
    pub path: Arc<str>,
    /// The HTTP status.
    pub status: u16,
    /// How long it took, milliseconds.
    pub ms: Option<f64>,
}

/// One entry of a log, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When it was written, where it says so; otherwise when it came.
    pub at: Timestamp,
    /// The service, where several write into one log.
    pub service: Option<Arc<str>>,
    /// `error`, `warn` and so on, as written.
    pub level: Option<Arc<str>>,
    /// What happened.
    pub message: Arc<str>,
    /// It is about a request that ended with a status of 500 or more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Other fields, without those that are dropped by their names.
    pub fields: Vec<(Arc<str>, String)>,
}

/// One line of the Redis slow log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowCommand {
    /// Its number on the server, unique per server run.
    pub id: i64,
    /// When it ran, by the server's clock, seconds since the epoch.
    pub unix_seconds: i64,
    /// How long it took on the server.
    pub took: Duration,
    /// The command's name and how many arguments it had. Arguments are data, and are
    /// left on the server.
    pub command: String,
}

/// A Postgres session worth looking at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its process id on the server.
    pub pid: i64,
    /// Role.
    pub user: String,
    /// Database.
    pub database: String,
    /// What the application calls itself.
    pub application: String,
    /// `active`, `idle in transaction` and so on, as the server says it.
    pub state: String,
    /// How long its transaction is open.
    pub transaction_age: Option<Duration>,
    /// How long its statement runs.
    pub query_age: Option<Duration>,
    /// What it waits for, as the server says it.
    pub wait: Option<String>,
    /// Sessions that block it.
    pub blocked_by: Vec<i64>,
    /// The start of the statement, with literals removed.
    pub query: String,
}

/// The keys under one prefix, as counted by a bounded scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyGroup {
    /// The configured name of the group.
    pub name: String,
    /// The pattern that was scanned for.
    pub pattern: String,
    /// How many keys.
    pub keys: u64,
    /// Whether every key of the server was visited; otherwise the figures are estimates.
    pub exact: bool,
    /// Memory they use, from a sample, where the server tells.
    pub bytes: Option<u64>,
    /// Whether actions may delete them.
    pub protected: bool,
}

/// The result of a scan that the operator asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyScan {
    /// The Redis that was scanned.
    pub source: SourceId,
    /// When it was done.
    pub at: Moment,
    /// How long it took.
    pub took: Duration,
    /// The groups, or why not.
    pub outcome: Result<Vec<KeyGroup>, Failure>,
}
