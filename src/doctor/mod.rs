//! Whether what a window may need would work now, said before the window: programs and
//! scripts, commands of a form that is known to be wrong, endpoints of actions, rights,
//! certificates, clocks, contacts, and the machine itself.
pub mod forms;
pub mod script;
mod shell;
