//! What a log says, as far as it can be judged: how bad an entry is, and whether it is one of
//! those that are looked for.

use std::{ops::Range, sync::Arc};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::observation::LogEntry;

/// Levels that are errors, in small letters.
const ERRORS: [&str; 10] =
    ["error", "err", "fatal", "crit", "critical", "alert", "emerg", "emergency", "panic", "severe"];

/// Levels that are warnings, in small letters.
const WARNINGS: [&str; 2] = ["warn", "warning"];

/// Levels as pino and bunyan number them.
const NUMBERED: [(f64, &str); 6] = [
    (60.0, "fatal"),
    (50.0, "error"),
    (40.0, "warn"),
    (30.0, "info"),
    (20.0, "debug"),
    (10.0, "trace"),
];

/// How large a compiled pattern may be, bytes: a pattern that is typed must not stop the keys.
const LARGEST_PATTERN: usize = 512 << 10;

/// How bad an entry is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Anything else, and entries that do not say.
    #[default]
    Other,
    /// A warning.
    Warning,
    /// An error, or worse.
    Error,
}

impl Severity {
    /// Of a level as it is written.
    pub fn of(level: Option<&str>) -> Self {
        let Some(level) = level else { return Self::Other };
        let level = level.trim().to_ascii_lowercase();
        let named = numbered(&level).unwrap_or(level.as_str());
        match named {
            named if ERRORS.contains(&named) => Self::Error,
            named if WARNINGS.contains(&named) => Self::Warning,
            _ => Self::Other,
        }
    }

    /// The least that is still shown, in words.
    pub fn from_here(self) -> &'static str {
        match self {
            Self::Other => "every level",
            Self::Warning => "warnings and errors",
            Self::Error => "errors only",
        }
    }

    /// The next one, from all to errors and round again.
    #[must_use]
    pub fn narrower(self) -> Self {
        match self {
            Self::Other => Self::Warning,
            Self::Warning => Self::Error,
            Self::Error => Self::Other,
        }
    }
}

/// The name of a level that is a number.
fn numbered(level: &str) -> Option<&'static str> {
    let number: f64 = level.parse().ok()?;
    NUMBERED.iter().find(|(from, _)| number >= *from).map(|(_, name)| *name)
}

impl LogEntry {
    /// How bad it is: a request that failed is, whatever level it was written with.
    pub fn severity(&self) -> Severity {
        if self.failed { Severity::Error } else { Severity::of(self.level.as_deref()) }
    }

    /// Its level in words; numbers get their usual name.
    pub fn level_word(&self) -> &str {
        self.level.as_deref().map_or("", |level| numbered(level.trim()).unwrap_or(level))
    }

    /// Roughly how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len() + 16);
        let fields = self.fields.iter().map(|(name, value)| name.len() + value.len() + 56);
        size_of::<Self>()
            + text(&self.service)
            + text(&self.level)
            + self.message.len()
            + fields.sum::<usize>()
    }

    /// Writes it as one line: what a pattern looks at, and what is copied.
    pub fn write(&self, out: &mut String) {
        for part in [self.service.as_deref(), self.level.as_deref(), Some(&*self.message)] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                separated(out);
                out.push_str(part);
            }
        }
        for (name, value) in &self.fields {
            separated(out);
            out.push_str(name);
            out.push('=');
            out.push_str(value);
        }
    }
}

fn separated(out: &mut String) {
    if !out.is_empty() {
        out.push(' ');
    }
}

/// What is looked for in a log: a regular expression in which case does not matter.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    inverse: bool,
}

impl Pattern {
    /// Reads a pattern; nothing where the text is empty.
    ///
    /// # Errors
    /// It is not a regular expression, with the reason in a few words.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let regex = RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(LARGEST_PATTERN)
            .dfa_size_limit(LARGEST_PATTERN)
            .build();
        match regex {
            Ok(regex) => Ok(Some(Self { regex, inverse: false })),
            Err(error) => Err(why(&error)),
        }
    }

    /// The same; a leading `!` turns it round.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn filter(text: &str) -> Result<Option<Self>, String> {
        let (inverse, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        Ok(Self::parse(rest)?.map(|pattern| Self { inverse, ..pattern }))
    }

    /// Whether a text is one of those that are looked for.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text) != self.inverse
    }

    /// Where in the text it is found.
    pub fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }
}

/// The last line of the message says what is wrong; those before it draw a picture.
fn why(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").trim().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_name_and_by_number() {
        let table = [
            (Some("ERROR"), Severity::Error),
            (Some(" fatal "), Severity::Error),
            (Some("50"), Severity::Error),
            (Some("60.0"), Severity::Error),
            (Some("Warn"), Severity::Warning),
            (Some("40"), Severity::Warning),
            (Some("info"), Severity::Other),
            (Some("30"), Severity::Other),
            (Some("errors"), Severity::Other),
            (Some("NaN"), Severity::Other),
            (None, Severity::Other),
        ];
        for (level, expected) in table {
            assert_eq!(Severity::of(level), expected, "{level:?}");
        }
    }

    #[test]
    fn a_bad_pattern_says_why_in_one_line() {
        assert_eq!(Pattern::parse("a(b").err().as_deref(), Some("unclosed group"));
        assert!(Pattern::parse("*").is_err_and(|why| why.contains("repetition operator")));
        assert_eq!(Pattern::parse(r"(\w{90}){90}").err().as_deref(), Some("it is too large"));
        assert!(Pattern::parse("").is_ok_and(|none| none.is_none()));
        assert!(Pattern::filter("!").is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn a_filter_can_be_turned_round_and_a_search_cannot() {
        let found = |pattern: Option<Pattern>, text| pattern.is_some_and(|of| of.matches(text));
        let filter = |text| Pattern::filter(text).unwrap();
        assert!(found(filter("TIME.?out"), "a Timeout"));
        assert!(!found(filter("!timeout"), "a Timeout"));
        assert!(found(filter("!timeout"), "well"));
        assert!(found(Pattern::parse("!important").unwrap(), "very !important"));
        let pattern = Pattern::parse("o").unwrap().unwrap();
        assert_eq!(pattern.places("foo").collect::<Vec<_>>(), [1..2, 2..3]);
        assert_eq!(Pattern::parse("x*").unwrap().unwrap().places("foo").count(), 0);
    }
}
