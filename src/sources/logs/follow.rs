//! Following a file, for ever.

use std::{io, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Phase, Shared, gather::Stage, program, tail::Tail};
use crate::{
    config::profile::{LogOrigin, LogsSource},
    domain::failure::{Failure, FailureKind},
};

/// How often a file is looked at, and a program's silence.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An object whose next line does not come for this long is taken as it is.
pub(super) const OBJECT_PATIENCE: Duration = Duration::from_secs(2);

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
            let reading = tokio::task::spawn_blocking(move || {
                let read = tail.read();
                (tail, read)
            });
            let Ok((back, read)) = reading.await else { return };
            tail = back;
            let read = match read {
                Ok(read) => read,
                Err(error) => {
                    shared.phase(Phase::Trouble(unreadable(&error, path)));
                    break;
                }
            };
            let now = Timestamp::now();
            let mut gathered = shared.found();
            if read.skipped {
                gathered.skipped_before();
            }
            if !read.lines.is_empty() {
                last = Instant::now();
            }
            let is_live = read.lines.iter().any(|(_, before)| !before);
            for (line, before) in read.lines {
                gathered.line(line, if before { Stage::Before } else { Stage::Live }, now);
            }
            if read.more && is_live {
                // It may grow faster than it is read, for ever; what comes is read all the same.
                shared.phase(Phase::Following);
            }
            if !read.more {
                if gathered.waits() && last.elapsed() >= OBJECT_PATIENCE {
                    gathered.give_up(now);
                }
                drop(gathered);
                shared.phase(Phase::Following);
                break;
            }
        }
    }
}

fn unreadable(error: &io::Error, path: &Path) -> Failure {
    let path = path.display();
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => {
            (FailureKind::MissingEndpoint, format!("there is no file {path}"))
        }
        io::ErrorKind::PermissionDenied => {
            (FailureKind::Forbidden, format!("{path} may not be read"))
        }
        io::ErrorKind::IsADirectory => {
            (FailureKind::Misconfigured, format!("{path} is a directory"))
        }
        _ => (FailureKind::BadAnswer, format!("{path} cannot be read: {error}")),
    };
    Failure::new(kind, message)
}
