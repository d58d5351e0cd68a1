//! The terminal as file descriptors that never make anybody wait.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal as _},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{fs::OpenOptionsExt as _, net::UnixStream},
    },
    sync::Arc,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::OFlags,
    io::Errno,
    process::getsid,
    termios::{self, OptionalActions, QueueSelector, Termios},
};

/// What a terminal that does not know its size is taken for.
const UNKNOWN_SIZE: (u16, u16) = (80, 24);
/// More cells than any real screen; a pseudo-terminal can claim 65535 × 65535.
const LARGEST: (u16, u16) = (1000, 400);

/// The terminal that the operator sits at. Clones share it.
#[derive(Clone, Debug)]
pub struct Tty(Arc<Ends>);

#[derive(Debug)]
struct Ends {
    input: OwnedFd,
    output: OwnedFd,
}

/// What became of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The terminal is ready.
    Ready,
    /// The time is over, or the wait was called off.
    NotYet,
    /// The terminal is gone.
    Gone,
}

impl Tty {
    /// The terminal of the standard output; keys come from there as well, even where the
    /// standard input is a pipe.
    ///
    /// # Errors
    ///
    /// When the standard output is not a terminal, or when there is none to read keys from.
    pub fn open() -> io::Result<Self> {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Err(io::Error::other("standard output is not a terminal"));
        }
        if let Some(own) = reopened(&stdout) {
            return Self::from_fd(own);
        }
        let stdin = io::stdin();
        let input = if stdin.is_terminal() {
            stdin.as_fd().try_clone_to_owned()?
        } else {
            OpenOptions::new().read(true).open("/dev/tty")?.into()
        };
        Ok(Self(Arc::new(Ends { input, output: stdout.as_fd().try_clone_to_owned()? })))
    }

    /// A terminal that is already open, for reading and writing.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be duplicated.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let output = fd.try_clone()?;
        Ok(Self(Arc::new(Ends { input: fd, output })))
    }

    /// Its size now: columns, rows.
    pub fn size(&self) -> (u16, u16) {
        match termios::tcgetwinsize(&self.0.output) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.min(LARGEST.0), size.ws_row.min(LARGEST.1))
            }
            _ => UNKNOWN_SIZE,
        }
    }

    /// Its mode.
    pub(super) fn mode(&self) -> io::Result<Termios> {
        Ok(termios::tcgetattr(&self.0.output)?)
    }

    /// Sets its mode, without waiting for anything still to be sent.
    pub(super) fn set_mode(&self, mode: &Termios) -> io::Result<()> {
        Ok(termios::tcsetattr(&self.0.output, OptionalActions::Now, mode)?)
    }

    /// Forgets what was typed and not read: it was meant for this program, and must not
    /// become commands for the shell.
    pub(super) fn forget_input(&self) {
        // Nothing to do about a terminal that cannot.
        let _ = termios::tcflush(&self.0.input, QueueSelector::IFlush);
    }

    /// Forgets what was written and not sent.
    pub(super) fn forget_output(&self) {
        // As above.
        let _ = termios::tcflush(&self.0.output, QueueSelector::OFlush);
    }

    /// Writes what the terminal takes within the time; 0 when it takes nothing.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(super) fn write_some(&self, bytes: &[u8], wait: Duration) -> io::Result<usize> {
        match wait_for(&self.0.output, PollFlags::OUT, None, Some(wait))? {
            Readiness::Ready => {}
            Readiness::NotYet => return Ok(0),
            Readiness::Gone => return Err(gone()),
        }
        match rustix::io::write(&self.0.output, bytes) {
            Ok(written) => Ok(written),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what was typed, waiting until there is something or `cancel` is readable.
    /// `None` when it was cancelled.
    ///
    /// # Errors
    ///
    /// When the terminal is gone: at its end, on an input/output error, on a hang-up.
    pub(super) fn read(&self, buffer: &mut [u8], cancel: &UnixStream) -> io::Result<Option<usize>> {
        loop {
            match wait_for(&self.0.input, PollFlags::IN, Some(cancel), None)? {
                Readiness::Ready => {}
                Readiness::NotYet => return Ok(None),
                Readiness::Gone => return Err(gone()),
            }
            match rustix::io::read(&self.0.input, &mut *buffer) {
                Ok(0) => return Err(gone()),
                Ok(count) => return Ok(Some(count)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until the terminal is gone or `cancel` is readable. Takes no processor time.
    pub(super) fn wait_until_gone(&self, cancel: &UnixStream) -> io::Result<Readiness> {
        wait_for(&self.0.output, PollFlags::empty(), Some(cancel), None)
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the terminal is gone")
}

/// The controlling terminal opened once more: a description of our own, so that making it
/// non-blocking does not reach the shell that shares the standard streams with us.
///
/// `/dev/tty` can be opened even where the device itself belongs to somebody else, as it
/// does after `su`. `None` when the standard output is another terminal.
fn reopened(stdout: &impl AsFd) -> Option<OwnedFd> {
    if !cfg!(target_os = "linux") {
        // Elsewhere `poll` does not work on `/dev/tty`.
        return None;
    }
    if termios::tcgetsid(stdout).ok()? != getsid(None).ok()? {
        return None;
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let own = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(i32::try_from(flags).ok()?)
        .open("/dev/tty")
        .ok()?;
    Some(own.into())
}

/// Waits for a descriptor, for a cancellation, or for a time to pass, whichever is first.
fn wait_for(
    fd: &impl AsFd,
    flags: PollFlags,
    cancel: Option<&UnixStream>,
    wait: Option<Duration>,
) -> io::Result<Readiness> {
    let timeout = wait.map(|wait| Timespec {
        tv_sec: wait.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    });
    let fd: BorrowedFd<'_> = fd.as_fd();
    let mut fds = [
        PollFd::new(&fd, flags),
        // Without a cancellation the descriptor stands there twice, which does no harm.
        cancel.map_or_else(
            || PollFd::new(&fd, PollFlags::empty()),
            |cancel| PollFd::new(cancel, PollFlags::IN),
        ),
    ];
    // A signal starts the wait again; nobody here depends on its exact length.
    if rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, timeout.as_ref()))? == 0 {
        return Ok(Readiness::NotYet);
    }
    if cancel.is_some() && !fds[1].revents().is_empty() {
        return Ok(Readiness::NotYet);
    }
    let happened = fds[0].revents();
    if happened.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        // What was typed before the end is of no use to anybody.
        return Ok(Readiness::Gone);
    }
    Ok(if happened.intersects(flags) { Readiness::Ready } else { Readiness::NotYet })
}

#[cfg(test)]
pub(super) mod testing {
    use std::io::{Read, Write};

    use portable_pty::{MasterPty, PtySize, native_pty_system};

    use super::*;

    /// The other end of a terminal. Dropping it hangs up.
    pub(crate) struct Terminal {
        master: Box<dyn MasterPty + Send>,
        writer: Box<dyn Write + Send>,
        reader: Box<dyn Read + Send>,
        tty: Option<Tty>,
    }

    /// A terminal of 80 × 24 and its other end.
    pub(crate) fn pair() -> (Terminal, Tty) {
        let size = PtySize { rows: 24, cols: 80, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap();
        let end = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(pair.master.tty_name().unwrap())
            .unwrap();
        let tty = Tty::from_fd(end.into()).unwrap();
        let terminal = Terminal {
            writer: pair.master.take_writer().unwrap(),
            reader: pair.master.try_clone_reader().unwrap(),
            master: pair.master,
            tty: Some(tty.clone()),
        };
        (terminal, tty)
    }

    impl Terminal {
        /// Types.
        pub(crate) fn write(&mut self, bytes: &[u8]) {
            self.writer.write_all(bytes).unwrap();
        }

        /// Reads until this has come, and returns all that came.
        pub(crate) fn read_until(&mut self, last: &[u8]) -> Vec<u8> {
            let mut all = Vec::new();
            let mut buffer = [0; 4096];
            while !all.windows(last.len()).any(|window| window == last) {
                let count = self.reader.read(&mut buffer).unwrap();
                all.extend_from_slice(&buffer[..count]);
            }
            all
        }

        /// Whether keys come one by one.
        pub(crate) fn is_raw(&self) -> bool {
            let mode = self.master.get_termios().unwrap();
            mode.local_flags.bits() & (libc::ICANON | libc::ECHO) == 0
        }

        /// Makes keys come one by one.
        pub(crate) fn make_raw(&mut self) {
            let tty = self.tty.take().unwrap();
            let mut mode = tty.mode().unwrap();
            mode.make_raw();
            tty.set_mode(&mode).unwrap();
        }

        /// Fills the line until it takes nothing more.
        pub(crate) fn stall(&self, tty: &Tty) {
            while tty.write_some(&[b'x'; 1024], Duration::from_millis(20)).unwrap() > 0 {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_believed_within_reason() {
        let (_terminal, tty) = testing::pair();
        assert_eq!(tty.size(), (80, 24));
        let mut size = termios::tcgetwinsize(&tty.0.output).unwrap();
        (size.ws_col, size.ws_row) = (0, 0);
        termios::tcsetwinsize(&tty.0.output, size).unwrap();
        assert_eq!(tty.size(), UNKNOWN_SIZE);
        (size.ws_col, size.ws_row) = (u16::MAX, u16::MAX);
        termios::tcsetwinsize(&tty.0.output, size).unwrap();
        assert_eq!(tty.size(), LARGEST);
    }

    #[test]
    fn a_stalled_terminal_makes_nobody_wait() {
        let (terminal, tty) = testing::pair();
        terminal.stall(&tty);
        assert_eq!(tty.write_some(b"x", Duration::ZERO).unwrap(), 0);
        tty.forget_output();
        assert_eq!(tty.write_some(b"x", Duration::ZERO).unwrap(), 1);
    }

    #[test]
    fn a_dead_terminal_is_an_error() {
        let (terminal, tty) = testing::pair();
        let (_bell, ear) = UnixStream::pair().unwrap();
        drop(terminal);
        assert!(tty.write_some(b"x", Duration::ZERO).is_err());
        assert!(tty.read(&mut [0; 8], &ear).is_err());
        assert_eq!(tty.wait_until_gone(&ear).unwrap(), Readiness::Gone);
    }
}
