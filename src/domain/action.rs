//! The life of an action, from preview to outcome.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    failure::Failure,
    ids::{ActionId, ReadingName, RunId},
    observation::KeyGroup,
    time::Moment,
    value::Value,
};

/// How a run ended. An exit code 0 or an HTTP 200 is never, by itself, success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// It ran, and its effect was observed.
    Confirmed,
    /// It ran and claimed success, but its effect is not there.
    Refuted,
    /// It ran and said that it failed, or could not be carried out.
    Failed,
    /// Stopped by a person before it was done.
    Cancelled,
    /// It was never sent: safe to try again.
    NeverStarted,
    /// It may or may not have acted: look before trying again.
    Unknown,
}

impl ActionOutcome {
    /// The word on the screen and in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "CONFIRMED",
            Self::Refuted => "REFUTED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::NeverStarted => "NEVER STARTED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What an action would do, measured just now. What is confirmed is exactly this value,
/// and what runs is checked against its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The action.
    pub action: ActionId,
    /// When it was measured.
    pub at: Moment,
    /// The exact request or argument vector, secrets masked, one line each.
    pub request: Vec<String>,
    /// What will be affected, as counted.
    pub groups: Vec<KeyGroup>,
    /// Further findings in words, such as the state of the target.
    pub findings: Vec<String>,
    /// Reasons why it must not be started now. Not empty: the dialog refuses.
    pub refusals: Vec<String>,
    /// The runs that hold what it would have to lock: whom a take-over asks to stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<RunId>,
    /// Identifies the plan: SHA-256 over the request and its parameters, in hex.
    pub digest: String,
}

impl Preview {
    /// How many keys it would affect, where it counted any.
    pub fn affected(&self) -> Option<u64> {
        let affected = self.groups.iter().filter(|group| !group.protected);
        (!self.groups.is_empty()).then(|| affected.map(|group| group.keys).sum())
    }
}

/// Whether so many keys are not what was agreed to, which was `agreed`: half as many again, and
/// a hundred besides, may come while somebody reads.
pub fn has_grown(agreed: u64, now: u64) -> bool {
    now > agreed.saturating_add(agreed / 2).saturating_add(100)
}

/// How a refusal begins that only says that somebody holds a lock: the only kind that a
/// take-over overrules.
pub const LOCKED: &str = "locked: ";

/// Taking a lock over: its holder is asked to stop first. Only from the runs that were shown:
/// somebody else may have come in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeOver {
    /// Why, in the operator's words.
    pub reason: String,
    /// From whom.
    pub from: Vec<RunId>,
}
/// Why nothing is run for practice in production.
pub const NO_DRILL: &str = "nothing is drilled in production: what it does there is real";

/// A preview, or why it could not be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Previewed {
    /// The run it was made for.
    pub run: RunId,
    /// The result.
    pub outcome: Result<Preview, Failure>,
}

/// A step in the life of a run, as the runner reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionEvent {
    /// The run.
    pub run: RunId,
    /// The action it is a run of.
    pub action: ActionId,
    /// When.
    pub at: Moment,
    /// What happened.
    pub stage: ActionStage,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStage {
    /// The intent is safely in the journal.
    Journaled,
    /// It was sent: from here on it may have acted.
    Started,
    /// How far it is.
    Progress {
        /// Done so far.
        done: u64,
        /// Of how many, where known.
        total: Option<u64>,
        /// In words.
        note: String,
    },
    /// A line that the other side printed, control characters removed.
    Output(String),
    /// It is over; whether it had the effect is for the proof to say.
    Finished(RunResult),
}

impl Claim {
    /// Whether the proof has the last word: it may have had its effect.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Unclear)
    }
}

/// What the carrying out itself brought, before any proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// What became of the carrying out.
    pub claim: Claim,
    /// In words: the status line, the exit code, the counts.
    pub summary: String,
    /// Values out of the answer, for the proof: named `result.<name>` there.
    pub readings: BTreeMap<ReadingName, Value>,
    /// How long it took.
    pub took: Duration,
}

