//! What becomes the program of an interactive run: it takes the terminal that its standard
//! input is, and is replaced by the program.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{ioctl_tiocsctty, setsid};

/// The hidden command of this program that does so.
pub(super) const COMMAND: &str = "on-terminal";

/// Takes the terminal of the standard input as the controlling one, in a session of its own,
/// and runs the program instead of this one. Returns only where that fails.
///
/// `name` is what the program is told that it is called. Everything else, its directory and
/// its environment, it gets from us.
pub fn on_terminal(program: &Path, name: &str, arguments: &[OsString]) -> io::Error {
    let taken = setsid().and_then(|_| ioctl_tiocsctty(io::stdin()));
    if let Err(error) = taken {
        return io::Error::other(format!("no terminal of its own: {error}"));
    }
    let error = Command::new(program).arg0(name).args(arguments).exec();
    io::Error::new(error.kind(), super::unstarted::why(program, None, &error))
}

/// The command that becomes the program.
pub(super) fn command(program: &Path, name: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(super::launch::this_program());
    command.arg0("watchfloor").arg(COMMAND).arg("--").arg(PathBuf::from(program)).arg(name);
    command.args(arguments);
    command
}
