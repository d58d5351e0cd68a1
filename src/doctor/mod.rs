//! Whether what a window may need would work now, said before the window: programs and
//! scripts, commands of a form that is known to be wrong, endpoints of actions, rights,
//! certificates, clocks, contacts, and the machine itself.
//!
//! Nothing in here acts: a program is looked at and not run, of an endpoint it is asked what
//! it takes, and rights are looked up or tried on what is not there. Every look has its time
//! limit and answers findings; in which order and how many at once is decided above, where
//! also the looks are taken that need a source or the journal.

pub mod certificates;

pub mod clock;

pub mod contacts;

pub mod database;

pub mod endpoint;

pub mod forms;

pub mod machine;

pub mod notify;

pub mod program;

pub mod redis;

pub mod script;

mod shell;
