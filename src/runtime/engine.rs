//! The hands of the console: starts the pollers and carries out effects.

mod asking;

mod examine;

mod groups;

mod journal;

mod runs;

#[cfg(test)]
pub(super) mod tests;

mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::{sync::DropGuard, task::AbortOnDropHandle};

pub(super) use self::groups::groups_of;
use self::{asking::keep_polling, journal::Writer};
use super::{
    attach::Wanted,
    check::has_counters,
    clock::Clock,
    event_loop::Hands,
    keep::Keeper,
    poller::{Order, Said},
    reload::needs_restart,
    shared::Shared,
};
use crate::{
    actions::{Actions, CancelError},
    app::{
        msg::{Effect, Event, Notice, Reloaded},
        state::State,
        summary,
    },
    config::profile::{ActionConfig, Profile, SourceKind},
    demo::Demo,
    domain::{
        action::{ActionEvent, Previewed},
        ask::Answers,
        failure::{Failure, FailureKind},
        ids::{ActionId, RunId, SourceId},
        observation::KeyScan,
    },
};

/// A counter says nothing before the second look, which need not wait for a long interval.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Lines of the journal that are looked through for earlier runs.
pub(super) const HISTORY: usize = 200;

/// A count of keys is given up after this.
const SCAN_WITHIN: Duration = Duration::from_secs(30);

/// The most keys that a count visits.
const SCAN_BUDGET: u32 = 1_000_000;

/// How long the end of the demo may take.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// How long a poller that broke down rests before it is started again.
const RESTART_AFTER: Duration = Duration::from_secs(5);

/// Where the engine sends what it brings.
#[derive(Clone)]
pub(super) struct Outlets {
    pub(super) actions: mpsc::Sender<ActionEvent>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) said: mpsc::Sender<Said>,
}

/// Everything that acts on the world.
pub(super) struct Engine {
    profile: Arc<Profile>,
    clock: Clock,
    outlets: Outlets,
    actions: Option<Arc<Actions>>,
    /// Who writes to the journal, where there is one.
    lines: Option<Writer>,
    demo: Option<Demo>,
    orders: BTreeMap<SourceId, mpsc::Sender<Order>>,
    pollers: JoinSet<()>,
    /// Who keeps the alerts and tells of them; nobody for a single action or look.
    watch: Option<watch::Watch>,
    /// Where the alerts are kept, until somebody does.
    pub(super) alerts: Option<Shared>,
    rang: Option<Instant>,
    /// Rings the bell of the terminal, where there is one.
    pub(super) bell: Box<dyn FnMut()>,
    /// Where texts go that the operator saves; beside the journal where none is named.
    pub(super) saves: Option<PathBuf>,
    /// Runs for which a second person is waited for.
    waiting: BTreeMap<RunId, DropGuard>,
    keeper: Keeper,
    /// The examination that goes on.
    examining: Option<AbortOnDropHandle<()>>,
    /// Puts a text on the clipboard; returns whether there is one.
    pub(super) clipboard: Box<dyn FnMut(&str) -> bool>,
    /// Hands the terminal over to a run; returns whether there is one to hand over.
    pub(super) attach: Box<dyn FnMut(Wanted) -> bool>,
}

impl Engine {
    pub(super) fn new(
        profile: Profile,
        clock: Clock,
        outlets: Outlets,
        actions: Option<Arc<Actions>>,
        demo: Option<Demo>,
    ) -> Self {
        Self {
            profile: Arc::new(profile),
            watch: None,
            alerts: None,
            rang: None,
            bell: Box::new(|| {}),
            clock,
            keeper: Keeper::start(outlets.events.clone()),
            lines: actions
                .as_ref()
                .map(|actions| Writer::start(Arc::clone(actions), outlets.events.clone())),
            outlets,
            actions,
            demo,
            orders: BTreeMap::new(),
            pollers: JoinSet::new(),
            saves: None,
            waiting: BTreeMap::new(),
            examining: None,
            clipboard: Box::new(|_| false),
            attach: Box::new(|_| false),
        }
    }

