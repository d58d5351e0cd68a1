//! Values that are written in more than one way.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $expects:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(extend("x-expects" = $expects))]
        pub struct $name(pub String);

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text!(
    /// A length of time: a number and `ms`, `s`, `m` or `h`, such as `500ms` or `1m 30s`.
    DurationText,
    "a length of time in quotes, such as \"5s\" or \"1m 30s\""
);
text!(
    /// A size: a number and `B`, `kB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`.
    SizeText,
    "a size in quotes, such as \"1MB\""
);
text!(
    /// A condition on readings, such as `connected == false` or `total_ms > 100ms`.
    ConditionText,
    "a condition in quotes, such as \"total_ms > 100ms\""
);
text!(
    /// What makes a rule bad, such as `p95(cars.total_ms, 5m) > 200ms`.
    RuleText,
    "a condition in quotes, such as \"p95(api.total_ms, 5m) > 200ms\""
);
text!(
    /// Where a value stands in a JSON body: a JSONPath. `$.` is put before a bare dotted path.
    PathText,
    "a JSONPath in quotes, such as \"$.redis.connected\""
);

/// A text or a number.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "variables are put in before this is read; here for the schema")]
#[schemars(extend("x-expects" = "a text or a number"))]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
}

/// A share: `0.85` or `"85%"`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a share, such as 0.85 or \"85%\""))]
pub enum Share {
    /// From 0 to 1.
    Number(f64),
    /// A number and `%`.
    Text(String),
}

/// A text that may be, or contain, a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a text, or { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\"] }"))]
pub enum TextValue {
    /// As it stands. Never a secret.
    Plain(String),
    /// From elsewhere.
    Secret(SecretRef),
}

/// Where a secret comes from: exactly one of `env`, `file` and `command`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The environment variable that holds it.
    pub env: Option<String>,
    /// The file that holds it; the line end at its end does not count.
    pub file: Option<String>,
    /// The program that prints it, with its arguments. It has five seconds and no input.
    pub command: Option<Vec<String>>,
    /// What stands before the secret, such as `"Bearer "`.
    pub prefix: Option<String>,
}

/// An HTTP status: `"2xx"`, `"200-204"`, `503`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a status such as 503, or a range such as \"2xx\" or \"200-204\""))]
pub enum StatusText {
    /// One status.
    One(#[schemars(range(min = 100, max = 599))] u16),
    /// A range.
    Range(String),
}

/// The statuses that are an answer where nothing else is said.
pub fn success() -> Vec<StatusText> {
    vec![StatusText::Range("2xx".to_owned())]
}

/// Where a reading stands in an HTTP answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expects" = "a JSONPath, a list of them, { header = \"NAME\" }, { count = \"PATH\" }, { list = \"PATH\" } or { past = \"PATH\", pattern = \"REGEX\" }"))]
pub enum HttpReading {
    /// In the JSON body.
    Path(PathText),
    /// In the JSON body, at the first of these that is there.
    FirstOf(Vec<PathText>),
    /// Elsewhere.
    Other(HttpReadingTable),
}

/// Exactly one of `header`, `count`, `list` and `past`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpReadingTable {
    /// In the header of this name.
    pub header: Option<String>,
    /// How many values this path matches in the JSON body.
    pub count: Option<PathText>,
    /// Every text that this path matches in the JSON body, to choose from.
    pub list: Option<PathText>,
    /// With `list`: instead of the texts that it matches, a line for each node, of what these
    /// paths match within it. Times are shown to the minute.
    #[serde(default)]
    pub labels: Vec<PathText>,
    /// How many of the texts that this path matches name a point in time that is over.
    pub past: Option<PathText>,
    /// Where in such a text the time stands: the first group, or all that matches. Without
    /// it, the whole text is the time.
    pub pattern: Option<String>,
}

/// A field of Redis's INFO.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InfoReading {
    /// The name of the field.
    pub info: String,
}

/// Header names and values.
pub type Headers = BTreeMap<String, TextValue>;
