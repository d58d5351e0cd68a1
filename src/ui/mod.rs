//! The screen: a pure function from the state to cells.
//!
//! ```text
//! ┌ header: service, environment, armed or read-only, live or frozen, clock, pulse ┐
//! │ panes: a grid where there is room, one pane and a strip of tabs where there is  │
//! │ little, one line per signal where there is none                                 │
//! └ footer: the keys that work here, the newest message                             ┘
//! ```
//!
//! Layers (help, palette, menus, dialogs) are drawn over the panes, the topmost last.
//! Nothing in here changes the state.

pub mod format;

pub mod panes;

pub mod scene;

pub mod theme;
