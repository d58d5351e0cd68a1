//! What is known of a log, in words.

use std::time::Duration;

use super::LogRow;
use crate::domain::{
    time::short_duration,
    value::{amount, grouped, tidy},
};

/// A log that is read less late than this is read as it comes.
const LATE: Duration = Duration::from_secs(2);

/// Lines that nobody gets to see, in words.
pub fn dropped_words(dropped: u64) -> String {
    let s = if dropped == 1 { "" } else { "s" };
    format!("{} line{s} dropped", grouped(dropped))
}

/// How far the reading of a log is behind, in words; none where it is read as it comes.
pub fn late_words(row: &LogRow) -> Option<String> {
    let late = row.late.filter(|late| *late >= LATE)?;
    let behind = amount(row.behind.unwrap_or_default());
    Some(format!("{behind}, about {} behind", short_duration(late)))
}

/// What was never read of a log, because it grows too fast, in words.
pub fn skipped_words(bytes: u64) -> String {
    format!("{} skipped", amount(bytes))
}

/// Entries a second, in words: `12/s`, `0.4/s`.
pub fn rate_words(rate: f64) -> String {
    if rate >= 10.0 {
        format!("{}/s", grouped(rate.round() as u64))
    } else {
        format!("{}/s", tidy((rate * 10.0).round() / 10.0))
    }
}

/// The figures of a log that is read.
pub(super) fn in_words(row: &LogRow) -> String {
    let over = row.window.map_or_else(String::new, |window| {
        let window = short_duration(window);
        let partly = format!("of the last {window} only");
        let known = !row.remarks.iter().any(|remark| remark.starts_with(&partly));
        if known { format!(" in {window}") } else { format!(" in what is known of {window}") }
    });
    let errors = match row.errors {
        None => "errors are not known".to_owned(),
        Some(0.0) => format!("no error{over}"),
        Some(1.0) => format!("1 error{over}"),
        Some(errors) => format!("{} errors{over}", grouped(errors.max(0.0) as u64)),
    };
    let failed = match (row.error_rate, row.requests) {
        (Some(rate), Some(requests)) if rate > 0.0 => {
            let requests = grouped(requests.max(0.0) as u64);
            format!(", {} % of {requests} requests failed", tidy((rate * 1_000.0).round() / 10.0))
        }
        _ => String::new(),
    };
    let rate = row.rate.map_or_else(String::new, |rate| format!(", {}", rate_words(rate)));
    let dropped = match row.dropped() {
        0 => String::new(),
        dropped => format!("; {}", dropped_words(dropped)),
    };
    let late = late_words(row).map_or_else(String::new, |late| format!("; {late}"));
    let skipped = match row.skipped {
        0 => String::new(),
        skipped => format!("; {}", skipped_words(skipped)),
    };
    format!("{errors}{failed}{rate}{late}{skipped}{dropped}")
}
