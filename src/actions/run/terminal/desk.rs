//! Who is at the terminal of a program, and what they see and type.

use std::{io, os::fd::AsFd, time::Duration};

use jiff::Timestamp;
use rustix::{
    process::{Signal, geteuid, kill_process_group},
    termios::{Winsize, tcgetpgrp, tcgetwinsize, tcsetwinsize},
};
use tokio::{
    net::{
        UnixListener,
        unix::pipe::{Receiver, Sender},
    },
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    actions::{
        attach::{self, Frame, Hello, Reader, Writer},
        run::notes::Steps,
    },
    config::secret::redact,
};

/// Read in one go, bytes.
const PIECE: usize = 4096;
/// What was printed last and is shown to whoever comes, bytes.
const RECENT: usize = 16 << 10;
/// What was typed and the program has not read yet, bytes. More is lost, as with any terminal.
const TYPED: usize = 64 << 10;
/// How long a console may take nothing before it is let go.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long who comes may take to say who they are.
const HELLO: Duration = Duration::from_secs(2);
/// How much of what was printed last is still taken at the end, bytes: something that the
/// program has left behind may print for ever.
const LAST_WORDS: usize = 4 << 20;

/// Lets in those who may come: the same user, or the superuser.
pub(super) async fn admit(listener: UnixListener, to: mpsc::Sender<Console>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // As when there are too many open files: not at full speed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let uid = match stream.peer_cred() {
            Ok(peer) => peer.uid(),
            Err(error) => {
                tracing::warn!(%error, "nobody knows who wanted to attach");
                continue;
            }
        };
        if uid != geteuid().as_raw() && uid != 0 {
            tracing::warn!(uid, "another user wanted to attach");
            continue;
        }
        let (mut reader, writer) = attach::framed(stream);
        // Who comes and says nothing keeps others out for a moment only.
        let Ok(Ok(Some(Frame::Hello(hello)))) = timeout(HELLO, reader.next()).await else {
            continue;
        };
        let by = format!("{} (uid {uid})", hello.by());
        let console = Console { reader, writer, hello, by, since: Timestamp::now() };
        if to.send(console).await.is_err() {
            return;
        }
    }
}

/// Somebody at the terminal.
pub(super) struct Console {
    reader: Reader,
    writer: Writer,
    hello: Hello,
    by: String,
    since: Timestamp,
}

impl Console {
    async fn send(&mut self, frame: Frame) -> Result<(), String> {
        match timeout(PATIENCE, self.writer.send(&frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it took nothing any more".to_owned()),
        }
    }
}

/// The terminal, and who is at it.
pub(super) struct Desk {
    screen: Receiver,
    keyboard: Sender,
    disk: mpsc::Sender<Vec<u8>>,
    /// The beginning of a character whose end has not been printed yet.
    begun: Vec<u8>,
    /// What was printed last.
    recent: Vec<u8>,
    /// What was typed, and the program has not taken yet.
    typed: Vec<u8>,
    console: Option<Console>,
    /// Nothing has the terminal open any more.
    silent: bool,
    steps: Steps,
}

/// What comes next.
enum Came {
    Printed(Vec<u8>),
    Silence,
    Newcomer(Console),
    Frame(io::Result<Option<Frame>>),
    Writable,
}

impl Desk {
    pub(super) fn new(
        screen: Receiver,
        keyboard: Sender,
        disk: mpsc::Sender<Vec<u8>>,
        steps: Steps,
    ) -> Self {
        Self {
            screen,
            keyboard,
            disk,
            begun: Vec::new(),
            recent: Vec::new(),
            typed: Vec::new(),
            console: None,
            silent: false,
            steps,
        }
    }

