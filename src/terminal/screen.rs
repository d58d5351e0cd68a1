//! The screen: taken, painted on, and given back.

use std::{
    future,
    io::{self, Write as _},
    mem,
    sync::Arc,
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
    style::{Attribute, SetAttribute},
    terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate},
};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{encode, guard::Guard, lent::Lender, sys, tty::Tty};
use crate::domain::text;

/// Room for a whole screen without growing, in bytes.
const FRAME: usize = 64 * 1024;
/// The most that may wait beside the cells, in bytes: a text for the clipboard, twice.
const ASIDE: usize = 256 * 1024;
/// The longest title, in characters.
const TITLE: usize = 80;

/// What the screen shall do besides showing cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Report the mouse. Off unless asked for: it takes the terminal's own selection away.
    pub mouse: bool,
    /// Keep the title of the window, to be put back at the end, and change it in between.
    pub title: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Painted {
    /// Nothing had changed; nothing was written.
    Unchanged,
    /// So many bytes are on their way.
    Sent(usize),
    /// The terminal has not taken the frame before yet, or the screen is not up. The frame
    /// was not drawn; [`Screen::ready`] tells when to draw again.
    Dropped,
}

impl Painted {
    /// How many bytes were written.
    pub fn bytes(self) -> usize {
        match self {
            Self::Sent(bytes) => bytes,
            Self::Unchanged | Self::Dropped => 0,
        }
    }
}

/// The terminal while it is ours: raw mode, alternate screen, no cursor, bracketed paste.
/// Dropping it gives everything back.
#[derive(Debug)]
pub struct Screen {
    guard: Arc<Guard>,
    options: Options,
    /// The cells of the frame that was handed over last, which is what the terminal shows
    /// or will show next.
    shown: Buffer,
    /// The cells of the next frame.
    next: Buffer,
    /// Where the cursor is shown; hidden where it is `None`.
    cursor: Option<(u16, u16)>,
    /// What the terminal shows is not known.
    repaint: bool,
    /// A frame was dropped since the last one was handed over.
    dropped: bool,
    /// What is to be sent besides cells.
    aside: Vec<u8>,
    /// How often it was taken back from another program when the last frame was drawn.
    taken_back: usize,
    title: String,
    /// The window may have another title than this one.
    retitle: bool,
    bytes: Vec<u8>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or does not take any output for 2 s. It is then as it was.
    pub fn enter(tty: Tty, options: Options) -> io::Result<Self> {
        let guard = Guard::new(tty)?;
        guard.enter(options)?;
        Ok(Self {
            guard,
            options,
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            cursor: None,
            repaint: true,
            dropped: false,
            aside: Vec::new(),
            taken_back: 0,
            title: String::new(),
            retitle: false,
            bytes: Vec::with_capacity(FRAME),
        })
    }

    /// The size of the terminal now: columns, rows.
    pub fn size(&self) -> (u16, u16) {
        self.guard.tty.size()
    }

    /// Draws a frame: `paint` fills an empty buffer and says where the cursor shall be, if
    /// anywhere. What differs from the frame before is handed to the writer, in one piece.
    /// Takes the size of the terminal as it is, and never waits for the terminal.
    ///
    /// # Errors
    ///
    /// When the terminal is gone: leave as on [`Hangup`](super::signals::Signal::Hangup).
    pub fn draw<F>(&mut self, paint: F) -> io::Result<Painted>
    where
        F: FnOnce(&mut Buffer, Rect) -> Option<(u16, u16)>,
    {
        if !self.guard.slot.is_free()? {
            self.dropped = true;
            return Ok(Painted::Dropped);
        }
        self.dropped = false;
        let taken_back = self.guard.taken_back();
        if mem::replace(&mut self.taken_back, taken_back) != taken_back {
            self.forget();
        }
        let (columns, rows) = self.size();
        let area = Rect::new(0, 0, columns, rows);
        if self.next.area != area {
            self.next = Buffer::empty(area);
            self.repaint = true;
        } else {
            self.next.reset();
        }
        if self.repaint {
            self.shown = Buffer::empty(area);
        }
        let cursor = paint(&mut self.next, area).filter(|&at| area.contains(at.into()));
        self.encode(cursor)?;
        if self.bytes.is_empty() {
            return Ok(Painted::Unchanged);
        }
        let length = self.bytes.len();
        if !self.guard.slot.submit(&mut self.bytes) {
            // Somebody has left the screen in between.
            self.bytes.clear();
            self.repaint = true;
            return Ok(Painted::Dropped);
        }
        mem::swap(&mut self.shown, &mut self.next);
        self.aside.clear();
        self.retitle = false;
        self.cursor = cursor;
        self.repaint = false;
        Ok(Painted::Sent(length))
    }

