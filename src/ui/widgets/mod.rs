//! Small builders that turn borrowed data into lines of text. They know the look of the
//! screen and nothing of the state.

pub mod badge;

pub mod bar;

pub mod chart;

pub mod pairs;

pub mod sections;

pub mod table;

pub mod window;

use super::theme::Theme;

/// What stands where a value is not known. Always with the reason in words nearby.
pub fn dash(theme: Theme) -> &'static str {
    if theme.ascii { "-" } else { "—" }
}
