//! Steps of a sequence as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    action::{
        RawCommandAction, RawCommandStep, RawHttpStep, RawRedisStep, RawSqlStep, half_a_minute,
    },
    value::{ConditionText, DurationText, Headers, HttpReading, StatusText, TextValue, success},
};

/// One step, by kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RawStep {
    /// One HTTP request. Never repeated.
    Http(Box<RawHttpStep>),
    /// Keys deleted by pattern, in bounded batches.
    Redis(Box<RawRedisStep>),
    /// A program.
    Command(Box<RawCommandStep>),
    /// SQL statements in one transaction.
    Sql(Box<RawSqlStep>),
    /// Looks until something is so.
    Wait(Box<RawWaitStep>),
    /// Sets variables in a file.
    EnvFile(Box<RawEnvFileStep>),
}

/// Looks, changing nothing, until something is so: at the answer to a GET (`url`), at the row
/// of a SELECT (`query`), or at what a program prints (`argv`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWaitStep {
    /// Its name. Later steps read what it saw last as `${step.NAME.READING}`, and the proof as
    /// `result.NAME_READING`.
    pub name: String,
    /// When waiting is given up.
    #[serde(default = "half_a_minute")]
    pub timeout: DurationText,
    /// From one look to the next.
    #[serde(default = "two_seconds")]
    pub every: DurationText,
    /// All of these must hold.
    pub until: Vec<ConditionText>,
    /// Where one of these holds, waiting is in vain.
    #[serde(default)]
    pub fail_when: Vec<ConditionText>,
    /// The address that is asked with GET.
    pub url: Option<String>,
    /// Headers to send.
    #[serde(default)]
    pub headers: Headers,
    /// Statuses whose body is read.
    #[serde(default = "success")]
    pub accept: Vec<StatusText>,
    /// Values of the answer, or of the JSON document that the program prints.
    #[serde(default)]
    pub readings: BTreeMap<String, HttpReading>,
    /// A PEM file with the only roots to trust.
    pub ca_file: Option<String>,
    /// Do not verify the certificate at all.
    #[serde(default)]
    pub insecure: bool,
    /// The source whose server is asked, of kind `postgres`.
    pub source: Option<String>,
    /// One SELECT of one row, whose columns are the values.
    pub query: Option<String>,
    /// What the SELECT is given as `$1`, `$2` and so on.
    #[serde(default)]
    pub parameters: Vec<TextValue>,
    /// The program and its arguments. It must change nothing: it is run again and again.
    pub argv: Option<Vec<String>>,
    /// Its directory; otherwise the one of the file that says so.
    pub directory: Option<String>,
    /// Variables added to an otherwise clean environment.
    #[serde(default)]
    pub environment: BTreeMap<String, TextValue>,
}

/// Sets variables in a file of `NAME=value` lines, such as the `.env` of docker compose. The
/// file as it was is kept beside it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEnvFileStep {
    /// Its name.
    pub name: String,
    /// When the step is given up.
    #[serde(default = "half_a_minute")]
    pub timeout: DurationText,
    /// The file, which must be there.
    pub path: String,
    /// Names and values. A name that is there already is given the new value.
    pub set: BTreeMap<String, TextValue>,
}

impl RawWaitStep {
    /// The program that it runs, as an action by itself.
    pub fn command(&self) -> RawCommandAction {
        let step = RawCommandStep {
            name: self.name.clone(),
            timeout: self.timeout.clone(),
            verify: Vec::new(),
            argv: self.argv.clone().unwrap_or_default(),
            shell: false,
            directory: self.directory.clone(),
            environment: self.environment.clone(),
            stdin: None,
            interactive: false,
        };
        step.action()
    }
}

impl RawStep {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Http(step) => &step.name,
            Self::Redis(step) => &step.name,
            Self::Command(step) => &step.name,
            Self::Sql(step) => &step.name,
            Self::Wait(step) => &step.name,
            Self::EnvFile(step) => &step.name,
        }
    }

    /// When it is given up.
    pub fn timeout(&self) -> &DurationText {
        match self {
            Self::Http(step) => &step.timeout,
            Self::Redis(step) => &step.timeout,
            Self::Command(step) => &step.timeout,
            Self::Sql(step) => &step.timeout,
            Self::Wait(step) => &step.timeout,
            Self::EnvFile(step) => &step.timeout,
        }
    }

    /// The source that it needs, where it names one.
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Redis(step) => Some(&step.source),
            Self::Sql(step) => step.source.as_deref(),
            Self::Wait(step) => step.source.as_deref(),
            Self::Http(_) | Self::Command(_) | Self::EnvFile(_) => None,
        }
    }

    /// What must hold of its answer.
    pub fn verify(&self) -> &[ConditionText] {
        match self {
            Self::Http(step) => &step.verify,
            Self::Redis(step) => &step.verify,
            Self::Command(step) => &step.verify,
            Self::Sql(step) => &step.verify,
            Self::Wait(_) | Self::EnvFile(_) => &[],
        }
    }
}

fn two_seconds() -> DurationText {
    "2s".into()
}
