//! What several test programs share. Not every program uses all of it.
#![allow(dead_code)]
// The lints are relaxed in tests, which helpers of tests are not known to be.
#![allow(clippy::expect_used, clippy::panic)]

pub mod screen;

pub mod desk;

pub mod example;
