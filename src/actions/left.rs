//! What is left of a run whose runner is gone: its program, and what that started.

use rustix::process::Signal;

use super::{
    journal::{Journal, Record},
    process::{self, ProcessId},
    verdict::Last,
};
use crate::domain::ids::RunId;

/// The variable by which the programs of a run are found again.
pub(super) const RUN_VARIABLE: &str = "WATCHFLOOR_RUN";

/// The program of a run that was started and is not over: by its identity, or where the
/// runner was ended before it could write that down, by the variable that it carries.
pub(super) fn program_of(record: &Record) -> Option<ProcessId> {
    match (record.last, &record.process) {
        (Last::Intended | Last::Finished, _) => None,
        (_, Some(process)) => Some(process.clone()).filter(ProcessId::is_alive),
        (_, None) => process::with_variable(RUN_VARIABLE, record.past.run.as_str()).next(),
    }
}

/// The program of a run that goes on, where it does: also one that could not be ended, so
/// that its run was over before it.
pub(super) fn still_running(journal: &Journal, run: &RunId) -> Option<i32> {
    let record = journal.record(run)?;
    let left = || record.process.clone().filter(ProcessId::is_alive);
    Some(program_of(&record).or_else(left)?.pid)
}

/// Asks the program of a run whose runner is gone to end, with all that it started. One that
/// has ended by itself meanwhile needs nothing.
pub(super) fn ask_to_end(record: &Record) -> Result<(), String> {
    let mut left: Vec<_> = record.process.clone().into_iter().collect();
    if record.last != Last::Finished {
        left.extend(process::with_variable(RUN_VARIABLE, record.past.run.as_str()));
    }
    let mut refused = None;
    let mut reached = false;
    for process in left {
        match process.signal_group(Signal::TERM) {
            Ok(()) => {
                reached = true;
                // A stopped process takes the request only once it goes on.
                let _ = process.signal_group(Signal::CONT);
            }
            Err(error) if process.is_alive() => {
                refused.get_or_insert(format!("process {}: {error}", process.pid));
            }
            Err(_) => {}
        }
    }
    refused.filter(|_| !reached).map_or(Ok(()), Err)
}
