//! The terminal floor in a real terminal: taken, painted on, and given back whatever
//! happens. The program in it is this test binary itself, see [`child_entry`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod common;

use std::{
    env, fs, process,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::pty::{Pty, limit};
use crossterm::event::{Event, KeyCode, KeyModifiers};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};
use rustix::process::{Pid, Signal as Number, kill_process};
use tokio::{runtime::Builder, select};
use watchfloor::terminal::{
    capabilities::Multiplexer,
    clipboard, hooks,
    input::Input,
    screen::{Options, Painted, Screen},
    signals::{Signal, Signals},
    tty::Tty,
    watchdog::Watchdog,
};

const CHILD: &str = "WATCHFLOOR_TEST_CHILD";
const FILE: &str = "WATCHFLOOR_TEST_FILE";
const SECRET: &str = "hunter2-hunter2";
/// Long enough for a test on a busy machine to send the second half of a sequence.
const ESCAPE_WAIT: Duration = Duration::from_millis(400);
const FLOOD: u32 = 20_000;

// === the program in the terminal ===

/// Not a test of its own: the program that the tests below start in a terminal.
#[test]
fn child_entry() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let color = false;
    let redact = |text: &str| text.replace(SECRET, "[secret]");
    let mut contained = hooks::install(hooks::Options { color, redact }).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = match runtime.block_on(run(&mut contained)) {
        Ok(code) => code,
        Err(report) => {
            eprintln!("Error: {report:?}");
            1
        }
    };
    process::exit(code.into());
}

/// The state of the program, and what it shows.
#[derive(Default)]
struct App {
    heard: Vec<String>,
    note: String,
    resumed: u32,
    flood: u32,
    animated: bool,
    cursor: Option<(u16, u16)>,
}

impl App {
    fn paint(&self, buffer: &mut Buffer, area: Rect) -> Option<(u16, u16)> {
        let plain = Style::new();
        let lines = [
            format!("size: {}x{}", area.width, area.height),
            format!("pid: {}.", process::id()),
            format!("heard: {}", self.heard.join(" ")),
            format!("note: {}", self.note),
            format!("resumed: {}", self.resumed),
        ];
        for (row, line) in (0..).zip(lines) {
            if row < area.height {
                buffer.set_string(0, row, line, plain);
            }
        }
        let selected =
            Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED | Modifier::BOLD);
        if area.height > 6 {
            buffer.set_string(0, 6, "selected", selected);
        }
        if self.flood > 0 {
            // Every cell another colour and another letter in every frame: many bytes.
            for row in 8..area.height {
                for column in 0..area.width {
                    let mixed = u32::from(row) * 7 + u32::from(column) * 3 + self.flood;
                    let letter = char::from(b'a' + u8::try_from(mixed % 26).unwrap());
                    let color = Color::Indexed(u8::try_from(mixed % 256).unwrap());
                    buffer[(column, row)].set_char(letter).set_fg(color);
                }
            }
        }
        self.cursor
    }

    fn hear(&mut self, event: &Event) -> String {
        let heard = match event {
            Event::Key(key) => match key.code {
                KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    format!("^{c}")
                }
                KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::ALT) => format!("alt-{c}"),
                KeyCode::Char(c) => c.to_string(),
                code => format!("{code:?}"),
            },
            other => format!("{other:?}"),
        };
        self.heard.push(heard.clone());
        heard
    }
}

async fn run(contained: &mut hooks::ContainedPanics) -> color_eyre::Result<u8> {
    let tty = Tty::open()?;
    let watchdog = Watchdog::start(tty.clone())?;
    let mut signals = Signals::listen(Some(&watchdog))?;
    let mut screen = Screen::enter(tty.clone(), Options { mouse: true, title: true })?;
    let mut input = Input::open(tty, ESCAPE_WAIT)?;
    let mut app = App::default();
    screen.set_title("watchfloor test");
    let mut frames = tokio::time::interval(Duration::from_millis(2));
    loop {
        // A frame that was dropped is drawn when the terminal is ready again.
        if screen.draw(|buffer, area| app.paint(buffer, area)).is_err() {
            return Ok(129);
        }
        select! {
            biased;
            signal = signals.next() => match signal {
                Signal::Suspend => suspend(&mut screen, &mut app)?,
                Signal::Continued => {
                    // A hang-up comes with a SIGCONT, which may be the first to be heard.
                    if screen.resume().is_err() {
                        return Ok(129);
                    }
                    app.note.push_str(" continued");
                }
                Signal::Resized => {}
                end => return Ok(end.exit_code().unwrap()),
            },
            event = input.next() => {
                let Some(event) = event else { return Ok(129) };
                let heard = app.hear(&event);
                if let Some(code) = obey(&heard, &mut screen, &mut app).await? {
                    return Ok(code);
                }
            }
            Some(panic) = contained.recv() => app.note = format!("contained {panic}"),
            () = screen.ready() => {}
            _ = frames.tick(), if app.animated => app.flood += 1,
        }
    }
}

