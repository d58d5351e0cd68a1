//! From what the sources say to the series that the rules look at.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;

use crate::{
    app::{sources::Lookup, state::World},
    domain::{
        catalog::Catalog,
        failure::FailureKind,
        ids::SourceId,
        observation::Observation,
        rule::{Point, Rule, Series, SeriesName, SeriesStore, Trouble},
        time::Moment,
        value::Value,
        verdict::Quality,
    },
};

/// What is kept beyond the longest window, so that one look before it is still there.
const SPARE: Duration = Duration::from_secs(600);

/// The series that the rules look at. What is known of one is kept.
pub(super) fn store(
    rules: &[Rule],
    old: &SeriesStore,
    catalog: &Catalog,
    now: Moment,
) -> SeriesStore {
    let mut store = SeriesStore::default();
    let mut reaches: BTreeMap<&SeriesName, Duration> = BTreeMap::new();
    for rule in rules {
        for name in rule.when.series() {
            let reach = reaches.entry(name).or_default();
            *reach = rule.when.reach().max(*reach);
        }
    }
    for name in rules.iter().flat_map(|rule| rule.when.series()) {
        let source = SourceId::from(name.source.as_ref());
        let Some(info) = catalog.sources.get(&source) else { continue };
        let mut series = old.get(name).cloned().unwrap_or_else(|| Series::new(info.interval, now));
        series.interval = info.interval;
        series.reach = reaches.get(name).copied().unwrap_or_default() + SPARE;
        series.trouble = match (&info.disabled, series.trouble.take()) {
            (Some(why), _) => Some(Trouble { quality: Quality::Unconfigured, why: why.clone() }),
            (None, Some(trouble)) if trouble.quality == Quality::Unconfigured => None,
            (None, trouble) => trouble,
        };
        store.insert(name.clone(), series);
    }
    store
}

/// Adds what a source said to its series.
pub(super) fn observe(world: &mut World, observation: &Observation) {
    let mut state = std::mem::take(&mut world.alerts);
    let clock_ahead = clock_ahead(world, &observation.source);
    let interval = world.sources.get(&observation.source).map(|source| source.interval);
    let source = observation.source.as_str();
    for (name, series) in state.series.iter_mut().filter(|(of, _)| of.source.as_ref() == source) {
        series.interval = interval.unwrap_or(series.interval);
        series.clock_ahead = clock_ahead.unwrap_or(series.clock_ahead);
        match point(world, observation, name) {
            Ok(point) => series.add(observation.at, point, series.reach),
            Err(trouble) => series.fail(observation.at, trouble, observation.outcome.is_ok()),
        }
    }
    world.alerts = state;
}

/// How far the clock of the server is ahead, as its own answers have it.
fn clock_ahead(world: &World, source: &SourceId) -> Option<SignedDuration> {
    let seconds = world.sources.number(source, &"clock_ahead_seconds".into())?;
    SignedDuration::try_from_secs_f64(seconds).ok()
}

/// What an observation says of one reading; a latency that ended in a timeout is at least
/// the time that was waited.
fn point(world: &World, observation: &Observation, name: &SeriesName) -> Result<Point, Trouble> {
    let trouble = |quality, why: String| Err(Trouble { quality, why });
    if let Err(why) = &observation.outcome
        && why.kind == FailureKind::Timeout
        && measures_the_poll(name)
    {
        let ms = observation.took.as_secs_f64() * 1_000.0;
        return Ok(Point::Value(Value::AtLeast(ms)));
    }
    match world.sources.lookup(&name.source, &name.reading) {
        Lookup::Known { value, .. } => Ok(Point::Value(value.clone())),
        Lookup::Missing(why) => trouble(Quality::Error, format!("{}: {why}", name.reading)),
        // Nothing comes from what is down; only an answer that is none is an error.
        Lookup::Failing(why) if why.kind.means_down() => trouble(Quality::Stale, why.to_string()),
        Lookup::Failing(why) => trouble(Quality::Error, why.to_string()),
        Lookup::Stale(_) | Lookup::Waiting => {
            trouble(Quality::Stale, format!("{name} is not known"))
        }
        Lookup::Disabled(why) => trouble(Quality::Unconfigured, why),
    }
}

/// Whether a reading is the time that the poll itself took.
fn measures_the_poll(name: &SeriesName) -> bool {
    matches!(name.reading.as_ref(), "total_ms" | "ping_ms")
}

/// Adds the wait of a poll whose slot passed.
pub(super) fn skipped(world: &mut World, source: &SourceId, waited: Duration) {
    let now = world.now;
    for (name, series) in world.alerts.series.iter_mut() {
        if name.source.as_ref() == source.as_str() && measures_the_poll(name) {
            let waited = Value::AtLeast(waited.as_secs_f64() * 1_000.0);
            series.add(now, Point::Value(waited), series.reach);
        }
    }
}
