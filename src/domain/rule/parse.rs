//! Reading the `when` line of a rule. Every error says where and what would be right.

use std::{sync::Arc, time::Duration};

use super::{
    expression::{Clause, Function, Join, Passing, SeriesName, Side, Subject, Test, When},
    unit::{self, Unit},
};
use crate::domain::{
    condition::{ConditionError, Op},
    counter::LONGEST_WINDOW,
    cursor::{Cursor, Suffix},
    time::short_duration,
    value::Value,
};

type Read<T> = Result<T, ConditionError>;

impl SeriesName {
    /// Reads the name of a series.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(text: &str) -> Read<Self> {
        let mut cursor = Cursor::new(text);
        let name = series(&mut cursor)?;
        cursor.end("the name")?;
        Ok(name)
    }
}

/// The functions of one series and a window.
const FUNCTIONS: [(&str, Function); 10] = [
    ("p50", Function::Percentile(500)),
    ("p90", Function::Percentile(900)),
    ("p95", Function::Percentile(950)),
    ("p99", Function::Percentile(990)),
    ("avg", Function::Avg),
    ("min", Function::Min),
    ("max", Function::Max),
    ("sum", Function::Sum),
    ("count", Function::Count),
    ("increase", Function::Increase),
];

/// The functions with a form of their own.
const OTHERS: [&str; 8] =
    ["share", "ratio", "hit_rate", "used", "age", "change", "absent", "spike"];

/// The longest window: series are not kept for longer.
pub const LONGEST: Duration = Duration::from_secs(6 * 3_600);

impl When {
    /// Reads a `when` line.
    ///
    /// # Errors
    /// Says what is wrong and where, in bytes from the start. A comparison of things of
    /// different kinds, such as a ratio with milliseconds, is an error.
    pub fn parse(text: &str) -> Read<Self> {
        let mut cursor = Cursor::new(text);
        let mut clauses = vec![clause(&mut cursor)?];
        let mut join = None;
        loop {
            let word = if cursor.eat_word("and") {
                Join::All
            } else if cursor.eat_word("or") {
                Join::Any
            } else {
                break;
            };
            if join.is_some_and(|join| join != word) {
                return cursor.fail("`and` and `or` cannot be mixed; make two rules of it");
            }
            join = Some(word);
            clauses.push(clause(&mut cursor)?);
        }
        cursor.end("the condition")?;
        Ok(Self { clauses, join: join.unwrap_or(Join::All), text: Arc::from(text) })
    }
}

fn clause(cursor: &mut Cursor<'_>) -> Read<Clause> {
    let subject = subject(cursor)?;
    if matches!(subject, Subject::Absent(..) | Subject::Spike(_)) {
        return Ok(Clause { subject, test: Test::Itself });
    }
    if cursor.eat_word("outside") {
        return match cursor.eat_word("expected") {
            true => Ok(Clause { subject, test: Test::Expected(Side::Outside) }),
            false => cursor.fail("expected `outside expected`"),
        };
    }
    let op = comparison(cursor)?;
    if cursor.eat_word("expected") {
        let side = match op {
            Op::Less => Side::Below,
            Op::Greater => Side::Above,
            _ => {
                return cursor.fail("a band can be compared with `<`, `>` or `outside` only");
            }
        };
        return Ok(Clause { subject, test: Test::Expected(side) });
    }
    let constant = constant(cursor, op, unit::of(&subject))?;
    Ok(Clause { subject, test: Test::Against(op, constant) })
}

fn comparison(cursor: &mut Cursor<'_>) -> Read<Op> {
    let op = cursor.op()?;
    match op {
        Op::In | Op::NotIn => cursor.fail("a list is not possible here; join clauses with `or`"),
        op => Ok(op),
    }
}

/// A constant in the unit of what it is compared with.
fn constant(cursor: &mut Cursor<'_>, op: Op, of: Unit) -> Read<Value> {
    cursor.skip_space();
    let start = cursor.at;
    let (value, suffix) = cursor.constant()?;
    let at = |message: String| Err(ConditionError { message, offset: start });
    let number = match value {
        Value::Number(number) => number,
        Value::Bool(_) | Value::Text(_) if of.is_number() => {
            return at(format!("{} cannot be compared with {}", of.words(), said(&value)));
        }
        other if matches!(op, Op::Equal | Op::NotEqual) => return Ok(other),
        _ => return at("only numbers can be smaller or greater; use == or !=".to_owned()),
    };
    match of.constant(number, suffix) {
        Ok(number) => Ok(Value::Number(number)),
        Err(why) => at(why),
    }
}

