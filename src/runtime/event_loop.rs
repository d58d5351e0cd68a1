//! The loop: one owner of the state, everything else by message.
//!
//! It runs on the main thread, generic over the screen and over what comes in, so that a
//! test runs the very same loop. Nothing in an arm waits for I/O. The order of the arms is
//! the order of importance: signals, keys, runs of actions, everything else, observations,
//! time.

use std::{
    future::{Future, pending},
    io,
    time::Duration,
};

use ratatui::{buffer::Buffer, layout::Rect};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use super::{
    clock::{Clock, GapDetector},
    frames::Frames,
    poller::Said,
};
use crate::{
    app::{
        command::Command,
        msg::{Effect, Event, Msg},
        state::State,
        update::update,
    },
    domain::action::ActionEvent,
    terminal::signals::Signal,
};

/// What a person or a terminal does.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A key.
    Key(crossterm::event::KeyEvent),
    /// Text pasted in one piece.
    Paste(String),
    /// The window has another size: columns, rows.
    Resize(u16, u16),
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The operator left.
    Quit,
    /// A signal.
    Signal(Signal),
    /// The time that was asked for is over.
    Deadline,
    /// Nobody can type any more: the terminal is gone.
    InputEnded,
    /// Nobody reads what is printed any more.
    Unread,
}

/// Paints a frame into a buffer; returns where the cursor stands, where there is one.
pub type Paint<'a> = dyn FnMut(&mut Buffer, Rect) -> Option<(u16, u16)> + 'a;

/// Paints a state into a buffer; returns where the cursor stands, where there is one.
pub type Painter = dyn Fn(&State, &mut Buffer, Rect) -> Option<(u16, u16)>;

/// Something to draw on.
pub trait Surface {
    /// Draws a frame. Returns false where the terminal cannot take it now: the frame is
    /// dropped, and [`Surface::ready`] tells when to try again.
    ///
    /// # Errors
    /// Where the terminal is gone.
    fn draw(&mut self, paint: &mut Paint<'_>) -> io::Result<bool>;

    /// Waits until a frame can be taken after one was dropped.
    fn ready(&self) -> impl Future<Output = ()> {
        pending()
    }

    /// The next frame trusts nothing that is on the terminal.
    fn invalidate(&mut self);

    /// Stops the process like any program on Ctrl-Z; returns when it goes on.
    ///
    /// # Errors
    /// Where the terminal is gone.
    fn suspend(&mut self) -> io::Result<()>;

    /// Takes the terminal again after the process was stopped by somebody else.
    ///
    /// # Errors
    /// Where the terminal is gone.
    fn resumed(&mut self) -> io::Result<()> {
        self.invalidate();
        Ok(())
    }

    /// Sets the title of the window, where that is wanted.
    fn title(&mut self, _title: &str) {}
}

/// No screen at all.
#[derive(Clone, Copy, Debug)]
pub struct NoScreen;

impl Surface for NoScreen {
    fn draw(&mut self, _paint: &mut Paint<'_>) -> io::Result<bool> {
        Ok(true)
    }

    fn invalidate(&mut self) {}

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Carries out what the state machine asks for.
pub trait Hands {
    /// Carries out an effect, without waiting for anything.
    fn carry_out(&mut self, effect: Effect, state: &State);

