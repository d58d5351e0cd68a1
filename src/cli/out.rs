//! The only place that prints. A reader that went away is no error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::Serialize;

/// Prints bytes to standard output.
pub(super) fn bytes(bytes: &[u8]) -> color_eyre::Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

/// Prints a text and a line break to standard output.
pub(super) fn line(text: &str) -> color_eyre::Result<ExitCode> {
    bytes(format!("{text}\n").as_bytes())
}

/// Whether nobody can read standard output any more: the program at the other end of the
/// pipe has ended, or the terminal is gone. Never waits.
pub(super) fn is_unread() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    // What went wrong is reported without being asked for.
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().intersects(gone)
}

/// Prints a document to standard output.
pub(super) fn json<T: Serialize>(document: &T) -> color_eyre::Result<ExitCode> {
    line(&serde_json::to_string_pretty(document)?)
}

/// Prints a text to standard error.
pub(super) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a question to standard error; the answer is typed behind it.
pub(super) fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Writes how far something is over the line that stands on standard error, where that is a
/// terminal; an empty text takes it away.
pub(super) fn progress(text: &str) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{text}");
        let _ = stderr.flush();
    }
}

/// Whether `--color never` is among the arguments.
static COLORLESS: AtomicBool = AtomicBool::new(false);

/// Looks for `--color never` among the arguments. Before they are parsed, because what is
/// wrong with them is also said without colours then.
pub(super) fn choose_color(arguments: impl Iterator<Item = OsString>) {
    COLORLESS.store(is_colorless(arguments), Ordering::Relaxed);
}

fn is_colorless(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut last = None;
    let mut named = false;
    for argument in arguments.take_while(|argument| argument != "--") {
        let argument = argument.to_string_lossy().into_owned();
        if named {
            last = Some(argument);
            named = false;
        } else if let Some(value) = argument.strip_prefix("--color=") {
            last = Some(value.to_owned());
        } else {
            named = argument == "--color";
        }
    }
    last.as_deref() == Some("never")
}

/// What the parser of the command line does about colours.
pub(super) fn color_choice() -> clap::ColorChoice {
    if COLORLESS.load(Ordering::Relaxed) {
        clap::ColorChoice::Never
    } else {
        clap::ColorChoice::Auto
    }
}

/// Whether standard error shows colours.
pub(super) fn stderr_has_color() -> bool {
    !COLORLESS.load(Ordering::Relaxed)
        && io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Prints what clap has to say. Help and version are no errors; anything else is usage.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(super::USAGE) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_never_is_seen_wherever_it_stands() {
        for (line, colorless) in [
            ("watchfloor --color never check", true),
            ("watchfloor check --color=never", true),
            ("watchfloor check --color 16", false),
            ("watchfloor check --color never --color auto", false),
            ("watchfloor check", false),
            ("watchfloor run -- --color never", false),
        ] {
            let arguments = line.split(' ').map(OsString::from);
            assert_eq!(is_colorless(arguments), colorless, "{line}");
        }
    }
}
