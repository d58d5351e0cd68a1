//! Everything the console knows, in one value with one owner.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    actions::ActionsState, alerts::AlertsState, cache::CacheState, escalation::Escalation,
    examination::Examination, health::CheckState, latency::LatencyState, limits::LimitsState,
    logs::LogsState, notices::Notices, sources::Sources, view::View,
};
use crate::domain::{
    catalog::{Catalog, SourceInfo},
    ids::{CheckId, PanelId, SourceId},
    time::Moment,
    verdict::Verdict,
};

/// The state of the console: what it believes, and what the operator is looking at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What the console believes now.
    pub world: World,
    /// What the operator is looking at.
    pub view: View,
    /// What the panes show while they are frozen.
    pub frozen: Option<Box<World>>,
    /// The faults of the demo that can be switched: name, title, explanation. Empty outside it.
    pub demo_faults: Vec<(String, String, String)>,
}

/// What the console believes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The time of the newest message.
    pub now: Moment,
    /// When the console was started.
    pub started: Moment,
    /// What is configured.
    pub catalog: Catalog,
    /// What the sources said last.
    pub sources: Sources,
    /// The state of each check.
    pub checks: BTreeMap<CheckId, CheckState>,
    /// The counters of each cache.
    pub caches: BTreeMap<PanelId, CacheState>,
    /// The samples of each latency.
    pub latencies: BTreeMap<PanelId, LatencyState>,
    /// Violations and pressure.
    pub limits: LimitsState,
    /// The newest entries of the logs.
    #[serde(default)]
    pub logs: LogsState,
    /// Alert rules and where they stand.
    pub alerts: AlertsState,
    /// Who was contacted when.
    pub escalation: Escalation,
    /// Arming, runs, outcomes.
    pub actions: ActionsState,
    /// What the last examination found, or has found so far.
    #[serde(default)]
    pub examination: Option<Examination>,
    /// What was said to the operator.
    pub notices: Notices,
    /// Deploy markers and blind gaps, oldest first.
    pub marks: Vec<Mark>,
}

/// Something that happened at a point of the time line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Moment,
    /// What.
    pub label: String,
    /// What kind.
    pub kind: MarkKind,
}

/// The kinds of mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A deployment.
    Deploy,
    /// An alert began to fire, or was over.
    Alert,
    /// An action was started.
    Action,
    /// Nothing was observed for a while before this.
    Gap,
}

/// The most marks of one kind that are kept.
const MARKS: usize = 200;

impl State {
    /// A console that has seen nothing yet. `console` tells its runs from those of other
    /// consoles that share the journal.
    pub fn new(catalog: Catalog, now: Moment, settings: Settings) -> Self {
        let world = World {
            now,
            started: now,
            sources: Sources::new(&catalog),
            checks: BTreeMap::new(),
            caches: BTreeMap::new(),
            latencies: BTreeMap::new(),
            limits: LimitsState::default(),
            logs: LogsState::default(),
            alerts: AlertsState::default(),
            escalation: Escalation::default(),
            actions: ActionsState::new(settings.console, settings.operator, settings.read_only),
            examination: None,
            notices: Notices::default(),
            marks: Vec::new(),
            catalog: Catalog::default(),
        };
        let mut state =
            Self { world, view: View::new(settings.utc), frozen: None, demo_faults: Vec::new() };
        state.world.adopt(catalog, now);
        state
    }

    /// What the panes show: the world, or the world as it was when they were frozen.
    pub fn shown(&self) -> &World {
        self.frozen.as_deref().unwrap_or(&self.world)
    }
}

/// What a new state must be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Tells this console's runs from those of others: a few random letters.
    pub console: String,
    /// Who sits in front of it: `alice@bastion`.
    pub operator: String,
    /// Nothing can be armed.
    pub read_only: bool,
    /// Times are shown in UTC.
    pub utc: bool,
}

