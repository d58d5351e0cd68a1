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
    /// There is nothing to judge: nobody used the thing, there are too few samples of it, or it
    /// was left out on purpose. Counts neither for nor against the whole. Never stands for
    /// something that could not be reached: that is unknown.
    Unjudged,
}

impl Verdict {
    /// How far up a worst-first list it belongs: critical, warning, unknown, ok,
    /// nothing to judge.
    pub fn badness(self) -> u8 {
        match self {
            Self::Unjudged => 0,
            Self::Ok => 1,
            Self::Unknown => 2,
            Self::Warning => 3,
            Self::Critical => 4,
        }
    }

    /// The worst of several; nothing to judge where there are none.
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::Unjudged, Self::worse)
    }

    /// Whether somebody has to know of it.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Warning | Self::Critical | Self::Unknown)
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
            Self::Unjudged => "IDLE",
        }
    }

    /// The word on the screen. Where there is nothing to judge, the quality tells why.
    pub fn word_for(self, quality: Quality) -> &'static str {
        match (self, quality) {
            (Self::Unjudged, Quality::TooFew) => "TOO FEW",
            (Self::Unjudged, Quality::Unconfigured) => "OFF",
            (Self::Unjudged, Quality::Waiting) => "WAITING",
            (Self::Unjudged, Quality::Unrated | Quality::Late) => "SEEN",
            _ => self.word(),
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
    /// It happened too rarely for a figure that means something.
    TooFew,
    /// Nothing was observed yet.
    Waiting,
    /// No source is configured for it.
    Unconfigured,
    /// The server does not have it.
    NotOffered,
    /// The console itself is cut off.
    Offline,
    /// There are figures, but nothing says which of them are good.
    Unrated,
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
            Self::TooFew => "too few",
            Self::Waiting => "waiting",
            Self::Unconfigured => "not configured",
            Self::NotOffered => "not offered",
            Self::Offline => "offline",
            Self::Unrated => "not rated",
        }
    }

    /// Whether a value of this quality may support the verdict "ok".
    pub fn usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Late)
    }
}
