//! A pseudo-terminal with a program in it and an operator in front of it.
//!
//! Every wait is for an outcome and has an end: [`limit`]. What the terminal shows is the
//! model of `vt100`; what was sent is kept as bytes as well, up to [`KEPT`].
// Not every test needs every part of it.
#![allow(dead_code)]

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use vt100::{MouseProtocolMode, Parser, Screen};

/// How many of the newest bytes are kept.
const KEPT: usize = 1024 * 1024;
/// Stands after everything that a program has written.
const END: &[u8] = b"\x1b]777;the end of the program\x1b\\";
/// Variables of the terminal that the tests run in, which must not reach the program.
const FOREIGN: [&str; 11] = [
    "NO_COLOR",
    "COLORTERM",
    "SSH_CONNECTION",
    "SSH_TTY",
    "SSH_CLIENT",
    "TMUX",
    "STY",
    "LC_ALL",
    "LC_CTYPE",
    "COLUMNS",
    "LINES",
];

/// How long to wait for anything: 20 s, or `WATCHFLOOR_TEST_SECONDS`. Only a failing test
/// waits that long.
pub fn limit() -> Duration {
    let seconds = std::env::var("WATCHFLOOR_TEST_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

/// A program in a terminal. It is killed when this is dropped.
pub struct Pty {
    shared: Arc<Shared>,
    /// Dropping these hangs the terminal up.
    ends: Option<Ends>,
    pid: Pid,
    reader: Option<JoinHandle<()>>,
}

struct Ends {
    master: Box<dyn MasterPty + Send>,
    /// Kept open as a shell would, so that what the program leaves behind can be seen.
    _slave: Box<dyn SlavePty + Send>,
    writer: Box<dyn Write + Send>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: Parser,
    bytes: u64,
    log: Vec<u8>,
    last: Instant,
    exit: Option<ExitStatus>,
    stalled: bool,
    /// Bytes a second.
    speed: Option<u32>,
    closing: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            parser: Parser::new(nonzero(24), nonzero(80), 200),
            bytes: 0,
            log: Vec::new(),
            last: Instant::now(),
            exit: None,
            stalled: false,
            speed: None,
            closing: false,
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, looking whenever something changes.
    fn wait(&self, mut done: impl FnMut(&mut State) -> bool) -> Result<(), String> {
        let until = Instant::now() + limit();
        let mut state = self.lock();
        loop {
            if done(&mut state) {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!(
                    "exit: {:?}, bytes: {}, screen:\n{}\n",
                    state.exit,
                    state.bytes,
                    state.parser.screen().contents()
                ));
            }
            // Some conditions come with time alone.
            let nap = left.min(Duration::from_millis(50));
            state = self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Pty {
    /// Starts a program in a terminal of so many columns and rows, with some variables on
    /// top of a clean `xterm-256color` environment.
    pub fn spawn(program: &str, args: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(std::env::current_dir().unwrap());
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("RUST_BACKTRACE", "0");
        for (name, value) in env {
            command.env(name, value);
        }
        let mut child = pair.slave.spawn_command(command).unwrap();
        let pid = child.process_id().and_then(|pid| Pid::from_raw(pid.try_into().unwrap()));
        let shared = Arc::new(Shared::default());
        shared.lock().parser.set_size(nonzero(size.1), nonzero(size.0));

        let reader = pair.master.try_clone_reader().unwrap();
        let own = Arc::clone(&shared);
        let reader = thread::spawn(move || read(&own, reader));
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            let exit = child.wait().unwrap();
            own.lock().exit = Some(exit);
            own.changed.notify_all();
        });
        let writer = pair.master.take_writer().unwrap();
        Self {
            shared,
            ends: Some(Ends { master: pair.master, _slave: pair.slave, writer }),
            pid: pid.unwrap(),
            reader: Some(reader),
        }
    }

    fn ends(&mut self) -> &mut Ends {
        self.ends.as_mut().expect("the terminal was hung up")
    }

    /// Types. What is given in one call usually arrives in one piece.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let writer = &mut self.ends().writer;
        writer.write_all(bytes.as_ref()).unwrap();
        writer.flush().unwrap();
    }

    /// Waits until the screen is as wanted.
    pub fn try_wait_for(&self, wanted: impl Fn(&Screen) -> bool) -> Result<(), String> {
        self.shared.wait(|state| wanted(state.parser.screen()))
    }

    /// As [`Pty::try_wait_for`]; `what` says in a failure what was waited for.
    #[track_caller]
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        if let Err(last) = self.try_wait_for(wanted) {
            panic!("waited in vain for {what}; {last}");
        }
    }

    /// Waits until the screen contains a text.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(&format!("{text:?}"), |screen| screen.contents().contains(text));
    }

    /// Allows actions.
    #[track_caller]
    pub fn arm(&mut self) {
        self.send(":arm 10m trying it out\r");
        self.wait_for_text("ARMED");
    }

    /// Says why in the dialog of an action.
    #[track_caller]
    pub fn say_why(&mut self) {
        self.wait_for_text("Why?");
        // What is typed in the first moments is dropped.
        self.wait_until_quiet(Duration::from_millis(400));
        self.send("trying it out\r");
    }

    /// Types the target in the dialog of a disruptive action.
    #[track_caller]
    pub fn type_target(&mut self, target: &str) {
        self.wait_for_text(&format!("Type {target}"));
        self.wait_until_quiet(Duration::from_millis(400));
        self.send(format!("{target}\r"));
    }

    /// Says yes in the dialog of an action, as often as it takes: what is typed in the first
    /// moments is dropped.
    #[track_caller]
    pub fn say_yes(&mut self) {
        self.wait_for_text("send it now");
        let began = Instant::now();
        while self.contents().contains("send it now") {
            assert!(began.elapsed() < limit(), "{}", self.contents());
            self.send("y");
            self.wait_until_quiet(Duration::from_millis(100));
        }
    }

    /// Waits until nothing has been sent for so long, from now on.
    #[track_caller]
    pub fn wait_until_quiet(&self, quiet: Duration) {
        let from = Instant::now();
        if let Err(last) = self.shared.wait(|state| state.last.max(from).elapsed() >= quiet) {
            panic!("waited in vain for {quiet:?} of silence; {last}");
        }
    }

    /// Waits for the end of the program: its exit code, or the name of the signal.
    #[track_caller]
    pub fn wait_for_exit(&self) -> ExitStatus {
        let mut exit = None;
        let waited = self.shared.wait(|state| {
            exit = state.exit.clone();
            exit.is_some()
        });
        match (waited, exit) {
            (Ok(()), Some(exit)) => {
                self.read_the_rest();
                exit
            }
            (Err(last), _) => panic!("waited in vain for the exit; {last}"),
            (Ok(()), None) => unreachable!("the wait ends when there is one"),
        }
    }

    /// Waits for the end of the program and leaves what it wrote unread.
    #[track_caller]
    pub fn wait_for_death(&self) {
        if let Err(last) = self.shared.wait(|state| state.exit.is_some()) {
            panic!("waited in vain for the exit; {last}");
        }
    }

    /// What the program wrote last may still be on its way when it has ended. A mark that
    /// is written after it, and that no terminal shows, tells when all of it is there.
    #[track_caller]
    fn read_the_rest(&self) {
        let name = self.ends.as_ref().and_then(|ends| ends.master.tty_name());
        let Some(name) = name else { return };
        OpenOptions::new().write(true).open(name).unwrap().write_all(END).unwrap();
        self.wait_for_bytes(END);
    }

    /// What the screen shows.
    pub fn contents(&self) -> String {
        self.shared.lock().parser.screen().contents()
    }

    /// Looks at the screen.
    pub fn look<T>(&self, at: impl FnOnce(&Screen) -> T) -> T {
        at(self.shared.lock().parser.screen())
    }

    /// How many bytes the program has sent so far.
    pub fn bytes(&self) -> u64 {
        self.shared.lock().bytes
    }

    /// Whether the program has sent these bytes in a row, as far as they are kept.
    pub fn has_sent(&self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        self.shared.lock().log.windows(bytes.len()).any(|window| window == bytes)
    }

    /// How often the program has sent these bytes, as far as they are kept.
    pub fn count(&self, bytes: impl AsRef<[u8]>) -> usize {
        let bytes = bytes.as_ref();
        self.shared.lock().log.windows(bytes.len()).filter(|window| *window == bytes).count()
    }

    /// Waits until the program has sent these bytes.
    #[track_caller]
    pub fn wait_for_bytes(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let found = self.shared.wait(|state| state.log.windows(bytes.len()).any(|w| w == bytes));
        if let Err(last) = found {
            panic!("waited in vain for {:?}; {last}", String::from_utf8_lossy(bytes));
        }
    }

    /// Changes the size of the terminal: columns, rows.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.shared.lock().parser.set_size(nonzero(size.1), nonzero(size.0));
        self.ends().master.resize(pty_size(size)).unwrap();
    }

    /// The terminal is not read any more, or again.
    pub fn stall(&self, stalled: bool) {
        self.shared.lock().stalled = stalled;
        self.shared.changed.notify_all();
    }

    /// The terminal is read at so many bytes a second, or as fast as possible.
    pub fn set_speed(&self, speed: Option<u32>) {
        self.shared.lock().speed = speed;
    }

    /// Sends a signal to the program itself.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// The process that was started.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether the terminal is in raw mode: no lines, no echo, no signals from keys.
    pub fn is_raw(&mut self) -> bool {
        let mode = self.ends().master.get_termios().unwrap();
        mode.local_flags.bits() & (libc::ICANON | libc::ECHO | libc::ISIG) == 0
    }

    /// What a program that has ended, or was stopped, should have put back and has not.
    pub fn residue(&mut self) -> Vec<&'static str> {
        let raw = self.is_raw();
        self.look(|screen| {
            [
                (raw, "raw mode"),
                (screen.alternate_screen(), "alternate screen"),
                (screen.hide_cursor(), "hidden cursor"),
                (screen.bracketed_paste(), "bracketed paste"),
                (screen.mouse_protocol_mode() != MouseProtocolMode::None, "mouse"),
                (screen.inverse() || screen.bold(), "attributes"),
            ]
            .into_iter()
            .filter_map(|(left, what)| left.then_some(what))
            .collect()
        })
    }

    /// Hangs up, as a dropped connection does: the other end of the terminal is closed.
    pub fn hang_up(&mut self) {
        let Some(ends) = self.ends.take() else { return };
        {
            let mut state = self.shared.lock();
            state.closing = true;
            state.stalled = false;
        }
        self.shared.changed.notify_all();
        // Its read returns only when there is something to read.
        let wake = ends
            .master
            .tty_name()
            .and_then(|name| OpenOptions::new().write(true).open(name).ok()?.write_all(b" ").ok());
        drop(ends);
        if let (Some(()), Some(reader)) = (wake, self.reader.take()) {
            reader.join().unwrap();
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if self.shared.lock().exit.is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
        self.hang_up();
    }
}

fn read(shared: &Shared, mut reader: Box<dyn Read + Send>) {
    let mut buffer = [0; 4096];
    loop {
        let mut state = shared.lock();
        while state.stalled && !state.closing {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // A tenth of a second's worth at a time.
        let piece = state.speed.map_or(buffer.len(), |speed| {
            usize::try_from(speed / 10).unwrap().clamp(1, buffer.len())
        });
        let pause = state.speed.map(|_| Duration::from_millis(100));
        drop(state);
        let Ok(count @ 1..) = reader.read(&mut buffer[..piece]) else { return };
        let mut state = shared.lock();
        if state.closing {
            return;
        }
        state.parser.process(&buffer[..count]);
        state.bytes += count as u64;
        state.last = Instant::now();
        state.log.extend_from_slice(&buffer[..count]);
        let surplus = state.log.len().saturating_sub(KEPT);
        state.log.drain(..surplus);
        drop(state);
        shared.changed.notify_all();
        if let Some(pause) = pause {
            // This is the speed of the line, not a wait for something.
            thread::sleep(pause);
        }
    }
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).expect("a terminal has at least one cell")
}