    /// Starts a poller for every source that is asked.
    pub(super) fn start_polling(&mut self) {
        for config in self.profile.sources.values() {
            if config.disabled.is_some() {
                continue;
            }
            let (orders, orders_in) = mpsc::channel(4);
            if config.interval > SECOND_LOOK * 2 && has_counters(&self.profile, &config.id) {
                let again = orders.clone();
                self.pollers.spawn(async move {
                    tokio::time::sleep(SECOND_LOOK).await;
                    // Where it is asked already, it has looked twice.
                    let _ = again.try_send(Order::Now);
                });
            }
            self.orders.insert(config.id.clone(), orders);
            let (clock, said) = (self.clock, self.outlets.said.clone());
            self.pollers.spawn(keep_polling(config.clone(), clock, orders_in, said));
        }
    }

    /// Takes a changed configuration over: every poller is started afresh. Returns what the
    /// state has to know of it.
    pub(super) fn take_over(&mut self, mut profile: Profile) -> Reloaded {
        let since = self.clock.now();
        let needs_restart = needs_restart(&self.profile, &profile);
        // What was told, kept and locked goes by the name of the service.
        let (old, new) = (&self.profile.catalog, &mut profile.catalog);
        (new.service, new.environment) = (old.service.clone(), old.environment.clone());
        let changed = Reloaded {
            catalog: profile.catalog.clone(),
            read_only: profile.display.read_only,
            utc: (profile.display.utc != self.profile.display.utc).then_some(profile.display.utc),
            needs_restart,
            since,
        };
        // Whoever is dropped is stopped; the set must not grow with every change.
        self.pollers = JoinSet::new();
        self.orders.clear();
        // The journal stays where it was opened, and so does what is saved beside it.
        let state_dir = self.profile.state_dir.clone();
        self.profile = Arc::new(Profile { state_dir, ..profile });
        self.reconfigure_watch();
        self.start_polling();
        changed
    }

    /// Stops everything it started. An orderly end of the demo is waited for, but not for
    /// long: whatever is left is cleaned up after the process.
    pub(super) async fn stop(mut self, state: &mut State) {
        self.pollers.abort_all();
        self.stop_watch(state).await;
        if let Some(lines) = self.lines.take() {
            lines.finish().await;
        }
        self.keeper.finish().await;
        if let Some(demo) = self.demo.take() {
            let _ = tokio::time::timeout(STOP_WITHIN, demo.stop()).await;
        }
    }

    fn say(&self, notice: Notice) {
        if let Err(lost) = self.outlets.events.try_send(Event::Notice(notice)) {
            tracing::warn!(%lost, "a message was dropped: too much is happening");
        }
    }

    fn poll(&self, sources: &[SourceId]) {
        for source in sources {
            if let Some(orders) = self.orders.get(source) {
                // A full channel means that it has been told already.
                let _ = orders.try_send(Order::Now);
            }
        }
    }

    fn listen(&self, sources: &[SourceId]) {
        let waiting = |orders: &&mpsc::Sender<Order>| orders.capacity() < orders.max_capacity();
        let orders = sources.iter().filter_map(|source| self.orders.get(source));
        // Never in the way of an order that counts.
        for orders in orders.filter(|orders| !waiting(orders)) {
            let _ = orders.try_send(Order::Listen);
        }
    }

    fn scan(&self, source: SourceId, groups: Vec<(String, String, bool)>) {
        let Some(SourceKind::Redis(redis)) =
            self.profile.sources.get(&source).map(|config| config.kind.clone())
        else {
            self.say(Notice::warning(format!(
                "{source} cannot be scanned: it is no Redis over TCP"
            )));
            return;
        };
        let (clock, events) = (self.clock, self.outlets.events.clone());
        tokio::spawn(async move {
            let began = clock.now();
            let scan = crate::sources::scan(&redis, &groups, SCAN_BUDGET);
            let outcome = tokio::time::timeout(SCAN_WITHIN, scan).await.unwrap_or_else(|_| {
                Err(Failure::new(FailureKind::Timeout, "the count was given up after 30 s"))
            });
            let at = clock.now();
            let scan = KeyScan { source, at, took: at.since(began), outcome };
            let _ = events.send(Event::Scanned(Box::new(scan))).await;
        });
    }