fn suspend(screen: &mut Screen, app: &mut App) -> color_eyre::Result<()> {
    screen.suspend()?;
    app.resumed += 1;
    Ok(())
}

async fn obey(heard: &str, screen: &mut Screen, app: &mut App) -> color_eyre::Result<Option<u8>> {
    match heard {
        "q" => return Ok(Some(7)),
        "e" => color_eyre::eyre::bail!("a failure at the end"),
        "p" => panic!("broken with {SECRET}"),
        "t" => drop(tokio::spawn(async { panic!("a worker broke with {SECRET}") })),
        "b" => loop {
            // Stuck for ever, holding on to everything.
            thread::park();
        },
        "^z" => suspend(screen, app)?,
        "c" => assert!(
            screen.send(clipboard::sequence("a note", Multiplexer::None).unwrap().as_bytes())
        ),
        "n" => {
            // The first brings the key itself onto the screen, the others nothing.
            draw_whole(screen, app).await?;
            let painted: usize = (0..50)
                .map(|_| screen.draw(|buffer, area| app.paint(buffer, area)).unwrap().bytes())
                .sum();
            fs::write(env::var(FILE)?, format!("{painted}"))?;
        }
        "a" => app.animated = true,
        "x" => app.cursor = Some((3, 5)),
        "f" => flood(screen, app)?,
        _ => {}
    }
    Ok(None)
}

/// Draws until the terminal has taken everything.
async fn draw_whole(screen: &mut Screen, app: &App) -> color_eyre::Result<()> {
    loop {
        match screen.draw(|buffer, area| app.paint(buffer, area))? {
            Painted::Unchanged => return Ok(()),
            Painted::Sent(_) | Painted::Dropped => tokio::task::yield_now().await,
        }
    }
}

/// Draws far more than a terminal can take that does not read.
fn flood(screen: &mut Screen, app: &mut App) -> color_eyre::Result<()> {
    let mut painted = [0_u32; 2];
    let before = resident_kilobytes();
    for tick in 1..=FLOOD {
        app.flood = tick;
        match screen.draw(|buffer, area| app.paint(buffer, area))? {
            Painted::Dropped => painted[0] += 1,
            Painted::Sent(_) | Painted::Unchanged => painted[1] += 1,
        }
    }
    let grown = resident_kilobytes().saturating_sub(before);
    app.note = format!("flood over, last {}", app.flood);
    fs::write(env::var(FILE)?, format!("{} {} {grown}", painted[0], painted[1]))?;
    Ok(())
}

fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

// === the operator ===

fn exe() -> &'static str {
    static EXE: OnceLock<String> = OnceLock::new();
    EXE.get_or_init(|| env::current_exe().unwrap().to_str().unwrap().to_owned())
}

fn start(env: &[(&str, &str)]) -> Pty {
    let mut all = vec![(CHILD, "1")];
    all.extend_from_slice(env);
    let pty = Pty::spawn(exe(), &["--exact", "child_entry", "--nocapture"], &all, (80, 24));
    pty.wait_for_text("selected");
    pty
}