    /// Passes on what is printed and typed, until it is over.
    pub(super) async fn serve(
        mut self,
        mut newcomers: mpsc::Receiver<Console>,
        over: CancellationToken,
    ) {
        loop {
            let came = tokio::select! {
                () = over.cancelled() => break,
                printed = printed(&self.screen, &self.disk), if !self.silent => {
                    printed.map_or(Came::Silence, Came::Printed)
                }
                frame = typed(&mut self.console) => Came::Frame(frame),
                Some(console) = newcomers.recv() => Came::Newcomer(console),
                // Taken or not is seen when it is tried.
                _ = self.keyboard.writable(), if !self.typed.is_empty() => Came::Writable,
            };
            match came {
                Came::Printed(bytes) => self.show(bytes).await,
                Came::Silence => self.silent = true,
                Came::Newcomer(console) => self.greet(console).await,
                Came::Frame(Ok(Some(Frame::Bytes(bytes)))) => self.take(&bytes),
                Came::Frame(Ok(Some(Frame::Size(columns, rows)))) => {
                    resize(&self.screen, (columns, rows));
                }
                Came::Frame(Ok(Some(_))) => {}
                Came::Frame(Ok(None)) => self.left("left"),
                Came::Frame(Err(error)) => self.left(&format!("was lost: {error}")),
                Came::Writable => self.pass_on(),
            }
        }
        self.close().await;
    }

    /// Takes what was printed last, and says that it is over.
    async fn close(mut self) {
        let mut taken = 0;
        while taken < LAST_WORDS && !self.silent {
            let mut piece = vec![0; PIECE];
            let Ok(count @ 1..) = rustix::io::read(&self.screen, &mut *piece) else { break };
            taken += count;
            piece.truncate(count);
            if self.disk.send(piece.clone()).await.is_err() {
                break;
            }
            self.show(piece).await;
        }
        let rest = std::mem::take(&mut self.begun);
        self.pass(rest).await;
        if let Some(mut console) = self.console.take()
            && let Err(error) = console.send(Frame::Ended).await
        {
            tracing::info!(%error, "the console was not told that it is over");
        }
    }

    async fn show(&mut self, bytes: Vec<u8>) {
        self.begun.extend(bytes);
        let (shown, begun) = without_secrets(&self.begun);
        self.begun = begun;
        self.pass(shown).await;
    }

    async fn pass(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.recent.extend_from_slice(&bytes);
        let surplus = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..surplus);
        let Some(console) = &mut self.console else { return };
        if let Err(why) = console.send(Frame::Bytes(bytes)).await {
            self.left(&format!("was let go: {why}"));
        }
    }

    /// Somebody comes. Whoever is there stays, unless told to go.
    async fn greet(&mut self, mut console: Console) {
        if let Some(there) = &self.console
            && !console.hello.take_over
        {
            let since = there.since.strftime("%H:%M:%SZ");
            let why = format!("{} is at its terminal since {since}", there.by);
            // It goes away either way.
            let _ = console.send(Frame::Refused(why)).await;
            return;
        }
        if let Some(mut there) = self.console.take() {
            let why = format!("{} has taken the terminal over", console.by);
            let _ = there.send(Frame::Refused(why.clone())).await;
            self.steps.step(format!("{} left the terminal: {why}", there.by));
        }
        let recent = self.recent_lines();
        let greeted = match console.send(Frame::Welcome).await {
            Ok(()) => console.send(Frame::Bytes(recent)).await,
            Err(why) => Err(why),
        };
        if let Err(why) = greeted {
            tracing::info!(why, "a console went while it came");
            return;
        }
        self.steps.step(format!("{} attached to its terminal", console.by));
        let size = (console.hello.columns, console.hello.rows);
        self.console = Some(console);
        if !resize(&self.screen, size) {
            // What fills the screen paints it again for whoever has come.
            let group = tcgetpgrp(&self.screen);
            let _ = group.and_then(|group| kill_process_group(group, Signal::WINCH));
        }
    }

    /// What was printed last, from the beginning of a line on where more has been printed.
    fn recent_lines(&self) -> Vec<u8> {
        let whole = self.recent.len() < RECENT;
        let line = self.recent.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.recent[if whole { 0 } else { line }..].to_vec()
    }

