//! Guarded actions: whether one may be started, the dialog that guards it, the run, and
//! the proof of its effect.

pub mod dialog;

pub mod form;

pub mod proof;

pub mod reach;

pub mod run;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    dialog::{Dialog, Stage},
    form::Form,
    proof::ProofState,
    run::Run,
};
use super::state::World;
use crate::domain::{
    action::{ActionOutcome, Claim, PastRun, Standing, Trace},
    catalog::ActionSpec,
    guard::Guard,
    ids::{ActionId, RunId},
    time::{Moment, clock, clock_left, short_duration},
};

/// Runs of this console that are remembered.
const RUNS: usize = 50;

/// Runs that say how long an action usually takes.
const USUAL: usize = 5;

/// What may be done, what is being done, what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionsState {
    /// Tells this console's runs from those of others.
    pub console: String,
    /// Who sits in front of it: `alice@bastion`.
    #[serde(default)]
    pub operator: String,
    /// Nothing can be armed.
    pub read_only: bool,
    /// Actions are allowed for a time.
    pub armed: Option<Armed>,
    /// What the journal remembers, newest first.
    pub history: Vec<PastRun>,
    /// The runs of this console, oldest first.
    pub runs: VecDeque<Run>,
    /// Why the journal cannot be written, where it cannot.
    pub journal_failure: Option<String>,
    /// The open runs of other targets that were told.
    #[serde(default)]
    pub told: BTreeSet<RunId>,
    started: u32,
}

/// Actions are allowed until a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Armed {
    /// Since when.
    pub since: Moment,
    /// Until when.
    pub until: Moment,
    /// Why.
    pub reason: String,
}

/// An action as shown in the menu.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionRow {
    /// What is configured.
    pub spec: ActionSpec,
    /// Why it cannot be started now.
    pub why_not: Option<String>,
    /// How its last run ended, when and by whom.
    pub last: Option<PastRun>,
}

/// Stands for this console where it says who ran an action.
pub const HERE: &str = "here";

/// The longest time that actions can be allowed for.
pub const LONGEST_ARMED: Duration = Duration::from_secs(3_600);

impl ActionsState {
    /// Nothing armed, nothing done.
    pub fn new(console: String, operator: String, read_only: bool) -> Self {
        Self {
            console,
            operator,
            read_only,
            armed: None,
            history: Vec::new(),
            runs: VecDeque::new(),
            journal_failure: None,
            told: BTreeSet::new(),
            started: 0,
        }
    }

    /// How long actions are still allowed.
    pub fn armed_for(&self, now: Moment) -> Option<Duration> {
        let armed = self.armed.as_ref()?;
        armed.until.mono.checked_sub(now.mono).filter(|left| !left.is_zero())
    }

    /// The name of the next run: the time, this console, a number. Unique over consoles.
    pub fn next_run(&mut self, now: Moment) -> RunId {
        self.started += 1;
        let stamp = now.wall.strftime("%Y%m%dT%H%M%SZ");
        RunId::from(format!("{stamp}-{}-{}", self.console, self.started))
    }

