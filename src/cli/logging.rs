//! The diagnostic log: a file a day in the state directory, never the terminal.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path};

use tracing_appender::{
    non_blocking::{NonBlockingBuilder, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::EnvFilter;

/// Days that are kept.
const KEEP: usize = 7;

/// Lines that may wait for the disk; room for them is taken at once. More are dropped.
const WAITING: usize = 4_096;

/// Starts the log. The guard must live as long as something may be logged. A state
/// directory that cannot be written means no log, and a word about it.
pub(super) fn start(state_dir: &Path, verbose: u8) -> Result<WorkerGuard, String> {
    let directory = state_dir.join("log");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .map_err(|error| format!("no log: cannot create {}: {error}", directory.display()))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("watchfloor")
        .filename_suffix("log")
        .max_log_files(KEEP)
        .build(&directory)
        .map_err(|error| format!("no log in {}: {error}", directory.display()))?;
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING).finish(appender);
    let level = match verbose {
        0 => "warn,watchfloor=info",
        1 => "info,watchfloor=debug",
        _ => "debug,watchfloor=trace",
    };
    let filter =
        EnvFilter::try_from_env("WATCHFLOOR_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_writer(writer)
        .with_env_filter(filter)
        .with_ansi(false)
        .try_init()
        .map_err(|error| format!("no log: {error}"))?;
    Ok(guard)
}
