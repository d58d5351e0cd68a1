//! Sources that run a program, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    source::source,
    value::{PathText, SizeText, TextValue},
};

source! {
    /// A program that is run for each poll, and read.
    pub struct RawCommand {
        /// The program and its arguments, passed as they are: no shell is in between.
        #[schemars(length(min = 1))]
        pub argv: Vec<String>,
        /// Its directory; otherwise the one that the console was started in.
        pub directory: Option<String>,
        /// Variables for it. Beside these it gets PATH, HOME, LANG and USER.
        #[serde(default)]
        pub environment: BTreeMap<String, TextValue>,
        /// Exit codes after which the output is read as an answer; any other is a failure.
        #[serde(default = "zero")]
        pub accept: Vec<i32>,
        /// The most that it may print.
        #[serde(default = "one_megabyte")]
        pub max_output: SizeText,
        /// Values to take out of what it prints, by name.
        #[serde(default)]
        pub readings: BTreeMap<String, RawCommandReading>,
    }
}

/// Where a reading stands in the output of a command.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a JSONPath, a list of them, or one of { json = \"PATH\" }, { json_count = \"PATH\" }, { regex = \"TEXT\" }, { count = \"TEXT\" }, { list = \"PATH\" } and { output = \"number\" }"))]
pub enum RawCommandReading {
    /// In the output as one JSON document.
    Path(PathText),
    /// In the output as one JSON document, at the first of these that is there.
    FirstOf(Vec<PathText>),
    /// Elsewhere.
    Other(RawOutputPart),
}

/// Exactly one of `json`, `json_count`, `regex`, `count`, `list` and `output`; `json` may have a
/// `where` and a `regex` beside it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOutputPart {
    /// At this path in JSON.
    pub json: Option<PathText>,
    /// The output has one JSON object a line; the one with these fields is meant.
    #[serde(default, rename = "where")]
    pub line: BTreeMap<String, String>,
    /// How many values this path matches.
    pub json_count: Option<PathText>,
    /// The one group of this regular expression; beside `json`, within the text found there.
    pub regex: Option<String>,
    /// How many lines this regular expression matches.
    pub count: Option<String>,
    /// Every text that this path matches, to choose from.
    pub list: Option<PathText>,
    /// All of it.
    pub output: Option<RawOutput>,
}

/// What the whole output is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawOutput {
    /// A number, with or without a unit.
    Number,
    /// A text.
    Text,
    /// One text on each line, to choose from.
    Lines,
}

fn zero() -> Vec<i32> {
    vec![0]
}

fn one_megabyte() -> SizeText {
    "1MB".into()
}
