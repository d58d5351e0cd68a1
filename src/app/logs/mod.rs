//! Logs: their newest entries, what was left out of them, and what is known of each.

mod buffer;

mod view;

mod words;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(in crate::app) use self::view::{everywhere, find, selected};
pub use self::{
    buffer::{Buffer, Filter, Line, MOST, MOST_BYTES, What},
    view::{Found, LogView, News, TRAFFIC, entry_text, news, shown},
    words::{dropped_words, late_words, rate_words, skipped_words},
};
use super::{
    cache::{source_trouble, without_data},
    sources::CUT_OFF,
    state::World,
};
use crate::domain::{
    catalog::{Catalog, SourceInfo},
    ids::SourceId,
    log::Severity,
    observation::{Exhibit, LogEntry, LogPart, Observation, PathTraffic, Traffic, WorstRequest},
    time::Moment,
    value::grouped,
    verdict::{Quality, Verdict},
};

/// The newest errors are kept apart: a flood of other entries must not wash them away.
const MOST_ERRORS: usize = 100;

/// Over how long the rate of entries is measured.
const RATE_OVER: Duration = Duration::from_secs(15);

/// Looks that the rate is measured by, at most.
const RATE_LOOKS: usize = 32;

/// What is known of all logs beside their readings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogsState {
    /// The newest entries.
    pub buffer: Buffer,
    /// The newest errors, oldest first.
    pub errors: VecDeque<(SourceId, Arc<LogEntry>)>,
    /// Each log.
    told: BTreeMap<SourceId, Told>,
}

/// What a log has told so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    /// Entries that came too fast to be handed over.
    left_out: u64,
    /// Lines that were too long.
    too_long: u64,
    /// When it was looked at last.
    looked: Option<Timestamp>,
    /// How many entries it had had at each of the last looks.
    looks: VecDeque<(Moment, f64)>,
}

/// A log as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    /// Its source.
    pub id: SourceId,
    /// Its title.
    pub title: String,
    /// Nothing is judged here; but what cannot be read is not known.
    pub verdict: Verdict,
    /// What the data is worth.
    pub quality: Quality,
    /// What is known, or why nothing is.
    pub reason: String,
    /// Entries a second.
    pub rate: Option<f64>,
    /// The window of the figures.
    pub window: Option<Duration>,
    /// Errors in it.
    pub errors: Option<f64>,
    /// Requests in it.
    pub requests: Option<f64>,
    /// The share of them that failed, 0 to 1.
    pub error_rate: Option<f64>,
    /// Entries that came too fast to be shown, since the console started.
    pub left_out: u64,
    /// Lines that were too long to be an entry.
    pub too_long: u64,
    /// Bytes of it that are still to be read.
    pub behind: Option<u64>,
    /// How long ago what was read last was written.
    pub late: Option<Duration>,
    /// Bytes that were never read, because it grows too fast.
    pub skipped: u64,
    /// Remarks of the source.
    pub remarks: Vec<String>,
    /// When it was last seen.
    pub seen: Option<Moment>,
}

impl LogRow {
    /// Whether what comes is read. How much its figures are worth is another matter.
    pub fn is_read(&self) -> bool {
        (self.quality.usable() || self.quality == Quality::Unrated) && !self.verdict.is_trouble()
    }

    /// Lines that nobody gets to see.
    pub fn dropped(&self) -> u64 {
        self.left_out + self.too_long
    }
}

/// Whether a source is a log.
fn is_log(info: &SourceInfo) -> bool {
    info.kind == "logs"
}

/// Whether there is a log at all.
pub fn any(catalog: &Catalog) -> bool {
    catalog.sources.values().any(is_log)
}

/// The sources that are logs.
pub fn sources(catalog: &Catalog) -> Vec<SourceId> {
    catalog.sources.values().filter(|info| is_log(info)).map(|info| info.id.clone()).collect()
}

/// Takes what has come of a log.
pub(super) fn observe(world: &mut World, observation: &Observation) {
    let Ok(facts) = &observation.outcome else { return };
    let id = &observation.source;
    if !world.catalog.sources.get(id).is_some_and(is_log) {
        return;
    }
    let now = observation.at;
    let part = facts.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Log(part) => Some(part),
        _ => None,
    });
    let logs = &mut world.logs;
    let told = logs.told.entry(id.clone()).or_default();
    let before = told.looked.replace(now.wall);
    if let Some(lines) = facts.readings.get("lines_total").and_then(|lines| lines.as_number()) {
        told.count(now, lines);
    }
    let Some(part) = part else { return };
    told.left_out = told.left_out.saturating_add(part.left_out);
    told.too_long = told.too_long.saturating_add(part.too_long);
    logs.take(id, part, before, now.wall);
}

