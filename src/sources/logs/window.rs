//! What is counted of a log, and the readings over its windows.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    config::profile::LogsSource,
    domain::{
        ids::ReadingName,
        observation::{Exhibit, Facts, PathTraffic, Traffic, WorstRequest},
        percentile::{Sample, enough_for, percentile},
        time::{Moment, short_duration},
        value::Value,
    },
};

/// The most events that are kept; where there are more, the windows reach less far back.
const CAPACITY: usize = 65_536;

/// The most different paths that are told apart.
const MOST_PATHS: usize = 1_000;

/// How many paths and requests are listed.
const LISTED: usize = 10;

/// The readings that are over a window.
const OVER_WINDOW: [&str; 12] = [
    "lines",
    "errors",
    "requests",
    "failed",
    "excluded",
    "unparsed",
    "cut",
    "dropped",
    "error_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
];

/// Something that happened in a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// An entry.
    Entry {
        /// Of level error, or worse.
        error: bool,
        /// It has a form.
        parsed: bool,
        /// The request that it is about.
        request: Option<Request>,
        /// That request is one of those that do not count.
        excluded: bool,
    },
    /// An object of which parts are missing.
    Cut,
    /// A line that was too long.
    Dropped,
}

/// A finished request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) status: u16,
    pub(super) ms: Option<f64>,
    pub(super) path: Arc<str>,
    pub(super) trace: Option<Arc<str>>,
}

impl Request {
    fn failed(&self) -> bool {
        self.status >= 500
    }
}

/// Counts that only ever grow, for rules that look at increases.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    lines: u64,
    errors: u64,
    requests: u64,
    failed: u64,
}

/// What is kept of a log.
#[derive(Debug)]
pub(super) struct Window {
    events: VecDeque<(Timestamp, Event)>,
    longest: Duration,
    totals: Totals,
    paths: HashSet<Arc<str>>,
    /// Nothing is known of what was before.
    since: Option<Timestamp>,
}

/// The sums of one window.
#[derive(Default)]
struct Sums {
    lines: u64,
    errors: u64,
    requests: u64,
    failed: u64,
    excluded: u64,
    unparsed: u64,
    cut: u64,
    dropped: u64,
    samples: Vec<Sample>,
}

impl Window {
    /// Nothing yet.
    pub(super) fn new(windows: &[Duration]) -> Self {
        Self {
            events: VecDeque::new(),
            longest: windows.iter().copied().max().unwrap_or_default(),
            totals: Totals::default(),
            paths: HashSet::new(),
            since: None,
        }
    }

    /// Nothing is known of what was before that time.
    pub(super) fn known_since(&mut self, time: Timestamp) {
        self.since = Some(self.since.map_or(time, |since| since.max(time)));
    }

    /// Adds something that happened at that time. The totals count what `is_new` since the
    /// console began to look.
    pub(super) fn add(&mut self, at: Timestamp, event: Event, is_new: bool, now: Timestamp) {
        if let (Event::Entry { error, request, .. }, true) = (&event, is_new) {
            self.totals.lines += 1;
            self.totals.errors += u64::from(*error);
            if let Some(request) = request {
                self.totals.requests += 1;
                self.totals.failed += u64::from(request.failed());
            }
        }
        self.events.push_back((at.min(now), event));
        while self.events.len() > CAPACITY {
            if let Some((time, _)) = self.events.pop_front() {
                self.known_since(time);
            }
        }
        while self.events.front().is_some_and(|(time, _)| age(now, *time) > self.longest) {
            self.events.pop_front();
        }
    }

    /// One name for each path, in which identifiers do not count.
    pub(super) fn path(&mut self, written: &str) -> Arc<str> {
        let path = general(written);
        if let Some(known) = self.paths.get(path.as_str()) {
            return Arc::clone(known);
        }
        if self.paths.len() >= MOST_PATHS {
            self.paths.retain(|path| Arc::strong_count(path) > 1);
        }
        let path: Arc<str> =
            if self.paths.len() >= MOST_PATHS { "(other paths)".into() } else { path.into() };
        self.paths.insert(Arc::clone(&path));
        path
    }