    /// The run of that name.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == *id)
    }

    /// The run of that name, to change it.
    pub fn run_mut(&mut self, id: &RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == *id)
    }

    /// The run that is not over yet: one of this console before one that it only follows.
    pub fn in_flight(&self) -> Option<&Run> {
        let open = || self.runs.iter().filter(|run| run.outcome.is_none());
        open().find(|run| run.by.is_none()).or_else(|| open().next())
    }

    /// The run that keeps an action from being started: any of this console, and of others
    /// one of the same action. What else must not happen at the same time is for locks.
    fn blocking(&self, action: &ActionId) -> Option<&Run> {
        let open = self.runs.iter().filter(|run| run.outcome.is_none());
        open.into_iter().find(|run| run.by.is_none() || run.action == *action)
    }

    /// The run of another console that is under way, by the journal.
    fn running(&self, action: &ActionId) -> Option<&PastRun> {
        let runs = |past: &&PastRun| past.trace.standing.is_some_and(Standing::is_running);
        self.history.iter().filter(|past| past.action == *action && !past.resolved).find(runs)
    }

    /// Takes over what the journal tells of a target. What is left open on others and not
    /// looked after there, in words, once: it is for their consoles, which know what it was
    /// to do.
    pub fn remember(&mut self, history: Vec<PastRun>, target: &str) -> Vec<String> {
        let (own, others): (Vec<_>, Vec<_>) =
            history.into_iter().partition(|past| past.is_on(target));
        self.history = own;
        let cared_for = |past: &PastRun| {
            past.resolved
                || matches!(past.trace.standing, Some(Standing::Starting | Standing::Supervised))
        };
        let left: Vec<PastRun> = others
            .into_iter()
            .filter(|past| !cared_for(past) && self.told.insert(past.run.clone()))
            .collect();
        left.iter()
            .map(|past| {
                let on = past.target.as_deref().unwrap_or_default();
                let standing = past
                    .trace
                    .standing
                    .map(Standing::words)
                    .unwrap_or_else(|| "has no known end".to_owned());
                format!("{} of {on} by {}: {standing}", past.action, past.by)
            })
            .collect()
    }

    /// Remembers a run.
    pub fn push(&mut self, run: Run) {
        self.runs.push_back(run);
        if self.runs.len() > RUNS {
            self.runs.pop_front();
        }
    }

    /// Runs in the journal that have no end.
    pub fn unresolved(&self) -> usize {
        self.history.iter().filter(|run| !run.resolved).count()
    }

    /// When an action was last begun. What was refused before anything was sent has done
    /// nothing that it would have to rest from.
    fn last_begun(&self, action: &ActionId) -> Option<Timestamp> {
        let begun = |outcome: Option<ActionOutcome>| outcome != Some(ActionOutcome::NeverStarted);
        let here = self.runs.iter().filter(|run| run.action == *action && begun(run.outcome));
        let noted = self
            .history
            .iter()
            .filter(|run| run.action == *action && (!run.resolved || begun(Some(run.outcome))));
        here.map(|run| run.started.wall).chain(noted.map(|run| run.wall)).max()
    }

    /// How long an action usually takes: the median of its newest runs that claimed to be
    /// done, five at most, and how many these are.
    pub fn usual(&self, action: &ActionId) -> Option<(Duration, usize)> {
        let here = self.runs.iter().rev().filter(|run| run.action == *action);
        let here = here.filter_map(|run| Some((&run.id, &run.result.as_ref()?.0)));
        let noted = self.history.iter().filter(|run| run.action == *action);
        let noted = noted.filter_map(|run| Some((&run.run, run.trace.result.as_ref()?)));
        let mut seen = Vec::new();
        let mut took = Vec::new();
        for (run, result) in here.chain(noted).filter(|(_, result)| result.claim == Claim::Done) {
            if took.len() < USUAL && !seen.contains(&run) {
                seen.push(run);
                took.push(result.took);
            }
        }
        took.sort();
        let median = *took.get(took.len() / 2)?;
        Some((median, took.len()))
    }

    /// How the last run of an action ended.
    pub fn last_of(&self, action: &ActionId) -> Option<PastRun> {
        let here = self.runs.iter().rev().find(|run| run.action == *action);
        let noted = self.history.iter().find(|run| run.action == *action);
        let newer = noted.filter(|noted| here.is_none_or(|run| noted.wall > run.started.wall));
        if let (Some(run), None) = (here, newer) {
            return Some(PastRun {
                run: run.id.clone(),
                action: run.action.clone(),
                target: None,
                wall: run.started.wall,
                by: run.by.clone().unwrap_or_else(|| HERE.to_owned()),
                outcome: run.outcome.unwrap_or(ActionOutcome::Unknown),
                resolved: run.outcome.is_some(),
                trace: Trace { asked: run.asked.clone(), ..Trace::default() },
            });
        }
        noted.cloned()
    }
}

/// Why an action cannot be started now.
pub fn why_not(world: &World, spec: &ActionSpec) -> Option<String> {
    in_the_way(world, spec).into_iter().next()
}

/// All that stands in the way of starting an action now, the gravest first.
pub fn in_the_way(world: &World, spec: &ActionSpec) -> Vec<String> {
    let actions = &world.actions;
    let mut found: Vec<String> =
        world.catalog.why_unavailable(&spec.id).map(str::to_owned).into_iter().collect();
    if let Some(failure) = &actions.journal_failure {
        found.push(format!("the journal cannot be written: {failure}"));
    }
    if let Some(run) = actions.blocking(&spec.id) {
        let how = if run.is_verifying() {
            "is not proven yet (:cancel stops waiting)"
        } else {
            "is still running"
        };
        let by = run.by.as_ref().map(|by| format!(" (by {by})")).unwrap_or_default();
        found.push(format!("{}{by} {how}", run.title));
    }
    if spec.guard > Guard::G0 {
        if actions.read_only {
            found.push("read-only: by the configuration or --read-only".to_owned());
        } else if actions.armed_for(world.now).is_none() {
            found.push("read-only; to allow actions: :arm 10m reason".to_owned());
        }
    }
    if let Some(left) = cooling_down(world, spec) {
        // Who is at it is worth more than how long it would have to rest after that.
        let left = format!("cooling down, {} left", clock_left(left));
        found.push(match actions.running(&spec.id) {
            Some(past) => format!("{}; {left}", running(world, past)),
            None => left,
        });
    }
    found.extend(reach::objection(world, spec));
    found
}

