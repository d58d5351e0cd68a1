//! The signals that the loop has to know of.

use std::{future, io, sync::Arc};

use tokio::{
    select,
    signal::unix::{self, SignalKind},
    sync::Notify,
};

use super::{sys, watchdog::Watchdog};

/// What the system, the shell or the terminal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGHUP`, or the terminal is gone: leave at once.
    Hangup,
    /// `SIGTERM`: leave.
    Terminate,
    /// `SIGINT` from elsewhere; Ctrl-C is a key while the screen is up.
    Interrupt,
    /// `SIGQUIT` from elsewhere: leave.
    Quit,
    /// `SIGTSTP` from elsewhere: [`suspend`](super::screen::Screen::suspend). Ctrl-Z is a
    /// key while the screen is up.
    Suspend,
    /// `SIGCONT`: the process was stopped. Call [`resume`](super::screen::Screen::resume),
    /// ask for the size, and mind that nothing was observed meanwhile.
    Continued,
    /// `SIGWINCH`: the size of the terminal has changed. Several changes may be one signal.
    Resized,
}

impl Signal {
    /// The exit code of a process that ends because of it, 128 and its number; `None` for
    /// those that end nothing.
    pub fn exit_code(self) -> Option<u8> {
        match self {
            Self::Hangup => Some(129),
            Self::Interrupt => Some(130),
            Self::Quit => Some(131),
            Self::Terminate => Some(143),
            Self::Suspend | Self::Continued | Self::Resized => None,
        }
    }
}

/// Stops the job as Ctrl-Z does where nobody listens to `SIGTSTP`, and returns when it goes
/// on: for whoever has no screen to give back.
///
/// # Errors
///
/// When the job could not be stopped.
pub fn suspend() -> io::Result<()> {
    sys::stop_job()
}

/// The signals, as a stream.
#[derive(Debug)]
pub struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    suspend: unix::Signal,
    continued: unix::Signal,
    resized: unix::Signal,
    gone: Option<Arc<Notify>>,
}

impl Signals {
    /// Listens from now on, also to what the watchdog says of the terminal. Needs a
    /// runtime. The signals keep their handlers until the process ends.
    ///
    /// # Errors
    ///
    /// When a signal cannot be listened to.
    pub fn listen(watchdog: Option<&Watchdog>) -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            quit: unix::signal(SignalKind::quit())?,
            suspend: unix::signal(SignalKind::from_raw(libc::SIGTSTP))?,
            continued: unix::signal(SignalKind::from_raw(libc::SIGCONT))?,
            resized: unix::signal(SignalKind::window_change())?,
            gone: watchdog.map(Watchdog::gone),
        })
    }

    /// The next signal. Can be dropped while it waits without losing one.
    pub async fn next(&mut self) -> Signal {
        let gone = async {
            match &self.gone {
                Some(gone) => gone.notified().await,
                None => future::pending().await,
            }
        };
        select! {
            biased;
            () = gone => Signal::Hangup,
            _ = self.hangup.recv() => Signal::Hangup,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.quit.recv() => Signal::Quit,
            _ = self.suspend.recv() => Signal::Suspend,
            _ = self.continued.recv() => Signal::Continued,
            _ = self.resized.recv() => Signal::Resized,
        }
    }
}
