//! Whether the effect of a run is there.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::run::{RESULT, Run};
use crate::{
    app::{
        health::{Decision, decide, shown_value},
        sources::Lookup,
        state::World,
    },
    domain::{
        action::{ActionOutcome, Claim, RunResult},
        catalog::Proof,
        condition::{Condition, Operand},
        ids::SourceId,
        time::Moment,
        value::Value,
    },
};

/// Stands for a reading that its source did not have before the run.
pub(super) const NONE: &str = "(none)";

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

impl ProofState {
    pub(super) fn open(proof: &Proof) -> Self {
        Self { when: proof.when.clone(), holds: None, seen: "not looked yet".to_owned() }
    }

    /// Whether it reads the action's own answer.
    pub(super) fn is_of_the_answer(&self) -> bool {
        self.when.source.as_deref() == Some(RESULT)
    }

    /// Whether it held already by what was read before the run.
    pub(super) fn held_before(&self, before: &BTreeMap<Arc<str>, Value>) -> bool {
        let value = before.get(&name_of(&self.when));
        !matches!(self.when.operand, Operand::Before(_))
            && value.is_some_and(|value| {
                *value != Value::Text(Arc::from(NONE)) && self.when.holds(value, None) == Some(true)
            })
    }

    /// Whether it only repeats what the other side claims: an exit code, a status.
    pub(super) fn is_a_mere_claim(&self) -> bool {
        self.is_of_the_answer() && matches!(self.when.reading.as_ref(), "exit_code" | "status")
    }
}

pub(super) fn name_of(condition: &Condition) -> Arc<str> {
    let source = condition.source.as_deref().unwrap_or("");
    Arc::from(format!("{source}.{}", condition.reading))
}

/// What a server says that changes when it restarts: `run_id` of Redis, for one.
pub(super) fn server_run(world: &World, source: &str) -> Option<Value> {
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
