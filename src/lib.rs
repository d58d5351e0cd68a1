//! watchfloor: an operations console for the engineer who is on call.
//!
//! Everything that happens is a message; one owner applies it; everything else is derived.
//! `ARCHITECTURE.md` has the map.

pub mod domain;

pub mod config;

pub mod app;

pub mod ui;

mod net;

pub mod sources;

pub mod actions;

pub mod notify;

pub mod doctor;

pub mod terminal;

pub mod demo;

pub mod runtime;

pub mod cli;
