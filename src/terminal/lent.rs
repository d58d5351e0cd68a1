//! The terminal in the hands of another program: byte by byte, both ways.
//!
//! What that program does to the terminal is not known, and it may be cut off in the middle
//! of a sequence. So everything that outlasts a program is put back when it is over.

use std::{io, sync::Arc, time::Duration};

use super::{guard::Guard, screen::Options, tty::Tty};

/// Puts back what a program may leave behind: a sequence that was cut off (CAN, ST), a
/// synchronised update, the other screen, the mouse in every encoding, reports of focus,
/// bracketed paste, keys of applications; then, by a soft reset (DECSTR) and by one thing at
/// a time for terminals without it, margins, insertion, wrapping, the character set, the
/// look, the cursor. Sources: ECMA-48; "XTerm Control Sequences" by Moy and others.
pub(super) const RESET: &[u8] = b"\x18\x1b\\\x1b[?2026l\x1b[?47l\
    \x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\
    \x1b[!p\x1b[?1l\x1b>\x1b[4l\x1b[?7h\x1b7\x1b[r\x1b8\x0f\x1b(B\x1b[0m\x1b[0 q\x1b[?25h";

/// Hands the terminal over, and takes it back.
#[derive(Clone, Debug)]
pub struct Lender {
    guard: Arc<Guard>,
    /// How the screen is taken again; none where there was no screen before.
    screen: Option<Options>,
}

impl Lender {
    pub(super) fn new(guard: Arc<Guard>, screen: Option<Options>) -> Self {
        Self { guard, screen }
    }

    /// For a terminal without a screen of ours on it.
    ///
    /// # Errors
    ///
    /// When the thread that writes cannot be started.
    pub fn of(tty: Tty) -> io::Result<Self> {
        Ok(Self::new(Guard::new(tty)?, None))
    }

    /// The size of the terminal now: columns, rows.
    pub fn size(&self) -> (u16, u16) {
        self.guard.tty.size()
    }

    /// Hands the terminal over.
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or takes nothing. It is then as it was.
    pub fn lend(&self) -> io::Result<Lent> {
        let lent = Lent(self.clone());
        self.guard.lend()?;
        Ok(lent)
    }
}

/// The terminal while another program has it. Dropped, it is taken back: the screen that was
/// on it before, or the mode that it had.
#[derive(Debug)]
pub struct Lent(Lender);

impl Lent {
    /// The size of the terminal now: columns, rows.
    pub fn size(&self) -> (u16, u16) {
        self.0.size()
    }

    /// Writes what the terminal takes at once; 0 when it takes nothing.
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or was given back meanwhile.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if !self.0.guard.is_lent() {
            return Err(io::Error::other("the terminal was taken back"));
        }
        self.0.guard.tty.write_some(bytes, Duration::ZERO)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Lender { guard, screen } = &self.0;
        let taken = match (guard.end_lending(), screen) {
            (Ok(true), Some(options)) => guard.enter(*options),
            (Ok(true), None) => guard.restore(),
            (Ok(false), _) => Ok(()),
            (Err(error), _) => Err(error),
        };
        if let Err(error) = taken {
            tracing::warn!(%error, "the terminal could not be taken back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::{screen::Screen, tty::testing};

    fn contains(all: &[u8], wanted: &[u8]) -> bool {
        all.windows(wanted.len()).any(|window| window == wanted)
    }

    /// Whom the terminal is taken from is known to the whole process: one test at a time.
    fn alone() -> std::sync::MutexGuard<'static, ()> {
        static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[test]
    fn what_the_other_left_behind_is_undone_and_the_screen_drawn_anew() {
        let _alone = alone();
        let (mut terminal, tty) = testing::pair();
        let mut screen = Screen::enter(tty, Options::default()).unwrap();
        let draw = |screen: &mut Screen| {
            loop {
                let painted = screen.draw(|buffer, _| {
                    buffer.set_string(0, 0, "ours", ratatui::style::Style::new());
                    None
                });
                if painted.unwrap() != crate::terminal::screen::Painted::Dropped {
                    return;
                }
                std::thread::yield_now();
            }
        };
        draw(&mut screen);
        terminal.read_until(b"ours");
        let lent = screen.lender().lend().unwrap();
        assert!(terminal.is_raw());
        assert_eq!(lent.write(b"theirs\x1b[?1003h").unwrap(), 14);
        let sent = terminal.read_until(b"\x1b[?1003h");
        assert!(contains(&sent, b"\x1b[?1049l"));
        let painted = screen.draw(|_, _| None).unwrap();
        assert_eq!(painted, crate::terminal::screen::Painted::Dropped);
        drop(lent);
        assert!(terminal.is_raw());
        draw(&mut screen);
        let sent = terminal.read_until(b"ours");
        assert!(contains(&sent, b"\x1b[?1003l") && contains(&sent, b"\x1b[?1049h"));
        screen.leave().unwrap();
        assert!(!terminal.is_raw());
    }

    #[test]
    fn who_leaves_for_good_takes_it_from_the_other_too() {
        let _alone = alone();
        let (mut terminal, tty) = testing::pair();
        let lent = Lender::of(tty).unwrap().lend().unwrap();
        assert!(terminal.is_raw());
        lent.write(b"\x1b[?1000hpassword").unwrap();
        crate::terminal::guard::restore_active();
        assert!(!terminal.is_raw());
        assert!(contains(&terminal.read_until(b"\x1b[?25h"), b"\x1b[?1000l"));
        assert!(lent.write(b"late").is_err());
        drop(lent);
        assert!(!terminal.is_raw());
    }
}
