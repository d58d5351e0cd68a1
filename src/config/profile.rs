//! The validated configuration: what the rest of the program is built from.

mod display;
mod form;
mod logs;
mod notify;
mod probe;
mod program;
mod prometheus;
mod sequence;
mod source;
mod sql;
mod sse;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

pub use self::display::{ColorMode, Display};
pub use self::form::{Form, Gap, Spot};
pub use self::logs::{LogExclude, LogFields, LogOrigin, LogsSource};
pub use self::notify::{
    Address, Bell, NotifyConfig, NotifyKind, NotifyTarget, Webhook, WebhookFormat,
};
pub use self::probe::{HostPort, StatuspageSource, TcpSource, TlsSource};
pub use self::program::{CommandReading, CommandSource, OutputPart, Program};
pub use self::prometheus::{
    MetricPart, PointTake, PromQuery, PrometheusSource, PrometheusTake, QueryRange, Selector,
};
pub use self::sequence::{EnvFile, Look, SequenceAction, Step, StepKind, Wait};
pub use self::source::{
    Extract, HttpSource, PostgresSource, PressureConfig, ReadingConfig, RedisAddress, RedisSource,
    SourceKind, SslMode, Statement, StatusRange, UpstashSource, ViolationsConfig,
};
pub use self::sql::SqlAction;
pub use self::sse::SseSource;
use super::secret::Secret;
use crate::domain::{
    catalog::Catalog,
    ids::{ActionId, SourceId},
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
    /// What only an examination of the configuration needs to know.
    pub doctor: DoctorConfig,
    /// Doubtful things that do not keep the configuration from working, in words.
    pub warnings: Vec<String>,
}

/// What only an examination of the configuration needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorConfig {
    /// Actions whose address may be read with GET.
    pub safe_get: BTreeSet<ActionId>,
    /// Files that secrets were read from.
    pub secret_files: BTreeSet<PathBuf>,
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
    /// What is asked for when it is started, and where that goes. Until it is filled in,
    /// `kind` says nothing in these places.
    pub form: Form,
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
    /// SQL statements in one transaction.
    Sql(Box<SqlAction>),
    /// Several steps, one after the other.
    Sequence(SequenceAction),
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
    /// The JSON body, secrets masked.
    pub body: Option<serde_json::Value>,
    /// The secrets of the body: where each stands, as a JSON pointer (RFC 6901).
    pub hidden: Vec<(String, Text)>,
    /// Statuses that claim success.
    pub accept: Vec<StatusRange>,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// Values of the answer, for the proof.
    pub readings: Vec<ReadingConfig>,
    /// The header in which the name of the run is sent, where the other side takes one to
    /// know a request again.
    pub idempotency_key_header: Option<String>,
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
    /// It runs in a terminal of its own, and asks the operator.
    pub interactive: bool,
}
