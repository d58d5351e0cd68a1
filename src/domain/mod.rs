//! Plain types and arithmetic. No I/O, no clock, no async: nothing here can fail
//! because of the world outside, and everything here can be tested with a table.
//!
//! Suggested reading order: [`time`], [`reading`], [`verdict`], [`observation`],
//! [`catalog`], then the arithmetic.

pub mod time;

pub mod ids;

pub mod verdict;

pub mod failure;

pub mod value;

pub mod reading;

pub mod observation;

mod cursor;

pub mod condition;

pub mod rule;

pub mod guard;

pub mod action;

pub mod catalog;

pub mod counter;

pub mod percentile;

pub mod histogram;

pub mod hysteresis;

pub mod violations;

pub mod text;

pub mod template;

pub mod ask;

pub mod wanted;

pub mod keys;

pub mod sql;

pub mod notification;

pub mod delivery;

pub mod outbox;

pub mod examination;

pub mod log;

pub mod rights;
