//! What the console thinks of a thing, and how much its thinking is worth.

use serde::{Deserialize, Serialize};

/// The judgement on a check, a pane or the whole service. A word first, then a glyph,
/// then a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Known to be well.
    Ok,
    /// Known to need attention.
    Warning,
    /// Known to be broken.
    Critical,
    /// Not known. Never counts as well.
    Unknown,
}

impl Verdict {
    /// How far up a worst-first list it belongs: critical, warning, unknown, ok.
    pub fn badness(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }

    /// The worse of the two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.badness() > self.badness() { other } else { self }
    }

    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARN",
            Self::Critical => "CRIT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What the data behind a verdict is worth. Stands beside a state, never instead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Younger than two intervals.
    Fresh,
    /// Between two and three intervals old: still usable, said so.
    Late,
    /// Older than three intervals.
    Stale,
    /// The last attempt failed.
    Error,
    /// It answers, but nothing happened that could be measured.
    NoTraffic,
    /// Nothing was observed yet.
    Waiting,
    /// No source is configured for it.
    Unconfigured,
    /// The server does not have it.
    NotOffered,
    /// The console itself is cut off.
    Offline,
}

impl Quality {
    /// The word on the screen; empty for fresh data, which needs none.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "",
            Self::Late => "late",
            Self::Stale => "stale",
            Self::Error => "error",
            Self::NoTraffic => "no traffic",
            Self::Waiting => "waiting",
            Self::Unconfigured => "not configured",
            Self::NotOffered => "not offered",
            Self::Offline => "offline",
        }
    }

    /// Whether a value of this quality may support the verdict "ok".
    pub fn usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Late)
    }
}
