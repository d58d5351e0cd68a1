//! One-line conditions on readings: `up == false`, `latency_ms > 100ms`,
//! `status in ["degraded", "critical"]`, `api.ops < before * 0.5`.
//!
//! Grammar:
//!
//! ```text
//! condition = reading op value
//! reading   = [ source "." ] name          names are lower case, [a-z0-9_]
//! op        = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in"
//! value     = number [ unit ] | "text" | true | false | [ value, … ] | before [ "*" number ]
//! unit      = "ms" | "s" | "m" | "h" | "%" | "kB" | "MB" | "GB"
//! ```
//!
//! Durations are milliseconds, `%` is a share of one, sizes are bytes. `before` is the
//! value that the same reading had before an action began.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    cursor::Cursor,
    ids::ReadingName,
    template::{Blank, Filling, Place, Template},
    value::Value,
};

/// A comparison of one reading with a constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Condition {
    /// The source, where it is not the one that the condition belongs to. `result` is
    /// the answer of the action itself.
    pub source: Option<Arc<str>>,
    /// The reading.
    pub reading: ReadingName,
    /// How it is compared.
    pub op: Op,
    /// What it is compared with.
    pub operand: Operand,
    /// As it was written.
    text: Arc<str>,
}

impl Condition {
    /// The condition with every value put in. `lookup` knows the values.
    ///
    /// # Errors
    /// A value is missing, or cannot stand in a condition.
    pub fn filled(&self, lookup: impl Fn(&Blank) -> Option<Filling>) -> Result<Self, String> {
        let template = Template::parse(&self.text).map_err(|error| error.to_string())?;
        for blank in template.blanks() {
            // A condition has no way to write a quote within quotes.
            if matches!(lookup(blank), Some(Filling::Value(value)) if value.contains('"')) {
                return Err(format!(
                    "the value for {blank} holds a quote, and a condition compares it"
                ));
            }
        }
        let text = template.fill(Place::Whole, lookup).map_err(|error| error.to_string())?;
        Self::parse(&text).map_err(|error| error.message)
    }
}

/// How a reading is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `not in`
    NotIn,
}

/// What a reading is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A constant.
    One(Value),
    /// A list of constants.
    Many(Vec<Value>),
    /// A multiple of the value before an action began.
    Before(f64),
}

