//! Conditions, and the readings they name.

use super::{
    Cx, Path, Severity,
    known::{Answer, Known},
};
use crate::{
    config::{nearest::suggestion, raw::value::ConditionText},
    domain::{
        condition::{Condition, Operand},
        ids::{ReadingName, SourceId},
    },
};

/// Where a condition stands, and so what it may name.
#[derive(Clone, Copy)]
pub enum Setting<'a> {
    /// In something that reads one source: a bare name is a reading of it.
    Of(&'a str),
    /// In something that has no source of its own: every reading is written with its source.
    Anywhere,
    /// In the proof of an action, whose answer has these readings.
    Proof(&'a Known),
    /// In a step of a sequence, whose own answer has these readings: bare names, or `result.`.
    Step(&'a Known),
}

impl Cx<'_> {
    /// Conditions; the faulty ones are reported and left out.
    pub fn conditions(
        &mut self,
        path: &Path,
        written: &[ConditionText],
        setting: Setting<'_>,
    ) -> Vec<Condition> {
        let mut out = Vec::new();
        for (position, text) in written.iter().enumerate() {
            out.extend(self.condition(&path.index(position), &text.0, setting));
        }
        out
    }

    fn condition(&mut self, path: &Path, text: &str, setting: Setting<'_>) -> Option<Condition> {
        let condition = match Condition::parse(text) {
            Ok(condition) => condition,
            Err(error) => {
                let place = self.inside(path, error.offset);
                let cure = "a condition is reading, comparison, value: total_ms > 100ms, state in [\"a\", \"b\"], up == false";
                self.push(Severity::Error, place, error.message, cure.to_owned());
                return None;
            }
        };
        let offset = condition.source.as_ref().map_or(0, |source| source.len() + 1);
        let named = match (condition.source.as_deref(), setting) {
            (Some("result"), Setting::Proof(result)) => self.reading_in(
                path,
                offset,
                &condition.reading,
                result,
                "the answer of the action",
            ),
            (None | Some("result"), Setting::Step(result)) => {
                self.reading_in(path, offset, &condition.reading, result, "the answer of the step")
            }
            (Some(source), Setting::Step(_)) => {
                let cure = format!("write {}; sources belong into the proof", condition.reading);
                let message =
                    format!("`{source}.{}`: a step only has its own answer", condition.reading);
                self.error(path, message, cure);
                false
            }
            (Some(source), _) => {
                self.refers(path, "source", source, "source")
                    && self.reading_at(path, offset, source, &condition.reading)
            }
            (None, Setting::Of(source)) => self.reading_at(path, 0, source, &condition.reading),
            (None, Setting::Anywhere | Setting::Proof(_)) => {
                let cure = format!("write SOURCE.{}", condition.reading);
                self.error(
                    path,
                    format!("`{}` does not say of which source", condition.reading),
                    cure,
                );
                false
            }
        };
        let before = matches!(condition.operand, Operand::Before(_));
        if before && !matches!(setting, Setting::Proof(_)) {
            self.error(
                path,
                "`before` is the value before an action: it only exists in a proof",
                "compare with a constant",
            );
            return None;
        }
        named.then_some(condition)
    }

    /// Whether the source has the reading, so far as can be known.
    pub fn reading_of(&mut self, path: &Path, source: &str, name: &str) -> Option<ReadingName> {
        self.reading_at(path, 0, source, name).then(|| ReadingName::from(name))
    }

    /// A reading that may be left out.
    pub fn maybe_reading(
        &mut self,
        path: &Path,
        source: &str,
        name: Option<&str>,
    ) -> Option<ReadingName> {
        self.reading_of(path, source, name?)
    }

    /// The same for a name that stands `offset` bytes into the text at `path`.
    pub fn reading_at(&mut self, path: &Path, offset: usize, source: &str, name: &str) -> bool {
        // A source that is itself faulty has been reported; what it would have is not known.
        let Some(known) = self.known.get(&SourceId::from(source)).cloned() else { return true };
        self.reading_in(path, offset, name, &known, &format!("source `{source}`"))
    }

    fn reading_in(
        &mut self,
        path: &Path,
        offset: usize,
        name: &str,
        known: &Known,
        whose: &str,
    ) -> bool {
        let place = super::Place {
            end: self.inside(path, offset).start + name.len(),
            ..self.inside(path, offset)
        };
        let whole = self.place(path);
        let place = if place.end <= whole.end { place } else { whole };
        match known.has(name) {
            Answer::Yes => true,
            Answer::Perhaps => {
                let message =
                    format!("{whose} has no reading `{name}` that is known before it is asked");
                let cure = "if the server has it, all is well; if not, the verdict will be unknown";
                self.push(Severity::Warning, place, message, cure.to_owned());
                true
            }
            Answer::No => {
                let cure = suggestion(name, known.names(), "readings");
                self.push(Severity::Error, place, format!("{whose} has no reading `{name}`"), cure);
                false
            }
        }
    }
}