impl World {
    /// Takes over a catalogue, keeping what is known about everything that is still in it
    /// and reads the same source as before. Returns the sources that are another one now:
    /// what was known of them is forgotten, and what they said before `since` is not heard.
    pub fn adopt(&mut self, catalog: Catalog, since: Moment) -> Vec<SourceId> {
        let moved = moved(&self.catalog, &catalog);
        for id in &moved {
            self.sources.forget(id);
            self.logs.forget(id);
        }
        self.sources.adopt(&catalog);
        for id in &moved {
            self.sources.begin(id, since);
        }
        let now = self.now;
        let old = &self.catalog;
        let stays = |before: Option<&SourceId>, source: &SourceId| {
            before.is_none_or(|before| before == source) && !moved.contains(source)
        };
        let mut checks = std::mem::take(&mut self.checks);
        for spec in &catalog.checks {
            let before = old.checks.iter().find(|old| old.id == spec.id).map(|old| &old.source);
            let known = checks.remove(&spec.id).filter(|_| stays(before, &spec.source));
            self.checks.insert(spec.id.clone(), known.unwrap_or_else(|| CheckState::new(now)));
        }
        let mut caches = std::mem::take(&mut self.caches);
        for spec in &catalog.caches {
            let before = old.caches.iter().find(|old| old.id == spec.id).map(|old| &old.source);
            let known = caches.remove(&spec.id).filter(|_| stays(before, &spec.source));
            self.caches.insert(spec.id.clone(), known.unwrap_or_default());
        }
        let mut latencies = std::mem::take(&mut self.latencies);
        for spec in &catalog.latencies {
            let before = old.latencies.iter().find(|old| old.id == spec.id).map(|old| &old.source);
            let known = latencies.remove(&spec.id).filter(|_| stays(before, &spec.source));
            self.latencies.insert(spec.id.clone(), known.unwrap_or_default());
        }
        // The violations of all sources are in one log: it cannot be told which of them came
        // from a source that is another one now.
        let told_by = |catalog: &Catalog| catalog.limits.clone().map(|limits| limits.violations);
        let sources = told_by(&catalog).unwrap_or_default();
        let another =
            told_by(old).is_some_and(|before| before.iter().any(|id| !sources.contains(id)));
        if another || sources.iter().any(|id| moved.contains(id)) {
            self.limits = LimitsState::default();
        }
        self.logs.adopt(&catalog);
        super::alerts::adopt(self, &catalog, &moved);
        self.escalation.adopt(&catalog);
        self.catalog = catalog;
        super::limits::count(self);
        super::health::refresh(self);
        moved
    }

    /// Adds a mark to the time line.
    pub fn mark(&mut self, kind: MarkKind, label: impl Into<String>) {
        self.marks.push(Mark { at: self.now, label: label.into(), kind });
        // Many alerts must not push out the deployment that they came from.
        if self.marks.iter().filter(|mark| mark.kind == kind).count() > MARKS
            && let Some(oldest) = self.marks.iter().position(|mark| mark.kind == kind)
        {
            self.marks.remove(oldest);
        }
    }

    /// The newest deploy marker.
    pub fn last_deploy(&self) -> Option<&Mark> {
        self.marks.iter().rev().find(|mark| mark.kind == MarkKind::Deploy)
    }

    /// The judgement on the whole service, and the reasons for it, worst first.
    pub fn verdict(&self) -> (Verdict, Vec<String>) {
        super::findings::judge(&super::findings::of(self))
    }
}

/// The sources that are in both catalogues, but are of another kind or at another address.
fn moved(old: &Catalog, new: &Catalog) -> Vec<SourceId> {
    let is_another = |id: &SourceId, info: &SourceInfo| {
        let before = old.sources.get(id);
        before.is_some_and(|before| before.kind != info.kind || before.target != info.target)
    };
    let moved = new.sources.iter().filter(|(id, info)| is_another(id, info));
    moved.map(|(id, _)| id.clone()).collect()
}
