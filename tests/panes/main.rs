//! The panes: what they say in every situation, and how it looks.

#[path = "../common/mod.rs"]
mod common;

mod service;

mod pictures;

mod corners;

mod promises;
