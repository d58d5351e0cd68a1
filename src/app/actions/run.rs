//! A run of an action, and whether its effect is there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    app::{
        health::{Decision, decide, shown_value},
        sources::Lookup,
        state::World,
    },
    domain::{
        action::{ActionEvent, ActionOutcome, ActionStage, Claim, PastRun, RunResult},
        ask::Answers,
        catalog::{ActionSpec, Proof},
        condition::{Condition, Operand},
        ids::{ActionId, ReadingName, RunId, SourceId},
        text,
        time::Moment,
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
    before: BTreeMap<Arc<str>, Value>,
    /// Which run of each server the values before belong to.
    servers: BTreeMap<Arc<str>, Value>,
}

/// One proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProofState {
    /// The condition.
    pub when: Condition,
    /// Whether it holds; none where it cannot be said yet.
    pub holds: Option<bool>,
    /// What was seen, in words.
    pub seen: String,
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
                        Some((name_of(&proof.when), Value::Text(Arc::from("(none)"))))
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

    fn end(&mut self, outcome: ActionOutcome, at: Moment) {
        self.outcome = Some(outcome);
        self.ended = Some(at);
    }

    /// Whether it waits for its proofs.
    pub fn is_verifying(&self) -> bool {
        self.outcome.is_none() && self.deadline.is_some()
    }
}

impl ProofState {
    fn open(proof: &Proof) -> Self {
        Self { when: proof.when.clone(), holds: None, seen: "not looked yet".to_owned() }
    }

    /// Whether it reads the action's own answer.
    fn is_of_the_answer(&self) -> bool {
        self.when.source.as_deref() == Some(RESULT)
    }

    /// Whether it only repeats what the other side claims: an exit code, a status.
    fn is_a_mere_claim(&self) -> bool {
        self.is_of_the_answer() && matches!(self.when.reading.as_ref(), "exit_code" | "status")
    }
}

fn name_of(condition: &Condition) -> Arc<str> {
    let source = condition.source.as_deref().unwrap_or("");
    Arc::from(format!("{source}.{}", condition.reading))
}

/// What a server says that changes when it restarts: `run_id` of Redis, for one.
fn server_run(world: &World, source: &str) -> Option<Value> {
    match world.sources.lookup(source, "run_id") {
        Lookup::Known { value, .. } => Some(value.clone()),
        _ => None,
    }
}

/// Looks at the proofs of a run again. Only what was asked for after the carrying out was
/// over counts as evidence. Ends the run when all hold, when one can never hold any more, or
/// when its time is over: refuted where the other side claimed to be done and every proof
/// could be seen, otherwise unknown.
pub fn verify(world: &World, run: &Run) -> Option<Run> {
    let (result, finished) = run.result.as_ref()?;
    let deadline = run.deadline.filter(|_| run.outcome.is_none())?;
    let mut next = run.clone();
    for proof in &mut next.proofs {
        let decision = if proof.is_of_the_answer() {
            decide_result(result, &proof.when)
        } else {
            decide_after(world, run, &proof.when, *finished)
        };
        (proof.holds, proof.seen) = match decision {
            Decision::Holds(shown) => (Some(true), format!("it is {shown}")),
            Decision::DoesNot(shown) => (Some(false), format!("it is {shown}")),
            Decision::Open(why) => (None, why),
        };
    }
    // The answer does not change any more: what it does not prove now, it never will.
    let hopeless = next.proofs.iter().any(|p| p.is_of_the_answer() && p.holds != Some(true));
    let over = hopeless || world.now >= deadline;
    let all_hold = next.proofs.iter().all(|proof| proof.holds == Some(true));
    let all_seen = next.proofs.iter().all(|proof| proof.holds.is_some());
    let failed_answer = next.proofs.iter().any(|p| p.is_of_the_answer() && p.holds == Some(false));
    let only_claims = next.proofs.iter().all(ProofState::is_a_mere_claim);
    if result.claim == Claim::Refused {
        // Its own word stands; whether its effect is there all the same is in the evidence.
        if over || all_hold {
            next.end(ActionOutcome::Failed, world.now);
        }
    } else if all_hold && only_claims {
        next.end(ActionOutcome::Unknown, world.now);
    } else if all_hold {
        next.end(ActionOutcome::Confirmed, world.now);
    } else if over && (all_seen || failed_answer) && result.claim == Claim::Done {
        next.end(ActionOutcome::Refuted, world.now);
    } else if over {
        next.end(ActionOutcome::Unknown, world.now);
    }
    (next != *run).then_some(next)
}

fn decide_result(result: &RunResult, condition: &Condition) -> Decision {
    let Some(value) = result.readings.get(&condition.reading) else {
        return Decision::Open(format!("the answer has no {}", condition.reading));
    };
    let shown = shown_value(&condition.reading, value);
    match condition.holds(value, None) {
        Some(true) => Decision::Holds(shown),
        Some(false) => Decision::DoesNot(shown),
        None => {
            Decision::Open(format!("{} is {shown}, which cannot be compared", condition.reading))
        }
    }
}

fn decide_after(world: &World, run: &Run, condition: &Condition, finished: Moment) -> Decision {
    let home = SourceId::from(condition.source.as_deref().unwrap_or(""));
    let asked_after = world
        .sources
        .get(&home)
        .and_then(|source| source.last.as_ref())
        .is_some_and(|last| last.at.mono.saturating_sub(last.took) >= finished.mono);
    if !asked_after {
        return Decision::Open("not looked since it ended".to_owned());
    }
    let server = run.servers.get(home.as_str());
    let now = server_run(world, home.as_str());
    let restarted = server.is_some() && now.is_some() && server != now.as_ref();
    if restarted && matches!(condition.operand, Operand::Before(_)) {
        return Decision::Open(format!(
            "{home} has restarted since: what it was before cannot be compared"
        ));
    }
    decide(world, &home, condition, run.before.get(&name_of(condition)))
}
