//! Series as the unit tests of Prometheus write them: `0+10x5 _x3 stale`.
//!
//! * `a` is one value; `NaN`, `Inf` and `-Inf` are values too
//! * `axn` is `a` and then `n` more of it
//! * `a+bxn` and `a-bxn` are `a` and then `n` more, each `b` more or less than the one before
//! * `_` is a missing value, `_xn` are `n` of them
//! * `stale` says that the series ends there
//!
//! Services also report words and yes or no, which Prometheus does not know: `true`, `false`
//! and `"text"`, each with `xn` for `n` more of it.
//!
//! Source: "Unit testing for rules" in the documentation of Prometheus.

use std::sync::Arc;

use super::series::Point;
use crate::domain::value::Value;

/// The most values that one series may have.
pub const LONGEST: usize = 100_000;

/// Why a series cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotationError {
    /// What is wrong, and what would be right.
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

/// Reads a series; none stands for a missing value.
///
/// # Errors
/// Says what is wrong and where.
pub fn parse(text: &str) -> Result<Vec<Option<Point>>, NotationError> {
    let mut out = Vec::new();
    let mut at = 0;
    for token in text.split_whitespace() {
        // The tokens are parts of the text, in order: each is found after the one before.
        let offset = text[at..].find(token).map_or(at, |found| at + found);
        at = offset + token.len();
        let before = out.len();
        let fail = |message: String| NotationError { message, offset };
        let room = LONGEST - before;
        match values(token).map_err(fail)? {
            Some(run) if run.len() <= room => out.extend(run.into_points()),
            Some(_) => {
                return Err(NotationError {
                    message: format!("a series has at most {LONGEST} values"),
                    offset,
                });
            }
            None => {
                let message = format!(
                    "{token:?} is no value of a series; write 5, 5x3, 0+10x5, _ , _x3, NaN, stale, \
                     true or \"text\""
                );
                return Err(NotationError { message, offset });
            }
        }
    }
    Ok(out)
}

/// A value and what comes of it.
struct Run {
    first: Option<Point>,
    /// How much each value is more than the one before; none for what is no number.
    step: Option<f64>,
    values: usize,
}

impl Run {
    fn len(&self) -> usize {
        self.values
    }

    fn into_points(self) -> impl Iterator<Item = Option<Point>> {
        // Only a number has a next one.
        let start = self.step.and_then(|_| self.first.as_ref()?.as_float());
        let mut value = start.unwrap_or(0.0);
        (0..self.values).map(move |_| {
            let point = match start {
                Some(_) => Some(Point::from_float(value)),
                None => self.first.clone(),
            };
            // Added up one by one, as Prometheus does it, so that the last digits agree.
            value += self.step.unwrap_or(0.0);
            point
        })
    }
}

fn values(token: &str) -> Result<Option<Run>, String> {
    if let Some((value, rest)) = word(token) {
        let values = match rest.strip_prefix('x') {
            Some(times) => repeats(times)? + 1,
            None if rest.is_empty() => 1,
            None => return Ok(None),
        };
        return Ok(Some(Run { first: Some(Point::Value(value)), step: None, values }));
    }
    for (word, first) in [("_", None), ("stale", Some(Point::Gone))] {
        if let Some(rest) = token.strip_prefix(word) {
            let values = match rest.strip_prefix('x') {
                Some(times) => repeats(times)?,
                None if rest.is_empty() => 1,
                None => return Ok(None),
            };
            return Ok(Some(Run { first, step: None, values }));
        }
    }
    let Some((first, rest)) = number(token) else { return Ok(None) };
    let written = &token[..token.len() - rest.len()];
    let named = written.contains(['n', 'N']);
    if named && !rest.is_empty() {
        // Prometheus reads NaNx3 as a name; what it would mean is not said anywhere.
        return Err(format!("{written} cannot be repeated; write {written} {written}"));
    }
    if !named && first.is_infinite() {
        return Err(format!("{written} is too large for a number; write Inf where that is meant"));
    }
    let first = Some(Point::from_float(first));
    if rest.is_empty() {
        return Ok(Some(Run { first, step: Some(0.0), values: 1 }));
    }
    let (step, rest) = match rest.strip_prefix('x') {
        Some(_) => (0.0, rest),
        None => match number(rest) {
            Some((step, _)) if !step.is_finite() => {
                return Err("a step is a number".to_owned());
            }
            Some((step, after)) if rest.starts_with(['+', '-']) => (step, after),
            _ => return Ok(None),
        },
    };
    match rest.strip_prefix('x') {
        Some(times) => Ok(Some(Run { first, step: Some(step), values: repeats(times)? + 1 })),
        None => Ok(None),
    }
}

