//! One thread that writes, and one slot in front of it.
//!
//! There is never more than one frame under way: what is newer than that is drawn when the
//! terminal has taken it, from the state of that moment. So a slow line shows fewer frames,
//! not older ones, and a stalled line costs neither memory nor the loop's time.

use std::{
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::tty::Tty;

/// How often a writer that waits for a stalled terminal looks whether it should give up.
const PATIENCE: Duration = Duration::from_millis(50);
/// Room for a whole screen without growing.
const FRAME: usize = 64 * 1024;

/// The place of the one frame that is under way.
#[derive(Debug)]
pub(super) struct Slot {
    state: Mutex<State>,
    changed: Condvar,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Frames are accepted: the screen is ours.
    open: bool,
    /// The frame, and whether there is one.
    frame: Vec<u8>,
    pending: bool,
    /// Part of the frame has been sent, so that the terminal may wait for the rest.
    begun: bool,
    /// What is left of the frame shall not be sent.
    abandoned: bool,
    /// The thread shall end.
    stopped: bool,
    /// Why nothing can be written any more.
    failed: Option<String>,
}

impl Slot {
    /// A closed slot with its thread.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub(super) fn start(tty: Tty) -> io::Result<Arc<Self>> {
        let state = State { frame: Vec::with_capacity(FRAME), ..State::default() };
        let slot = Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            freed: Notify::new(),
        });
        let own = Arc::clone(&slot);
        thread::Builder::new().name("terminal writer".to_owned()).spawn(move || own.run(&tty))?;
        Ok(slot)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts frames from now on.
    pub(super) fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        state.abandoned = false;
        drop(state);
        // Whoever was turned away meanwhile can draw again.
        self.freed.notify_one();
    }

    /// Whether a frame can be handed over.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(super) fn is_free(&self) -> io::Result<bool> {
        let state = self.lock();
        match &state.failed {
            Some(why) => Err(io::Error::new(io::ErrorKind::BrokenPipe, why.clone())),
            None => Ok(state.open && !state.pending),
        }
    }

    /// Hands a frame over, if the slot is free, and takes back the space of the one before.
    pub(super) fn submit(&self, frame: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        if !state.open || state.pending || state.failed.is_some() {
            return false;
        }
        mem::swap(&mut state.frame, frame);
        frame.clear();
        state.pending = true;
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits until the slot is free, or closed for good.
    pub(super) async fn freed(&self) {
        loop {
            let freed = self.freed.notified();
            if !matches!(self.is_free(), Ok(false)) {
                return;
            }
            freed.await;
        }
    }

    /// Accepts no more frames and gives the last one some time to be sent. False when it
    /// was cut off in the middle.
    pub(super) fn close(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        state.open = false;
        // The thread sees the order to give up within its patience.
        let last = until + 2 * PATIENCE;
        while state.pending {
            let now = Instant::now();
            state.abandoned |= now >= until;
            if now >= last {
                break;
            }
            let next = if state.abandoned { last } else { until };
            state = self
                .changed
                .wait_timeout(state, next - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let whole = !mem::take(&mut state.begun) && !state.abandoned;
        state.abandoned &= state.pending;
        whole
    }

    /// Ends the thread, once it has sent what it has.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn run(&self, tty: &Tty) {
        while let Some(frame) = self.next() {
            let sent = self.send(tty, &frame);
            let mut state = self.lock();
            state.pending = false;
            match sent {
                Ok(whole) => state.begun = !whole,
                Err(error) => state.failed = Some(error.to_string()),
            }
            // The space goes back to whoever draws the next frame.
            state.frame = frame;
            drop(state);
            self.changed.notify_all();
            self.freed.notify_one();
        }
    }

    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if state.pending {
                return Some(mem::take(&mut state.frame));
            }
            if state.stopped {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends a frame, in one piece where the terminal takes it. False when it was given up.
    fn send(&self, tty: &Tty, frame: &[u8]) -> io::Result<bool> {
        let mut rest = frame;
        while !rest.is_empty() {
            let written = tty.write_some(rest, PATIENCE)?;
            rest = &rest[written..];
            let mut state = self.lock();
            state.begun |= written > 0;
            if !rest.is_empty() && (state.abandoned || state.stopped) {
                return Ok(!state.begun);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::terminal::tty::testing;

    const LIMIT: Duration = Duration::from_secs(10);

    fn open_slot() -> (testing::Terminal, Arc<Slot>) {
        let (terminal, tty) = testing::pair();
        let slot = Slot::start(tty).unwrap();
        slot.open();
        (terminal, slot)
    }

    fn frame(letter: u8) -> Vec<u8> {
        let mut frame = vec![letter; 100_000];
        frame.push(b'|');
        frame
    }

    #[tokio::test]
    async fn one_frame_at_a_time_and_every_one_whole() {
        let (mut terminal, slot) = open_slot();
        assert!(slot.submit(&mut frame(b'a')));
        // Nobody reads: it does not go away.
        let mut refused = frame(b'b');
        assert!(!slot.submit(&mut refused));
        assert!(!slot.is_free().unwrap());
        assert_eq!(refused, frame(b'b'));

        assert_eq!(terminal.read_until(b"|"), frame(b'a'));
        timeout(LIMIT, slot.freed()).await.unwrap();
        assert!(slot.submit(&mut frame(b'c')));
        assert_eq!(terminal.read_until(b"|"), frame(b'c'));
        slot.stop();
    }

    #[test]
    fn a_closed_slot_gives_up_what_cannot_be_sent() {
        let (_terminal, slot) = open_slot();
        assert!(slot.submit(&mut frame(b'a')));
        assert!(!slot.close(Duration::from_millis(50)));
        assert!(!slot.submit(&mut frame(b'b')));
        slot.open();
        assert!(slot.is_free().unwrap());
        slot.stop();
    }

    #[test]
    fn a_closed_slot_sends_what_can_be_sent() {
        let (mut terminal, slot) = open_slot();
        assert!(slot.submit(&mut b"the last frame|".to_vec()));
        assert!(slot.close(LIMIT));
        assert_eq!(terminal.read_until(b"|"), b"the last frame|");
        slot.stop();
    }

    #[tokio::test]
    async fn a_dead_terminal_is_an_error_and_wakes_who_waits() {
        let (terminal, slot) = open_slot();
        assert!(slot.submit(&mut frame(b'a')));
        drop(terminal);
        timeout(LIMIT, slot.freed()).await.unwrap();
        assert!(slot.is_free().is_err());
        assert!(!slot.submit(&mut frame(b'b')));
        slot.stop();
    }
}