impl LogsState {
    fn take(&mut self, id: &SourceId, part: &LogPart, after: Option<Timestamp>, now: Timestamp) {
        self.buffer.add(id, &part.entries, after, now);
        let errors = part.entries.iter().filter(|entry| entry.severity() == Severity::Error);
        self.errors.extend(errors.map(|entry| (id.clone(), Arc::clone(entry))));
        let excess = self.errors.len().saturating_sub(MOST_ERRORS);
        self.errors.drain(..excess);
    }

    /// Entries of all logs that came too fast to be handed over.
    pub fn left_out(&self) -> u64 {
        self.told.values().map(|told| told.left_out).sum()
    }

    /// Forgets a log.
    pub(super) fn forget(&mut self, id: &SourceId) {
        self.told.remove(id);
        self.errors.retain(|(source, _)| source != id);
        self.buffer.forget(id);
    }

    /// Forgets what is not in the catalogue any more.
    pub(super) fn adopt(&mut self, catalog: &Catalog) {
        let stays = |id: &SourceId| catalog.sources.get(id).is_some_and(is_log);
        let gone: Vec<SourceId> = self.told.keys().filter(|id| !stays(id)).cloned().collect();
        gone.iter().for_each(|id| self.forget(id));
    }
}

impl Told {
    fn count(&mut self, at: Moment, lines: f64) {
        if self.looks.back().is_some_and(|(_, before)| *before > lines) {
            // It began to count anew.
            self.looks.clear();
        }
        self.looks.push_back((at, lines));
        let old = |looks: &VecDeque<(Moment, f64)>| {
            looks.get(1).is_some_and(|(second, _)| at.since(*second) >= RATE_OVER)
        };
        while self.looks.len() > RATE_LOOKS || old(&self.looks) {
            self.looks.pop_front();
        }
    }

    /// Entries a second; none as long as there were not two looks.
    fn rate(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.looks.front()?, self.looks.back()?);
        let seconds = last.since(*first).as_secs_f64();
        (seconds > 0.0).then(|| (after - before) / seconds)
    }
}

/// The logs as shown: those that cannot be read first, then by title.
pub fn rows(world: &World) -> Vec<LogRow> {
    let logs = world.catalog.sources.values().filter(|info| is_log(info));
    let mut rows: Vec<LogRow> = logs.map(|info| row(world, info)).collect();
    rows.sort_by(|a, b| {
        b.verdict.badness().cmp(&a.verdict.badness()).then_with(|| a.title.cmp(&b.title))
    });
    rows
}

fn row(world: &World, info: &SourceInfo) -> LogRow {
    let id = &info.id;
    let quality = world.sources.quality(id, world.now);
    let known = world.sources.get(id).and_then(|source| source.facts.last_known());
    let told = world.logs.told.get(id);
    let mut row = LogRow {
        id: id.clone(),
        title: info.title.clone(),
        verdict: Verdict::Unjudged,
        quality,
        reason: String::new(),
        rate: None,
        window: traffic(world, id).map(|traffic| traffic.window),
        errors: None,
        requests: None,
        error_rate: None,
        left_out: told.map_or(0, |told| told.left_out),
        too_long: told.map_or(0, |told| told.too_long),
        behind: None,
        late: None,
        skipped: 0,
        remarks: Vec::new(),
        seen: known.map(|(_, at)| at),
    };
    if world.sources.cut_off() && quality != Quality::Unconfigured {
        (row.verdict, row.quality) = (Verdict::Unknown, Quality::Offline);
        row.reason = CUT_OFF.to_owned();
        return row;
    }
    let (true, Some((facts, _))) = (quality.usable(), known) else {
        row.verdict = without_data(quality);
        row.reason = source_trouble(world, id, quality);
        return row;
    };
    let number = |name: &str| facts.readings.get(name).and_then(|value| value.as_number());
    row.rate = told.and_then(Told::rate);
    row.errors = number("errors");
    row.requests = number("requests");
    row.error_rate = number("error_rate");
    row.behind = number("behind_bytes").map(|bytes| bytes as u64);
    row.late = number("behind_seconds").and_then(|late| Duration::try_from_secs_f64(late).ok());
    row.skipped = number("skipped_bytes_total").map_or(0, |bytes| bytes as u64);
    row.remarks.clone_from(&facts.remarks);
    if quality == Quality::Fresh {
        row.quality = Quality::Unrated;
    }
    row.reason = words::in_words(&row);
    row
}

