//! The diagnostic log: a file a day in the state directory, never the terminal.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tracing_appender::{
    non_blocking::{NonBlockingBuilder, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::EnvFilter;

use crate::config::secret::redact;

/// Days that are kept.
const KEEP: usize = 7;

/// A file is called `watchfloor.2026-11-20.log`, by the day in UTC.
const NAME: &str = "watchfloor";
const ENDING: &str = "log";

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
        .filename_prefix(NAME)
        .filename_suffix(ENDING)
        .max_log_files(KEEP)
        .build(&directory)
        .map_err(|error| format!("no log in {}: {error}", directory.display()))?;
    let private = Private { appender, directory, day: None };
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING).finish(private);
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

/// A log that only its owner can read, and without secrets: also what a library writes
/// leaves through here.
struct Private<W> {
    appender: W,
    directory: PathBuf,
    /// The day whose file is known to be private.
    day: Option<Date>,
}

impl<W> Private<W> {
    /// The appender opens a file that is there with the mode that it has, and makes a new
    /// one with the mode that the shell was left with: so it always finds one.
    fn prepare(&mut self, today: Date) -> io::Result<()> {
        if self.day == Some(today) {
            return Ok(());
        }
        let file = self.directory.join(format!("{NAME}.{today}.{ENDING}"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&file)?;
        // One from before may have been open to others.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        self.day = Some(today);
        Ok(())
    }
}

impl<W: Write> Write for Private<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.prepare(Timestamp::now().to_zoned(TimeZone::UTC).date())?;
        // One call is one line: the subscriber formats each into a buffer of its own.
        let shown = redact(&String::from_utf8_lossy(line));
        self.appender.write_all(shown.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.appender.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    fn mode(file: &Path) -> u32 {
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn each_day_has_a_file_that_only_its_owner_can_read() {
        let directory = tempfile::tempdir().unwrap();
        let open = directory.path().join("watchfloor.2026-11-20.log");
        std::fs::write(&open, "from before\n").unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut log =
            Private { appender: Vec::<u8>::new(), directory: directory.path().into(), day: None };
        log.prepare(jiff::civil::date(2026, 11, 20)).unwrap();
        log.prepare(jiff::civil::date(2026, 11, 21)).unwrap();
        assert_eq!(mode(&open), 0o600);
        assert_eq!(std::fs::read_to_string(&open).unwrap(), "from before\n");
        assert_eq!(mode(&directory.path().join("watchfloor.2026-11-21.log")), 0o600);
    }

    #[test]
    fn what_is_written_has_no_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let secret = Secret::new("log-canary-1".to_owned(), "env LOG_CANARY");
        let mut log =
            Private { appender: Vec::<u8>::new(), directory: directory.path().into(), day: None };
        let line = format!("a library says {} and token=abc\n", secret.expose());
        Write::write_all(&mut log, line.as_bytes()).unwrap();
        assert_eq!(log.appender, "a library says ⟨secret⟩ and token=⟨secret⟩\n".as_bytes());
    }
}