/// Why a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong, and what would be right.
    pub message: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// Says what is wrong and where, counted in bytes from the start.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut cursor = Cursor::new(text);
        let first = cursor.word()?;
        let (source, reading) =
            if cursor.eat(".") { (Some(Arc::from(first)), cursor.word()?) } else { (None, first) };
        let reading: ReadingName = Arc::from(reading);
        let op = cursor.op()?;
        let operand = operand(&mut cursor)?;
        cursor.end("the condition")?;
        check_types(op, &operand, text)?;
        Ok(Self { source, reading, op, operand, text: Arc::from(text) })
    }

    /// Whether the condition holds for `value`; `before` is the reading before an action.
    /// None where it cannot be decided: a bound on the wrong side, a text where a number
    /// is needed, no value from before.
    pub fn holds(&self, value: &Value, before: Option<&Value>) -> Option<bool> {
        match &self.operand {
            Operand::One(constant) => compare(self.op, value, constant),
            Operand::Many(constants) => {
                let mut undecided = false;
                for constant in constants {
                    match compare(Op::Equal, value, constant) {
                        Some(true) => return Some(self.op == Op::In),
                        Some(false) => {}
                        None => undecided = true,
                    }
                }
                (!undecided).then_some(self.op == Op::NotIn)
            }
            // What has changed can be said of any value, a number or not.
            Operand::Before(1.0) if matches!(self.op, Op::Equal | Op::NotEqual) => {
                Some((before? == value) == (self.op == Op::Equal))
            }
            Operand::Before(factor) => {
                let before = before?.as_number()?;
                compare(self.op, value, &Value::Number(before * factor))
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text.as_ref().to_owned()
    }
}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// Whether `value op constant` holds; none where it cannot be decided.
pub(crate) fn compare(op: Op, value: &Value, constant: &Value) -> Option<bool> {
    use Op::{Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, NotEqual, NotIn};
    match (value, constant) {
        (Value::Bool(a), Value::Bool(b)) => equality(op, a == b),
        (Value::Text(a), Value::Text(b)) => equality(op, a.eq_ignore_ascii_case(b)),
        (Value::Number(a), Value::Number(b)) => Some(match op {
            Equal | In => a == b,
            NotEqual | NotIn => a != b,
            Less => a < b,
            LessOrEqual => a <= b,
            Greater => a > b,
            GreaterOrEqual => a >= b,
        }),
        // Only the bound is known: decide where it lies on the right side, else do not.
        (Value::Below(bound), Value::Number(b)) if bound <= b => match op {
            Less | LessOrEqual | NotEqual | NotIn => Some(true),
            Greater | GreaterOrEqual | Equal | In => Some(false),
        },
        (Value::AtLeast(bound), Value::Number(b)) if bound > b => match op {
            Greater | GreaterOrEqual | NotEqual | NotIn => Some(true),
            Less | LessOrEqual | Equal | In => Some(false),
        },
        _ => None,
    }
}

fn equality(op: Op, equal: bool) -> Option<bool> {
    match op {
        Op::Equal | Op::In => Some(equal),
        Op::NotEqual | Op::NotIn => Some(!equal),
        _ => None,
    }
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, ConditionError> {
    cursor.skip_space();
    if cursor.eat("before") {
        cursor.skip_space();
        let factor = if cursor.eat("*") { cursor.number()? } else { 1.0 };
        return Ok(Operand::Before(factor));
    }
    if !cursor.eat("[") {
        return cursor.constant().map(|(constant, _)| Operand::One(constant));
    }
    let mut items = vec![cursor.constant()?.0];
    loop {
        cursor.skip_space();
        if cursor.eat("]") {
            return Ok(Operand::Many(items));
        }
        if !cursor.eat(",") {
            return cursor.fail("expected , or ] in the list");
        }
        items.push(cursor.constant()?.0);
    }
}

fn check_types(op: Op, operand: &Operand, text: &str) -> Result<(), ConditionError> {
    let error =
        |message: &str| Err(ConditionError { message: message.to_owned(), offset: text.len() });
    let ordering = matches!(op, Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual);
    let listing = matches!(op, Op::In | Op::NotIn);
    match operand {
        Operand::One(Value::Bool(_) | Value::Text(_)) if ordering => {
            error("only numbers can be smaller or greater; use == or !=")
        }
        Operand::One(_) | Operand::Before(_) if listing => {
            error("`in` needs a list: [\"a\", \"b\"]")
        }
        Operand::Many(_) if !listing => error("a list can only be used with `in` or `not in`"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(Arc::from(text))
    }

    #[test]
    fn what_holds_and_what_cannot_be_decided() {
        let cases = [
            ("up == false", Value::Bool(false), Some(true)),
            ("latency_ms > 100ms", Value::Number(100.0), Some(false)),
            ("latency_ms > 100ms", Value::Number(100.1), Some(true)),
            ("latency_ms > 2s", Value::Number(1_999.0), Some(false)),
            ("ratio < 70%", Value::Number(0.7), Some(false)),
            ("ratio < 70%", Value::Number(0.699), Some(true)),
            ("used >= 1.5GB", Value::Number(1.5e9), Some(true)),
            ("status in [\"healthy\", \"ok\"]", text("OK"), Some(true)),
            ("status not in [\"healthy\", \"ok\"]", text("degraded"), Some(true)),
            ("status == \"ok\"", text("down"), Some(false)),
            ("status == \"ok\"", Value::Number(1.0), None),
            ("latency_ms < 100ms", Value::Below(10.0), Some(true)),
            ("latency_ms > 100ms", Value::Below(10.0), Some(false)),
            ("latency_ms < 5ms", Value::Below(10.0), None),
            ("latency_ms > 100ms", Value::AtLeast(3_000.0), Some(true)),
            ("latency_ms > 5s", Value::AtLeast(3_000.0), None),
            ("latency_ms > 5", text("soon"), None),
        ];
        for (condition, value, expected) in cases {
            let parsed = Condition::parse(condition).unwrap();
            assert_eq!(parsed.holds(&value, None), expected, "{condition} on {value:?}");
            assert_eq!(parsed.to_string(), condition);
        }
    }

    #[test]
    fn before_is_the_value_before_the_action() {
        let falls = Condition::parse("redis.ops < before * 0.5").unwrap();
        assert_eq!(falls.source.as_deref(), Some("redis"));
        let before = Value::Number(100.0);
        assert_eq!(falls.holds(&Value::Number(49.0), Some(&before)), Some(true));
        assert_eq!(falls.holds(&Value::Number(51.0), Some(&before)), Some(false));
        assert_eq!(falls.holds(&Value::Number(1.0), None), None);
    }

    #[test]
    fn errors_say_where_and_what_would_be_right() {
        let cases = [
            ("", 0, "expected the name of a reading"),
            ("Status == 1", 0, "expected the name of a reading"),
            ("status = 1", 7, "expected one of"),
            ("status == ", 10, "expected a number"),
            ("status == \"open", 11, "not closed"),
            ("ms > 5 parsecs", 7, "unexpected text"),
            ("ms > 5parsecs", 6, "unknown unit"),
            ("up > true", 9, "only numbers"),
            ("status in \"a\"", 13, "`in` needs a list"),
            ("status == [\"a\"]", 15, "a list can only"),
        ];
        for (condition, offset, words) in cases {
            let error = Condition::parse(condition).unwrap_err();
            assert!(error.message.contains(words), "{condition}: {}", error.message);
            assert_eq!(error.offset, offset, "{condition}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(line in ".{0,80}") {
            let _ = Condition::parse(&line);
        }
    }
}
