//! `attach`: answers an interactive action that goes on. `on-terminal`: becomes its program.

use std::{ffi::OsString, path::Path, process::ExitCode};

use super::{
    args::{Attach, Common},
    configuration, live, out,
};
use crate::{
    actions,
    domain::ids::RunId,
    runtime::attach::{self, Left},
};

/// There was nothing to attach to, or somebody else is there.
const REFUSED: u8 = 2;
/// The program goes on.
const GOES_ON: u8 = 3;
/// The program could not be started, as shells have it.
const NOT_STARTED: u8 = 127;

/// Hands the terminal over until the program ends, or Ctrl-] is pressed.
pub(super) fn run(common: &Common, options: &Attach) -> color_eyre::Result<ExitCode> {
    let loaded = match configuration::load(common, &configuration::request(common)) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let run = RunId::from(options.run.as_str());
    let tokio = live::tokio()?;
    let left = tokio.block_on(attach::answer_run(&loaded.profile, &run, options.take_over));
    tokio.shutdown_timeout(live::SHUTDOWN);
    let goes_on = match left {
        Ok(Left::Ended) => {
            return out::line(&format!(
                "it has ended; what came of it: watchfloor journal show {run}"
            ));
        }
        Err(why) => {
            out::error(&format!("not attached to {run}: {why}"));
            return Ok(ExitCode::from(REFUSED));
        }
        Ok(Left::Key | Left::Gone) => "it goes on".to_owned(),
        Ok(Left::Lost(why)) => format!("it goes on: {why}"),
    };
    out::error(&format!("{goes_on}; to answer it again: watchfloor attach {run}"));
    Ok(ExitCode::from(GOES_ON))
}

/// Returns only where the program cannot be started.
pub(super) fn become_program(
    program: &Path,
    name: &str,
    arguments: &[OsString],
) -> color_eyre::Result<ExitCode> {
    out::error(&actions::on_terminal(program, name, arguments).to_string());
    Ok(ExitCode::from(NOT_STARTED))
}
