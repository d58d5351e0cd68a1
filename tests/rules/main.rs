//! Alert rules from the outside: against Prometheus, and from file to trajectory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod command;
mod differential;
mod notified;
mod profiles;
mod restart;
