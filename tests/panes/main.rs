//! The panes: what they say in every situation, and how it looks.

// What the helpers of tests cannot do must fail the test.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod alerts;

mod logs;

mod service;

mod verdict;

mod pictures;

mod corners;

mod promises;
