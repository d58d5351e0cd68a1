//! The heart: [`state::State`], the messages that change it, and [`update::update`],
//! which applies them. Pure: no I/O, no clock, no terminal. What must happen outside is
//! returned as an [`msg::Effect`].

pub mod command;

pub mod msg;

pub mod state;

pub mod view;

pub mod sources;

pub mod findings;

pub mod health;

pub mod cache;

pub mod latency;

pub mod limits;

pub mod database;

pub mod logs;

pub mod escalation;

pub mod examination;

pub mod actions;

pub mod alerts;

pub mod notices;

pub mod palette;

pub mod rows;

pub mod summary;

pub mod copy;

pub mod tally;

pub mod update;
