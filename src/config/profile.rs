//! The validated configuration: what the rest of the program is built from.

mod notify;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json_path::JsonPath;

pub use self::notify::{
    Address, Bell, NotifyCommand, NotifyConfig, NotifyKind, NotifyTarget, Webhook, WebhookFormat,
};
use super::secret::Secret;
use crate::domain::{
    catalog::Catalog,
    ids::{ActionId, ReadingName, SourceId},
};

/// A complete, validated configuration.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What is watched and may be done, as the logic and the screen see it.
    pub catalog: Catalog,
    /// How to reach each source.
    pub sources: BTreeMap<SourceId, SourceConfig>,
    /// How to carry out each action.
    pub actions: BTreeMap<ActionId, ActionConfig>,
    /// Where alerts are told.
    pub notify: NotifyConfig,
    /// How the screen looks and how often it is drawn.
    pub display: Display,
    /// Where the journal, the log and saved texts go.
    pub state_dir: PathBuf,
    /// Doubtful things that do not keep the configuration from working, in words.
    pub warnings: Vec<String>,
}

/// One source.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name.
    pub id: SourceId,
    /// What it is.
    pub kind: SourceKind,
    /// How often it is asked.
    pub interval: Duration,
    /// Each poll is moved by up to this share of the interval, 0 to 0.5.
    pub jitter: f64,
    /// When a poll is given up.
    pub timeout: Duration,
    /// After failures the interval grows up to this.
    pub backoff_max: Duration,
    /// Not asked at all, with the reason.
    pub disabled: Option<String>,
}

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
}

/// Whom to trust over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// A PEM file with the only roots to trust; otherwise the system's.
    pub ca_file: Option<PathBuf>,
    /// Do not verify at all. Said on the screen wherever the source is shown.
    pub insecure: bool,
}

/// A text that may hold a secret.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// Not a secret.
    Plain(String),
    /// A secret, alone or after a fixed prefix: `Bearer ⟨TOKEN⟩`.
    Secret {
        /// What stands before it.
        prefix: String,
        /// The secret.
        secret: Secret,
    },
}

impl Text {
    /// The text to send.
    pub fn expose(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Secret { prefix, secret } => format!("{prefix}{}", secret.expose()),
        }
    }

    /// The text to show.
    pub fn shown(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Secret { prefix, secret } => format!("{prefix}{}", secret.placeholder()),
        }
    }
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
    pub queries: Vec<String>,
}

/// How an action is carried out.
#[derive(Clone, Debug)]
pub struct ActionConfig {
    /// Its name.
    pub id: ActionId,
    /// What it is.
    pub kind: ActionKind,
    /// When it is given up.
    pub timeout: Duration,
    /// What it keeps others from doing meanwhile: `shop/deploy` also keeps off what wants
    /// all of `shop`. The action alone where nothing is said.
    pub locks: Vec<String>,
}

/// The kinds of action.
#[derive(Clone, Debug)]
pub enum ActionKind {
    /// One HTTP request. Never repeated.
    Http(Box<HttpAction>),
    /// Keys deleted by prefix: SCAN and UNLINK in bounded batches.
    Redis(Box<RedisAction>),
    /// A program.
    Command(Box<CommandAction>),
}

/// One HTTP request.
#[derive(Clone, Debug)]
pub struct HttpAction {
    /// `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: String,
    /// The address.
    pub url: url::Url,
    /// Header names and values.
    pub headers: Vec<(String, Text)>,
    /// The JSON body.
    pub body: Option<serde_json::Value>,
    /// Statuses that claim success.
    pub accept: Vec<StatusRange>,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// Values of the answer, for the proof.
    pub readings: Vec<ReadingConfig>,
}

/// Keys to delete.
#[derive(Clone, Debug)]
pub struct RedisAction {
    /// The source whose connection settings are used.
    pub source: SourceId,
    /// Its settings.
    pub redis: RedisSource,
    /// Patterns whose keys are deleted.
    pub delete: Vec<String>,
    /// Patterns whose keys are never deleted, even where `delete` matches them.
    pub protect: Vec<String>,
    /// The most keys deleted per second.
    pub keys_per_second: u32,
}

/// A program to run.
#[derive(Clone, Debug)]
pub struct CommandAction {
    /// The program and its arguments, passed as they are.
    pub argv: Vec<String>,
    /// Run by `sh -c`; only where the configuration says `shell = true`.
    pub shell: bool,
    /// Its directory.
    pub directory: Option<PathBuf>,
    /// Variables added to a clean environment (PATH, HOME, LANG, USER, TERM=dumb).
    pub environment: Vec<(String, Text)>,
    /// What it reads on its standard input; nothing otherwise.
    pub stdin: Option<Text>,
}

/// Colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// By the terminal and `NO_COLOR`.
    #[default]
    Auto,
    /// The 16 colours of the terminal's own palette.
    Ansi16,
    /// 256 colours.
    Ansi256,
    /// 24 bits.
    TrueColor,
    /// Attributes only.
    Never,
}

/// How the screen looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Display {
    /// Colours.
    pub color: ColorMode,
    /// ASCII only.
    pub ascii: bool,
    /// Times in UTC; otherwise in the local zone, with its offset.
    pub utc: bool,
    /// Frames per second at most.
    pub fps: u8,
    /// Frames per second at most over SSH.
    pub fps_ssh: u8,
    /// Nothing can be started at all, whatever is armed.
    pub read_only: bool,
    /// The program sets the window title.
    pub title: bool,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            color: ColorMode::Auto,
            ascii: false,
            utc: false,
            fps: 10,
            fps_ssh: 4,
            read_only: false,
            title: true,
        }
    }
}
