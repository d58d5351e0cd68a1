//! Whether everything that a window may need would work now: one finding for each thing
//! that was looked at, and the examination that they are part of.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A guarded action.
    Action,
    /// A source.
    Source,
    /// A health check.
    Check,
    /// An alert rule.
    Rule,
    /// A level of the escalation.
    Contact,
    /// A target of notifications.
    Notify,
    /// The journal and the place where it is kept.
    Journal,
    /// The terminal.
    Terminal,
}

impl Subject {
    /// All of them, in the order in which they are told where nothing else decides.
    pub const ALL: [Self; 8] = [
        Self::Action,
        Self::Source,
        Self::Check,
        Self::Rule,
        Self::Contact,
        Self::Notify,
        Self::Journal,
        Self::Terminal,
    ];

    /// The word in documents and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Source => "source",
            Self::Check => "check",
            Self::Rule => "rule",
            Self::Contact => "contact",
            Self::Notify => "notify",
            Self::Journal => "journal",
            Self::Terminal => "terminal",
        }
    }
}

/// What came of a look at one aspect of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It would work.
    Ok,
    /// It may not do what is expected of it.
    Warning,
    /// It would not work.
    Critical,
    /// It could not be found out.
    Unknown,
    /// It was not looked at, on purpose: it is switched off, or a look could do harm.
    Skipped,
}

impl Grade {
    /// The same as a verdict: what was skipped counts neither for nor against the whole.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Ok => Verdict::Ok,
            Self::Warning => Verdict::Warning,
            Self::Critical => Verdict::Critical,
            Self::Unknown => Verdict::Unknown,
            Self::Skipped => Verdict::Unjudged,
        }
    }

    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Skipped => "SKIPPED",
            other => other.verdict().word(),
        }
    }
}

/// A thing that is examined: `action/clear_cache`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Thing {
    /// What it is.
    pub subject: Subject,
    /// Its name; of a level of the escalation, its number.
    pub id: String,
}

impl Thing {
    /// The thing of that name.
    pub fn new(subject: Subject, id: impl fmt::Display) -> Self {
        Self { subject, id: id.to_string() }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.subject.word(), self.id)
    }
}

/// One finding about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    #[serde(flatten)]
    pub thing: Thing,
    /// Whether it would work.
    pub verdict: Grade,
    /// What was found, in words.
    pub what: String,
    /// What to do about it.
    pub cure: Option<String>,
    /// How long the look at it took.
    #[serde(rename = "took_ms", with = "millis")]
    pub took: Duration,
}

impl Finding {
    /// A finding without a cure, that took no time worth telling.
    pub fn new(thing: &Thing, verdict: Grade, what: impl Into<String>) -> Self {
        Self { thing: thing.clone(), verdict, what: what.into(), cure: None, took: Duration::ZERO }
    }

    /// The same with a cure.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// The same, found in that time.
    #[must_use]
    pub fn took(mut self, took: Duration) -> Self {
        self.took = took;
        self
    }
}

/// News of an examination that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The examination, counted from 1 by whoever asks for them.
    pub number: u64,
    /// Things that are examined.
    pub done: usize,
    /// Of so many.
    pub of: usize,
    /// What was found since the news before.
    pub findings: Vec<Finding>,
}

/// The most findings that are kept of an examination.
pub const MOST_FINDINGS: usize = 5_000;

/// The worst grade of several findings as a verdict; nothing to judge where there are none.
pub fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Verdict {
    Verdict::worst(findings.into_iter().map(|finding| finding.verdict.verdict()))
}

/// Puts findings in the order in which they are read: the things that are worst off first,
/// and of each the worst first. What was found in the same way stays in its order.
pub fn worst_first(findings: &mut [Finding]) {
    let mut badness: BTreeMap<Thing, u8> = BTreeMap::new();
    for finding in findings.iter() {
        let found = finding.verdict.verdict().badness();
        let known = badness.entry(finding.thing.clone()).or_default();
        *known = found.max(*known);
    }
    findings.sort_by_cached_key(|finding| {
        let of_thing = badness.get(&finding.thing).copied().unwrap_or_default();
        let own = finding.verdict.verdict().badness();
        (u8::MAX - of_thing, finding.thing.clone(), u8::MAX - own)
    });
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worst_off_comes_first_with_all_that_is_known_of_it() {
        let thing = |subject, id: &str| Thing::new(subject, id);
        let (api, clear) = (thing(Subject::Source, "api"), thing(Subject::Action, "clear"));
        let mail = thing(Subject::Contact, "1");
        let mut findings = vec![
            Finding::new(&api, Grade::Ok, "answers"),
            Finding::new(&mail, Grade::Skipped, "off"),
            Finding::new(&clear, Grade::Warning, "never drilled"),
            Finding::new(&api, Grade::Critical, "expires"),
        ];
        worst_first(&mut findings);
        let order: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(order, ["expires", "answers", "never drilled", "off"]);
        assert_eq!(worst(&findings), Verdict::Critical);
        assert_eq!(worst(&findings[3..]), Verdict::Unjudged, "what is skipped counts for nothing");
    }

    #[test]
    fn a_finding_is_flat_in_documents() {
        let thing = Thing::new(Subject::Action, "clear");
        let finding = Finding::new(&thing, Grade::Skipped, "off")
            .cure("set X")
            .took(Duration::from_micros(1_900));
        let text = serde_json::to_value(&finding).unwrap();
        let expected = serde_json::json!({
            "subject": "action", "id": "clear", "verdict": "skipped", "what": "off",
            "cure": "set X", "took_ms": 1,
        });
        assert_eq!(text, expected);
        let back: Finding = serde_json::from_value(text).unwrap();
        assert_eq!(back.thing, finding.thing);
    }
}
