//! What can be said of a program before it runs.

use std::{fs, os::unix::fs::MetadataExt};

use super::Findings;
use crate::actions::plan::command::CommandJob;

/// Looks at the program's file.
pub(super) fn look(job: &CommandJob, found: &mut Findings) {
    let program = job.program.display();
    match fs::metadata(&job.program) {
        Ok(facts) if facts.mode() & 0o002 != 0 => {
            found.find(format!("{program} may be changed by anybody on this machine"));
        }
        Ok(_) => found.find(format!("{program} is there and may be run")),
        Err(error) => found.refuse(format!("{program}: {error}")),
    }
    found.find("what it will do cannot be measured: only its proof tells whether it worked");
}
