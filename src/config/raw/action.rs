//! Actions as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    ask::RawAsk,
    guard::{Guarding, RawGuard},
    source::{RawSslMode, yes},
    step::RawStep,
    value::{ConditionText, DurationText, Headers, HttpReading, StatusText, TextValue, success},
};

/// A guarded action, by kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RawAction {
    /// One HTTP request. Never repeated.
    Http(Box<RawHttpAction>),
    /// Keys deleted by pattern, in bounded batches.
    Redis(Box<RawRedisAction>),
    /// A program.
    Command(Box<RawCommandAction>),
    /// SQL statements in one transaction.
    Sql(Box<RawSqlAction>),
    /// Several steps, one after the other.
    Sequence(Box<RawSequenceAction>),
}

macro_rules! action {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, as step $step:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        action! {
            $(#[$meta])*
            pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        }

        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $step {
            /// Its name. Later steps read its answer as `${step.NAME.READING}`, and the proof
            /// as `result.NAME_READING`.
            pub name: String,
            /// When the step is given up.
            #[serde(default = "half_a_minute")]
            pub timeout: DurationText,
            /// What must hold of its own answer; otherwise the sequence stops.
            #[serde(default)]
            pub verify: Vec<ConditionText>,
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $step {
            /// The same as an action by itself. What guards it belongs to the sequence.
            pub fn action(&self) -> $name {
                $name {
                    title: None,
                    guard: RawGuard::G1,
                    key: None,
                    effects: Vec::new(),
                    leaves: Vec::new(),
                    undo: None,
                    refuse_when: Vec::new(),
                    load: None,
                    proof: Vec::new(),
                    proof_within: two_minutes(),
                    cooldown: one_minute(),
                    timeout: None,
                    locks: Vec::new(),
                    enabled: true,
                    optional: false,
                    ask: BTreeMap::new(),
                    drill: false,
                    $($field: self.$field.clone(),)*
                }
            }
        }
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// A verb and an object; otherwise its name.
            pub title: Option<String>,
            /// How hard it must be to start: `G1` asks once, `G2` wants a reason, `G3` also the
            /// target typed and a countdown, `G4` also a second person.
            pub guard: RawGuard,
            /// Its letter in the action menu.
            pub key: Option<String>,
            /// What it does, and what else stops with it, in words.
            #[serde(default)]
            pub effects: Vec<String>,
            /// What it does not undo, in words.
            #[serde(default)]
            pub leaves: Vec<String>,
            /// The action that undoes it.
            pub undo: Option<String>,
            /// It must not be started while one of these holds, each written with its source.
            #[serde(default)]
            pub refuse_when: Vec<ConditionText>,
            /// The cache that it takes away, and the database behind it: its dialog then says
            /// how much more would reach the database.
            pub load: Option<RawLoad>,
            /// All of these must become true for the run to be confirmed. Written with the
            /// source; `result.NAME` reads the action's own answer.
            #[serde(default)]
            pub proof: Vec<ConditionText>,
            /// How long the proof may take.
            #[serde(default = "two_minutes")]
            pub proof_within: DurationText,
            /// How soon after a run it may be run again.
            #[serde(default = "one_minute")]
            pub cooldown: DurationText,
            /// When the run itself is given up: after `30s` where nothing is said, and a
            /// sequence after the time of all its steps.
            pub timeout: Option<DurationText>,
            /// What it keeps others on this machine from doing meanwhile, such as
            /// `shop/deploy`; that also keeps off what locks all of `shop`. The action
            /// itself, of this service and environment, where nothing is said.
            #[serde(default)]
            pub locks: Vec<String>,
            /// Whether it can be started at all.
            #[serde(default = "yes")]
            pub enabled: bool,
            /// Where one of its variables is not set: shown as not configured, not an error.
            #[serde(default)]
            pub optional: bool,
            /// What is asked for when it is started, by name: `${ask.NAME}` in its texts is
            /// what was given.
            #[serde(default)]
            pub ask: BTreeMap<String, RawAsk>,
            /// May be run for practice with `run --drill`, where the environment is not
            /// production.
            #[serde(default)]
            pub drill: bool,
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            fn guarding(&self) -> Guarding<'_> {
                Guarding {
                    title: self.title.as_deref(),
                    guard: self.guard.into(),
                    key: self.key.as_deref(),
                    effects: &self.effects,
                    leaves: &self.leaves,
                    undo: self.undo.as_deref(),
                    refuse_when: &self.refuse_when,
                    load: self.load.as_ref(),
                    proof: &self.proof,
                    proof_within: &self.proof_within,
                    cooldown: &self.cooldown,
                    timeout: self.timeout.as_ref(),
                    locks: &self.locks,
                    enabled: self.enabled,
                    optional: self.optional,
                    asks: &self.ask,
                    drill: self.drill,
                }
            }
        }
    };
}

/// A cache that an action takes away, and what is behind it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLoad {
    /// The cache.
    pub cache: String,
    /// The database that is asked instead.
    pub database: Option<String>,
}

