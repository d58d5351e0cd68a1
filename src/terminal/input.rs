//! What the operator types, as events.

use std::{
    io::{self, Write as _},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossterm::event::Event;
use tokio::{
    select,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{parser::Parser, tty::Tty};

pub use super::parser::LONGEST_PASTE;

/// How many pieces may wait. When the loop does not come to read them, the terminal keeps
/// the rest, and drops what is too much for it.
const WAITING: usize = 64;
/// The most that is read in one piece, in bytes: what a terminal holds on Linux.
const PIECE: usize = 4096;

/// The keyboard. Nothing is read from the terminal any more once this is dropped, so that
/// another program can have it.
#[derive(Debug)]
pub struct Input {
    pieces: mpsc::Receiver<Vec<u8>>,
    parser: Parser,
    deadline: Option<Instant>,
    /// Below the channel: a reader that waits for room there is freed when that is dropped,
    /// and only then can be waited for.
    reader: Option<Reader>,
}

#[derive(Debug)]
struct Reader {
    thread: Option<JoinHandle<()>>,
    cancel: UnixStream,
}

impl Input {
    /// Starts to read. `escape_wait` is how long to wait for what may follow an Esc:
    /// [`Capabilities::escape_wait`](super::capabilities::Capabilities::escape_wait).
    ///
    /// # Errors
    ///
    /// When the thread that reads cannot be started.
    pub fn open(tty: Tty, escape_wait: Duration) -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(WAITING);
        let (cancel, cancelled) = UnixStream::pair()?;
        let thread = thread::Builder::new()
            .name("terminal input".to_owned())
            .spawn(move || read(&tty, &cancelled, &sender))?;
        let mut input = Self::from_pieces(pieces, escape_wait);
        input.reader = Some(Reader { thread: Some(thread), cancel });
        Ok(input)
    }

    /// Reads what comes out of a channel instead, for the same loop without a terminal.
    pub fn from_pieces(pieces: mpsc::Receiver<Vec<u8>>, escape_wait: Duration) -> Self {
        Self { pieces, parser: Parser::new(escape_wait), deadline: None, reader: None }
    }

    /// What is typed next, as bytes, for a program that has the terminal; `None` when the
    /// terminal is gone. Can be dropped while it waits without losing anything.
    pub async fn piece(&mut self) -> Option<Vec<u8>> {
        self.pieces.recv().await
    }

    /// Forgets what was typed and not read: it was meant for somebody else.
    pub fn forget(&mut self) {
        while self.pieces.try_recv().is_ok() {}
        self.deadline = None;
    }

    /// The next event: a key, a paste as a whole, the mouse. `None` when the terminal is
    /// gone; it then stays `None`. Can be dropped while it waits without losing anything.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.parser.next() {
                return Some(event);
            }
            let deadline = self.deadline;
            let time_is_up = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            select! {
                // What has arrived comes before what did not, even if we look late.
                biased;
                piece = self.pieces.recv() => match piece {
                    Some(piece) => self.parser.feed(&piece),
                    None => {
                        self.parser.time_is_up();
                        return self.parser.next();
                    }
                },
                () = time_is_up => self.parser.time_is_up(),
            }
            self.deadline = self.parser.patience().map(|patience| Instant::now() + patience);
        }
    }
}

fn read(tty: &Tty, cancelled: &UnixStream, sender: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = [0; PIECE];
    loop {
        match tty.read(&mut buffer, cancelled) {
            Ok(Some(count)) if sender.blocking_send(buffer[..count].to_vec()).is_ok() => {}
            Ok(_) => return,
            Err(error) => {
                tracing::info!(%error, "no more keys");
                return;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ = self.cancel.write_all(&[0]);
        if let Some(thread) = self.thread.take() {
            // It ends at once, and must not take a key from whoever is next.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use tokio::time::{advance, timeout};

    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    fn channel() -> (mpsc::Sender<Vec<u8>>, Input) {
        let (sender, pieces) = mpsc::channel(8);
        (sender, Input::from_pieces(pieces, WAIT))
    }

    fn key(code: KeyCode) -> Option<Event> {
        Some(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[tokio::test(start_paused = true)]
    async fn esc_is_told_after_its_time() {
        let (sender, mut input) = channel();
        sender.send(b"\x1b".to_vec()).await.unwrap();
        assert!(timeout(WAIT / 2, input.next()).await.is_err());
        // The wait that was dropped does not start the time again.
        let before = Instant::now();
        assert_eq!(input.next().await, key(KeyCode::Esc));
        assert!(before.elapsed() <= WAIT / 2 + Duration::from_millis(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_looks_late_still_sees_the_whole_sequence() {
        let (sender, mut input) = channel();
        sender.send(b"\x1b".to_vec()).await.unwrap();
        assert!(timeout(WAIT / 2, input.next()).await.is_err());
        sender.send(b"[A".to_vec()).await.unwrap();
        advance(WAIT * 10).await;
        assert_eq!(input.next().await, key(KeyCode::Up));
    }

    #[tokio::test(start_paused = true)]
    async fn a_paste_without_an_end_is_over_after_a_while() {
        let (sender, mut input) = channel();
        sender.send(b"\x1b[200~rm -r".to_vec()).await.unwrap();
        assert_eq!(input.next().await, Some(Event::Paste("rm -r".to_owned())));
        sender.send(b"k".to_vec()).await.unwrap();
        assert_eq!(input.next().await, key(KeyCode::Char('k')));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_after_what_came_before_it() {
        let (sender, mut input) = channel();
        sender.send(b"k\x1b".to_vec()).await.unwrap();
        drop(sender);
        assert_eq!(input.next().await, key(KeyCode::Char('k')));
        assert_eq!(input.next().await, key(KeyCode::Esc));
        assert_eq!(input.next().await, None);
        assert_eq!(input.next().await, None);
    }

    /// Two programs must not share a keyboard: a reader that lives on would take every
    /// other key from the editor that was started.
    #[tokio::test]
    async fn nothing_is_read_after_the_drop() {
        let (mut terminal, tty) = crate::terminal::tty::testing::pair();
        terminal.make_raw();
        let mut input = Input::open(tty.clone(), WAIT).unwrap();
        terminal.write(b"a");
        let limit = Duration::from_secs(10);
        assert_eq!(timeout(limit, input.next()).await.unwrap(), key(KeyCode::Char('a')));
        drop(input);
        terminal.write(b"b");
        let (_bell, ear) = UnixStream::pair().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(tty.read(&mut buffer, &ear).unwrap(), Some(1));
        assert_eq!(buffer[0], b'b');
    }

    #[tokio::test]
    async fn a_dead_terminal_is_the_end() {
        let (terminal, tty) = crate::terminal::tty::testing::pair();
        let mut input = Input::open(tty, WAIT).unwrap();
        drop(terminal);
        let to_the_end = async { while input.next().await.is_some() {} };
        timeout(Duration::from_secs(10), to_the_end).await.unwrap();
    }
}
