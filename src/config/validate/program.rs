//! Programs that sources run.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::{Cx, Path};
use crate::{
    config::{
        profile::{CommandReading, CommandSource, OutputPart, Program},
        raw::{
            program::{RawCommand, RawCommandReading, RawOutput, RawOutputPart},
            value::{PathText, TextValue},
        },
    },
    domain::ids::ReadingName,
};

/// The most memory that one compiled expression may take, bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// How a regular expression with a group looks.
const GROUP_EXAMPLE: &str = "such as \"([0-9]+) waiting\"";

impl Cx<'_> {
    /// A program that is run for each poll.
    pub fn command(&mut self, path: &Path, raw: &RawCommand) -> Option<CommandSource> {
        let program = self.program(path, &raw.argv, raw.directory.as_deref(), &raw.environment);
        if raw.accept.is_empty() {
            self.error(
                &path.key("accept"),
                "no exit code would ever be accepted",
                "such as [0], or [0, 1, 2, 3] for a Nagios plugin",
            );
        }
        let max_output = self.body_size(&path.key("max_output"), &raw.max_output);
        let readings = self.command_readings(&path.key("readings"), &raw.readings);
        Some(CommandSource {
            program: program?,
            accept: raw.accept.clone(),
            max_output: max_output?,
            readings: readings?,
        })
    }

    /// A program with its arguments.
    pub fn program(
        &mut self,
        path: &Path,
        argv: &[String],
        directory: Option<&str>,
        environment: &BTreeMap<String, TextValue>,
    ) -> Option<Program> {
        let named = self.has_program(&path.key("argv"), argv);
        let zero = argv.iter().position(|argument| argument.contains('\0'));
        if let Some(position) = zero {
            self.error(
                &path.key("argv").index(position),
                "an argument cannot hold a zero character",
                "take it out",
            );
        }
        let directory = self.directory(path, directory);
        let environment = self.environment(&path.key("environment"), environment)?;
        (named && zero.is_none()).then(|| Program { argv: argv.to_vec(), directory, environment })
    }

    fn command_readings(
        &mut self,
        path: &Path,
        raw: &BTreeMap<String, RawCommandReading>,
    ) -> Option<Vec<CommandReading>> {
        let mut out = Vec::new();
        for (name, reading) in raw {
            let path = path.key(name);
            if self.is_measured(&path, name, &super::known::COMMAND) {
                continue;
            }
            let json = |paths| OutputPart::Json { paths, line: Vec::new(), part: None };
            let from = match reading {
                RawCommandReading::Path(text) => {
                    self.json_path(&path, text).map(|path| json(vec![path]))
                }
                RawCommandReading::FirstOf(texts) => self.json_paths(&path, texts).map(json),
                RawCommandReading::Other(table) => self.output_part(&path, table),
            };
            out.extend(
                from.map(|from| CommandReading { name: ReadingName::from(name.as_str()), from }),
            );
        }
        (out.len() == raw.len()).then_some(out)
    }

    fn output_part(&mut self, path: &Path, table: &RawOutputPart) -> Option<OutputPart> {
        if !table.line.is_empty() && table.json.is_none() {
            self.error(
                &path.key("where"),
                "`where` chooses a line for `json`, which is not there",
                "write { json = \"$.CPUPerc\", where = { Name = \"api\" } }",
            );
            return None;
        }
        if let Some(text) = &table.list {
            return self.listed(path, text, table);
        }
        match table {
            RawOutputPart {
                json: Some(text),
                regex,
                json_count: None,
                count: None,
                output: None,
                line,
                list: _,
            } => {
                let json = self.json_path(&path.key("json"), text);
                let part = match regex {
                    Some(regex) => self.pattern_with_group(&path.key("regex"), regex).map(Some),
                    None => Some(None),
                };
                let line = line.iter().map(|(field, text)| (field.clone(), text.clone()));
                Some(OutputPart::Json { paths: vec![json?], line: line.collect(), part: part? })
            }
            RawOutputPart {
                json: None,
                regex: None,
                json_count: Some(text),
                count: None,
                output: None,
                ..
            } => self.json_path(&path.key("json_count"), text).map(OutputPart::JsonCount),
            RawOutputPart {
                json: None,
                regex: Some(text),
                json_count: None,
                count: None,
                output: None,
                ..
            } => self.pattern_with_group(&path.key("regex"), text).map(OutputPart::Pattern),
            RawOutputPart {
                json: None,
                regex: None,
                json_count: None,
                count: Some(text),
                output: None,
                ..
            } => self.regular_expression(&path.key("count"), text).map(OutputPart::Lines),
            RawOutputPart {
                json: None,
                regex: None,
                json_count: None,
                count: None,
                output: Some(output),
                ..
            } => Some(match output {
                RawOutput::Number => OutputPart::Number,
                RawOutput::Text => OutputPart::Text,
                RawOutput::Lines => OutputPart::EachLine,
            }),
            _ => self.not_one_place(path),
        }
    }

    /// Every text at a path of the output.
    fn listed(
        &mut self,
        path: &Path,
        text: &PathText,
        table: &RawOutputPart,
    ) -> Option<OutputPart> {
        let others = table.json.is_some()
            || table.json_count.is_some()
            || table.regex.is_some()
            || table.count.is_some()
            || table.output.is_some();
        if others {
            return self.not_one_place(path);
        }
        self.json_path(&path.key("list"), text).map(OutputPart::JsonList)
    }

    fn not_one_place(&mut self, path: &Path) -> Option<OutputPart> {
        self.error(
            path,
            format!("`{path}` must say exactly one place"),
            "write one of { json = \"$.a\" }, { json_count = \"$.a[*]\" }, { regex = \"a ([0-9]+)\" }, { count = \"ERROR\" }, { list = \"$.a[*]\" } and { output = \"number\" }",
        );
        None
    }

    /// A regular expression whose only group is the value.
    fn pattern_with_group(&mut self, path: &Path, text: &str) -> Option<Regex> {
        let regex = self.regular_expression(path, text)?;
        let groups = regex.captures_len() - 1;
        if groups == 1 {
            return Some(regex);
        }
        let message = if groups == 0 {
            "there is no group in this, so nothing says what the value is".to_owned()
        } else {
            format!("there are {groups} groups in this: which of them is the value?")
        };
        let cure = if groups == 0 { GROUP_EXAMPLE } else { "write the others as (?:…)" };
        self.error(path, message, cure);
        None
    }

    /// A regular expression; `^` and `$` are the ends of a line.
    pub fn regular_expression(&mut self, path: &Path, text: &str) -> Option<Regex> {
        match RegexBuilder::new(text).multi_line(true).size_limit(LARGEST_PATTERN).build() {
            Ok(regex) => Some(regex),
            Err(error) => {
                // The last line says what is wrong; those before it draw where.
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.error(
                    path,
                    format!("this is not a regular expression: {why}"),
                    "a literal . ( [ { * + ? ^ $ | \\ needs a \\ before it; in '…' quotes it stays as it is",
                );
                None
            }
        }
    }

    /// Whether a reading has the name of something that the source measures itself.
    pub fn is_measured(&mut self, path: &Path, name: &str, measured: &[&str]) -> bool {
        let taken = measured.contains(&name);
        if taken {
            self.error(
                path,
                format!("the reading `{name}` exists already: it is measured by watchfloor itself"),
                format!("choose another name, such as `{name}_reported`"),
            );
        }
        taken
    }
}
