//! What a rule looks at and when it is bad, as written in its `when` line.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::{
    condition::{ConditionError, Op},
    value::Value,
};

/// The condition of a rule, such as `p95(cars.total_ms, 5m) > 200ms`.
///
/// ```text
/// when     = clause { "and" clause } | clause { "or" clause }
/// clause   = subject op constant | subject op "expected" | subject "outside expected"
///          | absent | spike
/// subject  = series
///          | function "(" series "," window ")"          p50 p90 p95 p99 avg min max sum count increase
///          | "count" "(" series op constant "," window ")"
///          | "share" "(" series op constant "," window ")"
///          | "ratio" "(" part "," whole "," window ")"    of two counters
///          | "ratio" "(" part "," whole ")"               of the newest values of two counts
///          | "hit_rate" "(" hits "," misses "," window ")"
///          | "used" "(" part "," limit ")"                of two gauges, their newest values
///          | "age" "(" series ")"                         the reading is a point in time
///          | "change" "(" subject "," window ")"          against the window before
/// absent   = "absent" "(" series "," window ")"
/// spike    = "spike" "(" counter ")"
/// series   = source "." reading
/// ```
///
/// Every clause is true while something is wrong. Constants are written as in a
/// [`Condition`](crate::domain::condition::Condition).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct When {
    /// At least one.
    pub clauses: Vec<Clause>,
    /// How more than one are joined.
    pub join: Join,
    /// As it was written.
    pub(super) text: Arc<str>,
}

/// How clauses are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// All must be true.
    All,
    /// Any may be true.
    Any,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// What is looked at.
    pub subject: Subject,
    /// What makes it bad.
    pub test: Test,
}

/// What makes a subject bad.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A comparison with a constant.
    Against(Op, Value),
    /// A comparison with the band that is expected at this time after the marker: below
    /// it, above it, or either.
    Expected(Side),
    /// The subject itself says yes or no.
    Itself,
}

/// On which side of the expected band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Smaller than the band.
    Below,
    /// Greater than the band.
    Above,
    /// Either.
    Outside,
}

/// What a rule looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// The newest value.
    Latest(SeriesName),
    /// A figure over the values in a window.
    Window(Function, SeriesName, Duration),
    /// How many of the values in a window pass a test.
    CountOf(Passing, Duration),
    /// Which share of the values in a window passes a test.
    ShareOf(Passing, Duration),
    /// The growth of one counter over the growth of another.
    Ratio {
        /// The part.
        part: SeriesName,
        /// The whole, or the rest: see `of_rest`.
        other: SeriesName,
        /// Whether the whole is the sum of the two, as with hits and misses.
        of_rest: bool,
        /// Over how long.
        window: Duration,
    },
    /// The newest value of one gauge over that of another: memory in use of the memory that
    /// may be used.
    Used {
        /// What is used.
        part: SeriesName,
        /// What may be used. Zero means that nothing limits it.
        limit: SeriesName,
    },
    /// The newest value of one count over that of another that it is a part of: captures that
    /// worked of all captures of a day.
    Part {
        /// How many of them.
        part: SeriesName,
        /// How many there are. Few of them say nothing.
        whole: SeriesName,
    },
    /// The time since the point in time that the newest value is, by the server's clock.
    Age(SeriesName),
    /// Whether nothing was seen for so long.
    Absent(SeriesName, Duration),
    /// The change of a figure against the window before, as a share of what it was.
    Change(Box<Subject>, Duration),
    /// Whether a counter grows far faster than usual.
    Spike(SeriesName),
}

/// Values that pass a test, such as `api.status >= 500`.
#[derive(Clone, Debug, PartialEq)]
pub struct Passing {
    /// The values.
    pub series: SeriesName,
    /// How they are compared.
    pub op: Op,
    /// With what.
    pub constant: Value,
}

/// A figure over the values in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// A percentile by nearest rank; per mille, so that it stays whole.
    Percentile(u16),
    /// The arithmetic mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum.
    Sum,
    /// How many there are.
    Count,
    /// How much a counter grew, exactly, restarts counted from zero.
    Increase,
}

/// The name of a series: `source.reading`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesName {
    /// The source; empty where none was written.
    pub source: Arc<str>,
    /// The reading.
    pub reading: Arc<str>,
}

impl When {
    /// Every series that it looks at, in the order of writing, with repetitions.
    pub fn series(&self) -> impl Iterator<Item = &SeriesName> {
        self.clauses.iter().flat_map(|clause| clause.subject.series())
    }

    /// The longest time that it looks back.
    pub fn reach(&self) -> Duration {
        self.clauses.iter().map(|clause| clause.subject.reach()).max().unwrap_or_default()
    }

    /// Whether it compares with an expected band.
    pub fn needs_bands(&self) -> bool {
        self.clauses.iter().any(|clause| matches!(clause.test, Test::Expected(_)))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Subject {
    /// The series that it looks at.
    pub fn series(&self) -> Vec<&SeriesName> {
        match self {
            Self::Latest(series)
            | Self::Window(_, series, _)
            | Self::Age(series)
            | Self::Absent(series, _)
            | Self::Spike(series) => vec![series],
            Self::CountOf(passing, _) | Self::ShareOf(passing, _) => vec![&passing.series],
            Self::Ratio { part, other, .. } => vec![part, other],
            Self::Used { part, limit } => vec![part, limit],
            Self::Part { part, whole } => vec![part, whole],
            Self::Change(inner, _) => inner.series(),
        }
    }

    /// Whether it is smaller for being taken of a part of its window.
    pub fn is_total(&self) -> bool {
        matches!(
            self,
            Self::CountOf(..)
                | Self::Window(Function::Count | Function::Sum | Function::Increase, ..)
        )
    }

    /// How far it looks back.
    pub fn reach(&self) -> Duration {
        match self {
            Self::Latest(_) | Self::Used { .. } | Self::Part { .. } | Self::Age(_) => {
                Duration::ZERO
            }
            Self::Window(_, _, window)
            | Self::CountOf(_, window)
            | Self::ShareOf(_, window)
            | Self::Absent(_, window)
            | Self::Ratio { window, .. } => *window,
            Self::Change(inner, window) => inner.reach() + *window,
            Self::Spike(_) => super::spike::REACH,
        }
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_empty() {
            f.write_str(&self.reading)
        } else {
            write!(f, "{}.{}", self.source, self.reading)
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<When> for String {
    fn from(when: When) -> Self {
        when.text.as_ref().to_owned()
    }
}

impl TryFrom<String> for When {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}
