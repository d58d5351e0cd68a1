//! One action without a screen: the same guards, journal, locks and proof as in the
//! console, with the answers given beforehand instead of typed.

mod answers;
mod guard;
mod plan;
mod terminal;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout},
};

pub use self::answers::{Asked, Given};
use super::{
    attach::Left,
    clock::Clock,
    engine::{Engine, HISTORY, Outlets},
    event_loop::Hands,
    poller::Said,
};
use crate::{
    actions::{Actions, new_run_id},
    app::{
        actions::{Armed, Run, reach},
        msg::{Effect, Event, Msg, StartRun},
        state::{Settings, State},
        update::update,
    },
    config::{nearest::suggestion, profile::Profile},
    domain::{
        action::{APPROVAL_LASTS, ActionEvent, ActionOutcome, ActionStage, Preview, TakeOver},
        ask::Answers,
        catalog::ActionSpec,
        ids::{ActionId, RunId},
        text::safe,
    },
    terminal::signals::{self, Signal, Signals},
};

/// How long a line for the journal may take to be on the disk.
const WRITTEN: Duration = Duration::from_secs(5);

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The guard, a lock or the preview speaks against it; nothing was sent.
    Refused(String),
    /// The command line cannot be meant so; nothing was looked at.
    Misused(String),
    /// What would be sent, and all that stands in the way of that now; nothing was sent.
    Planned(Box<Preview>, Vec<String>),
    /// It goes on without us.
    Detached(RunId),
    /// It is over.
    Over(Box<Run>),
}

/// What is said on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// A line that the action printed.
    Output(String),
    /// Where it stands.
    Note(String),
}

/// A session without a screen.
struct Session<'a> {
    state: State,
    engine: Engine,
    clock: Clock,
    actions: mpsc::Receiver<ActionEvent>,
    events: mpsc::Receiver<Event>,
    said: mpsc::Receiver<Said>,
    signals: Signals,
    ticks: Interval,
    journal: Arc<Actions>,
    say: &'a mut dyn FnMut(Word),
    asked: Asked,
    run: RunId,
    answers: Answers,
    terminal: terminal::Handing,
}

/// What came next.
enum Came {
    Event(Event),
    Signal(Signal),
    Left(Result<Left, String>),
    TooLate,
}

/// Carries one action out, as far as its guard lets it.
///
/// # Errors
/// Where signals cannot be listened to.
pub async fn carry_out(
    mut profile: Profile,
    asked: Asked,
    say: &mut dyn FnMut(Word),
) -> std::io::Result<Ended> {
    let id = ActionId::from(asked.action.as_str());
    let Some(spec) = profile.catalog.action(&id).cloned() else {
        let known = profile.catalog.actions.iter().map(|spec| spec.id.as_str());
        let near = suggestion(id.as_str(), known, "actions");
        return Ok(Ended::Misused(format!("there is no action {}; {near}", safe(id.as_str()))));
    };
    let (spec, answers) = match answers::of(&spec, &asked.answers, jiff::Timestamp::now()) {
        Ok(answered) => answered,
        Err(ended) => return Ok(ended),
    };
    let clock = Clock::start();
    let opened = Actions::open(&profile.state_dir, Arc::new(move || clock.now()));
    let journal = match opened {
        Ok((actions, report)) => {
            report.remarks().into_iter().for_each(|remark| say(Word::Note(remark)));
            Arc::new(actions)
        }
        Err(error) => return Ok(Ended::Refused(format!("nothing can be started: {error}"))),
    };
    let read_only = profile.display.read_only;
    let settings = Settings {
        operator: crate::actions::operator(),
        read_only,
        utc: true,
        ..Settings::default()
    };
    let mut state = State::new(profile.catalog.clone(), clock.now(), settings);
    let target = state.world.catalog.target();
    // What is open elsewhere is for a console to tell.
    let _ = state.world.actions.remember(journal.history(HISTORY), &target);
    // The command itself is what arms it.
    state.world.actions.armed = Some(Armed {
        since: state.world.now,
        until: state.world.now.plus(APPROVAL_LASTS * 6),
        reason: asked.reason.clone(),
    });
    let run = new_run_id();
    let wanted = guard::wanted(&run, &spec, &state);
    profile.sources.retain(|id, _| wanted.contains(id));
    let (actions_to, actions) = mpsc::channel(256);
    let (events_to, events) = mpsc::channel(256);
    let (said_to, said) = mpsc::channel(256);
    let outlets = Outlets { actions: actions_to, events: events_to, said: said_to };
    let mut engine = Engine::new(profile, clock, outlets, Some(Arc::clone(&journal)), None);
    engine.start_polling();
    let terminal = terminal::Handing::new(&mut engine, asked.terminal && !asked.detach);
    let signals = Signals::listen(None)?;
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = Session {
        state,
        engine,
        clock,
        actions,
        events,
        said,
        signals,
        ticks,
        journal,
        say,
        asked,
        run,
        answers,
        terminal,
    };
    let ended = session.carry_out(&spec).await;
    session.engine.stop(&mut session.state).await;
    Ok(ended)
}

