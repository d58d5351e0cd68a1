//! Lengths of time, shares, sizes, statuses, JSONPaths.

use std::time::Duration;

use serde_json_path::JsonPath;

use super::{Cx, Path};
use crate::config::{
    profile::StatusRange,
    raw::value::{DurationText, PathText, Share, SizeText, StatusText},
};

/// A year: nothing that is configured takes longer.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads `1m 30s`. A day, as in `7d`, is 24 hours.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
    let hours = days.map(|days| format!("{}h", u32::from(days) * 24));
    let text = hours.as_deref().unwrap_or(text);
    let signed: jiff::SignedDuration = text.trim().parse().map_err(|_| {
        if text.trim().chars().all(|c| c.is_ascii_digit()) && !text.trim().is_empty() {
            format!("{text:?} has no unit")
        } else {
            format!("{text:?} is not a length of time")
        }
    })?;
    let duration = Duration::try_from(signed).map_err(|_| format!("{text:?} is negative"))?;
    if duration > LONGEST {
        return Err(format!("{text:?} is longer than a year"));
    }
    Ok(duration)
}

/// Reads `1MB`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let trimmed = text.trim();
    let found = UNITS.iter().find_map(|(unit, factor)| {
        let number: u64 = trimmed.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*factor)
    });
    found.ok_or_else(|| format!("{text:?} is not a size"))
}

/// `5s`, `1m 30s`: as one would write it.
pub fn written(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |signed| format!("{signed:#}"))
}

impl Cx<'_> {
    /// A length of time that may be zero.
    pub fn duration_or_zero(&mut self, path: &Path, text: &DurationText) -> Option<Duration> {
        match parse_duration(&text.0) {
            Ok(duration) => Some(duration),
            Err(why) => {
                let cure = "a number and ms, s, m or h, such as \"500ms\" or \"1m 30s\"";
                self.error(path, why, cure);
                None
            }
        }
    }

    /// A length of time that is not zero.
    pub fn duration(&mut self, path: &Path, text: &DurationText) -> Option<Duration> {
        let duration = self.duration_or_zero(path, text)?;
        if duration.is_zero() {
            self.error(
                path,
                format!("`{path}` cannot be zero"),
                "write a length of time, such as \"5s\"",
            );
            return None;
        }
        Some(duration)
    }

    /// A length of time that may be left out. The outer None is an error.
    pub fn maybe_duration(
        &mut self,
        path: &Path,
        text: Option<&DurationText>,
    ) -> Option<Option<Duration>> {
        match text {
            Some(text) => self.duration(path, text).map(Some),
            None => Some(None),
        }
    }

    /// A share from 0 to 1.
    pub fn share(&mut self, path: &Path, share: &Share) -> Option<f64> {
        let value = match share {
            Share::Number(number) => Some(*number),
            Share::Text(text) => text
                .trim()
                .strip_suffix('%')
                .and_then(|number| number.trim().parse::<f64>().ok())
                .map(|percent| percent / 100.0),
        };
        match value {
            Some(value) if (0.0..=1.0).contains(&value) => Some(value),
            Some(value) if matches!(share, Share::Number(_)) && (1.0..=100.0).contains(&value) => {
                self.error(
                    path,
                    format!("`{path}` = {value} is more than all"),
                    format!("did you mean \"{value}%\"?"),
                );
                None
            }
            _ => {
                self.error(
                    path,
                    format!("`{path}` is not a share"),
                    "from 0 to 1, or \"0%\" to \"100%\"",
                );
                None
            }
        }
    }

    /// A share that may be left out. The outer None is an error.
    pub fn maybe_share(&mut self, path: &Path, share: Option<&Share>) -> Option<Option<f64>> {
        match share {
            Some(share) => self.share(path, share).map(Some),
            None => Some(None),
        }
    }

    /// A size from one kilobyte to 64 MiB.
    pub fn body_size(&mut self, path: &Path, text: &SizeText) -> Option<u64> {
        match parse_size(&text.0) {
            Ok(size) if (1_000..=64 << 20).contains(&size) => Some(size),
            Ok(_) => {
                self.error(
                    path,
                    format!("`{path}` cannot be {:?}", text.0),
                    "from \"1kB\" to \"64MiB\"",
                );
                None
            }
            Err(why) => {
                self.error(path, why, "a number and B, kB, MB, KiB or MiB, such as \"1MB\"");
                None
            }
        }
    }

    /// Statuses.
    pub fn statuses(&mut self, path: &Path, written: &[StatusText]) -> Option<Vec<StatusRange>> {
        if written.is_empty() {
            self.error(
                path,
                format!("`{path}` is empty: no answer would ever be accepted"),
                "such as [\"2xx\"]",
            );
            return None;
        }
        let mut ranges = Vec::new();
        for (position, status) in written.iter().enumerate() {
            match status {
                StatusText::One(status) => ranges.push(StatusRange { from: *status, to: *status }),
                StatusText::Range(text) => match parse_range(text) {
                    Some(range) => ranges.push(range),
                    None => self.error(
                        &path.index(position),
                        format!("{text:?} is not a status"),
                        "such as 503, \"2xx\" or \"200-204\"",
                    ),
                },
            }
        }
        (ranges.len() == written.len()).then_some(ranges)
    }

    /// A JSONPath; a bare dotted path gets the `$.` that it lacks.
    pub fn json_path(&mut self, path: &Path, text: &PathText) -> Option<JsonPath> {
        let written = text.0.trim();
        let whole =
            if written.starts_with('$') { written.to_owned() } else { format!("$.{written}") };
        match JsonPath::parse(&whole) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let place =
                    self.inside(path, error.position().saturating_sub(whole.len() - written.len()));
                let message = format!("this is not a JSONPath: {}", error.message());
                let cure = "such as \"$.redis.connected\", \"$.items[0].id\" or, for keys with other characters, \"$['x-y']\"";
                self.push(super::Severity::Error, place, message, cure.to_owned());
                None
            }
        }
    }

    /// The place of one byte inside a text, where the text stands in the file just as it is;
    /// the whole text otherwise, because escapes and variables move its parts.
    pub fn inside(&self, path: &Path, offset: usize) -> super::Place {
        let place = self.place(path);
        let value = self.prepared.sound.at(path).and_then(super::Node::text);
        let text = self.prepared.texts.get(place.text).map(|text| text.text.as_str());
        let quoted = text.and_then(|text| text.get(place.start + 1..place.end.saturating_sub(1)));
        match (value, quoted) {
            (Some(value), Some(quoted)) if value == quoted && offset <= value.len() => {
                let start = place.start + 1 + offset;
                let length = value[offset..].chars().next().map_or(1, char::len_utf8);
                super::Place { text: place.text, start, end: start + length }
            }
            _ => place,
        }
    }
}

pub(super) fn parse_range(text: &str) -> Option<StatusRange> {
    let text = text.trim();
    let (from, to) = match text.split_once('-') {
        Some((from, to)) => (from.trim().parse().ok()?, to.trim().parse().ok()?),
        None => match text.strip_suffix("xx") {
            Some(class) => {
                let class: u16 = class.parse().ok()?;
                (class.checked_mul(100)?, class.checked_mul(100)?.checked_add(99)?)
            }
            None => (text.parse().ok()?, text.parse().ok()?),
        },
    };
    (100 <= from && from <= to && to <= 599).then_some(StatusRange { from, to })
}
