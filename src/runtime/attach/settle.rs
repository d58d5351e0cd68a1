//! The proof of a run that was answered to its end, looked at as the next console would.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};

use super::HowItEnded;
use crate::{
    actions::Actions,
    app::{
        actions::Run,
        msg::{Effect, Event, Msg},
        state::{Settings, State},
        update::update,
    },
    config::profile::Profile,
    domain::{
        action::{ActionEvent, PastRun},
        ids::RunId,
    },
    runtime::{
        clock::Clock,
        engine::{Engine, Outlets},
        event_loop::Hands,
        poller::Said,
    },
    terminal::signals::Signals,
};

/// How long the journal may take to be read, and to be written to.
const DISK: Duration = Duration::from_secs(5);

/// Who looks where this program cannot.
const NEXT: &str = "the next console does";

/// Everything that looks at the proof of one run.
struct Looking {
    state: State,
    engine: Engine,
    clock: Clock,
    actions: mpsc::Receiver<ActionEvent>,
    events: mpsc::Receiver<Event>,
    said: mpsc::Receiver<Said>,
}

/// Waits for the proof of a run whose program has ended, and writes down what came of it. A
/// signal ends the waiting.
pub(super) async fn settle(
    profile: Profile,
    journal: Arc<Actions>,
    clock: Clock,
    run: &RunId,
    signals: &mut Signals,
) -> HowItEnded {
    let unseen = |why: &str| HowItEnded::Unseen(format!("its proof was not looked at: {why}"));
    let Some(past) = read(&journal, run).await else {
        return unseen(&format!("the journal could not be read; {NEXT}"));
    };
    if past.resolved {
        return HowItEnded::Known(past.outcome);
    }
    if !past.is_on(&profile.catalog.target()) {
        let target = past.target.as_deref().unwrap_or("another target");
        return unseen(&format!("it is a run of {target}; the next console of that does"));
    }
    let mut looking = Looking::new(profile, clock, &journal, &past);
    let run = looking.outcome(past, signals).await;
    let Looking { mut state, engine, .. } = looking;
    engine.stop(&mut state).await;
    match run {
        Ok(run) => conclude(journal, run).await,
        Err(why) => unseen(&why),
    }
}

impl Looking {
    fn new(mut profile: Profile, clock: Clock, journal: &Arc<Actions>, past: &PastRun) -> Self {
        let settings = Settings { read_only: true, utc: true, ..Settings::default() };
        let state = State::new(profile.catalog.clone(), clock.now(), settings);
        let proof = profile.catalog.action(&past.action);
        let wanted = proof.map(|spec| Run::adopted(past, spec, &state.world).proof_sources());
        let wanted = wanted.unwrap_or_default();
        profile.sources.retain(|id, _| wanted.contains(id));
        let (actions_to, actions) = mpsc::channel(256);
        let (events_to, events) = mpsc::channel(256);
        let (said_to, said) = mpsc::channel(256);
        let outlets = Outlets { actions: actions_to, events: events_to, said: said_to };
        let mut engine = Engine::new(profile, clock, outlets, Some(Arc::clone(journal)), None);
        engine.start_polling();
        Self { state, engine, clock, actions, events, said }
    }

    /// Follows the run to its outcome. In words, why there is none.
    async fn outcome(&mut self, past: PastRun, signals: &mut Signals) -> Result<Run, String> {
        let (id, action) = (past.run.clone(), past.action.clone());
        self.apply(Event::History(vec![past]));
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.state.world.actions.run(&id) {
                None => return Err(format!("{action} is not configured here")),
                Some(run) if run.outcome.is_some() => return Ok(run.clone()),
                Some(_) => {}
            }
            let event = tokio::select! {
                biased;
                signal = signals.next() => {
                    if signal.exit_code().is_some() {
                        return Err(format!("that was stopped; {NEXT}"));
                    }
                    continue;
                }
                Some(event) = self.actions.recv() => Event::Action(Box::new(event)),
                Some(event) = self.events.recv() => event,
                Some(said) = self.said.recv() => match said {
                    Said::Observed(observation) => Event::Observed(observation),
                    Said::Heard(observation) => Event::Heard(observation),
                    Said::Skipped { source, waited } => Event::Skipped { source, waited },
                },
                _ = ticks.tick() => Event::Tick,
            };
            self.apply(event);
        }
    }

    fn apply(&mut self, event: Event) {
        let at = self.clock.now();
        for effect in update(&mut self.state, Msg { at, event }) {
            // That is written below, where nobody else was faster.
            if !matches!(effect, Effect::Conclude { .. }) {
                self.engine.carry_out(effect, &self.state);
            }
        }
    }
}

async fn read(journal: &Arc<Actions>, run: &RunId) -> Option<PastRun> {
    let (journal, run) = (Arc::clone(journal), run.clone());
    let reading = tokio::task::spawn_blocking(move || journal.past(&run));
    timeout(DISK, reading).await.ok()?.ok()?
}

/// Writes the outcome, unless whoever started the run has done so meanwhile.
async fn conclude(journal: Arc<Actions>, run: Run) -> HowItEnded {
    let Some(outcome) = run.outcome else { return HowItEnded::Proven(Box::new(run), None) };
    let own = run.clone();
    let writing = tokio::task::spawn_blocking(move || match journal.past(&own.id) {
        Some(past) if past.resolved => Ok(Some(past.outcome)),
        _ => journal.conclude(&own.id, &own.action, outcome, &own.evidence()).map(|()| None),
    });
    let unwritten = match timeout(DISK, writing).await {
        Ok(Ok(Ok(Some(other)))) if other != outcome => return HowItEnded::Known(other),
        Ok(Ok(Ok(_))) => None,
        Ok(Ok(Err(error))) => Some(format!("the outcome is not in the journal: {error}")),
        Ok(Err(_)) => Some("the outcome is perhaps not in the journal".to_owned()),
        Err(_) => Some("the disk is slow: the outcome is perhaps not in the journal".to_owned()),
    };
    HowItEnded::Proven(Box::new(run), unwritten)
}
