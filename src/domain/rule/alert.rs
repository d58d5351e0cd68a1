//! The states of an alert, and what moves it from one to the next.
//!
//! The differences from Prometheus are deliberate. Missing data never resolves an alert,
//! an error freezes it, and only time in which the breach was *observed* counts towards
//! `for`: a suspended machine, a stopped process or a gap in the data earn nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Mode, OnMissing, Timing, finding::Finding, flapping::Flapping};
use crate::domain::{reading::stale_after, time::Moment, value::Value, verdict::Quality};

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is known.
    Unknown,
    /// Known to be well.
    Ok,
    /// The condition is true, but not yet for long enough.
    Pending,
    /// The condition was true for long enough.
    Firing,
    /// It was firing; the condition is false, but not yet for long enough.
    Recovering,
}

impl Phase {
    /// The word on the screen and in the documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
        }
    }

    /// Whether somebody should be looking at it.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering)
    }
}

/// One alert: a rule, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Where it stands.
    pub phase: Phase,
    /// Since when the condition is true; none while it is not.
    pub since: Option<Moment>,
    /// When it began to fire.
    pub fired: Option<Moment>,
    /// When it entered its phase.
    pub entered: Option<Moment>,
    /// What was found last.
    pub finding: Option<Finding>,
    /// The last finding that had a figure.
    pub last_known: Option<Finding>,
    /// The worst figure since it is true.
    pub peak: Option<f64>,
    /// For how long the breach was observed.
    pub observed_bad: Duration,
    /// For how long it was observed to be over.
    pub observed_good: Duration,
    /// Looks that showed the breach.
    pub bad_looks: u32,
    /// Changes of late.
    pub flapping: Flapping,
    /// Taken over from an earlier run of the console, and not seen since.
    pub restored: bool,
    /// When it was evaluated last.
    evaluated: Option<Moment>,
    /// The newest look that was counted.
    counted: Option<Moment>,
    /// The newest look that was judged.
    judged: Option<Moment>,
    /// Since when there is nothing to go by.
    blind: Option<Moment>,
}

/// A change of phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// From.
    pub from: Phase,
    /// To.
    pub to: Phase,
}

/// How long a pending alert is kept with nothing to go by.
const PENDING_KEPT: Duration = Duration::from_secs(300);

/// The share of the looks that `for` has room for which must have shown the breach.
const SEEN_SHARE: f64 = 0.8;

impl Default for Alert {
    fn default() -> Self {
        Self {
            phase: Phase::Unknown,
            since: None,
            fired: None,
            entered: None,
            finding: None,
            last_known: None,
            peak: None,
            observed_bad: Duration::ZERO,
            observed_good: Duration::ZERO,
            bad_looks: 0,
            flapping: Flapping::default(),
            restored: false,
            evaluated: None,
            counted: None,
            judged: None,
            blind: None,
        }
    }
}

impl Alert {
    /// The same alert firing under a rule that has changed: what was found by the old one
    /// confirms nothing.
    #[must_use]
    pub fn unconfirmed(&self, now: Moment) -> Self {
        Self {
            phase: Phase::Firing,
            since: self.since,
            fired: self.fired,
            entered: Some(now),
            peak: self.peak,
            flapping: self.flapping.clone(),
            restored: true,
            ..Self::default()
        }
    }

    /// Takes a finding over.
    pub fn step(&mut self, finding: Finding, now: Moment, timing: &Timing) -> Option<Transition> {
        let from = self.phase;
        let dt = self.evaluated.map_or(Duration::ZERO, |last| now.since(last));
        self.evaluated = Some(now);
        match timing.mode {
            Mode::Own => self.own_step(&finding, dt, now, timing),
            Mode::Prometheus(_) => self.prometheus_step(&finding, now, timing),
        }
        if let Some(bad) = finding.bad.filter(|_| finding.quality.usable()) {
            // An evaluation between two looks is no result of its own.
            if finding.seen.is_none() || finding.seen != self.judged {
                self.flapping.note(bad);
            }
            self.judged = finding.seen;
            self.restored = false;
        }
        if finding.value.is_some() {
            self.last_known = Some(finding.clone());
        }
        self.note_peak(&finding, timing);
        self.finding = Some(finding);
        if self.phase == from {
            return None;
        }
        self.entered = Some(now);
        Some(Transition { from, to: self.phase })
    }

    /// How much longer the breach must be observed before it fires.
    pub fn fires_in(&self, timing: &Timing) -> Option<Duration> {
        (self.phase == Phase::Pending).then(|| timing.hold.saturating_sub(self.observed_bad))
    }

    /// What the data is worth.
    pub fn quality(&self) -> Quality {
        self.finding.as_ref().map_or(Quality::Waiting, |finding| finding.quality)
    }

    /// Forgets when it was evaluated last: the time from then to now was not observed.
    pub fn skip_gap(&mut self, now: Moment) {
        self.evaluated = Some(now);
    }

