//! From files, environment and flags to a validated [`profile::Profile`], or to a list of
//! everything that is wrong with them.

pub mod profile;

pub mod secret;