/// Who runs something, and since when.
fn running(world: &World, past: &PastRun) -> String {
    let PastRun { by, run, wall, .. } = past;
    let since = Duration::try_from(world.now.wall.duration_since(*wall)).unwrap_or_default();
    format!("{by} has been running it for {} (run {run})", clock(since))
}

/// Where a run of the journal stands, in words: of a program that nobody supervises also how
/// far it is over its limit, and how it is ended.
pub fn standing(world: &World, past: &PastRun) -> Option<String> {
    let standing = past.trace.standing?;
    let Standing::Unsupervised { pid } = standing else { return Some(standing.words()) };
    let over = over_limit(world, &past.action, past.wall);
    let over = over.map(|over| format!(", {over}")).unwrap_or_default();
    Some(format!(
        "running, UNSUPERVISED as process {pid}{over}: nobody ends it but you (:cancel), and its \
         exit code will not be known"
    ))
}

/// By how much a run that goes on is over the limit of its action, where it is. By the wall
/// clock: it may have begun before this console.
pub fn over_limit(world: &World, action: &ActionId, began: Timestamp) -> Option<String> {
    let limit = world.catalog.action(action)?.timeout;
    let elapsed = Duration::try_from(world.now.wall.duration_since(began)).ok()?;
    let over = elapsed.checked_sub(limit).filter(|over| over.as_secs() > 0)?;
    Some(format!("{} OVER its limit of {}", clock(over), short_duration(limit)))
}

/// What undoes a run that is over and may have acted, where something is configured for that.
pub fn undo_of<'a>(world: &'a World, run: &Run) -> Option<&'a ActionSpec> {
    run.outcome.filter(|outcome| *outcome != ActionOutcome::NeverStarted)?;
    let undo = world.catalog.action(&run.action)?.undo.as_ref()?;
    world.catalog.action(undo)
}

/// How long an action must still rest. By the wall clock, so that it also holds for runs
/// of other consoles and before a restart.
fn cooling_down(world: &World, spec: &ActionSpec) -> Option<Duration> {
    let last = world.actions.last_begun(&spec.id)?;
    let elapsed = world.now.wall.duration_since(last);
    let elapsed = Duration::try_from(elapsed).unwrap_or(Duration::ZERO);
    spec.cooldown.checked_sub(elapsed).filter(|left| !left.is_zero())
}

/// The menu of actions.
pub fn rows(world: &World) -> Vec<ActionRow> {
    world
        .catalog
        .actions
        .iter()
        .map(|spec| ActionRow {
            spec: spec.clone(),
            why_not: why_not(world, spec),
            last: world.actions.last_of(&spec.id),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::RunResult;

    fn past(run: &str, action: &str, claim: Claim, seconds: u64) -> PastRun {
        let result = RunResult {
            claim,
            summary: String::new(),
            readings: BTreeMap::new(),
            took: Duration::from_secs(seconds),
        };
        PastRun {
            run: run.into(),
            action: action.into(),
            target: None,
            wall: jiff::Timestamp::UNIX_EPOCH,
            by: "alice".to_owned(),
            outcome: ActionOutcome::Confirmed,
            resolved: true,
            trace: Trace { result: Some(result), ..Trace::default() },
        }
    }

    #[test]
    fn what_is_usual_is_the_median_of_the_newest_runs_that_were_done() {
        let mut actions = ActionsState::new("c".to_owned(), "alice".to_owned(), false);
        assert_eq!(actions.usual(&"go".into()), None);
        // Newest first; a failure and another action say nothing, and the sixth is too old.
        let runs = [
            ("1", "go", Claim::Done, 9),
            ("2", "go", Claim::Refused, 1),
            ("3", "other", Claim::Done, 1),
            ("4", "go", Claim::Done, 3),
            ("4", "go", Claim::Done, 3),
            ("5", "go", Claim::Done, 130),
            ("6", "go", Claim::Done, 131),
            ("7", "go", Claim::Done, 200),
            ("8", "go", Claim::Done, 1),
        ];
        actions.history = runs.iter().map(|(run, a, claim, s)| past(run, a, *claim, *s)).collect();
        assert_eq!(actions.usual(&"go".into()), Some((Duration::from_secs(130), 5)));
        assert_eq!(actions.usual(&"other".into()), Some((Duration::from_secs(1), 1)));
    }
}
