//! The only place that prints. A reader that went away is no error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
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

/// Prints a document to standard output.
pub(super) fn json<T: Serialize>(document: &T) -> color_eyre::Result<ExitCode> {
    line(&serde_json::to_string_pretty(document)?)
}

/// Prints a text to standard error.
pub(super) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether standard error shows colours.
pub(super) fn stderr_has_color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints what clap has to say. Help and version are no errors; anything else is usage.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(super::USAGE) } else { ExitCode::SUCCESS }
}
