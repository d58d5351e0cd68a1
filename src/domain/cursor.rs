//! A position in one line of text: what the readers of conditions and rules have in common.

use super::{
    condition::{ConditionError, Op},
    value::Value,
};

/// A position in a line. Every method that fails says where, in bytes.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) at: usize,
}

/// The unit that stands behind a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suffix {
    /// None.
    Bare,
    /// A length of time.
    Time,
    /// A share.
    Percent,
    /// An amount of memory.
    Bytes,
}

/// A number as it was written: milliseconds, shares of one, or bytes, by its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity {
    pub(super) number: f64,
    pub(super) suffix: Suffix,
}

type Read<T> = Result<T, ConditionError>;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `token` where it stands right here.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let matches = self.rest().starts_with(token);
        if matches {
            self.at += token.len();
        }
        matches
    }

    /// Takes a whole word, after white space: `and` is not the beginning of `android`.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let before = self.at;
        self.skip_space();
        let rest = self.rest();
        let whole = rest.strip_prefix(word).is_some_and(|after| !after.starts_with(is_word));
        if whole {
            self.at += word.len();
        } else {
            self.at = before;
        }
        whole
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(ConditionError { message: message.into(), offset: self.at })
    }

    /// Takes a mark such as `(`, after white space.
    pub(super) fn require(&mut self, token: &str, wanted: &str) -> Read<()> {
        self.skip_space();
        if self.eat(token) { Ok(()) } else { self.fail(format!("expected {wanted}")) }
    }

    /// The name of a reading or of its source.
    pub(super) fn word(&mut self) -> Read<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            return self.fail("expected the name of a reading: lower-case letters, digits and _");
        }
        self.at += end;
        Ok(&rest[..end])
    }

    pub(super) fn op(&mut self) -> Read<Op> {
        self.skip_space();
        const SYMBOLS: [(&str, Op); 6] = [
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
            ("<=", Op::LessOrEqual),
            (">=", Op::GreaterOrEqual),
            ("<", Op::Less),
            (">", Op::Greater),
        ];
        for (symbol, op) in SYMBOLS {
            if self.eat(symbol) {
                return Ok(op);
            }
        }
        let words: Vec<&str> = self.rest().split_whitespace().take(2).collect();
        match words.as_slice() {
            ["in", ..] => {
                self.at += "in".len();
                Ok(Op::In)
            }
            ["not", "in", ..] => {
                let skip = self.rest().find("in").unwrap_or(0) + "in".len();
                self.at += skip;
                Ok(Op::NotIn)
            }
            _ => self.fail("expected one of == != < <= > >= in, not in"),
        }
    }

    /// `true`, `false`, `"text"` or a number with or without a unit.
    pub(super) fn constant(&mut self) -> Read<(Value, Suffix)> {
        self.skip_space();
        if self.eat("true") {
            return Ok((Value::Bool(true), Suffix::Bare));
        }
        if self.eat("false") {
            return Ok((Value::Bool(false), Suffix::Bare));
        }
        if self.eat("\"") {
            let rest = self.rest();
            let Some(end) = rest.find('"') else {
                return self.fail("the text is not closed by \"");
            };
            self.at += end + 1;
            return Ok((Value::Text(rest[..end].into()), Suffix::Bare));
        }
        let quantity = self.quantity()?;
        Ok((Value::Number(quantity.number), quantity.suffix))
    }

    /// A number with or without a unit.
    pub(super) fn quantity(&mut self) -> Read<Quantity> {
        let number = self.number()?;
        let (times, over, suffix) = self.unit()?;
        // Division, because 70 / 100 is the same number as 0.7 and 70 * 0.01 is not.
        Ok(Quantity { number: number * times / over, suffix })
    }

    pub(super) fn number(&mut self) -> Read<f64> {
        self.skip_space();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '_')))
            .unwrap_or(rest.len());
        let digits = rest[..end].replace('_', "");
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += end;
                Ok(number)
            }
            _ => self.fail("expected a number, \"text\", true, false or a list"),
        }
    }

    /// A factor and a divisor, and what they measure.
    fn unit(&mut self) -> Read<(f64, f64, Suffix)> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphabetic() || c == '%')).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" => (1.0, 1.0, Suffix::Bare),
            "ms" => (1.0, 1.0, Suffix::Time),
            "s" => (1_000.0, 1.0, Suffix::Time),
            "m" => (60_000.0, 1.0, Suffix::Time),
            "h" => (3_600_000.0, 1.0, Suffix::Time),
            "%" => (1.0, 100.0, Suffix::Percent),
            "kB" => (1e3, 1.0, Suffix::Bytes),
            "MB" => (1e6, 1.0, Suffix::Bytes),
            "GB" => (1e9, 1.0, Suffix::Bytes),
            other => {
                return self
                    .fail(format!("unknown unit {other:?}; use ms, s, m, h, %, kB, MB or GB"));
            }
        };
        self.at += end;
        Ok(unit)
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self, of: &str) -> Read<()> {
        self.skip_space();
        if self.rest().is_empty() {
            Ok(())
        } else {
            self.fail(format!("unexpected text after {of}"))
        }
    }
}

/// Whether a character may stand in the name of a reading.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}
