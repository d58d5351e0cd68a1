//! The terminal: taking it, painting on it, reading from it, and giving it back as it was,
//! whatever happens.
//!
//! ```text
//!             bytes                        one frame
//! keyboard ─────────► input::Input  Screen ─────────► writer thread ─────► terminal
//!            thread     │ parser      │ diff            non-blocking
//!                       ▼             ▲
//!                      the loop of the program ◄── signals::Signals
//!                                     ▲
//!            panics, HUP, TERM, a dead terminal: hooks and watchdog give it back
//! ```
//!
//! Nothing that the loop calls in here waits for the terminal. Suggested reading order:
//! [`tty`], [`screen`], [`lent`], [`input`], [`signals`], [`watchdog`], [`hooks`].

pub mod tty;

pub mod screen;

mod encode;

mod guard;

mod writer;

pub mod lent;

pub mod input;

mod parser;

mod sequence;

pub mod signals;

pub mod watchdog;

pub mod hooks;

pub mod capabilities;

pub mod clipboard;

mod sys;
