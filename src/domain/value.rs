//! One value out of an answer.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A value as it was reported. A number is always finite: what cannot be read as one
/// stays text, and is never replaced by zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// Reported only as an upper bound, such as `< 10ms`.
    Below(f64),
    /// Known only as a lower bound: a request that was given up after this long.
    AtLeast(f64),
    /// Anything else.
    Text(Arc<str>),
    /// Several texts, to choose from. Compared with nothing.
    List(Arc<[Arc<str>]>),
}

impl Value {
    /// A number, where it is finite.
    pub fn number(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self::Number(number))
    }

    /// Text, or the number or the bound that it spells: `42`, `1.5`, `< 10ms`, `12%`.
    /// A unit after the number is dropped; the configuration states what it is.
    pub fn from_text(text: &str) -> Self {
        let trimmed = text.trim();
        if let Some(number) = parse_number(trimmed) {
            return Self::Number(number);
        }
        if let Some(bound) = trimmed.strip_prefix('<').and_then(|rest| parse_number(rest.trim())) {
            return Self::Below(bound);
        }
        if let Some(bound) = trimmed.strip_prefix('>').and_then(|rest| parse_number(rest.trim())) {
            return Self::AtLeast(bound);
        }
        Self::Text(Arc::from(text))
    }

    /// The exact number, where there is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(true) => f.write_str("yes"),
            Self::Bool(false) => f.write_str("no"),
            Self::Number(number) => f.write_str(&tidy(*number)),
            Self::Below(bound) => write!(f, "< {}", tidy(*bound)),
            Self::AtLeast(bound) => write!(f, ">= {}", tidy(*bound)),
            Self::Text(text) => f.write_str(text),
            Self::List(texts) => f.write_str(&texts.join(", ")),
        }
    }
}

/// A whole number with its thousands apart, in full: `12 345`, `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// So many bytes, with a unit of which there are a few: `214 MB`.
pub fn amount(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{} bytes", grouped(bytes)),
        10_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", grouped(bytes / 1_000_000)),
    }
}

/// A number with as many digits as are worth reading: four significant ones, no trailing zeros.
pub fn tidy(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let magnitude = number.abs().log10().floor();
    let decimals = (3.0 - magnitude).clamp(0.0, 6.0) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A finite number, with or without one of the units that services write behind numbers.
fn parse_number(text: &str) -> Option<f64> {
    const UNITS: [&str; 4] = ["ms", "us", "%", "s"];
    let bare = UNITS.iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text).trim_end();
    let starts_right = bare.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    let number: f64 = bare.parse().ok()?;
    (starts_right && number.is_finite()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_number_or_a_bound_only_where_it_is_one() {
        let text = |text: &str| Value::Text(Arc::from(text));
        let cases = [
            ("42", Value::Number(42.0)),
            (" -1.5 ", Value::Number(-1.5)),
            ("12.5ms", Value::Number(12.5)),
            ("80 %", Value::Number(80.0)),
            ("< 10ms", Value::Below(10.0)),
            ("> 3s", Value::AtLeast(3.0)),
            ("potato", text("potato")),
            ("", text("")),
            ("NaN", text("NaN")),
            ("inf", text("inf")),
            ("1e999", text("1e999")),
            ("-inf", text("-inf")),
            ("0x10", text("0x10")),
            ("7.0.15", text("7.0.15")),
        ];
        for (input, expected) in cases {
            assert_eq!(Value::from_text(input), expected, "{input:?}");
        }
        assert_eq!(Value::number(f64::NAN), None);
    }

    #[test]
    fn numbers_read_well() {
        let cases =
            [(0.0, "0"), (1.0, "1"), (0.123_456, "0.1235"), (12_345.6, "12346"), (99.95, "99.95")];
        for (number, expected) in cases {
            assert_eq!(tidy(number), expected);
        }
    }
}
