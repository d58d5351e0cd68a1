//! Alert rules: what they look at, and how they come to fire.
//!
//! A rule's condition is read by [`When::parse`], evaluated on a [`SeriesStore`] by
//! [`evaluate()`], and its alert moved by [`Alert::step`]. All of it is arithmetic on what
//! it is given: live, in a replay and in a rules test the same engine runs.

mod age;
mod alert;
mod evaluate;
mod expression;
mod finding;
mod flapping;
pub mod notation;
mod parse;
pub mod prometheus;
mod series;
mod spike;
#[cfg(test)]
mod tests;
pub mod trial;
mod unit;
mod window;

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

pub use alert::{Alert, Phase, Transition};
pub use evaluate::{Data, evaluate};
pub use expression::{Clause, Function, Join, Passing, SeriesName, Side, Subject, Test, When};
pub use finding::Finding;
pub use flapping::Flapping;
pub use parse::LONGEST;
pub use series::{Look, Point, Series, SeriesStore, Trouble};
pub use unit::{Unit, of as unit_of};

use super::{condition::Op, ids::ActionId, value::tidy, verdict::Verdict};

/// How bad it is when a rule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look in working hours.
    Warning,
    /// Somebody must look now.
    Critical,
}

impl Severity {
    /// The word in the configuration and in the documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The priority of a rule that proposes none itself.
    pub fn proposes(self) -> Priority {
        match self {
            Self::Critical => Priority::P1,
            Self::Warning => Priority::P2,
        }
    }

    /// What a firing alert of this severity says about the service.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Warning => Verdict::Warning,
            Self::Critical => Verdict::Critical,
        }
    }
}

/// The priority of an incident. A rule proposes one, a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    /// Everything is down.
    P0,
    /// A main function is down.
    P1,
    /// Something is degraded.
    P2,
    /// A nuisance.
    P3,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::P0, Self::P1, Self::P2, Self::P3];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
        }
    }
}

/// What is done when a rule's data is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// The alert stays as it is.
    #[default]
    Hold,
    /// Missing data is itself bad.
    Fire,
    /// Missing data is good.
    Ok,
}

/// Whose semantics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Our own.
    #[default]
    Own,
    /// Those of Prometheus, to be compared with it.
    Prometheus(prometheus::Version),
}

/// What an alert needs to know of its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the condition must be true before it fires: `for`.
    pub hold: Duration,
    /// How long it must be false before it is over: `keep_firing_for`.
    pub keep: Duration,
    /// How often its slowest series is looked at.
    pub interval: Duration,
    /// What missing data means.
    pub on_missing: OnMissing,
    /// Whether the worst figure is the smallest.
    pub low_is_bad: bool,
    /// Whose semantics.
    pub mode: Mode,
}

/// What is expected from some time after a marker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// From this long after the marker.
    pub after: Duration,
    /// Not less than this.
    pub from: Option<f64>,
    /// Not more than this.
    pub to: Option<f64>,
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (Some(from), Some(to)) => write!(f, "{} to {}", tidy(from), tidy(to)),
            (Some(from), None) => write!(f, "at least {}", tidy(from)),
            (None, Some(to)) => write!(f, "at most {}", tidy(to)),
            (None, None) => f.write_str("anything"),
        }
    }
}

/// What the bands of a rule are counted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// The last deployment.
    Deploy,
    /// The last run of an action.
    Action(ActionId),
    /// A reading that says how many seconds ago it was, such as `redis.uptime_in_seconds`.
    Uptime(SeriesName),
}

/// A rule as the logic needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub id: Arc<str>,
    /// Its title on the screen.
    pub title: String,
    /// What makes it bad.
    pub when: When,
    /// How long that must be so: `for`. Zero fires on the first look.
    pub hold: Duration,
    /// How long it must be over: `keep_firing_for`. Otherwise two intervals.
    pub keep: Option<Duration>,
    /// How bad it is.
    pub severity: Severity,
    /// The priority that it proposes.
    pub priority: Priority,
    /// What missing data means.
    pub on_missing: OnMissing,
    /// Fewer events than this are too few for a ratio.
    pub min_events: u64,
    /// What is expected after the marker.
    pub bands: Vec<Band>,
    /// What the bands are counted from.
    pub marker: Option<Marker>,
    /// Rules that make this one a mere consequence while they fire.
    pub inhibited_by: Vec<Arc<str>>,
    /// Actions that may help. Never started by a rule.
    pub suggests: Vec<ActionId>,
    /// Whether it has a line of its own while it fires, whoever looks after it.
    #[serde(default)]
    pub banner: bool,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// What it means, in a sentence.
    pub summary: Option<String>,
}

impl Rule {
    /// A warning that fires on the first look; whatever else a rule may say is left unsaid.
    pub fn new(id: impl Into<Arc<str>>, title: impl Into<String>, when: When) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            when,
            hold: Duration::ZERO,
            keep: None,
            severity: Severity::Warning,
            priority: Severity::Warning.proposes(),
            on_missing: OnMissing::Hold,
            min_events: MIN_EVENTS,
            bands: Vec::new(),
            marker: None,
            inhibited_by: Vec::new(),
            suggests: Vec::new(),
            banner: false,
            runbook: None,
            summary: None,
        }
    }

    /// Whether both decide alike: an alert outlives a change of what is only said about it.
    pub fn decides_like(&self, other: &Self) -> bool {
        let of = |rule: &Self| (rule.hold, rule.keep, rule.on_missing, rule.min_events);
        self.id == other.id
            && self.when == other.when
            && self.bands == other.bands
            && self.marker == other.marker
            && of(self) == of(other)
    }

    /// Whether another rule of the name looks at the same things, if perhaps with other
    /// limits, or for another time.
    pub fn looks_like(&self, other: &Self) -> bool {
        let subjects = |rule: &Self| -> Vec<Subject> {
            rule.when.clauses.iter().map(|clause| clause.subject.clone()).collect()
        };
        self.id == other.id
            && self.when.join == other.when.join
            && subjects(self) == subjects(other)
    }

    /// What its alert needs to know, with its slowest series looked at every `interval`.
    pub fn timing(&self, interval: Duration, mode: Mode) -> Timing {
        let keep = match mode {
            Mode::Own => self.keep.unwrap_or(interval * 2),
            Mode::Prometheus(_) => self.keep.unwrap_or(Duration::ZERO),
        };
        let low_is_bad = self.when.clauses.iter().any(|clause| {
            matches!(
                clause.test,
                Test::Against(Op::Less | Op::LessOrEqual, _) | Test::Expected(Side::Below)
            )
        });
        Timing { hold: self.hold, keep, interval, on_missing: self.on_missing, low_is_bad, mode }
    }
}

/// Fewer events than this are too few for a ratio, where a rule says nothing else.
pub const MIN_EVENTS: u64 = 20;
