//! watchfloor: an operations console for the engineer who is on call.
//!
//! Everything that happens is a message; one owner applies it; everything else is derived.
//! `ARCHITECTURE.md` has the map.

pub mod actions;

pub mod config;

pub mod domain;
