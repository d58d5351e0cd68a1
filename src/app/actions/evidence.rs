//! What came of a run, by its proofs.

use super::Run;
use crate::domain::{
    action::{ActionOutcome, Claim},
    time::coarse_age,
};

impl Run {
    /// It said that it failed, and yet all that would prove its effect is there.
    pub fn failed_but_effective(&self) -> bool {
        self.outcome == Some(ActionOutcome::Failed)
            && !self.proofs.is_empty()
            && self.proofs.iter().all(|proof| proof.holds == Some(true))
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
                format!("{}: {word}, {}", proof.when, proof.seen)
            })
            .collect();
        if self.proofs.is_empty() && !never {
            lines.push("no proof is configured for this action".to_owned());
        }
        if self.failed_but_effective() {
            lines.push("it said that it failed, but its effect is there".to_owned());
        }
        if let (true, Some(by), Some(at)) = (looked, &self.by, self.ended) {
            let after = coarse_age(at.since(self.started));
            lines
                .push(format!("looked at by another console than {by}'s, {after} after the start"));
        }
        lines
    }
}
