//! Numbers, sizes and times as text.

use jiff::{Timestamp, tz::TimeZone};

use crate::domain::{text, time::Moment, value::grouped};

/// Bytes in at most five characters and a unit: `512 B`, `1.5 MB`.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes.max(0.0);
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A count with a thousands mark: `12 345`, `1.2 M`.
pub fn count(number: f64) -> String {
    let whole = number.max(0.0).round();
    if whole >= 1e6 {
        return format!("{:.1} M", whole / 1e6);
    }
    grouped(whole as u64)
}

/// A share of one in whole percent; one decimal above 99 %, where it matters.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value > 99.0 && value < 100.0 { format!("{value:.1} %") } else { format!("{value:.0} %") }
}

/// The time of day of a moment, with its offset: `14:32:07 +01:00`, `13:32:07Z`.
pub fn time_of_day(at: Moment, utc: bool) -> String {
    if utc {
        return at.wall.strftime("%H:%M:%SZ").to_string();
    }
    at.wall.to_zoned(TimeZone::system()).strftime("%H:%M:%S %:z").to_string()
}

/// The time of day to the second, without its offset, for lists: `14:32:07`.
pub fn seconds_of_day(at: Moment, utc: bool) -> String {
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    at.wall.to_zoned(zone).strftime("%H:%M:%S").to_string()
}

/// The time of day to the millisecond, without its offset: `14:32:07.123`.
pub fn milliseconds(at: Timestamp, utc: bool) -> String {
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    at.to_zoned(zone).strftime("%H:%M:%S%.3f").to_string()
}

/// The time of day without offset or seconds, for lists: `14:32`.
pub fn hour_minute(at: Moment, utc: bool) -> String {
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    at.wall.to_zoned(zone).strftime("%H:%M").to_string()
}

/// Text cut to `width` columns, with a mark where some is missing. Wide characters count
/// as two columns.
pub fn fit(text: &str, width: usize, ellipsis: &str) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    use unicode_width::UnicodeWidthStr;
    let safe = text::safe(text);
    if safe.width() <= width {
        return safe.into_owned();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut out = String::new();
    let mut used = 0;
    for grapheme in safe.graphemes(true) {
        if used + grapheme.width() > room {
            break;
        }
        used += grapheme.width();
        out.push_str(grapheme);
    }
    if width >= ellipsis.width() {
        out.push_str(ellipsis);
    }
    out
}
