//! What several test programs share: real servers that start on free ports, in temporary
//! directories, and stop when they are dropped, also by a panic; a pseudo-terminal; screens
//! as text.

// Each test program uses its own part of it. A server that does not start ends the test.
#![allow(dead_code, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

pub mod alerting;
pub mod certs;
pub mod desk;
pub mod example;
pub mod logging;
pub mod postgres;
pub mod pty;
pub mod raw;
pub mod screen;
pub mod servers;
