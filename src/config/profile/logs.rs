//! Logs that are followed, and what is read from their lines.

use std::{path::PathBuf, time::Duration};

use jiff::tz::TimeZone;
use regex::Regex;

use super::Program;
use crate::domain::time::short_duration;

/// A log.
#[derive(Clone, Debug)]
pub struct LogsSource {
    /// Where it comes from.
    pub from: LogOrigin,
    /// The lengths of time that the readings are about; never empty.
    pub windows: Vec<Duration>,
    /// The message of an entry that is a finished request.
    pub request: String,
    /// Where an entry says what.
    pub fields: LogFields,
    /// Requests that do not count.
    pub exclude: LogExclude,
    /// Fields that are never kept.
    pub drop: Vec<String>,
    /// The zone of times that name none.
    pub zone: TimeZone,
}

/// Where a log comes from.
#[derive(Clone, Debug)]
pub enum LogOrigin {
    /// A file that grows.
    File(PathBuf),
    /// A program that goes on printing.
    Command {
        /// What is run; `{since}` and `{since_unix}` in its arguments stand for the time
        /// from which it is to print.
        program: Program,
        /// Started anew where it prints nothing for this long.
        silent_after: Duration,
    },
}

/// The names of the fields of an entry; dots lead into objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFields {
    /// When it was written.
    pub time: String,
    /// How bad it is.
    pub level: String,
    /// What happened.
    pub message: String,
    /// The HTTP status of a request.
    pub status: String,
    /// How long it took, milliseconds.
    pub duration: String,
    /// What was asked for.
    pub path: String,
    /// What it can be found by elsewhere.
    pub trace: String,
    /// Who asked: the `User-Agent` of a request.
    pub agent: String,
}

/// Requests that do not count, such as the console's own: those that match any of these.
#[derive(Clone, Debug, Default)]
pub struct LogExclude {
    /// By what was asked for, without the query.
    pub path: Option<Regex>,
    /// By who asked.
    pub agent: Option<Regex>,
}

impl LogsSource {
    /// Where it comes from, in words.
    pub fn shown(&self) -> String {
        match &self.from {
            LogOrigin::File(file) => file.display().to_string(),
            LogOrigin::Command { program, .. } => program.shown(),
        }
    }

    /// What stands behind the names of the readings about a window: nothing for the first,
    /// `_1h` for a further one of an hour.
    pub fn suffix(position: usize, window: Duration) -> String {
        if position == 0 { String::new() } else { format!("_{}", short_duration(window)) }
    }
}
