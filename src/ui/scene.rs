//! What every part of the screen is drawn from.

use super::theme::Theme;
use crate::app::{
    state::{State, World},
    view::View,
};

/// The state as a part of the screen sees it. Read only.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What the panes show: the world now, or as it was when the panes were frozen.
    pub world: &'a World,
    /// What the operator is looking at.
    pub view: &'a View,
    /// The look.
    pub theme: Theme,
}

impl<'a> Scene<'a> {
    /// The scene of a state.
    pub fn new(state: &'a State, theme: Theme) -> Self {
        Self { world: state.shown(), view: &state.view, theme }
    }
}