/// All logs in one line; none where there is none.
pub fn line(world: &World) -> Option<String> {
    let rows = rows(world);
    let (first, rest) = rows.split_first()?;
    if rest.is_empty() {
        return Some(first.reason.clone());
    }
    let dropped: u64 = rows.iter().map(LogRow::dropped).sum();
    let dropped = match dropped {
        0 => String::new(),
        dropped => format!("; {}", dropped_words(dropped)),
    };
    let unread = rows.iter().filter(|row| row.verdict.is_trouble()).count();
    if unread > 0 {
        let all = rows.len();
        return Some(format!(
            "{unread} of {all} not read: {}: {}{dropped}",
            first.title, first.reason
        ));
    }
    let sum = |of: fn(&LogRow) -> Option<f64>| {
        let known: Vec<f64> = rows.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>())
    };
    let errors = match sum(|row| row.errors) {
        Some(0.0) => "no error".to_owned(),
        Some(1.0) => "1 error".to_owned(),
        Some(errors) => format!("{} errors", grouped(errors as u64)),
        None => "errors are not known".to_owned(),
    };
    let rate = sum(|row| row.rate).map_or_else(String::new, |of| format!(", {}", rate_words(of)));
    Some(format!("{errors} in {} logs{rate}{dropped}", rows.len()))
}

/// What the requests of a log were about, as it was last known.
fn traffic<'a>(world: &'a World, id: &SourceId) -> Option<&'a Traffic> {
    world.sources.exhibits(id).iter().find_map(|exhibit| match exhibit {
        Exhibit::Traffic(traffic) => Some(traffic),
        _ => None,
    })
}

/// The paths of all logs that are read, worst first.
pub fn paths(world: &World) -> Vec<(SourceId, PathTraffic)> {
    let mut all: Vec<(SourceId, PathTraffic)> = usable(world)
        .flat_map(|(id, traffic)| traffic.paths.iter().map(move |path| (id.clone(), path.clone())))
        .collect();
    all.sort_by_key(|(_, path)| std::cmp::Reverse((path.failed, path.requests)));
    all
}

/// How many paths and requests there are in all logs that are read, listed or not; and from
/// when on they are known, where that is later than the beginning of the window.
pub fn extent(world: &World) -> (u64, u64, Option<Timestamp>) {
    usable(world).fold((0, 0, None), |(paths, requests, since), (_, traffic)| {
        let (of_paths, of_requests) = traffic.all;
        (paths + of_paths, requests + of_requests, since.max(traffic.since))
    })
}

/// The worst requests of all logs that are read: failed ones first, then the slowest.
pub fn worst(world: &World) -> Vec<(SourceId, WorstRequest)> {
    let mut all: Vec<(SourceId, WorstRequest)> = usable(world)
        .flat_map(|(id, traffic)| traffic.worst.iter().map(move |one| (id.clone(), one.clone())))
        .collect();
    all.sort_by(|(_, a), (_, b)| {
        let ms = |request: &WorstRequest| request.ms.unwrap_or(-1.0);
        (b.status >= 500).cmp(&(a.status >= 500)).then(ms(b).total_cmp(&ms(a)))
    });
    all
}

fn usable(world: &World) -> impl Iterator<Item = (SourceId, &Traffic)> {
    let readable = |id: &SourceId| world.sources.quality(id, world.now).usable();
    let all = sources(&world.catalog).into_iter().filter(move |id| readable(id));
    all.filter_map(|id| traffic(world, &id).map(|traffic| (id.clone(), traffic)))
}

/// The identity of a request in the list of the worst.
pub fn request_id(source: &SourceId, request: &WorstRequest) -> String {
    let trace = request.trace.as_deref().unwrap_or_default();
    format!("{source} {} {} {trace}", request.at, request.path)
}
