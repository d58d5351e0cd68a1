//! What each source said last, and what it is worth.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::{
    catalog::Catalog,
    failure::{Failure, FailureKind},
    ids::{ReadingName, SourceId},
    notification::seconds,
    observation::{Exhibit, Facts, Observation, Phases},
    reading::{Reading, age_quality, stale_after},
    time::Moment,
    value::Value,
    verdict::Quality,
};

/// Said of everything while no source can be reached.
pub const CUT_OFF: &str = "no source can be reached: the console itself seems cut off";

/// The sources by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    all: BTreeMap<SourceId, SourceState>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceState {
    /// What it said.
    pub facts: Reading<Arc<Facts>>,
    /// How the last poll went, good or bad.
    pub last: Option<LastPoll>,
    /// Failures in a row.
    pub failures: u32,
    /// How often it is asked now.
    pub interval: Duration,
    /// The last failure, kept after recovery.
    pub last_failure: Option<(Failure, Moment)>,
    /// Why it is not asked at all.
    pub disabled: Option<String>,
    /// What it said before is of another source that had its name.
    #[serde(default)]
    pub since: Option<Moment>,
}

/// How a poll went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastPoll {
    /// When it was over.
    pub at: Moment,
    /// How long it took.
    pub took: Duration,
    /// What was asked.
    pub request: Arc<str>,
    /// The phases of an HTTP exchange.
    pub phases: Option<Phases>,
}

/// What is known of one reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup<'a> {
    /// It was reported; believe it as far as the quality goes.
    Known {
        /// The value.
        value: &'a Value,
        /// When it was observed.
        at: Moment,
    },
    /// The source answers, but without this reading.
    Missing(String),
    /// The source fails.
    Failing(&'a Failure),
    /// The last answer is too old.
    Stale(Moment),
    /// Nothing was observed yet.
    Waiting,
    /// The source is not asked, or not configured.
    Disabled(String),
}

impl Sources {
    /// Sources that have said nothing yet.
    pub fn new(catalog: &Catalog) -> Self {
        let mut sources = Self::default();
        sources.adopt(catalog);
        sources
    }

    /// Takes over a catalogue, keeping what is known of sources that are still in it.
    pub fn adopt(&mut self, catalog: &Catalog) {
        let mut old = std::mem::take(&mut self.all);
        for (id, info) in &catalog.sources {
            let mut state = old.remove(id).unwrap_or_else(|| SourceState::new(info.interval));
            state.interval = info.interval;
            state.disabled.clone_from(&info.disabled);
            self.all.insert(id.clone(), state);
        }
    }

    /// Forgets what is known of a source.
    pub fn forget(&mut self, id: &SourceId) {
        self.all.remove(id);
    }

    /// From now on, only what a source said after `since` counts.
    pub fn begin(&mut self, id: &SourceId, since: Moment) {
        if let Some(source) = self.all.get_mut(id) {
            source.since = Some(since);
        }
    }

    /// The source of that name.
    pub fn get(&self, id: &SourceId) -> Option<&SourceState> {
        self.all.get(id)
    }

    /// Sets how often a source is asked.
    pub fn set_interval(&mut self, id: &SourceId, interval: Duration) {
        if let Some(source) = self.all.get_mut(id) {
            source.interval = interval;
        }
    }

