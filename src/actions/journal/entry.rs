//! What a line of the journal says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::who::Who;
use crate::{
    actions::{process::ProcessId, words},
    domain::{
        action::{ActionOutcome, Claim, RunResult, TakeOver},
        ids::{ActionId, ReadingName, RunId},
        value::Value,
    },
};

/// What kind of event a line records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody wants a second person to agree to an action. Nothing was sent yet.
    Ask,
    /// A second person agreed to exactly the plan that was asked about.
    Approve,
    /// Somebody goes on without a second person.
    BreakGlass,
    /// Somebody confirmed an action. Nothing was sent yet.
    Intent,
    /// A process that carries the action out is there. Nothing was sent yet.
    Supervisor,
    /// From here on the action may have had an effect.
    Start,
    /// The program of the action runs.
    Process,
    /// Somebody wants a run to stop.
    Cancel,
    /// Something worth keeping happened on the way.
    Step,
    /// The carrying out is over; whether it had the effect is not judged yet.
    Finish,
    /// How the run ended, by the proof.
    Outcome,
    /// About the operator: armed, disarmed, contacted.
    Note,
    /// The line before it was cut off, by a crash or a full disk, and was closed.
    Repaired,
    /// Lines before it are missing.
    Cut,
    /// A kind of a later version.
    #[serde(other)]
    Other,
}

impl Kind {
    /// The word for the eyes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Approve => "approve",
            Self::BreakGlass => "BREAK GLASS",
            Self::Intent => "intent",
            Self::Supervisor => "supervisor",
            Self::Start => "start",
            Self::Process => "process",
            Self::Cancel => "cancel",
            Self::Step => "step",
            Self::Finish => "finish",
            Self::Outcome => "outcome",
            Self::Note => "note",
            Self::Repaired => "repaired",
            Self::Cut => "CUT",
            Self::Other => "(of a later version)",
        }
    }
}

/// What happened. Only what a kind needs is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The kind.
    pub kind: Kind,
    /// The run it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// `service/environment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The exact request, secrets masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<String>,
    /// The digest of the plan that was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How it was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// Readings before, as shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<(Arc<str>, String)>,
    /// What the carrying out brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Finished>,
    /// How the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ActionOutcome>,
    /// Why we think so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What a note is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// A step or a note in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The identity of the runner, or of the program that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// Readings before, for the proof: what `before` says in words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<ReadingName, Value>,
    /// Which run of each server they belong to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<ReadingName, Value>,
    /// What the action keeps others from doing meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    /// What was given for what the action asks for, secrets masked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, String>,
    /// Whose locks are taken over, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_over: Option<TakeOver>,
    /// It is run for practice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// Which step of a sequence begins here, or has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepMark>,
}

/// A step of a sequence that begins, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMark {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Its name.
    pub name: String,
    /// Whether it begins or has ended.
    pub phase: StepPhase,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// Whether a step begins or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPhase {
    /// The next thing is the deed.
    Begin,
    /// It is over.
    End,
}

impl StepMark {
    /// How far a sequence had come whose runner was ended after this line.
    pub fn when_cut_off(&self) -> String {
        let Self { number, of, name, phase, claim } = self;
        let done = number - 1;
        let rest = |first: usize| match of.saturating_sub(first) {
            0 if first > *of => String::new(),
            0 => format!("; step {of} never began"),
            _ => format!("; steps {first} to {of} never began"),
        };
        match (phase, claim) {
            (StepPhase::Begin, _) => format!(
                "{done} of {of} done; step {number} ({name}) had begun, and whether it acted is not known{}",
                rest(number + 1)
            ),
            (StepPhase::End, Some(Claim::Done)) => {
                format!("{number} of {of} done, {name} last{}", rest(number + 1))
            }
            (StepPhase::End, _) => {
                format!("{done} of {of} done; step {number} ({name}) was not{}", rest(number + 1))
            }
        }
    }
}

impl Entry {
    /// An entry that says nothing but its kind.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            run: None,
            action: None,
            target: None,
            request: Vec::new(),
            digest: None,
            reason: None,
            confirmation: None,
            before: Vec::new(),
            result: None,
            outcome: None,
            evidence: Vec::new(),
            about: None,
            text: None,
            process: None,
            readings: BTreeMap::new(),
            servers: BTreeMap::new(),
            locks: Vec::new(),
            asked: BTreeMap::new(),
            take_over: None,
            drill: false,
            step: None,
        }
    }

    /// The line before was cut off, and is closed.
    pub(super) fn repaired() -> Self {
        let text = "the line before this one was cut off".to_owned();
        Self { text: Some(text), ..Self::new(Kind::Repaired) }
    }

    /// Lines before are missing.
    pub(super) fn cut(why: &str) -> Self {
        Self { text: Some(format!("follows a cut: {why}")), ..Self::new(Kind::Cut) }
    }

    /// The same entry with every text cleaned of secrets and control characters. It goes
    /// through its JSON form, so that no field can be forgotten.
    pub(super) fn cleaned(&self) -> Result<Self, serde_json::Error> {
        serde_json::from_value(clean(serde_json::to_value(self)?))
    }
}

fn clean(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(words::plain(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, clean(value))).collect())
        }
        other => other,
    }
}

/// A [`RunResult`] as the journal keeps it: enough to judge the proof later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// What the other side claims.
    pub claim: Claim,
    /// In words.
    pub summary: String,
    /// Values out of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<ReadingName, Value>,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}

impl From<&RunResult> for Finished {
    fn from(result: &RunResult) -> Self {
        Self {
            claim: result.claim,
            summary: result.summary.clone(),
            readings: result.readings.clone(),
            took_ms: u64::try_from(result.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<Finished> for RunResult {
    fn from(finished: Finished) -> Self {
        Self {
            claim: finished.claim,
            summary: finished.summary,
            readings: finished.readings,
            took: Duration::from_millis(finished.took_ms),
        }
    }
}

/// A whole line, apart from its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number: one more than that of the line before it.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// The hash of the line before it; 64 zeros for the first.
    pub prev: String,
    /// Who.
    pub who: Who,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}
