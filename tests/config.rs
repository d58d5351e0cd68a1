//! Configurations, from text to profile or to everything that is wrong with them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[path = "config/asks.rs"]
mod asks;
#[path = "config/bad.rs"]
mod bad;
#[path = "config/example.rs"]
mod example;
#[path = "config/fuzz.rs"]
mod fuzz;
#[path = "config/layering.rs"]
mod layering;
#[path = "config/notify.rs"]
mod notify;
#[path = "config/profiles.rs"]
mod profiles;
#[path = "config/secrets.rs"]
mod secrets;
#[path = "config/support.rs"]
mod support;