/// Waits for a file that the program writes when it is done with something.
fn wait_for_file(path: &str) -> String {
    let until = Instant::now() + limit();
    while Instant::now() < until {
        match fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => return text,
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
    panic!("{path} was not written");
}

#[test]
fn the_harness_notices_what_it_should() {
    let mut pty = Pty::spawn(
        "sh",
        &[
            "-c",
            r"stty raw -echo; printf '\033[?1049h\033[?25l\033[?2004h\033[?1000h\033[1mdirty'; exit 3",
        ],
        &[],
        (80, 24),
    );
    pty.wait_for_text("dirty");
    assert_eq!(pty.wait_for_exit().exit_code(), 3);
    assert_eq!(
        pty.residue(),
        ["raw mode", "alternate screen", "hidden cursor", "bracketed paste", "mouse", "attributes"]
    );
    assert!(pty.has_sent("dirty") && !pty.has_sent("clean"));

    let pty = Pty::spawn("cat", &[], &[], (80, 24));
    pty.signal(Number::KILL);
    assert!(!pty.wait_for_exit().success());
}

#[test]
fn taken_and_given_back() {
    let mut pty = start(&[]);
    assert!(pty.is_raw());
    pty.look(|screen| {
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
    });
    assert!(pty.has_sent("\x1b[22;0t") && pty.has_sent("\x1b]2;watchfloor test\x1b\\"));
    pty.send("q");
    assert_eq!(pty.wait_for_exit().exit_code(), 7);
    assert_eq!(pty.residue(), Vec::<&str>::new());
    assert!(pty.has_sent("\x1b[23;0t"));
    assert!(!pty.contents().contains("selected"));
}

#[test]
fn given_back_after_an_error() {
    let mut pty = start(&[]);
    pty.send("e");
    assert_eq!(pty.wait_for_exit().exit_code(), 1);
    assert_eq!(pty.residue(), Vec::<&str>::new());
    assert!(pty.contents().contains("a failure at the end"), "{}", pty.contents());
}

#[test]
fn given_back_before_a_panic_is_reported() {
    let mut pty = start(&[]);
    pty.send("p");
    assert_ne!(pty.wait_for_exit().exit_code(), 0);
    assert_eq!(pty.residue(), Vec::<&str>::new());
    let contents = pty.contents();
    assert!(contents.contains("broken with [secret]"), "{contents}");
    assert!(!pty.has_sent(SECRET));
}

#[test]
fn a_panic_elsewhere_leaves_the_screen_alone() {
    let mut pty = start(&[]);
    pty.send("t");
    pty.wait_for_text("note: contained a worker broke with [secret]");
    assert!(pty.is_raw());
    assert!(pty.look(vt100::Screen::alternate_screen));
    pty.send("q");
    assert_eq!(pty.wait_for_exit().exit_code(), 7);
    assert!(!pty.contents().contains("panicked"), "{}", pty.contents());
    assert!(!pty.has_sent(SECRET));
}

#[test]
fn signals_end_it() {
    for (signal, code) in [(Number::HUP, 129), (Number::INT, 130), (Number::TERM, 143)] {
        let mut pty = start(&[]);
        pty.signal(signal);
        assert_eq!(pty.wait_for_exit().exit_code(), code);
        assert_eq!(pty.residue(), Vec::<&str>::new(), "{signal:?}");
    }
}

#[test]
fn signals_end_it_even_if_the_loop_is_stuck() {
    for (signal, code) in [(Number::HUP, 129), (Number::TERM, 143)] {
        let mut pty = start(&[]);
        pty.send("b");
        // It hears nothing any more.
        pty.send("q");
        pty.signal(signal);
        assert_eq!(pty.wait_for_exit().exit_code(), code);
        assert_eq!(pty.residue(), Vec::<&str>::new(), "{signal:?}");
    }
}

#[test]
fn a_dead_terminal_ends_it() {
    for keys in ["", "b"] {
        let mut pty = start(&[]);
        pty.send(keys);
        pty.hang_up();
        assert_eq!(pty.wait_for_exit().exit_code(), 129, "after {keys:?}");
    }
}

#[test]
fn suspended_by_key_and_by_signal_and_resumed_at_another_size() {
    let mut pty = Pty::spawn(
        "bash",
        &["--norc", "--noprofile", "-i"],
        &[(CHILD, "1"), ("PS1", "ready$ "), ("BASH_SILENCE_DEPRECATION_WARNING", "1")],
        (80, 24),
    );
    pty.wait_for_text("ready$");
    pty.send(format!("{} --exact child_entry --nocapture\r", exe()));
    pty.wait_for_text("selected");

    pty.send(b"\x1a");
    pty.wait_for("the shell", is_at_prompt);
    assert!(pty.contents().contains("Stopped"), "{}", pty.contents());
    pty.look(|screen| {
        assert!(!screen.hide_cursor());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    });
    pty.resize((100, 30));
    pty.send("fg\r");
    pty.wait_for_text("size: 100x30");
    pty.wait_for_text("resumed: 1");
    pty.look(|screen| assert!(screen.alternate_screen() && screen.hide_cursor()));

    let contents = pty.contents();
    let pid = contents.split("pid: ").nth(1).unwrap().split('.').next().unwrap();
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    kill_process(pid, Number::TSTP).unwrap();
    pty.wait_for("the shell", is_at_prompt);
    pty.send("fg\r");
    pty.wait_for_text("resumed: 2");
    pty.send("q");
    // What is typed before that is still meant for the program, and is forgotten with it.
    pty.wait_for("the shell", is_at_prompt);
    pty.send("echo code=$?\r");
    pty.wait_for_text("code=7");
    pty.send("exit\r");
    pty.wait_for_exit();
}

fn is_at_prompt(screen: &vt100::Screen) -> bool {
    !screen.alternate_screen() && screen.contents().trim_end().ends_with("ready$")
}

/// The session of `ssh -t host watchfloor` has no shell that could wake it up.
#[test]
fn ctrl_z_without_a_shell_does_not_freeze() {
    let mut pty = start(&[]);
    pty.send(b"\x1a");
    pty.wait_for_text("resumed: 1");
    pty.send("k");
    pty.wait_for_text("heard: ^z k");
    assert!(pty.is_raw());
}

#[test]
fn stopped_and_continued_from_elsewhere() {
    let mut pty = start(&[]);
    pty.signal(Number::STOP);
    pty.resize((60, 20));
    pty.signal(Number::CONT);
    pty.wait_for_text("size: 60x20");
    pty.wait_for_text("continued");
    pty.wait_for_text("selected");
}

#[test]
fn an_unchanged_frame_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bytes").to_str().unwrap().to_owned();
    let mut pty = start(&[(FILE, &file)]);
    pty.send("x");
    pty.wait_for("a cursor", |screen| !screen.hide_cursor() && screen.cursor_position() == (5, 3));
    pty.send("n");
    assert_eq!(wait_for_file(&file), "0");
    pty.wait_for_text("heard: x n");
    pty.wait_until_quiet(Duration::from_millis(100));
    let (frames, hidden) = (pty.count("\x1b[?2026h"), pty.count("\x1b[?25l"));
    // It draws after every signal, but has nothing new to show until the key.
    for _ in 0..5 {
        pty.signal(Number::WINCH);
    }
    pty.send("k");
    pty.wait_for_text("heard: x n k");
    pty.wait_until_quiet(Duration::from_millis(100));
    assert_eq!(pty.count("\x1b[?2026h"), frames + 1);
    assert_eq!(pty.count("\x1b[?25l"), hidden + 1);
}