    /// All sources, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceId, &SourceState)> {
        self.all.iter()
    }

    /// Takes an observation over. Returns false for a source that is not configured, and
    /// for an answer that is older than what is known.
    pub fn observe(&mut self, observation: &Observation) -> bool {
        let Some(source) = self.all.get_mut(&observation.source) else { return false };
        let of_another = source.since.is_some_and(|since| since > observation.at);
        if of_another || source.last.as_ref().is_some_and(|last| last.at > observation.at) {
            return false;
        }
        source.last = Some(LastPoll {
            at: observation.at,
            took: observation.took,
            request: Arc::clone(&observation.request),
            phases: observation.phases,
        });
        match &observation.outcome {
            Ok(facts) => {
                source.failures = 0;
                source.facts =
                    Reading::Fresh { value: Arc::new(facts.clone()), at: observation.at };
            }
            Err(failure) => source.fail(failure.clone(), observation.at),
        }
        true
    }

    /// Marks as stale whatever has become too old.
    pub fn age(&mut self, now: Moment) {
        for source in self.all.values_mut() {
            let limit = stale_after(source.interval);
            if let Reading::Fresh { value, at } = &source.facts
                && now.since(*at) > limit
            {
                source.facts = Reading::Stale { value: Arc::clone(value), at: *at };
            }
        }
    }

    /// Marks everything as stale: after a gap nothing that was known is known any more.
    pub fn forget_freshness(&mut self) {
        for source in self.all.values_mut() {
            if let Reading::Fresh { value, at } = &source.facts {
                source.facts = Reading::Stale { value: Arc::clone(value), at: *at };
            }
        }
    }

    /// What is known of one reading. `up` is known for every source that was asked: whether
    /// it answered.
    pub fn lookup(&self, id: &str, reading: &str) -> Lookup<'_> {
        static UP: Value = Value::Bool(true);
        static DOWN: Value = Value::Bool(false);
        let Some(source) = self.all.get(id) else {
            return Lookup::Disabled(format!("there is no source {id}"));
        };
        if let Some(reason) = &source.disabled {
            return Lookup::Disabled(reason.clone());
        }
        match &source.facts {
            Reading::Never => Lookup::Waiting,
            Reading::Stale { at, .. } => Lookup::Stale(*at),
            Reading::Failed { why, .. } if reading == "up" && why.kind.means_down() => {
                let at = source.last.as_ref().map_or(Moment::at_seconds(0.0), |last| last.at);
                Lookup::Known { value: &DOWN, at }
            }
            Reading::Failed { why, .. } => Lookup::Failing(why),
            Reading::Fresh { at, .. } if reading == "up" => Lookup::Known { value: &UP, at: *at },
            Reading::Fresh { value, at } => match value.readings.get(reading) {
                Some(value) => Lookup::Known { value, at: *at },
                None => Lookup::Missing(missing(value, reading)),
            },
        }
    }

    /// The number behind a reading, if it may be believed.
    pub fn number(&self, id: &SourceId, reading: &ReadingName) -> Option<f64> {
        match self.lookup(id.as_str(), reading) {
            Lookup::Known { value, .. } => value.as_number(),
            _ => None,
        }
    }

    /// The last known number behind a reading, however old.
    pub fn last_number(&self, id: &SourceId, reading: &ReadingName) -> Option<f64> {
        let (facts, _) = self.all.get(id)?.facts.last_known()?;
        facts.readings.get(reading)?.as_number()
    }

    /// What the data of a source is worth now.
    pub fn quality(&self, id: &SourceId, now: Moment) -> Quality {
        match self.all.get(id) {
            None => Quality::Unconfigured,
            Some(source) => source.quality(now),
        }
    }

    /// The structured parts of the last good answer.
    pub fn exhibits(&self, id: &SourceId) -> &[Exhibit] {
        self.all
            .get(id)
            .and_then(|source| source.facts.last_known())
            .map_or(&[], |(facts, _)| facts.exhibits.as_slice())
    }

    /// Why the last good answer is without something that was asked for, where it says so.
    pub fn missing(&self, id: &SourceId, what: &str) -> Option<&str> {
        let (facts, _) = self.all.get(id)?.facts.last_known()?;
        let found = facts.missing.iter().find(|(name, _)| name.as_ref() == what)?;
        Some(found.1.as_str())
    }

    /// Whether the console itself seems to be cut off: there are at least two sources that
    /// are asked, and every one that was looked at fails without having reached anything.
    pub fn cut_off(&self) -> bool {
        let (mut asked, mut unreached) = (0, false);
        for source in self.all.values().filter(|source| source.disabled.is_none()) {
            asked += 1;
            match &source.facts {
                // At the start the others may be as far away: it is too early to blame one.
                Reading::Never => {}
                Reading::Failed { why, .. }
                    if matches!(why.kind, FailureKind::Dns | FailureKind::Unreachable) =>
                {
                    unreached = true;
                }
                _ => return false,
            }
        }
        unreached && asked >= 2
    }

    /// How many of the sources that are asked answered at their last poll, and how many are asked.
    pub fn pulse(&self) -> (usize, usize) {
        let asked = self.all.values().filter(|source| source.disabled.is_none());
        let (mut answering, mut all) = (0, 0);
        for source in asked {
            all += 1;
            if matches!(source.facts, Reading::Fresh { .. }) {
                answering += 1;
            }
        }
        (answering, all)
    }
}

impl SourceState {
    fn new(interval: Duration) -> Self {
        Self {
            facts: Reading::Never,
            last: None,
            failures: 0,
            interval,
            last_failure: None,
            disabled: None,
            since: None,
        }
    }

    fn fail(&mut self, mut why: Failure, at: Moment) {
        // A path that is gone may never have been there, unless it has answered.
        if let (FailureKind::MissingEndpoint, Some(_), Some(answered)) =
            (why.kind, &why.hint, self.last_good_at())
        {
            why.hint = Some(format!("it answered until {}", seconds(answered.wall)));
        }
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some((why.clone(), at));
        let (last_good, since) = match std::mem::replace(&mut self.facts, Reading::Never) {
            Reading::Never => (None, at),
            Reading::Fresh { value, at: seen } | Reading::Stale { value, at: seen } => {
                (Some((value, seen)), at)
            }
            Reading::Failed { last_good, since, .. } => (last_good, since),
        };
        self.facts = Reading::Failed { last_good, why, since };
    }

    /// What its data is worth now.
    pub fn quality(&self, now: Moment) -> Quality {
        if self.disabled.is_some() {
            return Quality::Unconfigured;
        }
        self.facts.quality(now, self.interval)
    }

    /// When it last answered.
    pub fn last_good_at(&self) -> Option<Moment> {
        self.facts.last_known().map(|(_, at)| at)
    }

    /// The failure that it is in.
    pub fn failing(&self) -> Option<&Failure> {
        match &self.facts {
            Reading::Failed { why, .. } => Some(why),
            _ => None,
        }
    }

    /// The quality of a value seen at `at` by this source's rhythm.
    pub fn quality_of(&self, now: Moment, at: Moment) -> Quality {
        age_quality(now.since(at), self.interval)
    }
}

fn missing(facts: &Facts, reading: &str) -> String {
    if let Some((_, why)) = facts.missing.iter().find(|(name, _)| name.as_ref() == reading) {
        return why.clone();
    }
    if facts.not_offered.iter().any(|name| name == reading) {
        return format!("{reading} is not offered by this server");
    }
    format!("the answer has no {reading}")
}