fn said(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "yes or no",
        _ => "a text",
    }
}

fn subject(cursor: &mut Cursor<'_>) -> Read<Subject> {
    cursor.skip_space();
    let start = cursor.at;
    let first = cursor.word()?;
    cursor.skip_space();
    if !cursor.eat("(") {
        return Ok(Subject::Latest(rest_of_series(cursor, first)?));
    }
    let subject = arguments(cursor, first, start)?;
    cursor.require(")", "`)`")?;
    Ok(subject)
}

fn arguments(cursor: &mut Cursor<'_>, name: &str, start: usize) -> Read<Subject> {
    if let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
        let series = series(cursor)?;
        cursor.skip_space();
        if *function == Function::Count && !cursor.rest().starts_with(',') {
            let passing = passing(cursor, series)?;
            return Ok(Subject::CountOf(passing, window(cursor)?));
        }
        return Ok(Subject::Window(*function, series, window(cursor)?));
    }
    match name {
        "share" => {
            let series = series(cursor)?;
            let passing = passing(cursor, series)?;
            Ok(Subject::ShareOf(passing, window(cursor)?))
        }
        "ratio" | "hit_rate" => {
            let part = series(cursor)?;
            cursor.require(",", "`,` and the second counter")?;
            let other = series(cursor)?;
            let of_rest = name == "hit_rate";
            cursor.skip_space();
            if !of_rest && cursor.rest().starts_with(')') {
                return Ok(Subject::Part { part, whole: other });
            }
            let window = window(cursor)?;
            if window > LONGEST_WINDOW {
                let longest = short_duration(LONGEST_WINDOW);
                return cursor.fail(format!("the window of a ratio is at most {longest} long"));
            }
            Ok(Subject::Ratio { part, other, of_rest, window })
        }
        "used" => {
            let part = series(cursor)?;
            cursor.require(",", "`,` and what may be used")?;
            Ok(Subject::Used { part, limit: series(cursor)? })
        }
        "age" => Ok(Subject::Age(series(cursor)?)),
        "absent" => Ok(Subject::Absent(series(cursor)?, window(cursor)?)),
        "spike" => Ok(Subject::Spike(series(cursor)?)),
        "change" => {
            let inner_at = cursor.at;
            let inner = subject(cursor)?;
            if matches!(
                inner,
                Subject::Change(..)
                    | Subject::Absent(..)
                    | Subject::Spike(_)
                    | Subject::Used { .. }
                    | Subject::Part { .. }
                    | Subject::Age(_)
            ) {
                let message = "only a value or a figure over a window can change".to_owned();
                return Err(ConditionError { message, offset: inner_at });
            }
            Ok(Subject::Change(Box::new(inner), window(cursor)?))
        }
        unknown => Err(ConditionError { message: unknown_function(unknown), offset: start }),
    }
}

fn unknown_function(name: &str) -> String {
    let known: Vec<&str> = FUNCTIONS.iter().map(|(known, _)| *known).chain(OTHERS).collect();
    format!("there is no function {name}; there are {}", known.join(", "))
}

fn passing(cursor: &mut Cursor<'_>, series: SeriesName) -> Read<Passing> {
    let op = comparison(cursor)?;
    let constant = constant(cursor, op, unit::of_series(&series))?;
    Ok(Passing { series, op, constant })
}

/// The window that ends the arguments.
fn window(cursor: &mut Cursor<'_>) -> Read<Duration> {
    cursor.require(",", "`,` and a window such as 5m")?;
    cursor.skip_space();
    let start = cursor.at;
    let quantity = cursor.quantity()?;
    let at = |message: String| Err(ConditionError { message, offset: start });
    if quantity.suffix != Suffix::Time {
        return at("a window is a length of time, such as 90s, 5m or 1h".to_owned());
    }
    let window = Duration::try_from_secs_f64(quantity.number / 1_000.0).unwrap_or(Duration::ZERO);
    if window < Duration::from_secs(1) || window > LONGEST {
        return at(format!("a window is from 1s to {} long", short_duration(LONGEST)));
    }
    Ok(window)
}

fn series(cursor: &mut Cursor<'_>) -> Read<SeriesName> {
    let first = cursor.word()?;
    rest_of_series(cursor, first)
}

fn rest_of_series(cursor: &mut Cursor<'_>, first: &str) -> Read<SeriesName> {
    if cursor.eat(".") {
        let reading = cursor.word()?;
        return Ok(SeriesName { source: Arc::from(first), reading: Arc::from(reading) });
    }
    Ok(SeriesName { source: Arc::from(""), reading: Arc::from(first) })
}
