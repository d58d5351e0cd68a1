//! The composition root: starts the tasks, runs the loop, carries out effects, stops.
//!
//! This is the only place that knows every other part. What the parts emit becomes a
//! message here; what the state machine asks for is done from here.

pub mod attach;

pub mod check;

mod chronicle;

pub mod clock;

pub mod doctor;

mod engine;

pub mod event_loop;

mod frames;

mod keep;
mod kept;

mod live;

pub mod one_action;

pub mod poller;

mod reload;
mod shared;

mod tty;

pub use live::{Outside, Plan, headless, plain, screen};