    /// Called between two turns.
    fn between(&mut self) {}
}

/// Where messages come from. A channel whose senders are gone is left alone.
pub struct Inlets {
    /// From the system.
    pub signals: mpsc::Receiver<Signal>,
    /// From the keyboard.
    pub inputs: mpsc::Receiver<Input>,
    /// From runs of actions.
    pub actions: mpsc::Receiver<ActionEvent>,
    /// From everything that was asked for.
    pub events: mpsc::Receiver<Event>,
    /// From the sources.
    pub said: mpsc::Receiver<Said>,
}

/// What the loop needs besides messages.
pub struct Setup<'a> {
    /// The only clock.
    pub clock: Clock,
    /// Frames per second at most.
    pub fps: u8,
    /// When to end by itself.
    pub deadline: Option<Instant>,
    /// Turns a key into a message.
    pub resolve: fn(&State, crossterm::event::KeyEvent) -> Option<Event>,
    /// Paints the state.
    pub paint: &'a Painter,
    /// Sees every state after each batch of messages.
    pub watch: &'a mut dyn FnMut(&State),
}

/// A tick that comes later than this after the one before it is a gap.
const GAP: Duration = Duration::from_secs(5);

/// Messages that are applied before the screen is drawn again.
const BATCH: usize = 256;

/// Runs until the operator leaves, a signal comes, or the time is over.
///
/// # Errors
/// Where the terminal is gone.
pub async fn run<S: Surface, H: Hands>(
    state: &mut State,
    mut inlets: Inlets,
    surface: &mut S,
    hands: &mut H,
    mut setup: Setup<'_>,
) -> io::Result<Exit> {
    let mut frames = Frames::new(setup.fps);
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gaps = GapDetector::new(setup.clock.now(), GAP);
    loop {
        let came = next(&mut inlets, &mut ticks, &frames, surface, setup.deadline).await;
        let mut turn = Turn { state, surface, hands, frames: &mut frames, setup: &mut setup };
        let exit = match came {
            Came::Exit(exit) => Some(exit),
            Came::FrameDue => None,
            Came::Ready => {
                turn.frames.blocked = false;
                None
            }
            Came::Suspended => turn.apply(Event::Command(Command::Suspend))?,
            Came::Continued => turn.resumed()?,
            Came::Input(input) => turn.input(input)?,
            Came::Event(event) => turn.apply(event)?,
            Came::Tick => turn.tick(&mut gaps)?,
        };
        let exit = match exit {
            Some(exit) => Some(exit),
            None => turn.drain(&mut inlets)?,
        };
        if let Some(exit) = exit {
            return Ok(exit);
        }
        turn.draw_if_due()?;
        (setup.watch)(state);
        hands.between();
    }
}

/// The next thing that happens.
enum Came {
    Exit(Exit),
    Continued,
    Suspended,
    Ready,
    Input(Input),
    Event(Event),
    Tick,
    FrameDue,
}

async fn next<S: Surface>(
    inlets: &mut Inlets,
    ticks: &mut Interval,
    frames: &Frames,
    surface: &S,
    deadline: Option<Instant>,
) -> Came {
    tokio::select! {
        biased;
        Some(signal) = inlets.signals.recv() => match signal {
            Signal::Continued => Came::Continued,
            Signal::Suspend => Came::Suspended,
            // The size is asked for with every frame.
            Signal::Resized => Came::Ready,
            other => Came::Exit(Exit::Signal(other)),
        },
        input = inlets.inputs.recv() => match input {
            Some(input) => Came::Input(input),
            None => Came::Exit(Exit::InputEnded),
        },
        Some(event) = inlets.actions.recv() => Came::Event(Event::Action(Box::new(event))),
        Some(event) = inlets.events.recv() => Came::Event(event),
        () = until(deadline) => Came::Exit(Exit::Deadline),
        () = until(frames.due()) => Came::FrameDue,
        () = surface.ready(), if frames.blocked => Came::Ready,
        Some(said) = inlets.said.recv() => Came::Event(event_of(said)),
        _ = ticks.tick() => Came::Tick,
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}

fn event_of(said: Said) -> Event {
    match said {
        Said::Observed(observation) => Event::Observed(observation),
        Said::Heard(observation) => Event::Heard(observation),
        Said::Skipped { source, waited } => Event::Skipped { source, waited },
    }
}

/// One turn of the loop.
struct Turn<'a, 's, S, H> {
    state: &'a mut State,
    surface: &'a mut S,
    hands: &'a mut H,
    frames: &'a mut Frames,
    setup: &'a mut Setup<'s>,
}

impl<S: Surface, H: Hands> Turn<'_, '_, S, H> {
    fn apply(&mut self, event: Event) -> io::Result<Option<Exit>> {
        let at = self.setup.clock.now();
        let mut exit = None;
        for effect in update(self.state, Msg { at, event }) {
            match effect {
                Effect::Draw => self.frames.dirty = true,
                Effect::Redraw => {
                    self.frames.dirty = true;
                    self.surface.invalidate();
                }
                Effect::Quit => exit = Some(Exit::Quit),
                Effect::Suspend => {
                    self.surface.suspend()?;
                    self.frames.dirty = true;
                }
                other => self.hands.carry_out(other, self.state),
            }
        }
        Ok(exit)
    }

    /// A key is answered with a frame at once.
    fn input(&mut self, input: Input) -> io::Result<Option<Exit>> {
        self.frames.urgent = true;
        self.frames.touched = Instant::now();
        match input {
            Input::Key(key) => match (self.setup.resolve)(self.state, key) {
                Some(event) => self.apply(event),
                None => Ok(None),
            },
            Input::Paste(text) => {
                let edit = crate::app::actions::form::pasted(self.state, text);
                self.apply(Event::Edit(edit))
            }
            Input::Resize(columns, rows) => self.apply(Event::Resized { columns, rows }),
        }
    }

    fn resumed(&mut self) -> io::Result<Option<Exit>> {
        self.surface.resumed()?;
        self.frames.dirty = true;
        self.apply(Event::Tick)
    }

    fn tick(&mut self, gaps: &mut GapDetector) -> io::Result<Option<Exit>> {
        if let Some(blind_for) = gaps.tick(self.setup.clock.now()) {
            self.apply(Event::Gap { blind_for })?;
        }
        self.apply(Event::Tick)
    }

    /// Applies what else is already there, so that a burst costs one frame. Keys first,
    /// and no more than a batch of the rest, so that a flood of data never keeps a key waiting.
    fn drain(&mut self, inlets: &mut Inlets) -> io::Result<Option<Exit>> {
        for _ in 0..BATCH {
            let exit = if let Ok(input) = inlets.inputs.try_recv() {
                self.input(input)?
            } else if let Ok(event) = inlets.actions.try_recv() {
                self.apply(Event::Action(Box::new(event)))?
            } else if let Ok(event) = inlets.events.try_recv() {
                self.apply(event)?
            } else if let Ok(said) = inlets.said.try_recv() {
                self.apply(event_of(said))?
            } else {
                break;
            };
            if exit.is_some() {
                return Ok(exit);
            }
        }
        Ok(None)
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        if !self.frames.is_due() {
            return Ok(());
        }
        let (state, paint) = (&*self.state, self.setup.paint);
        self.surface.title(&title(state));
        if self.surface.draw(&mut |buffer, area| paint(state, buffer, area))? {
            self.frames.drawn();
        } else {
            self.frames.blocked = true;
        }
        Ok(())
    }
}

/// The title of the window: what matters most, then where.
fn title(state: &State) -> String {
    let (verdict, reasons) = state.world.verdict();
    let catalog = &state.world.catalog;
    let count = reasons.len();
    let problems = if count == 0 { String::new() } else { format!(" {count}") };
    format!("{}{problems} | {} {}", verdict.word(), catalog.service, catalog.environment)
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::{
        app::state::Settings,
        domain::{catalog::Catalog, ids::SourceId},
    };

    /// A screen that counts its frames and remembers when each was drawn.
    #[derive(Default)]
    struct Counter {
        frames: Vec<Instant>,
        invalidated: usize,
    }

    impl Surface for Counter {
        fn draw(&mut self, paint: &mut Paint<'_>) -> io::Result<bool> {
            let area = Rect::new(0, 0, 20, 5);
            paint(&mut Buffer::empty(area), area);
            self.frames.push(Instant::now());
            Ok(true)
        }

        fn invalidate(&mut self) {
            self.invalidated += 1;
        }

        fn suspend(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Default)]
    struct Recorder(Vec<Effect>);

    impl Hands for Recorder {
        fn carry_out(&mut self, effect: Effect, _state: &State) {
            self.0.push(effect);
        }
    }

    struct Ends {
        signals: mpsc::Sender<Signal>,
        inputs: mpsc::Sender<Input>,
        said: mpsc::Sender<Said>,
        _actions: mpsc::Sender<ActionEvent>,
        _events: mpsc::Sender<Event>,
    }

    fn inlets() -> (Ends, Inlets) {
        let (signals, signals_in) = mpsc::channel(4);
        let (inputs, inputs_in) = mpsc::channel(64);
        let (actions, actions_in) = mpsc::channel(4);
        let (events, events_in) = mpsc::channel(4);
        let (said, said_in) = mpsc::channel(1_024);
        let ends = Ends { signals, inputs, said, _actions: actions, _events: events };
        let inlets = Inlets {
            signals: signals_in,
            inputs: inputs_in,
            actions: actions_in,
            events: events_in,
            said: said_in,
        };
        (ends, inlets)
    }

    fn resolve(_state: &State, key: KeyEvent) -> Option<Event> {
        match key.code {
            KeyCode::Char('q') => Some(Event::Command(Command::QuitNow)),
            KeyCode::Char('h') => Some(Event::Command(Command::Help)),
            _ => None,
        }
    }

    fn skipped() -> Said {
        Said::Skipped { source: SourceId::from("s"), waited: Duration::ZERO }
    }

    fn key(c: char) -> Input {
        Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
    }

    async fn run_loop(
        inlets: Inlets,
        surface: &mut Counter,
        deadline: Option<Duration>,
    ) -> (Exit, Recorder) {
        let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH);
        let mut state = State::new(Catalog::default(), clock.now(), Settings::default());
        let mut hands = Recorder::default();
        let setup = Setup {
            clock,
            fps: 4,
            deadline: deadline.map(|after| Instant::now() + after),
            resolve,
            paint: &|_, _, _| None,
            watch: &mut |_| {},
        };
        let exit = run(&mut state, inlets, surface, &mut hands, setup).await.unwrap();
        (exit, hands)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_drawn_at_once_and_data_at_the_frame_rate() {
        let (ends, inlets) = inlets();
        let mut surface = Counter::default();
        let flood = tokio::spawn(async move {
            for _ in 0..1_000 {
                ends.said.send(skipped()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            ends.inputs.send(key('h')).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            ends
        });
        let (exit, _) = run_loop(inlets, &mut surface, Some(Duration::from_millis(1_050))).await;
        assert_eq!(exit, Exit::Deadline);
        let _ends = flood.await.unwrap();
        let count = surface.frames.len();
        assert!((5..=7).contains(&count), "{count} frames in a second at 4 a second and a key");
    }

    #[tokio::test(start_paused = true)]
    async fn at_rest_there_is_a_frame_a_second_until_a_key_comes() {
        let (ends, inlets) = inlets();
        let feeder = tokio::spawn(async move {
            let start = Instant::now();
            for number in 0..600 {
                tokio::time::sleep_until(start + Duration::from_millis(100 * number)).await;
                ends.said.send(skipped()).await.unwrap();
                if number == 505 {
                    ends.inputs.send(key('h')).await.unwrap();
                }
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(ends);
        });
        let mut surface = Counter::default();
        let begun = Instant::now();
        run_loop(inlets, &mut surface, Some(Duration::from_secs(60))).await;
        feeder.abort();
        let between = |from: u64, to: u64| {
            let part = Duration::from_secs(from)..Duration::from_secs(to);
            surface.frames.iter().filter(|at| part.contains(&at.duration_since(begun))).count()
        };
        // Four a second is what the test's screen takes.
        assert!((30..=45).contains(&between(0, 10)), "{:?}", surface.frames);
        assert!((36..=42).contains(&between(11, 50)), "{:?}", surface.frames);
        assert!((30..=45).contains(&between(50, 60)), "{:?}", surface.frames);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_comes_before_everything_else() {
        let (ends, inlets) = inlets();
        for _ in 0..50 {
            ends.inputs.send(key('h')).await.unwrap();
        }
        ends.signals.send(Signal::Hangup).await.unwrap();
        let mut surface = Counter::default();
        let (exit, _) = run_loop(inlets, &mut surface, None).await;
        assert_eq!(exit, Exit::Signal(Signal::Hangup));
        assert!(surface.frames.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_on_q_and_when_nobody_can_type_any_more() {
        let (ends, first) = inlets();
        ends.inputs.send(key('q')).await.unwrap();
        assert_eq!(run_loop(first, &mut Counter::default(), None).await.0, Exit::Quit);
        let (Ends { inputs, signals: _signals, .. }, second) = inlets();
        drop(inputs);
        assert_eq!(run_loop(second, &mut Counter::default(), None).await.0, Exit::InputEnded);
    }

    #[tokio::test(start_paused = true)]
    async fn coming_back_from_a_stop_repaints() {
        let (ends, inlets) = inlets();
        ends.signals.send(Signal::Continued).await.unwrap();
        let mut surface = Counter::default();
        run_loop(inlets, &mut surface, Some(Duration::from_millis(10))).await;
        assert_eq!(surface.invalidated, 1);
    }
}