    fn left(&mut self, how: &str) {
        if let Some(console) = self.console.take() {
            self.steps.step(format!("{} {how}; its terminal waits for the next", console.by));
        }
    }

    /// What was typed, as far as there is room for it.
    fn take(&mut self, bytes: &[u8]) {
        let room = TYPED.saturating_sub(self.typed.len());
        self.typed.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.pass_on();
    }

    /// Hands the program what was typed, as much as it takes now.
    fn pass_on(&mut self) {
        match self.keyboard.try_write(&self.typed) {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nothing has it open any more.
            Err(_) => self.typed.clear(),
        }
    }
}

/// What somebody types; nothing where nobody is there.
async fn typed(console: &mut Option<Console>) -> io::Result<Option<Frame>> {
    match console {
        Some(console) => console.reader.next().await,
        None => std::future::pending().await,
    }
}

/// The next piece that was printed, on its way to the disk already; `None` where nothing has
/// the terminal open any more. Can be dropped while it waits without losing anything.
async fn printed(screen: &Receiver, disk: &mpsc::Sender<Vec<u8>>) -> Option<Vec<u8>> {
    let place = disk.reserve().await.ok()?;
    let mut piece = vec![0; PIECE];
    loop {
        screen.readable().await.ok()?;
        match screen.try_read(&mut piece) {
            Ok(count @ 1..) => {
                piece.truncate(count);
                place.send(piece.clone());
                return Some(piece);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            // An input/output error is how Linux says it.
            _ => return None,
        }
    }
}

/// What is known to be secret is not shown, as far as it stands in one piece. Bytes that are
/// no text stay as they are; the beginning of a last character that is cut off is apart.
fn without_secrets(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut shown = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.extend(redact(chunk.valid()).into_bytes());
        shown.extend(chunk.invalid());
    }
    // Wherever a character begins within the last three bytes, it may still go on.
    let cut = (1..=bytes.len().min(3)).find_map(|length| {
        let end = &bytes[bytes.len() - length..];
        let error = std::str::from_utf8(end).err()?;
        (error.valid_up_to() == 0 && error.error_len().is_none()).then_some(length)
    });
    let begun = cut.map_or_else(Vec::new, |length| shown.split_off(shown.len() - length));
    (shown, begun)
}

/// Gives the terminal a size; whether that is another one than before.
pub(super) fn resize(master: impl AsFd, (columns, rows): (u16, u16)) -> bool {
    let before = tcgetwinsize(&master).ok().map(|size| (size.ws_col, size.ws_row));
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    before != Some((columns, rows)) && tcsetwinsize(master, size).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    #[test]
    fn a_character_that_is_cut_in_two_hides_no_secret() {
        let _known = Secret::new("desk-hunter2".to_owned(), "env DESK");
        let text = "ä€🦀 desk-hunter2 ".as_bytes();
        for end in ["é", "€", "🦀"].map(str::as_bytes) {
            for cut in 0..=end.len() {
                let (first, second) = end.split_at(cut);
                let (mut shown, begun) = without_secrets(&[text, first].concat());
                assert!(!String::from_utf8_lossy(&shown).contains("hunter2"), "{end:?} {cut}");
                assert_eq!(begun, if cut == end.len() { b"" } else { first });
                let (rest, begun) = without_secrets(&[&begun, second].concat());
                shown.extend(rest);
                let whole = ["ä€🦀 ⟨secret⟩ ".as_bytes(), end].concat();
                assert_eq!((shown, begun), (whole, Vec::new()), "{end:?} {cut}");
            }
        }
        // What is no text at all is no reason to show the rest of it.
        let (shown, begun) = without_secrets(b"\xff desk-hunter2 \xff");
        let expected = [b"\xff ".as_slice(), "⟨secret⟩".as_bytes(), b" \xff"].concat();
        assert_eq!((shown, begun), (expected, Vec::new()));
    }
}