    fn own_step(&mut self, finding: &Finding, dt: Duration, now: Moment, timing: &Timing) {
        let dt = dt.min(timing.interval * 2);
        if finding.bad.is_none() || !finding.quality.usable() {
            let blind_for = self.blind.map_or(Duration::ZERO, |blind| now.since(blind));
            let absent = match finding.quality {
                Quality::Stale => true,
                // Nothing was there to be seen yet: that is no evidence before its time.
                Quality::Waiting => blind_for >= stale_after(timing.interval),
                _ => false,
            };
            self.blind.get_or_insert(now);
            match timing.on_missing {
                OnMissing::Fire if absent => self.bad(dt, None, now, timing),
                OnMissing::Ok if absent => self.good(dt, timing),
                _ => self.nothing(finding, now, timing),
            }
            return;
        }
        self.blind = None;
        // Data that is late still tells the state, but no time is credited for it.
        let dt = if finding.quality == Quality::Fresh { dt } else { Duration::ZERO };
        if finding.is_bad() {
            self.bad(dt, finding.seen, now, timing);
        } else if finding.covered.is_some() && self.phase.is_active() {
            // Less than the window was watched: that it is over is not known.
        } else if finding.quality == Quality::Fresh || !self.is_open() {
            // Only looks count: the time between two of them, not that of the clock.
            let apart = match (finding.seen, self.judged) {
                (Some(seen), Some(judged)) => seen.since(judged).min(timing.interval * 2),
                _ => dt,
            };
            self.good(apart, timing);
        }
    }

    /// Whether a good look would end something.
    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Firing | Phase::Recovering)
    }

    fn bad(&mut self, dt: Duration, seen: Option<Moment>, now: Moment, timing: &Timing) {
        match self.phase {
            Phase::Unknown | Phase::Ok => {
                self.phase = Phase::Pending;
                self.since = Some(now);
                self.observed_bad = Duration::ZERO;
                self.bad_looks = 0;
                self.peak = None;
            }
            Phase::Pending => self.observed_bad += dt,
            Phase::Firing => {}
            Phase::Recovering => self.phase = Phase::Firing,
        }
        self.observed_good = Duration::ZERO;
        let new_look = match (seen, self.counted) {
            (Some(seen), Some(counted)) => seen.mono > counted.mono,
            _ => true,
        };
        if new_look {
            self.bad_looks = self.bad_looks.saturating_add(1);
            self.counted = seen.or(self.counted);
        }
        if self.phase == Phase::Pending
            && self.observed_bad >= timing.hold
            && self.bad_looks >= looks_needed(timing)
        {
            self.phase = Phase::Firing;
            self.fired = Some(now);
        }
    }

    fn good(&mut self, dt: Duration, timing: &Timing) {
        match self.phase {
            Phase::Unknown | Phase::Ok | Phase::Pending => self.settle(),
            Phase::Firing => {
                self.phase = Phase::Recovering;
                self.observed_good = Duration::ZERO;
            }
            Phase::Recovering => self.observed_good += dt,
        }
        if self.phase == Phase::Recovering && self.observed_good >= timing.keep {
            self.settle();
        }
    }

    /// Nothing to go by. A firing alert stays: only good evidence resolves it. An error
    /// freezes an alert; but the belief that all is well does not outlive the data it
    /// rests on.
    fn nothing(&mut self, finding: &Finding, now: Moment, timing: &Timing) {
        let blind_for = now.since(*self.blind.get_or_insert(now));
        // Cut off, the console knows nothing and changes nothing.
        let offline = finding.quality == Quality::Offline;
        let recent =
            finding.seen.is_some_and(|seen| now.since(seen) <= stale_after(timing.interval));
        let believed = offline || (finding.quality == Quality::Error && recent);
        match self.phase {
            Phase::Ok if !believed => self.phase = Phase::Unknown,
            Phase::Pending if blind_for >= PENDING_KEPT && !offline => {
                self.settle();
                self.phase = Phase::Unknown;
            }
            _ => {}
        }
    }

    fn settle(&mut self) {
        self.phase = Phase::Ok;
        self.since = None;
        self.fired = None;
        self.observed_bad = Duration::ZERO;
        self.observed_good = Duration::ZERO;
        self.bad_looks = 0;
    }

    /// As in Prometheus's `AlertingRule.Eval`.
    fn prometheus_step(&mut self, finding: &Finding, now: Moment, timing: &Timing) {
        if finding.bad == Some(true) {
            if !matches!(self.phase, Phase::Pending | Phase::Firing) {
                self.phase = Phase::Pending;
                self.since = Some(now);
                self.peak = None;
            }
            self.blind = None;
            let held = self.since.map_or(Duration::ZERO, |since| now.since(since));
            if self.phase == Phase::Pending && held >= timing.hold {
                self.phase = Phase::Firing;
                self.fired = Some(now);
            }
            return;
        }
        if self.phase == Phase::Firing && !timing.keep.is_zero() {
            // Prometheus goes on to call it firing while it keeps it so.
            let since = *self.blind.get_or_insert(now);
            if now.since(since) < timing.keep {
                return;
            }
        }
        self.blind = None;
        self.settle();
    }

    fn note_peak(&mut self, finding: &Finding, timing: &Timing) {
        if self.since.is_none() || !finding.is_bad() {
            return;
        }
        let Some(Value::Number(value) | Value::AtLeast(value) | Value::Below(value)) =
            finding.value
        else {
            return;
        };
        self.peak = Some(match self.peak {
            Some(peak) if timing.low_is_bad => peak.min(value),
            Some(peak) => peak.max(value),
            None => value,
        });
    }
}

/// How many looks must have shown the breach before it fires.
fn looks_needed(timing: &Timing) -> u32 {
    if timing.interval.is_zero() {
        return 0;
    }
    (SEEN_SHARE * timing.hold.as_secs_f64() / timing.interval.as_secs_f64()).ceil() as u32
}
