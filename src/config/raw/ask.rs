//! What actions ask for, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::DurationText;

/// One thing that an action asks for when it is started.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAsk {
    /// Its label; otherwise its name.
    pub title: Option<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// What the value must be; instead of a pattern.
    pub is: Option<RawWanted>,
    /// How far ahead a time may be at most, such as "7d"; with `is = "time"`.
    pub within: Option<DurationText>,
    /// Addresses and networks that are refused, as is every network that one of them is in;
    /// with `is = "address"`.
    pub never: Option<RawNever>,
    /// The widest IPv4 network that is taken, as its prefix; with `is = "address"`. Otherwise
    /// 24.
    #[schemars(range(min = 1, max = 32))]
    pub widest: Option<u8>,
    /// The same of IPv6. Otherwise 64.
    #[schemars(range(min = 1, max = 128))]
    pub widest6: Option<u8>,
    /// What one would type, such as `such as 99`.
    pub hint: Option<String>,
    /// What is there before anything is typed.
    pub default: Option<String>,
    /// The only values; instead of a pattern.
    #[serde(default)]
    pub choices: Vec<String>,
    /// A reading whose texts can be chosen from. Typing is still allowed: the pattern decides.
    pub choices_from: Option<RawCandidates>,
    /// Masked as it is typed, and never shown, recorded or kept.
    #[serde(default)]
    pub secret: bool,
    /// Of a secret: what is shorter than 6 bytes is no secret, and may be shown where a server
    /// or a program repeats it.
    #[serde(default)]
    pub short_values: bool,
    /// The most characters.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1, max = 4000))]
    pub max_length: usize,
    /// Values that are refused although the pattern matches.
    #[serde(default)]
    pub deny: Vec<RawDeny>,
}

/// What no regular expression can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawWanted {
    /// A point in time that is still to come, with its zone: RFC 3339, seconds may be left out.
    Time,
    /// An address of the public internet, or a network of them in CIDR notation.
    Address,
}

/// Addresses and networks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "addresses and networks: a list of texts, or one text with commas"))]
pub enum RawNever {
    /// One text, with commas between them: what a variable can hold.
    Text(String),
    /// A list.
    List(Vec<String>),
}

/// Where values to choose from are read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCandidates {
    /// The source.
    pub source: String,
    /// Its reading: a list, or a text.
    pub reading: String,
    /// A reading of the same source, with a line for each of them in the same order, that is
    /// shown beside it.
    pub labels: Option<String>,
}

/// Values that are refused.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDeny {
    /// A regular expression; what matches it as a whole is refused.
    pub pattern: String,
    /// Why, in words.
    pub why: String,
}

fn two_hundred() -> usize {
    200
}
