//! Latency percentiles, from raw samples.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    cache::{source_trouble, without_data},
    findings::JUDGED,
    sources::Lookup,
    state::World,
};
use crate::domain::{
    catalog::LatencySpec,
    failure::FailureKind,
    ids::{PanelId, SourceId},
    observation::Observation,
    percentile::{Percentile, Sample, Samples, Summary, summary},
    time::{Moment, short_duration},
    value::{Value, tidy},
    verdict::{Quality, Verdict},
};

/// The windows that can be chosen.
pub const WINDOWS: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(900)];

/// The width of one column of the chart.
pub const CHART_STEP: Duration = Duration::from_secs(15);

/// One latency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyState {
    /// The samples.
    pub samples: Samples,
    /// When polls failed without giving a latency: refused, 500 and so on.
    pub errors: VecDeque<Moment>,
}

/// One latency as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyRow {
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
    /// The window of the figures. The verdict is always over [`JUDGED`], so that looking at
    /// another window changes no judgement.
    pub window: Duration,
    /// The percentiles.
    pub summary: Summary,
    /// Failures without a latency in the window.
    pub errors: usize,
    /// The p95 that is wanted.
    pub target_ms: Option<f64>,
    /// When it was last measured.
    pub seen: Option<Moment>,
}

/// One column of the chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartColumn {
    /// The number of the step since the start.
    pub step: u64,
    /// The largest sample of the step.
    pub max_ms: f64,
    /// Whether a poll of the step was given up.
    pub timed_out: bool,
}

/// The most failures that are remembered.
const ERRORS: usize = 2_000;

/// Takes a measurement. A poll that was given up counts with at least the time that was
/// spent on it; any other failure is no latency and is counted apart.
pub fn observe(world: &mut World, observation: &Observation) {
    let source = &observation.source;
    let specs: Vec<LatencySpec> =
        world.catalog.latencies.iter().filter(|spec| spec.source == *source).cloned().collect();
    for spec in specs {
        let sample = match &observation.outcome {
            Ok(_) => match world.sources.lookup(source.as_str(), &spec.reading) {
                Lookup::Known { value: Value::Number(ms), .. } => Some((*ms, false)),
                Lookup::Known { value: Value::AtLeast(ms), .. } => Some((*ms, true)),
                _ => None,
            },
            Err(why) if why.kind == FailureKind::Timeout => {
                Some((observation.took.as_secs_f64() * 1_000.0, true))
            }
            Err(_) => None,
        };
        let Some(state) = world.latencies.get_mut(&spec.id) else { continue };
        match sample {
            Some((ms, censored)) => state.samples.add(Sample { at: observation.at, ms, censored }),
            None => {
                state.errors.push_back(observation.at);
                if state.errors.len() > ERRORS {
                    state.errors.pop_front();
                }
            }
        }
    }
}

/// A slot passed without a poll: whoever had asked then would have waited at least this long.
pub fn skipped(world: &mut World, source: &SourceId, waited: Duration) {
    let now = world.now;
    let ids: Vec<PanelId> = world
        .catalog
        .latencies
        .iter()
        .filter(|spec| spec.source == *source)
        .map(|spec| spec.id.clone())
        .collect();
    for id in ids {
        if let Some(state) = world.latencies.get_mut(&id) {
            let ms = waited.as_secs_f64() * 1_000.0;
            state.samples.add(Sample { at: now, ms, censored: true });
        }
    }
}

/// The latencies with their figures over `window`, worst first.
pub fn rows(world: &World, window: Duration) -> Vec<LatencyRow> {
    let mut rows: Vec<LatencyRow> =
        world.catalog.latencies.iter().map(|spec| row(world, spec, window)).collect();
    rows.sort_by(|a, b| {
        b.verdict.badness().cmp(&a.verdict.badness()).then_with(|| a.title.cmp(&b.title))
    });
    rows
}

fn row(world: &World, spec: &LatencySpec, window: Duration) -> LatencyRow {
    let now = world.now;
    let state = world.latencies.get(&spec.id);
    let summary = |window| state.map(|state| state.samples.summary(now, window));
    let errors = |window| {
        let within = |at: &&Moment| now.since(**at) < window;
        state.map_or(0, |state| state.errors.iter().rev().take_while(within).count())
    };
    let mut row = LatencyRow {
        id: spec.id.clone(),
        title: spec.title.clone(),
        source: spec.source.clone(),
        verdict: Verdict::Unknown,
        quality: world.sources.quality(&spec.source, now),
        reason: String::new(),
        window,
        summary: summary(window).unwrap_or_default(),
        errors: errors(window),
        target_ms: spec.target_ms,
        seen: state.and_then(|state| state.samples.last_at()),
    };
    judge(world, spec, &mut row, &summary(JUDGED).unwrap_or_default(), errors(JUDGED));
    row
}

