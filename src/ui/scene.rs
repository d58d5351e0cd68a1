//! What every part of the screen is drawn from.

use super::theme::Theme;
use crate::app::{
    findings::{self, Finding},
    state::{State, World},
    view::View,
};

/// The state as a part of the screen sees it. Read only.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// What the panes show: the world now, or as it was when the panes were frozen.
    pub world: &'a World,
    /// What is watched there and what it comes to, judged once for the whole frame.
    pub findings: Vec<Finding>,
    /// What the operator is looking at.
    pub view: &'a View,
    /// The look.
    pub theme: Theme,
}

impl<'a> Scene<'a> {
    /// The scene of a state.
    pub fn new(state: &'a State, theme: Theme) -> Self {
        let world = state.shown();
        Self { world, findings: findings::of(world), view: &state.view, theme }
    }
}
