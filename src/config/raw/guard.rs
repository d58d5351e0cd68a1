//! What guards an action, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    action::RawLoad,
    ask::RawAsk,
    value::{ConditionText, DurationText},
};
use crate::domain::guard::Guard;

/// How hard it must be to start. What only reads is no action.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum RawGuard {
    /// Cheap and repeatable.
    G1,
    /// A change of production.
    G2,
    /// Disruptive.
    G3,
    /// Irreversible, money, data.
    G4,
}

impl From<RawGuard> for Guard {
    fn from(raw: RawGuard) -> Self {
        match raw {
            RawGuard::G1 => Self::G1,
            RawGuard::G2 => Self::G2,
            RawGuard::G3 => Self::G3,
            RawGuard::G4 => Self::G4,
        }
    }
}

/// What every kind of action has.
#[derive(Clone, Copy, Debug)]
pub struct Guarding<'a> {
    /// A verb and an object.
    pub title: Option<&'a str>,
    /// How hard it must be to start.
    pub guard: Guard,
    /// Its letter.
    pub key: Option<&'a str>,
    /// What it does.
    pub effects: &'a [String],
    /// What it does not undo.
    pub leaves: &'a [String],
    /// What undoes it.
    pub undo: Option<&'a str>,
    /// When it must not be started.
    pub refuse_when: &'a [ConditionText],
    /// What comes on a database.
    pub load: Option<&'a RawLoad>,
    /// What proves it.
    pub proof: &'a [ConditionText],
    /// How long the proof may take.
    pub proof_within: &'a DurationText,
    /// How soon it may be run again.
    pub cooldown: &'a DurationText,
    /// When it is given up; by its kind where nothing is said.
    pub timeout: Option<&'a DurationText>,
    /// What it keeps others from doing meanwhile.
    pub locks: &'a [String],
    /// Whether it is there at all.
    pub enabled: bool,
    /// Left out where a variable is not set.
    pub optional: bool,
    /// What it asks for when it is started.
    pub asks: &'a BTreeMap<String, RawAsk>,
    /// May be run for practice.
    pub drill: bool,
}
