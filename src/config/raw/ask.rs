//! What actions ask for, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

/// One thing that an action asks for when it is started.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAsk {
    /// Its label; otherwise its name.
    pub title: Option<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
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
    /// The most characters.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1, max = 4000))]
    pub max_length: usize,
    /// Values that are refused although the pattern matches.
    #[serde(default)]
    pub deny: Vec<RawDeny>,
}

/// Where values to choose from are read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCandidates {
    /// The source.
    pub source: String,
    /// Its reading: a list, or a text.
    pub reading: String,
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
