//! Hit rates over a window, and what else a cache tells.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::state::World;
use crate::domain::{
    catalog::CacheSpec,
    counter::{RatioCounter, WindowedRate},
    ids::{PanelId, ReadingName, SourceId},
    observation::{Exhibit, KeyScan, SlowCommand},
    time::{Moment, short_duration},
    value::Value,
    verdict::{Quality, Verdict},
};

/// A point of the chart every so often: a chart that moves with every poll repaints
/// itself with every poll.
pub const CHART_STEP: Duration = Duration::from_secs(15);

/// How many lookups of the server's count the console itself has caused since its start:
/// what it looks into for the rate limits counts as hits.
const OWN_LOOKUPS: &str = "own_lookups";

/// Whether a Redis refuses writes because its memory is full.
pub const WRITES_REFUSED: &str = "writes_refused";

/// Points kept: an hour.
const CHART_POINTS: usize = 240;

/// One cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheState {
    /// Hits and misses.
    pub lookups: RatioCounter,
    /// Evictions, counted as hits.
    pub evictions: RatioCounter,
    /// Lookups that this console itself caused, counted as hits.
    pub own: RatioCounter,
    /// The hit rate over time: the step's number since the start, and the rate, or none
    /// where it was not known.
    pub chart: VecDeque<(u64, Option<f64>)>,
    /// The last count of keys.
    pub scan: Option<KeyScan>,
    /// A count is under way since.
    pub scanning: Option<Moment>,
}

/// The hit rate, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HitRate {
    /// Known over the window.
    Known(f64),
    /// Too few lookups to judge.
    TooFew,
    /// Not known.
    Unknown,
}

/// One cache as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheRow {
    /// Its name.
    pub id: PanelId,
    /// Its title.
    pub title: String,
    /// Its source.
    pub source: SourceId,
    /// What we think.
    pub verdict: Verdict,
    /// What the data is worth.
    pub quality: Quality,
    /// Why.
    pub reason: String,
    /// The hit rate over the window.
    pub rate: HitRate,
    /// Lookups in the window; none where unknown.
    pub lookups: Option<u64>,
    /// The window.
    pub window: Duration,
    /// How much of it was observed.
    pub covered: Duration,
    /// The ratio since the server began to count.
    pub lifetime: Option<f64>,
    /// When the counters last restarted.
    pub restarted: Option<Moment>,
    /// Memory in use, bytes.
    pub used_memory: Option<f64>,
    /// Memory allowed, bytes; zero is no limit.
    pub max_memory: Option<f64>,
    /// Number of keys.
    pub keys: Option<f64>,
    /// Operations per second.
    pub ops: Option<f64>,
    /// Evictions in the window.
    pub evicted: Option<f64>,
    /// When it was last seen.
    pub seen: Option<Moment>,
}

/// Takes an observation of its source into the counters of each cache.
pub fn observe(world: &mut World, source: &SourceId) {
    let now = world.now;
    let specs: Vec<CacheSpec> =
        world.catalog.caches.iter().filter(|spec| spec.source == *source).cloned().collect();
    for spec in specs {
        let hits = world.sources.number(source, &spec.hits);
        let misses = world.sources.number(source, &spec.misses);
        let run = spec.run.as_ref().and_then(|name| text_of(world, source, name));
        let evictions = spec.evictions.as_ref().and_then(|name| world.sources.number(source, name));
        let seen = world.sources.get(source).and_then(|state| state.last_good_at());
        let own = world.sources.number(source, &ReadingName::from(OWN_LOOKUPS));
        let Some(state) = world.caches.get_mut(&spec.id) else { continue };
        if let (Some(own), Some(seen)) = (own, seen) {
            state.own.add(seen, own, 0.0, None);
        }
        if let (Some(hits), Some(misses), Some(seen)) = (hits, misses, seen) {
            state.lookups.add(seen, hits, misses, run.as_deref());
        }
        if let (Some(evictions), Some(seen)) = (evictions, seen) {
            state.evictions.add(seen, evictions, 0.0, run.as_deref());
        }
        chart(world, &spec, now);
    }
}

