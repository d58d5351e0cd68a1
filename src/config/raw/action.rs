//! Actions as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    ask::RawAsk,
    source::yes,
    value::{ConditionText, DurationText, Headers, HttpReading, StatusText, TextValue, success},
};
use crate::domain::guard::Guard;

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
}

/// How hard it must be to start. What only reads is no action.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum RawGuard {
    /// Cheap and repeatable.
    G1,
    /// A change of production.
    G2,
    /// Disruptive.
    G3,
    /// Irreversible, money, data.
    G4,
}

impl From<RawGuard> for Guard {
    fn from(raw: RawGuard) -> Self {
        match raw {
            RawGuard::G1 => Self::G1,
            RawGuard::G2 => Self::G2,
            RawGuard::G3 => Self::G3,
            RawGuard::G4 => Self::G4,
        }
    }
}

/// What every kind of action has.
#[derive(Clone, Copy, Debug)]
pub struct Guarding<'a> {
    /// A verb and an object.
    pub title: Option<&'a str>,
    /// How hard it must be to start.
    pub guard: Guard,
    /// Its letter.
    pub key: Option<&'a str>,
    /// What it does.
    pub effects: &'a [String],
    /// What it does not undo.
    pub leaves: &'a [String],
    /// What undoes it.
    pub undo: Option<&'a str>,
    /// When it must not be started.
    pub refuse_when: &'a [ConditionText],
    /// What comes on a database.
    pub load: Option<&'a RawLoad>,
    /// What proves it.
    pub proof: &'a [ConditionText],
    /// How long the proof may take.
    pub proof_within: &'a DurationText,
    /// How soon it may be run again.
    pub cooldown: &'a DurationText,
    /// When it is given up.
    pub timeout: &'a DurationText,
    /// What it keeps others from doing meanwhile.
    pub locks: &'a [String],
    /// Whether it is there at all.
    pub enabled: bool,
    /// Left out where a variable is not set.
    pub optional: bool,
    /// What it asks for when it is started.
    pub asks: &'a BTreeMap<String, RawAsk>,
    /// May be run for practice.
    pub drill: bool,
}

macro_rules! action {
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
            /// When the run itself is given up.
            #[serde(default = "half_a_minute")]
            pub timeout: DurationText,
            /// What it keeps others on this machine from doing meanwhile, such as
            /// `shop/deploy`; that also keeps off what locks all of `shop`. The action
            /// itself where nothing is said.
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
                    timeout: &self.timeout,
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
    pub struct RawHttpAction {
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
    pub struct RawRedisAction {
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
    pub struct RawCommandAction {
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

impl RawAction {
    /// What every kind of action has.
    pub fn guarding(&self) -> Guarding<'_> {
        match self {
            Self::Http(action) => action.guarding(),
            Self::Redis(action) => action.guarding(),
            Self::Command(action) => action.guarding(),
        }
    }

    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Redis(_) => "redis",
            Self::Command(_) => "command",
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

fn half_a_minute() -> DurationText {
    "30s".into()
}

fn twenty_thousand() -> u32 {
    20_000
}
