//! Programs that are run to look at something, and what is read from what they print.

use std::path::PathBuf;

use regex::Regex;
use serde_json_path::JsonPath;

use super::Text;
use crate::domain::ids::ReadingName;

/// A program with its arguments; never a shell.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The program and its arguments, passed as they are.
    pub argv: Vec<String>,
    /// Its directory; the console's own otherwise.
    pub directory: Option<PathBuf>,
    /// Variables added to a clean environment (PATH, HOME, LANG, USER, TERM=dumb).
    pub environment: Vec<(String, Text)>,
}

impl Program {
    /// The command line as a shell would need it, so that spaces cannot mislead the eye.
    pub fn shown(&self) -> String {
        let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+{}".contains(c);
        let quoted = |text: &String| {
            if !text.is_empty() && text.chars().all(harmless) {
                text.clone()
            } else {
                format!("'{}'", text.replace('\'', "'\\''"))
            }
        };
        self.argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// A program that is run anew for each poll.
#[derive(Clone, Debug)]
pub struct CommandSource {
    /// What is run.
    pub program: Program,
    /// Exit codes after which the output is an answer; any other is a failure.
    pub accept: Vec<i32>,
    /// The most that it may print, bytes.
    pub max_output: u64,
    /// Values to take out of what it prints.
    pub readings: Vec<CommandReading>,
}

/// One value out of the output of a command.
#[derive(Clone, Debug)]
pub struct CommandReading {
    /// Its name.
    pub name: ReadingName,
    /// Where it stands.
    pub from: OutputPart,
}

/// Where a value stands in the output of a command.
#[derive(Clone, Debug)]
pub enum OutputPart {
    /// In JSON: the first of these paths that matches exactly one node.
    Json {
        /// The paths.
        paths: Vec<JsonPath>,
        /// Field and text: the output is then one object a line, and the only one of them
        /// that has all of these is meant. Empty: the whole output is one document.
        line: Vec<(String, String)>,
        /// Which part of the text at that path is meant: the first group.
        part: Option<Regex>,
    },
    /// How many nodes a path matches in the output as one JSON document.
    JsonCount(JsonPath),
    /// The first group of the first match.
    Pattern(Regex),
    /// How many lines match.
    Lines(Regex),
    /// Every text that a path matches in the output as one JSON document, to choose from.
    JsonList(JsonPath),
    /// Its lines, to choose from.
    EachLine,
    /// All of it, which must be a number.
    Number,
    /// All of it.
    Text,
}
