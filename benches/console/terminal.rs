//! A pseudo-terminal that notes when every byte came.

use std::{
    fs,
    io::{Read, Write},
    num::NonZeroU16,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

/// Columns and rows.
pub const SIZE: (u16, u16) = (160, 48);
/// The end of a frame: the end of a synchronised update.
const FRAME_END: &[u8] = b"\x1b[?2026l";
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that a slow line brings at a time.
const PIECE: usize = 64;

/// The program in its terminal. It is killed when this is dropped.
pub struct Terminal {
    shared: Arc<Shared>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// When the program was started.
    pub started: Instant,
    _master: Box<dyn MasterPty + Send>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// One piece of what came.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// When it came.
    pub at: Instant,
    /// Its bytes.
    pub bytes: usize,
    /// Frames that had ended when it had come.
    pub frames: usize,
}

/// Everything that came.
pub struct Seen {
    /// In the order in which it came.
    pub pieces: Vec<Piece>,
    /// Its bytes.
    pub bytes: usize,
    /// Frames that have ended.
    pub frames: usize,
    screen: Parser,
    tail: Vec<u8>,
    over: bool,
}

/// How a key was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Until the first byte came.
    pub first: Duration,
    /// Until the frame that began with it was whole.
    pub whole: Duration,
    /// Bytes of that frame.
    pub bytes: usize,
}

impl Terminal {
    /// Starts the console on a configuration. `speed` is that of the line in bytes per
    /// second; none is as fast as possible.
    pub fn start(configuration: &Path, speed: Option<usize>) -> Self {
        let home = configuration.parent().unwrap();
        let size = PtySize { rows: SIZE.1, cols: SIZE.0, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_watchfloor"));
        command.args(["--config", configuration.to_str().unwrap()]);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("HOME", home);
        command.cwd(home);
        let reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                pieces: Vec::new(),
                bytes: 0,
                frames: 0,
                screen: Parser::new(nonzero(SIZE.1), nonzero(SIZE.0), 0),
                tail: Vec::new(),
                over: false,
            }),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || own.read(reader, speed));
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { shared, writer, child, started, _master: pair.master }
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        self.child.process_id().unwrap().try_into().unwrap()
    }

    /// Looks at what came.
    pub fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.shared.lock())
    }

    /// Waits until something is there.
    pub fn wait<T>(&self, what: &str, found: impl Fn(&Seen) -> Option<T>) -> T {
        let found = self.wait_for(PATIENCE, found);
        found.unwrap_or_else(|| {
            let screen = self.look(|seen| seen.screen.screen().contents());
            panic!("waited in vain for {what}:\n{screen}")
        })
    }

    fn wait_for<T>(&self, limit: Duration, found: impl Fn(&Seen) -> Option<T>) -> Option<T> {
        let until = Instant::now() + limit;
        let mut seen = self.shared.lock();
        loop {
            if let Some(found) = found(&seen) {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.over {
                return None;
            }
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until the screen shows a text; returns when the frame came that shows it.
    pub fn wait_for_text(&self, text: &str) -> Instant {
        self.wait(&format!("{text:?}"), |seen| {
            let shown = seen.screen.screen().contents().contains(text);
            shown.then(|| seen.pieces.last().map(|piece| piece.at)).flatten()
        })
    }

    /// Waits until nothing has come for so long; or no longer than a few times that, where
    /// something always comes.
    pub fn settle(&self, quiet: Duration) {
        let from = Instant::now();
        loop {
            let last = self.look(|seen| seen.pieces.last().map_or(from, |piece| piece.at));
            let since = last.max(from).elapsed();
            if since >= quiet || from.elapsed() >= quiet * 20 {
                return;
            }
            thread::sleep(quiet - since);
        }
    }

    /// Types, and waits for nothing.
    pub fn type_keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Presses a key and waits for the frame that answers it; none where nothing came
    /// within `limit`.
    pub fn press(&mut self, key: &str, limit: Duration) -> Option<Answer> {
        let (pieces, frames) = self.look(|seen| (seen.pieces.len(), seen.frames));
        let sent = Instant::now();
        self.writer.write_all(key.as_bytes()).unwrap();
        self.writer.flush().unwrap();
        self.wait_for(limit, |seen| {
            let last = seen.pieces.iter().rposition(|piece| piece.frames > frames)?;
            let answer = &seen.pieces[pieces..=last];
            Some(Answer {
                first: answer.first()?.at - sent,
                whole: answer.last()?.at - sent,
                bytes: answer.iter().map(|piece| piece.bytes).sum(),
            })
        })
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn read(&self, mut from: Box<dyn Read + Send>, speed: Option<usize>) {
        let mut buffer = [0; 16 * 1024];
        let room = if speed.is_some() { PIECE } else { buffer.len() };
        while let Ok(count @ 1..) = from.read(&mut buffer[..room]) {
            if let Some(speed) = speed {
                // That is how long the line takes to bring them.
                thread::sleep(Duration::from_secs_f64(count as f64 / speed as f64));
            }
            let at = Instant::now();
            self.lock().take(&buffer[..count], at);
            self.changed.notify_all();
        }
        self.lock().over = true;
        self.changed.notify_all();
    }
}

impl Seen {
    fn take(&mut self, bytes: &[u8], at: Instant) {
        self.tail.extend_from_slice(bytes);
        let ends = self.tail.windows(FRAME_END.len()).filter(|part| *part == FRAME_END);
        self.frames += ends.count();
        let kept = self.tail.len().min(FRAME_END.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
        self.bytes += bytes.len();
        self.pieces.push(Piece { at, bytes: bytes.len(), frames: self.frames });
        self.screen.process(bytes);
    }

    /// What the screen shows.
    pub fn contents(&self) -> String {
        self.screen.screen().contents()
    }
}

/// Where what the program sends is kept, for looking at it: `WATCHFLOOR_BENCH_SCREEN`.
pub fn keep_screen(terminal: &Terminal) {
    if let Some(file) = std::env::var_os("WATCHFLOOR_BENCH_SCREEN") {
        let _ = fs::write(file, terminal.look(Seen::contents));
    }
}

fn nonzero(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).unwrap()
}
