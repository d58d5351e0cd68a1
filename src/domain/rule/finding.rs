//! What one evaluation of a rule found.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{time::Moment, value::Value, verdict::Quality};

/// What one evaluation of a rule found, with everything that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether the condition is true: something is wrong. None where that cannot be said.
    pub bad: Option<bool>,
    /// What the data is worth.
    pub quality: Quality,
    /// The figure, where there is one.
    pub value: Option<Value>,
    /// What it is compared with, where that is a number that is worked out.
    pub threshold: Option<Value>,
    /// How many values the figure rests on.
    pub n: Option<u64>,
    /// How much of the window was watched, where not all of it was: the figure is then a
    /// lower bound, and "all is well" is not known.
    pub covered: Option<Duration>,
    /// Why it cannot be said, or what is special about it.
    pub why: Option<String>,
    /// When the newest value that it rests on was seen.
    pub seen: Option<Moment>,
    /// Which clause of the condition it is of: the one that decided, from 0.
    #[serde(default)]
    pub clause: usize,
}

impl Finding {
    /// Something that was measured.
    pub(super) fn known(bad: Option<bool>, value: Value, n: u64) -> Self {
        Self {
            bad,
            quality: Quality::Fresh,
            value: Some(value),
            threshold: None,
            n: Some(n),
            covered: None,
            why: None,
            seen: None,
            clause: 0,
        }
    }

    /// Nothing that can be said.
    pub fn unknown(quality: Quality, why: impl Into<String>) -> Self {
        Self {
            bad: None,
            quality,
            value: None,
            threshold: None,
            n: None,
            covered: None,
            why: Some(why.into()),
            seen: None,
            clause: 0,
        }
    }

    /// Whether it is known that nothing is wrong, from data that can be believed.
    pub fn is_good(&self) -> bool {
        self.bad == Some(false) && self.quality.usable()
    }

    /// Whether it is known that something is wrong, from data that can be believed.
    pub fn is_bad(&self) -> bool {
        self.bad == Some(true) && self.quality.usable()
    }
}