fn text_of(world: &World, source: &SourceId, name: &ReadingName) -> Option<String> {
    match world.sources.lookup(source.as_str(), name) {
        super::sources::Lookup::Known { value: Value::Text(text), .. } => Some(text.to_string()),
        super::sources::Lookup::Known { value, .. } => Some(value.to_string()),
        _ => None,
    }
}

/// Adds a point to the chart when a step is over; what was not known stays a gap.
pub fn chart(world: &mut World, spec: &CacheSpec, now: Moment) {
    let step = now.mono.as_secs() / CHART_STEP.as_secs();
    let row = row(world, spec);
    let point = match row.rate {
        HitRate::Known(rate) if row.quality.usable() => Some(rate),
        _ => None,
    };
    let Some(state) = world.caches.get_mut(&spec.id) else { return };
    match state.chart.back_mut() {
        Some((last, value)) if *last == step => {
            // The first known value of a step stays: a later one would repaint the chart.
            if value.is_none() {
                *value = point;
            }
        }
        _ => state.chart.push_back((step, point)),
    }
    if state.chart.len() > CHART_POINTS {
        state.chart.pop_front();
    }
}

/// Lets time pass: charts get their gaps.
pub fn refresh(world: &mut World) {
    let now = world.now;
    for spec in world.catalog.caches.clone() {
        chart(world, &spec, now);
    }
}

/// The caches as shown, worst first.
pub fn rows(world: &World) -> Vec<CacheRow> {
    let mut rows: Vec<CacheRow> =
        world.catalog.caches.iter().map(|spec| row(world, spec)).collect();
    rows.sort_by(|a, b| {
        b.verdict.badness().cmp(&a.verdict.badness()).then_with(|| a.title.cmp(&b.title))
    });
    rows
}

/// One cache as shown.
pub fn row(world: &World, spec: &CacheSpec) -> CacheRow {
    let now = world.now;
    let number = |name: &Option<ReadingName>| {
        name.as_ref().and_then(|name| world.sources.last_number(&spec.source, name))
    };
    let state = world.caches.get(&spec.id);
    let windowed = state.and_then(|state| windowed(state, now, spec.window));
    let lookups = windowed.map(|rate| rate.lookups as u64);
    let rate = match (windowed.and_then(|rate| rate.ratio()), lookups) {
        (_, Some(n)) if n < spec.min_lookups => HitRate::TooFew,
        (Some(ratio), _) => HitRate::Known(ratio),
        _ => HitRate::Unknown,
    };
    let mut row = CacheRow {
        id: spec.id.clone(),
        title: spec.title.clone(),
        source: spec.source.clone(),
        verdict: Verdict::Unknown,
        quality: world.sources.quality(&spec.source, now),
        reason: String::new(),
        rate,
        lookups,
        window: spec.window,
        covered: windowed.map_or(Duration::ZERO, |rate| rate.covered),
        lifetime: state.and_then(|state| state.lookups.lifetime()),
        restarted: state.and_then(|state| state.lookups.last_restart),
        used_memory: number(&spec.used_memory),
        max_memory: number(&spec.max_memory),
        keys: number(&spec.keys),
        ops: number(&spec.ops),
        evicted: state
            .and_then(|state| state.evictions.over(now, spec.window))
            .map(|rate| rate.hits),
        seen: world.sources.get(&spec.source).and_then(|source| source.last_good_at()),
    };
    judge(world, spec, &mut row);
    row
}

/// The hits and lookups of the window without those that the console itself caused.
fn windowed(state: &CacheState, now: Moment, window: Duration) -> Option<WindowedRate> {
    let mut rate = state.lookups.over(now, window)?;
    let own = state.own.over(now, window).map_or(0.0, |own| own.hits);
    rate.hits = (rate.hits - own).max(0.0);
    rate.lookups = (rate.lookups - own).max(rate.hits);
    Some(rate)
}

