//! A console from start to end: on a screen, as plain lines, or without either.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};

use super::{
    chronicle::{Chronicle, News},
    clock::Clock,
    engine::{Engine, HISTORY, Outlets},
    event_loop::{self, Exit, Hands, Inlets, Input, NoScreen, Setup, Surface},
    kept, reload,
    shared::Shared,
    tty,
};
use crate::{
    actions::Actions,
    app::{
        msg::{Effect, Event, Notice},
        state::{Settings, State},
        summary,
    },
    config::{ConfigFile, Loaded, Request, profile::Profile},
    demo::Demo,
    terminal::{
        hooks::ContainedPanics,
        signals::{Signal, Signals},
    },
    ui,
};

/// What a console is started with.
pub struct Plan {
    /// The configuration.
    pub profile: Profile,
    /// Its files.
    pub files: Vec<ConfigFile>,
    /// How to read it again; none where it cannot change.
    pub reload: Option<Request>,
    /// The demo that it watches.
    pub demo: Option<Demo>,
    /// Where texts go that the operator saves; beside the journal where none is named.
    pub saves: Option<PathBuf>,
    /// When to end by itself.
    pub lasting: Option<Duration>,
    /// What has to be said at the start.
    pub remarks: Vec<String>,
    /// Panics of tasks that were contained.
    pub panics: Option<ContainedPanics>,
}

impl Plan {
    /// A console on a configuration.
    pub fn new(loaded: Loaded, lasting: Option<Duration>) -> Self {
        let remarks = loaded.profile.warnings.clone();
        Self {
            profile: loaded.profile,
            files: loaded.files,
            reload: None,
            demo: None,
            saves: None,
            lasting,
            remarks,
            panics: None,
        }
    }
}

/// Everything of a console but its screen.
pub(super) struct Console {
    pub(super) state: State,
    pub(super) engine: Engine,
    pub(super) inlets: Inlets,
    pub(super) clock: Clock,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) deadline: Option<Instant>,
    changes: mpsc::Receiver<reload::Changed>,
}

impl Console {
    /// Builds a console. Nothing is asked yet.
    pub(super) fn new(
        plan: Plan,
        signals: mpsc::Receiver<Signal>,
        inputs: mpsc::Receiver<Input>,
        again: mpsc::Receiver<()>,
    ) -> Self {
        let clock = Clock::start();
        let (actions_to, actions_in) = mpsc::channel(256);
        let (events, events_in) = mpsc::channel(256);
        let (said, said_in) = mpsc::channel(256);
        let (changed, changes) = mpsc::channel(1);
        let settings = Settings {
            console: format!("{:04x}", rand::random::<u16>()),
            operator: crate::actions::operator(),
            read_only: plan.profile.display.read_only,
            utc: plan.profile.display.utc,
        };
        let mut state = State::new(plan.profile.catalog.clone(), clock.now(), settings);
        let actions = open_journal(&plan.profile, clock, &events);
        let (dir, target) = (&plan.profile.state_dir, plan.profile.catalog.target());
        let alerts = Shared::new(kept::file(dir, &target), target.clone());
        let told = kept::read(&kept::outbox_file(dir, &target), Event::OutboxKept);
        for event in alerts.begin().into_iter().chain(told) {
            let _ = events.try_send(event);
        }
        if let Some(demo) = &plan.demo {
            state.demo_faults = demo
                .faults()
                .iter()
                .map(|fault| (fault.name.into(), fault.title.into(), fault.explains.into()))
                .collect();
            tell_the_story(demo, &events);
        }
        for remark in plan.remarks {
            let _ = events.try_send(Event::Notice(Notice::warning(remark)));
        }
        if let Some(actions) = &actions {
            // After the remarks: what is unresolved must be what is read.
            let _ = events.try_send(Event::History(actions.history(HISTORY)));
        }
        if let Some(panics) = plan.panics {
            tokio::spawn(tell_of_panics(panics, events.clone()));
        }
        if let Some(request) = plan.reload {
            tokio::spawn(reload::watch(request, plan.files, again, changed));
        }
        let outlets = Outlets { actions: actions_to, events: events.clone(), said };
        let mut engine = Engine::new(plan.profile, clock, outlets, actions, plan.demo);
        engine.alerts = Some(alerts);
        engine.saves = plan.saves;
        let inlets =
            Inlets { signals, inputs, actions: actions_in, events: events_in, said: said_in };
        let deadline = plan.lasting.map(|lasting| Instant::now() + lasting);
        Self { state, engine, inlets, clock, events, deadline, changes }
    }