/// What is compared with the limits: the p95, or the largest sample where there are too
/// few for it.
fn deciding(summary: &Summary) -> Option<(Percentile, &'static str)> {
    summary
        .p95
        .map(|p95| (p95, "p95"))
        .or_else(|| (summary.n >= 5).then_some(summary.max).flatten().map(|max| (max, "max")))
}

fn judge(
    world: &World,
    spec: &LatencySpec,
    row: &mut LatencyRow,
    summary: &Summary,
    errors: usize,
) {
    let failing = world.sources.get(&spec.source).and_then(|source| source.failing());
    let timing_out = failing.is_some_and(|why| why.kind == FailureKind::Timeout);
    if !row.quality.usable() && !timing_out {
        row.verdict = without_data(row.quality);
        row.reason = source_trouble(world, &spec.source, row.quality);
        return;
    }
    let over_judged = short_duration(JUDGED);
    let Some((figure, name)) = deciding(summary) else {
        let n = summary.n;
        // Failures are why there are few: then it is not idle, it is not known.
        (row.verdict, row.quality, row.reason) = if errors > 0 {
            let s = if errors == 1 { "" } else { "s" };
            let why = match world.sources.lookup(spec.source.as_str(), &spec.reading) {
                Lookup::Missing(why) => format!(": {why}"),
                _ => String::new(),
            };
            let words = format!("{errors} failure{s}, n = {n} in {over_judged}, too few{why}");
            (Verdict::Unknown, Quality::Error, words)
        } else {
            let words = format!("n = {n} in {over_judged}, too few");
            (Verdict::Unjudged, Quality::TooFew, words)
        };
        return;
    };
    let over = |limit: Option<f64>| limit.filter(|limit| figure.ms > *limit);
    let words = format!("{name} {} over {}", shown(figure), over_judged);
    (row.verdict, row.reason) = if let Some(limit) = over(spec.critical_ms) {
        (Verdict::Critical, format!("{words}, critical above {} ms", tidy(limit)))
    } else if let Some(limit) = over(spec.warning_ms) {
        (Verdict::Warning, format!("{words}, warning above {} ms", tidy(limit)))
    } else if let Some(target) = over(spec.target_ms) {
        (Verdict::Ok, format!("{words}, target {} ms", tidy(target)))
    } else {
        (Verdict::Ok, words)
    };
    if summary.timeouts > 0 {
        row.reason.push_str(&format!(", {} given up", summary.timeouts));
        row.verdict = row.verdict.worse(Verdict::Warning);
    }
}

/// A percentile in words: `212 ms`, `>= 3000 ms`, `~212 ms` where it is rough.
pub fn shown(percentile: Percentile) -> String {
    let mark = match percentile {
        Percentile { at_least: true, .. } => ">= ",
        Percentile { rough: true, .. } => "~",
        _ => "",
    };
    format!("{mark}{} ms", figure(percentile.ms))
}

/// Milliseconds in three significant digits.
pub fn figure(ms: f64) -> String {
    if ms >= 100.0 {
        format!("{ms:.0}")
    } else if ms >= 10.0 {
        format!("{ms:.1}")
    } else {
        format!("{ms:.2}")
    }
}

/// The chart: one column for each step in which something was measured, oldest first.
/// Steps are counted from the console's start, so that the chart moves once a step.
pub fn chart(state: &LatencyState, now: Moment, columns: usize) -> Vec<ChartColumn> {
    let current = now.mono.as_secs() / CHART_STEP.as_secs();
    let first = current.saturating_sub(columns.saturating_sub(1) as u64);
    let mut out: Vec<ChartColumn> = Vec::new();
    let window = CHART_STEP * (columns as u32 + 1);
    for sample in state.samples.within(now, window) {
        let step = sample.at.mono.as_secs() / CHART_STEP.as_secs();
        if step < first || step >= current {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.step == step => {
                last.max_ms = last.max_ms.max(sample.ms);
                last.timed_out |= sample.censored;
            }
            _ => out.push(ChartColumn { step, max_ms: sample.ms, timed_out: sample.censored }),
        }
    }
    out
}

/// The p95 of the samples since `mark` against those before it, for the deploy marker.
pub fn around(state: &LatencyState, now: Moment, mark: Moment) -> (Summary, Summary) {
    let (after, before): (Vec<Sample>, Vec<Sample>) = state
        .samples
        .within(now, crate::domain::percentile::KEEP)
        .partition(|sample| sample.at >= mark);
    (summary(before), summary(after))
}
