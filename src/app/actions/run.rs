//! A run of an action, and whether its effect is there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::proof::{NONE, ProofState, name_of, server_run};
use crate::{
    app::{sources::Lookup, state::World},
    domain::{
        action::{ActionEvent, ActionOutcome, ActionStage, Claim, PastRun, RunResult},
        ask::Answers,
        catalog::ActionSpec,
        ids::{ActionId, ReadingName, RunId, SourceId},
        text,
        time::{Moment, clock},
        value::Value,
    },
};

/// Lines of output that are kept on screen; the whole is in the run's file.
const OUTPUT: usize = 200;

/// A source named so reads the action's own answer.
pub const RESULT: &str = "result";

/// How long the effect of a run is looked for that says that it failed.
const LOOK_AFTER_NO: Duration = Duration::from_secs(15);

/// A run of this console, or one that it follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// The action.
    pub action: ActionId,
    /// The title of the action.
    pub title: String,
    /// Who started it, where that was not this console.
    pub by: Option<String>,
    /// What was given for what the action asks for, secrets masked.
    #[serde(default)]
    pub asked: BTreeMap<String, String>,
    /// When it was handed to the runner.
    pub started: Moment,
    /// Whether the intent is in the journal.
    pub journaled: bool,
    /// Whether it was sent: from then on it may have acted.
    pub sent: bool,
    /// How far it is, in words.
    pub progress: Option<String>,
    /// What it printed, newest last.
    pub output: VecDeque<String>,
    /// What the carrying out brought.
    pub result: Option<(RunResult, Moment)>,
    /// The proofs of its effect.
    pub proofs: Vec<ProofState>,
    /// When the proofs must have held.
    pub deadline: Option<Moment>,
    /// How it ended.
    pub outcome: Option<ActionOutcome>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Somebody asked for it to be stopped.
    pub cancelling: bool,
    proof_within: Duration,
    pub(super) before: BTreeMap<Arc<str>, Value>,
    /// Which run of each server the values before belong to.
    pub(super) servers: BTreeMap<Arc<str>, Value>,
}

impl Run {
    /// A run that is being handed to the runner, with the readings before it.
    pub fn new(id: RunId, spec: &ActionSpec, world: &World) -> Self {
        let before = spec
            .proof
            .iter()
            .filter_map(|proof| {
                let source = proof.when.source.as_deref()?;
                match world.sources.lookup(source, &proof.when.reading) {
                    Lookup::Known { value, .. } => Some((name_of(&proof.when), value.clone())),
                    // It answered and had no such value: what appears later has changed.
                    Lookup::Missing(_) => {
                        Some((name_of(&proof.when), Value::Text(Arc::from(NONE))))
                    }
                    _ => None,
                }
            })
            .collect();
        let servers = spec
            .proof
            .iter()
            .filter_map(|proof| {
                let source = proof.when.source.as_ref()?;
                Some((Arc::clone(source), server_run(world, source)?))
            })
            .collect();
        Self {
            id,
            action: spec.id.clone(),
            title: spec.title.clone(),
            by: None,
            asked: BTreeMap::new(),
            started: world.now,
            journaled: false,
            sent: false,
            progress: None,
            output: VecDeque::new(),
            result: None,
            proofs: spec.proof.iter().map(ProofState::open).collect(),
            deadline: None,
            outcome: None,
            ended: None,
            cancelling: false,
            proof_within: spec.proof_within,
            before,
            servers,
        }
    }

    /// The same run, with what was given for it.
    #[must_use]
    pub fn with(self, answers: &Answers) -> Self {
        Self { asked: answers.shown(), ..self }
    }

    /// A run of another console, as the journal tells of it.
    pub fn adopted(past: &PastRun, spec: &ActionSpec, world: &World) -> Self {
        let age = Duration::try_from(world.now.wall.duration_since(past.wall)).unwrap_or_default();
        let started = Moment { mono: world.now.mono.saturating_sub(age), wall: past.wall };
        let answers = Answers::kept(&past.trace.asked);
        // Where nobody knows any more what would prove it, nothing does.
        let unproven = |_| ActionSpec { proof: Vec::new(), ..spec.clone() };
        let spec = &spec.proven_with(&answers).unwrap_or_else(unproven);
        Self {
            asked: past.trace.asked.clone(),
            by: Some(past.by.clone()),
            started,
            before: past.trace.before.clone(),
            servers: past.trace.servers.clone(),
            ..Self::new(past.run.clone(), spec, world)
        }
    }

    /// The readings before the run, for its proof in a later console.
    pub fn readings(&self) -> (BTreeMap<ReadingName, Value>, BTreeMap<ReadingName, Value>) {
        (self.before.clone(), self.servers.clone())
    }

    /// How long ago it was started: by the wall clock where that was before this console.
    pub fn age(&self, at: Moment) -> Duration {
        if self.by.is_some() { at.wall_since(self.started) } else { at.since(self.started) }
    }

    /// It said that it failed, and yet all that would prove its effect is there, and was not
    /// there before.
    pub fn failed_but_effective(&self) -> bool {
        self.outcome == Some(ActionOutcome::Failed)
            && !self.proofs.is_empty()
            && self.proofs.iter().all(|proof| proof.holds == Some(true))
            && !self.was_so_before()
    }

    /// All that would prove its effect was there before it began: that it is there now says
    /// nothing of this run.
    pub fn was_so_before(&self) -> bool {
        let mut looked_at = self.proofs.iter().filter(|proof| !proof.is_of_the_answer()).peekable();
        looked_at.peek().is_some() && looked_at.all(|proof| proof.held_before(&self.before))
    }

