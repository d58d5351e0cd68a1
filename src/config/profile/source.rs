//! How each kind of source is reached and what is taken out of its answers.

use std::{path::PathBuf, time::Duration};

use regex::Regex;
use serde_json_path::JsonPath;

use super::{
    CommandSource, LogsSource, PrometheusSource, SseSource, StatuspageSource, TcpSource, Text,
    TlsOptions, TlsSource,
};
use crate::{config::secret::Secret, domain::ids::ReadingName};

/// The kinds of source.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// An HTTP endpoint.
    Http(Box<HttpSource>),
    /// A Redis-protocol server.
    Redis(Box<RedisSource>),
    /// Upstash's REST interface to Redis.
    Upstash(Box<UpstashSource>),
    /// A PostgreSQL server.
    Postgres(Box<PostgresSource>),
    /// A program that is run for each poll.
    Command(Box<CommandSource>),
    /// A log that is followed.
    Logs(Box<LogsSource>),
    /// Prometheus, or what it scrapes.
    Prometheus(Box<PrometheusSource>),
    /// A port that must accept connections.
    Tcp(Box<TcpSource>),
    /// A server whose certificate is looked at.
    Tls(Box<TlsSource>),
    /// A status page.
    Statuspage(Box<StatuspageSource>),
    /// A stream of server-sent events.
    Sse(Box<SseSource>),
}

/// An HTTP endpoint that is asked with GET.
#[derive(Clone, Debug)]
pub struct HttpSource {
    /// The address.
    pub url: url::Url,
    /// Header names and values.
    pub headers: Vec<(String, Text)>,
    /// Statuses whose body is read as an answer; any other is a failure.
    pub accept: Vec<StatusRange>,
    /// The largest body that is read, bytes after decoding.
    pub max_body: u64,
    /// Redirects followed; each further hop must stay on the same scheme, host and port to
    /// keep its credentials. 0: a redirect is an answer like any other.
    pub redirects: u8,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// Values to take out of the answer.
    pub readings: Vec<ReadingConfig>,
    /// Where a page of rate-limit violations stands in the answer.
    pub violations: Option<ViolationsConfig>,
}

/// A range of HTTP statuses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// First.
    pub from: u16,
    /// Last.
    pub to: u16,
}

impl StatusRange {
    /// Whether the status lies in the range.
    pub fn contains(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

/// One value to take out of an answer.
#[derive(Clone, Debug)]
pub struct ReadingConfig {
    /// Its name.
    pub name: ReadingName,
    /// Where it stands.
    pub from: Extract,
}

/// Where a value stands in an answer.
#[derive(Clone, Debug)]
pub enum Extract {
    /// In the JSON body: the first of these paths that matches exactly one node.
    Json(Vec<JsonPath>),
    /// How many nodes a path matches in the JSON body.
    Count(JsonPath),
    /// Every text that a path matches in the JSON body, to choose from.
    List(JsonPath),
    /// A line for each node that a path matches in the JSON body, of what tells it apart.
    Labels {
        /// Where the nodes are.
        items: JsonPath,
        /// What is put into the line of each, as far as it is there.
        parts: Vec<JsonPath>,
    },
    /// How many of the texts that a path matches in the JSON body name a point in time that
    /// is over.
    Past {
        /// Where the texts stand.
        path: JsonPath,
        /// Where in a text the time stands: the first group, or all of the match.
        pattern: Option<Regex>,
    },
    /// In a header.
    Header(String),
    /// In a field of Redis's INFO.
    Info(String),
}

/// Where rate-limit violations stand in a JSON answer.
#[derive(Clone, Debug)]
pub struct ViolationsConfig {
    /// Selects the violations, each an object with `timestamp`, `identifier`, `endpoint`,
    /// `limit`, `windowMs`. Everything else in them is dropped on arrival.
    pub path: JsonPath,
}

/// A Redis-protocol server.
#[derive(Clone, Debug)]
pub struct RedisSource {
    /// Host name or address; or the path of a Unix socket.
    pub address: RedisAddress,
    /// Database number.
    pub database: i64,
    /// ACL user; the default user otherwise.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// `rediss://`.
    pub tls: Option<TlsOptions>,
    /// Further INFO fields to take.
    pub readings: Vec<ReadingConfig>,
    /// Slow-log entries fetched per poll; 0 asks for none.
    pub slowlog: u32,
    /// Rate-limit windows to look into, by bounded SCAN and ZCOUNT.
    pub pressure: Vec<PressureConfig>,
    /// The most keys that one poll may visit for that.
    pub scan_budget: u32,
}

/// Where a Redis server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisAddress {
    /// Over TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// On a Unix socket.
    Unix(PathBuf),
}

/// Sorted sets in which an application keeps its rate-limit windows: one member per
/// request, scored by its time in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PressureConfig {
    /// The keys: literal characters and one `*`, which stands for the identifier.
    pub pattern: String,
    /// The name of the tier.
    pub tier: String,
    /// Requests allowed per window.
    pub limit: u64,
    /// The window.
    pub window: Duration,
}

/// Upstash's REST interface.
#[derive(Clone, Debug)]
pub struct UpstashSource {
    /// The address, `https://….upstash.io`.
    pub url: url::Url,
    /// The bearer token.
    pub token: Secret,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// Further INFO fields to take.
    pub readings: Vec<ReadingConfig>,
}

/// How a Postgres connection is encrypted, as libpq names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Where the server offers it; not verified.
    Prefer,
    /// Always; not verified. Said so on the screen.
    Require,
    /// Always, with the certificate and the host name verified.
    VerifyFull,
}

/// A PostgreSQL server.
#[derive(Clone, Debug)]
pub struct PostgresSource {
    /// Host name, address, or the directory of a Unix socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Role.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// Encryption.
    pub sslmode: SslMode,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// `statement_timeout` of the session.
    pub statement_timeout: Duration,
    /// Statements that run longer than this are listed.
    pub long_query: Duration,
    /// The operator's own statements: each must be a single SELECT of one row, and each
    /// column becomes a reading of that name.
    pub queries: Vec<Statement>,
}

/// A statement of the operator's own.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// The statement.
    pub sql: String,
    /// How long its answer holds; zero asks with every look.
    pub every: Duration,
    /// The names that its columns seem to have: known before it ever ran.
    pub columns: Vec<String>,
}

impl From<&str> for Statement {
    /// A statement that is asked with every look.
    fn from(sql: &str) -> Self {
        Self { sql: sql.to_owned(), ..Self::default() }
    }
}