    /// Writes what makes the terminal show the next frame into `bytes`; nothing if it
    /// shows that already.
    fn encode(&mut self, cursor: Option<(u16, u16)>) -> io::Result<()> {
        let Self { bytes, shown, next, .. } = self;
        bytes.clear();
        bytes.extend_from_slice(&self.aside);
        if self.retitle {
            // OSC 2, with a string terminator.
            write!(bytes, "\x1b]2;{}\x1b\\", text::clip(&self.title, TITLE))?;
        }
        let mut cells = shown.diff_iter(next).peekable();
        let changed = cells.peek().is_some();
        if !changed && !self.repaint && cursor == self.cursor {
            return Ok(());
        }
        queue!(bytes, BeginSynchronizedUpdate)?;
        if self.cursor.is_some() || self.repaint {
            // A terminal without synchronised updates would show it jumping about.
            queue!(bytes, Hide)?;
        }
        if self.repaint {
            queue!(bytes, SetAttribute(Attribute::Reset), Clear(ClearType::All))?;
        }
        if changed {
            encode::cells(bytes, cells)?;
        }
        if let Some((column, row)) = cursor {
            queue!(bytes, MoveTo(column, row), Show)?;
        }
        queue!(bytes, EndSynchronizedUpdate)
    }

    /// Waits until the terminal can take a frame after one was dropped. Waits for ever if
    /// none was dropped, so that it can stand in a `select!`.
    pub async fn ready(&self) {
        if !self.dropped {
            future::pending::<()>().await;
        }
        self.guard.slot.freed().await;
    }

    /// The next frame is drawn anew, trusting nothing that is on the terminal.
    pub fn redraw(&mut self) {
        self.repaint = true;
    }

