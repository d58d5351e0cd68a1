//! The runs that a journal tells of.

use std::collections::VecDeque;

use super::entry::{Kind, Line};
use crate::domain::{
    action::{ActionOutcome, Claim, PastRun},
    ids::RunId,
};

/// Runs that are remembered; older ones stay in the file.
const REMEMBERED: usize = 1000;

/// One run, as far as the lines so far tell.
#[derive(Debug)]
struct Run {
    past: PastRun,
    started: bool,
}

/// The newest runs, oldest first.
#[derive(Debug, Default)]
pub(super) struct Runs(VecDeque<Run>);

impl Runs {
    /// Whether a run of that name was ever intended.
    pub(super) fn knows(&self, run: &RunId) -> bool {
        self.0.iter().any(|known| known.past.run == *run)
    }

    /// The newest runs first.
    pub(super) fn newest(&self, limit: usize) -> Vec<PastRun> {
        self.0.iter().rev().take(limit).map(|run| run.past.clone()).collect()
    }

    /// Takes a line into account.
    pub(super) fn take(&mut self, line: &Line) {
        let (Some(run), Some(action)) = (&line.entry.run, &line.entry.action) else {
            return;
        };
        let known = self.0.iter().rposition(|known| known.past.run == *run);
        let at = known.unwrap_or_else(|| {
            if self.0.len() == REMEMBERED {
                self.0.pop_front();
            }
            let past = PastRun {
                run: run.clone(),
                action: action.clone(),
                wall: line.ts,
                by: line.who.name(),
                outcome: ActionOutcome::NeverStarted,
                // Nothing is sent before the start is on the disk: without one, it is
                // certain that the run did nothing.
                resolved: true,
            };
            self.0.push_back(Run { past, started: false });
            self.0.len() - 1
        });
        if let Some(run) = self.0.get_mut(at) {
            run.take(line);
        }
    }
}

impl Run {
    fn take(&mut self, line: &Line) {
        match line.entry.kind {
            Kind::Start => {
                self.started = true;
                self.past.wall = line.ts;
                self.end(ActionOutcome::Unknown, false);
            }
            Kind::Finish => {
                let claim = line.entry.result.as_ref().map(|result| result.claim);
                match claim {
                    Some(Claim::NotSent) => self.end(ActionOutcome::NeverStarted, true),
                    Some(Claim::Refused) => self.end(ActionOutcome::Failed, true),
                    Some(Claim::Cancelled) => self.end(ActionOutcome::Cancelled, true),
                    Some(Claim::Done | Claim::Unclear) | None if self.started => {
                        self.end(ActionOutcome::Unknown, false);
                    }
                    _ => {}
                }
            }
            Kind::Outcome => {
                if let Some(outcome) = line.entry.outcome {
                    self.end(outcome, true);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, outcome: ActionOutcome, resolved: bool) {
        self.past.outcome = outcome;
        self.past.resolved = resolved;
    }
}
