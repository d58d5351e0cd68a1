//! What a figure measures, so that a ratio is never compared with milliseconds.

use super::expression::{Function, SeriesName, Subject};
use crate::domain::cursor::Suffix;

/// What a figure measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing is known about it: a number, a text, yes or no.
    Unknown,
    /// A length of time in milliseconds.
    Milliseconds,
    /// A length of time in seconds.
    Seconds,
    /// Memory.
    Bytes,
    /// A share of one.
    Ratio,
    /// A number of events.
    Count,
}

/// What a subject measures.
pub fn of(subject: &Subject) -> Unit {
    match subject {
        Subject::Latest(series) => of_series(series),
        Subject::Window(Function::Count | Function::Increase, ..) | Subject::CountOf(..) => {
            Unit::Count
        }
        Subject::Window(_, series, _) => match of_series(series) {
            // A percentile or a mean is a number, whatever it is of.
            Unit::Unknown => Unit::Unknown,
            unit => unit,
        },
        Subject::ShareOf(..)
        | Subject::Ratio { .. }
        | Subject::Used { .. }
        | Subject::Part { .. }
        | Subject::Change(..) => Unit::Ratio,
        Subject::Age(_) | Subject::Absent(..) => Unit::Seconds,
        Subject::Spike(_) => Unit::Count,
    }
}

/// What a reading measures, by the end of its name, as the readings of the built-in
/// sources are named.
pub fn of_series(series: &SeriesName) -> Unit {
    let name = series.reading.as_ref();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&["_ms"]) {
        Unit::Milliseconds
    } else if ends(&["_seconds", "_secs"]) {
        Unit::Seconds
    } else if ends(&["_bytes"]) || matches!(name, "used_memory" | "used_memory_rss" | "maxmemory") {
        Unit::Bytes
    } else if ends(&["_ratio"]) {
        Unit::Ratio
    } else {
        Unit::Unknown
    }
}

impl Unit {
    /// Whether only numbers make sense.
    pub fn is_number(self) -> bool {
        self != Self::Unknown
    }

    /// In words, for a message.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "a value",
            Self::Milliseconds | Self::Seconds => "a length of time",
            Self::Bytes => "an amount of memory",
            Self::Ratio => "a ratio",
            Self::Count => "a number of events",
        }
    }

    /// The constant in this unit.
    ///
    /// # Errors
    /// Where it measures something else, in words with what would be right.
    pub(in crate::domain) fn constant(self, number: f64, suffix: Suffix) -> Result<f64, String> {
        match (self, suffix) {
            (Self::Unknown, _) | (_, Suffix::Bare) if self != Self::Ratio => Ok(number),
            (Self::Milliseconds, Suffix::Time)
            | (Self::Bytes, Suffix::Bytes)
            | (Self::Ratio, Suffix::Percent) => Ok(number),
            (Self::Seconds, Suffix::Time) => Ok(number / 1_000.0),
            (Self::Ratio, Suffix::Bare) if number.abs() <= 1.0 => Ok(number),
            (Self::Ratio, Suffix::Bare) => {
                Err(format!("a ratio is a share of one; write {number}%"))
            }
            (unit, suffix) => Err(format!(
                "{} cannot be compared with {}; write {}",
                unit.words(),
                measured(suffix),
                unit.example()
            )),
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Unknown => "a number",
            Self::Milliseconds | Self::Seconds => "200ms, 5s or 30m",
            Self::Bytes => "500MB or 2GB",
            Self::Ratio => "70% or 0.7",
            Self::Count => "a plain number",
        }
    }
}

fn measured(suffix: Suffix) -> &'static str {
    match suffix {
        Suffix::Bare => "a number",
        Suffix::Time => "a length of time",
        Suffix::Percent => "a share",
        Suffix::Bytes => "an amount of memory",
    }
}
