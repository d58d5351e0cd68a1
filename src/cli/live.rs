//! `live`: the console itself.

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use super::{
    args::{Common, Live},
    configuration, logging, out,
};
use crate::{
    app::summary,
    runtime::{self, Outside, event_loop::Exit},
    terminal::{hooks::ContainedPanics, signals::Signal},
};

/// How long what is still under way at the end may take.
pub(super) const SHUTDOWN: Duration = Duration::from_secs(2);

/// Starts the console on the configured sources.
pub(super) fn run(
    common: &Common,
    options: &Live,
    panics: ContainedPanics,
) -> color_eyre::Result<ExitCode> {
    let request = configuration::request(common);
    let loaded = match configuration::load(common, &request) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let log = logging::start(&loaded.profile.state_dir, common.verbose);
    let mut plan = runtime::Plan::new(loaded, options.lasting);
    plan.reload = Some(request);
    plan.panics = Some(panics);
    plan.remarks.extend(log.as_ref().err().cloned());
    finish(tokio()?, plan, options)
}

/// Runs a console in the way that the terminal and the options allow.
pub(super) fn finish(
    tokio: tokio::runtime::Runtime,
    plan: runtime::Plan,
    options: &Live,
) -> color_eyre::Result<ExitCode> {
    let done = run_on(&tokio, plan, options);
    // Lines on their way to the journal are waited for; a name that never resolves is not.
    tokio.shutdown_timeout(SHUTDOWN);
    done
}

fn run_on(
    tokio: &tokio::runtime::Runtime,
    plan: runtime::Plan,
    options: &Live,
) -> color_eyre::Result<ExitCode> {
    if options.headless || options.json {
        let outside = Outside { print: &mut out::error, unread: &out::is_unread };
        let (state, exit) = tokio.block_on(runtime::headless(plan, outside))?;
        out::json(&summary::summary(&state.world))?;
        return Ok(code(exit));
    }
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let exit = if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !dumb {
        tokio.block_on(runtime::screen(plan))?
    } else {
        // A line that nobody reads is no error: the end of the reader is noticed below.
        let mut print = |line: &str| drop(out::line(line));
        let outside = Outside { print: &mut print, unread: &out::is_unread };
        tokio.block_on(runtime::plain(plan, outside))?
    };
    Ok(code(exit))
}

/// Leaving is success; a signal is reported as a shell would.
fn code(exit: Exit) -> ExitCode {
    match exit {
        Exit::Quit | Exit::Deadline | Exit::Unread => ExitCode::SUCCESS,
        Exit::InputEnded => ExitCode::from(Signal::Hangup.exit_code().unwrap_or_default()),
        Exit::Signal(signal) => ExitCode::from(signal.exit_code().unwrap_or_default()),
    }
}

/// The runtime: the loop stays on the main thread, two workers do the waiting.
pub(super) fn tokio() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
