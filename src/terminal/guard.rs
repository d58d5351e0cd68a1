//! What was changed at the terminal, and how to put it back, from wherever one is.

use std::{
    io, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossterm::{
    cursor, event as keys, queue,
    style::{Attribute, SetAttribute},
    terminal,
};
use rustix::termios::Termios;

use super::{lent, screen::Options, tty::Tty, writer::Slot};

/// How long the last frame may take before the screen is left without it.
const LAST_FRAME: Duration = Duration::from_millis(150);
/// How long the terminal may take to be put back.
const RESTORING: Duration = Duration::from_millis(150);
/// How long the terminal may take to be set up.
const ENTERING: Duration = Duration::from_secs(2);
/// How long somebody else may take who is at it already.
const CONTENTION: Duration = Duration::from_millis(50);

/// Reports buttons and nothing that moves, in the encoding without a limit of 223 columns.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// Saves the title of the window and of its icon (xterm, XTWINOPS 22).
const PUSH_TITLE: &[u8] = b"\x1b[22;0t";
/// Puts them back (XTWINOPS 23).
const POP_TITLE: &[u8] = b"\x1b[23;0t";
/// Ends a sequence that was cut off, whatever kind it was: CAN, then a string terminator.
const END_OF_ANYTHING: &[u8] = b"\x18\x1b\\";

/// The guard of the screen that is up, for those who have to leave it without owning it.
static ACTIVE: Mutex<Weak<Guard>> = Mutex::new(Weak::new());

/// Holds what has to be put back.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) tty: Tty,
    pub(super) slot: Arc<Slot>,
    held: Mutex<Held>,
    taken_back: AtomicUsize,
}

/// What was changed. A mark is set before the change, so that a change that failed in the
/// middle is undone as well.
#[derive(Debug, Default)]
struct Held {
    mode: Option<Termios>,
    screen: bool,
    mouse: bool,
    title: bool,
    /// Another program has it: what that has changed is not known.
    lent: bool,
}

impl Held {
    /// What puts the screen back.
    fn undo(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.lent {
            bytes.extend_from_slice(lent::RESET);
        }
        if self.screen {
            queue!(bytes, terminal::EndSynchronizedUpdate, SetAttribute(Attribute::Reset))?;
        }
        if self.mouse {
            queue!(bytes, keys::DisableMouseCapture)?;
        }
        if self.screen {
            queue!(
                bytes,
                keys::DisableBracketedPaste,
                terminal::LeaveAlternateScreen,
                cursor::Show
            )?;
        }
        if self.title {
            bytes.extend_from_slice(POP_TITLE);
        }
        Ok(bytes)
    }
}

impl Guard {
    /// A guard over a terminal, which is not touched yet.
    ///
    /// # Errors
    ///
    /// When the writer cannot be started.
    pub(super) fn new(tty: Tty) -> io::Result<Arc<Self>> {
        let slot = Slot::start(tty.clone())?;
        let guard =
            Arc::new(Self { tty, slot, held: Mutex::default(), taken_back: AtomicUsize::new(0) });
        *active() = Arc::downgrade(&guard);
        Ok(guard)
    }

    /// Takes the terminal; also when it was taken before and somebody else has changed it.
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or does not answer for 2 s. What was changed until then
    /// is put back.
    pub(super) fn enter(&self, options: Options) -> io::Result<()> {
        let entered = self.try_enter(options);
        if entered.is_err() {
            // The first error is the one to tell.
            let _ = self.restore();
        }
        entered
    }

    fn try_enter(&self, options: Options) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = match held.mode.take() {
            Some(mode) => mode,
            None => self.tty.mode()?,
        };
        let mut raw = mode.clone();
        raw.make_raw();
        held.mode = Some(mode);
        self.tty.set_mode(&raw)?;
        if held.lent {
            // Whoever has it keeps it: only the mode was in doubt.
            return Ok(());
        }

