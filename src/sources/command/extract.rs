//! Values out of what a command printed.

use std::cell::OnceCell;

use regex::Regex;
use serde_json::Value as Json;

use crate::{
    config::profile::{Extract, OutputPart},
    domain::{text, value::Value},
    net::{
        readings::{self, from_text},
        words::clip,
    },
};

/// What a command printed, without control sequences.
pub(super) struct Output {
    lines: Vec<String>,
    whole: String,
    document: OnceCell<Result<Json, String>>,
}

impl Output {
    /// From the bytes that it printed.
    pub(super) fn new(printed: &[u8]) -> Self {
        let printed = String::from_utf8_lossy(printed);
        // A lone return is how programs redraw a line: what stood there is no line any more.
        let lines: Vec<String> = printed
            .lines()
            .map(|line| line.trim_end_matches('\r'))
            .map(|line| text::safe(line.rsplit('\r').next().unwrap_or(line)).into_owned())
            .collect();
        let whole = lines.join("\n");
        Self { lines, whole, document: OnceCell::new() }
    }

    /// One value.
    ///
    /// # Errors
    /// It is not there; the text says why.
    pub(super) fn read(&self, from: &OutputPart) -> Result<Value, String> {
        match from {
            OutputPart::Json { paths, line, part } => {
                let picked;
                let json = if line.is_empty() {
                    self.document()?
                } else {
                    picked = self.line_with(line)?;
                    &picked
                };
                let value = readings::in_json(&Extract::Json(paths.clone()), json)?;
                match part {
                    None => Ok(sized(value)),
                    Some(part) => group(part, &value.to_string()),
                }
            }
            OutputPart::JsonCount(path) => {
                readings::in_json(&Extract::Count(path.clone()), self.document()?)
            }
            OutputPart::JsonList(path) => {
                readings::in_json(&Extract::List(path.clone()), self.document()?)
            }
            OutputPart::EachLine => Ok(readings::choices(self.whole.lines())),
            OutputPart::Pattern(pattern) => group(pattern, &self.whole),
            OutputPart::Lines(pattern) => {
                let count = self.lines.iter().filter(|line| pattern.is_match(line)).count();
                Ok(Value::Number(count as f64))
            }
            OutputPart::Number => match sized(self.text()?) {
                Value::Text(_) => {
                    Err(format!("the output is not a number: {}", clip(self.whole.trim(), 80)))
                }
                number => Ok(number),
            },
            OutputPart::Text => match self.whole.trim() {
                "" => Err("the output is empty".to_owned()),
                text => Ok(Value::Text(text.into())),
            },
        }
    }

    fn text(&self) -> Result<Value, String> {
        from_text(&self.whole).map_err(|why| format!("the output {why}"))
    }

    /// All of it as one JSON document.
    fn document(&self) -> Result<&Json, String> {
        let parsed = self.document.get_or_init(|| {
            serde_json::from_str(&self.whole).map_err(|error| match self.whole.trim() {
                "" => "the output is empty where JSON was expected".to_owned(),
                text => {
                    let begins = clip(text, 80);
                    format!("the output is not one JSON document ({error}); it begins: {begins}")
                }
            })
        });
        parsed.as_ref().map_err(Clone::clone)
    }

    /// The only line that is an object with these fields.
    fn line_with(&self, fields: &[(String, String)]) -> Result<Json, String> {
        let objects = self.lines.iter().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let objects: Vec<Json> = objects.filter(Json::is_object).collect();
        let wanted: Vec<String> =
            fields.iter().map(|(field, text)| format!("{field} = {text:?}")).collect();
        let wanted = wanted.join(" and ");
        let total = objects.len();
        let mut fitting: Vec<Json> =
            objects.into_iter().filter(|object| fields.iter().all(|f| has(object, f))).collect();
        match (fitting.len(), fitting.pop()) {
            (1, Some(found)) => Ok(found),
            (0, _) if total == 0 => Err("no line of the output is a JSON object".to_owned()),
            (0, _) => Err(format!("none of {total} objects has {wanted}")),
            (many, _) => Err(format!("{many} objects have {wanted}, not one")),
        }
    }
}

/// Whether an object has that text, number or yes-or-no in that field.
fn has(object: &Json, (field, wanted): &(String, String)) -> bool {
    match object.get(field) {
        Some(Json::String(text)) => text == wanted,
        Some(Json::Number(number)) => number.to_string().as_str() == wanted,
        Some(Json::Bool(flag)) => wanted.parse() == Ok(*flag),
        _ => false,
    }
}

/// The first group of the first match.
fn group(pattern: &Regex, text: &str) -> Result<Value, String> {
    let found = pattern.captures(text).and_then(|captures| captures.get(1));
    let found = found.ok_or_else(|| format!("nothing matches {}", clip(pattern.as_str(), 80)))?;
    from_text(found.as_str()).map(sized).map_err(|why| format!("what was found {why}"))
}

/// A size such as `12.3MiB` is its bytes, so that two of them can be compared; any other
/// value stays as it is.
fn sized(value: Value) -> Value {
    let Value::Text(text) = &value else { return value };
    bytes(text).and_then(Value::number).unwrap_or(value)
}

