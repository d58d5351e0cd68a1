//! Ends the program when the terminal is gone or the system wants it to end, even if the
//! loop is stuck.
//!
//! A console that lost its terminal is of no use to anybody, and must not be found the next
//! morning turning in circles. What goes on without a screen, runners and the recorder, are
//! processes of their own.

use std::{
    io::{self, Read as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    SigId,
    consts::{SIGHUP, SIGTERM},
    flag, low_level,
};
use tokio::sync::Notify;

use super::{
    guard,
    tty::{Readiness, Tty},
};

/// How long the loop has to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Watches until it is dropped. Keep it until nothing is left that could hang.
#[derive(Debug)]
pub struct Watchdog {
    gone: Arc<Notify>,
    signals: Vec<SigId>,
    /// What wakes the thread: a signal writes to it, the drop closes it.
    bell: UnixStream,
}

impl Watchdog {
    /// Starts watching. Half a second after `SIGHUP`, `SIGTERM` or the end of the terminal
    /// the terminal is given back as far as possible and the process ends, with 128 and
    /// the number of the signal.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started or a signal not be listened to.
    pub fn start(tty: Tty) -> io::Result<Self> {
        Self::start_with(tty, |number| {
            guard::restore_active();
            process::exit(128 + i32::try_from(number).unwrap_or(SIGHUP));
        })
    }

    /// As [`Watchdog::start`], with another end.
    fn start_with(tty: Tty, end: impl FnOnce(usize) + Send + 'static) -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        let received = Arc::new(AtomicUsize::new(0));
        let mut dog = Self { gone: Arc::default(), signals: Vec::new(), bell };
        for number in [SIGHUP, SIGTERM] {
            let value = number.unsigned_abs() as usize;
            // In this order: the number is there when the bell rings.
            dog.signals.push(flag::register_usize(number, Arc::clone(&received), value)?);
            dog.signals.push(low_level::pipe::register(number, dog.bell.try_clone()?)?);
        }
        let gone = Arc::clone(&dog.gone);
        thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            let number = match tty.wait_until_gone(&ear) {
                Ok(Readiness::Gone) => {
                    tracing::warn!("the terminal is gone");
                    gone.notify_one();
                    SIGHUP.unsigned_abs() as usize
                }
                Ok(_) => received.load(Ordering::SeqCst),
                Err(error) => return tracing::error!(%error, "the terminal cannot be watched"),
            };
            if number != 0 && !is_called_off(&ear, GRACE) {
                tracing::error!(number, "the loop has not ended by itself");
                end(number);
            }
        })?;
        Ok(dog)
    }

    /// Tells when the terminal is gone, to one listener.
    pub(super) fn gone(&self) -> Arc<Notify> {
        Arc::clone(&self.gone)
    }
}

/// Waits for the watchdog to be dropped.
fn is_called_off(mut ear: &UnixStream, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let mut buffer = [0; 16];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || ear.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        // Other results are the signals so far, and the end of the time.
        if matches!(ear.read(&mut buffer), Ok(0)) {
            return true;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        for signal in self.signals.drain(..) {
            low_level::unregister(signal);
        }
        // An error means that the thread has ended already.
        let _ = self.bell.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, RecvTimeoutError};

    use super::*;
    use crate::terminal::tty::testing;

    #[tokio::test]
    async fn a_dead_terminal_is_told_and_then_ends_the_process() {
        let (terminal, tty) = testing::pair();
        let (sender, ended) = mpsc::channel();
        let dog = Watchdog::start_with(tty, move |number| sender.send(number).unwrap()).unwrap();
        let gone = dog.gone();
        drop(terminal);
        tokio::time::timeout(Duration::from_secs(10), gone.notified()).await.unwrap();
        assert_eq!(ended.recv_timeout(Duration::from_secs(10)), Ok(1));
    }

    #[test]
    fn a_loop_that_ends_in_time_is_left_alone() {
        let (terminal, tty) = testing::pair();
        let (sender, ended) = mpsc::channel::<usize>();
        let dog = Watchdog::start_with(tty, move |number| sender.send(number).unwrap()).unwrap();
        drop(terminal);
        drop(dog);
        // The thread has ended, and its end of the channel with it.
        assert_eq!(
            ended.recv_timeout(Duration::from_secs(10)),
            Err(RecvTimeoutError::Disconnected)
        );
    }
}
