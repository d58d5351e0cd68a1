//! `--ask NAME=VALUE`: what an action asks for, on the command line or from elsewhere.

use std::{collections::BTreeMap, io::Read};

use crate::{domain::ask::Veiled, runtime::one_action::Given};

/// The most that is read from the standard input, bytes: a value has at most 4000 characters.
const LONGEST: u64 = 16 << 10;

/// Reads the values. `NAME=@env:VARIABLE` is in a variable and `NAME=@-` on the standard
/// input, up to its end; one line end at its end does not count. `NAME=@@…` is a value that
/// begins with `@`.
///
/// # Errors
/// What is wrong with one of them, with the cure. No value is quoted.
pub(super) fn read(written: &[String]) -> Result<BTreeMap<String, Given>, String> {
    let variable = |name: &str| std::env::var(name).ok();
    parse(written, variable, || {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
        read.map(|_| text).map_err(|error| format!("the standard input cannot be read: {error}"))
    })
}

fn parse(
    written: &[String],
    variable: impl Fn(&str) -> Option<String>,
    mut stdin: impl FnMut() -> Result<String, String>,
) -> Result<BTreeMap<String, Given>, String> {
    let mut given = BTreeMap::new();
    let mut from_stdin: Option<String> = None;
    for text in written {
        let Some((name, value)) = text.split_once('=') else {
            return Err("--ask takes NAME=VALUE".to_owned());
        };
        let value = if value == "@-" {
            if let Some(other) = &from_stdin {
                return Err(format!("the standard input is one value: {other} or {name}?"));
            }
            from_stdin = Some(name.to_owned());
            let text = stdin()?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            Given::Elsewhere(Veiled::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
        } else if let Some(from) = value.strip_prefix("@env:") {
            let text = variable(from).filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| format!("{name}: the variable {from} is not set"))?;
            Given::Elsewhere(Veiled::new(text))
        } else if let Some(literal) = value.strip_prefix("@@") {
            Given::Argument(format!("@{literal}"))
        } else if value.starts_with('@') {
            return Err(format!(
                "{name}: after @ comes env:VARIABLE or -; a value that begins with @ is written @@…"
            ));
        } else {
            Given::Argument(value.to_owned())
        };
        if given.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(written: &[&str]) -> Result<BTreeMap<String, Given>, String> {
        let written: Vec<String> = written.iter().map(|text| (*text).to_owned()).collect();
        let variable = |name: &str| (name == "TOKEN").then(|| "from-a-variable".to_owned());
        parse(&written, variable, || Ok("from-stdin\r\n".to_owned()))
    }

    #[test]
    fn values_come_from_the_line_a_variable_or_the_standard_input() {
        let elsewhere = |text: &str| Given::Elsewhere(Veiled::new(text.to_owned()));
        let argument = |text: &str| Given::Argument(text.to_owned());
        for (written, expected) in [
            ("n=99", argument("99")),
            ("n=", argument("")),
            ("n=a=b", argument("a=b")),
            ("n=@@home", argument("@home")),
            ("n=@env:TOKEN", elsewhere("from-a-variable")),
            ("n=@-", elsewhere("from-stdin")),
        ] {
            assert_eq!(given(&[written]).expect(written)["n"], expected);
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (written, why) in [
            (&["canary"][..], "NAME=VALUE"),
            (&["n=@env:NOPE"][..], "NOPE is not set"),
            (&["n=@canary"][..], "@@"),
            (&["n=canary", "n=2"][..], "twice"),
            (&["n=@-", "m=@-"][..], "one value: n or m"),
        ] {
            let said = given(written).expect_err(why);
            assert!(said.contains(why) && !said.contains("canary"), "{said}");
        }
    }
}