#[test]
fn a_stalled_terminal_costs_frames_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flood").to_str().unwrap().to_owned();
    let mut pty = start(&[(FILE, &file)]);
    pty.wait_until_quiet(Duration::from_millis(100));
    pty.stall(true);
    pty.send("f");
    let result = wait_for_file(&file);
    let [dropped, painted, grown] = result
        .split_whitespace()
        .map(|number| number.parse::<u64>().unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert!(dropped > u64::from(FLOOD) / 2, "{result}");
    assert!(painted >= 1, "{result}");
    assert!(grown < 4096, "grown by {grown} kB");

    // The next frame is the newest, and right in every cell.
    pty.stall(false);
    let note = format!("flood over, last {FLOOD}");
    let row: String = (0..80)
        .map(|column| char::from(b'a' + u8::try_from((23 * 7 + column * 3 + FLOOD) % 26).unwrap()))
        .collect();
    pty.wait_for("the newest frame", |screen| {
        let contents = screen.contents();
        contents.contains(&note) && contents.lines().nth(23) == Some(row.as_str())
    });
    pty.send("q");
    assert_eq!(pty.wait_for_exit().exit_code(), 7);
    assert_eq!(pty.residue(), Vec::<&str>::new());
}

/// On a slow line a key waits for one frame, never for a queue of them.
#[test]
fn a_slow_terminal_shows_the_newest() {
    let mut pty = start(&[]);
    pty.wait_until_quiet(Duration::from_millis(100));
    pty.set_speed(Some(40_000));
    pty.send("a");
    pty.wait_for_text("heard: a");
    let before = pty.bytes();
    // One at a time: each is seen before the next is typed.
    pty.send("k");
    pty.wait_for_text("heard: a k");
    pty.send("k");
    pty.wait_for_text("heard: a k k");
    let per_key = (pty.bytes() - before) / 2;
    assert!(per_key > 1024, "the line was idle: {per_key} bytes for one key");
    // What the system holds of the frame before, the rest of it, and one whole frame.
    assert!(per_key < 64 * 1024, "{per_key} bytes for one key");
    pty.set_speed(None);
    pty.send("q");
    assert_eq!(pty.wait_for_exit().exit_code(), 7);
}