    fn preview(&self, run: RunId, action: ActionId, asked: Answers) {
        let Some((actions, config)) = self.action(&action) else { return };
        let groups = config.as_ref().map(|config| groups_of(&self.profile.catalog, config));
        let groups = groups.unwrap_or_default();
        let events = self.outlets.events.clone();
        // Another console may have run it a moment ago.
        let (journal, told) = (Arc::clone(&actions), events.clone());
        tokio::task::spawn_blocking(move || {
            let _ = told.blocking_send(Event::History(journal.history(HISTORY)));
        });
        tokio::spawn(async move {
            let previewed = match config {
                Some(config) => actions.preview(&config, &asked, run, &groups).await,
                None => Previewed { run, outcome: Err(gone(&action)) },
            };
            let _ = events.send(Event::Previewed(Box::new(previewed))).await;
        });
    }

    fn action(&self, action: &ActionId) -> Option<(Arc<Actions>, Option<ActionConfig>)> {
        let actions = Arc::clone(self.actions.as_ref()?);
        Some((actions, self.profile.actions.get(action).cloned()))
    }

    /// Has a line written to the journal.
    fn journal(&self, write: impl FnOnce(&Actions) -> Result<(), String> + Send + 'static) {
        let Some(lines) = &self.lines else { return };
        if let Err(why) = lines.write(Box::new(write))
            && let Err(lost) = self.outlets.events.try_send(Event::JournalFailed(why))
        {
            tracing::error!(%lost, "a line is not in the journal, and too much is happening");
        }
    }

    fn kept(&self) -> &Path {
        self.saves.as_deref().unwrap_or(&self.profile.state_dir)
    }

    fn copy(&mut self, text: &str) {
        let sent = (self.clipboard)(text);
        if let Err(notice) = self.keeper.copy(self.kept(), text, sent) {
            self.say(notice);
        }
    }

    fn save(&self, state: &State) {
        let name = format!("state-{}.json", state.world.now.wall.strftime("%Y%m%dT%H%M%SZ"));
        let document = summary::summary(&state.world);
        if let Err(notice) = self.keeper.save(self.kept(), &name, document) {
            self.say(notice);
        }
    }
}

impl Hands for Engine {
    fn carry_out(&mut self, effect: Effect, state: &State) {
        match effect {
            Effect::Poll(sources) => self.poll(&sources),
            Effect::Listen(sources) => self.listen(&sources),
            Effect::SetInterval(source, interval) => {
                if let Some(orders) = self.orders.get(&source) {
                    let _ = orders.try_send(Order::Interval(interval));
                }
            }
            Effect::Scan { source, groups } => self.scan(source, groups),
            Effect::Copy(text) => self.copy(&text),
            Effect::Save => self.save(state),
            Effect::Doctor { number } => self.examine(number),
            Effect::Preview { run, action, asked } => self.preview(run, action, asked),
            Effect::Ask { start, request } => self.ask(*start, request),
            Effect::Follow { run, action } => self.follow(run, action),
            Effect::Start(start) => self.start(*start),
            Effect::Cancel { run, action } => {
                let events = self.outlets.events.clone();
                self.journal(move |actions| match actions.cancel(&run, &action, "") {
                    Ok(()) => Ok(()),
                    Err(CancelError::Journal(error)) => Err(error.to_string()),
                    Err(error @ CancelError::Unreached(_)) => {
                        let text = format!("{action} was not asked to stop: {error}");
                        let _ = events.blocking_send(Event::Notice(Notice::error(text)));
                        Ok(())
                    }
                });
            }
            Effect::Attach { run, title } => self.hand_over(run, title),
            Effect::Conclude { run, action, outcome, evidence } => {
                self.journal(move |actions| {
                    actions
                        .conclude(&run, &action, outcome, &evidence)
                        .map_err(|error| error.to_string())
                });
            }
            Effect::Note { kind, text } => {
                self.journal(move |actions| {
                    actions.note(kind, &text).map_err(|error| error.to_string())
                });
            }
            Effect::KeepAlerts(_) | Effect::KeepOutbox(_) | Effect::Notify(_) | Effect::Ring => {
                self.watched(effect);
            }
            Effect::DemoFault(name) => {
                if let Some(demo) = &self.demo {
                    demo.toggle(&name);
                    let on = demo.active().contains(&name.as_str());
                    let word = if on { "on" } else { "off" };
                    self.say(Notice::info(format!("fault {name} is {word}")));
                }
            }
            Effect::Draw | Effect::Redraw | Effect::Quit | Effect::Suspend => {}
        }
    }
}

fn gone(action: &ActionId) -> Failure {
    Failure::new(FailureKind::Misconfigured, format!("{action} is not configured any more"))
}