fn judge(world: &World, spec: &CacheSpec, row: &mut CacheRow) {
    if !row.quality.usable() {
        row.verdict = without_data(row.quality);
        row.reason = source_trouble(world, &spec.source, row.quality);
        // What was last known of these is not what holds now.
        (row.used_memory, row.max_memory, row.keys) = (None, None, None);
        (row.ops, row.evicted) = (None, None);
        return;
    }
    let memory = match (row.used_memory, row.max_memory) {
        (Some(used), Some(max)) if max > 0.0 => Some(used / max),
        _ => None,
    };
    match row.rate {
        HitRate::Unknown => {
            row.reason = match world.sources.lookup(spec.source.as_str(), &spec.hits) {
                super::sources::Lookup::Missing(why) => why,
                _ => "needs two looks for a difference".to_owned(),
            };
            row.quality = Quality::Waiting;
        }
        HitRate::TooFew => {
            let n = row.lookups.unwrap_or(0);
            row.verdict = Verdict::Unjudged;
            (row.quality, row.reason) = if n == 0 {
                (Quality::NoTraffic, format!("no traffic in {}", short_duration(spec.window)))
            } else {
                (Quality::TooFew, format!("n = {n}, too few"))
            };
        }
        HitRate::Known(rate) => judge_rate(spec, rate, row),
    }
    judge_writes(world, row);
    if let (Some(share), Some(limit)) = (memory, spec.memory_warning_above)
        && share > limit
    {
        row.verdict = row.verdict.worse(Verdict::Warning);
        row.reason = format!(
            "memory {:.0} % of the limit (warning above {:.0} %); {}",
            share * 100.0,
            limit * 100.0,
            row.reason
        );
    }
}

/// A server that refuses writes serves a cache that can only grow colder.
fn judge_writes(world: &World, row: &mut CacheRow) {
    let lookup = world.sources.lookup(row.source.as_str(), WRITES_REFUSED);
    if matches!(lookup, super::sources::Lookup::Known { value: Value::Bool(true), .. }) {
        row.verdict = row.verdict.worse(Verdict::Warning);
        row.reason = format!("out of memory, writes are refused; {}", row.reason);
    }
}

fn judge_rate(spec: &CacheSpec, rate: f64, row: &mut CacheRow) {
    let percent = rate * 100.0;
    let below = |limit: Option<f64>| limit.filter(|limit| rate < *limit);
    let over = short_duration(spec.window);
    (row.verdict, row.reason) = if let Some(limit) = below(spec.critical_below) {
        (
            Verdict::Critical,
            format!("hit rate {percent:.0} % over {over}, critical below {:.0} %", limit * 100.0),
        )
    } else if let Some(limit) = below(spec.warning_below) {
        (
            Verdict::Warning,
            format!("hit rate {percent:.0} % over {over}, warning below {:.0} %", limit * 100.0),
        )
    } else if let Some(target) = below(spec.target) {
        (
            Verdict::Ok,
            format!("hit rate {percent:.0} % over {over}, target {:.0} %", target * 100.0),
        )
    } else {
        (Verdict::Ok, format!("hit rate {percent:.0} % over {over}"))
    };
}

/// The verdict on what no data can be had of: what was left out on purpose is not judged,
/// and nothing is known of the rest.
pub fn without_data(quality: Quality) -> Verdict {
    if quality == Quality::Unconfigured { Verdict::Unjudged } else { Verdict::Unknown }
}

/// Why a source's data cannot be used, in words.
pub fn source_trouble(world: &World, source: &SourceId, quality: Quality) -> String {
    let state = world.sources.get(source);
    if let Some(reason) = state.and_then(|state| state.disabled.as_ref()) {
        return reason.clone();
    }
    if let Some(why) = state.and_then(|state| state.failing()) {
        return why.to_string();
    }
    match quality {
        Quality::Waiting => "not looked at yet".to_owned(),
        other => other.word().to_owned(),
    }
}

/// The slow log of a cache's source, newest first; none where it is not offered.
pub fn slow_log<'a>(world: &'a World, source: &SourceId) -> Option<&'a [SlowCommand]> {
    world.sources.exhibits(source).iter().find_map(|exhibit| match exhibit {
        Exhibit::SlowLog(entries) => Some(entries.as_slice()),
        _ => None,
    })
}