    /// The readings of every window.
    pub(super) fn report(&self, config: &LogsSource, now: Moment) -> Facts {
        let mut facts = Facts::default();
        for (position, window) in config.windows.iter().enumerate() {
            let suffix = LogsSource::suffix(position, *window);
            self.window_readings(*window, &suffix, now, &mut facts);
            let from = now.wall.saturating_sub(*window).unwrap_or(now.wall);
            if let Some(since) = self.since.filter(|since| *since > from) {
                let time = since.to_zoned(TimeZone::UTC).strftime("%H:%M:%S");
                let window = short_duration(*window);
                facts
                    .remarks
                    .push(format!("of the last {window} only what is after {time} UTC is known"));
            }
        }
        let totals = self.totals;
        let counters = [
            ("lines_total", totals.lines),
            ("errors_total", totals.errors),
            ("requests_total", totals.requests),
            ("failed_total", totals.failed),
        ];
        for (name, count) in counters {
            facts.readings.insert(name.into(), Value::Number(count as f64));
        }
        if let Some(window) = config.windows.first() {
            facts.exhibits.push(Exhibit::Traffic(self.traffic(*window, now.wall)));
        }
        facts
    }

    fn within(
        &self,
        window: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = &(Timestamp, Event)> {
        self.events.iter().filter(move |(time, _)| age(now, *time) < window)
    }

    fn requests(
        &self,
        window: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &Request)> {
        self.within(window, now).filter_map(|(time, event)| match event {
            Event::Entry { request: Some(request), .. } => Some((*time, request)),
            _ => None,
        })
    }

    fn sums(&self, window: Duration, now: Moment) -> Sums {
        let mut sums = Sums::default();
        for (_, event) in self.within(window, now.wall) {
            match event {
                Event::Cut => sums.cut += 1,
                Event::Dropped => sums.dropped += 1,
                Event::Entry { error, parsed, request, excluded } => {
                    sums.lines += 1;
                    sums.excluded += u64::from(*excluded);
                    sums.errors += u64::from(*error);
                    sums.unparsed += u64::from(!parsed);
                    if let Some(request) = request {
                        sums.requests += 1;
                        sums.failed += u64::from(request.failed());
                        let sample = |ms| Sample { at: now, ms, censored: false };
                        sums.samples.extend(request.ms.map(sample));
                    }
                }
            }
        }
        sums
    }

    fn window_readings(&self, window: Duration, suffix: &str, now: Moment, facts: &mut Facts) {
        let sums = self.sums(window, now);
        let counts = [
            ("lines", sums.lines),
            ("errors", sums.errors),
            ("requests", sums.requests),
            ("failed", sums.failed),
            ("excluded", sums.excluded),
            ("unparsed", sums.unparsed),
            ("cut", sums.cut),
            ("dropped", sums.dropped),
        ];
        for (name, count) in counts {
            facts.readings.insert(format!("{name}{suffix}").into(), Value::Number(count as f64));
        }
        let length = short_duration(window);
        let name = format!("error_rate{suffix}");
        if sums.requests == 0 {
            facts.missing.push((name.into(), format!("no traffic: no request in {length}")));
        } else {
            let rate = sums.failed as f64 / sums.requests as f64;
            facts.readings.insert(name.into(), Value::Number(rate));
        }
        for percent in [50.0, 95.0, 99.0] {
            let name = format!("p{percent}_ms{suffix}");
            let n = sums.samples.len();
            match percentile(sums.samples.clone(), percent) {
                Ok(figure) => {
                    facts.readings.insert(name.into(), Value::Number(figure.ms));
                }
                Err(_) if n == 0 => {
                    let why = format!("no traffic: no request with a duration in {length}");
                    facts.missing.push((name.into(), why));
                }
                Err(_) => {
                    let enough = enough_for(percent);
                    let why = format!("too few: {n} of {enough} requests in {length}");
                    facts.missing.push((name.into(), why));
                }
            }
        }
    }

    /// Takes back the figures over the window of that suffix.
    pub(super) fn take_back(suffix: &str, why: &str, facts: &mut Facts) {
        for name in OVER_WINDOW {
            let name = ReadingName::from(format!("{name}{suffix}"));
            if facts.readings.remove(&name).is_some() {
                facts.missing.push((name, why.to_owned()));
            }
        }
    }

    fn traffic(&self, window: Duration, now: Timestamp) -> Traffic {
        let mut paths: BTreeMap<&Arc<str>, PathTraffic> = BTreeMap::new();
        let mut worst: Vec<(Timestamp, &Request)> = Vec::new();
        for (time, request) in self.requests(window, now) {
            let path = paths.entry(&request.path).or_insert_with(|| PathTraffic {
                path: Arc::clone(&request.path),
                requests: 0,
                failed: 0,
                slowest_ms: None,
            });
            path.requests += 1;
            path.failed += u64::from(request.failed());
            path.slowest_ms = match (path.slowest_ms, request.ms) {
                (Some(slowest), Some(ms)) => Some(slowest.max(ms)),
                (slowest, ms) => slowest.or(ms),
            };
            worst.push((time, request));
        }
        let all = (paths.len() as u64, worst.len() as u64);
        let mut paths: Vec<PathTraffic> = paths.into_values().collect();
        paths.sort_by_key(|path| std::cmp::Reverse((path.failed, path.requests)));
        paths.truncate(LISTED);
        worst.sort_by(|(_, a), (_, b)| {
            let ms = |request: &Request| request.ms.unwrap_or(-1.0);
            b.failed().cmp(&a.failed()).then(ms(b).total_cmp(&ms(a)))
        });
        let worst = worst.into_iter().take(LISTED).map(|(at, request)| WorstRequest {
            at,
            trace: request.trace.clone(),
            path: Arc::clone(&request.path),
            status: request.status,
            ms: request.ms,
        });
        let from = now.checked_sub(window).unwrap_or(now);
        let since = self.since.filter(|since| *since > from);
        Traffic { window, paths, worst: worst.collect(), all, since }
    }
}

fn age(now: Timestamp, time: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time)).unwrap_or_default()
}