/// The bytes that a text such as `12.3MiB` or `1.5 GB` spells.
fn bytes(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 12] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("bytes", 1.0),
        ("byte", 1.0),
        ("B", 1.0),
    ];
    let text = text.trim();
    UNITS.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?.trim_end();
        let plain = number.starts_with(|c: char| c.is_ascii_digit());
        plain.then(|| number.parse::<f64>().ok())?.map(|number| number * factor)
    })
}

#[cfg(test)]
mod tests {
    use serde_json_path::JsonPath;

    use super::*;

    const STATS: &[u8] = b"{\"Name\":\"api-1\",\"CPUPerc\":\"1.5%\",\"MemUsage\":\"12.3MiB / 2GiB\",\"PIDs\":\"7\"}\n\
        {\"Name\":\"db-1\",\"CPUPerc\":\"80.25%\",\"MemUsage\":\"1.5GiB / 2GiB\",\"PIDs\":\"31\"}\n\
        {\"Name\":\"twice\",\"CPUPerc\":\"1%\"}\n{\"Name\":\"twice\",\"CPUPerc\":\"2%\"}\n";

    fn json(path: &str, name: &str, part: Option<&str>) -> OutputPart {
        let line =
            if name.is_empty() { vec![] } else { vec![("Name".to_owned(), name.to_owned())] };
        OutputPart::Json {
            paths: vec![JsonPath::parse(path).expect("a path")],
            line,
            part: part.map(|part| Regex::new(part).expect("a pattern")),
        }
    }

    #[test]
    fn a_line_is_chosen_by_its_fields_and_a_number_is_what_was_written() {
        let output = Output::new(STATS);
        let text = |text: &str| Value::Text(text.into());
        let table = [
            (json("$.CPUPerc", "api-1", None), Ok(Value::Number(1.5))),
            (json("$.CPUPerc", "db-1", None), Ok(Value::Number(80.25))),
            (json("$.PIDs", "db-1", None), Ok(Value::Number(31.0))),
            // Two sizes are no number: which is meant has to be said.
            (json("$.MemUsage", "api-1", None), Ok(text("12.3MiB / 2GiB"))),
            (json("$.MemUsage", "api-1", Some("^([^ ]+) /")), Ok(Value::Number(12_897_484.8))),
            (json("$.MemUsage", "db-1", Some("^([^ ]+) /")), Ok(Value::Number(1_610_612_736.0))),
            (json("$.MemUsage", "db-1", Some("(x)")), Err("nothing matches (x)")),
            (json("$.CPUPerc", "gone", None), Err("none of 4 objects has Name = \"gone\"")),
            (json("$.CPUPerc", "twice", None), Err("2 objects have Name = \"twice\", not one")),
            (json("$.gone", "db-1", None), Err("not in the answer (looked for $.gone)")),
        ];
        for (from, expected) in table {
            let got = output.read(&from);
            assert_eq!(got, expected.map_err(str::to_owned), "{from:?}");
        }
        let why = output.read(&json("$.Name", "", None)).expect_err("four documents");
        assert!(why.starts_with("the output is not one JSON document"), "{why}");
        assert_eq!(
            Output::new(b"warning: x\n").read(&json("$.Name", "a", None)),
            Err("no line of the output is a JSON object".to_owned())
        );
    }

    #[test]
    fn text_is_read_without_control_sequences_and_never_guessed_at() {
        let output = Output::new(
            b"10%\r\x1b[32mdone\x1b[0m\r\n\x1b]0;title\x07jobs: 12 waiting\nERROR one\nerror two\nERROR three\n",
        );
        let pattern = |text: &str| {
            regex::RegexBuilder::new(text).multi_line(true).build().expect("a pattern")
        };
        let table = [
            (OutputPart::Pattern(pattern("^jobs: ([0-9]+) waiting$")), Ok(Value::Number(12.0))),
            (OutputPart::Pattern(pattern("^(done)$")), Ok(Value::Text("done".into()))),
            (
                OutputPart::Pattern(pattern("failed: ([0-9]+)")),
                Err("nothing matches failed: ([0-9]+)"),
            ),
            (OutputPart::Lines(pattern("^ERROR")), Ok(Value::Number(2.0))),
            (OutputPart::Lines(pattern("10%")), Ok(Value::Number(0.0))),
        ];
        for (from, expected) in table {
            assert_eq!(output.read(&from), expected.map_err(str::to_owned), "{from:?}");
        }
        let table: [(&[u8], _); 7] = [
            (b" 42\n", Ok(Value::Number(42.0))),
            (b"1.5%", Ok(Value::Number(1.5))),
            (b"< 10ms", Ok(Value::Below(10.0))),
            (b"2 kB\n", Ok(Value::Number(2000.0))),
            (b"", Err("the output is empty")),
            (b"NaN", Err("the output is NaN")),
            (b"3 of 4\n", Err("the output is not a number: 3 of 4")),
        ];
        for (printed, expected) in table {
            let got = Output::new(printed).read(&OutputPart::Number);
            assert_eq!(got, expected.map_err(str::to_owned), "{printed:?}");
        }
        assert!(Output::new(b" \n").read(&OutputPart::Text).is_err());
        assert!(Output::new(b"\xff\xfe").read(&OutputPart::Number).is_err());
    }
}
