//! Following a file, for ever.

use std::{future::Future, io, path::Path, pin::pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    task::{JoinError, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{
    Phase, Shared,
    gather::{Gathered, Stage},
    program,
    tail::{Read, Tail, Unreadable},
};
use crate::{
    config::profile::{LogOrigin, LogsSource},
    domain::{
        failure::{Failure, FailureKind},
        time::short_duration,
    },
};

/// How often a file is looked at, and a program's silence.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An object whose next line does not come for this long is taken as it is.
pub(super) const OBJECT_PATIENCE: Duration = Duration::from_secs(2);

/// A file system that has not answered for this long hangs.
const HANGS: Duration = Duration::from_secs(10);

/// What is read this late is read as it comes.
const IN_TIME: Duration = Duration::from_secs(10);

/// Follows the log until the task is dropped.
pub(super) async fn follow(config: LogsSource, shared: Arc<Shared>) {
    match &config.from {
        LogOrigin::File(path) => file(path, &shared).await,
        LogOrigin::Command { program, silent_after } => {
            let longest = config.windows.iter().copied().max().unwrap_or_default();
            program::follow(program, *silent_after, longest, &shared).await;
        }
    }
}

async fn file(path: &Path, shared: &Shared) {
    let mut tail = Tail::new(path);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        look.tick().await;
        loop {
            let reading = spawn_blocking(move || {
                let read = tail.read();
                (tail, read)
            });
            let hangs = |length| shared.phase(Phase::Trouble(hung(length, path)));
            let Ok((back, read)) = patiently(reading, hangs).await else { return };
            tail = back;
            let read = match read {
                Ok(read) => read,
                Err(error) => {
                    shared.phase(Phase::Trouble(unreadable(&error, path)));
                    break;
                }
            };
            if read.pieces.iter().any(|piece| !piece.lines.is_empty()) {
                last = Instant::now();
            }
            let (more, late) = (read.more, read.late);
            let is_live = read.pieces.iter().any(|piece| !piece.before);
            let mut gathered = shared.found();
            take(&mut gathered, read);
            if !more && gathered.waits() && last.elapsed() >= OBJECT_PATIENCE {
                gathered.give_up(Timestamp::now());
            }
            drop(gathered);
            if !more || (is_live && late <= IN_TIME) {
                shared.phase(Phase::Following);
            } else if is_live {
                shared.phase(Phase::Behind);
            }
            if !more {
                break;
            }
        }
    }
}

/// Takes what was read.
fn take(gathered: &mut Gathered, read: Read) {
    let now = Timestamp::now();
    if read.skipped {
        gathered.skipped_before();
    }
    if read.lost > 0 {
        gathered.lost(read.lost, now);
    }
    if read.rewritten {
        gathered.doubts().rewritten(now);
    }
    gathered.doubts().behind(read.behind, read.late);
    gathered.doubts().endless(read.endless);
    for piece in read.pieces {
        let stage = if piece.before { Stage::Before } else { Stage::Live };
        gathered.late(piece.late);
        for line in piece.lines {
            gathered.line(line, stage, now);
        }
    }
    gathered.late(Duration::ZERO);
}

/// What comes of work that may hang. Tells `hangs` so, and for how long, again and again; it
/// is waited for all the same, as it can neither be ended nor begun anew.
async fn patiently<T>(
    work: impl Future<Output = Result<T, JoinError>>,
    mut hangs: impl FnMut(Duration),
) -> Result<T, JoinError> {
    let began = Instant::now();
    let mut work = pin!(work);
    loop {
        match timeout(HANGS, &mut work).await {
            Ok(done) => return done,
            Err(_) => hangs(began.elapsed()),
        }
    }
}

fn hung(length: Duration, path: &Path) -> Failure {
    let length = short_duration(Duration::from_secs(length.as_secs()));
    let message = format!("{} has not let itself be read for {length}", path.display());
    Failure::new(FailureKind::Timeout, message).hint("does its file system answer, and its disk?")
}

fn unreadable(error: &Unreadable, path: &Path) -> Failure {
    let path = path.display();
    let error = match error {
        Unreadable::Io(error) => error,
        Unreadable::NotAFile(what) => {
            let message = format!("{path} is {what}, no file");
            let failure = Failure::new(FailureKind::Misconfigured, message);
            return match *what {
                "a directory" => failure.hint("name the file in it that is written to"),
                _ => failure.hint(
                    "follow it by a program instead: argv = [\"cat\", \"PATH\"] or what else prints it",
                ),
            };
        }
    };
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => {
            (FailureKind::MissingEndpoint, format!("there is no file {path}"))
        }
        io::ErrorKind::PermissionDenied => {
            (FailureKind::Forbidden, format!("{path} may not be read"))
        }
        _ => (FailureKind::BadAnswer, format!("{path} cannot be read: {error}")),
    };
    Failure::new(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_system_that_hangs_is_said_and_waited_for() {
        let mut said = Vec::new();
        let work = async {
            tokio::time::sleep(Duration::from_secs(35)).await;
            Ok(7)
        };
        let done = patiently(work, |length| said.push(length.as_secs())).await;
        assert_eq!((done.ok(), said), (Some(7), vec![10, 20, 30]));
        let failure = hung(Duration::from_secs(10), Path::new("/x"));
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert!(!failure.message.is_empty());
    }
}
