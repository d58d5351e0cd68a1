//! Sources as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    logs::RawLogs,
    probe::{RawStatuspage, RawTcp, RawTls},
    program::RawCommand,
    prometheus::RawPrometheus,
    sse::RawSse,
    value::{
        DurationText, Headers, HttpReading, InfoReading, PathText, SizeText, StatusText, TextValue,
        success,
    },
};

/// A source, by kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RawSource {
    /// An HTTP endpoint that is asked with GET.
    Http(Box<RawHttp>),
    /// A server that speaks Redis's protocol.
    Redis(Box<RawRedis>),
    /// Upstash's REST interface to Redis.
    Upstash(Box<RawUpstash>),
    /// A PostgreSQL server.
    Postgres(Box<RawPostgres>),
    /// A program that is run for each poll, and read.
    Command(Box<RawCommand>),
    /// A log that is followed: a file, or a program that goes on printing.
    Logs(Box<RawLogs>),
    /// A Prometheus server that is queried, or an endpoint that lists metrics in its format.
    Prometheus(Box<RawPrometheus>),
    /// A port that must accept connections.
    Tcp(Box<RawTcp>),
    /// A server whose certificate is looked at.
    Tls(Box<RawTls>),
    /// A status page as Atlassian Statuspage has them.
    Statuspage(Box<RawStatuspage>),
    /// A stream of server-sent events, kept open.
    Sse(Box<RawSse>),
}

/// What every kind of source has.
#[derive(Clone, Copy, Debug)]
pub struct Polling<'a> {
    /// What it is for.
    pub title: Option<&'a str>,
    /// How often it is asked.
    pub interval: Option<&'a DurationText>,
    /// Share of the interval.
    pub jitter: Option<f64>,
    /// When a poll is given up.
    pub timeout: Option<&'a DurationText>,
    /// Longest interval after failures.
    pub backoff_max: Option<&'a DurationText>,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Left out where a variable is not set.
    pub optional: bool,
    /// Whose place it takes.
    pub instead_of: Option<&'a str>,
}

macro_rules! source {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// What it is for, in words; otherwise its name.
            pub title: Option<String>,
            /// How often it is asked; otherwise `defaults.interval`, and `60s` for Upstash,
            /// where every command is billed.
            pub interval: Option<$crate::config::raw::value::DurationText>,
            /// Each poll is moved by up to this share of the interval; otherwise `defaults.jitter`.
            pub jitter: Option<f64>,
            /// When a poll is given up; otherwise `defaults.timeout`.
            pub timeout: Option<$crate::config::raw::value::DurationText>,
            /// After failures the interval grows up to this; otherwise `defaults.backoff_max`.
            pub backoff_max: Option<$crate::config::raw::value::DurationText>,
            /// Whether it is asked at all.
            #[serde(default = "crate::config::raw::source::yes")]
            pub enabled: bool,
            /// Where one of its variables is not set: shown as not configured, not an error.
            #[serde(default)]
            pub optional: bool,
            /// Takes the place of this optional source where that one is not configured; left
            /// out otherwise.
            pub instead_of: Option<String>,
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            /// What every kind of source has.
            pub fn polling(&self) -> $crate::config::raw::source::Polling<'_> {
                $crate::config::raw::source::Polling {
                    title: self.title.as_deref(),
                    interval: self.interval.as_ref(),
                    jitter: self.jitter,
                    timeout: self.timeout.as_ref(),
                    backoff_max: self.backoff_max.as_ref(),
                    enabled: self.enabled,
                    optional: self.optional,
                    instead_of: self.instead_of.as_deref(),
                }
            }
        }
    };
}

pub(super) use source;

source! {
    /// An HTTP endpoint that is asked with GET.
    pub struct RawHttp {
        /// The address.
        pub url: String,
        /// Headers to send.
        #[serde(default)]
        pub headers: Headers,
        /// Statuses whose body is read as an answer; any other is a failure.
        #[serde(default = "success")]
        pub accept: Vec<StatusText>,
        /// The largest body that is read.
        #[serde(default = "one_megabyte")]
        pub max_body: SizeText,
        /// Redirects that are followed.
        #[serde(default)]
        #[schemars(range(min = 0, max = 10))]
        pub redirects: u8,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// Values to take out of the answer, by name.
        #[serde(default)]
        pub readings: BTreeMap<String, HttpReading>,
        /// Where the rate-limit violations stand in the answer.
        pub violations: Option<PathText>,
    }
}