/// A path without its query, with `:id` for what looks like an identifier: a number, a
/// UUID, a long word of hexadecimal digits, an address.
pub(super) fn general(written: &str) -> String {
    let path = written.split(['?', '#']).next().unwrap_or_default();
    let is_id = |part: &str| {
        let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
        !part.is_empty()
            && (part.chars().all(|c| c.is_ascii_digit())
                || (part.len() >= 12 && part.chars().all(hex))
                || part.len() > 40
                || part.contains('@')
                || part.contains("%40"))
    };
    let parts = path.split('/').take(12).map(|part| if is_id(part) { ":id" } else { part });
    crate::net::words::clip(&parts.collect::<Vec<_>>().join("/"), 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_in_paths_are_not_told_apart() {
        let table = [
            ("/api/cars/17?token=x", "/api/cars/:id"),
            ("/u/0b7c2f7e-1d0e-4a39-9a5e-3c8f8d1f2b11/x", "/u/:id/x"),
            ("/u/jane@example.com", "/u/:id"),
            ("/api/v2/cafe", "/api/v2/cafe"),
            ("", ""),
        ];
        for (written, expected) in table {
            assert_eq!(general(written), expected);
        }
        let mut window = Window::new(&[Duration::from_secs(60)]);
        let kept: Vec<_> = (0..2_000).map(|n| window.path(&format!("/p{n}x"))).collect();
        assert_eq!(kept[1_999].as_ref(), "(other paths)");
        drop(kept);
        assert_eq!(window.path("/new").as_ref(), "/new");
    }

    #[test]
    fn what_is_not_listed_is_counted_and_how_far_it_reaches_is_said() {
        let minute = Duration::from_secs(60);
        let now = Moment::at_seconds(1_000.0).wall;
        let mut window = Window::new(&[minute]);
        for n in 0..54_u16 {
            let path = window.path(&format!("/p{n}x"));
            let request = Some(Request { status: 200, ms: None, path, trace: None });
            let event = Event::Entry { error: false, parsed: true, request, excluded: false };
            window.add(now, event, true, now);
        }
        let traffic = window.traffic(minute, now);
        assert_eq!((traffic.paths.len(), traffic.all, traffic.since), (LISTED, (54, 54), None));
        window.known_since(now);
        assert_eq!(window.traffic(minute, now).since, Some(now));
    }
}