    /// Runs the loop on a surface until it ends. The engine is given back still running,
    /// so that the terminal can be given back before what may take a while to stop.
    pub(super) async fn run<S: Surface>(
        self,
        surface: &mut S,
        fps: u8,
        paint: tty::Painter,
        watch: &mut dyn FnMut(&State),
    ) -> Ended {
        let Self { mut state, engine, inlets, clock, events, deadline, changes } = self;
        let mut hands = Reloading { engine, changes, events };
        hands.engine.start_polling();
        hands.engine.start_watch();
        let mut chronicle = Chronicle::default();
        let mut watch = |state: &State| {
            chronicle.look(state);
            watch(state);
        };
        let watch = &mut watch;
        let setup =
            Setup { clock, fps, deadline, resolve: ui::keys::resolve, paint: &paint, watch };
        let exit = event_loop::run(&mut state, inlets, surface, &mut hands, setup).await;
        Ended { state, exit, engine: hands.engine }
    }
}

/// A console that has ended.
pub(super) struct Ended {
    pub(super) state: State,
    pub(super) exit: io::Result<Exit>,
    pub(super) engine: Engine,
}

/// The engine, and the changed configurations that it takes over.
struct Reloading {
    engine: Engine,
    changes: mpsc::Receiver<reload::Changed>,
    events: mpsc::Sender<Event>,
}

impl Hands for Reloading {
    fn carry_out(&mut self, effect: Effect, state: &State) {
        self.engine.carry_out(effect, state);
    }

    fn between(&mut self) {
        loop {
            // First the place for the message: a configuration that is in force and not said
            // to be would leave the state with another one. Without a place it waits.
            let Ok(place) = self.events.try_reserve() else { return };
            let Ok(changed) = self.changes.try_recv() else { return };
            place.send(match changed {
                Ok(loaded) => Event::Reloaded(Box::new(self.engine.take_over(loaded.profile))),
                Err(why) => Event::ReloadFailed(why),
            });
        }
    }
}

fn open_journal(
    profile: &Profile,
    clock: Clock,
    events: &mpsc::Sender<Event>,
) -> Option<Arc<Actions>> {
    let opened = Actions::open(&profile.state_dir, Arc::new(move || clock.now()));
    match opened {
        Ok((actions, report)) => {
            for remark in report.remarks() {
                let _ = events.try_send(Event::Notice(Notice::warning(remark)));
            }
            let actions = Arc::new(actions);
            let own = Arc::clone(&actions);
            tokio::task::spawn_blocking(move || match own.tidy() {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "what old runs left behind was removed"),
                Err(error) => tracing::warn!(%error, "what old runs left behind stays"),
            });
            Some(actions)
        }
        Err(error) => {
            let _ = events.try_send(Event::JournalFailed(error.to_string()));
            None
        }
    }
}

fn tell_the_story(demo: &Demo, events: &mpsc::Sender<Event>) {
    let mut lines = demo.subscribe();
    let events = events.clone();
    tokio::spawn(async move {
        while let Ok(line) = lines.recv().await {
            let notice = Notice::info(format!("demo: {}", line.text));
            if events.send(Event::Notice(notice)).await.is_err() {
                return;
            }
        }
    });
}

async fn tell_of_panics(mut panics: ContainedPanics, events: mpsc::Sender<Event>) {
    while let Some(panic) = panics.recv().await {
        let notice = Notice::error(format!("a part of the console broke down: {panic}"));
        if events.send(Event::Notice(notice)).await.is_err() {
            return;
        }
    }
}

/// Where a console without a screen leaves its words.
pub struct Outside<'a> {
    /// Prints a line: what changed in plain mode, what goes wrong without it.
    pub print: &'a mut dyn FnMut(&str),
    /// Whether nobody can read the standard output any more: the terminal or the program at
    /// the other end of the pipe is gone. Asked after every turn of the loop, also while
    /// nothing changes.
    pub unread: &'a dyn Fn() -> bool,
}

/// Runs without any terminal, and says what goes wrong meanwhile. SIGHUP reads the
/// configuration again; the end of whoever reads the output ends it.
///
/// # Errors
/// Where signals cannot be listened to.
pub async fn headless(plan: Plan, outside: Outside<'_>) -> io::Result<(State, Exit)> {
    let mut news = News::default();
    let Outside { print, unread } = outside;
    let mut watch = |state: &State| {
        for line in ui::plain::messages(&news.of(&state.world)) {
            print(&line);
        }
    };
    without_screen(plan, &mut watch, unread).await
}

