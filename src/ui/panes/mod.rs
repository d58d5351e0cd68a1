//! The panes.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    widgets::{Block, Widget},
};

use super::scene::Scene;
use crate::{
    app::view::Pane,
    domain::verdict::{Quality, Verdict},
};

/// A pane in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneLine {
    /// The worst of its rows.
    pub verdict: Verdict,
    /// What the data behind it is worth.
    pub quality: Quality,
    /// Why, in words.
    pub text: String,
}

/// Draws a pane: border, title, content.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    scene: &Scene<'_>,
    pane: Pane,
    focused: bool,
    _: bool,
) {
    Block::bordered()
        .title(format!(" {} {} ", pane.number(), pane.title()))
        .border_style(scene.theme.border(focused))
        .render(area, buffer);
}

/// A pane in one line.
pub fn line(_: &Scene<'_>, _: Pane) -> PaneLine {
    PaneLine { verdict: Verdict::Unknown, quality: Quality::Waiting, text: String::new() }
}