impl Session<'_> {
    async fn carry_out(&mut self, spec: &ActionSpec) -> Ended {
        if let Some(why) = self.objection(spec) {
            return Ended::Refused(why);
        }
        if let Some(ended) = self.wait_for_readings(spec).await {
            return ended;
        }
        if self.asked.dry_run {
            return self.plan(spec).await;
        }
        if let Some(why) = self.forbidden(spec) {
            return Ended::Refused(why);
        }
        let mut preview = match self.preview(spec).await {
            Ok(preview) => preview,
            Err(ended) => return ended,
        };
        if let Some(why) = self.missing(spec) {
            return Ended::Refused(why);
        }
        if spec.guard.wants_second_person() && !self.asked.break_glass {
            if let Some(ended) = self.second_person(spec, &preview).await {
                return ended;
            }
            // It may have changed while somebody was waited for.
            preview = match self.preview(spec).await {
                Ok(again) if again.digest == preview.digest => {
                    // Whom it is taken over from was agreed to, too.
                    Preview { holders: preview.holders, ..again }
                }
                Ok(_) => {
                    let why = "what was agreed to is not what would be sent now";
                    return Ended::Refused(why.to_owned());
                }
                Err(ended) => return ended,
            };
        }
        if spec.guard.wants_second_person() && self.asked.break_glass {
            let text = "BREAK GLASS: nobody else agreed; the journal says so, and it is reviewed";
            self.note(text.to_owned());
        }
        if spec.guard.wants_target_typed()
            && let Some(ended) = self.count_down().await
        {
            return ended;
        }
        if let Some(why) = self.forbidden(spec) {
            return Ended::Refused(why);
        }
        for open in reach::unsure(&self.state.world, spec) {
            self.note(open);
        }
        self.start(spec, &preview);
        self.follow().await
    }

    /// The next thing that happens, until `until`. Time passes by itself.
    async fn next(&mut self, until: Option<Instant>) -> Came {
        let late = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = self.signals.next() => {
                // The terminal of an action that answers in it is not ours to give back.
                if signal == Signal::Suspend && !self.terminal.is_lent() {
                    self.suspend();
                }
                Came::Signal(signal)
            }
            left = self.terminal.left() => Came::Left(left),
            Some(event) = self.actions.recv() => Came::Event(Event::Action(Box::new(event))),
            Some(event) = self.events.recv() => Came::Event(event),
            Some(said) = self.said.recv() => Came::Event(match said {
                Said::Observed(observation) => Event::Observed(observation),
                Said::Heard(observation) => Event::Heard(observation),
                Said::Skipped { source, waited } => Event::Skipped { source, waited },
            }),
            () = late => Came::TooLate,
            _ = self.ticks.tick() => Came::Event(Event::Tick),
        }
    }

    fn has_proof(&self) -> bool {
        let run = self.state.world.actions.run(&self.run);
        run.is_some_and(|run| !run.proofs.is_empty())
    }

    /// Stops as Ctrl-Z stops any program; what runs already goes on.
    fn suspend(&mut self) {
        if let Err(error) = signals::suspend() {
            self.note(format!("it could not be stopped: {error}"));
        }
    }

    fn apply(&mut self, event: Event) {
        let event = match event {
            // What others run is not followed from here: the locks tell who is in the way.
            Event::History(mut history) => {
                history.retain(|past| past.run != self.run);
                let target = self.state.world.catalog.target();
                let _ = self.state.world.actions.remember(history, &target);
                return;
            }
            event => event,
        };
        match &event {
            Event::Action(event) if event.run == self.run => match &event.stage {
                ActionStage::Output(line) => self.tell(Word::Output(line.clone())),
                ActionStage::Started => {
                    self.note(format!("running as {}", self.run));
                }
                // What is not looked at is over, and told as a whole.
                ActionStage::Finished(result) if self.has_proof() && result.claim.is_judged() => {
                    let text = format!("over: {}; looking at the proof", result.summary);
                    self.note(text);
                }
                _ => {}
            },
            Event::Notice(notice) => self.note(notice.text.clone()),
            Event::JournalFailed(why) => self.note(format!("the journal cannot be written: {why}")),
            _ => {}
        }
        let at = self.clock.now();
        for effect in update(&mut self.state, Msg { at, event }) {
            self.engine.carry_out(effect, &self.state);
        }
    }

    fn order(&self, spec: &ActionSpec, preview: &Preview) -> (StartRun, Run) {
        let run = Run::new(self.run.clone(), spec, &self.state.world).with(&self.answers);
        let (readings, servers) = run.readings();
        let start = StartRun {
            run: self.run.clone(),
            action: spec.id.clone(),
            digest: preview.digest.clone(),
            target: self.state.world.catalog.target(),
            reason: self.asked.reason.clone(),
            confirmation: self.asked.confirm.clone().unwrap_or_else(|| "run".to_owned()),
            before: run.before(),
            readings,
            servers,
            cooldown: spec.cooldown,
            needs_second: spec.guard.wants_second_person(),
            break_glass: self.asked.break_glass,
            asked: self.answers.clone(),
            affected: preview.affected(),
            take_over: self
                .asked
                .take_over
                .clone()
                .map(|reason| TakeOver { reason, from: preview.holders.clone() }),
            drill: self.asked.drill,
        };
        (start, run)
    }

    fn start(&mut self, spec: &ActionSpec, preview: &Preview) {
        let (start, run) = self.order(spec, preview);
        self.state.world.actions.push(run);
        self.engine.carry_out(Effect::Start(Box::new(start)), &self.state);
    }

    /// Follows it to its outcome. The first Ctrl-C asks it to stop; anything further, and a
    /// hangup, leaves it alone: it goes on by itself.
    async fn follow(&mut self) -> Ended {
        let mut asked_to_stop = false;
        loop {
            let Some(run) = self.state.world.actions.run(&self.run) else {
                return Ended::Detached(self.run.clone());
            };
            if let Some(outcome) = run.outcome {
                let run = run.clone();
                return self.conclude(run, outcome).await;
            }
            if run.sent && self.asked.detach {
                return Ended::Detached(self.run.clone());
            }
            match self.next(None).await {
                Came::Event(event) => self.apply(event),
                Came::Signal(Signal::Interrupt) if !asked_to_stop => {
                    asked_to_stop = self.ask_to_stop().await;
                }
                Came::Signal(signal) if signal.exit_code().is_some() => {
                    return Ended::Detached(self.run.clone());
                }
                Came::Left(left) => {
                    if let Some(ended) = self.returned(left) {
                        return ended;
                    }
                }
                Came::Signal(_) | Came::TooLate => {}
            }
        }
    }

    /// The outcome is in the journal before it is told: whoever reads the exit code may
    /// look there next.
    async fn conclude(&mut self, run: Run, outcome: ActionOutcome) -> Ended {
        let (journal, own) = (Arc::clone(&self.journal), run.clone());
        let written = tokio::task::spawn_blocking(move || {
            journal.conclude(&own.id, &own.action, outcome, &own.evidence())
        });
        match timeout(WRITTEN, written).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => self.note(format!("the outcome is not in the journal: {error}")),
            Ok(Err(_)) => self.note("the outcome is perhaps not in the journal"),
            // It is known all the same.
            Err(_) => self.note("the outcome is not in the journal: the disk does not answer"),
        }
        Ended::Over(Box::new(run))
    }
}
