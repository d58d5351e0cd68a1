//! The figures of alerts in words.

use std::time::Duration;

use crate::domain::{
    condition::Op,
    rule::{Clause, Finding, Side, Subject, Test, Unit},
    time::short_duration,
    value::{Value, tidy},
};

/// `> 200 ms`, `expected at least 60 %`.
pub(super) fn threshold(clause: &Clause, unit: Unit, limit: Option<f64>) -> String {
    let number = |limit: f64| in_unit(&Value::Number(limit), unit);
    match &clause.test {
        Test::Against(op, constant) => format!("{} {}", sign(*op), in_unit(constant, unit)),
        Test::Expected(side) => {
            let sign = match side {
                Side::Below => "<",
                Side::Above => ">",
                Side::Outside => "outside",
            };
            let band = limit.map_or("expected".to_owned(), number);
            format!("{sign} {band}")
        }
        Test::Itself => limit.map(|limit| format!("> {}", number(limit))).unwrap_or_default(),
    }
}

/// Whether a clause compares a state, and no amount.
pub(super) fn is_state(clause: &Clause) -> bool {
    matches!(
        (&clause.subject, &clause.test),
        (Subject::Latest(_), Test::Against(Op::Equal | Op::NotEqual | Op::In | Op::NotIn, _))
    )
}

/// The figure of a finding against what it is compared with.
pub(super) fn measured(finding: &Finding, clause: &Clause, unit: Unit) -> Option<String> {
    let value = in_unit(finding.value.as_ref()?, unit);
    if let (Subject::Latest(name), true) = (&clause.subject, is_state(clause)) {
        return Some(format!("{} is {value}", name.reading));
    }
    let limit = finding.threshold.as_ref().and_then(Value::as_number);
    Some(match (threshold(clause, unit, limit), finding.bad) {
        (threshold, _) if threshold.is_empty() => value,
        (threshold, Some(false)) => format!("{value}, not {threshold}"),
        (threshold, _) => format!("{value} {threshold}"),
    })
}

fn sign(op: Op) -> &'static str {
    match op {
        Op::Equal | Op::In => "=",
        Op::NotEqual | Op::NotIn => "!=",
        Op::Less => "<",
        Op::LessOrEqual => "<=",
        Op::Greater => ">",
        Op::GreaterOrEqual => ">=",
    }
}

/// An amount of memory in the unit that makes it a number one can read.
fn bytes(number: f64) -> String {
    let (divisor, unit) = match number.abs() {
        ..1e3 => (1.0, "B"),
        ..1e6 => (1e3, "kB"),
        ..1e9 => (1e6, "MB"),
        ..1e12 => (1e9, "GB"),
        _ => (1e12, "TB"),
    };
    format!("{} {unit}", tidy(number / divisor))
}

/// A figure with its unit, as one reads it.
pub fn in_unit(value: &Value, unit: Unit) -> String {
    let number = match value {
        Value::Number(number) | Value::Below(number) | Value::AtLeast(number) => *number,
        Value::Bool(_) | Value::Text(_) | Value::List(_) => return value.to_string(),
    };
    let text = match unit {
        Unit::Milliseconds if number >= 10_000.0 => format!("{} s", tidy(number / 1_000.0)),
        Unit::Milliseconds => format!("{} ms", tidy(number)),
        Unit::Seconds => short_duration(Duration::from_secs(number.max(0.0) as u64)),
        Unit::Bytes => bytes(number),
        Unit::Ratio => format!("{} %", tidy(number * 100.0)),
        Unit::Count | Unit::Unknown => tidy(number),
    };
    match value {
        Value::Below(_) => format!("< {text}"),
        Value::AtLeast(_) => format!(">= {text}"),
        _ => text,
    }
}
