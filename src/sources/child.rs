//! Programs that sources run.

use crate::{
    config::profile::Program,
    domain::failure::{Failure, FailureKind},
    net::program::{self, Running},
};

/// Starts the program with these arguments, which are its own with any places filled in.
/// There is nothing for it to read.
pub(super) fn start(program: &Program, argv: &[String]) -> Result<Running, Failure> {
    program::start(program, argv, false).map_err(|refused| {
        let failure = Failure::new(FailureKind::Misconfigured, refused.why);
        match refused.cure {
            Some(cure) => failure.hint(cure),
            None => failure,
        }
    })
}
