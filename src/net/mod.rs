//! Connections to what is watched and to what is acted upon: names, addresses, TLS, logins,
//! and what goes wrong with them in words.
//!
//! Polls and actions connect in the same way, so that a preview, a run and the reading that
//! proves it meet the same server under the same conditions, and say the same when they do
//! not. What is asked, and how often, is decided above: nothing in here repeats anything
//! that was sent. Time limits stand outside, around the futures of this floor; a
//! [`progress::Progress`] says how far an attempt had come.

pub mod certificate;

pub mod dial;

pub mod http;

pub mod meter;

pub mod postgres;

pub mod program;

pub mod progress;

pub mod readings;

pub mod redis;

pub mod retry;

pub mod tls;

pub mod words;