fn repeats(times: &str) -> Result<usize, String> {
    match times.parse::<usize>() {
        Ok(times) if times < LONGEST => Ok(times),
        Ok(_) => Err(format!("a series has at most {LONGEST} values")),
        Err(_) => Err(format!("after x comes how often, not {times:?}")),
    }
}

/// Yes, no or a quoted text without spaces at the start of a token, and what follows it.
fn word(token: &str) -> Option<(Value, &str)> {
    if let Some((text, rest)) = token.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        return Some((Value::Text(Arc::from(text)), rest));
    }
    [("true", true), ("false", false)]
        .into_iter()
        .find_map(|(word, yes)| Some((Value::Bool(yes), token.strip_prefix(word)?)))
}

/// The number at the start of a text, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    for (word, value) in [("nan", f64::NAN), ("inf", f64::INFINITY)] {
        if let Some(start) = unsigned.get(..word.len())
            && start.eq_ignore_ascii_case(word)
        {
            return Some((sign * value, &unsigned[word.len()..]));
        }
    }
    let mut end =
        unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(unsigned.len());
    if let Some(exponent) = unsigned[end..].strip_prefix(['e', 'E']) {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if count > 0 {
            end += 1 + (exponent.len() - digits.len()) + count;
        }
    }
    let value: f64 = unsigned[..end].parse().ok()?;
    Some((sign * value, &unsigned[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let points = parse(text).unwrap();
        let words: Vec<String> = points
            .iter()
            .map(|point| match point {
                None => "_".to_owned(),
                Some(Point::Gone) => "stale".to_owned(),
                Some(Point::Value(Value::Number(number))) => number.to_string(),
                Some(Point::Value(value)) => value.to_string(),
                Some(point) => point.as_float().map_or("?".to_owned(), |f| f.to_string()),
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn the_notation_of_prometheus() {
        let cases = [
            ("", ""),
            ("1 2 -3.5", "1 2 -3.5"),
            ("1x4", "1 1 1 1 1"),
            ("-2+4x3", "-2 2 6 10"),
            ("1-2x4", "1 -1 -3 -5 -7"),
            ("0+10x5 _x3 stale", "0 10 20 30 40 50 _ _ _ stale"),
            ("_ 1 _", "_ 1 _"),
            ("1e2x1 1e+1+1x2 2.5E-1", "100 100 10 11 12 0.25"),
            ("NaN Inf -Inf +inf", "NaN inf -inf inf"),
            ("7x0", "7"),
            ("true falsex1 1", "yes no no 1"),
            ("\"on\"x1 \"1\"", "on on 1"),
            ("stalex2 _x0", "stale stale"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_series_is_said_with_its_place() {
        let cases = [
            ("1 two", 2),
            ("1 2 3y", 4),
            ("1+x3", 0),
            ("1x", 0),
            ("5x-1", 0),
            ("1x999999", 0),
            ("_3", 0),
            ("\"a b\"", 0),
            ("1 \"on", 2),
            ("true+1x2", 0),
            ("1 NaNx3", 2),
            ("-Infx2", 0),
            ("NaN+1x2", 0),
            ("0+NaNx2", 0),
            ("1 1e400", 2),
            ("0-1e999x3", 0),
        ];
        for (text, offset) in cases {
            assert_eq!(parse(text).unwrap_err().offset, offset, "{text}");
        }
        assert!(parse("0x99999 1").is_err(), "too many in the sum");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-+0-9x_.eENnaAstlI ]{0,30}|.{0,40}") {
            let _ = parse(&text);
        }
    }
}
