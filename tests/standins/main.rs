//! The stand-ins of the operated systems, over real sockets and with real servers: that they
//! have the oddities of what they stand in for, that the right action mends them, and that
//! the wrong one does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

#[path = "../common/mod.rs"]
mod common;

mod exodrive;
mod harness;
mod redcube;
mod stories;
