//! What is left of a run whose runner is gone: its program, and what that started.

use rustix::process::{Signal, Uid};

use super::{
    journal::{Journal, Record},
    process::{self, ProcessId},
    verdict::{Last, Program},
};
use crate::domain::ids::RunId;

/// The variable by which the programs of a run are found again.
pub(super) const RUN_VARIABLE: &str = "WATCHFLOOR_RUN";

/// The program of a run that was started and is not over: by its identity, or where the
/// runner was ended before it could write that down, by the variable that it carries.
pub(super) fn program_of(record: &Record) -> Program {
    let found = match (record.last, &record.process) {
        (Last::Intended | Last::Finished, _) => return Program::Gone,
        (_, Some(process)) => Some(process.clone()).filter(ProcessId::is_alive),
        (_, None) => process::with_variable(RUN_VARIABLE, record.past.run.as_str()).next(),
    };
    match found {
        Some(process) => Program::Alive(process.pid),
        None if can_be_seen(record, rustix::process::geteuid()) => Program::Gone,
        None => Program::Hidden,
    }
}

/// Whether the program of a run would be found, if there were one: by its identity, or as
/// one of our own. In a sequence the identity is that of the step that was begun last, and
/// is not known until its program has been started and written down.
fn can_be_seen(record: &Record, us: Uid) -> bool {
    record.process.is_some()
        || us.is_root()
        || us.as_raw() == record.uid
        // Nothing outlives the machine.
        || record.supervisor.as_ref().is_some_and(|runner| !runner.is_of_this_boot())
}

/// The program of a run that goes on, where it does: also one that could not be ended, so
/// that its run was over before it.
pub(super) fn still_running(journal: &Journal, run: &RunId) -> Program {
    let Some(record) = journal.record(run) else { return Program::Gone };
    match (program_of(&record), &record.process) {
        (Program::Gone, Some(left)) if left.is_alive() => Program::Alive(left.pid),
        (program, _) => program,
    }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::action::{ActionOutcome, PastRun, Trace};

    fn record(last: Last, process: Option<ProcessId>) -> Record {
        Record {
            past: PastRun {
                run: "r1".into(),
                action: "deploy".into(),
                target: None,
                wall: Timestamp::UNIX_EPOCH,
                by: "bea@host".to_owned(),
                outcome: ActionOutcome::Unknown,
                resolved: false,
                trace: Trace::default(),
            },
            last,
            intended: Timestamp::UNIX_EPOCH,
            uid: 1000,
            supervisor: ProcessId::current(),
            process,
            cancelled: None,
            outcome: None,
            step: None,
        }
    }

    /// The step before had a program; that of the one that has begun is not known yet.
    #[test]
    fn the_program_of_somebody_elses_step_cannot_be_seen() {
        let [root, owner, other] = [0, 1000, 1001].map(Uid::from_raw);
        for last in [Last::Spawning, Last::Started] {
            let begun = record(last, None);
            assert!(!can_be_seen(&begun, other), "{last:?}");
            assert!(can_be_seen(&begun, owner), "{last:?}");
            assert!(can_be_seen(&begun, root), "{last:?}");
            assert!(can_be_seen(&record(last, ProcessId::current()), other), "{last:?}");
            let boot = "another boot".to_owned();
            let runner = ProcessId::current().map(|runner| ProcessId { boot, ..runner });
            assert!(can_be_seen(&Record { supervisor: runner, ..begun }, other), "{last:?}");
        }
    }
}
