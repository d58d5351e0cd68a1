//! The screen: what it says and how it looks, and what keys do to it.

#[path = "../common/mod.rs"]
mod common;

mod alerts;

mod doctor;

mod every_size;

mod forms;

mod frames;

mod keys;

mod plain;

mod runs;

mod stories;
