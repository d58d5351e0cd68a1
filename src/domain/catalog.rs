//! The things that a configuration declares, as far as the logic and the screen need
//! them: names, thresholds, texts. How to reach them, and every secret, stays in `config`.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ask::{Answers, Ask},
    condition::Condition,
    delivery::TargetInfo,
    guard::Guard,
    ids::{ActionId, CheckId, PanelId, ReadingName, SourceId},
    outbox::Policy,
    rule::Rule,
};

/// Everything that is watched and may be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// The service, such as `exodrive`.
    pub service: String,
    /// The environment, such as `production`.
    pub environment: String,
    /// Sources by name.
    pub sources: BTreeMap<SourceId, SourceInfo>,
    /// Health checks.
    pub checks: Vec<CheckSpec>,
    /// Rows of the cache pane.
    pub caches: Vec<CacheSpec>,
    /// Rows of the latency pane.
    pub latencies: Vec<LatencySpec>,
    /// The rate-limit pane, where configured.
    pub limits: Option<LimitsSpec>,
    /// Rows of the database pane.
    pub databases: Vec<DatabaseSpec>,
    /// Alert rules, in the order of writing.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Who is told of alerts, and when.
    #[serde(default)]
    pub notify: NotifySpec,
    /// Escalation levels, by level.
    pub contacts: Vec<ContactSpec>,
    /// Actions.
    pub actions: Vec<ActionSpec>,
    /// Actions that cannot be started as things are configured, with the reason in words:
    /// "not configured: set VERCEL_TOKEN".
    #[serde(default)]
    pub unavailable: BTreeMap<ActionId, String>,
}

impl Catalog {
    /// `service/environment`: what must be typed to start a disruptive action.
    pub fn target(&self) -> String {
        format!("{}/{}", self.service, self.environment)
    }

    /// The action of that name.
    pub fn action(&self, id: &ActionId) -> Option<&ActionSpec> {
        self.actions.iter().find(|action| action.id == *id)
    }

    /// Why the action of that name cannot be started as things are configured.
    pub fn why_unavailable(&self, id: &ActionId) -> Option<&str> {
        self.unavailable.get(id).map(String::as_str)
    }

    /// Whether the environment must look dangerous.
    pub fn is_production(&self) -> bool {
        is_production(&self.target())
    }
}

/// Whether the environment of a target, `service/environment`, is production.
pub fn is_production(target: &str) -> bool {
    target.rsplit('/').next().is_some_and(|environment| environment.starts_with("prod"))
}

/// A source, as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Its name.
    pub id: SourceId,
    /// `http`, `redis`, `upstash`, `postgres`.
    pub kind: String,
    /// What it is for, in words.
    pub title: String,
    /// Where it is, without secrets: `https://api.example.com/health`, `redis://cache:6379/0`.
    pub target: String,
    /// How often it is asked.
    pub interval: Duration,
    /// When a poll is given up.
    pub timeout: Duration,
    /// Why it is not asked at all, where it is not: "no postgres installed".
    #[serde(default)]
    pub disabled: Option<String>,
}

/// A health check: conditions on readings of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// Its name.
    pub id: CheckId,
    /// Its title on the screen.
    pub title: String,
    /// The source that it reads.
    pub source: SourceId,
    /// Any of these true: critical.
    pub critical: Vec<Condition>,
    /// Any of these true: warning.
    pub warning: Vec<Condition>,
    /// Readings that must be there; a missing one makes the verdict unknown.
    pub shows: Vec<ReadingName>,
    /// Critical only after this many bad looks in a row.
    pub down_after: u32,
    /// Ok again only after this many good looks in a row.
    pub up_after: u32,
    /// A check of a primary source about the same thing. Where the two disagree, both are
    /// shown and the disagreement is said.
    pub primary: Option<CheckId>,
    /// It is known to speak worse of the thing than the primary finds it: that does not count.
    #[serde(default)]
    pub expect_disagreement: bool,
}

/// A cache: two counters, and whatever else the source tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheSpec {
    /// Its name.
    pub id: PanelId,
    /// Its title.
    pub title: String,
    /// The source.
    pub source: SourceId,
    /// The counter of hits.
    pub hits: ReadingName,
    /// The counter of misses.
    pub misses: ReadingName,
    /// Memory in use, bytes.
    pub used_memory: Option<ReadingName>,
    /// Memory allowed, bytes; 0 is no limit.
    pub max_memory: Option<ReadingName>,
    /// Number of keys.
    pub keys: Option<ReadingName>,
    /// Operations per second.
    pub ops: Option<ReadingName>,
    /// The counter of evictions.
    pub evictions: Option<ReadingName>,
    /// A value that changes when the server restarts, such as `run_id`.
    pub run: Option<ReadingName>,
    /// The window of the hit rate.
    pub window: Duration,
    /// Fewer lookups in the window than this are too few to judge.
    pub min_lookups: u64,
    /// The hit rate that is wanted, 0 to 1.
    pub target: Option<f64>,
    /// Below this it is a warning.
    pub warning_below: Option<f64>,
    /// Below this it is critical.
    pub critical_below: Option<f64>,
    /// Used share of the memory above which it is a warning.
    pub memory_warning_above: Option<f64>,
    /// Key prefixes that can be counted on demand.
    pub prefixes: Vec<PrefixSpec>,
    /// What the figure really counts, where that is not obvious.
    pub note: Option<String>,
}

/// A group of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrefixSpec {
    /// Its name.
    pub name: String,
    /// Its pattern: literal characters and a final `*`.
    pub pattern: String,
    /// Never deleted by an action.
    pub protected: bool,
    /// What it holds.
    pub note: Option<String>,
}

