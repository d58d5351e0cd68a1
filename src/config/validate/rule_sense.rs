//! Rules that can be read, and mean something else than they seem to.

use std::time::Duration;

use super::{
    Cx, Path,
    value::{parse_range, written},
};
use crate::{
    config::{
        profile::StatusRange,
        raw::{RawConfig, source::RawSource, value::StatusText},
    },
    domain::{
        condition::{Op, compare},
        rule::{Clause, Function, Rule, SeriesName, Subject, Test},
        value::Value,
    },
};

impl Cx<'_> {
    /// Refuses comparisons that are never true, and silences that are shorter than a look.
    pub(super) fn rule_makes_sense(
        &mut self,
        path: &Path,
        rule: &Rule,
        raw: &RawConfig,
        interval: Duration,
    ) {
        let path = path.key("when");
        for clause in &rule.when.clauses {
            if let Subject::Absent(name, window) = &clause.subject
                && *window < interval * 2
            {
                let message = format!(
                    "absent({name}, {}) would fire between two looks, which are {} apart",
                    written(*window),
                    written(interval)
                );
                self.error(&path, message, format!("write {} or more", written(interval * 2)));
            }
            let Some((name, op, constant)) = compared(clause) else { continue };
            if let Some((message, cure)) = of_up(&clause.subject, name, constant) {
                self.error(&path, format!("this can never fire: {message}"), cure);
            } else if let Some(message) = of_refused(raw, name, op, constant) {
                let cure = format!(
                    "write {}.up == false: it says that the answer was refused",
                    name.source
                );
                self.error(&path, format!("this can never fire: {message}"), cure);
            }
        }
        for clause in &rule.when.clauses {
            if let Subject::Window(function, name, _) = &clause.subject
                && name.reading.as_ref() == UP
                && *function != Function::Count
            {
                let cure = format!(
                    "write share({name} == false, 5m) > 1% or count({name} == false, 5m) > 3"
                );
                self.error(
                    &path,
                    format!("this can never fire: {name} is yes or no, no number"),
                    cure,
                );
            }
        }
    }
}

/// The reading that every source has, which is yes or no.
const UP: &str = "up";

/// The values of a series that are compared one by one, and with what.
fn compared(clause: &Clause) -> Option<(&SeriesName, Op, &Value)> {
    match (&clause.subject, &clause.test) {
        (Subject::Latest(name), Test::Against(op, constant)) => Some((name, *op, constant)),
        (Subject::CountOf(passing, _) | Subject::ShareOf(passing, _), _) => {
            Some((&passing.series, passing.op, &passing.constant))
        }
        _ => None,
    }
}

/// Why a comparison of `up` is never true.
fn of_up(subject: &Subject, name: &SeriesName, constant: &Value) -> Option<(String, String)> {
    if name.reading.as_ref() != UP || matches!(constant, Value::Bool(_)) {
        return None;
    }
    let cure = match subject {
        Subject::ShareOf(..) => format!("write share({name} == false, 5m) > 1%"),
        _ => format!("write {name} == false"),
    };
    Some((format!("{name} is yes or no, and {constant} is neither"), cure))
}

/// Why a comparison of an HTTP status is never true: an answer whose status is not accepted
/// is a failure, and has no readings.
fn of_refused(raw: &RawConfig, name: &SeriesName, op: Op, constant: &Value) -> Option<String> {
    let Some(RawSource::Http(http)) = raw.source.get(name.source.as_ref()) else { return None };
    if name.reading.as_ref() != "status" || http.readings.contains_key("status") {
        return None;
    }
    let accepted: Option<Vec<StatusRange>> = http
        .accept
        .iter()
        .map(|text| match text {
            StatusText::One(status) => Some(StatusRange { from: *status, to: *status }),
            StatusText::Range(text) => parse_range(text),
        })
        .collect();
    let accepted = accepted?;
    let mut seen = (100..600).filter(|status| accepted.iter().any(|range| range.contains(*status)));
    let holds =
        |status: u16| compare(op, &Value::Number(f64::from(status)), constant) == Some(true);
    let none = !seen.any(holds);
    none.then(|| format!("only an accepted answer has {name}, and of those none passes {constant}"))
}