    /// Sends something that is not a cell with the next frame: a bell, a text for the
    /// clipboard. False when too much is waiting already; it is then not sent.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        let fits = self.aside.len() + bytes.len() <= ASIDE;
        if fits {
            self.aside.extend_from_slice(bytes);
        }
        fits
    }

    /// Sets the title of the window with the next frame, where that was asked for.
    pub fn set_title(&mut self, title: &str) {
        if self.title != title {
            title.clone_into(&mut self.title);
            self.retitle = self.options.title;
        }
    }

    /// Turns the mouse on or off with the next frame.
    ///
    /// # Errors
    ///
    /// Never in practice; the orders are written to memory.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.options.mouse = on;
        let bytes = self.guard.mouse(on)?;
        self.send(&bytes);
        Ok(())
    }

    /// Gives the terminal back, stops the job as Ctrl-Z would, and takes the terminal again
    /// when the job goes on.
    ///
    /// # Errors
    ///
    /// When the terminal is gone afterwards.
    pub fn suspend(&mut self) -> io::Result<()> {
        // A terminal that does not answer must not keep the operator from their shell.
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "suspended without a clean terminal");
        }
        if let Err(error) = sys::stop_job() {
            tracing::warn!(%error, "the job could not be stopped");
        }
        self.resume()
    }

    /// Takes the terminal after [`Screen::leave`], or once more after somebody else had it:
    /// after a `SIGCONT`, the shell may have changed everything. (The system sends one after
    /// every `SIGHUP`, too.)
    ///
    /// # Errors
    ///
    /// When the terminal is gone, or does not take any output for 2 s. It is then as it was.
    pub fn resume(&mut self) -> io::Result<()> {
        self.guard.enter(self.options)?;
        self.forget();
        Ok(())
    }

    /// Somebody else had the terminal: nothing is known of what it shows.
    fn forget(&mut self) {
        self.cursor = None;
        self.repaint = true;
        // The title is the other's now.
        self.retitle = self.options.title && !self.title.is_empty();
    }

    /// For handing the terminal over to another program, and taking it back, while this
    /// screen is up. Frames are dropped meanwhile.
    pub fn lender(&self) -> Lender {
        Lender::new(Arc::clone(&self.guard), Some(self.options))
    }

    /// Gives the terminal back as it was. Nothing happens the second time.
    ///
    /// # Errors
    ///
    /// When the terminal is gone or takes no output; its mode is put back even then.
    pub fn leave(&mut self) -> io::Result<()> {
        self.guard.restore()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Here and not only when the guard goes: the watchdog may hold it a little longer.
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "the terminal could not be given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Style};

    use super::*;
    use crate::terminal::tty::testing;

    const LEAVE: &[u8] = b"\x1b[?1049l";

    fn paint(text: &str) -> impl FnOnce(&mut Buffer, Rect) -> Option<(u16, u16)> {
        move |buffer, _| {
            buffer.set_string(0, 0, text, Style::new().fg(Color::Red));
            None
        }
    }

    /// Waits until the frame is taken.
    fn draw(screen: &mut Screen, text: &str) -> usize {
        loop {
            match screen.draw(paint(text)).unwrap() {
                Painted::Dropped => std::thread::yield_now(),
                painted => return painted.bytes(),
            }
        }
    }

    #[test]
    fn frames_are_differences_in_one_piece() {
        let (mut terminal, tty) = testing::pair();
        let mut screen = Screen::enter(tty, Options::default()).unwrap();
        assert!(terminal.is_raw());
        let first = draw(&mut screen, "hello");
        let sent = terminal.read_until(b"\x1b[?2026l");
        assert!(sent.ends_with(b"\x1b[?2026l"));
        assert_eq!(draw(&mut screen, "hello"), 0);
        let second = draw(&mut screen, "hallo");
        assert!(second > 0 && second < first);
        let sent = String::from_utf8(terminal.read_until(b"\x1b[?2026l")).unwrap();
        assert!(sent.contains("ma\x1b") && !sent.contains("llo"), "{sent:?}");
        assert!(!sent.contains("\x1b[2J"), "{sent:?}");

        screen.redraw();
        draw(&mut screen, "hallo");
        let sent = String::from_utf8(terminal.read_until(b"\x1b[?2026l")).unwrap();
        assert!(sent.contains("hallo") && sent.contains("\x1b[2J"), "{sent:?}");
        screen.leave().unwrap();
        assert!(!terminal.is_raw());
    }

    #[test]
    fn leaving_twice_is_leaving_once() {
        let (mut terminal, tty) = testing::pair();
        let mut screen = Screen::enter(tty.clone(), Options { mouse: true, title: true }).unwrap();
        screen.leave().unwrap();
        assert_eq!(screen.draw(paint("late")).unwrap(), Painted::Dropped);
        screen.leave().unwrap();
        drop(screen);
        tty.write_some(b"|", std::time::Duration::from_secs(1)).unwrap();
        let sent = terminal.read_until(b"|");
        assert_eq!(sent.windows(LEAVE.len()).filter(|window| *window == LEAVE).count(), 1);
        assert!(!terminal.is_raw());
    }

    #[test]
    fn entering_that_fails_in_the_middle_is_undone() {
        let (mut terminal, tty) = testing::pair();
        terminal.stall(&tty);
        let error = Screen::enter(tty, Options::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(!terminal.is_raw());
        terminal.read_until(LEAVE);
    }

    #[test]
    fn entering_a_dead_terminal_is_an_error() {
        let (terminal, tty) = testing::pair();
        drop(terminal);
        assert!(Screen::enter(tty, Options::default()).is_err());
    }

    #[test]
    fn a_title_is_sent_once_and_made_safe() {
        let (mut terminal, tty) = testing::pair();
        let mut screen = Screen::enter(tty, Options { mouse: false, title: true }).unwrap();
        screen.set_title("CRIT 2 | shop\x1b]52;c;x\x07 PROD");
        assert!(draw(&mut screen, "x") > 0);
        terminal.read_until(b"\x1b]2;CRIT 2 | shop PROD\x1b\\");
        screen.set_title("CRIT 2 | shop\x1b]52;c;x\x07 PROD");
        assert_eq!(draw(&mut screen, "x"), 0);
    }

    #[test]
    fn what_waits_beside_the_cells_is_bounded() {
        let (_terminal, tty) = testing::pair();
        let mut screen = Screen::enter(tty, Options::default()).unwrap();
        assert!(screen.send(&vec![b'x'; ASIDE]));
        assert!(!screen.send(b"x"));
    }
}
