//! The runs that a journal tells of.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{
    entry::{Entry, Kind, Line, StepMark, StepPhase},
    who::Who,
};
use crate::{
    actions::{process::ProcessId, verdict::Last},
    domain::{
        action::{ActionOutcome, Claim, PastRun, RunResult, Trace},
        ids::{ActionId, RunId},
    },
};

/// Runs that are remembered; older ones stay in the file.
const REMEMBERED: usize = 1000;
/// Requests for a second person that are remembered.
const ASKED: usize = 100;

/// One run, as far as the lines so far tell.
#[derive(Clone, Debug)]
pub(in crate::actions) struct Record {
    /// For the screen.
    pub(in crate::actions) past: PastRun,
    /// How far it came.
    pub(in crate::actions) last: Last,
    /// When it was intended.
    pub(in crate::actions) intended: Timestamp,
    /// Whose user id carries it out.
    pub(in crate::actions) uid: u32,
    /// Its runner.
    pub(in crate::actions) supervisor: Option<ProcessId>,
    /// The program that it started.
    pub(in crate::actions) process: Option<ProcessId>,
    /// Who wanted it to stop.
    pub(in crate::actions) cancelled: Option<String>,
    /// What the proof said, by whoever looked.
    pub(in crate::actions) outcome: Option<ActionOutcome>,
    /// The step of a sequence that was last begun or ended.
    pub(in crate::actions) step: Option<StepMark>,
}

/// What a second person was asked to agree to.
#[derive(Clone, Debug)]
pub(in crate::actions) struct Asked {
    /// The run that it would become.
    pub(in crate::actions) run: RunId,
    /// The action.
    pub(in crate::actions) action: ActionId,
    /// Who asks.
    pub(in crate::actions) who: Who,
    /// When.
    pub(in crate::actions) at: Timestamp,
    /// What exactly: the digest, the target, the request, the reason.
    pub(in crate::actions) entry: Entry,
    /// Who agreed, when, and to which plan.
    pub(in crate::actions) approved: Option<(Who, Timestamp, String)>,
}

/// The newest runs, oldest first.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: VecDeque<Record>,
    asked: VecDeque<Asked>,
    /// Somebody wanted these to stop before they were intended.
    stopped: VecDeque<(RunId, String)>,
}

impl Runs {
    /// The run of that name.
    pub(super) fn get(&self, run: &RunId) -> Option<&Record> {
        self.runs.iter().rfind(|known| known.past.run == *run)
    }

    /// The newest runs first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Record> {
        self.runs.iter().rev()
    }

    /// What a second person was asked about, the newest first.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Asked> {
        self.asked.iter().rev()
    }

    /// Takes a line into account.
    pub(super) fn take(&mut self, line: &Line) {
        let (Some(run), Some(action)) = (&line.entry.run, &line.entry.action) else {
            return;
        };
        match line.entry.kind {
            Kind::Ask => return self.ask(run, action, line),
            Kind::Approve => return self.approve(run, line),
            Kind::BreakGlass => return,
            _ => {}
        }
        let known = self.runs.iter().rposition(|known| known.past.run == *run);
        if known.is_none() && line.entry.kind == Kind::Cancel {
            if self.stopped.len() == ASKED {
                self.stopped.pop_front();
            }
            return self.stopped.push_back((run.clone(), line.who.name()));
        }
        let at = known.unwrap_or_else(|| {
            if self.runs.len() == REMEMBERED {
                self.runs.pop_front();
            }
            let mut record = Record::new(run, action, line);
            let stopped = self.stopped.iter().find(|(stopped, _)| stopped == run);
            record.cancelled = stopped.map(|(_, by)| by.clone());
            self.runs.push_back(record);
            self.runs.len() - 1
        });
        if let Some(record) = self.runs.get_mut(at) {
            record.take(line);
        }
    }

    fn ask(&mut self, run: &RunId, action: &ActionId, line: &Line) {
        if self.asked.len() == ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked {
            run: run.clone(),
            action: action.clone(),
            who: line.who.clone(),
            at: line.ts,
            entry: line.entry.clone(),
            approved: None,
        });
    }

    fn approve(&mut self, run: &RunId, line: &Line) {
        let asked = self.asked.iter_mut().rfind(|asked| asked.run == *run);
        if let (Some(asked), Some(digest)) = (asked, &line.entry.digest) {
            asked.approved = Some((line.who.clone(), line.ts, digest.clone()));
        }
    }
}

impl Record {
    fn new(run: &RunId, action: &ActionId, line: &Line) -> Self {
        let past = PastRun {
            run: run.clone(),
            action: action.clone(),
            target: None,
            wall: line.ts,
            by: line.who.name(),
            // Nothing is sent before the start is on the disk.
            outcome: ActionOutcome::NeverStarted,
            resolved: false,
            trace: Trace::default(),
        };
        Self {
            past,
            last: Last::Intended,
            intended: line.ts,
            uid: line.who.uid,
            supervisor: None,
            process: None,
            cancelled: None,
            outcome: None,
            step: None,
        }
    }

    fn take(&mut self, line: &Line) {
        match line.entry.kind {
            Kind::Intent => {
                self.past.target.clone_from(&line.entry.target);
                self.past.trace.before.clone_from(&line.entry.readings);
                self.past.trace.servers.clone_from(&line.entry.servers);
                self.past.trace.asked.clone_from(&line.entry.asked);
                self.past.trace.drill = line.entry.drill;
            }
            Kind::Supervisor => self.supervisor.clone_from(&line.entry.process),
            Kind::Start => {
                self.last = self.last.max(Last::Spawning);
                self.uid = line.who.uid;
                self.past.wall = line.ts;
                self.end(ActionOutcome::Unknown, false);
            }
            Kind::Process => {
                self.last = self.last.max(Last::Started);
                self.process.clone_from(&line.entry.process);
            }
            Kind::Step => {
                if let Some(mark) = &line.entry.step {
                    // Its own program is not known yet; that of an earlier step has ended.
                    if mark.phase == StepPhase::Begin {
                        self.process = None;
                    }
                    self.step = Some(mark.clone());
                }
            }
            Kind::Cancel => self.cancelled = Some(line.who.name()),
            Kind::Finish => self.finish(line.entry.result.clone().map(RunResult::from)),
            Kind::Outcome => {
                if let Some(outcome) = line.entry.outcome {
                    self.last = Last::Finished;
                    self.outcome = Some(outcome);
                    self.end(outcome, true);
                }
            }
            _ => {}
        }
    }

    /// The carrying out is over. What it says about itself is an end only where nothing was
    /// done: a program that failed may have had its effect all the same. A run ends once:
    /// what is written after that, by whoever was late, changes nothing.
    fn finish(&mut self, result: Option<RunResult>) {
        if self.last == Last::Finished {
            return;
        }
        let sent = self.last > Last::Intended;
        self.last = Last::Finished;
        match result.as_ref().map(|result| result.claim) {
            Some(Claim::NotSent) => self.end(ActionOutcome::NeverStarted, true),
            Some(Claim::Cancelled) => self.end(ActionOutcome::Cancelled, true),
            Some(Claim::Refused) => self.end(ActionOutcome::Failed, false),
            Some(Claim::Done | Claim::Unclear) | None if sent => {
                self.end(ActionOutcome::Unknown, false);
            }
            _ => {}
        }
        self.past.trace.result = result;
    }

    fn end(&mut self, outcome: ActionOutcome, resolved: bool) {
        self.past.outcome = outcome;
        self.past.resolved = resolved;
    }
}
