//! The one place with system calls that have no safe wrapper.
#![allow(unsafe_code)]

use std::{io, mem, ptr};

use rustix::process::{Signal, kill_current_process_group};

/// Stops the job as the terminal's own Ctrl-Z would, and returns when it goes on.
///
/// The default action of `SIGTSTP` is needed, not `SIGSTOP`: in an orphaned process group,
/// such as the one of `ssh -t host watchfloor`, the kernel ignores the former, while the
/// latter would stop a process that nobody can wake up again. The handler that turns a
/// `SIGTSTP` from elsewhere into an event is put aside for that moment.
///
/// # Errors
///
/// When a signal action cannot be changed; the job was then not stopped.
pub(super) fn stop_job() -> io::Result<()> {
    let handler = set_action(libc::SIG_IGN)?;
    // The rest of the job, a wrapper script for example, stops with us. Our own copy of the
    // signal is ignored: it could reach another thread, and that only after this one has
    // put the handler back.
    let group = kill_current_process_group(Signal::TSTP);
    let stopped = set_action(libc::SIG_DFL).map(|_| {
        // SAFETY: `raise` has no memory to be unsafe with. It is directed at this thread
        // and therefore delivered before it returns.
        unsafe { libc::raise(libc::SIGTSTP) };
    });
    // SAFETY: `handler` was filled in by the same call and is still what it was.
    let restored = unsafe { libc::sigaction(libc::SIGTSTP, &raw const handler, ptr::null_mut()) };
    stopped?;
    group?;
    if restored == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets a plain action for `SIGTSTP` and returns the one before.
fn set_action(action: libc::sighandler_t) -> io::Result<libc::sigaction> {
    // SAFETY: all-zero is a valid `sigaction`: no flags, an empty mask, the default action.
    let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { mem::zeroed() };
    new.sa_sigaction = action;
    // SAFETY: both point to initialised values that outlive the call.
    if unsafe { libc::sigaction(libc::SIGTSTP, &raw const new, &raw mut old) } == 0 {
        Ok(old)
    } else {
        Err(io::Error::last_os_error())
    }
}