/// What the other side claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It says that it was done. Evidence, not proof.
    Done,
    /// It says that it was not done.
    Refused,
    /// No answer, or cut off: it may have acted.
    Unclear,
    /// It was never sent.
    NotSent,
    /// Stopped by a person.
    Cancelled,
}

/// A run as the journal remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// The run.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// On what, as `service/environment`; none where the journal does not say.
    #[serde(default)]
    pub target: Option<String>,
    /// When it was started, or intended.
    pub wall: jiff::Timestamp,
    /// Who.
    pub by: String,
    /// How it ended; unknown where the journal has no end for it.
    pub outcome: ActionOutcome,
    /// Whether the journal holds an end at all.
    pub resolved: bool,
    /// What else is known of it, where it has no end yet.
    #[serde(default)]
    pub trace: Trace,
}

impl PastRun {
    /// Whether it may have been one on this target: several services and environments can
    /// share a state directory, and have actions of the same name.
    pub fn is_on(&self, target: &str) -> bool {
        self.target.as_deref().is_none_or(|own| own == target)
    }
}

/// What the journal and the system tell of a run without an end: enough to follow it, and
/// to look at its proof later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Where it stands; none where nobody looked.
    pub standing: Option<Standing>,
    /// What the carrying out brought, where it is over.
    pub result: Option<RunResult>,
    /// Readings before it, by `source.reading`.
    pub before: BTreeMap<ReadingName, Value>,
    /// Which run of each server they belong to.
    pub servers: BTreeMap<ReadingName, Value>,
    /// What was given for what the action asks for, secrets masked.
    #[serde(default)]
    pub asked: BTreeMap<String, String>,
    /// It was run for practice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
}

/// How long a second person's agreement counts, and how long one may be waited for.
pub const APPROVAL_LASTS: Duration = Duration::from_secs(600);

/// The shortest reason for going on without a second person, in characters.
pub const BREAK_GLASS_REASON: usize = 20;

/// What is typed to go on without a second person.
pub const BREAK_GLASS: &str = "break glass";

/// A second person agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The run that they agreed to.
    pub run: RunId,
    /// The digest of the plan that they agreed to.
    pub digest: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: jiff::Timestamp,
    /// Whether it is only their word that they are somebody else.
    pub claim: bool,
}

impl Approval {
    /// Who agreed, and how sure it is that it was somebody else.
    pub fn words(&self) -> String {
        if self.claim {
            format!("{}: a CLAIM, the system does not tell them apart", self.by)
        } else {
            format!("{}: another login, by the system", self.by)
        }
    }
}

/// Where a run stands for which the journal has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was intended a moment ago, and its runner is on its way.
    Starting,
    /// Nothing was sent, and nothing will be: safe to try again.
    NeverStarted,
    /// Its runner is there and carries it out.
    Supervised,
    /// Its runner is gone, but the program it started goes on: nobody will stop it when its
    /// time is up, and its exit code will not be known.
    Unsupervised {
        /// The process.
        pid: i32,
    },
    /// Its runner is gone, and its program, where there is one, belongs to another user, so
    /// that it cannot be found from here.
    Unseen,
    /// Its runner is gone, and what it did is not known: the proof decides. Never tried
    /// again by itself.
    Interrupted,
    /// The carrying out is over, and nobody has looked at the proof yet.
    Finished,
}

impl Standing {
    /// In words, for the screen and for `run`.
    pub fn words(self) -> String {
        match self {
            Self::Starting => "being started".to_owned(),
            Self::NeverStarted => "never started: safe to try again".to_owned(),
            Self::Supervised => "running, supervised".to_owned(),
            Self::Unsupervised { pid } => {
                format!("running, UNSUPERVISED as process {pid}: its exit code will not be known")
            }
            Self::Unseen => "UNSEEN, its runner is gone: only whoever started it, or root, can \
                             tell whether its program runs"
                .to_owned(),
            Self::Interrupted => "interrupted, outcome unknown: look at the proof".to_owned(),
            Self::Finished => "over, not proven yet".to_owned(),
        }
    }

    /// Whether it may still act.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Starting | Self::Supervised | Self::Unsupervised { .. } | Self::Unseen)
    }
}