    /// All that speaks for its effect is what the other side says of itself.
    fn is_only_claimed(&self) -> bool {
        !self.proofs.is_empty()
            && self.proofs.iter().all(|p| p.is_a_mere_claim() && p.holds == Some(true))
    }

    /// Whether its effect is there, as far as its proofs say; none where they say nothing, or
    /// nobody has looked.
    pub fn effect_is_there(&self) -> Option<bool> {
        match self.outcome? {
            ActionOutcome::Confirmed => Some(true),
            ActionOutcome::Refuted => Some(false),
            ActionOutcome::Failed if self.failed_but_effective() => Some(true),
            ActionOutcome::Failed => {
                self.proofs.iter().any(|proof| proof.holds == Some(false)).then_some(false)
            }
            ActionOutcome::Cancelled | ActionOutcome::NeverStarted | ActionOutcome::Unknown => None,
        }
    }

    /// The readings before the run, in words, for the journal.
    pub fn before(&self) -> Vec<(ReadingName, String)> {
        self.before.iter().map(|(name, value)| (Arc::clone(name), value.to_string())).collect()
    }

    /// The sources that its proofs read.
    pub fn proof_sources(&self) -> Vec<SourceId> {
        let mut sources: Vec<SourceId> = self
            .proofs
            .iter()
            .filter_map(|proof| proof.when.source.as_deref())
            .filter(|source| *source != RESULT)
            .map(SourceId::from)
            .collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// Takes a report of the runner. Returns whether the carrying out is over with it.
    pub fn report(&mut self, event: &ActionEvent) -> bool {
        match &event.stage {
            ActionStage::Journaled => self.journaled = true,
            ActionStage::Started => self.sent = true,
            ActionStage::Progress { done, total, note } => {
                let of = total.map_or_else(String::new, |total| format!(" of {total}"));
                let count = format!("{done}{of}");
                let note = text::clip(note, 80);
                let told = note.contains(&count);
                self.progress = Some(if told { note } else { format!("{count} {note}") });
            }
            ActionStage::Output(line) => {
                self.output.push_back(text::clip(line, 500));
                if self.output.len() > OUTPUT {
                    self.output.pop_front();
                }
            }
            ActionStage::Finished(result) if self.result.is_none() => {
                self.finish(result.clone(), event.at);
                return true;
            }
            ActionStage::Finished(_) => {}
        }
        false
    }

    fn finish(&mut self, result: RunResult, at: Moment) {
        if matches!(result.claim, Claim::NotSent | Claim::Cancelled) {
            for proof in &mut self.proofs {
                proof.seen = "not looked at".to_owned();
            }
        }
        match result.claim {
            // Also what says no may have had its effect: that is looked at, but not for long.
            Claim::Refused if self.proofs.is_empty() => self.end(ActionOutcome::Failed, at),
            Claim::Refused => self.deadline = Some(at.plus(self.proof_within.min(LOOK_AFTER_NO))),
            Claim::NotSent => self.end(ActionOutcome::NeverStarted, at),
            Claim::Cancelled => self.end(ActionOutcome::Cancelled, at),
            Claim::Done | Claim::Unclear if self.proofs.is_empty() => {
                self.end(ActionOutcome::Unknown, at);
            }
            Claim::Done | Claim::Unclear => self.deadline = Some(at.plus(self.proof_within)),
        }
        self.result = Some((result, at));
    }

    /// Nobody waits for the proofs any longer.
    pub fn give_up(&mut self, at: Moment) {
        for proof in self.proofs.iter_mut().filter(|proof| proof.holds.is_none()) {
            proof.seen.push_str("; the operator stopped waiting");
        }
        let no = self.result.as_ref().is_some_and(|(result, _)| result.claim == Claim::Refused);
        self.end(if no { ActionOutcome::Failed } else { ActionOutcome::Unknown }, at);
    }

    pub(super) fn end(&mut self, outcome: ActionOutcome, at: Moment) {
        self.outcome = Some(outcome);
        self.ended = Some(at);
    }

    /// Whether it waits for its proofs.
    pub fn is_verifying(&self) -> bool {
        self.outcome.is_none() && self.deadline.is_some()
    }

    /// Why we think what we think, one line per proof.
    pub fn evidence(&self) -> Vec<String> {
        let claim = self.result.as_ref().map(|(result, _)| result.claim);
        let looked = claim.is_none_or(Claim::is_judged);
        let never = claim == Some(Claim::NotSent);
        let mut lines: Vec<String> = self
            .proofs
            .iter()
            // Nobody asks for the effect of what was never sent.
            .filter(|_| !never)
            .map(|proof| {
                if !looked {
                    return format!("{}: {}", proof.when, proof.seen);
                }
                let word = match proof.holds {
                    Some(true) => "holds",
                    Some(false) => "does not hold",
                    None => "not known",
                };
                let before = if proof.holds == Some(true) && proof.held_before(&self.before) {
                    ", and held before"
                } else {
                    ""
                };
                format!("{}: {word}, {}{before}", proof.when, proof.seen)
            })
            .collect();
        if self.proofs.is_empty() && !never {
            lines.push("no proof is configured for this action".to_owned());
        }
        if self.failed_but_effective() {
            lines.push("it said that it failed, but its effect is there".to_owned());
        }
        if self.is_only_claimed() {
            lines.push(
                "an exit code or a status is only its own word: it proves nothing".to_owned(),
            );
        }
        if self.was_so_before() && self.proofs.iter().all(|proof| proof.holds == Some(true)) {
            lines.push("all of it was so before: what this run did is not proven by it".to_owned());
        }
        if let (true, Some(by), Some(at)) = (looked, &self.by, self.ended) {
            let after = clock(self.age(at));
            lines
                .push(format!("looked at by another console than {by}'s, {after} after the start"));
        }
        lines
    }
}