source! {
    /// A server that speaks Redis's protocol.
    pub struct RawRedis {
        /// The address: `redis://host:6379/0`, `rediss://user@host:6380`, `unix:///path`. A
        /// password may only stand in an address that comes from elsewhere: `{ env = "REDIS_URL" }`.
        pub url: TextValue,
        /// The ACL user.
        pub username: Option<String>,
        /// Its password.
        pub password: Option<TextValue>,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// Fields of INFO to take under another name.
        #[serde(default)]
        pub readings: BTreeMap<String, InfoReading>,
        /// Slow-log entries fetched per poll; 0 for none.
        #[serde(default = "ten")]
        #[schemars(range(min = 0, max = 128))]
        pub slowlog: u32,
        /// The most keys that one poll may visit to find who is near a rate limit.
        #[serde(default = "five_thousand")]
        #[schemars(range(min = 100, max = 1_000_000))]
        pub scan_budget: u32,
        /// Rate-limit windows to look into.
        #[serde(default)]
        pub pressure: Vec<RawPressure>,
    }
}

/// Sorted sets that hold one member per request, scored by its time in milliseconds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPressure {
    /// The keys: literal characters and one `*`, which stands for the identifier.
    pub pattern: String,
    /// The name of the tier.
    pub tier: String,
    /// Requests allowed per window.
    #[schemars(range(min = 1))]
    pub limit: u64,
    /// The window.
    pub window: DurationText,
}

source! {
    /// Upstash's REST interface to Redis.
    pub struct RawUpstash {
        /// The address, `https://NAME.upstash.io`.
        pub url: TextValue,
        /// The bearer token.
        pub token: TextValue,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// Fields of INFO to take under another name.
        #[serde(default)]
        pub readings: BTreeMap<String, InfoReading>,
    }
}

source! {
    /// A PostgreSQL server.
    pub struct RawPostgres {
        /// The address, `postgres://user@host:5432/database`. A password may only stand in an
        /// address that comes from elsewhere: `{ env = "DATABASE_URL" }`.
        pub url: TextValue,
        /// The role's password.
        pub password: Option<TextValue>,
        /// Encryption, over what the address says. Otherwise `verify-full`, and `prefer` for
        /// this machine.
        pub sslmode: Option<RawSslMode>,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// When the server gives up one of our statements.
        #[serde(default = "two_seconds")]
        pub statement_timeout: DurationText,
        /// Statements that run longer than this are listed.
        #[serde(default = "thirty_seconds")]
        pub long_query: DurationText,
        /// Your own statements: each a single SELECT of one row, whose columns become readings.
        /// One that costs more than a look should is asked less often:
        /// `{ sql = "SELECT …", every = "5m" }`.
        #[serde(default)]
        pub queries: Vec<RawStatement>,
    }
}

/// A statement of the operator's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a statement such as \"SELECT count(*) AS waiting FROM jobs\", or { sql = \"SELECT …\", every = \"5m\" }"))]
pub enum RawStatement {
    /// Asked with every look.
    Always(String),
    /// Asked less often.
    Seldom(RawSeldom),
}

/// A statement that is asked less often than the rest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSeldom {
    /// The statement.
    pub sql: String,
    /// How often; its answer holds in between, up to an hour.
    pub every: DurationText,
}

impl RawStatement {
    /// The statement.
    pub fn sql(&self) -> &str {
        match self {
            Self::Always(sql) => sql,
            Self::Seldom(seldom) => &seldom.sql,
        }
    }
}

/// Encryption, as libpq names it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawSslMode {
    /// Never.
    Disable,
    /// Where the server offers it; not verified.
    Prefer,
    /// Always; not verified.
    Require,
    /// Always, with the certificate and the host name verified.
    VerifyFull,
}

impl RawSource {
    /// What every kind of source has.
    pub fn polling(&self) -> Polling<'_> {
        match self {
            Self::Http(source) => source.polling(),
            Self::Redis(source) => source.polling(),
            Self::Upstash(source) => source.polling(),
            Self::Postgres(source) => source.polling(),
            Self::Command(source) => source.polling(),
            Self::Logs(source) => source.polling(),
            Self::Prometheus(source) => source.polling(),
            Self::Tcp(source) => source.polling(),
            Self::Tls(source) => source.polling(),
            Self::Statuspage(source) => source.polling(),
            Self::Sse(source) => source.polling(),
        }
    }

    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Redis(_) => "redis",
            Self::Upstash(_) => "upstash",
            Self::Postgres(_) => "postgres",
            Self::Command(_) => "command",
            Self::Logs(_) => "logs",
            Self::Prometheus(_) => "prometheus",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Statuspage(_) => "statuspage",
            Self::Sse(_) => "sse",
        }
    }
}

/// The default of `enabled`.
pub fn yes() -> bool {
    true
}

fn one_megabyte() -> SizeText {
    "1MB".into()
}

fn two_seconds() -> DurationText {
    "2s".into()
}

/// The default of `long_query`.
pub fn thirty_seconds() -> DurationText {
    "30s".into()
}

fn ten() -> u32 {
    10
}

fn five_thousand() -> u32 {
    5_000
}
