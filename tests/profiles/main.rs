//! The built-in profiles against services that behave as theirs do, with real servers behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "../common/mod.rs"]
mod common;

mod bici;
mod bici_actions;
mod console;
mod exodrive;
mod exodrive_actions;
mod redcube;
mod redcube_actions;
mod standin;
