//! The configuration as it is written, before anything is checked but its shape. Its JSON
//! schema drives the strict check, the schema for editors, and the defaults that are shown.

pub mod action;
pub mod ask;
pub mod logs;
pub mod notify;
pub mod pane;
pub mod probe;
pub mod program;
pub mod prometheus;
pub mod rule;
pub mod source;
pub mod sse;
pub mod step;
pub mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use action::RawAction;
use notify::RawNotify;
use pane::{RawCache, RawCheck, RawContact, RawDatabase, RawLatency, RawLimits};
use rule::RawRule;
use source::RawSource;
use value::{DurationText, Scalar};

/// A watchfloor configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "watchfloor configuration")]
pub struct RawConfig {
    /// A built-in profile on which this file builds; what stands in the file wins.
    #[expect(dead_code, reason = "read before the layers are merged; here for the schema")]
    pub profile: Option<String>,
    /// What is watched.
    pub service: RawService,
    /// Texts to be used as `${name}` in any other text. A name that is not here is looked up
    /// in the environment.
    #[serde(default)]
    #[expect(dead_code, reason = "put in before this is read; here for the schema")]
    pub vars: BTreeMap<String, Scalar>,
    /// What holds for every source and check that does not say otherwise.
    #[serde(default)]
    pub defaults: RawDefaults,
    /// How the screen looks.
    #[serde(default)]
    pub display: RawDisplay,
    /// Where files are kept.
    #[serde(default)]
    pub state: RawState,
    /// What is asked, by name.
    #[serde(default)]
    pub source: BTreeMap<String, RawSource>,
    /// Health checks, by name.
    #[serde(default)]
    pub check: BTreeMap<String, RawCheck>,
    /// Rows of the cache pane, by name.
    #[serde(default)]
    pub cache: BTreeMap<String, RawCache>,
    /// Rows of the latency pane, by name.
    #[serde(default)]
    pub latency: BTreeMap<String, RawLatency>,
    /// The rate-limit pane.
    pub limits: Option<RawLimits>,
    /// Rows of the database pane, by name.
    #[serde(default)]
    pub database: BTreeMap<String, RawDatabase>,
    /// Alert rules, by name.
    #[serde(default)]
    pub rule: BTreeMap<String, RawRule>,
    /// Whom to call, by name.
    #[serde(default)]
    pub contact: BTreeMap<String, RawContact>,
    /// Guarded actions, by name.
    #[serde(default)]
    pub action: BTreeMap<String, RawAction>,
    /// When alerts are told, and where to.
    pub notify: Option<RawNotify>,
}

/// What is watched.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawService {
    /// The service. `name/environment` must be typed to start a disruptive action.
    pub name: String,
    /// The environment, such as `production` or `staging`.
    pub environment: String,
}

/// What holds for every source and check that does not say otherwise.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDefaults {
    /// How often a source is asked.
    pub interval: DurationText,
    /// Each poll is moved by up to this share of the interval, 0 to 0.5.
    pub jitter: f64,
    /// When a poll is given up; shorter than the interval.
    pub timeout: DurationText,
    /// After failures the interval grows up to this.
    pub backoff_max: DurationText,
    /// A check turns critical only after this many bad looks in a row.
    #[schemars(range(min = 1, max = 1000))]
    pub down_after: u32,
    /// A check turns ok again only after this many good looks in a row.
    #[schemars(range(min = 1, max = 1000))]
    pub up_after: u32,
}

impl Default for RawDefaults {
    fn default() -> Self {
        Self {
            interval: "5s".into(),
            jitter: 0.1,
            timeout: "3s".into(),
            backoff_max: "15s".into(),
            down_after: 3,
            up_after: 2,
        }
    }
}

/// How the screen looks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDisplay {
    /// Colours.
    pub color: RawColor,
    /// ASCII only.
    pub ascii: bool,
    /// Times in UTC instead of the local zone.
    pub utc: bool,
    /// Frames per second at most.
    #[schemars(range(min = 1, max = 60))]
    pub fps: u8,
    /// Frames per second at most over SSH.
    #[schemars(range(min = 1, max = 60))]
    pub fps_ssh: u8,
    /// Nothing can be started at all.
    pub read_only: bool,
    /// Whether the title of the terminal window is set.
    pub title: bool,
}

impl Default for RawDisplay {
    fn default() -> Self {
        let display = super::profile::Display::default();
        Self {
            color: RawColor::Auto,
            ascii: display.ascii,
            utc: display.utc,
            fps: display.fps,
            fps_ssh: display.fps_ssh,
            read_only: display.read_only,
            title: display.title,
        }
    }
}

/// Colours.
#[derive(Clone, Copy, Debug, Deserialize, serde::Serialize, JsonSchema)]
pub enum RawColor {
    /// By the terminal and `NO_COLOR`.
    #[serde(rename = "auto")]
    Auto,
    /// The 16 colours of the terminal's own palette.
    #[serde(rename = "16")]
    Ansi16,
    /// 256 colours.
    #[serde(rename = "256")]
    Ansi256,
    /// 24 bits.
    #[serde(rename = "true")]
    TrueColor,
    /// Attributes only.
    #[serde(rename = "never")]
    Never,
}

/// Where files are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawState {
    /// The directory of the journal, the log and saved texts; otherwise
    /// `$XDG_STATE_HOME/watchfloor`.
    pub dir: Option<String>,
}
