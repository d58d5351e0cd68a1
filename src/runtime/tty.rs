//! A console on a terminal.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, pending},
    io::{self, IsTerminal},
    rc::Rc,
};

use crossterm::event::Event as TerminalEvent;
use tokio::sync::{mpsc, watch};

use super::{
    attach,
    event_loop::{Exit, Input, Paint, Surface},
    live::{Console, Plan},
};
use crate::{
    app::state::State,
    config::profile::{ColorMode, Display},
    terminal::{
        capabilities::{Capabilities, ColorChoice, Colors, Wishes},
        clipboard, input,
        screen::{Options, Painted, Screen},
        signals::{Signal, Signals},
        tty::Tty,
        watchdog::Watchdog,
    },
    ui::{
        self, Chrome,
        theme::{Depth, Theme},
    },
};

/// Paints a state.
pub(super) type Painter = Box<super::event_loop::Painter>;

/// Takes the terminal and runs the console on it until it ends.
pub(super) async fn run(plan: Plan) -> io::Result<Exit> {
    let display = plan.profile.display.clone();
    let capabilities = capabilities(&display);
    let tty = Tty::open()?;
    // First, so that there is no moment in which a signal finds a raw terminal unguarded.
    let watchdog = Watchdog::start(tty.clone())?;
    let (signals, signals_in) = mpsc::channel(8);
    let again = forward_signals(Signals::listen(Some(&watchdog))?, signals, false);
    let options = Options { mouse: false, title: display.title && capabilities.title };
    let aside = Rc::new(RefCell::new(Vec::new()));
    let screen = Screen::enter(tty.clone(), options)?;
    let mut surface = Terminal { screen, aside: Rc::clone(&aside) };
    let (inputs, inputs_in) = mpsc::channel(64);
    let keyboard = input::Input::open(tty, capabilities.escape_wait())?;
    let mut console = Console::new(plan, signals_in, inputs_in, again);
    let ringing = Rc::clone(&aside);
    console.engine.bell = Box::new(move || ringing.borrow_mut().push("\x07".to_owned()));
    console.engine.clipboard = Box::new(move |text| {
        clipboard::sequence(text, capabilities.multiplexer)
            .map(|sequence| aside.borrow_mut().push(sequence))
            .is_some()
    });
    let (wanted, wanted_in) = mpsc::channel(1);
    console.engine.attach = Box::new(move |wanting| wanted.try_send(wanting).is_ok());
    let (keys_to, keys_lent) = watch::channel(None);
    let hands_over = attach::HandsOver {
        lender: surface.screen.lender(),
        keys: keys_to,
        events: console.events.clone(),
    };
    let fps = if capabilities.ssh { display.fps_ssh } else { display.fps };
    let mut watch = |_: &State| {};
    let mut ended = tokio::select! {
        // On the loop's own thread: a key need not wake another one on its way.
        never = forward_input(keyboard, inputs, keys_lent) => match never {},
        never = hands_over.serve(wanted_in) => match never {},
        ended = console.run(&mut surface, fps, painter(capabilities), &mut watch) => ended,
    };
    drop(surface);
    drop(watchdog);
    ended.engine.stop(&mut ended.state).await;
    match ended.exit {
        Ok(exit) => Ok(exit),
        // A terminal that cannot be written to is a terminal that is gone.
        Err(error) => {
            tracing::warn!(%error, "the terminal is gone");
            Ok(Exit::Signal(Signal::Hangup))
        }
    }
}

/// What the terminal can do and the configuration wants.
pub(super) fn capabilities(display: &Display) -> Capabilities {
    let color = match display.color {
        ColorMode::Auto => ColorChoice::Auto,
        ColorMode::Ansi16 => ColorChoice::Exactly(Colors::Ansi16),
        ColorMode::Ansi256 => ColorChoice::Exactly(Colors::Ansi256),
        ColorMode::TrueColor => ColorChoice::Exactly(Colors::True),
        ColorMode::Never => ColorChoice::Exactly(Colors::None),
    };
    let wishes = Wishes { color, ascii: display.ascii };
    Capabilities::detect(|name| std::env::var(name).ok(), io::stdout().is_terminal(), wishes)
}

fn painter(capabilities: Capabilities) -> Painter {
    let depth = match capabilities.colors {
        Colors::None => Depth::None,
        Colors::Ansi16 => Depth::Ansi16,
        Colors::Ansi256 | Colors::True => Depth::Rich,
    };
    let theme = Theme { depth, ascii: capabilities.ascii };
    let chrome = Chrome { identity: identity() };
    Box::new(move |state, buffer, area| ui::draw(buffer, area, state, theme, &chrome))
}

/// `user@host`, as far as the system tells.
fn identity() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host = host.split('.').next().unwrap_or_default();
    if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") }
}

/// The terminal as the loop sees it.
struct Terminal {
    screen: Screen,
    /// Texts for the clipboard, sent with the next frame.
    aside: Rc<RefCell<Vec<String>>>,
}

impl Surface for Terminal {
    fn draw(&mut self, paint: &mut Paint<'_>) -> io::Result<bool> {
        for sequence in self.aside.borrow_mut().drain(..) {
            self.screen.send(sequence.as_bytes());
        }
        Ok(self.screen.draw(|buffer, area| paint(buffer, area))? != Painted::Dropped)
    }

    fn ready(&self) -> impl Future<Output = ()> {
        self.screen.ready()
    }

    fn invalidate(&mut self) {
        self.screen.redraw();
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.screen.suspend()
    }

    fn resumed(&mut self) -> io::Result<()> {
        self.screen.resume()
    }

    fn title(&mut self, title: &str) {
        self.screen.set_title(title);
    }
}

/// Sends the signals on. Where `reloads` is set there is no terminal that SIGHUP could be
/// about: it then asks for the configuration to be read again.
pub(super) fn forward_signals(
    mut signals: Signals,
    to: mpsc::Sender<Signal>,
    reloads: bool,
) -> mpsc::Receiver<()> {
    let (again, again_in) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let signal = signals.next().await;
            if signal == Signal::Hangup && reloads {
                let _ = again.try_send(());
            } else if to.send(signal).await.is_err() {
                return;
            }
        }
    });
    again_in
}

/// Sends what is typed on, and lets the loop know when nobody can type any more. While a
/// program has the terminal, all of it is the program's.
async fn forward_input(
    mut keyboard: input::Input,
    to: mpsc::Sender<Input>,
    mut lent: watch::Receiver<attach::Keys>,
) -> Infallible {
    loop {
        let program = lent.borrow_and_update().clone();
        if let Some(program) = program {
            tokio::select! {
                piece = keyboard.piece() => match piece {
                    // A program that does not read loses keys, as with any terminal.
                    Some(piece) => drop(program.try_send(piece)),
                    None => break,
                },
                Ok(()) = lent.changed() => keyboard.forget(),
            }
            continue;
        }
        let event = tokio::select! {
            event = keyboard.next() => event,
            Ok(()) = lent.changed() => continue,
        };
        let input = match event {
            Some(TerminalEvent::Key(key)) => Input::Key(key),
            Some(TerminalEvent::Paste(text)) => Input::Paste(text),
            Some(TerminalEvent::Resize(columns, rows)) => Input::Resize(columns, rows),
            Some(
                TerminalEvent::Mouse(_) | TerminalEvent::FocusGained | TerminalEvent::FocusLost,
            ) => continue,
            None => break,
        };
        if to.send(input).await.is_err() {
            break;
        }
    }
    drop(to);
    pending().await
}