/// A latency: one reading of one source, as raw samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySpec {
    /// Its name.
    pub id: PanelId,
    /// Its title.
    pub title: String,
    /// The source.
    pub source: SourceId,
    /// The reading, in milliseconds.
    pub reading: ReadingName,
    /// The p95 that is wanted, in milliseconds.
    pub target_ms: Option<f64>,
    /// A p95 above this is a warning, in milliseconds.
    pub warning_ms: Option<f64>,
    /// A p95 above this is critical, in milliseconds.
    pub critical_ms: Option<f64>,
}

/// The rate-limit pane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitsSpec {
    /// Sources that report violations.
    pub violations: Vec<SourceId>,
    /// Sources that report who is near a limit.
    pub pressure: Vec<SourceId>,
    /// The window over which violations are counted.
    pub window: Duration,
    /// Any of these true: the limiter lets everything through.
    pub failing_open: Vec<Condition>,
    /// All of these true: the limiter enforces.
    pub enforcing: Vec<Condition>,
    /// More violations in the window than this are a warning.
    pub warning_above: Option<u64>,
    /// Why the numbers may be too low, such as "kept per instance".
    pub lower_bound: Option<String>,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseSpec {
    /// Its name.
    pub id: PanelId,
    /// Its title.
    pub title: String,
    /// The source.
    pub source: SourceId,
    /// Share of the connections in use above which it is a warning.
    pub connections_warning_above: f64,
    /// Share of the connections in use above which it is critical.
    pub connections_critical_above: f64,
    /// A statement running longer than this is a warning.
    pub long_query: Duration,
    /// Failed looks in a row that make an outage.
    #[serde(default = "down_after")]
    pub down_after: u32,
}

/// Failed looks in a row that make an outage of a database, where nothing else is said.
pub fn down_after() -> u32 {
    3
}

/// Who is told of alerts, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NotifySpec {
    /// How long to wait.
    pub policy: Policy,
    /// The targets.
    pub targets: Vec<TargetInfo>,
}

/// A level of the escalation path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactSpec {
    /// 1 is called first.
    pub level: u8,
    /// The team or role.
    pub name: String,
    /// How to reach them.
    pub contact: String,
    /// Who else.
    pub backup: Option<String>,
    /// How fast they answer.
    pub respond_within: Option<Duration>,
    /// What they are for.
    pub handles: Option<String>,
}

impl ContactSpec {
    /// Whether the contact is a real one, not a placeholder such as `[Name]`.
    pub fn is_configured(&self) -> bool {
        !is_placeholder(&self.contact) && !is_placeholder(&self.name)
    }
}

/// Whether a text stands where something should have been filled in.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    text.is_empty()
        || (text.starts_with('[') && text.ends_with(']'))
        || (text.starts_with('<') && text.ends_with('>'))
        || lower.contains("xxx")
        || matches!(lower.as_str(), "todo" | "tbd" | "n/a" | "none" | "-" | "?" | "changeme")
}

/// Letters that move about in the menu of actions, and so can belong to none.
pub const MENU_MOVES: [char; 5] = ['j', 'k', 'g', 'G', 'q'];

/// A guarded action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionSpec {
    /// Its name, also its name in the palette.
    pub id: ActionId,
    /// Its title: a verb and an object.
    pub title: String,
    /// `http`, `redis` or `command`.
    pub kind: String,
    /// How hard it must be to start.
    pub guard: Guard,
    /// Its letter in the action menu.
    pub key: Option<char>,
    /// What it does, and what else stops with it.
    pub effects: Vec<String>,
    /// What it does not undo.
    pub leaves: Vec<String>,
    /// The action that undoes it.
    pub undo: Option<ActionId>,
    /// It must not be started while one of these holds.
    pub refuse_when: Vec<Condition>,
    /// The load that it puts on a database, where it takes a cache away.
    pub load: Option<LoadSpec>,
    /// What it asks for when it is started, in the order in which it is asked.
    #[serde(default)]
    pub asks: Vec<Ask>,
    /// All of these must become true for the run to be confirmed.
    pub proof: Vec<Proof>,
    /// How long the proofs may take.
    pub proof_within: Duration,
    /// How soon after a run it may be run again.
    pub cooldown: Duration,
    /// When the run itself is given up.
    pub timeout: Duration,
    /// It may be run for practice, where the environment is not production.
    #[serde(default)]
    pub drill: bool,
    /// It asks questions: the operator's terminal is handed over to it.
    #[serde(default)]
    pub interactive: bool,
}

/// A cache that an action takes away, and the database behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadSpec {
    /// The cache.
    pub cache: PanelId,
    /// The database.
    pub database: Option<PanelId>,
}

impl ActionSpec {
    /// The same action with what was asked for, checked as of `now`, put into its proof.
    ///
    /// # Errors
    /// An answer is missing or cannot be taken, with the cure.
    pub fn answered(&self, answers: &Answers, now: Timestamp) -> Result<Self, String> {
        answers.check(&self.asks, now)?;
        self.proven_with(answers)
    }

    /// The same where the answers were checked when they were given.
    ///
    /// # Errors
    /// One of them is missing, or cannot stand in a proof.
    pub fn proven_with(&self, answers: &Answers) -> Result<Self, String> {
        let filled = |proof: &Proof| {
            let when = proof.when.filled(|blank| answers.filling(blank))?;
            Ok(Proof { when })
        };
        let proof = self.proof.iter().map(filled).collect::<Result<_, String>>()?;
        Ok(Self { proof, ..self.clone() })
    }
}

/// One condition that proves an action's effect, on readings observed after it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The condition; `result.<name>` reads the action's own answer.
    pub when: Condition,
}
