//! How hard it must be to start an action.

use serde::{Deserialize, Serialize};

/// Guard levels, by what a mistake would cost.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Guard {
    /// Reads only: `y`, and no need to be armed.
    G0,
    /// Cheap and repeatable: a dialog, `y`.
    G1,
    /// A change of production: preview, a reason, `y`.
    G2,
    /// Disruptive: preview, a reason, the target's name typed, a countdown that any key stops.
    G3,
    /// Irreversible, money, data: everything of G3 and a second person.
    G4,
}

impl Guard {
    /// What starting it takes, in words.
    pub fn demands(self) -> &'static str {
        match self {
            Self::G0 | Self::G1 => "y to confirm",
            Self::G2 => "a reason, then y",
            Self::G3 => "a reason, the target typed, 5 s countdown",
            Self::G4 => "as G3, and a second person",
        }
    }

    /// Whether a reason must be given.
    pub fn wants_reason(self) -> bool {
        self >= Self::G2
    }

    /// Whether a second person must agree.
    pub fn wants_second_person(self) -> bool {
        self >= Self::G4
    }

    /// Whether the name of the target must be typed.
    pub fn wants_target_typed(self) -> bool {
        self >= Self::G3
    }
}