/// Even what was cut off in the middle does not keep the terminal from being put back.
#[test]
fn given_back_while_the_terminal_is_stalled() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flood").to_str().unwrap().to_owned();
    for signal in [Some(Number::HUP), None] {
        let _ = fs::remove_file(&file);
        let mut pty = start(&[(FILE, &file)]);
        pty.wait_until_quiet(Duration::from_millis(100));
        pty.stall(true);
        pty.send("f");
        wait_for_file(&file);
        match signal {
            Some(signal) => pty.signal(signal),
            None => pty.send("q"),
        }
        // The harness reads the rest only once the program is gone.
        pty.wait_for_death();
        pty.stall(false);
        pty.wait_for("the screen from before", |screen| !screen.alternate_screen());
        pty.wait_until_quiet(Duration::from_millis(100));
        assert_eq!(pty.residue(), Vec::<&str>::new(), "{signal:?}");
    }
}

#[test]
fn highlights_survive_no_color() {
    let pty = start(&[("NO_COLOR", "1")]);
    pty.look(|screen| {
        let cell = screen.cell(6, 0).unwrap();
        assert_eq!(cell.contents(), "s");
        assert!(cell.inverse() && cell.bold());
    });
}

#[test]
fn every_frame_is_synchronised() {
    let mut pty = start(&[]);
    pty.send("k");
    pty.wait_for_text("heard: k");
    pty.wait_until_quiet(Duration::from_millis(100));
    let (begun, ended) = (pty.count("\x1b[?2026h"), pty.count("\x1b[?2026l"));
    assert!(begun >= 2);
    assert_eq!(begun, ended);
}

#[test]
fn a_text_reaches_the_clipboard() {
    let mut pty = start(&[]);
    pty.send("c");
    pty.wait_for_bytes(format!("\x1b]52;c;{}\x1b\\", STANDARD.encode("a note")));
}

#[test]
fn sequences_in_pieces_are_one_key() {
    let mut pty = start(&[]);
    pty.send(b"\x1b");
    pty.send(b"[");
    pty.send(b"A");
    pty.wait_for_text("heard: Up");
    pty.send(b"\x1b");
    pty.wait_for_text("heard: Up Esc");
    // A bug in the input of crossterm: the half of a sequence kept the loop from anything.
    pty.send(b"\x1b[");
    pty.resize((70, 20));
    pty.wait_for_text("size: 70x20");
}

#[test]
fn a_paste_is_one_event() {
    let mut pty = start(&[]);
    pty.send("\x1b[200~q\re\x1b[201~");
    pty.wait_for_text(r#"heard: Paste("q\ne")"#);
    // On a terminal that does not mark it.
    let line = "q e p t b ".repeat(20);
    pty.send(&line);
    pty.wait_for_text(r#"Paste("q e p t b"#);
    pty.send("q");
    assert_eq!(pty.wait_for_exit().exit_code(), 7);
}

#[test]
fn a_mouse_click_is_reported() {
    let mut pty = start(&[]);
    pty.look(|screen| {
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::PressRelease);
    });
    pty.send("\x1b[<0;5;3M");
    pty.wait_for_text("Mouse(MouseEvent { kind: Down(Left), column: 4, row: 2");
}