        let mut bytes = Vec::new();
        if options.title && !held.title {
            held.title = true;
            bytes.extend_from_slice(PUSH_TITLE);
        }
        held.screen = true;
        queue!(bytes, terminal::EnterAlternateScreen, cursor::Hide, keys::EnableBracketedPaste)?;
        if options.mouse {
            held.mouse = true;
            bytes.extend_from_slice(MOUSE_ON);
        }
        self.write(&bytes, ENTERING)?;
        self.slot.open();
        Ok(())
    }

    /// Takes everything of ours off the screen, so that another program can have it. What is
    /// typed still comes byte by byte.
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or takes nothing.
    pub(super) fn lend(&self) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = match held.mode.take() {
            Some(mode) => mode,
            None => self.tty.mode()?,
        };
        let mut raw = mode.clone();
        raw.make_raw();
        held.mode = Some(mode);
        self.tty.set_mode(&raw)?;
        let bytes = held.undo()?;
        *held = Held { mode: held.mode.take(), lent: true, ..Held::default() };
        self.write_at_last(&bytes)
    }

    /// Whether another program has it.
    pub(super) fn is_lent(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).lent
    }

    /// Undoes what the other program may have left behind. Nothing happens where the terminal
    /// was given back meanwhile.
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or takes nothing.
    pub(super) fn end_lending(&self) -> io::Result<bool> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !mem::take(&mut held.lent) {
            return Ok(false);
        }
        self.tty.forget_input();
        self.write(lent::RESET, ENTERING)?;
        self.taken_back.fetch_add(1, Ordering::AcqRel);
        Ok(true)
    }

    /// How often the screen was taken back from another program.
    pub(super) fn taken_back(&self) -> usize {
        self.taken_back.load(Ordering::Acquire)
    }

    /// What turns the mouse on or off, to be sent with the next frame.
    pub(super) fn mouse(&self, on: bool) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            held.mouse = true;
            bytes.extend_from_slice(MOUSE_ON);
        } else {
            // It stays marked: an order that is dropped must not leave it on in the end.
            queue!(bytes, keys::DisableMouseCapture)?;
        }
        Ok(bytes)
    }

    /// Gives the terminal back as it was, within half a second. Does nothing when it has
    /// been given back already.
    ///
    /// # Errors
    ///
    /// When the terminal is gone or takes nothing any more. Its mode is put back even then.
    pub(super) fn restore(&self) -> io::Result<()> {
        let Some(mut held) = self.lock_soon() else {
            return Err(io::Error::other("the terminal is being put back by somebody else"));
        };
        let bytes = held.undo()?;
        let written = if bytes.is_empty() { Ok(()) } else { self.write_at_last(&bytes) };
        let mode = mem::take(&mut *held).mode;
        drop(held);
        let Some(mode) = mode else { return written };
        self.tty.forget_input();
        self.tty.set_mode(&mode)?;
        written
    }

    /// Writes after the last frame, even if the terminal does not read.
    fn write_at_last(&self, bytes: &[u8]) -> io::Result<()> {
        if self.slot.close(LAST_FRAME) {
            match self.write(bytes, RESTORING) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                written => return written,
            }
        }
        // What was not read yet would have been overwritten anyway. Forgetting it makes
        // room for what puts the terminal back, whenever that is read.
        self.tty.forget_output();
        self.write(&[END_OF_ANYTHING, bytes].concat(), RESTORING)
    }

    /// The lock, unless somebody else keeps it: a hook must not wait for the thread that it
    /// was called on.
    fn lock_soon(&self) -> Option<MutexGuard<'_, Held>> {
        let until = Instant::now() + CONTENTION;
        loop {
            match self.held.try_lock() {
                Ok(held) => return Some(held),
                Err(TryLockError::Poisoned(held)) => return Some(held.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn write(&self, bytes: &[u8], limit: Duration) -> io::Result<()> {
        let until = Instant::now() + limit;
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the terminal does not take any output",
                ));
            }
            let written = self.tty.write_some(rest, left)?;
            rest = &rest[written..];
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Errors have nowhere to go from here; the log has them.
        if let Err(error) = self.restore() {
            tracing::warn!(%error, "the terminal could not be given back");
        }
        self.slot.stop();
    }
}

/// Gives the terminal back, if a screen is up. For panics and for the watchdog.
pub(super) fn restore_active() {
    let guard = active().upgrade();
    if let Some(guard) = guard
        && let Err(error) = guard.restore()
    {
        tracing::warn!(%error, "the terminal could not be given back");
    }
}

fn active() -> MutexGuard<'static, Weak<Guard>> {
    ACTIVE.lock().unwrap_or_else(PoisonError::into_inner)
}