/// Prints a line for every change and everything that goes wrong. SIGHUP reads the
/// configuration again; the end of whoever reads the lines ends it.
///
/// # Errors
/// Where signals cannot be listened to.
pub async fn plain(plan: Plan, outside: Outside<'_>) -> io::Result<Exit> {
    let mut news = News::default();
    let mut last: Option<summary::Summary> = None;
    let Outside { print, unread } = outside;
    let mut watch = |state: &State| {
        let now = summary::summary(&state.world);
        let mut lines = match &last {
            Some(before) => ui::plain::changes(before, &now),
            None => ui::plain::opening(&now),
        };
        last = Some(now);
        lines.extend(ui::plain::messages(&news.of(&state.world)));
        for line in lines {
            print(&line);
        }
    };
    without_screen(plan, &mut watch, unread).await.map(|(_, exit)| exit)
}

async fn without_screen(
    plan: Plan,
    watch: &mut dyn FnMut(&State),
    unread: &dyn Fn() -> bool,
) -> io::Result<(State, Exit)> {
    let (signals, signals_in) = mpsc::channel(4);
    let again =
        tty::forward_signals(Signals::listen(None)?, signals.clone(), plan.reload.is_some());
    let mut left_alone = false;
    let mut watch = |state: &State| {
        watch(state);
        if !left_alone && unread() {
            left_alone = true;
            let _ = signals.try_send(Signal::Hangup);
        }
    };
    // Held to the end: without anybody who could type, the loop would end at once.
    let (_inputs, inputs_in) = mpsc::channel(1);
    let console = Console::new(plan, signals_in, inputs_in, again);
    let paint: tty::Painter = Box::new(|_, _, _| None);
    let mut ended = console.run(&mut NoScreen, 1, paint, &mut watch).await;
    ended.engine.stop(&mut ended.state).await;
    let exit = match ended.exit? {
        Exit::Signal(Signal::Hangup) if left_alone => Exit::Unread,
        exit => exit,
    };
    Ok((ended.state, exit))
}

/// Runs on the terminal.
///
/// # Errors
/// Where the terminal cannot be used.
pub async fn screen(plan: Plan) -> io::Result<Exit> {
    tty::run(plan).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(directory: &std::path::Path, display: &str) -> Loaded {
        let file = directory.join("watchfloor.toml");
        let text = format!(
            "[service]\nname = \"shop\"\nenvironment = \"test\"\n{display}\n[source.api]\nkind = \"http\"\n\
             url = \"http://127.0.0.1:1/\"\nreadings = {{ state = \"$.status\" }}\n"
        );
        std::fs::write(&file, text).unwrap();
        let request = Request {
            config: Some(file),
            directory: directory.to_owned(),
            home: Some(directory.to_owned()),
            ..Request::default()
        };
        crate::config::load(&request).map_err(|wrong| wrong.render(false)).unwrap()
    }

    #[tokio::test]
    async fn a_configuration_is_taken_over_only_when_it_can_be_said() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let (actions, _actions) = mpsc::channel(1);
        let (events, mut events_in) = mpsc::channel(1);
        let (said, _said) = mpsc::channel(1);
        let outlets = Outlets { actions, events: events.clone(), said };
        let old = loaded(directory.path(), "");
        let engine = Engine::new(old.profile, clock, outlets, None, None);
        let mut new =
            loaded(directory.path(), "[display]\nread_only = true\nfps = 5\nutc = true\n");
        new.profile.catalog.service = "other".to_owned();
        let (changed, changes) = mpsc::channel(1);
        let mut hands = Reloading { engine, changes, events: events.clone() };
        changed.try_send(Ok(Box::new(new))).unwrap();

        events.try_send(Event::Tick).unwrap();
        hands.between();
        assert_eq!(events_in.try_recv(), Ok(Event::Tick));
        assert!(events_in.try_recv().is_err(), "there was no room to say it");

        hands.between();
        let Ok(Event::Reloaded(reloaded)) = events_in.try_recv() else { panic!("it was lost") };
        assert!(reloaded.read_only);
        assert_eq!(reloaded.utc, Some(true));
        assert_eq!(reloaded.needs_restart, ["service.name", "display.fps"]);
        // Whatever is told goes on by the name that it began with.
        assert_eq!(reloaded.catalog.service, "shop");
        let mut state = State::new(Default::default(), Clock::start().now(), Settings::default());
        hands.engine.stop(&mut state).await;
    }
}
