//! `attach`: answers an interactive action that goes on. `on-terminal`: becomes its program.

use std::{ffi::OsString, path::Path, process::ExitCode};

use super::{
    args::{Attach, Common},
    configuration, live, logging, out, run,
};
use crate::{
    actions,
    domain::ids::RunId,
    runtime::attach::{self, Answered, HowItEnded, Left},
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
    let _log =
        logging::start(&loaded.profile.state_dir, common.verbose).map_err(|why| out::error(&why));
    let mut proving = || out::error("it has ended; looking at the proof");
    let tokio = live::tokio()?;
    let answered = tokio.block_on(attach::answer_run(
        loaded.profile,
        &options.run,
        options.take_over,
        &mut proving,
    ));
    tokio.shutdown_timeout(live::SHUTDOWN);
    let (run, left) = match answered {
        Ok((run, Answered::Over(how))) => return over(&run, how),
        Ok((run, Answered::Left(left))) => (run, left),
        Err(why) => {
            out::error(&format!("not attached to {}: {why}", options.run));
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let goes_on = match left {
        Left::Lost(why) => format!("it goes on: {why}"),
        _ => "it goes on".to_owned(),
    };
    out::error(&format!("{goes_on}; to answer it again: watchfloor attach {run}"));
    Ok(ExitCode::from(GOES_ON))
}

/// Says what came of a run, and exits by it as `run` does.
fn over(run: &RunId, how: HowItEnded) -> color_eyre::Result<ExitCode> {
    let more = format!("what the journal knows: watchfloor journal show {run}");
    let code = match how {
        HowItEnded::Proven(run, unwritten) => {
            unwritten.iter().for_each(|why| out::error(why));
            out::line(&run::outcome_of(&run))?;
            run::code_of(run.outcome)
        }
        HowItEnded::Known(outcome) => {
            out::line(&format!("{}, as another console found; {more}", outcome.word()))?;
            run::code_of(Some(outcome))
        }
        HowItEnded::Unseen(why) => {
            out::error(&format!("{why}; {more}"));
            run::code_of(None)
        }
    };
    Ok(ExitCode::from(code))
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