action! {
    /// One HTTP request. Never repeated.
    pub struct RawHttpAction, as step RawHttpStep {
        /// The method.
        #[serde(default = "post")]
        pub method: RawMethod,
        /// The address.
        pub url: String,
        /// Headers to send.
        #[serde(default)]
        pub headers: Headers,
        /// What is sent, as JSON.
        pub body: Option<serde_json::Map<String, serde_json::Value>>,
        /// Statuses that claim success.
        #[serde(default = "success")]
        pub accept: Vec<StatusText>,
        /// Values of the answer, for the proof.
        #[serde(default)]
        pub readings: BTreeMap<String, HttpReading>,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// A GET of this address only reads: `doctor` may send one, to see whether the
        /// credentials are accepted.
        #[serde(default)]
        pub safe_get: bool,
        /// The header in which the name of the run is sent, such as `Idempotency-Key`, where
        /// the other side knows a request again by it.
        pub idempotency_key_header: Option<String>,
    }
}

/// A method that changes something.
#[derive(Clone, Copy, Debug, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RawMethod {
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

action! {
    /// Keys deleted by pattern, in bounded batches.
    pub struct RawRedisAction, as step RawRedisStep {
        /// The source whose server is meant, of kind `redis`.
        pub source: String,
        /// The keys: patterns of at least three literal characters and a final `*`.
        pub delete: Vec<String>,
        /// Keys that are never deleted, even where `delete` matches them. The protected
        /// prefixes of a cache on the same source count too.
        #[serde(default)]
        pub protect: Vec<String>,
        /// The most keys deleted per second.
        #[serde(default = "twenty_thousand")]
        #[schemars(range(min = 1, max = 1_000_000))]
        pub keys_per_second: u32,
    }
}

action! {
    /// A program.
    pub struct RawCommandAction, as step RawCommandStep {
        /// The program and its arguments, passed as they are.
        pub argv: Vec<String>,
        /// Run the one text in `argv` by `sh -c`.
        #[serde(default)]
        pub shell: bool,
        /// Its directory; otherwise the one of the file that says so.
        pub directory: Option<String>,
        /// Variables added to an otherwise clean environment.
        #[serde(default)]
        pub environment: BTreeMap<String, TextValue>,
        /// What it reads on its standard input; nothing otherwise.
        pub stdin: Option<TextValue>,
        /// It asks questions: it runs in a terminal of its own, to which the console hands
        /// over the operator's.
        #[serde(default)]
        pub interactive: bool,
    }
}

action! {
    /// SQL statements, all of them in one transaction or none.
    pub struct RawSqlAction, as step RawSqlStep {
        /// The source whose server and role are meant, of kind `postgres`.
        pub source: Option<String>,
        /// The address in place of a source, `postgres://user@host:5432/database`: for a role
        /// that may change what the one that looks may not.
        pub url: Option<TextValue>,
        /// That role's password.
        pub password: Option<TextValue>,
        /// Encryption, over what that address says.
        pub sslmode: Option<RawSslMode>,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
        /// One statement each, in the order in which they run. `$1` stands for the first of
        /// `parameters`.
        pub statements: Vec<String>,
        /// What the statements are given: bound by the server, never put into their text.
        #[serde(default)]
        pub parameters: Vec<TextValue>,
        /// Where more rows than this would change, everything is rolled back. Rows changed by
        /// triggers and by cascades count.
        #[serde(default = "ten")]
        #[schemars(range(min = 0, max = 1_000_000_000))]
        pub rows_at_most: u64,
        /// A SELECT of one number: how many rows would change now, for the dialog.
        pub count: Option<String>,
        /// Names of functions that are never dropped, by no statement and by no CASCADE;
        /// `*` stands for any characters.
        #[serde(default)]
        pub deny: Vec<String>,
        /// How long a statement waits for a lock that somebody else has.
        #[serde(default = "two_seconds")]
        pub lock_timeout: DurationText,
        /// When the server gives up one statement.
        #[serde(default = "ten_seconds")]
        pub statement_timeout: DurationText,
    }
}

action! {
    /// Several steps, each begun only when the one before it is done and verified. Nothing is
    /// undone where one fails.
    pub struct RawSequenceAction {
        /// The steps, in their order.
        pub step: Vec<RawStep>,
    }
}

impl RawAction {
    /// What every kind of action has.
    pub fn guarding(&self) -> Guarding<'_> {
        match self {
            Self::Http(action) => action.guarding(),
            Self::Redis(action) => action.guarding(),
            Self::Command(action) => action.guarding(),
            Self::Sql(action) => action.guarding(),
            Self::Sequence(action) => action.guarding(),
        }
    }

    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Redis(_) => "redis",
            Self::Command(_) => "command",
            Self::Sql(_) => "sql",
            Self::Sequence(_) => "sequence",
        }
    }
}

fn post() -> RawMethod {
    RawMethod::Post
}

fn two_minutes() -> DurationText {
    "2m".into()
}

fn one_minute() -> DurationText {
    "1m".into()
}

pub(super) fn half_a_minute() -> DurationText {
    "30s".into()
}

fn twenty_thousand() -> u32 {
    20_000
}

fn ten() -> u64 {
    10
}

fn two_seconds() -> DurationText {
    "2s".into()
}

fn ten_seconds() -> DurationText {
    "10s".into()
}
